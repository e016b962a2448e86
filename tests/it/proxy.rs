//! Two of each role as processes behind nginx, with the configuration that is shipped.

use reqwest::{Client, Response};
use serde_json::Value;

use crate::support::fan::Fan;
use crate::support::roles::Roles;

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_is_let_in_through_the_proxy() {
    let roles = Roles::start().await;
    let event = roles.open_drop("an-evening", &[], &["--rate-per-minute", "6000"]).await;

    let fan = Fan::new(&roles.url);
    let (status, place) = fan.join("an-evening").await;
    assert_eq!(status, 201, "{place}");
    let (again, same) = fan.join("an-evening").await; // the other waitroom, likely: the same place
    assert_eq!((again.as_u16(), &same["place"]), (200, &place["place"]));
    let mut stream = fan.listen("an-evening", place["pass"].as_str().expect("a pass"), "?claim=auto").await;
    stream.next("state").await;
    let admitted = stream.next("admitted").await;
    assert!(admitted["admission"]["token"].is_string(), "{admitted}");

    let found = reqwest::get(format!("{}/events/details/{event}", roles.url)).await.expect("an answer");
    assert_eq!(found.status(), 200);
    let keys = reqwest::get(format!("{}/.well-known/jwks.json", roles.url)).await.expect("an answer");
    assert_eq!(keys.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_proxy_refuses_is_a_problem_document_too() {
    let mut roles = Roles::start().await;
    let join = format!("{}/queue/an-evening/join", roles.url);

    // too large for the role, which knows its limit, and for the proxy too
    for size in [100_000, 5_000_000] {
        let body = format!("\"{}\"", "x".repeat(size));
        let large = Client::new().post(&join).header("content-type", "application/json").body(body).send().await;
        let (status, told) = problem(large.expect("an answer")).await;
        assert_eq!((status, &told["type"]), (413, &"/problems/too-large".into()), "{told}");
    }

    // nobody to serve it
    roles.kill("booking-1").await;
    roles.kill("booking-2").await;
    let gone = reqwest::get(format!("{}/events/search?q=x", roles.url)).await.expect("an answer");
    assert_eq!(gone.headers()["retry-after"], "1");
    assert_eq!(gone.headers()["cache-control"], "no-store");
    let (status, told) = problem(gone).await;
    assert_eq!((status, &told["type"]), (503, &"/problems/unavailable".into()), "{told}");
    assert_eq!(told["status"], 503, "{told}");

    // people who navigate get a page that looks again by itself; what they pressed is theirs to repeat
    for (request, looks_again) in [(Client::new().get(&roles.url), true), (Client::new().post(&roles.url), false)] {
        let page = request.header("sec-fetch-mode", "navigate").send().await.expect("an answer");
        assert_eq!(
            (page.status().as_u16(), &page.headers()["content-type"]),
            (503, &"text/html; charset=utf-8".parse().unwrap())
        );
        let html = page.text().await.expect("a body");
        assert_eq!(html.contains("http-equiv=\"refresh\""), looks_again, "{html}");
    }
}

async fn problem(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {status} {text}")))
}
