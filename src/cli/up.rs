//! `onsale up`: all roles on one port, on private servers unless URLs are given.

use secrecy::ExposeSecret as _;
use shared::clock::Clock;
use shared::lifecycle::Lifecycle;
use shared::pages::Site;
use shared::{postgres, redis, telemetry};

use super::Globals;
use super::role::Ports;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::private_servers::PrivateServers;
use crate::roles::{self, Parts};
use crate::secrets::{SandboxSecrets, Secrets};
use crate::settings::{Settings, Sources};
use crate::stack::Stack;
use crate::{roles::Built, serve};

/// Runs until the first signal, drains, and stops what it started.
pub(crate) async fn run(ports: Ports, globals: &Globals) -> Result<(), Failure> {
    let mut sources = globals.sources();
    ports.apply(&mut sources);
    sources.given()?; // a mistake in the settings shows before anything is started
    let data_dir = DataDir::lock(&globals.data_dir).await?;
    let lifecycle = Lifecycle::new();
    lifecycle.listen_for_signals()?;
    let mut servers = PrivateServers::default();
    let outcome = serve_all(&data_dir, sources, &mut servers, &lifecycle).await;
    servers.stop().await;
    outcome
}

async fn serve_all(
    data_dir: &DataDir,
    mut sources: Sources,
    servers: &mut PrivateServers,
    lifecycle: &Lifecycle,
) -> Result<(), Failure> {
    let given = sources.given()?;
    let secrets = Secrets::load_or_create(data_dir)?;
    if !given.has_keys() {
        sources.set("keys.file", Secrets::path(data_dir.path()).display().to_string());
    }
    let mut provider = None;
    if !given.has_provider() {
        let sandbox = secrets.sandbox.as_ref().ok_or_else(|| Failure::usage("secrets.toml has no [sandbox]"))?;
        provider = Some(Provider::bind(sandbox, data_dir, &mut sources)?);
    }
    tokio::select! {
        started = servers.start_missing(&given, data_dir.path(), &mut sources) => started?,
        () = lifecycle.stopping().cancelled_owned() => return Ok(()),
    }
    let settings = sources.load()?;
    let telemetry = telemetry::init(settings.log.format);
    let ports = serve::Ports::bind(&settings.server)?;
    let site = roles::site(&settings);
    let public_url = settings.server.public_url.clone().unwrap_or_else(|| ports.url.clone());
    let stack = stack(&settings, &ports, provider.as_ref())?;
    let mut bank = Built::default();
    if let Some(provider) = provider {
        // a certificate is for the public name, plain HTTP for whatever address we have
        let webhooks_to = if settings.server.tls.is_some() { &public_url } else { &ports.url };
        let sandbox = settings.sandbox.clone().ok_or_else(|| Failure::usage("settings: [sandbox] is missing"))?;
        let sandbox = booking::sandbox::Settings {
            webhook_url: Some(format!("{webhooks_to}/payments/stripe/webhook")),
            public_url: Some(public_url.clone()),
            ..sandbox
        };
        bank.public = provider.start(sandbox, &site, lifecycle)?;
    }
    let parts = Parts {
        keyring: settings.keys.keyring()?,
        clock: Clock::system(),
        lifecycle: lifecycle.clone(),
        public_url,
        site: site.clone(),
        data_dir: data_dir.path().to_owned(),
        settings,
    };
    let built = build_all(&parts).await?.and(bank);
    let private_url = ports.private_url.clone();
    serve::start(ports, built, &site, &parts.settings.server, telemetry, lifecycle);
    if serve::until_ready(&private_url, lifecycle).await? {
        let file = stack.write(data_dir.path())?;
        println!("ready {}", stack.url);
        let stopping = lifecycle.stopping();
        let died = tokio::select! {
            () = stopping.cancelled() => None,
            error = servers.died() => Some(error),
        };
        drop(file); // tools must not find a stack that is going
        if let Some(error) = died {
            lifecycle.stop();
            serve::until_drained(&parts.settings.server, lifecycle).await?;
            return Err(error.into());
        }
    }
    Ok(serve::until_drained(&parts.settings.server, lifecycle).await?)
}

async fn build_all(parts: &Parts) -> Result<Built, Failure> {
    let redis = redis::connect(parts.settings.redis()?).await?;
    let pool = postgres::connect(parts.settings.postgres()?).await?;
    postgres::migrate(&pool).await?;
    booking::catalogue::venues::seed(&pool).await?;
    let stores = Built { checks: vec![roles::redis_check(&redis), roles::postgres_check(&pool)], ..Built::default() };
    Ok(stores
        .and(roles::admission(parts, redis.clone(), pool.clone()).await?)
        .and(roles::waitroom(parts, redis.clone()).await?)
        .and(roles::booking(parts, redis, pool).await?))
}

fn stack(settings: &Settings, ports: &serve::Ports, provider: Option<&Provider>) -> Result<Stack, Failure> {
    Ok(Stack {
        url: ports.url.clone(),
        private_url: ports.private_url.clone(),
        redis_url: settings.redis()?.url.expose_secret().to_owned(),
        database_url: settings.postgres()?.url.expose_secret().to_owned(),
        provider_url: provider.map(|provider| provider.url.clone()),
        provider_key: provider.map(|provider| provider.secrets.secret_key.expose_secret().to_owned()),
        provider_ledger: settings.sandbox.as_ref().filter(|_| provider.is_some()).map(|sandbox| sandbox.ledger.clone()),
        pid: std::process::id(),
    })
}

/// The payment provider's stand-in, on a loopback port of its own: booking reaches it over HTTP, as it
/// would the real one. Its bank's page is for fans, who see no port but the public one.
struct Provider {
    listener: tokio::net::TcpListener,
    url: String,
    secrets: SandboxSecrets,
}

impl Provider {
    /// Tells booking and the sandbox of each other.
    fn bind(secrets: &SandboxSecrets, data_dir: &DataDir, sources: &mut Sources) -> Result<Self, Failure> {
        let defaults = shared::server::Settings::default();
        let listener = serve::bind(([127, 0, 0, 1], 0).into(), defaults.backlog)?;
        let url = format!("http://{}", listener.local_addr()?);
        sources.set("booking.stripe.api_base", url.clone());
        sources.set("booking.stripe.test_cards", "true");
        sources.set("sandbox.ledger", data_dir.join("sandbox.jsonl").display().to_string());
        for (key, value) in secrets.keys() {
            sources.set(&format!("booking.stripe.{key}"), value);
            sources.set(&format!("sandbox.{key}"), value);
        }
        Ok(Self { listener, url, secrets: secrets.clone() })
    }

    /// The pages for fans.
    fn start(
        self,
        settings: booking::sandbox::Settings,
        site: &Site,
        lifecycle: &Lifecycle,
    ) -> Result<axum::Router, Failure> {
        let sandbox = booking::sandbox::build(settings, site, Clock::system(), lifecycle.clone())?;
        let server = shared::server::Settings::default();
        let router = shared::http::front(sandbox.api, &server, site);
        serve::spawn("sandbox port", self.listener, router, server, lifecycle);
        Ok(sandbox.pages)
    }
}
