//! The draw from the closing of its list to its proof, with a relay of the beacon over real HTTP.

mod beacon;
mod losses;

use std::collections::HashMap;

use admission::{
    draw::{Drawer, Outcome, Proof, Relays, Settings, Stage, Verdict, beacon::Chain, drawn_key, order, verify},
    drops::{self, DrawSource, Drop, DropError, NewDrop},
    ids::{DropId, OrderKey, Place},
    line::{Change, Joined, Line, Newcomer, Order, Phase, PlaceState},
    marks::Keeper,
};
use jiff::{SignedDuration, Timestamp};
use shared::{
    clock::Clock,
    testing::{World, world},
};

use crate::api::event;

/// A place that says nothing of when it came.
fn place(n: u64) -> Place {
    let digest = shared::encoding::sha256(&[&n.to_be_bytes()]);
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Place::from_bytes(half)
}

fn newcomer(n: u64) -> Newcomer {
    Newcomer { place: place(n), visitor_hash: [0; 32], receipt: None, account: None }
}

fn in_us(seconds: i64) -> u64 {
    (Clock::system().now() + SignedDuration::from_secs(seconds)).as_microsecond().unsigned_abs()
}

/// A drop whose lobby is open, in a world of its own.
struct Hall {
    world: World,
    line: Line,
    drop: Drop,
    version: u64,
}

async fn hall(source: DrawSource) -> Hall {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let opens_at = Clock::system().now() + SignedDuration::from_hours(1);
    let settings = drops::Settings { opens_at: Some(opens_at), draw_source: source, ..drops::Settings::at_rate(60) };
    let id = DropId::parse("evening").unwrap();
    let new = NewDrop { id, events: vec![event(&world.pool).await], settings };
    let drop = drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    Keeper::new(world.pool.clone(), 0).keep(&line, &drop).await.unwrap();
    Hall { world, line, drop, version: 1_000 }
}

impl Hall {
    async fn join(&self, numbers: std::ops::Range<u64>) -> Vec<Joined> {
        let who: Vec<_> = numbers.map(newcomer).collect();
        let mut joined = Vec::new();
        for some in who.chunks(250) {
            joined.extend(self.line.join(&self.drop.id, some).await.unwrap().1);
        }
        joined
    }

    async fn look(&self, n: u64) -> PlaceState {
        self.line.look(&self.drop.id, &[place(n)]).await.unwrap().1[0]
    }

    /// The line believes these times from now on, in seconds from now.
    async fn times(&mut self, closes_in_s: Option<i64>, opens_in_s: i64) -> (Option<u64>, u64) {
        let times = (closes_in_s.map(in_us), in_us(opens_in_s));
        self.tell(times.0.unwrap_or(0), times.1).await;
        times
    }

    async fn tell(&mut self, closes_at: u64, opens_at: u64) {
        self.version += 1;
        let settings = vec![("lobby_closes_at", closes_at.to_string()), ("opens_at", opens_at.to_string())];
        let order = Order { version: self.version, phase: Phase::Going, settings };
        self.line.apply(&self.drop.id, &order).await.unwrap();
    }

    /// A process that knows nothing yet.
    fn drawer(&self, settings: &Settings) -> Drawer {
        Drawer::new(self.world.pool.clone(), Relays::new(settings).unwrap())
    }

    async fn draw(&self, settings: &Settings) {
        let failed = self.drawer(settings).draw(&self.line, std::slice::from_ref(&self.drop)).await;
        assert!(failed.is_empty(), "{failed:?}");
    }

    async fn proof(&self) -> Proof {
        let watched = self.line.watch(&self.drop.id, None, true).await.unwrap().1;
        serde_json::from_str(&watched.face.draw).unwrap()
    }

    /// What somebody finds who has the proof and the list, and knows the beacon.
    async fn check(&self, chain: &Chain) -> (Proof, Verdict) {
        let proof = self.proof().await;
        let list = self.line.list(&self.drop.id).await.unwrap();
        let verdict = verify(&proof, Some(&list), chain);
        (proof, verdict)
    }

    async fn last_change(&self) -> String {
        self.line.watch(&self.drop.id, None, false).await.unwrap().1.last_change
    }

    async fn changes_since(&self, last: &str) -> Vec<Change> {
        self.line.watch(&self.drop.id, Some(last), false).await.unwrap().1.changes
    }

    /// The whole line, first to last.
    async fn line(&self) -> Vec<(String, u64)> {
        use redis::AsyncCommands as _;
        let key = format!("{}:{{evening}}:waiting", self.world.redis.prefix());
        let line: Vec<(String, f64)> = self.world.redis.clone().zrange_withscores(key, 0, -1).await.unwrap();
        line.into_iter().map(|(place, key)| (place, key as u64)).collect()
    }
}

fn texts(order: &[(Place, OrderKey)]) -> Vec<(String, u64)> {
    order.iter().map(|(place, key)| (place.to_string(), key.0)).collect()
}

