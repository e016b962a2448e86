//! A shop in a bottle, for the fans' tests: the protocol of the line and the shop, kept in memory,
//! with the mishaps of a real one.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use futures_util::Stream;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::now_us;

/// What the shop remembers.
#[derive(Debug, Default)]
pub(super) struct Shop {
    pub seats_left: usize,
    /// Each address fails this many times before it is served.
    pub failures: u32,
    pub failed: HashMap<(SocketAddr, &'static str), u32>,
    /// Positions shown on a stream before the call; the last is where it breaks off once.
    pub positions: Vec<u64>,
    pub broken_off: HashMap<String, bool>,
    pub addresses: Vec<SocketAddr>,
    pub joins: HashMap<String, u32>,
    pub claimed: HashMap<String, i64>,
    pub keys: HashMap<Uuid, Vec<String>>,
    pub last_event_ids: Vec<String>,
    pub bookings: HashMap<Uuid, (usize, &'static str)>,
    pub checkouts: HashMap<String, Value>,
    pub declined: u32,
    pub left: u32,
}

pub(super) type Shared = Arc<Mutex<Shop>>;

/// Serves the shop; its URL.
pub(super) async fn open(shop: Shop) -> (String, Shared) {
    let shared = Arc::new(Mutex::new(shop));
    let app = Router::new()
        .route("/accounts", post(account))
        .route("/sessions", post(session))
        .route("/queue/d/join", post(join))
        .route("/queue/d/status", get(status))
        .route("/queue/d/claim", post(claim))
        .route("/queue/d/events", get(events))
        .route("/queue/d/leave", post(leave))
        .route("/booking/checkout", post(checkout))
        .route("/booking/confirm", post(confirm))
        .route("/booking/{id}", get(booking))
        .with_state(shared.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    (url, shared)
}

fn lock(shop: &Shared) -> MutexGuard<'_, Shop> {
    shop.lock().unwrap()
}

fn problem(status: u16, slug: &str) -> Response {
    let body = Json(json!({"type": format!("/problems/{slug}"), "title": slug}));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

impl Shop {
    /// The mishap of a first attempt, if there is one to come.
    fn mishap(&mut self, peer: SocketAddr, call: &'static str) -> Option<Response> {
        let peer = SocketAddr::new(peer.ip(), 0);
        let failed = self.failed.entry((peer, call)).or_default();
        if *failed >= self.failures {
            return None;
        }
        *failed += 1;
        let status = if *failed == 1 { 503 } else { 429 };
        Some((StatusCode::from_u16(status).unwrap(), [("retry-after", "0")]).into_response())
    }

    fn document(&self, visitor: &str) -> Value {
        let claimed = self.claimed.get(visitor);
        let state = if claimed.is_some() { "admitted" } else { "waiting" };
        let admission = claimed.map(|at| json!({"token": format!("token-{visitor}"), "admitted_at": at}));
        json!({"place": format!("place-{visitor}"), "pass": "pass", "state": state,
            "position": self.positions.first(), "order_key": 5, "admission": admission})
    }
}

async fn account(
    State(shop): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Json(body): Json<Value>,
) -> Response {
    let mut shop = lock(&shop);
    shop.addresses.push(peer);
    if let Some(mishap) = shop.mishap(peer, "account") {
        return mishap;
    }
    assert!(body["email"].as_str().unwrap().contains('@'));
    (StatusCode::CREATED, Json(json!({"user_id": Uuid::new_v4()}))).into_response()
}

async fn session(Json(body): Json<Value>) -> Response {
    (StatusCode::CREATED, Json(json!({"token": body["email"]}))).into_response()
}

async fn join(State(shop): State<Shared>, ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap) -> Response {
    let mut shop = lock(&shop);
    let visitor = header(&headers, "onsale-visitor").to_owned();
    *shop.joins.entry(visitor.clone()).or_default() += 1;
    if let Some(mishap) = shop.mishap(peer, "join") {
        return mishap;
    }
    (StatusCode::CREATED, Json(shop.document(&visitor))).into_response()
}

async fn status(State(shop): State<Shared>, headers: HeaderMap) -> Json<Value> {
    Json(lock(&shop).document(header(&headers, "onsale-visitor")))
}

/// The first claim waits for the bucket; the stream brings the token.
async fn claim(State(shop): State<Shared>, headers: HeaderMap) -> Response {
    let mut shop = lock(&shop);
    let visitor = header(&headers, "onsale-visitor").to_owned();
    let mut document = shop.document(&visitor);
    document["state"] = json!("called");
    shop.claimed.insert(visitor, now_us());
    (StatusCode::ACCEPTED, Json(document)).into_response()
}

async fn events(State(shop): State<Shared>, headers: HeaderMap) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let visitor = header(&headers, "onsale-visitor").to_owned();
    let resumed = header(&headers, "last-event-id").to_owned();
    let (positions, breaks) = {
        let mut shop = lock(&shop);
        shop.last_event_ids.push(resumed);
        let first = shop.broken_off.insert(visitor.clone(), true).is_none();
        (shop.positions.clone(), first && !shop.positions.is_empty())
    };
    let event = |kind: &str, id: String, data: &Value| Ok(Event::default().event(kind).id(id).data(data.to_string()));
    Sse::new(async_stream::stream! {
        let first = lock(&shop).document(&visitor);
        yield Ok(Event::default().event("state").id("1.0.0").data(first.to_string()).retry(Duration::from_millis(1)));
        for (tick, position) in positions.iter().enumerate() {
            yield event("position", format!("1.{tick}.{position}"), &json!({"position": position}));
        }
        if breaks {
            return;
        }
        let deadline = jiff::Timestamp::from_microsecond(now_us() + 60_000_000).unwrap();
        let called = json!({"state": "called", "place": format!("place-{visitor}"), "order_key": 5, "claim_deadline": deadline});
        yield event("called", "1.8.0".into(), &called);
        while !lock(&shop).claimed.contains_key(&visitor) {
            tokio::task::yield_now().await;
        }
        let admitted = lock(&shop).document(&visitor);
        yield event("admitted", "1.9.0".into(), &admitted);
        std::future::pending::<()>().await;
    })
}

async fn leave(State(shop): State<Shared>) -> StatusCode {
    lock(&shop).left += 1;
    StatusCode::NO_CONTENT
}

/// Takes seats when there are enough; the first answer under a key is lost.
async fn checkout(State(shop): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut shop = lock(&shop);
    let visitor = header(&headers, "onsale-visitor");
    assert_eq!(header(&headers, "onsale-admission"), format!("token-{visitor}"));
    assert!(header(&headers, "authorization").starts_with("Bearer fan-"));
    let key = header(&headers, "idempotency-key").to_owned();
    if let Some(answer) = shop.checkouts.get(&key) {
        return (StatusCode::CREATED, Json(answer.clone())).into_response();
    }
    let quantity = usize::try_from(body["best_available"]["quantity"].as_u64().unwrap()).unwrap();
    if shop.seats_left < quantity {
        return problem(409, "sold-out");
    }
    let seats: Vec<Value> =
        (shop.seats_left - quantity..shop.seats_left).map(|seat| json!({"seat": format!("A {seat}")})).collect();
    shop.seats_left -= quantity;
    let id = Uuid::new_v4();
    shop.bookings.insert(id, (quantity, "pending"));
    shop.checkouts.insert(
        key,
        json!({"booking_id": id, "status": "pending", "tickets": seats,
        "total": {"amount": 100 * quantity, "currency": "USD"}}),
    );
    problem(503, "unavailable")
}

/// The good card is settled later: 202, then completed on the next look.
async fn confirm(State(shop): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut shop = lock(&shop);
    let id: Uuid = serde_json::from_value(body["booking_id"].clone()).unwrap();
    shop.keys.entry(id).or_default().push(header(&headers, "idempotency-key").to_owned());
    if body["payment_method"] == "pm_card_chargeDeclined" {
        shop.declined += 1;
        return problem(402, "declined");
    }
    shop.bookings.get_mut(&id).unwrap().1 = "completed";
    (StatusCode::ACCEPTED, Json(json!({"booking_id": id, "status": "pending"}))).into_response()
}

async fn booking(State(shop): State<Shared>, Path(id): Path<Uuid>) -> Json<Value> {
    let (quantity, status) = lock(&shop).bookings[&id];
    Json(json!({"booking_id": id, "status": status, "tickets": [], "total": {"amount": quantity, "currency": "USD"}}))
}
