//! Signing up, in and out on the page, on the way to somewhere; and whose bookings are listed.

use reqwest::{Response, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::{
    catalogue::claim,
    fixture::{Fan, Fixture, PASSWORD, session_cookie},
};

async fn post(fixture: &Fixture, path: &str, form: &[(&str, &str)]) -> Response {
    let request = fixture.http.post(format!("{}{path}", fixture.url)).form(form).header("accept", "text/html");
    request.header("sec-fetch-site", "same-origin").send().await.expect("booking answers")
}

async fn account(fixture: &Fixture, session: Option<&str>, query: &str) -> Response {
    let mut request = fixture.http.get(format!("{}/account{query}", fixture.url)).header("accept", "text/html");
    if let Some(session) = session {
        request = request.header("cookie", format!("__Host-onsale-session={session}"));
    }
    request.send().await.expect("booking answers")
}

fn location(response: &Response) -> &str {
    response.headers()["location"].to_str().expect("ASCII")
}

fn new_fan<'a>(email: &'a str, next: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![("username", "Ada"), ("email", email), ("password", PASSWORD), ("phone", ""), ("next", next)]
}

#[tokio::test]
async fn signing_up_leads_back_to_the_line() {
    let fixture = Fixture::start().await;
    let forms = account(&fixture, None, "?next=/queue/an-evening").await;
    assert_eq!(forms.headers()["cache-control"], "no-store");
    let html = forms.text().await.unwrap();
    assert!(
        html.contains("name=\"next\" value=\"/queue/an-evening\"") && html.contains("no place in it yet"),
        "{html}"
    );
    assert!(html.contains(">You sign in with it.<"), "no mail is sent, and none is promised: {html}");
    // the line's own cookie says that there is a place
    let url = format!("{}/account?next=/queue/an-evening%3Fshown%3D1", fixture.url);
    let placed = fixture.http.get(url).header("cookie", "__Host-onsale-pass-an-evening=x").send().await.unwrap();
    assert!(placed.text().await.unwrap().contains("keep your place in line"));

    let answer = post(&fixture, "/account/sign-up", &new_fan("ada@fans.test", "/queue/an-evening")).await;
    assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/queue/an-evening"));
    let session = session_cookie(&answer).expect("signed in");
    // who is signed in is not stopped on the way
    let passed = account(&fixture, Some(&session), "?next=/queue/an-evening").await;
    assert_eq!((passed.status(), location(&passed)), (StatusCode::SEE_OTHER, "/queue/an-evening"));

    let sign_in = [("email", "ada@fans.test"), ("password", PASSWORD), ("next", "/e/x/seats")];
    let answer = post(&fixture, "/account/sign-in", &sign_in).await;
    assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/e/x/seats"));
    assert!(session_cookie(&answer).is_some());
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let fixture = Fixture::start().await;
    for foreign in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
        let html = account(&fixture, None, &format!("?next={foreign}")).await.text().await.unwrap();
        assert!(!html.contains("evil.example"), "{html}");
        let answer =
            post(&fixture, "/account/sign-up", &new_fan(&format!("{}@fans.test", Uuid::new_v4()), foreign)).await;
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/account"));
        let session = session_cookie(&answer).unwrap();
        let shown = account(&fixture, Some(&session), &format!("?next={foreign}")).await;
        assert_eq!(shown.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_wrong_password_brings_the_form_back() {
    let fixture = Fixture::start().await;
    let fan = fixture.fan().await;
    for (email, password) in [(fan.email.as_str(), "wrong password"), ("nobody@fans.test", PASSWORD), ("", "")] {
        let sign_in = [("email", email), ("password", password), ("next", "/queue/an-evening")];
        let answer = post(&fixture, "/account/sign-in", &sign_in).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(session_cookie(&answer).is_none());
        let html = answer.text().await.unwrap();
        assert!(html.contains("id=\"in-error\">The email and the password do not belong together."), "{html}");
        assert!(html.contains(&format!("value=\"{email}\"")) && html.contains("value=\"/queue/an-evening\""));
        assert!(!html.contains("wrong password"), "a password is never sent back");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_said_beside_its_field() {
    let fixture = Fixture::start().await;
    let fan = fixture.fan().await;
    let with = |field: &'static str, value: &'static str| {
        let mut form = new_fan("ada@fans.test", "/queue/an-evening");
        form.retain(|(name, _)| *name != field);
        form.push((field, value));
        form
    };
    let cases = [
        (with("username", " "), 422, "up-username-error"),
        (with("email", "not-an-address"), 422, "up-email-error"),
        (with("password", "short77"), 422, "up-password-error"),
        (with("phone", "call me"), 422, "up-phone-error"),
        (new_fan(&fan.email, "/queue/an-evening"), 409, "up-email-error"),
    ];
    for (form, status, near) in cases {
        let answer = post(&fixture, "/account/sign-up", &form).await;
        assert_eq!(answer.status().as_u16(), status, "{form:?}");
        assert!(session_cookie(&answer).is_none());
        let html = answer.text().await.unwrap();
        assert!(html.contains(&format!("class=\"field-error\" id=\"{near}\"")), "{near} in {html}");
        assert_eq!(html.matches("class=\"field-error\"").count(), 1, "{html}");
        for (name, value) in form {
            match name {
                "password" => assert!(!html.contains(value), "a password is never sent back"),
                _ => assert!(html.contains(&format!("value=\"{value}\"")), "{name} in {html}"),
            }
        }
    }
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&fixture.world.pool).await.unwrap();
    assert_eq!(accounts, 1);
}

#[tokio::test]
async fn the_forms_count_towards_the_limits_of_the_api() {
    let once = json!({ "per_minute": 1, "burst": 1 });
    let fixture = Fixture::with(json!({ "limits": { "sign_in": once, "registration": once } })).await;
    let sign_in = json!({ "email": "a@fans.test", "password": PASSWORD });
    let by_api = fixture.http.post(format!("{}/sessions", fixture.url)).json(&sign_in).send().await.unwrap();
    assert_eq!(by_api.status(), StatusCode::UNAUTHORIZED);
    let by_page = post(&fixture, "/account/sign-in", &[("email", "a@fans.test"), ("password", PASSWORD)]).await;
    assert_eq!(by_page.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(by_page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let by_page = post(&fixture, "/account/sign-up", &new_fan("a@fans.test", "")).await;
    assert_eq!(by_page.status(), StatusCode::SEE_OTHER);
    let by_page = post(&fixture, "/account/sign-up", &new_fan("b@fans.test", "")).await;
    assert_eq!(by_page.status(), StatusCode::TOO_MANY_REQUESTS);
}

async fn bookings(fixture: &Fixture, fan: &Fan) -> String {
    let shown = account(fixture, Some(&fan.session), "").await;
    assert_eq!((shown.status(), shown.headers()["cache-control"].to_str().unwrap()), (StatusCode::OK, "no-store"));
    shown.text().await.unwrap()
}

#[tokio::test]
async fn bookings_are_listed_for_their_fan_newest_first() {
    let fixture = Fixture::start().await;
    let pool = &fixture.world.pool;
    let (ada, ben) = (fixture.fan().await, fixture.fan().await);
    assert!(bookings(&fixture, &ada).await.contains("No bookings yet"));

    let event_id = fixture.event(1, 4).await;
    claim(pool, event_id, ada.user_id, 0, "held").await;
    claim(pool, event_id, ada.user_id, 1, "sold").await;
    claim(pool, event_id, ben.user_id, 2, "held").await;
    claim(pool, event_id, ada.user_id, 3, "released").await;
    for (seat, change) in [
        ("A-1", "booking_date = now() - interval '3 days'"),
        (
            "A-2",
            "booking_date = now() - interval '1 day', status = 'completed', phase = 'closed', completed_at = now()",
        ),
        (
            "A-4",
            "booking_date = now() - interval '2 days', status = 'cancelled', phase = 'closed', reason = 'given-up'",
        ),
    ] {
        let sql = format!(
            "UPDATE bookings SET {change} WHERE booking_id IN
             (SELECT c.booking_id FROM claims c JOIN tickets t USING (ticket_id) WHERE t.seat_number = '{seat}')"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await.unwrap();
    }
    let html = bookings(&fixture, &ada).await;
    let order = [2, 4, 1].map(|seat| {
        html.find(&format!("<dd>Hall · Row A, seat {seat}</dd>")).unwrap_or_else(|| panic!("{seat} in {html}"))
    });
    assert!(order.is_sorted(), "newest first: {order:?}");
    for said in ["Yours", "You gave it up", "Waits for your payment", "$10.00", "Finish paying", "8:00 pm"] {
        assert!(html.contains(said), "{said} in {html}");
    }
    assert!(!html.contains("A-3"), "somebody else's");
    let mine: Vec<Uuid> = sqlx::query_scalar("SELECT booking_id FROM bookings WHERE user_id = $1")
        .bind(ada.user_id)
        .fetch_all(pool)
        .await
        .unwrap();
    for booking_id in mine {
        assert!(html.contains(&format!("href=\"/checkout/{booking_id}\"")));
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_for_good() {
    let fixture = Fixture::start().await;
    let fan = fixture.fan().await;
    let sign_out = async || {
        let request = fixture.http.post(format!("{}/account/sign-out", fixture.url));
        let request = request.header("cookie", format!("__Host-onsale-session={}", fan.session));
        request.header("sec-fetch-site", "same-origin").send().await.unwrap()
    };
    let out = sign_out().await;
    assert_eq!((out.status(), location(&out)), (StatusCode::SEE_OTHER, "/account"));
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let html = account(&fixture, Some(&fan.session), "?next=/queue/an-evening").await.text().await.unwrap();
    assert!(html.contains("your session is over") && html.contains("/account/sign-in"), "{html}");
    assert_eq!(sign_out().await.status(), StatusCode::SEE_OTHER, "twice is once");
}

#[tokio::test]
async fn without_postgres_the_page_says_so_and_asks_again() {
    let fixture = Fixture::start().await;
    let fan = fixture.fan().await;
    fixture.app.pool.close().await;
    let answer = account(&fixture, Some(&fan.session), "").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let html = answer.text().await.unwrap();
    assert!(html.contains("data-retry-after"), "{html}");
    // the forms themselves need nobody
    assert_eq!(account(&fixture, None, "").await.status(), StatusCode::OK);
}