fn outcomes(verdict: &Verdict) -> HashMap<&'static str, Outcome> {
    verdict.checks.iter().map(|check| (check.name, check.outcome)).collect()
}

#[tokio::test]
async fn a_draw_by_the_secret_is_announced_closed_drawn_and_checked() {
    let mut hall = hall(DrawSource::Commit).await;
    let settings = Settings::default();
    hall.join(0..2_500).await;
    hall.draw(&settings).await;
    let announced = hall.proof().await;
    assert_eq!((announced.state, announced.secret, announced.seed), (Stage::Announced, None, None));
    assert_eq!(announced.commitment, admission::draw::commitment(&hall.drop.seed).into());
    assert!(verify(&announced, None, &settings.chain).is_good(), "nothing to find fault with yet");

    let (_, opens_at) = hall.times(None, 0).await;
    hall.draw(&settings).await;
    let (proof, verdict) = hall.check(&settings.chain).await;
    assert!(verdict.is_good(), "{:?}", verdict.checks);
    assert_eq!(outcomes(&verdict)["bound to the list"], Outcome::Open, "a secret does not prove that");
    assert_eq!((proof.state, proof.drawn, proof.commitment), (Stage::Drawn, 2_500, announced.commitment));
    assert_eq!(proof.secret, Some(hall.drop.seed.into()));
    let found = verdict.order.unwrap();
    assert_eq!(hall.line().await, texts(&found), "the line stands as the proof says");
    let places: Vec<_> = (0..2_500).map(place).collect();
    let expected = order(&places, |place| drawn_key(opens_at, &hall.drop.seed, place));
    assert_eq!(found, expected);

    let late = hall.join(9_000..9_001).await;
    let Joined::New(PlaceState::Waiting { rank, .. }) = late[0] else { panic!("{late:?}") };
    assert_eq!(rank, 2_500, "who comes later stands behind");
}

#[tokio::test]
async fn who_comes_after_the_list_has_closed_stands_behind_the_draw() {
    let mut hall = hall(DrawSource::Beacon).await;
    hall.join(0..300).await;
    let (_, opens_at) = hall.times(Some(-1), 30).await;
    let late = hall.join(300..305).await;
    for joined in &late {
        let Joined::New(PlaceState::Late { key }) = joined else { panic!("{joined:?}") };
        assert!(key.0 >= opens_at, "behind all drawn keys, which are below the opening");
    }
    assert!(late.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])), "in the order of coming");
    hall.drawer(&Settings::default()).step(&hall.line, &hall.drop).await.unwrap();
    hall.draw(&Settings::default()).await;
    let proof = hall.proof().await;
    assert_eq!((proof.state, proof.entrants.unwrap().count), (Stage::Closed, 300), "they are not on the list");

    // opened by hand before its time: those who came late still stand before who comes now, behind the draw
    hall.times(Some(-1), 0).await;
    let now = hall.join(400..401).await;
    assert!(key(&now[0]) > key(&late[4]));
    let PlaceState::Waiting { rank, .. } = hall.look(300).await else { panic!("waiting") };
    assert_eq!(rank, 300, "behind the whole lobby, drawn or not");
    assert_eq!(hall.look(7).await, PlaceState::Drawing);
}

