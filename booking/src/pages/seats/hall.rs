//! The hall as the page shows it: prices, zones and rows with what is free of them.

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;

use crate::{
    app::App,
    catalogue::{availability::Availability, details::Details},
    error::Error,
    pages::words,
    purchase::fees::{self, FeeRule, Per},
    seats::{
        plan::{Plan, Zone},
        snapshot::Snapshot,
    },
};

/// Colours there are for tiers (`--tier-0` …).
const COLOURS: usize = 8;

/// All that is read for one page.
pub(super) struct Hall {
    pub(super) snapshot: Arc<Snapshot>,
    /// `None` for general admission.
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) tiers: Vec<Tier>,
    /// What is charged on top.
    fees: Vec<FeeRule>,
    /// Some seats are kept for wheelchairs and for who comes along.
    pub(super) has_kept: bool,
    pub(super) currency: String,
}

/// A price, in the layout's order.
pub(super) struct Tier {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) colour: usize,
    /// Minor units.
    pub(super) amount: i64,
    pub(super) price: String,
    pub(super) left: u64,
}

/// What scripts are told of a price.
#[derive(Serialize)]
struct TierFacts<'a> {
    tier: &'a str,
    name: &'a str,
    amount: i64,
    price: &'a str,
    colour: usize,
}

/// What scripts are told of a fee.
#[derive(Serialize)]
struct FeeFacts {
    per: &'static str,
    amount: i64,
}

/// A price that the fan may not want to go beyond.
pub(super) struct Ceiling {
    /// Minor units.
    pub(super) amount: i64,
    pub(super) price: String,
}

pub(super) struct ZoneLine {
    pub(super) id: String,
    pub(super) name: String,
    /// From, or the only one.
    pub(super) price: String,
    pub(super) colours: Vec<usize>,
    pub(super) left: usize,
    pub(super) is_shown: bool,
}

pub(super) struct RowLine {
    pub(super) name: String,
    /// Where all seats of the row cost the same.
    pub(super) price: Option<String>,
    pub(super) seats: Vec<SeatLine>,
}

pub(super) struct SeatLine {
    pub(super) label: String,
    pub(super) number: u32,
    pub(super) colour: usize,
    /// Where the row has several prices.
    pub(super) price: Option<String>,
    /// For whom it is kept.
    pub(super) kind: Option<&'static str>,
    pub(super) is_free: bool,
    pub(super) is_chosen: bool,
}

impl Hall {
    /// # Errors
    /// `EventUnknown`, `Unavailable`
    pub(super) async fn load(app: &App, details: &Details) -> Result<Self, Error> {
        let event = &details.event;
        let snapshot = app.snapshots.of(&app.pool, event.event_id).await?.ok_or(Error::EventUnknown)?;
        let available = app.availabilities.of(&app.pool, event.event_id).await?;
        let available = available.ok_or_else(|| Error::Unavailable(anyhow::anyhow!("no availability is known")))?;
        let plan = match &snapshot.layout {
            Some(path) => Some(app.plans.of(&app.pool, &app.layouts, path).await?),
            None => None,
        };
        let tiers = tiers(details, &available);
        let fees = fees::rules_of(&app.pool, event.event_id).await?;
        let has_kept = plan.as_ref().is_some_and(|plan| plan.has_kept);
        Ok(Self { snapshot, plan, tiers, fees, has_kept, currency: event.currency.clone() })
    }

    pub(super) fn money(&self, amount: i64) -> String {
        words::money(amount, &self.currency)
    }

