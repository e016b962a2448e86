//! The `onsale` binary: every role of the platform on one port (`onsale up`), each role alone, and the
//! tools that fill and steer them. It owns no domain rule: it reads settings, starts what is needed,
//! composes the crates and reports.

mod cli;
mod data_dir;
mod failure;
mod open_files;
mod openapi;
mod output;
mod private_servers;
mod roles;
mod secrets;
mod serve;
mod settings;
mod stack;

use std::process::ExitCode;

/// Whoever waits in the middle of a request leaves large pieces of memory behind, in whatever order: glibc's
/// allocator sorts and joins them each time, and a join costs a quarter more.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match cli::read() {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    #[cfg(feature = "failpoints")]
    let _armed = shared::crash::armed();
    shared::telemetry::install_crypto();
    open_files::raise();
    let json = cli.globals.json;
    let outcome = tokio::runtime::Runtime::new()
        .map_err(failure::Failure::from)
        .and_then(|runtime| runtime.block_on(cli::run(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
