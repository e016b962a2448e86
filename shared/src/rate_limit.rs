//! How often one client may do something, in this process (GCRA, from the governor crate).
//!
//! These limits keep abuse off; a guess about one address is enough for that. What must
//! hold across processes, the admission rate above all, is kept in Redis instead. There is
//! no exemption for loopback or anybody.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use ::http::StatusCode;
use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::future::Either;
use governor::{
    RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use serde::Deserialize;
use tower::{Layer, Service};

use crate::{client_address::ClientAddress, encoding::sha256, problem::Problem};

/// How often keys that are back at full burst are forgotten, in real time.
const SHRINK: Duration = Duration::from_secs(30);

/// `per_minute` on average, `burst` at once. Zero of either counts as one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    pub per_minute: u32,
    pub burst: u32,
}

/// A limit with a name. Clones count together.
#[derive(Clone)]
pub struct RateLimit {
    name: &'static str,
    limiter: Arc<Limiter>,
}

type Limiter = RateLimiter<Key, DashMapStateStore<Key>, DefaultClock, NoOpMiddleware>;

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
enum Key {
    Address(IpAddr),
    Bytes([u8; 16]),
}

impl std::fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RateLimit({})", self.name)
    }
}

impl RateLimit {
    /// A limit of its own. To be made inside a runtime: a task there forgets idle keys,
    /// which governor never does by itself.
    pub fn new(name: &'static str, quota: Quota) -> Self {
        let per_minute = NonZeroU32::new(quota.per_minute).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(quota.burst).unwrap_or(NonZeroU32::MIN);
        let limiter = Arc::new(RateLimiter::dashmap(governor::Quota::per_minute(per_minute).allow_burst(burst)));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(forget_idle_keys(Arc::downgrade(&limiter)));
        }
        Self { name, limiter }
    }

    /// Counts one use by an address, see [`network`].
    ///
    /// # Errors
    /// 429 `rate-limited` with Retry-After, once the quota is used up.
    pub fn check(&self, address: IpAddr) -> Result<(), Problem> {
        self.count(Key::Address(network(address)))
    }

    /// Counts one use by any key, say an account.
    ///
    /// # Errors
    /// As [`RateLimit::check`].
    pub fn check_key(&self, key: &[u8]) -> Result<(), Problem> {
        let hash = sha256(&[key]);
        let mut short = [0; 16]; // a fixed size, whatever the client sent
        short.copy_from_slice(&hash[..16]);
        self.count(Key::Bytes(short))
    }

    fn count(&self, key: Key) -> Result<(), Problem> {
        self.limiter.check_key(&key).map_err(|not_until| {
            metrics::counter!("onsale_rate_limited_total", "limit" => self.name).increment(1);
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests")
                .retry_after(wait.as_secs() + 1) // rounded up
        })
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 /64, the least a subscriber is given.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

async fn forget_idle_keys(limiter: Weak<Limiter>) {
    let mut ticks = tokio::time::interval(SHRINK);
    loop {
        ticks.tick().await;
        let Some(limiter) = limiter.upgrade() else { return };
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
}

/// Puts a limit by client address before a route: `post(join).layer(limited(limit))`.
pub fn limited(limit: RateLimit) -> Limited {
    Limited(limit)
}

/// The layer of [`limited`].
#[derive(Clone, Debug)]
pub struct Limited(RateLimit);

/// The service of [`Limited`].
#[derive(Clone, Debug)]
pub struct LimitedService<S> {
    limit: RateLimit,
    inner: S,
}

impl<S> Layer<S> for Limited {
    type Service = LimitedService<S>;

    fn layer(&self, inner: S) -> LimitedService<S> {
        LimitedService { limit: self.0.clone(), inner }
    }
}

impl<S> Service<Request> for LimitedService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let verdict = match request.extensions().get::<ClientAddress>() {
            Some(ClientAddress(address)) => self.limit.check(*address),
            None => Err(Problem::internal(anyhow::anyhow!("the router stands without http::front"))),
        };
        match verdict {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(problem) => Either::Right(ready(Ok(problem.into_response()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(burst: u32) -> RateLimit {
        RateLimit::new("test", Quota { per_minute: 1, burst })
    }

    #[tokio::test]
    async fn the_burst_and_then_a_wait_that_is_told() {
        let limit = limit(2);
        let clone = limit.clone();
        let address = "203.0.113.1".parse().unwrap();
        assert!(clone.check(address).is_ok() && limit.check(address).is_ok());
        let response = clone.check(address).unwrap_err().into_response();
        assert_eq!(response.status(), 429);
        let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((58..=61).contains(&wait), "{wait}");
        assert!(limit.check("203.0.113.2".parse().unwrap()).is_ok());
    }

    #[tokio::test]
    async fn addresses_count_by_network_and_loopback_counts() {
        let limit = limit(1);
        assert!(limit.check("2001:db8:1:2::1".parse().unwrap()).is_ok());
        assert!(limit.check("2001:db8:1:2:ffff::9".parse().unwrap()).is_err());
        assert!(limit.check("2001:db8:1:3::1".parse().unwrap()).is_ok());
        assert!(limit.check("127.0.0.1".parse().unwrap()).is_ok());
        assert!(limit.check("::ffff:127.0.0.1".parse().unwrap()).is_err());
    }

    #[tokio::test]
    async fn keys_count_apart() {
        let limit = limit(1);
        assert!(limit.check_key(b"a").is_ok());
        assert!(limit.check_key(b"a").is_err());
        assert!(limit.check_key(b"b").is_ok());
    }

    #[tokio::test]
    async fn the_forgetting_task_ends_with_its_limit() {
        let limit = limit(1);
        let weak = Arc::downgrade(&limit.limiter);
        let task = tokio::spawn(forget_idle_keys(weak));
        drop(limit);
        task.await.unwrap();
    }
}
