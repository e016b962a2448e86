//! The measuring half of `make bench`: clients that cost little themselves, and verdicts with a baseline.
//!
//! Like the load test it reaches the services over HTTP only and shares no code with them. The scripts in
//! scripts/bench/ start what is measured and name it here.
//!
//! Exit codes: 0 every bound is reached, 1 one is missed, 2 usage, 3 it could not be measured.

pub(crate) mod verdict;

mod streams;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

const MISSED: u8 = 1;
const USAGE: u8 = 2;
const NOT_MEASURED: u8 = 3;

#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    #[command(flatten)]
    Streams(streams::What),
    /// Prints a verdict again: DIR/TARGET.json
    Verdict { file: PathBuf },
}

/// Runs a measurement; `args` begin with the program's name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // a closed pipe leaves nobody to tell
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let reached = match args.what {
        What::Streams(what) => streams::run(what),
        What::Verdict { file } => verdict::Verdict::read(&file).map(|verdict| {
            verdict.print();
            verdict.reached()
        }),
    };
    match reached {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(MISSED),
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(NOT_MEASURED)
        }
    }
}
