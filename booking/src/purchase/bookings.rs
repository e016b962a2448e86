//! The bookings table.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

use super::release::Reason;

/// A fan's order.
#[derive(Clone, Debug, FromRow)]
pub struct Booking {
    pub booking_id: Uuid,
    pub user_id: Uuid,
    pub event_id: Uuid,
    pub drop_id: String,
    /// base64url of the 16 bytes.
    pub place: String,
    /// Minor units.
    pub total_amount: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    pub quantity: i32,
    #[sqlx(try_from = "String")]
    pub status: Status,
    #[sqlx(try_from = "String")]
    pub phase: Phase,
    pub reason: Option<String>,
    expires_at: jiff_sqlx::Timestamp,
    completed_at: Option<jiff_sqlx::Timestamp>,
    captured_at: Option<jiff_sqlx::Timestamp>,
    /// The intent that won.
    pub intent_id: Option<String>,
    /// How often the fan has asked for more time.
    pub extensions: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Completed,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Takes payment attempts.
    Open,
    /// Takes no new one; an authorisation under way may still win.
    Expiring,
    /// Completed or cancelled.
    Closed,
}

impl Booking {
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at.to_jiff()
    }

    pub fn completed_at(&self) -> Option<Timestamp> {
        self.completed_at.map(jiff_sqlx::Timestamp::to_jiff)
    }

    pub fn captured_at(&self) -> Option<Timestamp> {
        self.captured_at.map(jiff_sqlx::Timestamp::to_jiff)
    }

    /// Whether a new payment may begin.
    pub fn is_payable(&self, now: Timestamp) -> bool {
        self.status == Status::Pending && self.phase == Phase::Open && now < self.expires_at()
    }

    /// The fan has given it up; the seats follow when the provider has cancelled.
    pub fn is_given_up(&self) -> bool {
        self.reason.as_deref() == Some(Reason::GivenUp.as_str())
    }

    /// Its time ran out before a payment came.
    pub fn has_expired(&self) -> bool {
        self.status == Status::Cancelled && self.reason.as_deref() == Some(Reason::Expired.as_str())
    }

    /// Its seats went before a payment came: one that comes after all is late.
    pub fn was_too_late(&self) -> bool {
        let lost = self.reason.as_deref() == Some(Reason::PaymentLost.as_str());
        self.has_expired() || (self.status == Status::Cancelled && lost)
    }

    /// The intent paid for it.
    pub fn is_won_by(&self, intent_id: &str) -> bool {
        self.status == Status::Completed && self.intent_id.as_deref() == Some(intent_id)
    }

    /// The fan has the tickets, and we not yet the money.
    pub fn is_unpaid(&self) -> bool {
        self.status == Status::Completed && self.captured_at.is_none()
    }

    /// Money is taken for all tickets of the booking, so all of them must have changed hands.
    pub(crate) fn is_whole(&self, claimed: u64, purchased: u64) -> bool {
        u64::try_from(self.quantity).is_ok_and(|quantity| claimed == quantity && purchased == quantity)
    }

    /// Why it was cancelled, as the fan reads it.
    pub fn why(&self) -> String {
        self.reason.clone().unwrap_or_else(|| "expired".to_owned())
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Completed => "completed",
            Status::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the bookings table says {0:?}")]
pub struct UnknownState(String);

impl TryFrom<String> for Status {
    type Error = UnknownState;

    fn try_from(text: String) -> Result<Self, UnknownState> {
        match text.as_str() {
            "pending" => Ok(Status::Pending),
            "completed" => Ok(Status::Completed),
            "cancelled" => Ok(Status::Cancelled),
            _ => Err(UnknownState(text)),
        }
    }
}

impl TryFrom<String> for Phase {
    type Error = UnknownState;

    fn try_from(text: String) -> Result<Self, UnknownState> {
        match text.as_str() {
            "open" => Ok(Phase::Open),
            "expiring" => Ok(Phase::Expiring),
            "closed" => Ok(Phase::Closed),
            _ => Err(UnknownState(text)),
        }
    }
}

/// What a [`Booking`] is read from, by name: `*` would change its meaning under prepared statements when a migration
/// adds a column, and Postgres refuses those.
macro_rules! columns {
    () => {
        "booking_id, user_id, event_id, drop_id, place, total_amount, currency, quantity, status, phase, reason, \
         expires_at, completed_at, captured_at, intent_id, extensions"
    };
}
pub(crate) use columns;

pub async fn find(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Option<Booking>> {
    sqlx::query_as(concat!("SELECT ", columns!(), " FROM bookings WHERE booking_id = $1"))
        .bind(booking_id)
        .fetch_optional(db)
        .await
}

#[cfg(test)]
impl Booking {
    /// One seat for ten dollars, for tests of decisions.
    pub(super) fn sample(status: Status) -> Booking {
        let then = Timestamp::UNIX_EPOCH.to_sqlx();
        Booking {
            booking_id: Uuid::nil(),
            user_id: Uuid::nil(),
            event_id: Uuid::nil(),
            drop_id: "drop".to_owned(),
            place: String::new(),
            total_amount: 1_000,
            currency: "USD".to_owned(),
            quantity: 1,
            status,
            phase: if status == Status::Pending { Phase::Open } else { Phase::Closed },
            reason: None,
            expires_at: then,
            completed_at: (status == Status::Completed).then_some(then),
            captured_at: None,
            intent_id: (status == Status::Completed).then(|| "pi_won".to_owned()),
            extensions: 0,
        }
    }
}

#[cfg(test)]
impl Booking {
    /// Sold, and the money taken.
    pub(super) fn sample_captured() -> Booking {
        let then = Timestamp::UNIX_EPOCH.to_sqlx();
        Booking { captured_at: Some(then), ..Booking::sample(Status::Completed) }
    }
}

/// Somebody else's booking does not exist.
pub(crate) async fn find_own(
    db: impl PgExecutor<'_>,
    booking_id: Uuid,
    user_id: Uuid,
) -> sqlx::Result<Option<Booking>> {
    sqlx::query_as(concat!("SELECT ", columns!(), " FROM bookings WHERE booking_id = $1 AND user_id = $2"))
        .bind(booking_id)
        .bind(user_id)
        .fetch_optional(db)
        .await
}

/// Nobody else decides about the booking until the transaction ends.
pub(crate) async fn lock(db: impl PgExecutor<'_>, booking_id: Uuid) -> sqlx::Result<Option<Booking>> {
    sqlx::query_as(concat!("SELECT ", columns!(), " FROM bookings WHERE booking_id = $1 FOR UPDATE"))
        .bind(booking_id)
        .fetch_optional(db)
        .await
}

pub(crate) async fn open_of_place(db: impl PgExecutor<'_>, drop_id: &str, place: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("SELECT booking_id FROM bookings WHERE drop_id = $1 AND place = $2 AND status = 'pending'")
        .bind(drop_id)
        .bind(place)
        .fetch_optional(db)
        .await
}

/// From pending or, when the capture was refused, from completed.
pub(crate) async fn cancel(db: impl PgExecutor<'_>, booking_id: Uuid, reason: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE bookings SET status = 'cancelled', phase = 'closed', reason = $2 WHERE booking_id = $1")
        .bind(booking_id)
        .bind(reason)
        .execute(db)
        .await?;
    Ok(())
}

/// False when it was captured before or is not completed.
pub(crate) async fn captured(db: impl PgExecutor<'_>, booking_id: Uuid, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE bookings SET captured_at = $2
         WHERE booking_id = $1 AND status = 'completed' AND captured_at IS NULL",
    )
    .bind(booking_id)
    .bind(now.to_sqlx())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Open bookings whose time is up take no new payment attempt from now on: at most `limit`, the earliest first.
pub(crate) async fn begin_expiring(db: impl PgExecutor<'_>, limit: i64, now: Timestamp) -> sqlx::Result<()> {
    // an array, so that the locks are taken once, whatever the planner makes of it
    sqlx::query(
        "UPDATE bookings SET phase = 'expiring' WHERE booking_id = ANY(ARRAY(
             SELECT booking_id FROM bookings WHERE status = 'pending' AND phase = 'open' AND expires_at <= $1
             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(now.to_sqlx())
    .bind(limit)
    .execute(db)
    .await?;
    Ok(())
}
