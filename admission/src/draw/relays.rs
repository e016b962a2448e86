//! Asks the beacon's relays for a round. They need not be trusted: a round is checked before it is believed.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use reqwest::Url;
use serde::Deserialize;

use super::beacon::{BeaconError, Chain, Round};

/// For one answer of one relay.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// For a connection of it.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Bytes of an answer; a round takes 300.
const ANSWER_BYTES_MAX: usize = 4_096;

/// The beacon (`[admission.draw]`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Origins that serve rounds; all are asked at once, and the first good answer is taken.
    pub relays: Vec<String>,
    pub chain: Chain,
}

impl Default for Settings {
    fn default() -> Self {
        let relays =
            ["https://api.drand.sh", "https://api2.drand.sh", "https://api3.drand.sh", "https://drand.cloudflare.com"];
        Self { relays: relays.map(str::to_owned).into(), chain: Chain::default() }
    }
}

/// Why there is no round yet.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("no relay of the beacon is known")]
    None,
    #[error("the relay cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    #[error("the relay has no such round yet, or is not well (status {0})")]
    Refused(u16),
    #[error("the relay's answer is no round, or another one")]
    Answer,
    #[error("the relay's round is not the beacon's")]
    Forged(#[from] BeaconError),
}

/// The relays of one chain.
#[derive(Debug, Clone)]
pub struct Relays {
    http: reqwest::Client,
    relays: Vec<Url>,
    chain: Chain,
}

impl Relays {
    /// # Errors
    /// When a relay is no URL, or the machine has no certificates to trust.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let relays = settings
            .relays
            .iter()
            .map(|text| Url::parse(text).with_context(|| format!("admission.draw.relays: {text}")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("onsale/", env!("CARGO_PKG_VERSION")));
        if relays.iter().all(|relay| relay.scheme() == "http") {
            // neighbours: not behind the machine's proxy, and no reason to fail on a machine without certificates
            http = http.no_proxy().tls_certs_only([]);
        }
        let http = http.build().context("a client for the beacon's relays")?;
        Ok(Self { http, relays, chain: settings.chain.clone() })
    }

    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The relays' origins.
    pub fn origins(&self) -> Vec<String> {
        self.relays.iter().map(|relay| relay.as_str().trim_end_matches('/').to_owned()).collect()
    }

    /// The round, from whichever relay gives a good one first; otherwise the last refusal. Takes two seconds
    /// at most.
    pub async fn round(&self, round: u64) -> Result<Round, RelayError> {
        let mut answers: FuturesUnordered<_> = self.relays.iter().map(|relay| self.ask(relay, round)).collect();
        let mut refusal = RelayError::None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(round) => return Ok(round),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    async fn ask(&self, relay: &Url, round: u64) -> Result<Round, RelayError> {
        let mut url = relay.clone();
        url.set_path(&format!("{}/{}", relay.path().trim_end_matches('/'), self.chain.path_of(round)));
        let mut response = self.http.get(url).send().await?;
        if !response.status().is_success() {
            return Err(RelayError::Refused(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(RelayError::Answer);
            }
        }
        let told: Round = serde_json::from_slice(&body).map_err(|_| RelayError::Answer)?;
        if told.round != round {
            return Err(RelayError::Answer);
        }
        self.chain.verify(&told)?;
        Ok(told)
    }
}
