//! Reading through Postgres without leaning on it: one load for many askers, no older
//! than a time to live, and the last known value while Postgres does not answer.

use std::{
    hash::Hash,
    sync::{Arc, Mutex},
    time::Duration,
};

use moka::future::Cache;
use tokio::time::Instant;

use crate::error::Error;

/// How long a reader waits for Postgres before it makes do with what it has.
const LOAD_MS_MAX: u64 = 1_000;
/// After Postgres failed to answer, how long known values are shown without asking again.
const RETRY_AFTER_MS: u64 = 500;
/// Values kept for an outage; the least recently used go first.
const LAST_KNOWN_MAX: u64 = 20_000;

/// A load failed; shared by everyone who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the database did not answer within {LOAD_MS_MAX} ms")]
    Slow,
    #[error("the database cannot be asked")]
    Unavailable(#[source] Arc<sqlx::Error>),
    #[error("the database refused the query")]
    Refused(#[source] Arc<sqlx::Error>),
}

impl LoadError {
    /// Postgres is away, as opposed to a mistake of ours.
    pub(crate) fn is_outage(&self) -> bool {
        !matches!(self, LoadError::Refused(_))
    }
}

impl From<sqlx::Error> for LoadError {
    fn from(error: sqlx::Error) -> Self {
        if shared::postgres::is_unavailable(&error) {
            LoadError::Unavailable(Arc::new(error))
        } else {
            LoadError::Refused(Arc::new(error))
        }
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        if error.is_outage() { Error::Unavailable(error.into()) } else { Error::Internal(error.into()) }
    }
}

/// A cache by key over loads from Postgres.
pub(crate) struct Fresh<K, V> {
    fresh: Cache<K, V>,
    last: Cache<K, V>,
    /// Whether a value is worth keeping for an outage.
    keeps: fn(&V) -> bool,
    silent_until: Mutex<Option<Instant>>,
}

impl<K, V> Fresh<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(time_to_live: Duration) -> Self {
        Self::keeping(time_to_live, |_| true)
    }

    /// Keeps for an outage only what `keeps` says: not the answers for names that anybody may invent.
    pub(crate) fn keeping(time_to_live: Duration, keeps: fn(&V) -> bool) -> Self {
        Self {
            keeps,
            fresh: Cache::builder().max_capacity(LAST_KNOWN_MAX).time_to_live(time_to_live).build(),
            last: Cache::new(LAST_KNOWN_MAX),
            silent_until: Mutex::new(None),
        }
    }

    /// The value, at most the time to live old; during an outage the last one known.
    pub(crate) async fn get<E: Into<LoadError>>(
        &self,
        key: K,
        load: impl Future<Output = Result<V, E>> + Send,
    ) -> Result<V, LoadError> {
        if self.is_silent() {
            return match self.fresh.get(&key).await.or(self.last.get(&key).await) {
                Some(value) => Ok(value),
                None => Err(LoadError::Slow),
            };
        }
        let bounded = async {
            tokio::time::timeout(Duration::from_millis(LOAD_MS_MAX), load)
                .await
                .map_err(|_| LoadError::Slow)?
                .map_err(Into::into)
        };
        match self.fresh.try_get_with(key.clone(), bounded).await {
            Ok(value) => {
                if (self.keeps)(&value) {
                    self.last.insert(key, value.clone()).await;
                }
                Ok(value)
            }
            Err(error) if error.is_outage() => {
                self.keep_silent();
                self.last.get(&key).await.ok_or_else(|| (*error).clone())
            }
            Err(error) => Err((*error).clone()),
        }
    }

    fn is_silent(&self) -> bool {
        let until = *self.silent_until.lock().expect("no panic while held");
        until.is_some_and(|until| Instant::now() < until)
    }

    fn keep_silent(&self) {
        let until = Instant::now() + Duration::from_millis(RETRY_AFTER_MS);
        *self.silent_until.lock().expect("no panic while held") = Some(until);
    }
}
