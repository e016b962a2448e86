//! Putting an event on the books: one row, and its tickets in one statement.

use std::collections::BTreeMap;

use jiff::civil;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::layout::{self, Layout};
use super::programme::{self, Programme};
use crate::payments::PAYMENT_MAX;
use crate::purchase::fees::FeeRule;

/// Characters in an event's name.
pub const NAME_CHARS_MAX: usize = 300;
/// Units of a general-admission event.
pub const CAPACITY_MAX: u32 = 500_000;
/// Minor units one ticket may cost: the most the provider takes in one payment.
pub const PRICE_MAX: i64 = PAYMENT_MAX;
/// Fees an event may have.
pub const FEES_MAX: usize = 8;
/// Characters in a fee's name.
pub const FEE_LABEL_CHARS_MAX: usize = 60;
/// The tier of general-admission units when no price names another.
pub const GENERAL_TIER: &str = "general";

#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    pub name: String,
    /// A venue with a slug: seeded, or from `venue import`.
    pub venue_slug: String,
    /// At the venue.
    pub date: civil::Date,
    /// At the venue; `None` while it is not known.
    pub time: Option<civil::Time>,
    /// Tier and minor units. A tier that is not named costs what the layout lists.
    pub prices: Vec<(String, i64)>,
    /// ISO 4217, three capitals.
    pub currency: String,
    /// General admission with so many units; `None` sells the venue's seats.
    pub capacity: Option<u32>,
    /// What is charged on top of the tickets.
    pub fees: Vec<FeeRule>,
    pub programme: Programme,
}

#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("an event's name has 1 to {NAME_CHARS_MAX} characters, none of them control characters")]
    Name,
    #[error(
        "names in a programme have 1 to {} characters, none of them control characters, a description at most {}",
        programme::WORDS_CHARS_MAX,
        programme::DESCRIPTION_CHARS_MAX
    )]
    Programme,
    #[error("{0:?} is not a currency code of three capitals")]
    Currency(String),
    #[error("tickets of tier {tier:?} cost 1 to {PRICE_MAX} minor units, not {price}")]
    Price { tier: String, price: i64 },
    #[error(
        "an event has at most {FEES_MAX} fees of 1 to {PRICE_MAX} minor units, named in 1 to {FEE_LABEL_CHARS_MAX} \
         characters, none of them control characters"
    )]
    Fee,
    #[error("tier {0:?} is priced twice")]
    PricedTwice(String),
    #[error("no price for tier {0:?}")]
    PriceMissing(String),
    #[error("the venue has no tier {tier:?}; it has {}", known.join(", "))]
    TierUnknown { tier: String, known: Vec<String> },
    #[error("general admission has one price, not {0}")]
    GeneralPrices(usize),
    #[error("general admission has 1 to {CAPACITY_MAX} units, not {0}")]
    Capacity(u32),
    #[error("no venue {0:?}")]
    VenueUnknown(String),
    #[error("the venue {0:?} has no seats: give a capacity for general admission")]
    NoLayout(String),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Creates the event and all of its tickets, or nothing.
pub async fn create(pool: &PgPool, event: NewEvent) -> Result<Uuid, CreateError> {
    check(&event)?;
    let mut tx = pool.begin().await?;
    let venue = find_venue(&mut tx, &event.venue_slug)
        .await?
        .ok_or_else(|| CreateError::VenueUnknown(event.venue_slug.clone()))?;
    let event_id = Uuid::now_v7();
    match event.capacity {
        Some(units) => {
            let (tier, price) = general_price(&event.prices)?;
            insert_event(&mut tx, event_id, &event, venue.venue_id, None).await?;
            insert_units(&mut tx, event_id, units, &tier, price).await?;
        }
        None => {
            let hash = venue.layout_hash.ok_or_else(|| CreateError::NoLayout(event.venue_slug.clone()))?;
            let layout = layout::load(pool, &hash).await?.ok_or(sqlx::Error::RowNotFound)?;
            let prices = seat_prices(&layout, &event.prices)?;
            insert_event(&mut tx, event_id, &event, venue.venue_id, Some(&hash)).await?;
            let inserted = insert_seats(&mut tx, event_id, &hash, &prices).await?;
            debug_assert_eq!(inserted, layout.seats.len() as u64);
        }
    }
    insert_fees(&mut tx, event_id, &event.fees).await?;
    programme::insert(&mut tx, event_id, &event.programme).await?;
    tx.commit().await?;
    Ok(event_id)
}

