//! One row of the table: to the point, past the restart, to the end, and before the judge.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use loadtest::audit::Told;
use tokio::time::Instant;

use super::found;
use super::path::{End, Path, REACHED_WITHIN, Walk};
use crate::support::buyer::Buyer;
use crate::support::shop::{Part, Shop, Stores};

/// Everything is settled so long after the restart.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);
/// How long a fan tries one thing.
const PATIENCE: Duration = Duration::from_secs(40);
/// Seats of a case: a fan's two.
const SEATS: usize = 2;
const SIGABRT: i32 = 6;

pub(super) struct Case {
    pub(super) number: usize,
    pub(super) point: &'static str,
    pub(super) path: Path,
    pub(super) end: End,
}

impl Case {
    fn armed(&self) -> String {
        // the first webhook of all says that the intent was made
        let passes = if self.point == "webhook.heard" { "1*off->" } else { "" };
        format!("{}={passes}return", self.point)
    }

    /// What the books must say at the restart, so that the order of the steps is what the protocol says.
    fn must_be_found(&self) -> &'static str {
        match self.point {
            "checkout.chosen" | "reserve.locked" | "reserve.deciding" => "no booking",
            // the attempt is written down before the provider is called
            "reserve.committed" | "checkout.reserved" | "intent.asked" => "attempt creating; provider: no intent",
            // money is taken after the sale is committed, and tickets leave after that
            "confirm.authorised" | "settle.fetched" | "sell.deciding" => "pending; claims held",
            "sell.committed" | "capture.asked" => "completed; claims sold; attempt won; provider: requires capture",
            "mail.sent" => "completed, money taken",
            // the provider gives the intent up before the seats are free
            "expiry.cancelled" | "release.deciding" => "pending; claims held; attempt void; provider: canceled",
            "release.committed" => "provider: canceled",
            "regain.deciding" => "cancelled (expired)",
            "refund.decided" => "completed, money taken; claims sold",
            _ => "",
        }
    }
}

#[derive(Clone)]
pub(super) struct Row {
    pub(super) number: usize,
    pub(super) line: String,
    pub(super) failure: Option<String>,
}

/// A shop that outlives its booking process.
pub(super) struct Stage {
    shop: Shop,
    /// Of all cases so far.
    told: Vec<Told>,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let settings = ["booking.outbox_lease_s=4"];
        let shop = Shop::open(Stores::own().await, "carnegie-hall", 200, 1, &settings).await;
        Self { shop, told: Vec::new() }
    }

    pub(super) async fn play(&mut self, case: &Case) -> Row {
        let (mut found, mut ended, mut after) = (String::from("?"), String::from("?"), Duration::ZERO);
        let outcome = self.acts(case, &mut found, &mut ended, &mut after).await;
        let Case { number, point, path, .. } = case;
        let ended = if outcome.is_ok() { ended } else { format!("FAILED: {ended}") };
        let line = format!("| `{point}` | {} | {found} | {ended} | {:.1} s |", path.name(), after.as_secs_f64());
        eprintln!("{line}");
        let failure = outcome.err().map(|why| format!("{point}, {}: {why}\n{}", path.name(), self.shop.logs()));
        Row { number: *number, line, failure }
    }

    async fn acts(
        &mut self,
        case: &Case,
        found: &mut String,
        ended: &mut String,
        after: &mut Duration,
    ) -> Result<(), String> {
        let (booking, settings) = (Part::Booking(0), case.path.settings());
        let tool_dies = case.path.kills_the_tool(case.point);
        if self.shop.status(booking).is_none() {
            self.shop.kill(booking).await;
        }
        let armed = case.armed();
        self.shop.start_booking(0, settings, Some(armed.as_str()).filter(|_| !tool_dies)).await;
        let buyer = Buyer::register(&self.shop, PATIENCE).await;
        let seats = self.shop.seats[case.number * SEATS..][..SEATS].to_vec();

        let mut walk = Walk::new(buyer, case.path, Some(case.point).filter(|_| tool_dies), &seats);
        walk.before(&self.shop).await?;
        if !tool_dies {
            let status = self.shop.booking(0).ended_within(REACHED_WITHIN).await;
            let status = status.ok_or_else(|| format!("{} was never reached", case.point))?;
            if status.signal() != Some(SIGABRT) {
                return Err(format!("ended by {status}, not at the point"));
            }
        }
        let (made, words) = found::of(&self.shop, walk.buyer.user_id).await;
        *found = words;
        if !found.contains(case.must_be_found()) {
            return Err(format!("found {found:?}, and not {:?}", case.must_be_found()));
        }

        if !tool_dies {
            self.shop.start_booking(0, settings, None).await;
        }
        let began = Instant::now();
        let told = walk.after(&self.shop).await;
        let audit = self.shop.audit();
        let settled = audit.settle(SETTLED_WITHIN).await.map_err(|error| format!("{error:#}"))?;
        *after = began.elapsed();
        let (bookings, words) = found::of(&self.shop, walk.buyer.user_id).await;
        *ended = words;
        let told = told?;
        settled.map_err(|left| format!("{left:?} is left"))?;
        if bookings.len() > 1 || !made.iter().all(|id| bookings.contains(id)) {
            return Err(format!("{made:?} became {bookings:?}"));
        }
        if (case.end == End::Bought) != told.is_some() {
            return Err(format!("{:?} was expected, and the fan was told {told:?}", case.end));
        }
        self.told.extend(told);
        walk.repeats(case.end).await?;
        let verdict = audit.judge(&self.told).await.map_err(|error| format!("{error:#}"))?;
        let equal = verdict.owed == verdict.kept && verdict.completed == self.told.len();
        if verdict.content && equal { Ok(()) } else { Err(format!("the judge:\n{verdict}")) }
    }
}
