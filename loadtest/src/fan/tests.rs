//! Fans against the shop in a bottle.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Crowd, Fan,
    fake::{self, Shop},
};
use crate::{
    books::Books,
    http::Target,
    judge::{self, Outcome},
    plan::Plan,
    protocol::State,
    record::{Ending, FanRecord, Kind, Record},
};

fn plan(number: u32, quantity: u32) -> Plan {
    Plan {
        number,
        arrival: Duration::ZERO,
        quantity,
        leaves_at: None,
        chooses_seats: false,
        declined_first: false,
        refreshes: false,
        asks_status: false,
        seed: number.into(),
    }
}

async fn crowd(url: &str) -> Arc<Crowd> {
    Arc::new(Crowd {
        target: Arc::new(Target::resolve(url).await.unwrap()),
        drop: "d".into(),
        events: vec![Uuid::nil()],
        run: "test".into(),
        deadline: Instant::now() + Duration::from_secs(30),
        tallies: <_>::default(),
        layouts: <_>::default(),
    })
}

async fn live(url: &str, plan: Plan) -> FanRecord {
    let mut fan = Fan::new(crowd(url).await, plan);
    fan.register().await.unwrap();
    fan.live(Instant::now()).await
}

#[tokio::test]
async fn a_fan_queues_and_buys_through_every_mishap() {
    let shop = Shop { seats_left: 2, failures: 2, positions: vec![40, 30], ..Shop::default() };
    let (url, shop) = fake::open(shop).await;
    let picky = Plan { declined_first: true, asks_status: true, ..plan(700, 4) };
    let fan = live(&url, picky).await;
    assert_eq!(fan.ending, Ending::Bought);
    let purchase = fan.purchase.as_ref().unwrap();
    assert_eq!(purchase.seats, ["A 0", "A 1"], "fell back to what was left");
    assert_eq!(purchase.total, 200);

    let shop = shop.lock().unwrap();
    assert!(shop.addresses.iter().all(|peer| peer.ip().to_string() == "127.16.3.193"));
    assert_eq!(shop.joins.values().sum::<u32>(), 3, "one join, tried three times");
    assert_eq!(shop.last_event_ids, ["", "1.1.30"], "resumed where the stream broke off");
    assert_eq!(shop.declined, 1);
    let keys: HashSet<&String> = shop.keys[&purchase.booking_id].iter().collect();
    assert_eq!(keys.len(), 2, "another card is another request");

    let states: Vec<State> = fan.heard.iter().map(|heard| heard.state).collect();
    assert_eq!(states.first(), Some(&State::Waiting));
    assert!(
        states.ends_with(&[State::Called, State::Admitted])
            || states.ends_with(&[State::Called, State::Called, State::Admitted]),
        "{states:?}"
    );
    let positions: Vec<u64> = fan.shown.iter().map(|shown| shown.position).collect();
    assert!(positions.starts_with(&[40, 40, 30, 40]), "{positions:?}");
    assert!(fan.claim_accepted_us.is_some() && fan.admitted_at_us().is_some());
    assert_eq!(fan.retries["503"], 2, "join, and the lost answer of the checkout");
    assert!(fan.calls.iter().any(|call| call.kind == Kind::Confirm));

    // this shop forgot what it had shown: 40 after 30, and the judge sees it
    let record = Record { fans: vec![fan], ..Record::default() };
    let verdict = judge::judge(&record, &Books::default());
    let positions = verdict.checks.iter().find(|check| check.name == "positions").unwrap();
    assert_eq!(positions.outcome, Outcome::Broken);
}

#[tokio::test]
async fn a_fan_told_sold_out_gives_the_slot_back() {
    let (url, shop) = fake::open(Shop::default()).await;
    let fan = live(&url, plan(1, 1)).await;
    assert_eq!(fan.ending, Ending::SoldOut);
    assert_eq!(fan.purchase.map(|purchase| purchase.booking_id), None);
    assert_eq!(shop.lock().unwrap().left, 1);
}

#[tokio::test]
async fn a_refresh_is_another_join() {
    let shop = Shop { seats_left: 9, positions: (1..=20).rev().collect(), ..Shop::default() };
    let (url, shop) = fake::open(shop).await;
    let restless = Plan { refreshes: true, ..plan(2, 1) };
    assert_eq!(live(&url, restless).await.ending, Ending::Bought);
    assert_eq!(shop.lock().unwrap().joins.values().sum::<u32>(), 2);
}

#[tokio::test]
async fn leavers_go_silent_while_they_wait_or_when_called() {
    let shop = Shop { positions: vec![100, 60, 50, 40], ..Shop::default() };
    let (url, shop) = fake::open(shop).await;
    let leaver = |share| Plan { leaves_at: Some(share), ..plan(3, 1) };
    let fan = live(&url, leaver(0.5)).await;
    assert_eq!(fan.ending, Ending::WentSilent);
    assert_eq!(fan.shown.last().map(|shown| shown.position), Some(50));
    let fan = live(&url, leaver(0.0)).await;
    assert_eq!(fan.ending, Ending::WentSilent);
    assert_eq!(fan.heard.last().map(|heard| heard.state), Some(State::Called));
    assert_eq!(fan.claim_sent_us, None);
    assert_eq!(shop.lock().unwrap().left, 0, "silent means silent");
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let target = Target::resolve("http://127.0.0.1:1").await.unwrap(); // nobody listens there
    let crowd = Arc::new(Crowd {
        target: Arc::new(target),
        drop: "d".into(),
        events: Vec::new(),
        run: "test".into(),
        deadline: Instant::now() + Duration::from_millis(300),
        tallies: <_>::default(),
        layouts: <_>::default(),
    });
    let fan = Fan::new(crowd.clone(), plan(4, 1)).live(Instant::now()).await;
    assert_eq!(fan.ending, Ending::TimedOut { state: None });
    assert!(fan.retries["connect"] > 0);
    assert_eq!(crowd.tallies.done(), 1);
}
