//! Accounts for everybody, some at a time: hashing a password is slow on purpose.

use anyhow::anyhow;
use tokio::task::JoinSet;

use crate::fan::Fan;

/// Registers all fans, `at_once` at a time.
///
/// # Errors
/// The first fan the server would not have.
pub(super) async fn make(fans: Vec<Fan>, at_once: usize) -> anyhow::Result<Vec<Fan>> {
    let mut ready = Vec::with_capacity(fans.len());
    let mut busy = JoinSet::new();
    let mut waiting = fans.into_iter();
    loop {
        while busy.len() < at_once
            && let Some(mut fan) = waiting.next()
        {
            busy.spawn(async move { fan.register().await.map(|()| fan) });
        }
        match busy.join_next().await {
            Some(fan) => ready.push(fan?.map_err(|why| anyhow!("no account: {why}"))?),
            None => return Ok(ready),
        }
    }
}
