//! `onsale event create`: an event with its tickets.

use booking::catalogue::create::{self, NewEvent};
use booking::catalogue::programme::{Performer, Programme, Work};
use booking::purchase::fees::{FeeRule, Per};
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
    /// A fee in minor units on top of each ticket, or once an order, e.g. "Service fee=250", "Order fee=300/order"; may
    /// be repeated
    #[arg(long = "fee", value_name = "LABEL=MINOR[/order]", value_parser = fee)]
    fees: Vec<FeeRule>,
    /// ISO 4217
    #[arg(long, default_value = "USD")]
    currency: String,
    /// Units of general admission, instead of seats
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,
    /// What it is; paragraphs stand apart by an empty line
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Who plays, and what, e.g. "Ada Lund=soprano"; may be repeated
    #[arg(long = "performer", value_name = "NAME[=ROLE]")]
    performers: Vec<String>,
    /// An orchestra, choir or band that plays; may be repeated
    #[arg(long = "ensemble", value_name = "NAME[=ROLE]")]
    ensembles: Vec<String>,
    /// What is played, in order, e.g. "Finlandia=Jean Sibelius"; may be repeated
    #[arg(long = "work", value_name = "NAME[=COMPOSER]")]
    works: Vec<String>,
}

impl Create {
    /// Ensembles first, as posters have it.
    fn programme(&self) -> Programme {
        let performer = |text: &String, is_group| {
            let (name, role) = halves(text);
            Performer { name, is_group, role }
        };
        let ensembles = self.ensembles.iter().map(|text| performer(text, true));
        let people = self.performers.iter().map(|text| performer(text, false));
        let work = |text: &String| {
            let (name, composer) = halves(text);
            Work { name, composer }
        };
        Programme {
            description: self.description.clone(),
            performers: ensembles.chain(people).collect(),
            works: self.works.iter().map(work).collect(),
        }
    }
}

/// Before and after the last `=`; nothing after where there is none.
fn halves(text: &str) -> (String, String) {
    let (name, rest) = text.rsplit_once('=').unwrap_or((text, ""));
    (name.trim().to_owned(), rest.trim().to_owned())
}

pub(crate) async fn run(event: Event, globals: &Globals) -> Result<(), Failure> {
    let Event::Create(create) = event;
    let pool = Target::database(globals)?.pool().await?;
    let programme = create.programme();
    let new = NewEvent {
        name: create.name,
        venue_slug: create.venue,
        date: create.date,
        time: create.time,
        prices: create.prices,
        currency: create.currency,
        capacity: create.capacity,
        fees: create.fees,
        programme,
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

fn fee(text: &str) -> Result<FeeRule, String> {
    let expected = || "expected LABEL=MINOR or LABEL=MINOR/order".to_owned();
    let (label, amount) = text.rsplit_once('=').ok_or_else(expected)?;
    let (amount, per) = match amount.split_once('/') {
        None | Some((_, "ticket")) => (amount.trim_end_matches("/ticket"), Per::Ticket),
        Some((amount, "order")) => (amount, Per::Order),
        Some(_) => return Err(expected()),
    };
    let amount = amount.parse().map_err(|_| "MINOR is a whole number of cents or the like".to_owned())?;
    Ok(FeeRule { label: label.trim().to_owned(), per, amount })
}

/// `19:30` as well as `19:30:00`.
fn time(text: &str) -> Result<Time, String> {
    let text = if text.len() == 5 { format!("{text}:00") } else { text.to_owned() };
    text.parse().map_err(|error: jiff::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_for_each_ticket_or_once() {
        let rule = |label: &str, per, amount| Ok(FeeRule { label: label.to_owned(), per, amount });
        assert_eq!(fee("Service fee=250"), rule("Service fee", Per::Ticket, 250));
        assert_eq!(fee("Service fee=250/ticket"), rule("Service fee", Per::Ticket, 250));
        assert!(fee("Order fee=three").is_err());
        assert_eq!(fee("Order fee=300/order"), rule("Order fee", Per::Order, 300));
        assert!(fee("Order fee=300/day").is_err() && fee("300").is_err());
    }

    #[test]
    fn a_programme_is_read_from_pairs() {
        assert_eq!(halves("Finlandia=Jean Sibelius"), ("Finlandia".into(), "Jean Sibelius".into()));
        assert_eq!(halves("City Chorus"), ("City Chorus".into(), String::new()));
        assert_eq!(halves("E=mc² = Ada Lund "), ("E=mc²".into(), "Ada Lund".into()));
    }
}
