//! Fans of all habits, some sixteen at a time, who want more seats than there are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadtest::audit::Told;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::buyer::{Answer, Buyer, CARD, DECLINED_CARD, HASTY_CARD, HOLLOW_CARD, SECURE_CARD};

/// Fans who shop at the same time.
const AT_ONCE: usize = 16;
/// Between two looks at a payment that the bank has not decided.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// Looks before a fan goes home without knowing.
const LOOKS_MAX: u32 = 200;

/// What a fan does with a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Pays,
    /// With a card that is declined, then with a good one.
    PaysSecondTime,
    /// With a card whose bank asks.
    PaysSecurely,
    /// In the browser, past the shop, and closes it at once.
    PaysAndLeaves,
    /// In two tabs at the same instant.
    PaysTwice,
    /// With a card that takes the money before the tickets are sold.
    PaysAtOnce,
    /// With a card from which the money cannot be taken after all.
    CannotPay,
    Cancels,
    NeverPays,
}

/// By turns, so that every family sees all of them.
const HABITS: [Habit; 13] = [
    Habit::Pays,
    Habit::PaysSecurely,
    Habit::Pays,
    Habit::Cancels,
    Habit::PaysTwice,
    Habit::Pays,
    Habit::PaysAndLeaves,
    Habit::NeverPays,
    Habit::PaysAtOnce,
    Habit::PaysSecondTime,
    Habit::Pays,
    Habit::CannotPay,
    Habit::Pays,
];

/// How a fan's evening ended.
#[derive(Debug)]
pub(super) enum End {
    Bought(Told),
    /// Paid, and did not stay to hear what came of it.
    Left,
    Cancelled,
    /// The money could not be taken.
    Refused,
    NeverPaid,
    /// Too late: told so.
    Expired,
    SoldOut,
    /// Anything a fan must not meet.
    Lost(String),
}

/// What became of all.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) told: Vec<Told>,
    pub(super) left: usize,
    pub(super) cancelled: usize,
    pub(super) refused: usize,
    pub(super) never_paid: usize,
    pub(super) expired: usize,
    pub(super) sold_out: usize,
    /// Met what no fan may meet.
    pub(super) lost: Vec<String>,
    /// Answers of status 500 on the way.
    pub(super) failures: u32,
}

/// How far the crowd is.
#[derive(Default)]
pub(super) struct Progress {
    done: AtomicUsize,
    total: usize,
    changed: Notify,
}

impl Progress {
    /// Waits until this part of the fans has gone home.
    pub(super) async fn reached(&self, part: f64) {
        loop {
            let changed = self.changed.notified();
            if self.part() >= part {
                return;
            }
            changed.await;
        }
    }

    pub(super) async fn over(&self) {
        self.reached(1.0).await;
    }

    fn part(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let part = self.done.load(Ordering::Relaxed) as f64 / self.total.max(1) as f64;
        part
    }
}

pub(super) struct Crowd {
    buyers: Vec<Buyer>,
    seats: Arc<Vec<String>>,
    pub(super) progress: Arc<Progress>,
    /// Everybody pays in two tabs.
    two_tabs: bool,
}

impl Crowd {
    pub(super) fn new(buyers: Vec<Buyer>, seats: Vec<String>) -> Self {
        let progress = Progress { total: buyers.len(), ..Progress::default() };
        Self { buyers, seats: Arc::new(seats), progress: Arc::new(progress), two_tabs: false }
    }

    pub(super) fn in_two_tabs(self) -> Self {
        Self { two_tabs: true, ..self }
    }

    /// Everybody comes and goes.
    pub(super) async fn shop(self) -> Tally {
        let (slots, tally) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(Mutex::new(Tally::default())));
        let mut shopping = JoinSet::new();
        for (number, buyer) in self.buyers.into_iter().enumerate() {
            let (slots, seats, progress) = (slots.clone(), self.seats.clone(), self.progress.clone());
            let tally = tally.clone();
            let habit = if self.two_tabs { Habit::PaysTwice } else { HABITS[number % HABITS.len()] };
            shopping.spawn(async move {
                let _slot = slots.acquire_owned().await;
                let end = live(&buyer, number, habit, &seats).await;
                tally.lock().expect("not poisoned").add(end, buyer.failures.load(Ordering::Relaxed), habit);
                progress.done.fetch_add(1, Ordering::Relaxed);
                progress.changed.notify_waiters();
            });
        }
        while let Some(fan) = shopping.join_next().await {
            fan.expect("a fan does not panic");
        }
        let mut tally = tally.lock().expect("not poisoned");
        std::mem::take(&mut *tally)
    }
}

impl Tally {
    fn add(&mut self, end: End, failures: u32, habit: Habit) {
        self.failures += failures;
        match end {
            End::Bought(told) => self.told.push(told),
            End::Left => self.left += 1,
            End::Cancelled => self.cancelled += 1,
            End::Refused => self.refused += 1,
            End::NeverPaid => self.never_paid += 1,
            End::Expired => self.expired += 1,
            End::SoldOut => self.sold_out += 1,
            End::Lost(why) => self.lost.push(format!("{habit:?}: {why}")),
        }
    }
}

