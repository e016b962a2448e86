//! Plans that were made when the tables were empty, and are kept when they are not.

use shared::lifecycle::Lifecycle;

use super::*;

const SEATS: usize = 80;
/// Of one index, for each purchase of a ticket: of the booking and of what hangs on it, before and behind the locks.
const READS_MAX: i64 = 8;

#[tokio::test]
async fn plans_of_young_tables_find_a_row_by_its_key() {
    let crowd = Crowd::of(10, 8).await;
    let counter = Counter::open(crowd.pool(), &Lifecycle::new());
    let fans = crowd.fans(SEATS).await;
    let book = async |at: usize| {
        let told = counter.reserve(fans[at].clone(), crowd.these(&[at])).await;
        assert!(reserved(&told), "{told:?}");
    };
    let sell = async |at: usize| {
        let (booking_id, now) = (fans[at].booking_id, crowd.fixture.clock.now());
        let told = counter.sell(booking_id, &format!("pi_{booking_id}"), now).await;
        assert!(matches!(told, Ok(Sold::Now { .. })), "{told:?}");
    };
    book(0).await;
    sell(0).await; // now all plans are made
    for at in 1..SEATS {
        book(at).await;
    }
    for at in 1..SEATS {
        sell(at).await;
    }
    drop(counter);
    // a session tells what it has read when it ends
    let sessions = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'onsale-counter'";
    while count(&crowd.fixture, sessions).await > 0 {
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
    .fetch_all(crowd.pool())
    .await
    .unwrap();
    assert!(read.iter().any(|(index, rows)| index == "bookings_pkey" && *rows >= SEATS as i64), "{read:?}");
    assert!(read.iter().all(|(_, rows)| *rows <= READS_MAX * SEATS as i64), "{read:?}");
}
