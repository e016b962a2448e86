//! One evening on sale: the booking service and the provider's sandbox, each behind a real listener, over a world
//! of its own (database, key prefix, clock). Tests speak HTTP to it and look into Postgres for the truth.

use std::time::Duration;

use admission::drops::{self, NewDrop};
use admission::ids::{DropId, Place, VisitorSecret};
use admission::token::{Grant, Signer};
use booking::{App, Deps, sandbox};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::lifecycle::Lifecycle;
use shared::testing::{self, World};
use shared::{encoding, http, server};
use uuid::Uuid;

pub(crate) const ISSUER: &str = "http://onsale.test";
pub(crate) const SECRET_KEY: &str = "sk_test_fixture";
pub(crate) const PUBLISHABLE_KEY: &str = "pk_test_fixture";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_fixture";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// How long an admission minted here lasts.
const SESSION: Duration = Duration::from_secs(900);

pub(crate) struct Fixture {
    pub(crate) world: World,
    /// Where booking listens, without a trailing slash.
    pub(crate) url: String,
    /// Where the sandbox listens, without a trailing slash.
    pub(crate) sandbox_url: String,
    /// Drives booking and the sandbox alike; starts at the present.
    pub(crate) clock: Clock,
    pub(crate) app: App,
    pub(crate) http: reqwest::Client,
    pub(crate) signer: Signer,
    pub(crate) data_dir: tempfile::TempDir,
}

/// An account with a signed-in session and a browser of its own.
pub(crate) struct Fan {
    pub(crate) user_id: Uuid,
    pub(crate) email: String,
    pub(crate) session: String,
    pub(crate) visitor: VisitorSecret,
}

/// An event with tickets, on sale in a drop of its own.
pub(crate) struct Sale {
    pub(crate) event_id: Uuid,
    pub(crate) drop: DropId,
}

