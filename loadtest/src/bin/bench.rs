//! `bench`: the measuring half of `make bench`; scripts/bench/TARGET.sh starts what it measures.

use std::process::ExitCode;

fn main() -> ExitCode {
    loadtest::bench::main(std::env::args_os())
}
