//! Serving what was built: the public port, the private port, and the way to the end.

use std::time::Duration;

use anyhow::Context as _;
use shared::lifecycle::Lifecycle;
use shared::pages::Site;
use shared::server::{self, Settings};
use shared::telemetry::Telemetry;
use shared::{http, private};
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::openapi;
use crate::roles::Built;

/// How long a process may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often readiness is asked for meanwhile.
const READY_EVERY: Duration = Duration::from_millis(50);
/// What background tasks get beyond the open connections' `drain_s`.
const TASKS_BEYOND_DRAIN: Duration = Duration::from_secs(5);

/// Both ports, bound before anything is built: port 0 becomes a number that others can be told.
pub(crate) struct Ports {
    public: TcpListener,
    private: TcpListener,
    pub(crate) url: String,
    pub(crate) private_url: String,
}

impl Ports {
    pub(crate) fn bind(settings: &Settings) -> Result<Self, Failure> {
        refuse_plain_http(settings)?;
        let public = bind(settings.listen, settings.backlog)?;
        let private = bind(settings.private_listen, settings.backlog)?;
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        Ok(Self {
            url: format!("{scheme}://{}", public.local_addr()?),
            private_url: format!("http://{}", private.local_addr()?),
            public,
            private,
        })
    }
}

/// A listener; the error names the address.
pub(crate) fn bind(address: std::net::SocketAddr, backlog: u32) -> anyhow::Result<TcpListener> {
    server::bind(address, backlog).with_context(|| format!("cannot listen on {address}"))
}

/// Starts both servers as tasks of `lifecycle`.
pub(crate) fn start(
    ports: Ports,
    built: Built,
    site: &Site,
    settings: &Settings,
    telemetry: Telemetry,
    lifecycle: &Lifecycle,
) {
    let private = private::router(telemetry, built.checks).merge(built.private);
    // operators' tools speak plain HTTP to the private port, which stays on loopback or a private network
    let private_settings = Settings { tls: None, ..settings.clone() };
    let public = http::front(built.public.merge(openapi::router(built.api)).merge(site.router()), settings, site);
    spawn("public port", ports.public, public, settings.clone(), lifecycle);
    spawn("private port", ports.private, private, private_settings, lifecycle);
}

pub(crate) fn spawn(
    name: &'static str,
    listener: TcpListener,
    router: axum::Router,
    settings: Settings,
    lifecycle: &Lifecycle,
) {
    let drain = lifecycle.clone();
    lifecycle.spawn(name, async move { server::serve(listener, router, &settings, &drain).await });
}

/// Waits until `/health/ready` answers 200. `false` when the process was told to stop first.
pub(crate) async fn until_ready(private_url: &str, lifecycle: &Lifecycle) -> anyhow::Result<bool> {
    let url = format!("{private_url}/health/ready");
    let client = reqwest::Client::new();
    let ask = async {
        loop {
            match client.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => return,
                _ => tokio::time::sleep(READY_EVERY).await,
            }
        }
    };
    tokio::select! {
        outcome = tokio::time::timeout(READY_WITHIN, ask) => {
            outcome.with_context(|| format!("not ready within {} s; see {url}", READY_WITHIN.as_secs()))?;
            Ok(true)
        }
        () = lifecycle.stopping().cancelled_owned() => Ok(false),
    }
}

/// Waits for the stop and for what was under way.
pub(crate) async fn until_drained(settings: &Settings, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    lifecycle.wait(Duration::from_secs(settings.drain_s) + TASKS_BEYOND_DRAIN).await
}

/// The cookies need TLS. A proxy may end it: then `server.public_url` says https, or this is a rehearsal
/// on one machine, where browsers take Secure cookies on plain loopback too.
fn refuse_plain_http(settings: &Settings) -> Result<(), Failure> {
    let tls_elsewhere = settings.public_url.as_deref().is_some_and(is_safe_origin);
    if settings.tls.is_some() || settings.listen.ip().is_loopback() || tls_elsewhere || settings.insecure_cookies {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "plain HTTP on {} would send fans' cookies in the clear; set server.tls, or server.public_url to the https \
         origin of the proxy in front, or give --insecure-cookies",
        settings.listen
    )))
}

fn is_safe_origin(url: &str) -> bool {
    url.starts_with("https://")
        || ["http://localhost", "http://127.0.0.1", "http://[::1]"]
            .iter()
            .any(|origin| url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &str) -> Settings {
        Settings { listen: listen.parse().expect("an address"), ..Settings::default() }
    }

    #[test]
    fn plain_http_beyond_loopback_is_refused() {
        assert!(refuse_plain_http(&settings("127.0.0.1:0")).is_ok());
        assert!(refuse_plain_http(&settings("0.0.0.0:0")).is_err());
        let accepted = Settings { insecure_cookies: true, ..settings("0.0.0.0:0") };
        assert!(refuse_plain_http(&accepted).is_ok());
        let proxied = Settings { public_url: Some("https://tickets.example".to_owned()), ..settings("0.0.0.0:0") };
        assert!(refuse_plain_http(&proxied).is_ok());
        let fooled = Settings { public_url: Some("http://localhost.example".to_owned()), ..settings("0.0.0.0:0") };
        assert!(refuse_plain_http(&fooled).is_err());
    }
}