/// From the wish to the end.
async fn live(buyer: &Buyer, number: usize, habit: Habit, seats: &[String]) -> End {
    let booked = match book(buyer, number, seats).await {
        Ok(booked) => booked,
        Err(end) => return end,
    };
    let Some(booking) = booked.booking_id() else { return End::Lost(format!("checkout: {}", booked.text)) };
    match habit {
        Habit::NeverPays => End::NeverPaid,
        Habit::Cancels => match buyer.cancel(booking).await {
            // 202: written down, and the provider is asked until it answers
            Some(answer) if [200, 202].contains(&answer.status) => End::Cancelled,
            answer => End::Lost(format!("cancel: {answer:?}")),
        },
        Habit::PaysAndLeaves => leave(buyer, &booked).await,
        Habit::PaysTwice => pay_twice(buyer, &booked, booking, number).await,
        Habit::PaysSecondTime => match pay(buyer, booking, DECLINED_CARD).await {
            End::Lost(why) if why.starts_with("declined") => pay(buyer, booking, CARD).await,
            end => end,
        },
        Habit::PaysAtOnce => pay(buyer, booking, HASTY_CARD).await,
        Habit::CannotPay => match pay(buyer, booking, HOLLOW_CARD).await {
            // told "completed" while the provider could not be asked for the money, and by mail that it is not
            End::Bought(_) => End::Refused,
            End::Lost(why) if why.starts_with("declined") => End::Refused,
            end => end,
        },
        Habit::PaysSecurely => pay(buyer, booking, SECURE_CARD).await,
        Habit::Pays => pay(buyer, booking, CARD).await,
    }
}

/// Seats by name first, which neighbours want, too; then whatever is best, fewer and fewer.
async fn book(buyer: &Buyer, number: usize, seats: &[String]) -> Result<Answer, End> {
    let mut quantity = 1 + number % 3;
    let first = number * 5 % seats.len().saturating_sub(3).max(1);
    let mut wish = match number % 2 {
        0 => buyer.named(&seats[first..first + quantity]),
        _ => buyer.best(quantity),
    };
    loop {
        let key = Uuid::new_v4().to_string();
        let Some(answer) = buyer.checkout(&wish, &key).await else {
            return Err(End::Lost("checkout: no answer".to_owned()));
        };
        match (answer.status, answer.slug()) {
            (201, _) => return Ok(answer),
            (409, "seats-taken") if wish["seats"].is_array() => {}
            (409, "seats-taken" | "sold-out") if quantity > 1 => quantity -= 1,
            (409, "seats-taken" | "sold-out") => return Err(End::SoldOut),
            (410, _) => return Err(End::Expired),
            _ => return Err(End::Lost(format!("checkout: {} {}", answer.status, answer.text))),
        }
        wish = buyer.best(quantity);
    }
}

/// Pays by the shop's API and waits for what comes of it.
async fn pay(buyer: &Buyer, booking: Uuid, card: &str) -> End {
    let mut asked = Some(card);
    for _ in 0..LOOKS_MAX {
        let key = Uuid::new_v4().to_string();
        let Some(answer) = buyer.confirm(booking, asked.take(), &key).await else {
            return End::Lost("confirm: no answer".to_owned());
        };
        match (answer.status, answer.slug()) {
            (200, _) => return End::Bought(buyer.told(&answer.body)),
            (202, _) => {
                if let Some(page) = challenge(&answer.body) {
                    buyer.approve(&page).await;
                }
            }
            (402, _) => return End::Lost(format!("declined: {}", answer.text)),
            (410, _) => return End::Expired,
            _ => return End::Lost(format!("confirm: {} {}", answer.status, answer.text)),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    End::Lost("confirm: never decided".to_owned())
}

/// In two tabs at the same instant: both by the shop, or one of them past it.
async fn pay_twice(buyer: &Buyer, booked: &Answer, booking: Uuid, number: usize) -> End {
    let other = buyer.other_tab();
    let second = async {
        match booked.intent() {
            Some((intent, secret)) if number.is_multiple_of(2) => {
                other.pay_at_provider(intent, secret, CARD).await;
                pay_nothing_more(&other, booking).await
            }
            _ => pay(&other, booking, CARD).await,
        }
    };
    let (one, two) = tokio::join!(pay(buyer, booking, CARD), second);
    match (one, two) {
        // both tabs say the same, or one of them has not heard
        (End::Bought(told), End::Bought(_) | End::Expired | End::Lost(_)) => End::Bought(told),
        (_, two) => two,
    }
}

/// The tab has paid at the provider and says so.
async fn pay_nothing_more(buyer: &Buyer, booking: Uuid) -> End {
    let Some(answer) = buyer.confirm(booking, None, &Uuid::new_v4().to_string()).await else {
        return End::Lost("confirm: no answer".to_owned());
    };
    match answer.status {
        200 => End::Bought(buyer.told(&answer.body)),
        410 => End::Expired,
        _ => End::Lost(format!("confirm: {} {}", answer.status, answer.text)),
    }
}

/// The intent whose bank asks.
fn challenge(pending: &Value) -> Option<String> {
    let url = pending["next_action"]["redirect_to_url"]["url"].as_str()?;
    Some(url.rsplit('/').next()?.split('?').next()?.to_owned())
}

async fn leave(buyer: &Buyer, booked: &Answer) -> End {
    let Some((intent, secret)) = booked.intent() else { return End::Lost(format!("no intent in {}", booked.text)) };
    match buyer.pay_at_provider(intent, secret, CARD).await {
        Some(answer) if answer.status == 200 => End::Left,
        // given up meanwhile
        Some(answer) if answer.status == 400 => End::Expired,
        answer => End::Lost(format!("at the provider: {answer:?}")),
    }
}
