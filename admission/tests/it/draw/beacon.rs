//! Draws by the beacon: rounds of drand's quicknet as they were recorded, served by a relay of our own.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use admission::draw::{
    Outcome, SeedFrom, Settings, Stage,
    beacon::{Chain, Round},
    hexed::Hexed,
    planned_round, seed_of_round, verify,
};
use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};
use serde_json::{Value, json};
use shared::{clock::Clock, testing::serve};

use super::{DrawSource, Hall, hall, in_us, outcomes, texts};

/// Round 123 of quicknet.
const ROUND: u64 = 123;
const SIGNATURE: &str =
    "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92";
/// Round 2 of quicknet: the beacon's, but another one.
const ANOTHER: &str =
    "b6b6a585449b66eb12e875b64fcbab3799861a00e4dbf092d99e969a5eac57dd3f798acf61e705fe4f093db926626807";

/// A relay that answers everything alike, and how often it was asked.
pub(super) struct Relay {
    pub(super) url: String,
    asked: Arc<AtomicUsize>,
}

pub(super) async fn relay(status: u16, answer: Value) -> Relay {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let serve_round = async move |Path((chain, _round)): Path<(String, u64)>| {
        assert_eq!(chain, Chain::default().hash.to_string());
        count.fetch_add(1, Ordering::Relaxed);
        (StatusCode::from_u16(status).unwrap(), Json(answer.clone()))
    };
    let url = serve(Router::new().route("/{chain}/public/{round}", get(serve_round))).await;
    Relay { url, asked }
}

pub(super) async fn good_relay() -> Relay {
    relay(200, json!({ "round": ROUND, "randomness": "of no interest", "signature": SIGNATURE })).await
}

/// Quicknet, but its round 123 comes so many seconds from now.
pub(super) fn settings(relays: &[&Relay], round_in_s: i64) -> Settings {
    let quicknet = Chain::default();
    let now_s = Clock::system().now().as_second();
    let genesis_s = (now_s + round_in_s).unsigned_abs() - (ROUND - 1) * quicknet.period_s;
    Settings { relays: relays.iter().map(|relay| relay.url.clone()).collect(), chain: Chain { genesis_s, ..quicknet } }
}

