//! Live streams by the ten thousand: one server beside its peer, and a whole crowd on one machine.
//!
//! The parent gives orders to client processes (`mob`), each of them one thread with an epoll and up to 18,000
//! sockets, and reads what the servers used from /proc. Linux only, like the servers' hub.

mod broadcast;
mod crowd;

mod clients;
mod mob;
mod orders;

mod ear;
mod fan;
mod wire;

mod operator;
mod redis;
mod usage;

use std::net::{SocketAddr, TcpListener};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use self::operator::Operator;

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Broadcasts to the streams of one waitroom, measured
    StreamsOurs(broadcast::Ours),
    /// The same of a peer: any server that takes messages by POST and streams them
    StreamsPeer(broadcast::Peer),
    /// Both beside each other
    StreamsVerdict(broadcast::Compare),
    /// A crowd over several waitrooms: from the call to being told, and Redis's commands
    Crowd(crowd::Crowd),
    /// A free port of the loopback address
    Port,
    /// A client process; the others start it
    #[command(hide = true)]
    Fans,
}

/// The drop, and who may speak to its fans.
#[derive(Debug, Args)]
struct Ops {
    /// Where the operators' API is
    #[arg(long, value_name = "URL")]
    ops: String,
    #[arg(long, value_name = "ID")]
    drop: String,
    #[arg(long, value_name = "EMAIL")]
    operator: String,
    #[arg(long, env = "BENCH_OPERATOR_PASSWORD", hide_env_values = true)]
    password: String,
}

impl Ops {
    async fn sign_in(&self) -> anyhow::Result<Operator> {
        Operator::sign_in(&self.ops, &self.drop, &self.operator, &self.password).await
    }
}

pub(super) fn run(what: What) -> anyhow::Result<bool> {
    if let What::Fans = what {
        return mob::run();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match what {
        What::StreamsOurs(ours) => runtime.block_on(ours.run()),
        What::StreamsPeer(peer) => runtime.block_on(peer.run()),
        What::StreamsVerdict(compare) => compare.run(),
        What::Crowd(crowd) => runtime.block_on(crowd.run()),
        What::Port => {
            println!("{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
            Ok(true)
        }
        What::Fans => Ok(true), // answered above
    }
}

/// The address in `http://127.0.0.1:8080`: client processes look nothing up.
fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let address = url.trim_end_matches('/').strip_prefix("http://").context("expected http://ADDRESS:PORT")?;
    address.parse().with_context(|| format!("expected http://ADDRESS:PORT, not {url}"))
}

/// The middle and so on of sorted values; `None` of none. `share` from 0 to 1, by nearest rank.
fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is an index")]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_nearest_rank() {
        let values: Vec<u32> = (1..=200).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [1, 100, 198, 200].map(Some));
        assert_eq!(quantile::<u32>(&[], 0.5), None);
    }

    #[test]
    fn only_addresses_are_taken() {
        assert_eq!(address("http://127.0.0.1:80/").unwrap(), "127.0.0.1:80".parse().unwrap());
        assert!(address("http://localhost:80").is_err());
        assert!(address("https://127.0.0.1:80").is_err());
    }
}
