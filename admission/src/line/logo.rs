//! A drop's logo, which waitrooms serve.

use redis::AsyncCommands as _;

use super::{Line, LineError};
use crate::ids::DropId;

impl Line {
    /// The logo's bytes and their media type; `None` where the drop has none.
    pub async fn logo(&self, drop: &DropId) -> Result<Option<(Vec<u8>, String)>, LineError> {
        let fields: (Option<Vec<u8>>, Option<String>) =
            self.redis.clone().hmget(self.key(drop, "face"), &["logo", "logo_type"]).await?;
        // empty where there was one
        Ok(fields.0.zip(fields.1).filter(|(bytes, _)| !bytes.is_empty()))
    }
}
