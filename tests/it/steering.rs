//! Events, drops and operators by the command line.

use serde_json::json;

use crate::support::fan::Fan;
use crate::support::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_is_created_opened_tuned_and_ended() {
    let stack = Stack::start().await;
    let event = stack.event().await;
    let create = ["drop", "create", "an-evening", "--event", &event, "--rate-per-minute", "600", "--json"];
    let created = stack.tool(&create).await.ok().json();
    assert_eq!((&created["drop"], &created["state"]), (&"an-evening".into(), &"scheduled".into()), "{created}");
    let twice = stack.tool(&create).await;
    assert_eq!(twice.code, 1, "{twice:?}");

    let (status, place) = Fan::new(&stack.url).join("an-evening").await;
    assert_eq!((status.as_u16(), &place["state"]), (201, &"lobby".into()), "{place}");

    assert_eq!(stack.tool(&["drop", "open", "an-evening", "--json"]).await.ok().json()["state"], "running");
    let tuned = ["drop", "set", "an-evening", "--rate-per-minute", "60", "--title", "Ada live", "--json"];
    let tuned = stack.tool(&tuned).await.ok().json();
    assert_eq!((&tuned["rate_per_minute"], &tuned["title"]), (&60.into(), &"Ada live".into()));
    let paused = stack.tool(&["drop", "pause", "an-evening", "--reason", "A moment", "--json"]).await.ok().json();
    assert_eq!((&paused["state"], &paused["pause_reason"]), (&"paused".into(), &"A moment".into()));
    assert_eq!(stack.tool(&["drop", "resume", "an-evening", "--json"]).await.ok().json()["state"], "running");
    assert_eq!(stack.tool(&["drop", "list", "--json"]).await.ok().json()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(stack.tool(&["drop", "end", "an-evening", "--json"]).await.ok().json()["state"], "ended");
    assert!(stack.tool(&["drop", "show", "an-evening"]).await.ok().out.contains("ended"));

    let unknown = stack.tool(&["drop", "show", "another", "--json"]).await;
    assert_eq!((unknown.code, &unknown.problem()["type"]), (1, &"/problems/drop".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_wears_a_brand() {
    let stack = Stack::start().await;
    let event = stack.event().await;
    let dir = crate::support::folder();
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let (good, bad) = (write("good.svg", "<svg/>"), write("bad.svg", "<svg><script/></svg>"));
    let create = ["drop", "create", "an-evening", "--event", &event, "--rate-per-minute", "600", "--json"];
    let refused = stack.tool(&[&create[..], &["--logo", &bad]].concat()).await;
    assert_eq!((refused.code, &refused.problem()["type"]), (1, &"/problems/logo".into()), "{refused:?}");
    let worn = ["--brand-name", "The Hall", "--accent", "#00695A", "--logo", &good];
    let made = stack.tool(&[&create[..], &worn].concat()).await.ok().json();
    assert_eq!(made["brand"], json!({"name": "The Hall", "accent": "#00695a"}));
    let logo = made["logo"].as_str().expect("a logo");
    let picture = reqwest::get(format!("{}/queue/an-evening/logo/{logo}", stack.url)).await.expect("an answer");
    assert_eq!((picture.status().as_u16(), picture.text().await.expect("text")), (200, "<svg/>".to_owned()));

    let set = ["drop", "set", "an-evening", "--json"];
    let bare = stack.tool(&[&set[..], &["--accent", "", "--no-logo"]].concat()).await.ok().json();
    assert_eq!((&bare["brand"], &bare["logo"]), (&json!({"name": "The Hall"}), &json!(null)));
    assert_eq!(stack.tool(&[&set[..], &["--accent", "teal"]].concat()).await.code, 2);
    let missing = stack.tool(&[&set[..], &["--logo", "/nothing/here.svg"]].concat()).await;
    assert!(missing.code == 1 && missing.problem()["detail"].to_string().contains("/nothing/here.svg"), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_sign_in() {
    let stack = Stack::start().await;
    let added = stack.tool(&["operator", "add", "ops@example.org", "--json"]).await.ok().json();
    let password = added["password"].as_str().expect("a one-time password");
    assert_eq!(sign_in(&stack, "ops@example.org", password).await, 201);

    stack.tool_with(&["operator", "add", "two@example.org", "--password-stdin"], "correct horse battery\n").await.ok();
    assert_eq!(sign_in(&stack, "two@example.org", "correct horse battery").await, 201);
    assert_eq!(sign_in(&stack, "two@example.org", "wrong horse battery").await, 401);
    let twice = stack.tool(&["operator", "add", "ops@example.org"]).await;
    assert_eq!(twice.code, 1, "{twice:?}");
}

async fn sign_in(stack: &Stack, email: &str, password: &str) -> u16 {
    let answer = reqwest::Client::new()
        .post(format!("{}/ops/api/sessions", stack.url))
        .json(&json!({ "email": email, "password": password }))
        .send()
        .await
        .expect("an answer");
    answer.status().as_u16()
}
