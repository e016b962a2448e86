//! One call, its answer, and whether to try again.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header::RETRY_AFTER};
use rand::{Rng, RngExt as _};
use serde::{Serialize, de::DeserializeOwned};

use crate::protocol::Problem;

/// The first wait before a retry, in milliseconds; it doubles each time.
const BACKOFF_FIRST_MS: u64 = 200;
/// The longest wait before a retry, in milliseconds, unless the server asks for more.
const BACKOFF_MOST_MS: u64 = 5_000;
/// A server's `Retry-After` is honoured up to this many seconds.
const RETRY_AFTER_MOST_S: u64 = 60;

/// A request that can be sent again word for word.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Bytes>,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self { method: Method::POST, ..Self::get(path) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn maybe(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).expect("a request body of ours is plain data");
        self.body = Some(bytes.into());
        self.with("content-type", "application/json")
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        serde_json::from_slice(&self.body).map_err(|source| Trouble::Unreadable { status: self.status, source })
    }

    /// The problem document of an error; an empty one when the body is something else.
    pub(crate) fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Status and slug, for evidence.
    pub(crate) fn describe(&self) -> String {
        let problem = self.problem();
        let slug = problem.slug();
        let detail = problem.detail.as_deref().unwrap_or_default();
        format!("{} {slug} {detail}", self.status.as_u16()).trim_end().to_owned()
    }
}

/// A call that got no answer it could use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("cannot connect from {from}")]
    Connect { from: String, source: std::io::Error },
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    #[error("no answer within {0} s")]
    Slow(u64),
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("cannot make the request")]
    Request(#[from] http::Error),
    #[error("cannot read the body of an answer {status}")]
    Unreadable { status: StatusCode, source: serde_json::Error },
}

impl Trouble {
    /// One word for the count of retries.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Broken(_) => "broken",
            Self::Slow(_) => "slow",
            Self::TooLong(_) => "too-long",
            Self::Request(_) => "request",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

/// Why a call is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub because: &'static str,
    pub after: Option<Duration>,
}

impl Retry {
    /// A call worth making again: no answer, 429, or a server's 5xx. Every call of a fan is
    /// idempotent (same visitor secret, same Idempotency-Key), so a lost answer costs nothing.
    pub(crate) fn wanted(outcome: &Result<Answer, Trouble>) -> Option<Self> {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(trouble) => {
                return Some(Self { because: trouble.word(), after: None });
            }
        };
        let because = match answer.status.as_u16() {
            429 => "429",
            503 => "503",
            500..=599 => "5xx",
            _ => return None,
        };
        let after = answer
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse().ok())
            .map(|seconds: u64| Duration::from_secs(seconds.min(RETRY_AFTER_MOST_S)));
        Some(Self { because, after })
    }

    /// How long to wait before the `attempt`-th retry (from 0): never less than the server asked
    /// for, and never in step with the neighbours.
    pub(crate) fn wait(&self, attempt: u32, rng: &mut impl Rng) -> Duration {
        let backoff_ms = (BACKOFF_FIRST_MS << attempt.min(10)).min(BACKOFF_MOST_MS);
        match self.after {
            Some(least) => least + Duration::from_millis(rng.random_range(0..=backoff_ms)),
            None => Duration::from_millis(rng.random_range(backoff_ms / 2..=backoff_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::SmallRng};

    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Result<Answer, Trouble> {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        Ok(Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::new() })
    }

    #[test]
    fn only_what_may_pass_is_retried() {
        for status in [200, 201, 202, 204, 400, 401, 404, 409, 410] {
            assert_eq!(Retry::wanted(&answer(status, None)), None, "{status}");
        }
        for status in [429, 500, 502, 503, 504] {
            assert!(Retry::wanted(&answer(status, None)).is_some(), "{status}");
        }
        assert!(Retry::wanted(&Err(Trouble::Slow(1))).is_some());
    }

    #[test]
    fn retry_after_is_a_floor_and_waits_are_bounded() {
        let mut rng = SmallRng::seed_from_u64(1);
        let asked = Retry::wanted(&answer(429, Some("3"))).unwrap();
        assert!(asked.wait(0, &mut rng) >= Duration::from_secs(3));
        let far = Retry::wanted(&answer(503, Some("99999"))).unwrap();
        assert!(
            far.wait(0, &mut rng) <= Duration::from_secs(RETRY_AFTER_MOST_S) + Duration::from_millis(BACKOFF_FIRST_MS)
        );
        let plain = Retry::wanted(&Err(Trouble::Slow(1))).unwrap();
        assert!(plain.wait(0, &mut rng) <= Duration::from_millis(BACKOFF_FIRST_MS));
        assert!(plain.wait(60, &mut rng) <= Duration::from_millis(BACKOFF_MOST_MS));
    }
}
