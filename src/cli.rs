//! The command line: what can be asked, one file a command.

mod booking;
mod doctor;
mod draw;
mod drop;
mod event;
mod import;
mod migrate;
mod operator;
mod role;
mod tool;
mod up;
mod venue;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::failure::Failure;
use crate::settings::Sources;

/// A virtual waiting room and booking gateway: holds the crowd, admits at a tuned rate, sells every seat
/// exactly once.
#[derive(Debug, Parser)]
#[command(name = "onsale", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes, before or after its name.
#[derive(Debug, Args)]
pub(crate) struct Globals {
    /// Where `onsale up` keeps its data, and where the tools find the running stack
    #[arg(long, global = true, value_name = "DIR", default_value = "./.onsale")]
    pub(crate) data_dir: PathBuf,
    /// Results as JSON on standard output, errors as problem documents on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// A TOML file of settings
    #[arg(long, global = true, value_name = "FILE", env = "ONSALE_CONFIG")]
    config: Option<PathBuf>,
    /// Postgres; wins over the running stack's (also: DATABASE_URL)
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Redis; wins over the running stack's (also: REDIS_URL)
    #[arg(long, global = true, value_name = "URL")]
    redis_url: Option<String>,
    /// Any setting by its TOML key, e.g. --set booking.hold_s=300; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every role on one port, with private Redis and Postgres unless URLs are given
    Up(role::Ports),
    /// Run the fans' side of the line alone (needs Redis)
    Waitroom(role::Ports),
    /// Run the release loop and the operators' API alone (needs Redis and Postgres)
    Admission(role::Ports),
    /// Run events, accounts, checkout and payments alone (needs Redis and Postgres); or look at a booking, or refund it
    Booking(booking::Booking),
    /// Run the payment provider's stand-in alone
    Sandbox(role::Ports),
    /// Bring the database's tables up to date
    Migrate,
    /// Read schema.org events, one JSON object a line; `-` is standard input
    Import(import::Import),
    /// Venues with a seat layout
    #[command(subcommand)]
    Venue(venue::Venue),
    /// Events with tickets
    #[command(subcommand)]
    Event(event::Event),
    /// Create and steer on-sales
    #[command(subcommand)]
    Drop(drop::Drop),
    /// Check draws
    #[command(subcommand)]
    Draw(draw::Draw),
    /// Who may steer on-sales
    #[command(subcommand)]
    Operator(operator::Operator),
    /// Check this machine and the running stack, and say what to do
    Doctor,
}

/// Reads the command line. Help and version end with 0, anything misunderstood with 2.
pub(crate) fn read() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let asked_for_json = std::env::args_os().any(|argument| argument == "--json");
        if error.use_stderr() && asked_for_json {
            let text = error.render().to_string();
            return Failure::usage(text.trim().trim_start_matches("error: ")).report(true);
        }
        // printing fails only when nobody reads: the exit code still tells
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

/// Runs one command to its end.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let globals = cli.globals;
    match cli.command {
        Command::Up(ports) => up::run(ports, &globals).await,
        Command::Waitroom(ports) => role::run(role::Role::Waitroom, ports, &globals).await,
        Command::Admission(ports) => role::run(role::Role::Admission, ports, &globals).await,
        Command::Booking(booking) => booking::run(booking, &globals).await,
        Command::Sandbox(ports) => role::run(role::Role::Sandbox, ports, &globals).await,
        Command::Migrate => migrate::run(&globals).await,
        Command::Import(import) => import::run(import, &globals).await,
        Command::Venue(venue) => venue::run(venue, &globals).await,
        Command::Event(event) => event::run(event, &globals).await,
        Command::Drop(drop) => drop::run(drop, &globals).await,
        Command::Draw(draw) => draw::run(draw, &globals).await,
        Command::Operator(operator) => operator::run(operator, &globals).await,
        Command::Doctor => doctor::run(&globals).await,
    }
}

impl Globals {
    /// Where settings come from, weakest first: file, environment, flags.
    fn sources(&self) -> Sources {
        let mut flags = self.set.clone();
        if let Some(url) = &self.database_url {
            flags.push(("postgres.url".to_owned(), url.clone()));
        }
        if let Some(url) = &self.redis_url {
            flags.push(("redis.url".to_owned(), url.clone()));
        }
        Sources::new(self.config.clone(), flags)
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn globals_stand_before_or_after_the_command() {
        for arguments in [["onsale", "--data-dir", "x", "doctor"], ["onsale", "doctor", "--data-dir", "x"]] {
            let cli = Cli::try_parse_from(arguments).expect("parses");
            assert_eq!(cli.globals.data_dir, PathBuf::from("x"));
        }
    }
}
