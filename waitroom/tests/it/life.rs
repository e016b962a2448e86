//! A place's life, situation by situation; docs/life-of-a-place.md tells the same in words.

use admission::line::{Phase, Stock};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::{
    events::open,
    kept::kept,
    stage::{Fan, Stage, read, slug, stage},
};

/// What must be the same for a place to be the same.
fn identity(document: &Value) -> (&Value, &Value) {
    (&document["place"], &document["order_key"])
}

fn with_pass(fan: &Fan<'_>, call: &str, document: &Value) -> RequestBuilder {
    fan.post(call).header("Onsale-Pass", document["pass"].as_str().unwrap())
}

/// A browser, with what it keeps in its cookies.
struct Browser {
    jar: Vec<String>,
    joined: Value,
}

impl Browser {
    async fn joins(s: &Stage) -> Self {
        let answer = s.http.post(s.path("join")).send().await.unwrap();
        let cookies = answer.headers().get_all("set-cookie").iter();
        let jar = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned()).collect();
        Self { jar, joined: answer.json().await.unwrap() }
    }

    fn asks(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("Cookie", self.jar.join("; ")).header("Sec-Fetch-Site", "same-origin")
    }
}

#[tokio::test]
async fn a_page_is_refreshed() {
    let s = stage(&[]).await;
    s.fan().join().await;
    let browser = Browser::joins(&s).await;
    for _ in 0..3 {
        let page = browser.asks(s.http.get(format!("{}/queue/evening", s.url))).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let (_, status) = read(browser.asks(s.http.get(s.path("status?shown=2")))).await;
        assert_eq!(identity(&status), identity(&browser.joined));
        assert_eq!(status["position"], 2);
    }
    assert_eq!(s.line.watch(&s.drop, None, false).await.unwrap().1.counts.waiting, 2, "nobody joined twice");
}

#[tokio::test]
async fn a_tab_is_closed_and_opened_again() {
    let s = stage(&[]).await;
    let (ahead, fan) = (s.fan(), s.fan());
    ahead.join().await;
    let (_, joined) = fan.join().await;
    let mut stream = open(fan.get("events")).await;
    let shown = stream.until("state").await;
    drop(stream);
    read(ahead.post("leave")).await;
    let mut stream = open(fan.get("events").header("Last-Event-ID", shown.id)).await;
    let back = stream.until("state").await.data;
    assert_eq!(identity(&back), identity(&joined));
    assert_eq!(back["position"], 1, "the line went on meanwhile");
}

#[tokio::test]
async fn several_tabs_are_one_place_and_one_admission() {
    let s = stage(&[]).await;
    let fan = s.fan();
    let (_, joined) = fan.join().await;
    let mut tabs = [open(fan.get("events")).await, open(fan.get("events")).await, open(fan.get("events")).await];
    for tab in &mut tabs {
        assert_eq!(identity(&tab.until("state").await.data), identity(&joined));
    }
    s.step().await;
    for tab in &mut tabs {
        tab.until("called").await;
    }
    let (one, two) = tokio::join!(fan.admit(), fan.admit());
    assert_eq!(one["admission"], two["admission"]);
    assert_eq!(s.line.watch(&s.drop, None, false).await.unwrap().1.counts.granted_total, 1);
}

#[tokio::test]
async fn a_phone_sleeps_past_the_claim_window_and_wakes_within_the_grace_time() {
    let s = stage(&[("claim_us", "1")]).await;
    let (fan, next) = (s.fan(), s.fan());
    let (_, joined) = fan.join().await;
    s.step().await;
    let lapsed = fan.status().await;
    assert_eq!((&lapsed["state"], &lapsed["called"]), (&json!("lapsed"), &json!(true)));
    next.join().await;
    s.step().await;
    // both are late; who was called first is let in first
    let admitted = fan.admit().await;
    assert_eq!(identity(&admitted), identity(&joined));
}

#[tokio::test]
async fn a_phone_sleeps_past_the_grace_time() {
    let s = stage(&[("claim_us", "1"), ("grace_us", "0")]).await;
    let fan = s.fan();
    let (_, joined) = fan.join().await;
    while fan.status().await["state"] != "ended" {
        s.step().await;
    }
    assert_eq!(fan.status().await["reason"], "lapsed");
    let (status, problem) = fan.claim().await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "place-ended"));
    s.order(Phase::Going, &[("claim_us", "60000000")]).await;
    let (status, anew) = read(fan.post("join").json(&json!({ "again": true }))).await;
    assert_eq!((status, &anew["state"]), (StatusCode::CREATED, &json!("waiting")));
    assert!(anew["order_key"].as_u64() > joined["order_key"].as_u64(), "at the end of the line");
}

#[tokio::test]
async fn a_fan_changes_networks() {
    let s = stage(&[]).await;
    let browser = Browser::joins(&s).await;
    // another of this machine's addresses
    let elsewhere = Client::builder().local_address(Some([127, 0, 0, 2].into())).build().unwrap();
    let (status, there) = read(browser.asks(elsewhere.get(s.path("status")))).await;
    assert_eq!((status, identity(&there)), (StatusCode::OK, identity(&browser.joined)));
    let (status, again) = read(browser.asks(elsewhere.post(s.path("join")))).await;
    assert_eq!((status, identity(&again)), (StatusCode::OK, identity(&browser.joined)));
}

