//! `onsale venue import FILE`: a venue and its seat layout, as JSON.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;

use super::Globals;
use super::tool::Target;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Venue {
    /// Add or change a venue with its seat layout
    Import { file: PathBuf },
}

pub(crate) async fn run(venue: Venue, globals: &Globals) -> Result<(), Failure> {
    let Venue::Import { file } = venue;
    let target = Target::database(globals)?;
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let pool = target.pool().await?;
    let stored = booking::catalogue::venues::import(&pool, &text).await.map_err(|error| {
        Failure::refused("venue", "The venue was not taken", format!("{:#}", anyhow::Error::from(error)))
    })?;
    output::say(globals.json, &stored, || {
        format!("{}: {} seats, layout {}", stored.slug, stored.seats, stored.layout_hash)
    })
}
