//! "Mail me when it is my turn", as the fan asks for it.

use redis::AsyncCommands as _;
use reqwest::StatusCode;
use serde_json::json;

use crate::stage::{read, slug, stage};

#[tokio::test]
async fn who_waits_may_ask_for_a_mail_and_change_their_mind() {
    let s = stage(&[]).await;
    let fan = s.fan();
    assert_eq!(fan.join().await.1["mail"], false);
    let ask = |email: &str| fan.post("mail").json(&json!({ "email": email, "lang": "fr" }));
    assert_eq!(read(ask("ada@fans.example")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(fan.status().await["mail"], true);
    assert_eq!(fan.join().await.1["mail"], true);
    let kept: Vec<String> = s.world().redis.clone().hvals(s.key("mails")).await.unwrap();
    assert!(kept.len() == 1 && !kept[0].contains("ada"), "sealed");
    for bad in ["", "ada", "ada@", "a b@c.d", "ada@fans.example\r\nBcc: x@y.z"] {
        let (status, problem) = read(ask(bad)).await;
        assert_eq!((status, slug(&problem)), (StatusCode::UNPROCESSABLE_ENTITY, "email"), "{bad:?}");
    }
    let path = s.path("mail");
    let withdraw = || s.http.delete(&path).header("Onsale-Visitor", &fan.visitor);
    assert_eq!(read(withdraw()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(read(withdraw()).await.0, StatusCode::NO_CONTENT, "twice is once");
    assert_eq!(fan.status().await["mail"], false);
    assert!(!s.world().redis.clone().exists::<_, bool>(s.key("mails")).await.unwrap(), "nothing is left of it");
}

#[tokio::test]
async fn nobody_is_written_to_whose_turn_has_come_or_whose_place_is_over() {
    let s = stage(&[]).await;
    let (fan, other) = (s.fan(), s.fan());
    let ask = |fan: &crate::stage::Fan<'_>| fan.post("mail").json(&json!({ "email": "ada@fans.example" }));
    assert_eq!(read(ask(&fan)).await.0, StatusCode::NOT_FOUND);
    fan.join().await;
    s.step().await;
    let (status, problem) = read(ask(&fan)).await;
    assert_eq!((status, slug(&problem)), (StatusCode::CONFLICT, "limit"));
    other.join().await;
    read(other.post("leave")).await;
    let (status, problem) = read(ask(&other)).await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "place-ended"));
}

#[tokio::test]
async fn one_address_cannot_have_strangers_written_to() {
    let s = stage(&[]).await;
    for n in 0..60 {
        let fan = s.fan();
        fan.join().await;
        let (status, _) = read(fan.post("mail").json(&json!({ "email": format!("f{n}@fans.example") }))).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            return;
        }
    }
    panic!("sixty mails asked for from one address, and no limit");
}
