//! Lines played through in memory, as the release script moves them, to see how often the estimates are right.
//! The same every time: chance comes from a seed, time is counted in tenths of a second.

use std::collections::VecDeque;

use super::{Estimate, Meter, Outcome, Speed, estimate};
use crate::{
    line::{Counts, DropState, Outcomes},
    pace::level,
};

const S: u64 = 1_000_000;
const STEP_US: u64 = S / 10;
const CLAIM_WINDOW_US: u64 = 120 * S;
/// How long a fan who is there takes to claim, in the mean, in seconds.
const REACTION_S: f64 = 4.0;
/// How long an admitted fan shops, in the mean, in seconds.
const SHOPPING_S: f64 = 120.0;

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// Fans drawn from the lobby at the opening, and fans a second who come after it.
    lobby: u64,
    arrivals: f64,
    /// The share of fans who are gone silently when called.
    gone: f64,
    /// The share of those waiting who press "leave" in a second.
    leaving: f64,
    rate_per_minute: u64,
    /// From this second the rate is that.
    change: Option<(u64, u64)>,
    max_active: u64,
    /// Played for so long, in seconds.
    lasts: u64,
    /// Only fans who came from this second on are judged.
    judged_from: u64,
}

const STEADY: Case = Case {
    name: "all come",
    lobby: 3_000,
    arrivals: 10.0,
    gone: 0.0,
    leaving: 0.0,
    rate_per_minute: 600,
    change: None,
    max_active: 1_000_000,
    lasts: 1_800,
    judged_from: 300,
};

struct Fan {
    gone: bool,
    /// When the first interval was shown, and which.
    shown: Option<(u64, Estimate)>,
    came: u64,
}

/// xorshift64*, as in Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut count, mut sum) = (0, self.exponential(1.0));
        while sum < mean {
            count += 1;
            sum += self.exponential(1.0);
        }
        count
    }
}

/// What a line is made of; counts and meanings are those of the release script.
struct Played {
    case: Case,
    dice: Dice,
    now: u64,
    waiting: VecDeque<Fan>,
    /// When each was called, and when it claims.
    called: Vec<(u64, Option<u64>)>,
    active: Vec<u64>,
    tokens: f64,
    counts: Counts,
    rate_per_minute: u64,
    busy: f64,
    outcomes: Outcomes,
}

fn play(case: Case) -> Outcomes {
    let mut played = Played {
        case,
        dice: Dice(0x9E37_79B9_7F4A_7C15),
        now: S,
        waiting: VecDeque::new(),
        called: Vec::new(),
        active: Vec::new(),
        tokens: 0.0,
        counts: Counts::default(),
        rate_per_minute: case.rate_per_minute,
        busy: 1.0,
        outcomes: Outcomes::default(),
    };
    played.come(case.lobby);
    let mut meter = Meter::default();
    let mut speed = Speed::default();
    for step in 0..case.lasts * 10 {
        played.now += STEP_US;
        if step % 10 == 0 {
            played.second(step / 10);
            speed = meter.measure(&played.drop(), &played.counts);
            played.show(speed);
        }
        played.release();
    }
    assert!(speed.calls_per_second > 0.0);
    played.outcomes
}

impl Played {
    fn drop(&self) -> DropState {
        let rate_per_minute = self.rate_per_minute;
        DropState { now: self.now, epoch: 1, opens_at: Some(S), rate_per_minute, ..DropState::default() }
    }

    fn come(&mut self, fans: u64) {
        for _ in 0..fans {
            let gone = self.dice.share() < self.case.gone;
            self.waiting.push_back(Fan { gone, shown: None, came: self.now / S });
        }
        self.counts.waiting = self.waiting.len() as u64;
    }

    /// What happens once a second: fans come in waves, some leave, the operator turns the rate.
    fn second(&mut self, second: u64) {
        if second.is_multiple_of(20) {
            self.busy = 2.0 * self.dice.share();
        }
        let coming = self.dice.poisson(self.case.arrivals * self.busy);
        self.come(coming);
        if self.case.leaving > 0.0 {
            let before = self.waiting.len();
            let (dice, leaving) = (&mut self.dice, self.case.leaving);
            self.waiting.retain(|fan| fan.gone || dice.share() >= leaving);
            self.counts.leaves_total += (before - self.waiting.len()) as u64;
        }
        if let Some((_, rate)) = self.case.change.filter(|&(at, _)| at == second) {
            self.rate_per_minute = rate;
        }
        self.counts.waiting = self.waiting.len() as u64;
    }

    /// Those who came since the last look read their first interval.
    fn show(&mut self, speed: Speed) {
        let unseen = self.waiting.iter_mut().enumerate().rev().take_while(|(_, fan)| fan.shown.is_none());
        for (ahead, fan) in unseen {
            fan.shown = estimate(ahead as u64, speed, self.rate_per_minute).map(|shown| (self.now, shown));
        }
    }

