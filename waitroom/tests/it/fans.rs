//! What fans are answered.

use admission::{
    ids::VisitorSecret,
    line::{EndReason, Phase, Stock},
    token::Verifier,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{clock::Clock, testing::keyring};

use crate::stage::{PUBLIC_URL, read, slug, stage};

#[tokio::test]
async fn a_fan_joins_is_called_claims_and_holds_a_token_others_can_check() {
    let s = stage(&[]).await;
    let fan = s.fan();
    let (status, joined) = fan.join().await;
    assert_eq!(status, StatusCode::CREATED, "{joined}");
    assert_eq!((&joined["state"], &joined["position"], &joined["ahead"]), (&json!("waiting"), &json!(1), &json!(0)));
    assert!(joined["admission"].is_null() && joined["claim_deadline"].is_null());
    assert_eq!(joined["visitor"], fan.visitor);
    s.step().await;
    let called = fan.status().await;
    assert_eq!(called["state"], "called");
    assert!(called["claim_deadline"].is_string());
    let admitted = fan.admit().await;
    let keys = s.http.get(format!("{}/.well-known/jwks.json", s.url)).send().await.unwrap().json().await.unwrap();
    let verifier = Verifier::from_jwks(&keys, PUBLIC_URL).unwrap();
    let token = admitted["admission"]["token"].as_str().unwrap();
    let admission = verifier.verify(token, Clock::system().now()).unwrap();
    assert_eq!(admission.place.to_string(), admitted["place"].as_str().unwrap());
    assert!(admission.belongs_to(&VisitorSecret::parse(&fan.visitor).unwrap()));
    let again = fan.status().await;
    assert_eq!(again["admission"], admitted["admission"], "the same admission, not a second one");
}

#[tokio::test]
async fn joining_again_is_the_same_place_with_or_without_the_pass() {
    let s = stage(&[]).await;
    let fan = s.fan();
    let (_, first) = fan.join().await;
    let (status, second) = fan.join().await;
    assert_eq!(
        (status, &second["place"], &second["order_key"]),
        (StatusCode::OK, &first["place"], &first["order_key"])
    );
    let pass = first["pass"].as_str().unwrap();
    let (status, third) = read(fan.post("join").header("Onsale-Pass", pass)).await;
    assert_eq!((status, &third["place"]), (StatusCode::OK, &first["place"]));
}

#[tokio::test]
async fn a_browser_keeps_its_place_in_cookies() {
    let s = stage(&[]).await;
    let answer = s.http.post(s.path("join")).send().await.unwrap();
    let cookies: Vec<_> =
        answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    assert_eq!(cookies.len(), 2);
    for cookie in &cookies {
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Secure"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
    }
    let first: Value = answer.json().await.unwrap();
    let jar = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
    let same_site =
        |request: reqwest::RequestBuilder| request.header("Cookie", &jar).header("Sec-Fetch-Site", "same-origin");
    let (status, second) = read(same_site(s.http.post(s.path("join")))).await;
    assert_eq!((status, &second["place"]), (StatusCode::OK, &first["place"]));
    let forged = s.http.post(s.path("leave")).header("Cookie", &jar).header("Sec-Fetch-Site", "cross-site");
    let (status, problem) = read(forged).await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "cross-site"));
}

#[tokio::test]
async fn bad_input_gets_its_status_and_slug_and_loses_nothing() {
    let s = stage(&[]).await;
    let (fan, stranger) = (s.fan(), s.fan());
    let (_, joined) = fan.join().await;
    let (_, other) = stranger.join().await;
    let pass = joined["pass"].as_str().unwrap();
    let letter = if pass.as_bytes()[20] == b'A' { 'B' } else { 'A' };
    let forged = format!("{}{letter}{}", &pass[..20], &pass[21..]);
    let (nowhere, nowhere_else) =
        (s.path("join").replace("evening", "nothing"), s.path("join").replace("evening", "No!"));

    let refusals = [
        (s.http.post(&nowhere), 404, "drop"),
        (s.http.post(&nowhere_else), 404, "drop"),
        (s.http.get(nowhere.replace("join", "pulse")), 404, "drop"),
        (fan.get("status").header("Onsale-Pass", &forged), 401, "pass-invalid"),
        (fan.get("status").header("Onsale-Pass", other["pass"].as_str().unwrap()), 403, "visitor-mismatch"),
        (s.http.get(s.path("status")).header("Onsale-Pass", pass), 401, "pass-invalid"),
        (s.http.get(s.path("status")), 404, "place"),
        (s.fan().get("status"), 404, "place"),
        (s.fan().post("claim"), 404, "place"),
        (s.http.post(s.path("join")).header("Onsale-Visitor", "short"), 400, "malformed"),
        (fan.post("join").json(&json!({"agian": true})), 422, "unknown-field"),
        (fan.post("join").json(&json!({"again": "yes"})), 422, "wrong-type"),
        (fan.post("join").header("Content-Type", "application/json").body("{"), 400, "malformed"),
        (fan.post("join").header("Content-Type", "text/plain").body("again"), 415, "unsupported-type"),
        (fan.post("join").header("Content-Type", "application/json").body(vec![b' '; 1 << 20]), 413, "too-large"),
        (fan.get("status?shown=many"), 400, "malformed"),
    ];
    for (request, status, expected) in refusals {
        let shown = format!("{request:?}");
        let (got, problem) = read(request).await;
        assert_eq!((got.as_u16(), slug(&problem)), (status, expected), "{shown} {problem}");
    }
    let after = fan.status().await;
    assert_eq!((&after["place"], &after["order_key"]), (&joined["place"], &joined["order_key"]));
}

