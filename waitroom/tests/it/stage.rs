//! A waitroom with one drop, and fans who talk to it over HTTP.

use std::sync::atomic::{AtomicU64, Ordering};

use admission::{
    ids::{DropId, VisitorSecret},
    line::{Line, Order, Phase},
    pace,
};
use redis::AsyncCommands as _;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    lifecycle::Lifecycle,
    server,
    testing::{World, keyring, serve, serve_with, world},
};

pub(crate) const DROP: &str = "evening";
pub(crate) const PUBLIC_URL: &str = "https://tickets.example";

pub(crate) struct Stage {
    pub(crate) line: Line,
    pub(crate) drop: DropId,
    pub(crate) url: String,
    pub(crate) http: Client,
    pub(crate) lifecycle: Lifecycle,
    version: AtomicU64,
    world: World,
}

/// A fan as an API client: keeps the secret, shows the pass.
pub(crate) struct Fan<'a> {
    stage: &'a Stage,
    pub(crate) visitor: String,
}

pub(crate) async fn stage(fields: &[(&'static str, &str)]) -> Stage {
    let world = world().await;
    let line = Line::new(world.redis.clone());
    let drop = DropId::parse(DROP).unwrap();
    let mut control = control();
    for (field, value) in fields {
        control.retain(|(name, _)| name != field);
        control.push((field, (*value).to_owned()));
    }
    line.create(&drop, &control).await.unwrap();
    over(world).await
}

/// A waitroom in a world whose line somebody else makes.
pub(crate) async fn over(world: World) -> Stage {
    let (line, drop) = (Line::new(world.redis.clone()), DropId::parse(DROP).unwrap());
    let lifecycle = Lifecycle::new();
    let url = waitroom(&world, &lifecycle).await;
    Stage { line, drop, url, http: Client::new(), lifecycle, version: AtomicU64::new(0), world }
}

fn control() -> Vec<(&'static str, String)> {
    vec![
        ("epoch", "1".to_owned()),
        ("rate", "60000".to_owned()),
        ("max_active", "1000000".to_owned()),
        ("claim_us", "60000000".to_owned()),
        ("grace_us", "60000000".to_owned()),
        ("session_us", "600000000".to_owned()),
        ("opens_at", "1".to_owned()),
        ("events", r#"["01890000-0000-7000-8000-000000000000"]"#.to_owned()),
    ]
}

async fn waitroom(world: &World, lifecycle: &Lifecycle) -> String {
    serve(build(world, lifecycle, waitroom::Settings::default()).await).await
}

async fn build(world: &World, lifecycle: &Lifecycle, settings: waitroom::Settings) -> axum::Router {
    let deps = waitroom::Deps {
        redis: world.redis.clone(),
        keyring: keyring(),
        clock: Clock::system(),
        lifecycle: lifecycle.clone(),
        public_url: PUBLIC_URL.to_owned(),
        site: shared::testing::site(vec![waitroom::assets()]),
    };
    waitroom::build(settings, deps).await.unwrap()
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

impl Stage {
    pub(crate) fn fan(&self) -> Fan<'_> {
        Fan { stage: self, visitor: VisitorSecret::generate().expose() }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// The name of one of the line's keys.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}:{{{DROP}}}:{name}", self.world.redis.prefix())
    }

    /// A second waitroom on the same Redis.
    pub(crate) async fn another(&self) -> String {
        waitroom(&self.world, &self.lifecycle).await
    }

    /// Another one with other settings, under a lifecycle of its own.
    pub(crate) async fn another_with(
        &self,
        settings: waitroom::Settings,
        server: server::Settings,
        lifecycle: &Lifecycle,
    ) -> String {
        serve_with(build(&self.world, lifecycle, settings).await, server, lifecycle.clone()).await
    }

    pub(crate) fn path(&self, call: &str) -> String {
        format!("{}/queue/{DROP}/{call}", self.url)
    }

    /// What an operator decides next.
    pub(crate) async fn order(&self, phase: Phase, settings: &[(&'static str, &str)]) {
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        let settings = settings.iter().map(|(field, value)| (*field, (*value).to_owned())).collect();
        self.line.apply(&self.drop, &Order { version, phase, settings }).await.unwrap();
    }

    pub(crate) async fn pause(&self, reason: &str) {
        self.order(Phase::Paused { reason: reason.to_owned() }, &[]).await;
    }

    pub(crate) async fn resume(&self) {
        self.order(Phase::Going, &[]).await;
    }

    /// What admission writes for the page: brand, draw, logo.
    pub(crate) async fn face(&self, fields: &[(&str, &[u8])]) {
        let mut redis = self.world.redis.clone();
        let key = format!("{}:{{{DROP}}}:face", self.world.redis.prefix());
        let _: () = redis.hset_multiple(key, fields).await.unwrap();
    }

    /// Everything this world keeps in Redis is gone.
    pub(crate) async fn lose_redis(&self) {
        let mut redis = self.world.redis.clone();
        let keys: Vec<String> = redis.keys(format!("{}:*", self.world.redis.prefix())).await.unwrap();
        let _: () = redis.del(keys).await.unwrap();
    }

    /// The control again, as admission makes it after a loss.
    pub(crate) async fn restore(&self, epoch: u64, last_key: u64) {
        let mut control = control();
        control.retain(|(name, _)| *name != "epoch");
        control.push(("epoch", epoch.to_string()));
        control.push(("last_key", last_key.to_string()));
        self.line.create(&self.drop, &control).await.unwrap();
    }

    /// One step of the release loop.
    pub(crate) async fn step(&self) {
        self.line.release(&self.drop, pace::level(60_000, 0)).await.unwrap();
    }
}

impl Fan<'_> {
    pub(crate) fn get(&self, call: &str) -> RequestBuilder {
        self.stage.http.get(self.stage.path(call)).header("Onsale-Visitor", &self.visitor)
    }

    pub(crate) fn post(&self, call: &str) -> RequestBuilder {
        self.stage.http.post(self.stage.path(call)).header("Onsale-Visitor", &self.visitor)
    }

    pub(crate) async fn join(&self) -> (StatusCode, Value) {
        read(self.post("join").json(&json!({}))).await
    }

    pub(crate) async fn status(&self) -> Value {
        read(self.get("status")).await.1
    }

    pub(crate) async fn claim(&self) -> (StatusCode, Value) {
        read(self.post("claim")).await
    }

    /// Claims until the bucket grants.
    pub(crate) async fn admit(&self) -> Value {
        loop {
            self.stage.step().await;
            let (status, document) = self.claim().await;
            if status == StatusCode::OK && document["state"] == "admitted" {
                return document;
            }
        }
    }
}

pub(crate) async fn read(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or(Value::Null))
}

pub(crate) fn slug(problem: &Value) -> &str {
    problem["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
}
