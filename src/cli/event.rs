//! `onsale event create`: an event with its tickets.

use booking::catalogue::create::{self, NewEvent};
use clap::{Args, Subcommand};
use jiff::civil::{Date, Time};
use serde_json::json;

use super::Globals;
use super::tool::Target;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// Create an event: every seat of the venue's layout, or --capacity units of general admission
    Create(Create),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[arg(long)]
    name: String,
    /// The venue's slug, e.g. carnegie-hall or stadium
    #[arg(long, value_name = "SLUG")]
    venue: String,
    /// At the venue, e.g. 2027-03-12
    #[arg(long, value_name = "DATE")]
    date: Date,
    /// At the venue, e.g. 19:30
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<Time>,
    /// Price of a tier in minor units, e.g. parquet=12500; may be repeated
    #[arg(long = "price", value_name = "TIER=MINOR", value_parser = price)]
    prices: Vec<(String, i64)>,
    /// ISO 4217
    #[arg(long, default_value = "USD")]
    currency: String,
    /// Units of general admission, instead of seats
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,
}

pub(crate) async fn run(event: Event, globals: &Globals) -> Result<(), Failure> {
    let Event::Create(create) = event;
    let pool = Target::database(globals)?.pool().await?;
    let new = NewEvent {
        name: create.name,
        venue_slug: create.venue,
        date: create.date,
        time: create.time,
        prices: create.prices,
        currency: create.currency,
        capacity: create.capacity,
    };
    let event_id = create::create(&pool, new)
        .await
        .map_err(|error| Failure::refused("event", "The event was not created", error.to_string()))?;
    output::say(globals.json, &json!({ "event_id": event_id }), || event_id.to_string())
}

fn price(text: &str) -> Result<(String, i64), String> {
    let (tier, minor) = text.split_once('=').ok_or("expected TIER=MINOR")?;
    let minor = minor.parse::<i64>().map_err(|_| "MINOR is a whole number of cents or the like".to_owned())?;
    if tier.is_empty() || minor < 0 {
        return Err("expected TIER=MINOR, MINOR from 0".to_owned());
    }
    Ok((tier.to_owned(), minor))
}

/// `19:30` as well as `19:30:00`.
fn time(text: &str) -> Result<Time, String> {
    let text = if text.len() == 5 { format!("{text}:00") } else { text.to_owned() };
    text.parse().map_err(|error: jiff::Error| error.to_string())
}