    fn tier(&self, id: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.id == id)
    }

    pub(super) fn knows(&self, label: &str) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.ordinal(label).is_some())
    }

    /// Those of the labels whose seats are not free.
    pub(super) fn taken(&self, labels: &[String]) -> Vec<String> {
        let is_taken = |label: &&String| {
            let ordinal = self.plan.as_ref().and_then(|plan| plan.ordinal(label));
            ordinal.is_some_and(|ordinal| !self.snapshot.is_free(ordinal as usize))
        };
        labels.iter().filter(is_taken).cloned().collect()
    }

    /// Below the dearest price, lowest first.
    pub(super) fn ceilings(&self) -> Vec<Ceiling> {
        let mut amounts: Vec<i64> = self.tiers.iter().map(|tier| tier.amount).collect();
        amounts.sort_unstable();
        amounts.dedup();
        amounts.pop();
        amounts.into_iter().map(|amount| Ceiling { amount, price: self.money(amount) }).collect()
    }

    /// `Service fee $2.50 a ticket`
    pub(super) fn fee_words(&self) -> Vec<String> {
        let words = |fee: &FeeRule| {
            let per = match fee.per {
                Per::Ticket => "a ticket",
                Per::Order => "an order",
            };
            format!("{} {} {per}", fee.label, self.money(fee.amount))
        };
        self.fees.iter().map(words).collect()
    }

    /// For scripts.
    pub(super) fn fee_facts(&self) -> String {
        let facts = self.fees.iter().map(|fee| FeeFacts { per: fee.per.as_str(), amount: fee.amount });
        serde_json::to_string(&facts.collect::<Vec<_>>()).unwrap_or_default()
    }

    /// What the chosen seats cost together, with fees, in minor units.
    pub(super) fn total(&self, labels: &[String]) -> i64 {
        let price = |label: &String| {
            let plan = self.plan.as_ref()?;
            Some(self.tier(&plan.seat(plan.ordinal(label)?)?.tier)?.amount)
        };
        let sum = labels.iter().filter_map(price).sum();
        let quantity = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        sum + fees::itemise(&self.fees, quantity, sum).iter().map(|fee| fee.amount).sum::<i64>()
    }

    /// For scripts.
    pub(super) fn tier_facts(&self) -> String {
        let facts = self.tiers.iter().map(|tier| TierFacts {
            tier: &tier.id,
            name: &tier.name,
            amount: tier.amount,
            price: &tier.price,
            colour: tier.colour,
        });
        serde_json::to_string(&facts.collect::<Vec<_>>()).unwrap_or_default()
    }

    /// The zone to list: the one asked for, else where the chosen seats are, else the first with a free seat.
    pub(super) fn zone_to_show(&self, asked: Option<&str>, chosen: &[String]) -> Option<&Zone> {
        let plan = self.plan.as_deref()?;
        let of_seat = |label: &String| {
            let ordinal = plan.ordinal(label)? as usize;
            plan.zones.iter().find(|zone| zone.rows.iter().any(|row| row.seats.contains(&ordinal)))
        };
        let left = self.snapshot.left_by_zone(plan);
        let free = || plan.zones.iter().zip(left).find(|(_, left)| **left > 0).map(|(zone, _)| zone);
        asked
            .and_then(|id| plan.zone(id))
            .or_else(|| of_seat(chosen.first()?))
            .or_else(free)
            .or_else(|| plan.zones.first())
    }

    pub(super) fn zones(&self, shown: Option<&Zone>) -> Vec<ZoneLine> {
        let Some(plan) = &self.plan else { return Vec::new() };
        let line = |(zone, left): (&Zone, &usize)| {
            let tiers: Vec<&Tier> = zone.tiers.iter().filter_map(|tier| self.tier(tier)).collect();
            let lowest = tiers.iter().map(|tier| tier.amount).min().unwrap_or_default();
            let several = tiers.iter().any(|tier| tier.amount != lowest);
            ZoneLine {
                id: zone.id.clone(),
                name: zone.name.clone(),
                price: if several { format!("from {}", self.money(lowest)) } else { self.money(lowest) },
                colours: tiers.iter().map(|tier| tier.colour).collect(),
                left: *left,
                is_shown: shown.is_some_and(|shown| shown.id == zone.id),
            }
        };
        plan.zones.iter().zip(self.snapshot.left_by_zone(plan)).map(line).collect()
    }

    pub(super) fn rows(&self, zone: &Zone, chosen: &[String]) -> Vec<RowLine> {
        let chosen: HashMap<&str, ()> = chosen.iter().map(|label| (label.as_str(), ())).collect();
        zone.rows
            .iter()
            .map(|row| {
                let mut seats: Vec<SeatLine> = row.seats.clone().filter_map(|seat| self.seat(seat, &chosen)).collect();
                let first = seats.first().and_then(|seat| seat.price.clone());
                let same = seats.iter().all(|seat| seat.price == first);
                if same {
                    seats.iter_mut().for_each(|seat| seat.price = None);
                }
                RowLine { name: row.name.clone(), price: first.filter(|_| same), seats }
            })
            .collect()
    }

    fn seat(&self, ordinal: usize, chosen: &HashMap<&str, ()>) -> Option<SeatLine> {
        let seat = self.plan.as_ref()?.seat(u32::try_from(ordinal).ok()?)?;
        let tier = self.tier(&seat.tier);
        let is_free = self.snapshot.is_free(ordinal);
        Some(SeatLine {
            label: seat.seat.clone(),
            number: seat.number,
            colour: tier.map_or(0, |tier| tier.colour),
            price: tier.map(|tier| tier.price.clone()),
            kind: seat.access.map(words::access),
            is_free,
            is_chosen: is_free && chosen.contains_key(seat.seat.as_str()),
        })
    }
}

fn tiers(details: &Details, available: &Availability) -> Vec<Tier> {
    let place = |tier: &str| details.tiers.get(tier).map_or(usize::MAX, |name| name.position);
    let mut tiers: Vec<Tier> = available
        .tiers
        .iter()
        .map(|tier| Tier {
            id: tier.tier.clone(),
            name: details.tiers.get(&tier.tier).map_or_else(|| tier.tier.clone(), |name| name.name.clone()),
            colour: place(&tier.tier),
            amount: tier.price,
            price: words::money(tier.price, &details.event.currency),
            left: tier.available,
        })
        .collect();
    tiers.sort_by_key(|tier| tier.colour); // stable: dearest first where a layout names no order
    for (place, tier) in tiers.iter_mut().enumerate() {
        tier.colour = if tier.colour == usize::MAX { place } else { tier.colour } % COLOURS;
    }
    tiers
}
