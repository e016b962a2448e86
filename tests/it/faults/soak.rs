//! One family of faults: a crowd shops while things go wrong, then everything must settle by itself.

use std::time::Duration;

use loadtest::audit::Found;
use tokio::time::Instant;

use super::crowd::{Crowd, Progress, Tally};
use crate::support::buyer::Buyer;
use crate::support::shop::{Shop, Stores};

/// Purchases of a family in `make test`; ONSALE_SOAK_PURCHASES says otherwise.
const PURCHASES: usize = 50;
/// Everything is settled so long after the end of the fault.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);
/// How long a fan tries one thing.
const PATIENCE: Duration = Duration::from_secs(150);

pub(super) struct Soak {
    family: &'static str,
    pub(super) shop: Shop,
    crowd: Crowd,
}

impl Soak {
    /// Two booking processes, and the fans have their accounts.
    pub(super) async fn open(family: &'static str, stores: Stores, settings: &[&str]) -> Self {
        let purchases = purchases();
        // fans want two seats each: some go home without
        let for_sale = purchases * 8 / 5;
        let venue = if for_sale < 2_000 { "carnegie-hall" } else { "stadium" };
        let base = ["booking.hold_s=8", "booking.expiry_cap_s=12", "booking.outbox_lease_s=15"];
        let shop = Shop::open(stores, venue, for_sale, 2, &[&base, settings].concat()).await;
        let buyers = accounts(&shop, purchases).await;
        let crowd = Crowd::new(buyers, shop.seats.clone());
        Self { family, shop, crowd }
    }

    /// Everybody pays in two tabs.
    pub(super) fn in_two_tabs(self) -> Self {
        Self { crowd: self.crowd.in_two_tabs(), ..self }
    }

    /// `fault` goes on beside the crowd, and is over when it returns.
    pub(super) async fn run(mut self, fault: impl AsyncFnOnce(&mut Shop, &Progress)) {
        let began = Instant::now();
        let progress = self.crowd.progress.clone();
        let (tally, ()) = tokio::join!(self.crowd.shop(), fault(&mut self.shop, &progress));
        let took = began.elapsed();
        for part in self.shop.parts() {
            let status = self.shop.status(part);
            assert!(status.is_none(), "{part:?} has ended by itself: {status:?}\n{}", self.shop.logs());
        }
        let audit = self.shop.audit();
        let settled = audit.settle(SETTLED_WITHIN).await.expect("the books can be read");
        let found = audit.judge(&tally.told).await.expect("the books can be read");
        let after = match settled {
            Ok(after) => after,
            Err(left) => panic!("{}: {left:?} is left\n{found}\n{}", self.family, self.shop.logs()),
        };
        println!("{}", row(self.family, &tally, &found, after, took));
        for line in self.shop.failures() {
            println!("{}: {line}", self.family);
        }
        let evidence = || format!("{}: {tally:#?}\n{found}\n{}", self.family, self.shop.logs());
        assert!(found.content, "{}", evidence());
        assert_eq!(found.owed, found.kept, "{}", evidence());
        assert!(tally.lost.is_empty(), "{}", evidence());
        // nothing is proved by a sale at which nobody bought
        assert!(found.completed * 3 >= purchases(), "{}", evidence());
    }
}

pub(super) fn purchases() -> usize {
    let said = std::env::var("ONSALE_SOAK_PURCHASES").ok().filter(|number| !number.is_empty());
    said.map_or(PURCHASES, |number| number.parse().expect("ONSALE_SOAK_PURCHASES is a number"))
}

async fn accounts(shop: &Shop, count: usize) -> Vec<Buyer> {
    let mut buyers = Vec::with_capacity(count + 1);
    while buyers.len() < count {
        // two at once: a password costs a core
        let (one, two) = tokio::join!(Buyer::register(shop, PATIENCE), Buyer::register(shop, PATIENCE));
        buyers.extend([one, two]);
    }
    buyers.truncate(count);
    buyers
}

fn row(family: &str, tally: &Tally, found: &Found, after: Duration, took: Duration) -> String {
    let fans = tally.told.len()
        + tally.left
        + tally.cancelled
        + tally.refused
        + tally.never_paid
        + tally.expired
        + tally.sold_out
        + tally.lost.len();
    format!(
        "| {family} | {fans} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} s | {:.1} s |",
        tally.told.len(),
        tally.left,
        tally.cancelled,
        tally.refused,
        tally.never_paid,
        tally.expired,
        tally.sold_out,
        found.owed,
        found.kept,
        found.broken("one owner"),
        found.broken("settled") + found.broken("nothing open"),
        tally.failures,
        took.as_secs_f64(),
        after.as_secs_f64(),
    )
}