/// Rows of ten dollars a seat, labelled `A-1`, `A-2`, …, `B-1`, …: tier `standard`, zone `hall`.
pub(crate) const SEAT_PRICE: i64 = 1_000;

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::with(json!({})).await
    }

    /// `settings` are booking's, laid over what the fixture needs itself; nested objects are merged.
    pub(crate) async fn with(settings: Value) -> Self {
        Self::with_jobs(settings, Lifecycle::new()).await
    }

    /// As [`Self::with`]; booking's background jobs live and end with `jobs`.
    pub(crate) async fn with_jobs(settings: Value, jobs: Lifecycle) -> Self {
        let world = testing::world().await;
        let clock = Clock::manual(Clock::system().now());
        let lifecycle = Lifecycle::new();
        let data_dir = tempfile::tempdir().expect("a folder for the ledger and the index");

        // booking's address is known before the sandbox starts, which sends it webhooks
        let listener = listen();
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let sandbox_listener = listen();
        let sandbox_url = format!("http://{}", sandbox_listener.local_addr().expect("bound"));

        let provider = sandbox::build(
            sandbox::Settings {
                ledger: data_dir.path().join("sandbox.jsonl"),
                secret_key: SECRET_KEY.into(),
                publishable_key: PUBLISHABLE_KEY.into(),
                webhook_secret: WEBHOOK_SECRET.into(),
                webhook_url: Some(format!("{url}/payments/stripe/webhook")),
                public_url: None,
                faults: None,
            },
            &testing::site(vec![booking::assets()]),
            clock.clone(),
            lifecycle.clone(),
        )
        .expect("the sandbox starts");
        serve(sandbox_listener, provider.together(), &lifecycle);

        let generous = json!({ "per_minute": 100_000, "burst": 10_000 });
        let mut merged = json!({
            "stripe": {
                "api_base": sandbox_url,
                "test_cards": true,
                "secret_key": SECRET_KEY,
                "publishable_key": PUBLISHABLE_KEY,
                "webhook_secret": WEBHOOK_SECRET,
            },
            "limits": {
                "sign_in": generous, "registration": generous, "checkout": generous, "confirm": generous,
            },
        });
        merge(&mut merged, settings);
        let (router, app) = booking::build(
            serde_json::from_value(merged).expect("booking's settings"),
            Deps {
                pool: world.pool.clone(),
                redis: world.redis.clone(),
                keyring: testing::keyring(),
                clock: clock.clone(),
                public_url: ISSUER.to_owned(),
                site: testing::site(vec![booking::assets()]),
                lifecycle: jobs,
                data_dir: data_dir.path().to_owned(),
            },
        )
        .await
        .expect("booking starts");
        serve(listener, router, &lifecycle);

        Self {
            world,
            url,
            sandbox_url,
            clock,
            app,
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("a client"),
            signer: Signer::new(&testing::keyring(), ISSUER).expect("keys"),
            data_dir,
        }
    }

    /// Another booking process over the same stores, with settings of its own; where it listens.
    pub(crate) async fn beside(&self, settings: Value) -> String {
        let mut merged = json!({
            "stripe": {
                "api_base": self.sandbox_url,
                "test_cards": true,
                "secret_key": SECRET_KEY,
                "publishable_key": PUBLISHABLE_KEY,
                "webhook_secret": WEBHOOK_SECRET,
            },
        });
        merge(&mut merged, settings);
        let idle = Lifecycle::new();
        idle.stop();
        let deps = Deps {
            pool: self.world.pool.clone(),
            redis: self.world.redis.clone(),
            keyring: testing::keyring(),
            clock: self.clock.clone(),
            public_url: ISSUER.to_owned(),
            site: testing::site(vec![booking::assets()]),
            lifecycle: idle,
            data_dir: self.data_dir.path().join("beside"),
        };
        let settings = serde_json::from_value(merged).expect("booking's settings");
        let (router, _) = booking::build(settings, deps).await.expect("booking starts");
        let listener = listen();
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        serve(listener, router, &Lifecycle::new());
        url
    }

    /// Registers an account nobody has yet and keeps its session.
    pub(crate) async fn fan(&self) -> Fan {
        let email = format!("{}@fans.test", Uuid::new_v4().simple());
        let response = self
            .http
            .post(format!("{}/accounts", self.url))
            .json(&json!({ "username": "fan", "email": email, "password": PASSWORD }))
            .send()
            .await
            .expect("booking answers");
        assert_eq!(response.status(), 201);
        let session = session_cookie(&response).expect("registering signs in");
        let body: Value = response.json().await.expect("JSON");
        Fan {
            user_id: body["user_id"].as_str().and_then(|id| id.parse().ok()).expect("an id"),
            email,
            session,
            visitor: VisitorSecret::generate(),
        }
    }

    /// An event of `rows` times `seats_per_row` seats in a running drop of its own.
    pub(crate) async fn on_sale(&self, rows: u32, seats_per_row: u32) -> Sale {
        let event_id = self.event(rows, seats_per_row).await;
        let drop = self.drop_for(&[event_id]).await;
        Sale { event_id, drop }
    }

    /// An event with tickets and a layout, but in no drop.
    pub(crate) async fn event(&self, rows: u32, seats_per_row: u32) -> Uuid {
        let pool = &self.world.pool;
        let seats: Vec<(String, u32)> = (0..rows)
            .flat_map(|row| (1..=seats_per_row).map(move |number| (row, number)))
            .map(|(row, number)| (row_name(row), number))
            .collect();
        let body = layout(&seats).to_string();
        let hash = encoding::hex(&encoding::sha256(&[body.as_bytes()]))[..32].to_owned();
        sqlx::query("INSERT INTO layouts (hash, seats, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(&hash)
            .bind(i32::try_from(seats.len()).expect("a small hall"))
            .bind(&body)
            .execute(pool)
            .await
            .expect("a layout");
        let venue_id = Uuid::now_v7();
        sqlx::query(
            "INSERT INTO venues (venue_id, name, slug, city, timezone, layout_hash)
             VALUES ($1, 'Small Hall', $2, 'New York', 'America/New_York', $3)",
        )
        .bind(venue_id)
        .bind(format!("hall-{}", venue_id.simple()))
        .bind(&hash)
        .execute(pool)
        .await
        .expect("a venue");
        let event_id = Uuid::now_v7();
        sqlx::query(
            "INSERT INTO events (event_id, name, date, time, venue_id, currency, layout_hash)
             VALUES ($1, 'An Evening', DATE '2099-05-01', TIME '20:00', $2, 'USD', $3)",
        )
        .bind(event_id)
        .bind(venue_id)
        .bind(&hash)
        .execute(pool)
        .await
        .expect("an event");
        let labels: Vec<String> = seats.iter().map(|(row, number)| format!("{row}-{number}")).collect();
        sqlx::query(
            "INSERT INTO tickets (event_id, seat_number, ordinal, tier, zone, price)
             SELECT $1, label, position - 1, 'standard', 'hall', $3
             FROM unnest($2::text[]) WITH ORDINALITY AS seats (label, position)",
        )
        .bind(event_id)
        .bind(&labels)
        .bind(SEAT_PRICE)
        .execute(pool)
        .await
        .expect("tickets");
        event_id
    }

    /// A running drop that sells these events.
    pub(crate) async fn drop_for(&self, events: &[Uuid]) -> DropId {
        let new = NewDrop {
            id: DropId::parse(&format!("drop-{}", Uuid::new_v4().simple())).expect("a slug"),
            events: events.to_vec(),
            settings: drops::Settings::at_rate(6_000),
        };
        let (pool, line) = (&self.world.pool, &self.app.line);
        drops::create(pool, line, &new, "test").await.expect("a drop");
        drops::open(pool, line, &new.id, self.clock.now(), "test").await.expect("open");
        new.id
    }

    /// An admission token for this browser, for a place nobody had before.
    pub(crate) fn admit(&self, drop: &DropId, visitor: &VisitorSecret) -> String {
        self.admit_at(drop, visitor, Place::from_bytes(encoding::random()))
    }

    pub(crate) fn admit_at(&self, drop: &DropId, visitor: &VisitorSecret, place: Place) -> String {
        let now = self.clock.now();
        let grant = Grant {
            drop,
            place,
            jti: place.jti(drop),
            admitted_at: now,
            expires_at: now + SESSION,
            visitor_hash: visitor.hash(),
        };
        self.signer.sign(&grant).expect("signs")
    }

    /// A write as this fan, with a fresh idempotency key and, where given, an admission.
    pub(crate) fn post(&self, fan: &Fan, path: &str, admission: Option<&str>, body: &Value) -> reqwest::RequestBuilder {
        let mut request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(&fan.session)
            .header("Idempotency-Key", Uuid::new_v4().to_string())
            .json(body);
        if let Some(token) = admission {
            request = request.header("Onsale-Admission", token).header("Onsale-Visitor", fan.visitor.expose());
        }
        request
    }

    pub(crate) fn get(&self, fan: &Fan, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.url)).bearer_auth(&fan.session)
    }

    /// The fan's answer on the bank's 3-D Secure page.
    pub(crate) async fn challenge(&self, intent_id: &str, approve: bool) {
        let outcome = if approve { "approve" } else { "fail" };
        let page = format!("{}/sandbox/3ds/{intent_id}", self.sandbox_url);
        let response = self.http.post(page).form(&[("outcome", outcome)]).send().await.expect("the bank answers");
        assert!(response.status().is_success() || response.status().is_redirection());
    }

    /// The provider's second book: every intent it has, newest first.
    pub(crate) async fn intents(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let mut request = self
                .http
                .get(format!("{}/v1/payment_intents", self.sandbox_url))
                .query(&[("limit", "100")])
                .bearer_auth(SECRET_KEY);
            if let Some(last) = all.last() {
                request = request.query(&[("starting_after", last["id"].as_str().expect("an id"))]);
            }
            let page: Value = request.send().await.expect("the sandbox answers").json().await.expect("JSON");
            all.extend(page["data"].as_array().expect("a list").iter().cloned());
            if page["has_more"] == false {
                return all;
            }
        }
    }
}

