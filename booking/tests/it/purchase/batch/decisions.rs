//! Many decisions in one transaction.

use super::*;

type Decided = Result<Sold, Error>;

impl Crowd {
    /// Bookings of one seat each, with an intent each.
    async fn booked(&self, many: usize) -> Vec<Uuid> {
        let mut bookings = Vec::with_capacity(many);
        for (at, fan) in self.fans(many).await.into_iter().enumerate() {
            assert!(reserved(&self.counter().reserve(fan.clone(), self.these(&[at])).await));
            bookings.push(fan.booking_id);
        }
        self.run("UPDATE payment_attempts SET intent_id = 'pi_' || booking_id, status = 'created'").await;
        bookings
    }

    async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(self.pool()).await.expect("it runs");
    }

    async fn sell(&self, booking_id: Uuid) -> Decided {
        self.counter().sell(booking_id, &format!("pi_{booking_id}"), self.fixture.clock.now()).await
    }

    /// In one batch: the lane is held up by the last of the bookings until all have asked.
    async fn sell_together(&self, bookings: &[Uuid], holding_up: Uuid) -> Vec<Decided> {
        let mut blocked = self.pool().begin().await.expect("a transaction");
        sqlx::query("SELECT FROM bookings WHERE booking_id = $1 FOR UPDATE")
            .bind(holding_up)
            .execute(&mut *blocked)
            .await
            .expect("a lock");
        let counter = self.counter().clone();
        let now = self.fixture.clock.now();
        let first = tokio::spawn(async move { counter.sell(holding_up, "pi_first", now).await });
        self.until_waiting().await;
        let deciding = bookings.iter().map(|booking_id| self.sell(*booking_id));
        let (decided, ()) = tokio::join!(join_all(deciding), async { blocked.rollback().await.expect("let go") });
        assert!(matches!(first.await.expect("a task"), Ok(Sold::Now { .. })));
        decided
    }
}

fn sold(decided: &Decided) -> bool {
    matches!(decided, Ok(Sold::Now { .. }))
}

#[tokio::test]
async fn decisions_that_wait_are_made_in_one_transaction_each_on_its_own() {
    let crowd = Crowd::of(3, 8).await;
    let mut bookings = crowd.booked(20).await;
    let first = bookings.pop().unwrap();
    crowd
        .run("UPDATE claims SET state = 'released' WHERE ticket_id = (SELECT ticket_id FROM tickets WHERE ordinal = 2)")
        .await;
    crowd.run("UPDATE tickets SET status = 'cancelled' WHERE ordinal = 5").await;
    assert!(sold(&crowd.sell(bookings[7]).await));
    let twice = bookings[0];
    bookings.push(twice);
    let decided = crowd.sell_together(&bookings, first).await;
    for (at, decided) in decided.iter().enumerate() {
        match at {
            2 | 5 => assert!(matches!(decided, Ok(Sold::Lost)), "{decided:?}"),
            7 | 19 => assert!(matches!(decided, Ok(Sold::Before)), "{decided:?}"),
            _ => assert!(sold(decided), "{at}: {decided:?}"),
        }
    }
    assert_eq!(purchased(&crowd.fixture).await, 18);
    let transactions = "SELECT count(DISTINCT xmin::text) - 2 FROM bookings WHERE status = 'completed'";
    assert_eq!(count(&crowd.fixture, transactions).await, 1);
    assert_eq!(
        count(&crowd.fixture, "SELECT count(*) FROM bookings WHERE status = 'pending'").await,
        2,
        "the lost ones"
    );
    // each is told its own capture job
    for (booking_id, decided) in bookings.iter().zip(&decided) {
        let Ok(Sold::Now { capture }) = decided else { continue };
        let job: Value = sqlx::query_scalar("SELECT body FROM outbox WHERE outbox_id = $1 AND kind = 'capture'")
            .bind(capture)
            .fetch_one(crowd.pool())
            .await
            .unwrap();
        assert_eq!(job, json!({ "booking_id": booking_id, "intent_id": format!("pi_{booking_id}") }));
    }
    assert_eq!(count(&crowd.fixture, "SELECT count(*) FROM redemptions WHERE ended_at IS NULL").await, 2);
    assert_eq!(count(&crowd.fixture, "SELECT count(*) FROM outbox WHERE kind = 'end-place'").await, 18);
}