fn is_sound(fee: &FeeRule) -> bool {
    let label = fee.label.trim();
    (1..=PRICE_MAX).contains(&fee.amount)
        && !label.is_empty()
        && label.chars().count() <= FEE_LABEL_CHARS_MAX
        && !label.chars().any(char::is_control)
}

fn check(event: &NewEvent) -> Result<(), CreateError> {
    let chars = event.name.chars().count();
    if event.name.trim().is_empty() || chars > NAME_CHARS_MAX || event.name.chars().any(char::is_control) {
        return Err(CreateError::Name);
    }
    if event.fees.len() > FEES_MAX || !event.fees.iter().all(is_sound) {
        return Err(CreateError::Fee);
    }
    if !event.programme.is_sound() {
        return Err(CreateError::Programme);
    }
    if event.currency.len() != 3 || !event.currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(CreateError::Currency(event.currency.clone()));
    }
    if let Some(units) = event.capacity.filter(|units| !(1..=CAPACITY_MAX).contains(units)) {
        return Err(CreateError::Capacity(units));
    }
    let mut seen = BTreeMap::new();
    for (tier, price) in &event.prices {
        payable(tier, *price)?;
        if seen.insert(tier, price).is_some() {
            return Err(CreateError::PricedTwice(tier.clone()));
        }
    }
    Ok(())
}

/// Free tickets have no payment to wait for, and the provider takes no empty one.
fn payable(tier: &str, price: i64) -> Result<(), CreateError> {
    if (1..=PRICE_MAX).contains(&price) { Ok(()) } else { Err(CreateError::Price { tier: tier.to_owned(), price }) }
}

fn general_price(prices: &[(String, i64)]) -> Result<(String, i64), CreateError> {
    match prices {
        [] => Err(CreateError::PriceMissing(GENERAL_TIER.to_owned())),
        [one] => Ok(one.clone()),
        many => Err(CreateError::GeneralPrices(many.len())),
    }
}

/// What each tier of the layout costs: the event's own price, else the list price.
fn seat_prices(layout: &Layout, prices: &[(String, i64)]) -> Result<BTreeMap<String, i64>, CreateError> {
    let own: BTreeMap<&str, i64> = prices.iter().map(|(tier, price)| (tier.as_str(), *price)).collect();
    if let Some(tier) = own.keys().find(|tier| layout.tiers.iter().all(|known| known.tier != **tier)) {
        let known = layout.tiers.iter().map(|tier| tier.tier.clone()).collect();
        return Err(CreateError::TierUnknown { tier: (*tier).to_owned(), known });
    }
    let price = |tier: &layout::Tier| {
        let price = own.get(tier.tier.as_str()).copied().or(tier.list_price);
        let price = price.ok_or_else(|| CreateError::PriceMissing(tier.tier.clone()))?;
        payable(&tier.tier, price)?;
        Ok((tier.tier.clone(), price))
    };
    layout.tiers.iter().map(price).collect()
}

#[derive(sqlx::FromRow)]
struct VenueRow {
    venue_id: Uuid,
    layout_hash: Option<String>,
}

/// Shared, so that a venue's import waits for this event and touches it too, or this event for the import.
async fn find_venue(tx: &mut Transaction<'_, Postgres>, slug: &str) -> sqlx::Result<Option<VenueRow>> {
    sqlx::query_as("SELECT venue_id, layout_hash FROM venues WHERE slug = $1 FOR SHARE")
        .bind(slug)
        .fetch_optional(&mut **tx)
        .await
}

