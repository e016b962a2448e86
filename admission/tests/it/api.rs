//! The operators' API over HTTP.

use admission::{Deps, Settings, operators, password::Passwords};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    lifecycle::Lifecycle,
    testing::{World, keyring, serve, world},
};
use sqlx::PgPool;
use uuid::Uuid;

pub(crate) struct Api {
    pub(crate) world: World,
    pub(crate) url: String,
    pub(crate) http: Client,
    token: String,
    lifecycle: Lifecycle,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

/// An event to put on sale, straight into the tables.
pub(crate) async fn event(pool: &PgPool) -> Uuid {
    let (venue, event) = (Uuid::now_v7(), Uuid::now_v7());
    sqlx::query("INSERT INTO venues (venue_id, name) VALUES ($1, $1::text)").bind(venue).execute(pool).await.unwrap();
    sqlx::query(
        "INSERT INTO events (event_id, name, date, venue_id) VALUES ($1, 'An evening', current_date + 100, $2)",
    )
    .bind(event)
    .bind(venue)
    .execute(pool)
    .await
    .unwrap();
    event
}

/// The role over this world, as in production; where it listens.
pub(crate) async fn serve_role(world: &World, lifecycle: &Lifecycle) -> String {
    let deps = Deps {
        pool: world.pool.clone(),
        redis: world.redis.clone(),
        keyring: keyring(),
        clock: Clock::system(),
        lifecycle: lifecycle.clone(),
        site: shared::testing::site(vec![admission::assets()]),
    };
    serve(admission::build(Settings::default(), deps).await.unwrap()).await
}

pub(crate) async fn api() -> Api {
    let world = world().await;
    let lifecycle = Lifecycle::new();
    let url = serve_role(&world, &lifecycle).await;
    let passwords = Passwords::new(&keyring());
    operators::add(&world.pool, &passwords, "Ops@Example.org", "correct horse".to_owned().into()).await.unwrap();
    let http = Client::new();
    let mut api = Api { world, url, http, token: String::new(), lifecycle };
    let (status, body) =
        api.post("/ops/api/sessions", &json!({"email": "ops@example.org", "password": "correct horse"})).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    api.token = body["token"].as_str().unwrap().to_owned();
    api
}

impl Api {
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn make(&self, drop: &str) -> (StatusCode, Value) {
        let event = event(&self.world.pool).await;
        self.post("/ops/api/drops", &json!({"drop": drop, "events": [event], "settings": {"rate_per_minute": 60}}))
            .await
    }
}

pub(crate) fn slug(body: &Value) -> &str {
    body["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
}

#[tokio::test]
async fn an_operator_makes_tunes_pauses_and_ends_a_drop_and_all_is_on_record() {
    let api = api().await;
    let (status, made) = api.make("evening").await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["state"], "scheduled");
    let path = "/ops/api/drops/evening";
    let (status, set) =
        api.send(api.http.patch(format!("{}{path}", api.url)).json(&json!({"rate_per_minute": 90}))).await;
    assert_eq!((status, &set["rate_per_minute"]), (StatusCode::OK, &json!(90)));
    for (action, body, state) in [
        ("open", json!({}), "running"),
        ("pause", json!({"reason": "A technical problem; you keep your place."}), "paused"),
        ("resume", json!({}), "running"),
    ] {
        let (status, drop) = api.post(&format!("{path}/{action}"), &body).await;
        assert_eq!((status, &drop["state"]), (StatusCode::OK, &json!(state)), "{action}");
    }
    let (status, notice) = api.post(&format!("{path}/notice"), &json!({"text": "Balcony is nearly gone"})).await;
    assert_eq!((status, &notice["lang"]), (StatusCode::CREATED, &json!("en")));
    let withdraw = api.http.delete(format!("{}{path}/notice", api.url));
    assert_eq!(api.send(withdraw).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.post(&format!("{path}/end"), &json!({})).await.0, StatusCode::OK);
    let (status, again) = api.post(&format!("{path}/open"), &json!({})).await;
    assert_eq!((status, slug(&again)), (StatusCode::CONFLICT, "version"), "an ended drop stays ended");

    let (_, audit) = api.get("/ops/api/audit?limit=4").await;
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["drop.end", "drop.notice_withdrawn", "drop.notice", "drop.resume"]);
    assert_eq!(audit["items"][0]["actor"], "operator:ops@example.org");
    let (_, older) = api.get(&format!("/ops/api/audit?cursor={}", audit["next_cursor"])).await;
    assert_eq!(older["items"][0]["action"], "drop.pause");
}