fn key(joined: &Joined) -> OrderKey {
    match joined {
        Joined::New(place) => place.key().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn neither_opening_nor_source_can_be_changed_once_the_list_has_closed() {
    let hall = hall(DrawSource::Beacon).await;
    let (pool, id) = (&hall.world.pool, &hall.drop.id);
    let opens_at = hall.drop.settings.opens_at.unwrap();
    assert_eq!(hall.drop.lobby_closes_at, Some(opens_at - SignedDuration::from_secs(40)));
    let change = |opens_at: Option<Timestamp>, draw_source| drops::Changes {
        opens_at: opens_at.map(Some),
        draw_source,
        ..drops::Changes::default()
    };
    let set = async |changes: drops::Changes, now| drops::change(pool, &hall.line, id, &changes, now, "cli").await;
    let before = opens_at - SignedDuration::from_secs(41);
    let commit = set(change(None, Some(DrawSource::Commit)), before).await.unwrap();
    assert_eq!(commit.lobby_closes_at, None, "at the opening");
    let beacon = set(change(None, Some(DrawSource::Beacon)), before).await.unwrap();
    let after = opens_at - SignedDuration::from_secs(39);
    assert!(beacon.lobby_closes_at.is_some_and(|at| at < after));
    for refused in
        [change(Some(opens_at + SignedDuration::from_secs(60)), None), change(None, Some(DrawSource::Commit))]
    {
        assert!(matches!(set(refused, after).await, Err(DropError::ListClosed)));
    }
    let renamed = drops::Changes { title: Some("Ada live".to_owned()), ..drops::Changes::default() };
    assert!(set(renamed, after).await.is_ok(), "everything else can");
    let opened = drops::open(pool, &hall.line, id, after, "cli").await.unwrap();
    assert_eq!((opened.settings.opens_at, opened.lobby_closes_at), (Some(after), beacon.lobby_closes_at));
}

#[tokio::test]
async fn a_list_that_is_still_open_closes_with_an_opening_by_hand() {
    let hall = hall(DrawSource::Beacon).await;
    let now = Clock::system().now();
    let opened = drops::open(&hall.world.pool, &hall.line, &hall.drop.id, now, "cli").await.unwrap();
    assert_eq!(opened.lobby_closes_at, None);
    assert_eq!(hall.line.look(&hall.drop.id, &[]).await.unwrap().0.lobby_closes_at, None);
}

#[tokio::test]
async fn a_frozen_list_binds_source_and_times_whatever_the_clock_here_says() {
    let mut hall = hall(DrawSource::Beacon).await;
    let (pool, id) = (hall.world.pool.clone(), hall.drop.id.clone());
    let opens_at = hall.drop.settings.opens_at.unwrap();
    let (closes_at, opens_at_us) = hall.times(Some(-1), 3_600).await;
    hall.draw(&Settings::default()).await;
    assert_eq!(hall.proof().await.state, Stage::Closed);
    // by this clock there is time left
    let before = opens_at - SignedDuration::from_secs(41);
    for refused in [
        drops::Changes { opens_at: Some(Some(opens_at + SignedDuration::from_secs(60))), ..drops::Changes::default() },
        drops::Changes { draw_source: Some(DrawSource::Commit), ..drops::Changes::default() },
    ] {
        let answer = drops::change(&pool, &hall.line, &id, &refused, before, "cli").await;
        assert!(matches!(answer, Err(DropError::ListClosed)), "{answer:?}");
    }
    // and a change that was stored just before the list was frozen comes too late for the line
    hall.tell(0, in_us(7_200)).await;
    let state = hall.line.look(&id, &[]).await.unwrap().0;
    assert_eq!((state.lobby_closes_at, state.opens_at), (closes_at, Some(opens_at_us)));
    let opened = drops::open(&pool, &hall.line, &id, before, "cli").await.unwrap();
    assert_eq!(opened.lobby_closes_at, hall.drop.lobby_closes_at, "the list stays closed");
}

#[tokio::test]
async fn the_round_follows_the_drop_as_it_is_stored_not_as_a_process_remembers_it() {
    let mut hall = hall(DrawSource::Commit).await;
    hall.join(0..3).await;
    hall.times(Some(-1), 3_600).await;
    sqlx::query("UPDATE drops SET draw_source = 'beacon'").execute(&hall.world.pool).await.unwrap();
    hall.draw(&Settings::default()).await;
    let round: Option<i64> = sqlx::query_scalar("SELECT round FROM draws").fetch_one(&hall.world.pool).await.unwrap();
    assert!(round.is_some());
}

#[tokio::test]
async fn an_opening_whose_draw_waits_is_told_once() {
    let mut hall = hall(DrawSource::Beacon).await;
    hall.join(0..10).await;
    let settings = beacon::settings(&[], 600);
    let last = hall.last_change().await;
    hall.times(None, 0).await;
    for _ in 0..2 {
        hall.draw(&settings).await;
    }
    assert_eq!(hall.look(3).await, PlaceState::Drawing);
    let told = hall.changes_since(&last).await;
    assert_eq!(told.iter().filter(|change| **change == Change::Gap).count(), 1, "{told:?}");
}

#[tokio::test]
async fn who_stands_behind_an_empty_lobby_hears_of_the_opening() {
    let mut hall = hall(DrawSource::Beacon).await;
    let (closes_at, _) = hall.times(Some(-1), 30).await;
    hall.join(0..1).await;
    hall.draw(&Settings::default()).await;
    let last = hall.last_change().await;
    hall.tell(closes_at.unwrap(), in_us(0)).await;
    hall.draw(&Settings::default()).await;
    assert!(matches!(hall.look(0).await, PlaceState::Waiting { rank: 0, .. }));
    assert!(hall.changes_since(&last).await.contains(&Change::Gap));
}

#[tokio::test]
async fn a_list_is_shown_whole_or_not_at_all() {
    let hall = hall(DrawSource::Commit).await;
    let list: Vec<u8> = (0..400_000u128).flat_map(u128::to_be_bytes).collect();
    let id = &hall.drop.id;
    let mut show = std::pin::pin!(hall.line.show_list(id, &list));
    loop {
        let look = async { hall.line.list_length(id).await.unwrap() };
        let (shown, length) = tokio::select! {
            biased;
            shown = &mut show => (Some(shown), 0),
            length = look => (None, length),
        };
        if let Some(shown) = shown {
            shown.unwrap();
            break;
        }
        assert!(length == 0 || length == list.len() as u64, "{length}");
    }
    assert!(hall.line.list(id).await.unwrap() == list);
    hall.line.show_list(id, &list).await.unwrap();
    assert_eq!(hall.line.list_length(id).await.unwrap(), list.len() as u64, "twice is once");
}
