//! When the database refuses one of many, when somebody leaves, when several counters meet.

use super::*;

#[tokio::test]
async fn one_that_the_database_refuses_does_not_cost_the_others_anything() {
    let crowd = Crowd::of(3, 8).await;
    let mut wishes = Vec::new();
    for (at, fan) in crowd.fans(12).await.into_iter().enumerate() {
        wishes.push((fan, crowd.these(&[at])));
    }
    // an account that was deleted since it signed in, and a text that Postgres does not take
    wishes.insert(5, (Arc::new(crowd.stranger()), crowd.these(&[20])));
    let refused = Draft { jti: "\0".to_owned(), ..crowd.fan().await };
    wishes.push((Arc::new(refused), crowd.these(&[21])));
    let mut told = crowd.together(wishes).await;
    let (refused, stranger) = (told.pop().unwrap(), told.remove(5));
    assert!(matches!(refused, Err(Error::Internal(_))), "{refused:?}");
    assert!(matches!(stranger, Err(Error::SessionInvalid)), "{stranger:?}");
    assert!(told.iter().all(reserved), "{told:?}");
    assert_eq!(live_claims(&crowd.fixture).await, 13);
    assert!(crowd.transactions().await > 1, "decided in parts");
}

#[tokio::test]
async fn a_ticket_of_another_event_is_nobodys() {
    let crowd = Crowd::of(1, 8).await;
    let strayed = Draft { event_id: Uuid::now_v7(), ..crowd.fan().await };
    let told = crowd.together(vec![(Arc::new(strayed), crowd.these(&[0]))]).await.pop().unwrap();
    assert!(taken(&told, &[0]), "{told:?}");
    assert_eq!(live_claims(&crowd.fixture).await, 1, "of whoever held up the lane");
}

#[tokio::test]
async fn a_booking_that_got_less_than_decided_is_not_made() {
    let crowd = Crowd::of(3, 8).await;
    // a claim that appears between the look and the writing, as far as the insert can tell
    sqlx::raw_sql(
        "CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF (SELECT ordinal FROM tickets WHERE ticket_id = NEW.ticket_id) = 3 THEN RETURN NULL; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER lost BEFORE INSERT ON claims FOR EACH ROW EXECUTE FUNCTION lost()",
    )
    .execute(crowd.pool())
    .await
    .unwrap();
    let fans = crowd.fans(4).await;
    let wanted = [&[0, 1][..], &[2, 3], &[4, 5], &[6, 7]];
    let wishes = fans.iter().cloned().zip(wanted.map(|seats| crowd.these(seats))).collect();
    let told = crowd.together(wishes).await;
    assert!(matches!(told[1], Err(Error::Crowded)), "{:?}", told[1]);
    assert!([0, 2, 3].iter().all(|fan| reserved(&told[*fan])), "{told:?}");
    assert_eq!(live_claims(&crowd.fixture).await, 7);
    let half: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM bookings WHERE user_id = $1)")
        .bind(fans[1].user_id)
        .fetch_one(crowd.pool())
        .await
        .unwrap();
    assert!(!half);
}

#[tokio::test]
async fn whoever_leaves_tears_nothing() {
    let crowd = Crowd::of(2, 8).await;
    let fans = crowd.fans(3).await;
    let (blocked, first) = crowd.block_lane().await;
    {
        // one leaves before her turn
        let gone = crowd.counter().reserve(fans[0].clone(), crowd.these(&[0]));
        let staying = crowd.counter().reserve(fans[1].clone(), crowd.these(&[0]));
        let mut gone = Box::pin(gone);
        assert!(futures_util::poll!(&mut gone).is_pending());
        // and the one whose batch is under way
        first.abort();
        drop(gone);
        let (told, ()) = tokio::join!(staying, async { blocked.rollback().await.unwrap() });
        assert!(reserved(&told), "{told:?}");
    }
    // the batch that was under way stands, the wish that was not begun does not
    assert_eq!(live_claims(&crowd.fixture).await, 2);
    assert_eq!(crowd.transactions().await, 1);
    assert!(taken(&crowd.counter().reserve(fans[2].clone(), crowd.these(&[15])).await, &[15]));
}

#[tokio::test]
async fn counters_of_several_processes_never_deadlock() {
    const FANS: usize = 240;
    let crowd = Crowd::of(2, 8).await;
    let fans = crowd.fans(FANS).await;
    let pool = PgPool::connect_with((*crowd.pool().connect_options()).clone()).await.unwrap();
    let counters: Vec<Counter> = (0..3).map(|_| Counter::open(&pool, &Lifecycle::new())).collect();
    let asking = fans.iter().enumerate().map(|(at, fan)| {
        // three seats in any order: each locks some that others have
        let first = at * 5 % 16;
        let seats = [first, (first + 1 + at % 7) % 16, (first + 8 + at % 7) % 16];
        counters[at % 3].reserve(fan.clone(), crowd.these(&seats))
    });
    let told = join_all(asking).await;
    assert!(told.iter().all(|told| matches!(told, Ok(Outcome::Reserved(_) | Outcome::Taken(_)))), "{told:?}");
    let won = told.iter().filter(|told| reserved(told)).count();
    assert!(won > 0);
    assert_eq!(count(&crowd.fixture, "SELECT count(*) FROM bookings").await, won as i64);
    drop(counters);
    // sessions that end tell what they met
    let lanes = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'onsale-counter'";
    while count(&crowd.fixture, lanes).await > 0 {
        tokio::task::yield_now().await;
    }
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(count(&crowd.fixture, sql).await, 0);
}

#[tokio::test]
async fn a_second_click_in_another_process_finds_the_first_ones_booking() {
    let crowd = Crowd::of(4, 8).await;
    let other = Counter::open(crowd.pool(), &Lifecycle::new());
    for (at, fan) in crowd.fans(24).await.into_iter().enumerate() {
        let (one, two) = tokio::join!(
            crowd.counter().reserve(fan.clone(), crowd.these(&[at])),
            other.reserve(fan.clone(), crowd.these(&[at])),
        );
        let told = [one, two];
        assert_eq!(told.iter().filter(|told| reserved(told)).count(), 1, "{told:?}");
        assert!(told.iter().any(|told| matches!(told, Ok(Outcome::KeyInUse | Outcome::Taken(_)))), "{told:?}");
    }
    assert_eq!(live_claims(&crowd.fixture).await, 24);
}
