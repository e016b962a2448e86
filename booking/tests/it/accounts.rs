//! Registering, signing in and out, and what the table holds of it.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{Fixture, PASSWORD, session_cookie, slug};

async fn post(fixture: &Fixture, path: &str, body: &Value) -> (StatusCode, Option<String>, Value) {
    let response = fixture.http.post(format!("{}{path}", fixture.url)).json(body).send().await.expect("answers");
    let cookie = session_cookie(&response);
    (response.status(), cookie, response.json().await.expect("JSON"))
}

fn account(email: &str) -> Value {
    json!({ "username": "Ada", "email": email, "password": PASSWORD, "phone": "+1 (212) 555-0100" })
}

/// What a session may see: anything but 401 when it is good.
async fn sign_out(fixture: &Fixture, token: &str) -> (u16, Value) {
    let request = fixture.http.delete(format!("{}/sessions", fixture.url)).bearer_auth(token);
    let response = request.send().await.expect("answers");
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn registering_signs_in_and_signing_out_ends_it() {
    let fixture = Fixture::start().await;
    let (status, cookie, body) = post(&fixture, "/accounts", &account("ada@fans.test")).await;
    assert_eq!(status, 201, "{body}");
    let cookie = cookie.expect("a session");

    let sign_in = json!({ "email": " ADA@fans.test", "password": PASSWORD });
    let (status, second, session) = post(&fixture, "/sessions", &sign_in).await;
    assert_eq!((status.as_u16(), &session["user_id"]), (201, &body["user_id"]));
    assert_eq!(session["token"].as_str(), second.as_deref());
    assert!(
        session["expires_at"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("RFC 3339")
            > fixture.clock.now()
    );

    assert_eq!(sign_out(&fixture, &cookie).await.0, 204);
    let (status, problem) = sign_out(&fixture, &cookie).await;
    assert_eq!((status, slug(&problem)), (401, "session-invalid"));
    // the other session is another matter
    assert_eq!(sign_out(&fixture, &second.expect("a session")).await.0, 204);
}

#[tokio::test]
async fn a_session_comes_by_header_or_cookie_and_the_header_wins() {
    let fixture = Fixture::start().await;
    let fan = fixture.fan().await;
    let url = format!("{}/sessions", fixture.url);
    let cookie = format!("__Host-onsale-session={}", fan.session);
    let missing = fixture.http.delete(&url).send().await.expect("answers");
    assert_eq!(missing.status(), 401);
    assert_eq!(slug(&missing.json().await.expect("JSON")), "session-missing");
    let forged =
        fixture.http.delete(&url).bearer_auth("forged").header("cookie", &cookie).send().await.expect("answers");
    assert_eq!(slug(&forged.json().await.expect("JSON")), "session-invalid");
    let from_page = fixture.http.delete(&url).header("cookie", &cookie).header("sec-fetch-site", "same-origin");
    let response = from_page.send().await.expect("answers");
    assert_eq!(response.status(), 204);
    let cleared = response.headers()["set-cookie"].to_str().expect("ASCII");
    assert!(cleared.starts_with("__Host-onsale-session=;") && cleared.contains("Max-Age=0"), "{cleared}");
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let fixture = Fixture::with(json!({ "session_days": 1 })).await;
    let fan = fixture.fan().await;
    fixture.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    let (status, problem) = sign_out(&fixture, &fan.session).await;
    assert_eq!((status, slug(&problem)), (401, "session-invalid"));
}

#[tokio::test]
async fn an_address_has_one_account() {
    let fixture = Fixture::start().await;
    assert_eq!(post(&fixture, "/accounts", &account("ada@fans.test")).await.0, 201);
    let (status, cookie, problem) = post(&fixture, "/accounts", &account(" Ada@Fans.TEST ")).await;
    assert_eq!((status.as_u16(), slug(&problem), cookie), (409, "account-exists", None));
    assert!(!problem.to_string().to_lowercase().contains("ada@"), "{problem}");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name_and_never_repeated() {
    let fixture = Fixture::start().await;
    let change = |field: &str, value: Value| {
        let mut body = account("ada@fans.test");
        body[field] = value;
        body
    };
    let cases = [
        (change("email", json!("not-an-address")), "wrong-type", "email"),
        (change("email", json!(7)), "wrong-type", ""),
        (change("password", json!("short77")), "wrong-type", "password"),
        (change("password", json!("x".repeat(201))), "wrong-type", "password"),
        (change("username", json!("")), "wrong-type", "username"),
        (change("username", json!("x".repeat(65))), "wrong-type", "username"),
        (change("phone", json!("call me")), "wrong-type", "phone"),
        (change("admin", json!(true)), "unknown-field", "admin"),
        (json!({ "email": "ada@fans.test" }), "wrong-type", ""),
    ];
    for (body, expected, field) in cases {
        let (status, _, problem) = post(&fixture, "/accounts", &body).await;
        assert_eq!((status.as_u16(), slug(&problem)), (422, expected), "{body}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(field), "{problem}");
        for secret in ["not-an-address", "short77", "call me", "ada@fans.test"] {
            assert!(!detail.contains(secret), "{problem}");
        }
    }
    let accounts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&fixture.world.pool).await.expect("counts");
    assert_eq!(accounts, 0);
}

#[tokio::test]
async fn the_table_holds_nothing_readable() {
    let fixture = Fixture::start().await;
    let (_, _, body) = post(&fixture, "/accounts", &account("Ada@fans.test")).await;
    let row: String = sqlx::query_scalar(
        "SELECT user_id || ' ' || password || ' ' || encode(email, 'escape') || ' ' || encode(email_index, 'escape')
                || ' ' || encode(phone, 'escape') || ' ' || encode(phone_index, 'escape') FROM users",
    )
    .fetch_one(&fixture.world.pool)
    .await
    .expect("the row");
    for plain in ["fans.test", "ada@", "2125550100", "555", PASSWORD] {
        assert!(!row.to_lowercase().contains(plain), "{plain} in {row}");
    }
    assert!(row.contains("$argon2id$"));

    // and yet it can be read again, bound to its own account
    let user_id: Uuid = body["user_id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let sealed: Vec<u8> =
        sqlx::query_scalar("SELECT email FROM users").fetch_one(&fixture.world.pool).await.expect("the field");
    let opened = fixture.app.vault.open(&format!("users.email:{user_id}"), &sealed).expect("opens");
    assert_eq!(opened.as_slice(), b"Ada@fans.test");
    assert!(fixture.app.vault.open(&format!("users.email:{}", Uuid::now_v7()), &sealed).is_err());
}

#[tokio::test]
async fn an_unknown_address_costs_the_same_hash_and_gets_the_same_answer() {
    let fixture = Fixture::start().await;
    let fan = fixture.fan().await;
    let mut answers = Vec::new();
    for email in [fan.email.as_str(), "nobody@fans.test"] {
        let before = fixture.app.passwords.hashes();
        let body = json!({ "email": email, "password": "wrong wrong" });
        let (status, cookie, problem) = post(&fixture, "/sessions", &body).await;
        assert_eq!((status.as_u16(), slug(&problem), cookie), (401, "credentials", None));
        assert_eq!(fixture.app.passwords.hashes() - before, 1, "one hash for {email}");
        answers.push((problem["title"].clone(), problem["detail"].clone()));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn too_many_from_one_address_are_told_when_to_come_back() {
    let strict = json!({ "per_minute": 1, "burst": 2 });
    let fixture = Fixture::with(json!({ "limits": { "sign_in": strict, "registration": strict } })).await;
    for (path, body) in [
        ("/accounts", json!({ "username": "a", "email": "nonsense", "password": PASSWORD })),
        ("/sessions", json!({ "email": "nobody@fans.test", "password": PASSWORD })),
    ] {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let response =
                fixture.http.post(format!("{}{path}", fixture.url)).json(&body).send().await.expect("answers");
            if response.status() == 429 {
                let wait: u64 = response.headers()["retry-after"].to_str().expect("ASCII").parse().expect("seconds");
                assert!((1..=61).contains(&wait), "{wait}");
            }
            statuses.push(response.status().as_u16());
        }
        assert_eq!(statuses[2], 429, "{path} {statuses:?}");
        assert!(statuses[..2].iter().all(|status| *status != 429), "{path} {statuses:?}");
    }
}
