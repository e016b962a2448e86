//! Plans that were made when the tables were small, and are kept when they are not.

use shared::lifecycle::Lifecycle;

use super::*;

const PURCHASES: usize = 80;
/// Of one index or table, for each purchase of a ticket: the booking and what hangs on it, before and behind the locks.
const READS_MAX: i64 = 8;

#[tokio::test]
async fn plans_of_young_tables_find_a_row_by_its_key() {
    let crowd = Crowd::of(10, 8).await;
    crowd.reads_little("SELECT").await;
}

#[tokio::test]
async fn plans_of_a_small_hall_find_the_seats_of_a_stadium() {
    let crowd = Crowd::of(25, 8).await;
    sqlx::query("ANALYZE tickets").execute(crowd.pool()).await.unwrap();
    let stadium = "INSERT INTO tickets (event_id, seat_number, ordinal, tier, price)
                   SELECT event_id, 'S-' || n, n, tier, price FROM tickets, generate_series(1000, 20000) n
                   WHERE ordinal = 0";
    crowd.reads_little(stadium).await;
}

impl Crowd {
    /// One purchase, for which all plans are made, then `growing`, then the others: how much was read.
    async fn reads_little(&self, growing: &'static str) {
        let counter = Counter::open(self.pool(), &Lifecycle::new());
        let fans = self.fans(PURCHASES).await;
        let book = async |at: usize| {
            let told = counter.reserve(fans[at].clone(), self.these(&[at])).await;
            assert!(reserved(&told), "{told:?}");
        };
        let sell = async |at: usize| {
            let (booking_id, now) = (fans[at].booking_id, self.fixture.clock.now());
            let told = counter.sell(booking_id, &format!("pi_{booking_id}"), now).await;
            assert!(matches!(told, Ok(Sold::Now { .. })), "{told:?}");
        };
        book(0).await;
        sell(0).await;
        sqlx::query(growing).execute(self.pool()).await.unwrap();
        for at in 1..PURCHASES {
            book(at).await;
        }
        for at in 1..PURCHASES {
            sell(at).await;
        }
        drop(counter);
        // a session tells what it has read when it ends
        let sessions = "SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'onsale-counter'";
        while count(&self.fixture, sessions).await > 0 {
            tokio::task::yield_now().await;
        }
        let read: Vec<(String, i64)> = sqlx::query_as(
            "SELECT indexrelname::text, idx_tup_read FROM pg_stat_user_indexes
             WHERE relname IN ('bookings', 'claims', 'redemptions', 'payment_attempts', 'fan_limits', 'idempotency', 'tickets')
             UNION ALL
             SELECT relname::text, seq_tup_read FROM pg_stat_user_tables
             WHERE relname IN ('claims', 'redemptions', 'payment_attempts', 'fan_limits', 'idempotency')
             ORDER BY 2 DESC",
        )
        .fetch_all(self.pool())
        .await
        .unwrap();
        let by_key = |index: &str| read.iter().any(|(name, rows)| name == index && *rows >= PURCHASES as i64);
        assert!(by_key("bookings_pkey") && by_key("tickets_pkey"), "{read:?}");
        assert!(read.iter().all(|(_, rows)| *rows <= READS_MAX * PURCHASES as i64), "{read:?}");
    }
}
