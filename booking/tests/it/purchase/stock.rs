//! What the line is told about tickets left.

use admission::drops::{self, NewDrop};
use admission::ids::DropId;
use booking::purchase::{expiry, stock};
use booking::seats::projection;
use redis::AsyncCommands as _;

use super::*;

#[tokio::test]
async fn a_drop_that_opened_by_itself_sells_out() {
    let fixture = still_with(deaf()).await;
    let event_id = fixture.event(1, 1).await;
    let new = NewDrop {
        id: DropId::parse("by-itself").unwrap(),
        events: vec![event_id],
        settings: drops::Settings { opens_at: Some(fixture.clock.now() - seconds(60)), ..drops::Settings::at_rate(60) },
    };
    drops::create(&fixture.world.pool, &fixture.app.line, &new, "test").await.unwrap();
    let state: String = sqlx::query_scalar("SELECT state FROM drops").fetch_one(&fixture.world.pool).await.unwrap();
    assert_eq!(state, "scheduled", "nobody writes down that it is open");
    let sale = Sale { event_id, drop: new.id };

    stock::do_once(&fixture.app).await.unwrap();
    let (before, _) = fixture.app.line.look(&sale.drop, &[]).await.unwrap();
    assert_eq!(before.word(), "running");
    let buyer = buyer(&fixture, &sale).await;
    let id = booked(&fixture, &buyer, &sale, &["A-1"]).await.booking_id();
    assert_eq!(confirm(&fixture, &buyer.fan, id, Some("pm_card_visa")).await.status, 200);
    stock::do_once(&fixture.app).await.unwrap();
    let (after, _) = fixture.app.line.look(&sale.drop, &[]).await.unwrap();
    assert_eq!(after.word(), "sold_out");

    // its seat hint is kept, too: a wrong mark goes
    let mut redis = fixture.world.redis.clone();
    let taken = format!("{}:{{{event_id}}}:seats:taken", redis.prefix());
    projection::do_once(&fixture.app).await.unwrap();
    let _: bool = redis.setbit(&taken, 0, false).await.unwrap();
    projection::do_once(&fixture.app).await.unwrap();
    assert!(redis.getbit::<_, bool>(&taken, 0).await.unwrap());
}

#[tokio::test]
async fn the_last_hold_covers_the_drop_and_its_lapse_uncovers_it() {
    let fixture = still_with(deaf()).await;
    let sale = fixture.on_sale(1, 2).await;
    let (one, other) = (buyer(&fixture, &sale).await, buyer(&fixture, &sale).await);
    booked(&fixture, &one, &sale, &["A-1"]).await;
    let told = async || {
        stock::do_once(&fixture.app).await.unwrap();
        let (state, _) = fixture.app.line.look(&sale.drop, &[]).await.unwrap();
        (state.covered, state.pause_reason)
    };
    assert_eq!(told().await, (false, String::new()), "one is left");
    booked(&fixture, &other, &sale, &["A-2"]).await;
    assert_eq!(told().await, (true, "covered".to_owned()));
    fixture.clock.advance(seconds(601));
    expiry::do_once(&fixture.app).await.unwrap();
    assert_eq!(told().await, (false, String::new()), "both came back");
}
