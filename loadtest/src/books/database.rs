//! The first book: Postgres, by SQL of the judge's own.

use anyhow::Context as _;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{BookingRow, ClaimRow, DropRow, OutboxRow, TicketRow};

/// One connection; the judge reads, and never writes.
#[derive(Debug)]
pub(crate) struct Database {
    connection: PgConnection,
}

impl Database {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(url).await.context("cannot connect to the database")?;
        sqlx::query("SET default_transaction_read_only = on")
            .execute(&mut connection)
            .await
            .context("cannot make the database connection read-only")?;
        Ok(Self { connection })
    }

    /// The drop's settings; `None` when there is no such drop.
    pub(crate) async fn drop_row(&mut self, drop: &str) -> sqlx::Result<Option<DropRow>> {
        let row: Option<(String, String, i32, i32)> =
            sqlx::query_as("SELECT drop_id, state, rate_per_minute, claim_window_s FROM drops WHERE drop_id = $1")
                .bind(drop)
                .fetch_optional(&mut self.connection)
                .await?;
        Ok(row.map(|(drop_id, state, rate_per_minute, claim_window_s)| DropRow {
            drop_id,
            state,
            rate_per_minute: rate_per_minute.unsigned_abs(),
            claim_window_s: claim_window_s.unsigned_abs(),
        }))
    }

    pub(crate) async fn events(&mut self, drop: &str) -> sqlx::Result<Vec<Uuid>> {
        sqlx::query_scalar("SELECT event_id FROM drop_events WHERE drop_id = $1 ORDER BY event_id")
            .bind(drop)
            .fetch_all(&mut self.connection)
            .await
    }

    pub(crate) async fn event_names(&mut self, drop: &str) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(
            "SELECT name FROM events JOIN drop_events USING (event_id) WHERE drop_id = $1 ORDER BY date, name",
        )
        .bind(drop)
        .fetch_all(&mut self.connection)
        .await
    }

    pub(crate) async fn tickets(&mut self, drop: &str) -> sqlx::Result<Vec<TicketRow>> {
        sqlx::query_as(
            "SELECT ticket_id, event_id, user_id, booking_id, seat_number, price, status
             FROM tickets JOIN drop_events USING (event_id)
             WHERE drop_id = $1 ORDER BY ticket_id",
        )
        .bind(drop)
        .fetch_all(&mut self.connection)
        .await
    }

    /// The bookings of all drops.
    pub(crate) async fn bookings(&mut self) -> sqlx::Result<Vec<BookingRow>> {
        sqlx::query_as(
            "SELECT booking_id, drop_id, user_id, total_amount, currency::text AS currency,
                    (SELECT coalesce(sum(amount), 0)::bigint FROM booking_fees
                     WHERE booking_fees.booking_id = bookings.booking_id) AS fees,
                    quantity, status, intent_id, captured_at IS NOT NULL AS captured,
                    (extract(epoch FROM completed_at) * 1000000)::bigint AS completed_at_us
             FROM bookings",
        )
        .fetch_all(&mut self.connection)
        .await
    }

    pub(crate) async fn claims(&mut self, drop: &str) -> sqlx::Result<Vec<ClaimRow>> {
        sqlx::query_as(
            "SELECT claims.booking_id, claims.ticket_id, claims.state
             FROM claims JOIN tickets USING (ticket_id) JOIN drop_events USING (event_id)
             WHERE drop_id = $1 ORDER BY ticket_id, claims.booking_id",
        )
        .bind(drop)
        .fetch_all(&mut self.connection)
        .await
    }

    pub(crate) async fn outbox_undone(&mut self) -> sqlx::Result<Vec<OutboxRow>> {
        sqlx::query_as(
            "SELECT outbox_id, kind, attempts, last_error
             FROM outbox WHERE done_at IS NULL ORDER BY outbox_id",
        )
        .fetch_all(&mut self.connection)
        .await
    }

    /// How much is still under way: pending bookings of the drop, and outbox rows not done.
    pub(crate) async fn unsettled(&mut self, drop: &str) -> sqlx::Result<(i64, i64)> {
        sqlx::query_as(
            "SELECT (SELECT count(*) FROM bookings WHERE status = 'pending' AND drop_id = $1),
                    (SELECT count(*) FROM outbox WHERE done_at IS NULL)",
        )
        .bind(drop)
        .fetch_one(&mut self.connection)
        .await
    }

    /// One consistent reading of everything the judge wants: all from one snapshot.
    pub(crate) async fn begin_reading(&mut self) -> sqlx::Result<()> {
        sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut self.connection).await.map(drop)
    }

    pub(crate) async fn end_reading(&mut self) -> sqlx::Result<()> {
        sqlx::query("COMMIT").execute(&mut self.connection).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    /// A drop with one event, two tickets, and a booking of the first.
    const EVENING: &str = "
        INSERT INTO users (user_id, username, password, email, email_index) VALUES
            ('00000000-0000-0000-0000-000000000001', 'u', 'p', '\\x01', '\\x01');
        INSERT INTO venues (venue_id, name) VALUES ('00000000-0000-0000-0000-000000000002', 'hall');
        INSERT INTO events (event_id, name, date, venue_id) VALUES
            ('00000000-0000-0000-0000-000000000003', 'e', '2026-01-01', '00000000-0000-0000-0000-000000000002');
        INSERT INTO drops (drop_id, rate_per_minute, claim_window_s, seed) VALUES ('d', 600, 90, '\\x00');
        INSERT INTO drop_events (event_id, drop_id) VALUES ('00000000-0000-0000-0000-000000000003', 'd');
        INSERT INTO bookings (booking_id, user_id, event_id, drop_id, place, total_amount, currency, quantity,
                              status, phase, expires_at, completed_at, intent_id, captured_at) VALUES
            ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001',
             '00000000-0000-0000-0000-000000000003', 'd', 'p', 5000, 'USD', 1,
             'completed', 'closed', now(), now(), 'pi_1', now()),
            ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000001',
             '00000000-0000-0000-0000-000000000003', 'd', 'q', 5000, 'USD', 1,
             'pending', 'open', now(), NULL, NULL, NULL);
        INSERT INTO booking_fees (booking_id, position, label, amount) VALUES
            ('00000000-0000-0000-0000-000000000004', 0, 'service', 250),
            ('00000000-0000-0000-0000-000000000004', 1, 'order', 100);
        INSERT INTO tickets (event_id, user_id, booking_id, seat_number, ordinal, tier, price, purchase_date, status)
        VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001',
                '00000000-0000-0000-0000-000000000004', 'A 1', 0, 't', 5000, now(), 'purchased'),
               ('00000000-0000-0000-0000-000000000003', NULL, NULL, 'A 2', 1, 't', 5000, NULL, 'available');
        INSERT INTO claims (booking_id, ticket_id, state)
            SELECT '00000000-0000-0000-0000-000000000004', ticket_id, 'sold' FROM tickets WHERE ordinal = 0;
        INSERT INTO outbox (kind, body, done_at) VALUES ('capture', '{}', now()), ('ticket-mail', '{}', NULL);
    ";

    async fn evening(pool: &PgPool) {
        sqlx::raw_sql(EVENING).execute(pool).await.unwrap();
    }

    #[tokio::test]
    async fn every_query_reads_the_migrated_schema() {
        let world = shared::testing::world().await;
        evening(&world.pool).await;
        let mut database = Database::connect(&world.database_url).await.unwrap();

        database.begin_reading().await.unwrap();
        let row = database.drop_row("d").await.unwrap().unwrap();
        assert_eq!((row.state.as_str(), row.rate_per_minute, row.claim_window_s), ("scheduled", 600, 90));
        assert!(database.drop_row("none").await.unwrap().is_none());
        assert_eq!(database.events("d").await.unwrap(), [Uuid::from_u128(3)]);
        let tickets = database.tickets("d").await.unwrap();
        assert_eq!(tickets.len(), 2);
        assert_eq!((tickets[0].booking_id, tickets[0].price), (Some(Uuid::from_u128(4)), 5000));
        let bookings = database.bookings().await.unwrap();
        let completed = bookings.iter().find(|booking| booking.is_completed()).unwrap();
        assert_eq!((completed.intent_id.as_deref(), completed.captured), (Some("pi_1"), true));
        assert_eq!((completed.currency.as_str(), completed.fees), ("USD", 350));
        assert!(completed.completed_at_us.is_some_and(|at| at > 1_700_000_000_000_000), "{completed:?}");
        assert!(bookings.iter().any(|booking| booking.completed_at_us.is_none()));
        assert_eq!(database.event_names("d").await.unwrap(), ["e"]);
        let claims = database.claims("d").await.unwrap();
        assert_eq!((claims.len(), claims[0].state.as_str()), (1, "sold"));
        let undone = database.outbox_undone().await.unwrap();
        assert_eq!((undone.len(), undone[0].kind.as_str()), (1, "ticket-mail"));
        assert_eq!(database.unsettled("d").await.unwrap(), (1, 1));
        database.end_reading().await.unwrap();
    }

    #[tokio::test]
    async fn the_judge_cannot_write() {
        let world = shared::testing::world().await;
        let mut database = Database::connect(&world.database_url).await.unwrap();
        let refused = sqlx::query("DELETE FROM drops").execute(&mut database.connection).await.unwrap_err();
        assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("25006"));
    }
}
