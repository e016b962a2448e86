//! `onsale booking show | refund ID`, for whoever helps a fan; without either, the booking role.

use admission::line::Line;
use booking::purchase::overview;
use booking::purchase::refund::{self, Refunded};
use booking::purchase::release::Returned;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use shared::clock::Clock;
use uuid::Uuid;

use super::Globals;
use super::role::{self, Role};
use super::tool::Target;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Booking {
    #[command(flatten)]
    ports: role::Ports,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Everything the books say about a booking: its payments and what is still to be done, too
    Show {
        #[arg(value_name = "BOOKING_ID")]
        booking_id: Uuid,
    },
    /// Undo a sale: the seats come back, the money goes back, the fan is told
    Refund {
        #[arg(value_name = "BOOKING_ID")]
        booking_id: Uuid,
    },
}

pub(crate) async fn run(booking: Booking, globals: &Globals) -> Result<(), Failure> {
    match booking.act {
        None => role::run(Role::Booking, booking.ports, globals).await,
        Some(Act::Show { booking_id }) => show(booking_id, globals).await,
        Some(Act::Refund { booking_id }) => refund(booking_id, globals).await,
    }
}

async fn show(booking_id: Uuid, globals: &Globals) -> Result<(), Failure> {
    let pool = Target::database(globals)?.pool().await?;
    let found = overview::of(&pool, booking_id).await.map_err(anyhow::Error::from)?;
    let found = found.ok_or_else(|| Failure::refused("booking", "There is no such booking", booking_id.to_string()))?;
    output::say(globals.json, &found, || serde_json::to_string_pretty(&found).unwrap_or_default())
}

/// Idempotent. The money goes back through the outbox of the running stack.
async fn refund(booking_id: Uuid, globals: &Globals) -> Result<(), Failure> {
    let target = Target::database(globals)?;
    let pool = target.pool().await?;
    let drop_id = overview::drop_of(&pool, booking_id).await.map_err(anyhow::Error::from)?.unwrap_or_default();
    let returned = returned(&target, &drop_id, Clock::system().now()).await;
    let refunded = refund::refund(&pool, booking_id, returned)
        .await
        .map_err(|error| Failure::refused("booking", "The booking was not refunded", error.to_string()))?;
    let status = if refunded == Refunded::Now { "refunded" } else { "refunded-before" };
    output::say(globals.json, &json!({ "booking_id": booking_id, "status": status }), || match refunded {
        Refunded::Now => format!("{booking_id} is refunded: the seats are back, the money is on its way"),
        Refunded::Before => format!("{booking_id} was refunded before"),
    })
}

/// The line is asked whether somebody waits, if there is a way to ask.
async fn returned(target: &Target, drop_id: &str, now: Timestamp) -> Returned {
    match target.redis().await {
        Ok(redis) => Returned::of(&Line::new(redis), drop_id, now).await,
        Err(_) => Returned::to_the_line(now),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::Cli;

    #[test]
    fn the_role_and_the_tools_share_a_name() {
        let id = "0198c0de-0000-7000-8000-000000000000";
        for arguments in [
            &["onsale", "booking"] as &[&str],
            &["onsale", "booking", "--listen", "127.0.0.1:0"],
            &["onsale", "booking", "show", id],
            &["onsale", "booking", "refund", id, "--json"],
        ] {
            Cli::try_parse_from(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        }
        assert!(Cli::try_parse_from(["onsale", "booking", "refund", "not-an-id"]).is_err());
    }
}
