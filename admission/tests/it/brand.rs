//! A drop's brand: by the API, where waitrooms read it, and again after a loss.

use admission::{
    drops,
    ids::DropId,
    line::{Line, Outcomes},
    marks::Keeper,
};
use redis::AsyncCommands as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::api::{Api, api, slug};

const SVG: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"/></svg>"#;
const PATH: &str = "/ops/api/drops/evening";

impl Api {
    async fn patch(&self, body: Value) -> (StatusCode, Value) {
        self.send(self.http.patch(format!("{}{PATH}", self.url)).json(&body)).await
    }

    async fn put_logo(&self, file: Vec<u8>) -> (StatusCode, Value) {
        self.send(self.http.put(format!("{}{PATH}/logo", self.url)).body(file)).await
    }

    /// What waitrooms read.
    async fn face(&self) -> (Value, Option<(Vec<u8>, String)>) {
        let (line, id) = (Line::new(self.world.redis.clone()), DropId::parse("evening").unwrap());
        let brand = line.watch(&id, None, true).await.unwrap().1.face.brand;
        (serde_json::from_str(&brand).unwrap_or_default(), line.logo(&id).await.unwrap())
    }
}

#[tokio::test]
async fn a_brand_is_given_shown_and_taken_away() {
    let api = api().await;
    api.make("evening").await;
    assert_eq!(api.face().await, (Value::Null, None));
    let (status, drop) = api.patch(json!({"brand": {"name": " The Hall ", "accent": "#FFD000"}})).await;
    assert_eq!((status, &drop["brand"]), (StatusCode::OK, &json!({"name": "The Hall", "accent": "#ffd000"})));
    let (face, _) = api.face().await;
    assert_eq!((&face["name"], &face["accent_dark"]), (&json!("The Hall"), &json!("#ffd000")));
    assert_eq!((&face["on_accent_dark"], &face["logo"]), (&json!("#000000"), &Value::Null));
    assert_ne!(face["accent"], "#ffd000", "yellow on white cannot be read");

    let (status, drop) = api.put_logo(SVG.into()).await;
    assert_eq!(status, StatusCode::OK, "{drop}");
    let (face, logo) = api.face().await;
    assert_eq!((&face["logo"], logo), (&drop["logo"], Some((SVG.into(), "image/svg+xml".to_owned()))));
    assert_eq!(face["name"], "The Hall");

    assert_eq!(api.patch(json!({"brand": {"accent": null}})).await.1["brand"], json!({"name": "The Hall"}));
    let delete = api.http.delete(format!("{}{PATH}/logo", api.url));
    assert_eq!(api.send(delete).await.1["logo"], Value::Null);
    api.patch(json!({"brand": {"name": null}})).await;
    assert_eq!(api.face().await, (Value::Null, None));

    let (_, audit) = api.get("/ops/api/audit?limit=5").await;
    let actions: Vec<_> = audit["items"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["drop.set", "drop.logo", "drop.set", "drop.logo", "drop.set"]);
    assert_eq!(audit["items"][3]["detail"]["logo"], drop["logo"]);
}

#[tokio::test]
async fn a_drop_is_made_with_a_brand() {
    let api = api().await;
    let event = crate::api::event(&api.world.pool).await;
    let settings = json!({"rate_per_minute": 60, "brand": {"name": "Ada & friends"}});
    let made = api.post("/ops/api/drops", &json!({"drop": "evening", "events": [event], "settings": settings})).await;
    assert_eq!((made.0, &made.1["brand"]["name"]), (StatusCode::CREATED, &json!("Ada & friends")));
    assert_eq!(api.face().await.0["name"], "Ada & friends");
}