    fn release(&mut self) {
        let now = self.now;
        let lapsed = self.called.extract_if(.., |&mut (at, _)| at + CLAIM_WINDOW_US <= now).count() as u64;
        let claimed = self.called.extract_if(.., |&mut (_, claims_at)| claims_at.is_some_and(|at| at <= now)).count();
        self.counts.no_shows += lapsed;
        self.counts.shows += claimed as u64;
        self.counts.claims += claimed as u64;
        if self.counts.shows + self.counts.no_shows > 400 {
            self.counts.shows /= 2;
            self.counts.no_shows /= 2;
        }
        self.active.retain(|&leaves| leaves > now);
        self.grant();
        self.call();
    }

    fn grant(&mut self) {
        let rate = self.rate_per_minute as f64 / 60.0;
        self.tokens = (self.tokens + rate * STEP_US as f64 / 1e6).min((rate * 0.25).max(1.0));
        let room = self.case.max_active.saturating_sub(self.active.len() as u64);
        let granted = (self.tokens as u64).min(self.counts.claims).min(room);
        self.tokens -= granted as f64;
        self.counts.claims -= granted;
        for _ in 0..granted {
            let shops = self.dice.exponential(SHOPPING_S);
            self.active.push(self.now + (shops * 1e6) as u64);
        }
    }

    fn call(&mut self) {
        let level = level(self.rate_per_minute, (REACTION_S * 1e6) as u64);
        let coming = self.counts.coming();
        let recent = self.called.iter().filter(|&&(at, _)| at + level.reaction_us > self.now).count();
        let expected = self.counts.claims as f64 + coming * recent as f64;
        let room = self.case.max_active.saturating_sub(self.active.len() as u64);
        let wanted = level.expected_claims.min(room + level.when_full) as f64;
        let calls = ((wanted - expected) / coming).ceil().max(0.0) as usize;
        for fan in self.waiting.drain(..calls.min(self.waiting.len())) {
            let claims_at = (!fan.gone).then(|| self.now + (self.dice.exponential(REACTION_S) * 1e6) as u64);
            self.called.push((self.now, claims_at));
            self.counts.called_total += 1;
            if let Some((shown_at, shown)) = fan.shown.filter(|_| !fan.gone && fan.came >= self.case.judged_from) {
                match shown.outcome((self.now - shown_at) / S) {
                    Outcome::Early => self.outcomes.early += 1,
                    Outcome::Right => self.outcomes.right += 1,
                    Outcome::Late => self.outcomes.late += 1,
                }
            }
        }
        self.counts.waiting = self.waiting.len() as u64;
    }
}

#[test]
fn in_steady_lines_about_half_come_early_and_few_late() {
    let slow = Case { rate_per_minute: 60, lobby: 100, arrivals: 1.0, lasts: 3_600, ..STEADY };
    let cases = [
        STEADY,
        Case { name: "30 % gone", gone: 0.3, arrivals: 14.0, ..STEADY },
        Case { name: "60 % gone", gone: 0.6, arrivals: 25.0, ..STEADY },
        Case { name: "slow, all come", ..slow },
        Case { name: "slow, 30 % gone", gone: 0.3, arrivals: 1.4, ..slow },
        Case { name: "slow, 60 % gone", gone: 0.6, arrivals: 2.5, ..slow },
        Case { name: "the house is full", max_active: 600, arrivals: 5.0, ..STEADY },
        Case { name: "1 in 300 leaves a second", leaving: 1.0 / 300.0, arrivals: 20.0, ..STEADY },
    ];
    let told = Case { name: "told at the opening", arrivals: 0.0, judged_from: 0, ..STEADY };
    let opening = [0.0, 0.15, 0.3, 0.6].map(|gone| Case { gone, ..told });
    let changed = [("the rate is halved", 300), ("the rate is doubled", 1_200)].map(|(name, rate)| Case {
        name,
        change: Some((900, rate)),
        ..STEADY
    });
    println!("{:<26} {:>5} {:>7} {:>7} {:>7} {:>6}", "line", "gone", "early", "inside", "late", "fans");
    for case in cases {
        let (early, inside, late) = card(case);
        assert!((20.0..=65.0).contains(&early) && inside >= 35.0 && late <= 15.0, "{}", case.name);
    }
    for case in opening {
        let (_, _, late) = card(case);
        assert!(late <= 15.0, "{}: nobody may be told too little before anything was measured", case.name);
    }
    for case in changed {
        card(case); // nobody can know it beforehand; the table tells what it costs
    }
}

/// Plays it, prints its line of the table, and gives early, inside and late in per cent.
fn card(case: Case) -> (f64, f64, f64) {
    let Outcomes { early, right, late } = play(case);
    let all = early + right + late;
    assert!(all > 1_000, "{}: too few to judge", case.name);
    let [early, right, late] = [early, right, late].map(|fans| fans as f64 / all as f64 * 100.0);
    println!("{:<26} {:>3.0} % {early:>5.1} % {right:>5.1} % {late:>5.1} % {all:>6}", case.name, case.gone * 100.0);
    (early, right, late)
}
