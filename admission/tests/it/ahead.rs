//! Calling ahead: no slot stays empty while somebody who is present waits, though most of the line may
//! have gone without a word.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

use admission::{
    line::{EndReason, PlaceState, Released},
    pace,
};
use tokio::time::Instant;

use super::line::{Stage, place, stage};

/// Steps of the release loop come this far apart, as in production.
const STEP: Duration = Duration::from_millis(50);

/// A line of fans, some of them gone, who react when they are called.
struct Crowd {
    stage: Stage,
    rate_per_minute: u64,
    /// Of a hundred.
    gone: u64,
    /// How long an admitted fan stays inside; for good, if `None`.
    stays: Option<Duration>,
    /// What fans do next, soonest first.
    agenda: BinaryHeap<Reverse<(Instant, u128, Deed)>>,
    looked_at: HashMap<u128, bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Claim,
    Leave,
}

/// The same for the same fan in every run: a number below `below`.
fn dice(n: u128, salt: u64, below: u64) -> u64 {
    let mut x = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt.wrapping_mul(0xD1B5_4A32_D192_ED03));
    x ^= x >> 31;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 29)) % below
}

impl Crowd {
    async fn new(rate: u32, fans: u128, gone: u64, fields: &[(&'static str, &str)]) -> Self {
        let stage = stage(rate, fields).await;
        stage.join_many(0..fans).await;
        let (agenda, looked_at) = (BinaryHeap::new(), HashMap::new());
        Self { stage, rate_per_minute: rate.into(), gone, stays: None, agenda, looked_at }
    }

    fn is_gone(&self, n: u128) -> bool {
        dice(n, 1, 100) < self.gone
    }

    /// From 200 ms to 1.4 s, most of them soon.
    fn reaction(n: u128) -> Duration {
        Duration::from_millis(200 + dice(n, 2, 600) + dice(n, 3, 5) / 4 * dice(n, 4, 600))
    }

    /// One step of the loop, and what those whom it called will do. Fans are called in order of their number.
    async fn step(&mut self, called: &mut u128, last: &Released) -> Released {
        let level = pace::level(self.rate_per_minute, last.reaction_us);
        let released = self.stage.line.release(&self.stage.drop, level).await.unwrap().1;
        let now = Instant::now();
        for n in *called..*called + u128::from(released.called) {
            if !self.is_gone(n) {
                self.agenda.push(Reverse((now + Self::reaction(n), n, Deed::Claim)));
            }
        }
        *called += u128::from(released.called);
        released
    }

    /// What fans do until `end`.
    async fn act_until(&mut self, end: Instant) {
        while let Some(&Reverse((at, n, deed))) = self.agenda.peek().filter(|Reverse((at, ..))| *at <= end) {
            tokio::time::sleep_until(at).await;
            self.agenda.pop();
            match deed {
                Deed::Claim => {
                    self.stage.line.claim(&self.stage.drop, place(n)).await.unwrap();
                    self.looked_at.insert(n, false);
                }
                Deed::Leave => {
                    self.stage.line.end_place(&self.stage.drop, place(n), EndReason::Finished).await.unwrap();
                }
            }
        }
        tokio::time::sleep_until(end).await;
        self.note_admitted().await;
    }

    /// Who got in since the last look leaves when they have stayed long enough.
    async fn note_admitted(&mut self) {
        let Some(stays) = self.stays else { return };
        let open: Vec<u128> = self.looked_at.iter().filter(|(_, seen)| !**seen).map(|(&n, _)| n).collect();
        let places: Vec<_> = open.iter().map(|&n| place(n)).collect();
        let (_, states) = self.stage.line.look(&self.stage.drop, &places).await.unwrap();
        let now = Instant::now();
        for (n, state) in open.into_iter().zip(states) {
            if matches!(state, PlaceState::Admitted { .. }) {
                self.looked_at.insert(n, true);
                self.agenda.push(Reverse((now + stays.mul_f64(0.5 + dice(n, 5, 100) as f64 / 100.0), n, Deed::Leave)));
            }
        }
    }
}

/// Admissions granted ÷ those that the bucket allowed while fans waited, after `warm` and over `measured`.
async fn share_of_slots_used(gone: u64, warm: Duration, measured: Duration) -> f64 {
    let mut crowd = Crowd::new(6_000, 8_000, gone, &[]).await;
    let began = Instant::now();
    let (mut called, mut last, mut granted, mut missed_before) = (0, Released::default(), 0, None);
    while began.elapsed() < warm + measured {
        let next = Instant::now() + STEP;
        let granted_before = granted_total(&crowd).await;
        last = crowd.step(&mut called, &last).await;
        crowd.act_until(next).await;
        if began.elapsed() >= warm {
            missed_before.get_or_insert(last.missed_total);
            granted += granted_total(&crowd).await - granted_before;
        }
    }
    let missed = last.missed_total - missed_before.unwrap();
    granted as f64 / (granted + missed) as f64
}

async fn granted_total(crowd: &Crowd) -> u64 {
    crowd.stage.line.watch(&crowd.stage.drop, None, false).await.unwrap().1.counts.granted_total
}

#[tokio::test]
async fn with_a_third_gone_no_slot_stays_empty() {
    let used = share_of_slots_used(30, Duration::from_secs(2), Duration::from_secs(8)).await;
    assert!(used >= 0.99, "{used}");
}

#[tokio::test]
async fn with_most_gone_no_slot_stays_empty() {
    let used = share_of_slots_used(60, Duration::from_secs(2), Duration::from_secs(8)).await;
    assert!(used >= 0.99, "{used}");
}

#[tokio::test]
async fn a_full_house_stays_full_with_most_gone() {
    let mut crowd = Crowd::new(60_000, 12_000, 60, &[("max_active", "200")]).await;
    crowd.stays = Some(Duration::from_secs(2)); // a hundred leave in a second, and as many must be ready
    let began = Instant::now();
    let (mut called, mut last, mut inside, mut looks) = (0, Released::default(), 0, 0);
    while began.elapsed() < Duration::from_secs(14) {
        let next = Instant::now() + STEP;
        last = crowd.step(&mut called, &last).await;
        crowd.act_until(next).await;
        if began.elapsed() >= Duration::from_secs(5) {
            inside += last.active;
            looks += 1;
        }
    }
    let used = inside as f64 / (looks * 200) as f64;
    assert!(used >= 0.99, "{used}");
}