#[tokio::test]
async fn bad_input_gets_a_clear_error() {
    let api = api().await;
    api.make("evening").await;
    let bad = [
        (json!({"drop": "Evening!", "events": [], "settings": {"rate_per_minute": 60}}), 422, "wrong-type"),
        (json!({"drop": "x", "events": [], "settings": {"rate_per_minute": 60}}), 422, "wrong-type"),
        (json!({"drop": "x", "events": [Uuid::nil()], "settings": {"rate_per_minute": 60}}), 404, "event"),
        (json!({"drop": "x", "events": [Uuid::nil()], "settings": {"rate_per_minute": 0}}), 422, "wrong-type"),
        (json!({"drop": "x", "events": [], "settings": {"rate_per_minute": 60, "speed": 9}}), 422, "unknown-field"),
    ];
    for (body, status, expected) in bad {
        let (got, problem) = api.post("/ops/api/drops", &body).await;
        assert_eq!((got.as_u16(), slug(&problem)), (status, expected), "{body} {problem}");
    }
    assert_eq!(slug(&api.make("evening").await.1), "version");
    assert_eq!(slug(&api.get("/ops/api/drops/nothing").await.1), "drop");
    let (status, problem) = api.post("/ops/api/drops/evening/pause", &json!({"reason": " "})).await;
    assert_eq!((status.as_u16(), slug(&problem)), (422, "wrong-type"));
}

#[tokio::test]
async fn without_a_session_nothing_is_shown_or_done() {
    let mut api = api().await;
    let wrong = json!({"email": "ops@example.org", "password": "wrong horse"});
    assert_eq!(slug(&api.post("/ops/api/sessions", &wrong).await.1), "credentials");
    let nobody = json!({"email": "nobody@example.org", "password": "correct horse"});
    assert_eq!(slug(&api.post("/ops/api/sessions", &nobody).await.1), "credentials");
    api.token = "forged".to_owned();
    assert_eq!(slug(&api.get("/ops/api/drops").await.1), "session-invalid");
    let bare = api.http.get(format!("{}/ops/api/drops", api.url)).send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_drop_that_opens_by_itself_runs_and_cannot_be_moved() {
    let api = api().await;
    api.make("evening").await;
    let path = "/ops/api/drops/evening";
    let patch = async |body: Value| api.send(api.http.patch(format!("{}{path}", api.url)).json(&body)).await;
    let (status, _) = patch(json!({"opens_at": "2025-01-01T00:00:00Z"})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(api.get(path).await.1["state"], "running");
    let (status, problem) = patch(json!({"opens_at": "2099-01-01T00:00:00Z"})).await;
    assert_eq!((status.as_u16(), slug(&problem)), (409, "version"));
    let (status, problem) = patch(json!({"opens_at": "1969-01-01T00:00:00Z"})).await;
    assert_eq!((status.as_u16(), slug(&problem)), (422, "wrong-type"));
    assert_eq!(patch(json!({"rate_per_minute": 90})).await.0, StatusCode::OK);
    assert_eq!(api.post(&format!("{path}/end"), &json!({})).await.0, StatusCode::OK);
    assert_eq!(api.post(&format!("{path}/end"), &json!({})).await.0, StatusCode::OK, "ending twice is once");
}

#[tokio::test]
async fn a_drop_is_called_by_its_title_or_by_its_first_event() {
    let api = api().await;
    let (_, made) = api.make("evening").await;
    assert_eq!(made["title"], "An evening", "the name of its event");
    let path = "/ops/api/drops/evening";
    let patch = async |body: Value| api.send(api.http.patch(format!("{}{path}", api.url)).json(&body)).await;
    let (status, set) = patch(json!({"title": " Ada live "})).await;
    assert_eq!((status, &set["title"]), (StatusCode::OK, &json!("Ada live")));
    assert_eq!(patch(json!({"rate_per_minute": 90})).await.1["title"], "Ada live", "another change leaves it");
    for bad in ["x".repeat(121), "two\nlines".to_owned()] {
        let (status, problem) = patch(json!({ "title": bad })).await;
        assert_eq!((status.as_u16(), slug(&problem)), (422, "wrong-type"), "{bad:?}");
    }
    assert_eq!(patch(json!({"title": "é".repeat(120)})).await.0, StatusCode::OK, "characters, not bytes");
    assert_eq!(patch(json!({"title": ""})).await.1["title"], "Evening", "without any, its id is read");

    let event = event(&api.world.pool).await;
    let settings = json!({"rate_per_minute": 60, "title": "Two nights"});
    let new = json!({"drop": "nights", "events": [event], "settings": settings});
    assert_eq!(api.post("/ops/api/drops", &new).await.1["title"], "Two nights");
}

#[tokio::test]
async fn guessing_an_operators_password_is_slowed_down() {
    let api = api().await;
    let guess = json!({"email": "ops@example.org", "password": "a wrong guess"});
    for _ in 0..20 {
        let answer = api.http.post(format!("{}/ops/api/sessions", api.url)).json(&guess).send().await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.headers().contains_key("retry-after"));
            return;
        }
    }
    panic!("twenty guesses, and no limit");
}
