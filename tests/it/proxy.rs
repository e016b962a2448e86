//! Two of each role as processes behind nginx, with the configuration that is shipped.

use crate::support::fan::Fan;
use crate::support::roles::Roles;

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_is_let_in_through_the_proxy() {
    let Some(roles) = Roles::start().await else { return };
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
