//! What fans see on the waiting page: name, colour and logo, from the command line.

use std::path::PathBuf;

use admission::brand::{BYTES_MAX, BrandChanges, Colour, Logo};
use anyhow::Context as _;
use clap::Args;

use crate::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct Worn {
    /// Whose sale it is; empty takes the name away
    #[arg(long, value_name = "TEXT")]
    brand_name: Option<String>,
    /// The colour of the waiting page, as #rrggbb; empty takes it away
    #[arg(long, value_name = "COLOUR", value_parser = accent)]
    accent: Option<Accent>,
    /// An SVG or PNG file of at most 24 KiB
    #[arg(long, value_name = "FILE", conflicts_with = "no_logo")]
    logo: Option<PathBuf>,
    /// Take the logo away
    #[arg(long)]
    no_logo: bool,
}

/// A colour, or none.
#[derive(Debug, Clone, Copy)]
struct Accent(Option<Colour>);

impl Worn {
    /// Name and colour, when one of them is named.
    pub(super) fn changes(&self) -> Option<BrandChanges> {
        let changes =
            BrandChanges { name: self.brand_name.clone().map(Some), accent: self.accent.map(|Accent(accent)| accent) };
        (changes != BrandChanges::default()).then_some(changes)
    }

    /// The logo to give (`Some(None)`: to take away), read and checked; `None` when it stays as it is.
    pub(super) fn logo(&self) -> Result<Option<Option<Logo>>, Failure> {
        let Some(file) = &self.logo else { return Ok(self.no_logo.then_some(None)) };
        let size = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
        if size > BYTES_MAX as u64 {
            return Err(refused(&format!("a logo has at most {BYTES_MAX} bytes; this file has {size}")));
        }
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Logo::check(bytes).map(|logo| Some(Some(logo))).map_err(|error| refused(&error.to_string()))
    }
}

fn refused(why: &str) -> Failure {
    Failure::refused("logo", "The file cannot be a logo", why)
}

fn accent(text: &str) -> Result<Accent, String> {
    match text {
        "" => Ok(Accent(None)),
        text => Colour::parse(text).map(|colour| Accent(Some(colour))).ok_or_else(|| "expected #rrggbb".to_owned()),
    }
}