impl Hall {
    /// As if the list had closed 38 s before round 123, and been shown 2 s later.
    pub(super) async fn shown_for_the_round(&mut self, settings: &Settings, opens_in_s: i64) {
        let round_at = settings.chain.time_of(ROUND);
        self.tell(round_at - 38_000_000, in_us(opens_in_s)).await;
        self.draw(settings).await;
        sqlx::query("UPDATE draws SET frozen_at = $1, round = $2")
            .bind((round_at - 36_000_000).cast_signed())
            .bind(ROUND.cast_signed())
            .execute(&self.world.pool)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_draw_by_the_beacon_is_bound_to_the_list_and_to_the_round() {
    let mut hall = hall(DrawSource::Beacon).await;
    let relay = good_relay().await;
    let settings = settings(&[&relay], -63);
    hall.join(0..1_200).await;
    hall.draw(&settings).await;
    let announced = hall.proof().await;
    let closes_at = announced.lobby_closes_at.unwrap().0;
    let named = announced.beacon.unwrap().round;
    assert_eq!(named, Some(planned_round(&settings.chain, closes_at)), "named before the list closes");

    hall.shown_for_the_round(&settings, 0).await;
    hall.draw(&settings).await;
    let (proof, verdict) = hall.check(&settings.chain).await;
    assert!(verdict.is_good(), "{:?}", verdict.checks);
    assert!(verdict.checks.iter().all(|check| check.outcome == Outcome::Good), "nothing is left open");
    assert_eq!((proof.state, proof.seed_from, proof.secret), (Stage::Drawn, Some(SeedFrom::Round), None));
    let round = Round { round: ROUND, signature: Hexed::parse(SIGNATURE).unwrap() };
    let root = proof.entrants.as_ref().unwrap().root;
    let seed = seed_of_round(&hall.drop.id, root.bytes(), &round.randomness());
    assert_eq!(proof.seed, Some(seed.into()));
    assert_eq!(hall.line().await, texts(&verdict.order.unwrap()));

    // a proof that was bent anywhere does not pass
    let list = hall.line.list(&hall.drop.id).await.unwrap();
    let bad = |bend: &dyn Fn(&mut admission::draw::Proof), check: &str| {
        let mut bent = proof.clone();
        bend(&mut bent);
        let verdict = verify(&bent, Some(&list), &settings.chain);
        assert_eq!(outcomes(&verdict)[check], Outcome::Bad, "{check}: {:?}", verdict.checks);
        assert!(verdict.order.is_none(), "{check}");
    };
    bad(&|proof| proof.entrants.as_mut().unwrap().root = [7; 32].into(), "root");
    bad(&|proof| proof.entrants.as_mut().unwrap().count += 1, "list");
    bad(&|proof| proof.beacon.as_mut().unwrap().round = Some(ROUND + 1), "round");
    bad(&|proof| proof.frozen_at.as_mut().unwrap().0 += 40_000_000, "shown beforehand");
    bad(&|proof| proof.beacon.as_mut().unwrap().signature = Hexed::parse(ANOTHER), "signature");
    bad(&|proof| proof.beacon.as_mut().unwrap().randomness = Some([7; 32].into()), "randomness");
    bad(&|proof| proof.beacon.as_mut().unwrap().genesis_s += 3, "beacon");
    bad(&|proof| proof.seed = Some([7; 32].into()), "seed");
    let mut fewer = list.clone();
    fewer.truncate(list.len() - 16);
    assert_eq!(outcomes(&verify(&proof, Some(&fewer), &settings.chain))["root"], Outcome::Bad);
    assert!(!verify(&proof, Some(&list), &Chain::default()).is_good(), "a chain that the proof brings proves nothing");
}

#[tokio::test]
async fn only_a_good_round_is_used_whoever_brings_it() {
    let mut hall = hall(DrawSource::Beacon).await;
    let forged = format!("{}93", &SIGNATURE[..94]);
    let bad = [
        relay(404, json!({})).await,
        relay(200, json!({ "round": ROUND, "signature": ANOTHER })).await,
        relay(200, json!({ "round": ROUND, "signature": forged })).await,
        relay(200, json!({ "round": 2, "signature": ANOTHER })).await,
        relay(200, json!({ "round": ROUND })).await,
        relay(200, json!({ "round": ROUND, "signature": SIGNATURE, "more": "x".repeat(9_000) })).await,
    ];
    let all: Vec<_> = bad.iter().collect();
    // the round came 20 s ago: too soon for the secret
    let without = settings(&all, -20);
    hall.join(0..10).await;
    hall.shown_for_the_round(&without, 0).await;
    hall.draw(&without).await;
    let proof = hall.proof().await;
    assert_eq!((proof.state, proof.seed), (Stage::Closed, None), "none of these answers is a round");
    assert!(bad.iter().all(|relay| relay.asked.load(Ordering::Relaxed) == 1), "each was asked once");
    let good = good_relay().await;
    let mut all = all;
    all.push(&good);
    hall.draw(&Settings { relays: all.iter().map(|relay| relay.url.clone()).collect(), ..without }).await;
    assert_eq!(hall.proof().await.state, Stage::Drawn);
}

#[tokio::test]
async fn a_round_is_not_taken_before_its_time() {
    let mut hall = hall(DrawSource::Beacon).await;
    let relay = good_relay().await;
    let settings = settings(&[&relay], 30);
    hall.join(0..10).await;
    hall.shown_for_the_round(&settings, 0).await;
    hall.draw(&settings).await;
    let proof = hall.proof().await;
    assert_eq!((proof.state, proof.seed, relay.asked.load(Ordering::Relaxed)), (Stage::Closed, None, 0));
    assert!(hall.line().await.is_empty(), "nobody is moved without a seed");
}

#[tokio::test]
async fn a_list_shown_late_waits_for_a_later_round() {
    let mut hall = hall(DrawSource::Beacon).await;
    let settings = settings(&[], -600);
    hall.join(0..10).await;
    // it should have been shown an hour ago
    let (closes_at, _) = hall.times(Some(-3_600), -3_560).await;
    hall.draw(&settings).await;
    let (proof, verdict) = hall.check(&settings.chain).await;
    let (frozen_at, beacon) = (proof.frozen_at.unwrap().0, proof.beacon.unwrap());
    assert!(beacon.round.unwrap() > planned_round(&settings.chain, closes_at.unwrap()));
    assert!(beacon.round_at.unwrap().0 >= frozen_at + 30_000_000);
    assert!(verdict.is_good(), "{:?}", verdict.checks);
}

#[tokio::test]
async fn without_any_relay_the_secret_takes_over_after_a_minute_and_the_proof_says_so() {
    let mut hall = hall(DrawSource::Beacon).await;
    let dead = relay(503, json!({})).await;
    let settings = settings(&[&dead], -63);
    hall.join(0..40).await;
    hall.shown_for_the_round(&settings, 0).await;
    // a process that comes up so late asks for itself before it believes that
    let mut drawer = hall.drawer(&settings);
    let mut asked = 0;
    while hall.proof().await.state == Stage::Closed {
        assert!(drawer.draw(&hall.line, std::slice::from_ref(&hall.drop)).await.is_empty());
        asked = dead.asked.load(Ordering::Relaxed);
    }
    assert!(asked >= 3, "asked {asked} times");
    let (proof, verdict) = hall.check(&settings.chain).await;
    assert!(verdict.is_good(), "{:?}", verdict.checks);
    assert_eq!(outcomes(&verdict)["bound to the list"], Outcome::Open);
    assert_eq!((proof.state, proof.seed_from), (Stage::Drawn, Some(SeedFrom::Secret)));
    assert_eq!(proof.why.as_deref(), Some("no relay gave round 123 when asked, 60 seconds and more after its time"));
    assert_eq!(proof.secret, Some(hall.drop.seed.into()));
    let mut silent = proof;
    silent.why = None;
    let list = hall.line.list(&hall.drop.id).await.unwrap();
    assert_eq!(outcomes(&verify(&silent, Some(&list), &settings.chain))["fall-back"], Outcome::Bad);
}

#[tokio::test]
async fn a_round_that_is_there_before_the_opening_is_used_at_the_opening() {
    let mut hall = hall(DrawSource::Beacon).await;
    let relay = good_relay().await;
    let settings = settings(&[&relay], -63);
    hall.join(0..10).await;
    hall.shown_for_the_round(&settings, 3_600).await;
    let mut drawer = hall.drawer(&settings);
    let drops = [hall.drop.clone()];
    assert!(drawer.draw(&hall.line, &drops).await.is_empty());
    assert_eq!((hall.proof().await.state, relay.asked.load(Ordering::Relaxed)), (Stage::Closed, 1));
    let closes_at = hall.proof().await.lobby_closes_at.unwrap().0;
    let opens_at = in_us(0);
    hall.tell(closes_at, opens_at).await;
    assert!(drawer.draw(&hall.line, &drops).await.is_empty());
    let proof = hall.proof().await;
    assert_eq!((proof.state, relay.asked.load(Ordering::Relaxed)), (Stage::Drawn, 1), "it was asked for once");
    assert_eq!(proof.opens_at.unwrap().0, opens_at, "keys stand below the opening as it was");
}