/// The session set by a response's cookie, if it sets one.
pub(crate) fn session_cookie(response: &reqwest::Response) -> Option<String> {
    let cookies = response.headers().get_all("set-cookie");
    cookies.iter().find_map(|cookie| {
        let (name, rest) = cookie.to_str().ok()?.split_once('=')?;
        let value = rest.split(';').next()?;
        (name == "__Host-onsale-session").then(|| value.to_owned())
    })
}

/// The last part of a problem document's type.
pub(crate) fn slug(problem: &Value) -> &str {
    problem["type"].as_str().and_then(|kind| kind.strip_prefix("/problems/")).unwrap_or("(no problem document)")
}

pub(crate) fn listen() -> tokio::net::TcpListener {
    server::bind("127.0.0.1:0".parse().expect("an address"), 128).expect("a free port")
}

/// Behind the same front and accept loop as in production.
pub(crate) fn serve(listener: tokio::net::TcpListener, router: axum::Router, lifecycle: &Lifecycle) {
    let settings = server::Settings::default();
    let router = http::front(router, &settings, &testing::site(Vec::new()));
    let running = lifecycle.clone();
    lifecycle.spawn("server", async move { server::serve(listener, router, &settings, &running).await });
}

fn row_name(row: u32) -> String {
    char::from_u32('A' as u32 + row).expect("at most 26 rows").to_string()
}

fn layout(seats: &[(String, u32)]) -> Value {
    let seats: Vec<Value> = seats
        .iter()
        .map(|(row, number)| {
            json!({
                "seat": format!("{row}-{number}"), "zone": "hall", "row": row, "number": number,
                "tier": "standard", "x": number * 10, "y": u32::from(row.as_bytes()[0]) * 10,
            })
        })
        .collect();
    let tiers = json!([{ "tier": "standard", "name": "Standard" }]);
    json!({ "seats": seats, "tiers": tiers, "zones": [{ "zone": "hall", "name": "Hall" }] })
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
