//! The command line, and what its exit codes mean.
//!
//! 0: the judge is content. 1: it is not, or the run failed. 2: usage. 3: no stack to run against.

use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory as _, Parser, error::ErrorKind};
use serde_json::json;

use crate::{
    arrivals::Arrivals,
    plan::Quantity,
    report,
    run::{self, Options},
    stack::{Given, Whereabouts},
};

const NO_STACK: u8 = 3;
const USAGE: u8 = 2;

/// Sends a crowd of simulated fans through a drop, and lets an independent judge weigh the outcome.
///
/// Each fan is an HTTP/1.1 client with an address (127.x.y.z) and connections of its own. Afterwards
/// the judge compares what the fans were told with the database and with the payment provider's list.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
struct Args {
    /// Where the fans go (http://HOST[:PORT]); plain http only
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// The drop they come for
    #[arg(long, value_name = "ID")]
    drop: String,

    /// How many fans come
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    fans: u32,

    /// When they come: spike (all within a second), ramp:SECONDS (evenly more and more),
    /// trace:FILE[:SECONDS] (the shape of a CSV minute,requests, over 60 s unless said)
    #[arg(long, default_value = "spike")]
    arrivals: Arrivals,

    /// The share of fans who go silent while they wait
    #[arg(long, default_value_t = 0.3, value_parser = share)]
    leave: f64,

    /// How many seats a fan wants: N or N-M
    #[arg(long, default_value = "1-4")]
    quantity: Quantity,

    /// Where report.json and report.html are written
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,

    /// The data directory of a running `onsale up`; its stack.json names the rest
    #[arg(long, value_name = "DIR", default_value = "./.onsale")]
    data_dir: PathBuf,

    /// The judge's first book
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,

    /// The judge's second book: the payment provider's API
    #[arg(long, value_name = "URL")]
    provider_url: Option<String>,

    /// The provider's secret key
    #[arg(long, value_name = "KEY", env = "LOADTEST_PROVIDER_KEY", hide_env_values = true)]
    provider_key: Option<String>,

    /// The judge's third book: the file the sandbox writes, when it runs on this machine
    #[arg(long, value_name = "FILE")]
    provider_ledger: Option<PathBuf>,

    /// Draws the same crowd again (secrets and accounts are always new)
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// The report as JSON on standard output, errors as problem documents
    #[arg(long)]
    json: bool,

    /// Fans still in line this many seconds after the start are lost
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,

    /// How long the judge waits for pending bookings and the outbox, in seconds (a job whose worker was
    /// killed waits for the end of its lease, a minute)
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    settle: u32,

    /// Accounts made at once before the opening
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    accounts_concurrency: u32,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 1, such as 0.3".into()),
    }
}

/// Runs the command; `args` begin with the program's name.
pub async fn run<I, T>(args: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let json = args.iter().any(|arg| arg == "--json");
    match Args::try_parse_from(args) {
        Ok(args) => evening(args).await,
        Err(error) if json && error.use_stderr() => {
            complain(true, "usage", &error.render().to_string());
            ExitCode::from(USAGE)
        }
        Err(error) => {
            let failed = !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // a closed pipe leaves nobody to tell
            error.with_cmd(&Args::command()).print().ok();
            ExitCode::from(if failed { USAGE } else { 0 })
        }
    }
}

async fn evening(args: Args) -> ExitCode {
    let json = args.json;
    let given = Given {
        url: args.url,
        database_url: args.database_url,
        provider_url: args.provider_url,
        provider_key: args.provider_key,
        provider_ledger: args.provider_ledger,
    };
    let whereabouts = Whereabouts { data_dir: args.data_dir, given };
    if let Err(error) = whereabouts.find() {
        complain(json, "no-stack", &format!("{:#}", anyhow::Error::from(error)));
        return ExitCode::from(NO_STACK);
    }
    let options = Options {
        drop: args.drop,
        fans: args.fans,
        arrivals: args.arrivals,
        leave: args.leave,
        quantity: args.quantity,
        seed: args.seed,
        timeout: Duration::from_secs(args.timeout.into()),
        settle: Duration::from_secs(args.settle.into()),
        accounts_at_once: args.accounts_concurrency as usize,
    };
    let report = match run::run(&whereabouts, &options).await {
        Ok(report) => report,
        Err(error) => {
            complain(json, "failed", &format!("{error:#}"));
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = report::publish(&report, args.report.as_deref(), json) {
        complain(json, "failed", &format!("{error:#}"));
        return ExitCode::FAILURE;
    }
    if report.verdict.content { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn complain(json: bool, slug: &str, detail: &str) {
    if json {
        let problem = json!({
            "type": format!("/problems/{slug}"),
            "title": "loadtest could not do its work",
            "detail": detail,
        });
        eprintln!("{problem}");
    } else {
        eprintln!("loadtest: {detail}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn code(args: &[&str]) -> String {
        let args = [&["loadtest"], args].concat();
        format!("{:?}", run(args).await)
    }

    fn exit(code: u8) -> String {
        format!("{:?}", ExitCode::from(code))
    }

    #[tokio::test]
    async fn exit_codes() {
        assert_eq!(code(&["--version"]).await, exit(0));
        assert_eq!(code(&[]).await, exit(2));
        assert_eq!(code(&["--drop", "d", "--fans", "0"]).await, exit(2));
        for wrong in [["--leave", "1.5"], ["--quantity", "0"], ["--arrivals", "flood"]] {
            let args = [&["--drop", "d", "--fans", "1"][..], &wrong].concat();
            assert_eq!(code(&args).await, exit(2), "{wrong:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().to_str().unwrap();
        let args = ["--drop", "d", "--fans", "1", "--json", "--data-dir", empty];
        assert_eq!(code(&args).await, exit(3));
        let nowhere = [
            "--drop",
            "d",
            "--fans",
            "1",
            "--url",
            "http://127.0.0.1:1",
            "--database-url",
            "postgres://127.0.0.1:1/x",
            "--provider-url",
            "http://127.0.0.1:1",
            "--provider-key",
            "k",
        ];
        assert_eq!(code(&nowhere).await, exit(1));
    }
}
