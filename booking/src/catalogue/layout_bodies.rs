//! The bytes of layouts, kept in process: they never change, so nothing expires.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use sqlx::PgPool;

use super::layout;
use crate::error::Error;

/// Bytes of layouts kept in memory; a hall takes 250 KB, a stadium 4 MB.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

pub struct LayoutBodies {
    by_hash: Cache<String, Bytes>,
}

impl LayoutBodies {
    pub fn new() -> Self {
        let weigh = |_: &String, body: &Bytes| u32::try_from(body.len()).unwrap_or(u32::MAX);
        Self { by_hash: Cache::builder().weigher(weigh).max_capacity(BYTES_MAX).build() }
    }

    /// The canonical body; an unknown hash is [`Error::LayoutUnknown`] and is not remembered.
    pub async fn get(&self, pool: &PgPool, hash: &str) -> Result<Bytes, Error> {
        let load = async {
            match layout::body(pool, hash).await {
                Ok(Some(body)) => Ok(Bytes::from(body)),
                Ok(None) => Err(None),
                Err(error) => Err(Some(error)),
            }
        };
        self.by_hash.try_get_with_by_ref(hash, load).await.map_err(|error: Arc<Option<sqlx::Error>>| {
            match error.as_ref() {
                None => Error::LayoutUnknown,
                Some(cause) if shared::postgres::is_unavailable(cause) => {
                    Error::Unavailable(anyhow::anyhow!("{cause}"))
                }
                Some(cause) => Error::Internal(anyhow::anyhow!("{cause}")),
            }
        })
    }
}

impl Default for LayoutBodies {
    fn default() -> Self {
        Self::new()
    }
}
