//! `onsale waitroom | admission | booking | sandbox`: one role alone, behind a proxy that joins them.

use clap::Args;
use shared::clock::Clock;
use shared::lifecycle::Lifecycle;
use shared::pages::Site;
use shared::{postgres, redis, telemetry};

use super::Globals;
use crate::failure::Failure;
use crate::roles::{self, Built, Parts};
use crate::serve;
use crate::settings::{Settings, Sources};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Waitroom,
    Admission,
    Booking,
    Sandbox,
}

#[derive(Debug, Args)]
pub(crate) struct Ports {
    /// The public address [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Health and metrics [default: 127.0.0.1:9080]
    #[arg(long, value_name = "ADDRESS")]
    private_listen: Option<String>,
    /// Serve plain HTTP beyond loopback although cookies then travel in the clear
    #[arg(long)]
    insecure_cookies: bool,
}

impl Ports {
    /// As the strongest settings.
    pub(super) fn apply(&self, sources: &mut Sources) {
        if let Some(listen) = &self.listen {
            sources.set("server.listen", listen);
        }
        if let Some(listen) = &self.private_listen {
            sources.set("server.private_listen", listen);
        }
        if self.insecure_cookies {
            sources.set("server.insecure_cookies", "true");
        }
    }
}

/// Runs until the first signal, then drains. Prints `ready URL` once it is ready.
pub(crate) async fn run(role: Role, ports: Ports, globals: &Globals) -> Result<(), Failure> {
    let mut sources = globals.sources();
    ports.apply(&mut sources);
    let settings = sources.load()?;
    let telemetry = telemetry::init(settings.log.format);
    let lifecycle = Lifecycle::new();
    lifecycle.listen_for_signals()?;
    let ports = serve::Ports::bind(&settings.server)?;
    let server = settings.server.clone();
    let site = roles::site(&settings);
    let (url, private_url) = (ports.url.clone(), ports.private_url.clone());
    let built = tokio::select! {
        built = build(role, settings, &site, globals, &lifecycle) => built?,
        () = lifecycle.stopping().cancelled_owned() => return Ok(()),
    };
    serve::start(ports, built, &site, &server, telemetry, &lifecycle);
    if serve::until_ready(&private_url, &lifecycle).await? {
        println!("ready {url}");
    }
    Ok(serve::until_drained(&server, &lifecycle).await?)
}

async fn build(
    role: Role,
    settings: Settings,
    site: &Site,
    globals: &Globals,
    lifecycle: &Lifecycle,
) -> Result<Built, Failure> {
    if role == Role::Sandbox {
        return sandbox(settings, site, lifecycle);
    }
    let public_url = settings.server.public_url.clone().ok_or_else(|| {
        Failure::usage("settings: server.public_url is missing; a role alone cannot know the origin its proxy serves")
    })?;
    let redis = redis::connect(settings.redis()?).await?;
    let pool = match role {
        Role::Waitroom | Role::Sandbox => None,
        Role::Admission | Role::Booking => Some(postgres::connect(settings.postgres()?).await?),
    };
    let mut stores = Built { checks: vec![roles::redis_check(&redis)], ..Built::default() };
    stores.checks.extend(pool.as_ref().map(roles::postgres_check));
    let parts = Parts {
        keyring: settings.keys.keyring()?,
        clock: Clock::system(),
        lifecycle: lifecycle.clone(),
        public_url,
        site: site.clone(),
        data_dir: globals.data_dir.clone(),
        settings,
    };
    let alone = match (role, pool) {
        (Role::Admission, Some(pool)) => roles::admission(&parts, redis, pool).await?,
        (Role::Booking, Some(pool)) => roles::booking(&parts, redis, pool).await?,
        _ => roles::waitroom(&parts, redis).await?,
    };
    Ok(stores.and(alone))
}

fn sandbox(settings: Settings, site: &Site, lifecycle: &Lifecycle) -> Result<Built, Failure> {
    let sandbox = settings
        .sandbox
        .ok_or_else(|| Failure::usage("settings: [sandbox] is missing; it needs a ledger file and the keys"))?;
    let public = booking::sandbox::build(sandbox, site, Clock::system(), lifecycle.clone())?.together();
    Ok(Built { public, ..Built::default() })
}