#[tokio::test]
async fn a_browser_loses_the_pass_but_not_the_visitor_secret() {
    let s = stage(&[]).await;
    let mut browser = Browser::joins(&s).await;
    browser.jar.retain(|cookie| !cookie.contains("pass"));
    assert_eq!(browser.jar.len(), 1);
    let answer = browser.asks(s.http.get(format!("{}/queue/evening", s.url))).send().await.unwrap();
    let given = answer.headers().get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().contains("pass"));
    assert!(given, "the page gives it a new one");
    let (_, status) = read(browser.asks(s.http.get(s.path("status")))).await;
    assert_eq!(identity(&status), identity(&browser.joined));
}

#[tokio::test]
async fn redis_is_cleared_while_fans_wait() {
    let s = kept().await;
    let fans = [s.fan(), s.fan(), s.fan()];
    let mut joined = Vec::new();
    for fan in &fans {
        joined.push(fan.join().await.1);
    }
    s.keep().await;
    s.clear_redis().await;
    let (_, newcomer) = s.fan().join().await;
    // they come back in another order than they stood in
    for i in [2, 0, 1] {
        let (status, back) = read(with_pass(&fans[i], "join", &joined[i])).await;
        assert!(status.is_success());
        assert_eq!(identity(&back), identity(&joined[i]));
    }
    for (i, fan) in fans.iter().enumerate() {
        assert_eq!(fan.status().await["position"], i + 1, "nobody was overtaken");
    }
    assert!(newcomer["order_key"].as_u64() > joined[2]["order_key"].as_u64(), "newcomers are behind");
}

#[tokio::test]
async fn redis_is_cleared_while_a_fan_is_called() {
    let s = kept().await;
    let fan = s.fan();
    let (_, joined) = fan.join().await;
    s.step().await;
    assert_eq!(fan.status().await["state"], "called");
    s.keep().await;
    s.clear_redis().await;
    s.fan().join().await;
    let (_, back) = read(with_pass(&fan, "join", &joined)).await;
    assert_eq!(identity(&back), identity(&joined));
    s.step().await;
    assert_eq!(fan.status().await["state"], "called", "called again, before those behind");
    fan.admit().await;
}

#[tokio::test]
async fn redis_is_cleared_while_a_fan_is_inside() {
    let s = kept().await;
    let fan = s.fan();
    fan.join().await;
    let admitted = fan.admit().await;
    s.keep().await;
    s.clear_redis().await;
    let (_, back) = read(with_pass(&fan, "join", &admitted)).await;
    assert_eq!(back["state"], "admitted", "{back}");
    for same in ["admitted_at", "expires_at"] {
        assert_eq!(back["admission"][same], admitted["admission"][same], "the same admission: {same}");
    }
}

#[tokio::test]
async fn a_place_is_moved_to_another_device() {
    let s = stage(&[]).await;
    let (phone, laptop) = (s.fan(), s.fan());
    let (_, joined) = phone.join().await;
    let (_, code) = read(phone.post("code")).await;
    let (_, here) = read(laptop.post("move").json(&json!({ "code": code["code"] }))).await;
    assert_eq!(identity(&here), identity(&joined));
    let there = phone.status().await;
    assert_eq!((&there["state"], &there["reason"]), (&json!("left"), &json!("moved")));
    let (status, anew) = read(phone.post("join").json(&json!({ "again": true }))).await;
    assert_eq!((status, &anew["position"]), (StatusCode::CREATED, &json!(2)), "anew only behind");
}

#[tokio::test]
async fn a_fan_leaves_and_joins_again() {
    let s = stage(&[]).await;
    let (fan, next) = (s.fan(), s.fan());
    let (_, joined) = fan.join().await;
    next.join().await;
    read(fan.post("leave")).await;
    assert_eq!(fan.status().await["state"], "left");
    let (_, anew) = read(fan.post("join").json(&json!({ "again": true }))).await;
    assert_ne!(anew["place"], joined["place"]);
    assert_eq!((&anew["position"], &next.status().await["position"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn everything_is_sold() {
    let s = stage(&[]).await;
    let (fan, inside) = (s.fan(), s.fan());
    inside.join().await;
    inside.admit().await;
    fan.join().await;
    s.line.report_stock(&s.drop, Stock { capacity: 2, held: 0, sold: 2 }).await.unwrap();
    assert_eq!(fan.status().await["state"], "sold_out");
    assert_eq!(inside.status().await["state"], "admitted", "who is inside may finish");
    s.line.report_stock(&s.drop, Stock { capacity: 2, held: 0, sold: 1 }).await.unwrap();
    assert_eq!(fan.status().await["state"], "waiting", "a ticket came back, and so did the line");
}

#[tokio::test]
async fn the_drop_ends() {
    let s = stage(&[]).await;
    let (fan, inside) = (s.fan(), s.fan());
    inside.join().await;
    inside.admit().await;
    fan.join().await;
    s.order(Phase::Ended, &[]).await;
    let told = fan.status().await;
    assert_eq!((&told["state"], &told["reason"]), (&json!("ended"), &json!("drop-ended")));
    assert_eq!(inside.status().await["state"], "admitted", "who is inside may finish");
    let (status, problem) = s.fan().join().await;
    assert_eq!((status, slug(&problem)), (StatusCode::CONFLICT, "not-on-sale"));
    assert_eq!(read(fan.post("code")).await.0, StatusCode::FORBIDDEN, "nothing is left to move");
}