#[tokio::test]
async fn leaving_gives_the_place_up_and_again_takes_a_new_one_at_the_end() {
    let s = stage(&[]).await;
    let (fan, next) = (s.fan(), s.fan());
    let (_, first) = fan.join().await;
    next.join().await;
    assert_eq!(read(fan.post("leave")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(read(fan.post("leave")).await.0, StatusCode::NO_CONTENT, "twice is once");
    assert_eq!(fan.status().await["state"], "left");
    assert_eq!(next.status().await["position"], 1);
    let (status, problem) = fan.claim().await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "place-ended"));
    assert_eq!(fan.join().await.1["state"], "left", "joining alone does not give a place up");
    let (status, second) = read(fan.post("join").json(&json!({"again": true}))).await;
    assert_eq!((status, &second["state"], &second["position"]), (StatusCode::CREATED, &json!("waiting"), &json!(2)));
    assert_ne!(second["place"], first["place"]);
    let (status, third) = fan.join().await;
    assert_eq!((status, &third["place"]), (StatusCode::OK, &second["place"]), "found without a pass");
}

#[tokio::test]
async fn pause_sold_out_and_end_are_told_with_their_reasons() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    s.pause("The shop takes a breath.").await;
    let paused = fan.status().await;
    assert_eq!((&paused["state"], &paused["reason"]), (&json!("paused"), &json!("The shop takes a breath.")));
    assert!(paused["estimate"].is_null(), "nobody can say while paused");
    s.resume().await;
    assert_eq!(fan.status().await["state"], "waiting");
    s.line.report_stock(&s.drop, Stock { capacity: 5, held: 2, sold: 3 }).await.unwrap();
    let covered = fan.status().await;
    assert_eq!((&covered["state"], &covered["reason"]), (&json!("paused"), &json!("covered")));
    s.line.report_stock(&s.drop, Stock { capacity: 5, held: 1, sold: 3 }).await.unwrap();
    assert_eq!(fan.status().await["state"], "waiting", "a lapsed hold goes on with the line by itself");
    s.line.report_stock(&s.drop, Stock { capacity: 5, held: 0, sold: 5 }).await.unwrap();
    assert_eq!(fan.status().await["state"], "sold_out");
    s.order(Phase::Ended, &[]).await;
    let ended = fan.status().await;
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("ended"), &json!("drop-ended")));
}

#[tokio::test]
async fn a_finished_place_is_never_admitted_again() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let admitted = fan.admit().await;
    let place = admission::ids::Place::parse(admitted["place"].as_str().unwrap()).unwrap();
    s.line.end_place(&s.drop, place, EndReason::Finished).await.unwrap();
    let after = fan.status().await;
    assert_eq!((&after["state"], &after["admission"]), (&json!("finished"), &Value::Null));
    assert_eq!(slug(&fan.claim().await.1), "place-ended");
}

#[tokio::test]
async fn a_drop_may_ask_for_an_account_and_gives_it_one_place() {
    let s = stage(&[("join_requires", "account")]).await;
    let (fan, second_browser) = (s.fan(), s.fan());
    let (status, problem) = fan.join().await;
    assert_eq!((status, slug(&problem)), (StatusCode::UNAUTHORIZED, "session-missing"));
    let sessions = admission::session::Sessions::new(&keyring());
    let end = Clock::system().now() + std::time::Duration::from_secs(60);
    let token = sessions.issue(uuid::Uuid::now_v7(), end);
    assert_eq!(read(fan.post("join").bearer_auth(&token)).await.0, StatusCode::CREATED);
    let (status, problem) = read(second_browser.post("join").bearer_auth(&token)).await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "place-bound"));
    let (status, problem) = read(second_browser.post("join").bearer_auth("forged")).await;
    assert_eq!((status, slug(&problem)), (StatusCode::UNAUTHORIZED, "session-invalid"));
}

#[tokio::test]
async fn the_pulse_tells_everybody_the_totals() {
    let s = stage(&[]).await;
    s.fan().join().await;
    let answer = s.http.get(s.path("pulse")).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "public, max-age=1");
    let pulse: Value = answer.json().await.unwrap();
    assert_eq!(
        (&pulse["state"], &pulse["rate_per_minute"], &pulse["burst"]),
        (&json!("running"), &json!(60_000), &json!(250.0))
    );
    assert_eq!(pulse["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_ended_drop_gives_no_new_places() {
    let s = stage(&[]).await;
    s.order(Phase::Ended, &[]).await;
    let (status, problem) = s.fan().join().await;
    assert_eq!((status, slug(&problem)), (StatusCode::CONFLICT, "not-on-sale"));
}

#[tokio::test]
async fn one_address_cannot_flood_the_line() {
    let s = stage(&[]).await;
    for _ in 0..400 {
        let answer = s.http.post(s.path("join")).send().await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.headers().contains_key("retry-after"));
            return;
        }
    }
    panic!("four hundred joins at once from one address, and no limit");
}

#[tokio::test]
async fn a_form_on_another_site_cannot_replace_a_visitor() {
    let s = stage(&[]).await;
    let form =
        s.http.post(s.path("join")).header("Sec-Fetch-Site", "cross-site").header("Origin", "https://evil.example");
    let answer = form.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.headers().get("set-cookie").is_none());
}
