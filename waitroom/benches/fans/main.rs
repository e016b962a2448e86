//! The line as fans meet it, over HTTP: targets of `make bench`.
//!
//! `joins`: joins a second against a route that does nothing, behind the same middleware.
//! `gone`: positions and slots with fans who went silent. `flush`: Redis loses everything in mid-queue.
//!
//!     cargo bench -p waitroom --bench fans -- joins | gone | flush
//!
//! Each is bounded in time, talks over loopback to servers of its own, and exits with 1 when a bound
//! is missed, with 3 when it could not measure. Sizes come from the environment, see each file.

mod joins;

mod flush;
mod gone;
mod stage;

mod wire;

use std::process::ExitCode;

use anyhow::bail;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// It could not be measured: another exit code than that of a bound missed.
const NOT_MEASURED: u8 = 3;

fn main() -> ExitCode {
    match run() {
        Ok(verdict) => verdict,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(NOT_MEASURED)
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    // cargo bench adds options of its own
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["joins"] = words[..] {
        joins::stand_on_the_second_core(); // before the runtime has threads
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = match words[..] {
        ["joins"] => runtime.block_on(joins::run()),
        ["joins-server", redis_url] => runtime.block_on(joins::serve(redis_url)),
        ["gone"] => runtime.block_on(gone::run()),
        ["flush"] => runtime.block_on(flush::run()),
        _ => bail!("which one: joins, gone or flush?"),
    };
    runtime.shutdown_background();
    outcome
}

/// A size from the environment.
fn size(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
