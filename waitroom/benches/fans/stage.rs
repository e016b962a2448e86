//! Admission and waitroom on stores of their own, as in production, and fans who come to them.

use std::{net::SocketAddr, time::Duration};

use admission::{
    drops::{self, NewDrop, Settings},
    ids::{DropId, VisitorSecret},
    line::Line,
};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use shared::{
    clock::Clock,
    lifecycle::Lifecycle,
    telemetry,
    testing::{World, keyring, serve, site, world},
};
use uuid::Uuid;

use crate::wire::{Events, Wire, loopback, request};

/// Who decides, in the audit.
pub(crate) const OPERATOR: &str = "bench";

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) line: Line,
    /// Where fans go.
    pub(crate) address: SocketAddr,
    lifecycle: Lifecycle,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

impl Stage {
    pub(crate) async fn set(regather_s: u64) -> anyhow::Result<Self> {
        // one line a minute would be fine, one a request drowns what is measured
        if std::env::var_os("RUST_LOG").is_some() {
            telemetry::init(telemetry::Format::Text);
        }
        let (world, lifecycle) = (world().await, Lifecycle::new());
        let deps = admission::Deps {
            pool: world.pool.clone(),
            redis: world.redis.clone(),
            keyring: keyring(),
            clock: Clock::system(),
            lifecycle: lifecycle.clone(),
            site: site(vec![admission::assets()]),
        };
        let settings = admission::Settings { regather_s, ..admission::Settings::default() };
        let _operators = admission::build(settings, deps).await?;
        let deps = waitroom::Deps {
            redis: world.redis.clone(),
            keyring: keyring(),
            clock: Clock::system(),
            lifecycle: lifecycle.clone(),
            public_url: "https://tickets.example".to_owned(),
            site: site(vec![waitroom::assets()]),
        };
        let url = serve(waitroom::build(waitroom::Settings::default(), deps).await?).await;
        let address = url.trim_start_matches("http://").parse()?;
        Ok(Self { line: Line::new(world.redis.clone()), world, address, lifecycle })
    }

    /// A drop that opened long ago: who joins stands in the line at once.
    pub(crate) async fn opened(&self, id: &str, settings: Settings) -> anyhow::Result<DropId> {
        let id = DropId::parse(id).context("a slug")?;
        let settings = Settings { opens_at: Some("2025-01-01T00:00:00Z".parse()?), ..settings };
        let new = NewDrop { id: id.clone(), events: vec![self.event().await?], settings };
        drops::create(&self.world.pool, &self.line, &new, OPERATOR).await?;
        Ok(id)
    }

    async fn event(&self) -> anyhow::Result<Uuid> {
        let (venue, event) = (Uuid::now_v7(), Uuid::now_v7());
        sqlx::query("INSERT INTO venues (venue_id, name) VALUES ($1, $1::text)")
            .bind(venue)
            .execute(&self.world.pool)
            .await?;
        sqlx::query(
            "INSERT INTO events (event_id, name, date, venue_id) VALUES ($1, 'An evening', current_date + 100, $2)",
        )
        .bind(event)
        .bind(venue)
        .execute(&self.world.pool)
        .await?;
        Ok(event)
    }

    /// One of the line's keys.
    pub(crate) fn key(&self, drop: &DropId, name: &str) -> String {
        format!("{}:{{{drop}}}:{name}", self.world.redis.prefix())
    }
}

/// A fan: a browser with an address of its own, that keeps its secret and the newest pass.
#[derive(Clone)]
pub(crate) struct Fan {
    n: usize,
    to: SocketAddr,
    drop: DropId,
    visitor: String,
    pass: Option<String>,
    pub(crate) place: String,
}

impl Fan {
    /// Takes a place; the connection stays open.
    pub(crate) async fn join(n: usize, to: SocketAddr, drop: &DropId) -> anyhow::Result<(Self, Wire)> {
        let visitor = VisitorSecret::generate().expose();
        let mut fan = Self { n, to, drop: drop.clone(), visitor, pass: None, place: String::new() };
        let mut wire = fan.wire().await?;
        let (status, document) = fan.call(&mut wire, "POST", "join").await?;
        ensure!(status == 201, "the join of fan {n} answered {status}: {document}");
        Ok((fan, wire))
    }

    pub(crate) async fn wire(&self) -> anyhow::Result<Wire> {
        Wire::open(self.to, loopback(self.n)).await.with_context(|| format!("fan {} cannot connect", self.n))
    }

    /// One call on the fan's own line; keeps the pass of the answer.
    pub(crate) async fn call(&mut self, wire: &mut Wire, method: &str, call: &str) -> anyhow::Result<(u16, Value)> {
        let mut body = Vec::new();
        let status = wire.call(&self.request(method, call), &mut body).await?;
        let document: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        self.keep(&document);
        Ok((status, document))
    }

    pub(crate) async fn listen(&self, wire: Wire) -> anyhow::Result<Events> {
        let (status, events) = wire.listen(&self.request("GET", "events")).await?;
        ensure!(status == 200, "the stream of fan {} answered {status}", self.n);
        Ok(events)
    }

    /// Keeps what a document brings: the newest pass counts.
    pub(crate) fn keep(&mut self, document: &Value) {
        if let Some(pass) = document["pass"].as_str() {
            self.pass = Some(pass.to_owned());
        }
        if let Some(place) = document["place"].as_str() {
            place.clone_into(&mut self.place);
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.n
    }

    /// A wait of the fan's own, the same in every run.
    pub(crate) fn jitter(&self, most: Duration) -> Duration {
        most.mul_f64(spread(self.n, 0.569_840_290))
    }

    fn request(&self, method: &str, call: &str) -> Vec<u8> {
        let mut headers = vec![("onsale-visitor", self.visitor.as_str())];
        headers.extend(self.pass.as_deref().map(|pass| ("onsale-pass", pass)));
        request(method, &format!("/queue/{}/{call}", self.drop), &headers)
    }
}

/// The n-th of evenly spread numbers between 0 and 1, the same in every run.
pub(crate) fn spread(n: usize, step: f64) -> f64 {
    (n as f64 * step).fract()
}