#[tokio::test]
async fn what_is_no_brand_is_refused_with_the_reason() {
    let api = api().await;
    api.make("evening").await;
    for bad in [json!({"name": "x".repeat(61)}), json!({"name": "a\nb"}), json!({"accent": "yellow"})] {
        let (status, problem) = api.patch(json!({ "brand": bad })).await;
        assert_eq!((status.as_u16(), slug(&problem)), (422, "wrong-type"), "{bad}");
    }
    for (file, why) in [
        (SVG.replace("<path", "<script").into_bytes(), "a <script>"),
        (SVG.replace("<path", "<use href='https://evil.example/#a'/><path").into_bytes(), "outside of itself"),
        (b"GIF89a".to_vec(), "neither"),
        (Vec::new(), "neither"),
        (vec![b' '; 24 * 1024 + 1], "at most 24576 bytes"),
    ] {
        let (status, problem) = api.put_logo(file).await;
        assert_eq!((status.as_u16(), slug(&problem)), (422, "logo"), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
    let missing = api.http.put(format!("{}/ops/api/drops/nothing/logo", api.url)).body(SVG);
    assert_eq!(slug(&api.send(missing).await.1), "drop");
    let nobody = api.http.put(format!("{}{PATH}/logo", api.url)).body(SVG).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(api.face().await, (Value::Null, None));
    assert_eq!(api.get(PATH).await.1["version"], 1, "nothing was changed");
}

#[tokio::test]
async fn a_brand_and_the_report_card_come_back_after_a_loss_of_redis() {
    let world = shared::testing::world().await;
    let (line, id) = (Line::new(world.redis.clone()), DropId::parse("evening").unwrap());
    let settings = drops::Settings::at_rate(60);
    let new = drops::NewDrop { id: id.clone(), events: vec![crate::api::event(&world.pool).await], settings };
    drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    let logo = admission::brand::Logo::check(SVG.into()).unwrap();
    let drop = drops::change_logo(&world.pool, &line, &id, Some(&logo), "cli").await.unwrap();
    let noted = Outcomes { early: 3, right: 2, late: 1 };
    line.report_estimates(&id, noted).await.unwrap();
    line.report_estimates(&id, Outcomes { early: 1, ..Outcomes::default() }).await.unwrap();
    let mut keeper = Keeper::new(world.pool.clone(), 60);
    keeper.keep(&line, &drop).await.unwrap();

    for name in ["control", "face"] {
        let key = format!("{}:{{evening}}:{name}", world.redis.prefix());
        let _: () = world.redis.clone().del(key).await.unwrap();
    }
    assert!(line.report_estimates(&id, noted).await.is_err(), "nothing is counted in a line that is not there");
    assert_eq!(line.logo(&id).await.unwrap(), None);
    keeper.keep(&line, &drop).await.unwrap();
    assert_eq!(line.logo(&id).await.unwrap(), Some((SVG.into(), "image/svg+xml".to_owned())));
    let watched = line.watch(&id, None, true).await.unwrap().1;
    assert!(watched.face.brand.contains(&logo.file()), "{}", watched.face.brand);
    assert_eq!(watched.counts.estimates, Outcomes { early: 4, ..noted });
}

#[tokio::test]
async fn a_logo_that_went_away_meanwhile_is_not_named() {
    let world = shared::testing::world().await;
    let (line, id) = (Line::new(world.redis.clone()), DropId::parse("evening").unwrap());
    let events = vec![crate::api::event(&world.pool).await];
    let new = drops::NewDrop { id: id.clone(), events, settings: drops::Settings::at_rate(60) };
    drops::create(&world.pool, &line, &new, "cli").await.unwrap();
    let logo = admission::brand::Logo::check(SVG.into()).unwrap();
    let drop = drops::change_logo(&world.pool, &line, &id, Some(&logo), "cli").await.unwrap();
    sqlx::query("DELETE FROM drop_logos").execute(&world.pool).await.unwrap();
    drops::show_brand(&world.pool, &line, &drop).await.unwrap();
    assert_eq!(line.logo(&id).await.unwrap(), None);
    assert_eq!(line.watch(&id, None, true).await.unwrap().1.face.brand, "", "waitrooms would ask for it in vain");
}