#[tokio::test]
async fn the_intent_that_won_is_the_only_one_left() {
    let crowd = Crowd::of(1, 4).await;
    let booking_id = crowd.booked(1).await[0];
    for (intent_id, status) in [(Some("pi_loser"), "created"), (None, "creating"), (Some("pi_void"), "void")] {
        sqlx::query("INSERT INTO payment_attempts (attempt_id, booking_id, intent_id, status) VALUES ($1, $2, $3, $4)")
            .bind(Uuid::new_v4())
            .bind(booking_id)
            .bind(intent_id)
            .bind(status)
            .execute(crowd.pool())
            .await
            .unwrap();
    }
    assert!(sold(&crowd.sell(booking_id).await));
    assert_eq!(count(&crowd.fixture, "SELECT count(*) FROM payment_attempts WHERE status = 'won'").await, 1);
    assert_eq!(count(&crowd.fixture, "SELECT count(*) FROM payment_attempts WHERE status = 'void'").await, 3);
    let voided: Vec<Value> =
        sqlx::query_scalar("SELECT body FROM outbox WHERE kind = 'void'").fetch_all(crowd.pool()).await.unwrap();
    assert_eq!(voided, [json!({ "intent_id": "pi_loser" })]);
}

#[tokio::test]
async fn nothing_is_sold_for_money_that_is_being_given_back() {
    let crowd = Crowd::of(1, 4).await;
    let booking_id = crowd.booked(1).await[0];
    let mark = |column: &str| format!("UPDATE payment_attempts SET {column} = now() + interval '1 minute'");
    for column in ["voiding_at", "refunding_at", "undone_at"] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(mark(column))).execute(crowd.pool()).await.unwrap();
        assert!(matches!(crowd.sell(booking_id).await, Ok(Sold::Before)), "{column}");
        crowd.run("UPDATE payment_attempts SET voiding_at = NULL, refunding_at = NULL, undone_at = NULL").await;
    }
    assert!(sold(&crowd.sell(booking_id).await));
}

#[tokio::test]
async fn a_booking_given_up_while_the_provider_was_asked_is_not_sold() {
    let crowd = Crowd::of(1, 4).await;
    let booking_id = crowd.booked(1).await[0];
    crowd.run("UPDATE bookings SET reason = 'given-up'").await;
    assert!(matches!(crowd.sell(booking_id).await, Ok(Sold::Before)));
    assert_eq!(count(&crowd.fixture, "SELECT count(*) FROM tickets WHERE status = 'purchased'").await, 0);
}

#[tokio::test]
async fn a_sale_the_database_refuses_or_cuts_short_costs_the_others_nothing() {
    let crowd = Crowd::of(2, 8).await;
    let mut bookings = crowd.booked(10).await;
    let first = bookings.pop().unwrap();
    crowd
        .run(
            "CREATE FUNCTION moody() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.ordinal = 3 THEN RAISE EXCEPTION 'not this one'; END IF;
                 IF NEW.ordinal = 6 THEN RETURN NULL; END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER moody BEFORE UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION moody()",
        )
        .await;
    let decided = crowd.sell_together(&bookings, first).await;
    for (at, decided) in decided.iter().enumerate() {
        match at {
            3 => assert!(matches!(decided, Err(Error::Internal(_))), "{decided:?}"),
            6 => assert!(matches!(decided, Err(Error::Crowded)), "{decided:?}"),
            _ => assert!(sold(decided), "{at}: {decided:?}"),
        }
    }
    assert_eq!(purchased(&crowd.fixture).await, 8);
    assert_eq!(count(&crowd.fixture, "SELECT count(*) FROM claims WHERE state = 'sold'").await, 8);
    assert_eq!(count(&crowd.fixture, "SELECT count(*) FROM outbox WHERE kind = 'capture'").await, 8);
}
