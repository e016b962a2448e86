//! The judge without an evening: for tests that make their own crowd and their own trouble.

use std::{fmt, path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    books::{Books, Database, Provider},
    judge::{self, Outcome},
    record::{FanRecord, Purchase, Record},
};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(250);

/// Where the books are.
#[derive(Clone, Debug)]
pub struct Audit {
    pub database_url: String,
    pub provider_url: String,
    pub provider_key: String,
    /// The sandbox's file.
    pub provider_ledger: PathBuf,
    pub drop: String,
}

/// What a fan was told it has bought.
#[derive(Clone, Debug)]
pub struct Told {
    pub booking_id: Uuid,
    pub event_id: Uuid,
    pub seats: Vec<String>,
    /// Minor units, and what of.
    pub total: i64,
    pub currency: String,
}

/// What is still under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsettled {
    pub pending_bookings: i64,
    pub undone_jobs: i64,
    /// Intents at the provider that are neither paid nor given up.
    pub open_intents: usize,
}

/// What the judge found.
#[derive(Debug)]
pub struct Found {
    pub content: bool,
    /// Of the drop.
    pub bookings: usize,
    pub completed: usize,
    pub tickets_sold: usize,
    /// Minor units: what the completed bookings cost, and what the provider took and has not given back.
    pub owed: i64,
    pub kept: i64,
    /// Intents the provider knows, and of these the ones it has given money back on.
    pub intents: usize,
    pub refunded: usize,
    checks: Vec<judge::Check>,
}

impl Audit {
    /// What is under way at this moment. The provider is asked last, and only when the database is quiet.
    ///
    /// # Errors
    /// When a book cannot be read.
    pub async fn unsettled(&self) -> anyhow::Result<Unsettled> {
        let mut database = Database::connect(&self.database_url).await?;
        let (pending_bookings, undone_jobs) = database.unsettled(&self.drop).await?;
        let mut unsettled = Unsettled { pending_bookings, undone_jobs, open_intents: 0 };
        if unsettled == Unsettled::default() {
            unsettled.open_intents = self.provider()?.intents().await?.iter().filter(|intent| intent.is_open()).count();
        }
        Ok(unsettled)
    }

    /// Waits until nothing is under way, at most so long; how long it took, or what is left.
    ///
    /// # Errors
    /// When the books could not be read all that time.
    pub async fn settle(&self, most: Duration) -> anyhow::Result<Result<Duration, Unsettled>> {
        let began = Instant::now();
        loop {
            let late = began.elapsed() >= most;
            match self.unsettled().await {
                Ok(unsettled) if unsettled == Unsettled::default() => return Ok(Ok(began.elapsed())),
                Ok(unsettled) if late => return Ok(Err(unsettled)),
                Err(error) if late => return Err(error),
                _ => sleep(PERIOD).await,
            }
        }
    }

    /// Weighs the drop's purchases, once everything has settled.
    ///
    /// # Errors
    /// When a book cannot be read.
    pub async fn judge(&self, told: &[Told]) -> anyhow::Result<Found> {
        let mut database = Database::connect(&self.database_url).await?;
        let books = Books::read(&mut database, &self.provider()?, &self.drop).await?;
        let fans = told.iter().zip(0..).map(|(told, number)| FanRecord {
            number,
            purchase: Some(Purchase {
                booking_id: told.booking_id,
                event_id: told.event_id,
                seats: told.seats.clone(),
                total: told.total,
                currency: told.currency.clone(),
            }),
            ..FanRecord::default()
        });
        let verdict = judge::judge_purchases(&Record { fans: fans.collect(), ..Record::default() }, &books);
        Ok(Found {
            content: verdict.content,
            bookings: books.bookings.values().filter(|booking| booking.drop_id == self.drop).count(),
            completed: books.completed().count(),
            tickets_sold: books.sold(),
            owed: books.completed().map(|booking| booking.total_amount).sum(),
            kept: books.intents_of_drop().map(|intent| intent.amount_received - intent.amount_refunded).sum(),
            intents: books.intents_of_drop().count(),
            refunded: books.intents_of_drop().filter(|intent| intent.amount_refunded > 0).count(),
            checks: verdict.checks,
        })
    }

    fn provider(&self) -> anyhow::Result<Provider> {
        let ledger = Some(self.provider_ledger.clone());
        Ok(Provider::new(&self.provider_url, &self.provider_key)?.with_ledger(ledger))
    }
}

impl Found {
    /// How often the promise of this check was broken.
    pub fn broken(&self, check: &str) -> usize {
        self.checks.iter().filter(|found| found.name == check).map(|found| found.broken).sum()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let outcome = match check.outcome {
                Outcome::Kept => "kept",
                Outcome::Broken => "BROKEN",
                Outcome::Skipped => "skipped",
            };
            writeln!(f, "{outcome:>8}  {:<14} {:>7} looked at", check.name, check.examined)?;
            for evidence in &check.evidence {
                writeln!(f, "          {evidence}")?;
            }
        }
        Ok(())
    }
}
