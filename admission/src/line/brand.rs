//! The brand of a drop, where waitrooms read it.

use redis::cmd;

use super::{Line, LineError};
use crate::ids::DropId;

impl Line {
    /// Puts the brand (JSON, empty for none) and the logo's content type and content into the drop's face, all
    /// at once; what is absent is empty there.
    pub async fn show_brand(&self, drop: &DropId, brand: &str, logo: Option<(&str, &[u8])>) -> Result<(), LineError> {
        let (content_type, content) = logo.unwrap_or_default();
        let mut command = cmd("HSET");
        command.arg(self.key(drop, "face")).arg("brand").arg(brand);
        command.arg("logo").arg(content).arg("logo_type").arg(content_type);
        command.exec_async(&mut self.redis.clone()).await?;
        Ok(())
    }
}