async fn insert_event(
    tx: &mut Transaction<'_, Postgres>,
    event_id: Uuid,
    event: &NewEvent,
    venue_id: Uuid,
    layout_hash: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO events (event_id, name, date, time, venue_id, currency, layout_hash, description)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(event_id)
    .bind(event.name.trim())
    .bind(event.date.to_sqlx())
    .bind(event.time.map(|time| time.to_sqlx()))
    .bind(venue_id)
    .bind(&event.currency)
    .bind(layout_hash)
    .bind(event.programme.description.trim())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// One ticket for each seat of the layout, in its order.
async fn insert_seats(
    tx: &mut Transaction<'_, Postgres>,
    event_id: Uuid,
    layout_hash: &str,
    prices: &BTreeMap<String, i64>,
) -> sqlx::Result<u64> {
    let (tiers, amounts): (Vec<&str>, Vec<i64>) = prices.iter().map(|(tier, price)| (tier.as_str(), *price)).unzip();
    let inserted = sqlx::query(
        "INSERT INTO tickets (event_id, seat_number, ordinal, tier, zone, price, pool)
         SELECT $1, s.value->>'seat', s.ordinality - 1, s.value->>'tier', s.value->>'zone', p.price,
                CASE s.value->>'access' WHEN 'wheelchair' THEN 'accessible' WHEN 'companion' THEN 'companion'
                                        ELSE 'open' END
         FROM layouts l
         CROSS JOIN LATERAL jsonb_array_elements(l.body::jsonb->'seats') WITH ORDINALITY s
         JOIN UNNEST($2::text[], $3::bigint[]) AS p (tier, price) ON p.tier = s.value->>'tier'
         WHERE l.hash = $4",
    )
    .bind(event_id)
    .bind(tiers)
    .bind(amounts)
    .bind(layout_hash)
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected())
}

async fn insert_fees(tx: &mut Transaction<'_, Postgres>, event_id: Uuid, fees: &[FeeRule]) -> sqlx::Result<()> {
    for (position, fee) in (1_i32..).zip(fees) {
        sqlx::query("INSERT INTO event_fees (event_id, position, label, per, amount) VALUES ($1, $2, $3, $4, $5)")
            .bind(event_id)
            .bind(position)
            .bind(fee.label.trim())
            .bind(fee.per.as_str())
            .bind(fee.amount)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// General-admission units GA-000001, GA-000002, …
async fn insert_units(
    tx: &mut Transaction<'_, Postgres>,
    event_id: Uuid,
    units: u32,
    tier: &str,
    price: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO tickets (event_id, seat_number, ordinal, tier, price)
         SELECT $1, 'GA-' || lpad(n::text, 6, '0'), n - 1, $2, $3 FROM generate_series(1, $4::bigint) AS n",
    )
    .bind(event_id)
    .bind(tier)
    .bind(price)
    .bind(i64::from(units))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let tier = |tier: &str, list_price| layout::Tier { tier: tier.into(), name: tier.into(), list_price };
        Layout { seats: vec![], tiers: vec![tier("front", Some(900)), tier("back", None)], zones: vec![] }
    }

    #[test]
    fn an_event_price_beats_the_list_price() {
        let prices = seat_prices(&layout(), &[("front".into(), 1_000), ("back".into(), 500)]).unwrap();
        assert_eq!(prices, BTreeMap::from([("front".into(), 1_000), ("back".into(), 500)]));
        let prices = seat_prices(&layout(), &[("back".into(), 500)]).unwrap();
        assert_eq!(prices["front"], 900);
    }

    #[test]
    fn what_cannot_be_paid_has_no_price() {
        for price in [-1, 0, PRICE_MAX + 1] {
            let own = seat_prices(&layout(), &[("back".into(), price)]);
            assert!(matches!(own, Err(CreateError::Price { .. })), "{price}");
            let mut listed = layout();
            listed.tiers[0].list_price = Some(price);
            let listed = seat_prices(&listed, &[("back".into(), 500)]);
            assert!(matches!(listed, Err(CreateError::Price { tier, .. }) if tier == "front"), "{price}");
        }
    }

    #[test]
    fn every_tier_needs_a_price_and_every_price_a_tier() {
        assert!(matches!(seat_prices(&layout(), &[]), Err(CreateError::PriceMissing(tier)) if tier == "back"));
        let unknown = seat_prices(&layout(), &[("side".into(), 1)]);
        assert!(matches!(unknown, Err(CreateError::TierUnknown { tier, .. }) if tier == "side"));
        assert!(matches!(general_price(&[]), Err(CreateError::PriceMissing(_))));
        assert!(matches!(general_price(&[("a".into(), 1), ("b".into(), 2)]), Err(CreateError::GeneralPrices(2))));
    }
}
