//! Finding events: a full-text index in this process, fed from Postgres.
//!
//! The [`index`] holds every event with all that is shown of it, so that searching goes on
//! while Postgres is away. [`follow`] keeps it up to date from a change feed that cannot
//! miss a late commit; [`query`] is the language of `GET /events/search`.

mod cursor;
pub(crate) mod follow;
mod index;
pub(crate) mod query;

use std::{path::Path, sync::Arc};

use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;

use crate::catalogue::events::Event;
pub use follow::Round;
use index::Index;
pub(crate) use query::{Found, Query};

/// A cheap handle on the index.
#[derive(Clone)]
pub struct Search {
    index: Arc<Index>,
    through: watch::Sender<u64>,
}

/// The index failed; Postgres has nothing to do with it.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("{field} {wanted}")]
    Malformed { field: &'static str, wanted: String },
    #[error("the search index failed")]
    Index(#[from] tantivy::TantivyError),
    #[error("the search index holds a document that cannot be read")]
    Document(#[from] serde_json::Error),
    #[error("the search was stopped half-way")]
    Stopped(#[from] tokio::task::JoinError),
}

impl From<SearchError> for crate::error::Error {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Malformed { .. } => Self::Malformed(error.to_string()),
            other => Self::Internal(other.into()),
        }
    }
}

impl Search {
    /// Opens the index under `data_dir`, empty if there is none that can be used.
    /// Fails when another process has it open.
    pub fn open(data_dir: &Path, writer_bytes: usize) -> anyhow::Result<Self> {
        let index = Index::open(&data_dir.join("index"), writer_bytes)?;
        // how far an index from before goes is only believed once Postgres is known to be the same
        Ok(Self { index: Arc::new(index), through: watch::Sender::new(0) })
    }

    /// Changes of all transactions below this id are in the index.
    pub fn through(&self) -> u64 {
        *self.through.borrow()
    }

    /// Indexes all changes that may be read now; the background follower does nothing else.
    pub async fn catch_up(&self, pool: &PgPool) -> anyhow::Result<Round> {
        follow::once(self, pool).await
    }

    /// Waits until changes of all transactions below `xid` are in the index.
    pub async fn reached(&self, xid: u64) {
        // the sender lives in self, so this cannot fail
        let _ = self.through.subscribe().wait_for(|through| *through >= xid).await;
    }

    /// Events in the index.
    pub fn events(&self) -> u64 {
        self.index.searcher().num_docs()
    }

    /// Grows with every change of the index: answers computed before are old.
    pub fn generation(&self) -> u64 {
        self.index.generation()
    }

    /// Runs a query away from the threads that serve connections.
    pub(crate) async fn find(&self, query: Query) -> Result<Found, SearchError> {
        let index = Arc::clone(&self.index);
        tokio::task::spawn_blocking(move || query::run(&index, &query)).await?
    }

    /// The event as the index knows it: what is shown while Postgres is away.
    pub(crate) async fn event(&self, event_id: Uuid) -> Result<Option<Event>, SearchError> {
        let index = Arc::clone(&self.index);
        tokio::task::spawn_blocking(move || index.event(event_id)).await?
    }
}
