//! Waiting for the services to finish what is under way before anybody is judged.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    books::{Database, Provider},
    stack::Whereabouts,
};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(500);

/// The books, ready to be read.
#[derive(Debug)]
pub(super) struct Settled {
    pub database: Database,
    pub provider: Provider,
    pub after: Duration,
}

/// Waits until no booking of the drop is pending and the outbox is done, or `most` has passed; what
/// is left then is for the judge.
///
/// # Errors
/// The books could not be reached all that time.
pub(super) async fn wait(whereabouts: &Whereabouts, drop: &str, most: Duration) -> anyhow::Result<Settled> {
    let began = Instant::now();
    loop {
        let late = began.elapsed() >= most;
        match look(whereabouts, drop).await {
            Ok((unsettled, database, provider)) if unsettled == 0 || late => {
                return Ok(Settled { database, provider, after: began.elapsed() });
            }
            Err(error) if late => return Err(error),
            _ => sleep(PERIOD).await,
        }
    }
}

/// Opens the books anew each time: the stack may have been started again, elsewhere.
async fn look(whereabouts: &Whereabouts, drop: &str) -> anyhow::Result<(i64, Database, Provider)> {
    let stack = whereabouts.find()?;
    let mut database = Database::connect(&stack.database_url).await?;
    let provider = Provider::new(&stack.provider_url, &stack.provider_key)?.with_ledger(stack.provider_ledger);
    let (pending, undone) = database.unsettled(drop).await?;
    Ok((pending + undone, database, provider))
}
