//! The draw as fans and the public read it.

use admission::{
    draw::{
        ALGORITHM, Drawing, Entrants, Moment, Proof, SeedFrom, Stage, commitment,
        hexed::Hexed,
        list_bytes,
        tree::{Tree, proves},
    },
    drops::DrawSource,
    ids::Place,
    line::Phase,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::clock::Clock;

use crate::stage::{PUBLIC_URL, Stage as Hall, read, slug, stage};

const SECRET: [u8; 32] = [7; 32];
const OPENS_AT: u64 = 9_000_000_000_000_000;

fn proof(hall: &Hall, state: Stage, tree: Option<&Tree>) -> Proof {
    let known = (state >= Stage::Drawing).then(|| SECRET.into());
    let count = tree.map_or(0, |tree| tree.places().len() as u64);
    Proof {
        drop: hall.drop.clone(),
        algorithm: ALGORITHM.to_owned(),
        state,
        source: DrawSource::Commit,
        rules: vec!["fair".to_owned()],
        opens_at: Some(Moment(OPENS_AT)),
        lobby_closes_at: None,
        commitment: commitment(&SECRET).into(),
        entrants: tree.map(|tree| Entrants {
            count,
            root: tree.root().into(),
            list: format!("/queue/{}/draw/entrants", hall.drop),
            places: None,
        }),
        frozen_at: tree.map(|_| Moment(OPENS_AT)),
        beacon: None,
        seed_from: known.map(|_: Hexed<32>| SeedFrom::Secret),
        why: None,
        secret: known,
        seed: known,
        drawn: if state == Stage::Drawn { count } else { 0 },
        drawn_at: None,
    }
}

impl Hall {
    /// As admission shows it; answers once the waitroom has heard of it.
    async fn show(&self, proof: &Proof) -> Value {
        let text = serde_json::to_string(proof).unwrap();
        self.line.show_draw(&self.drop, &text, proof.state as u64, true).await.unwrap();
        let wanted = serde_json::to_value(proof).unwrap();
        loop {
            let (_, shown) = read(self.http.get(self.path("draw"))).await;
            if shown == wanted {
                return shown;
            }
        }
    }
}

fn place_of(document: &Value) -> Place {
    Place::parse(document["place"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn rules_list_and_receipts_are_shown_as_the_draw_goes_on() {
    let hall = stage(&[("opens_at", &OPENS_AT.to_string())]).await;
    let (status, problem) = read(hall.http.get(hall.path("draw"))).await;
    assert_eq!((status, slug(&problem)), (StatusCode::SERVICE_UNAVAILABLE, "restoring"), "nothing is known yet");
    let (status, problem) = read(hall.http.get(hall.path("draw").replace("evening", "nothing"))).await;
    assert_eq!((status, slug(&problem)), (StatusCode::NOT_FOUND, "drop"));

    hall.show(&proof(&hall, Stage::Announced, None)).await;
    let (status, problem) = read(hall.http.get(hall.path("draw/entrants"))).await;
    assert_eq!((status, slug(&problem)), (StatusCode::NOT_FOUND, "list"));
    let (fan, late) = (hall.fan(), hall.fan());
    let (_, joined) = fan.join().await;
    assert_eq!((&joined["state"], &joined["draw"]["state"]), (&json!("lobby"), &json!("announced")));
    assert!(joined["draw"]["index"].is_null() && joined["draw"]["root"].is_null());

    // the list closes
    let closed_at = Clock::system().now().as_microsecond().to_string();
    hall.order(Phase::Going, &[("lobby_closes_at", &closed_at)]).await;
    let mut places: Vec<_> = (1..5_000u128).map(|n| Place::from_bytes((n << 90).to_be_bytes())).collect();
    places.push(place_of(&joined));
    places.sort();
    let list = list_bytes(&places);
    let tree = Tree::new(places);
    hall.line.show_list(&hall.drop, &list).await.unwrap();
    hall.show(&proof(&hall, Stage::Closed, Some(&tree))).await;
    let asked = hall.http.get(hall.path("draw/entrants")).header("Accept-Encoding", "gzip");
    let answer = asked.send().await.unwrap();
    let name = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    assert_eq!(answer.headers().get("content-encoding"), None, "random bytes do not shrink");
    assert!(!name.starts_with("W/"));
    assert!(answer.bytes().await.unwrap() == list, "the list, byte for byte");
    let again = hall.http.get(hall.path("draw/entrants")).header("If-None-Match", name).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);

    let receipt = fan.status().await["draw"].clone();
    let index = receipt["index"].as_u64().unwrap();
    let path: Vec<[u8; 32]> = receipt["proof"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| *Hexed::<32>::parse(hash.as_str().unwrap()).unwrap().bytes())
        .collect();
    assert!(proves(&tree.root(), 5_000, index, place_of(&joined), &path), "{receipt}");
    assert_eq!((&receipt["root"], &receipt["key"]), (&json!(shared::encoding::hex(&tree.root())), &Value::Null));
    let (_, behind) = late.join().await;
    assert_eq!((&behind["state"], &behind["reason"]), (&json!("lobby"), &json!("late")));
    assert!(behind["draw"]["index"].is_null() && behind["draw"]["root"] == receipt["root"], "{behind}");
    assert!(behind["position"].is_null());

    hall.show(&proof(&hall, Stage::Drawn, Some(&tree))).await;
    let drawn = fan.status().await["draw"].clone();
    let key = Drawing::new(OPENS_AT, &SECRET).key(place_of(&joined));
    assert_eq!((&drawn["key"], &drawn["index"]), (&json!(key), &json!(index)));
}

#[tokio::test]
async fn a_list_that_is_not_that_of_the_root_is_not_shown() {
    let hall = stage(&[("opens_at", &OPENS_AT.to_string())]).await;
    let tree = Tree::new((1..50u128).map(|n| Place::from_bytes(n.to_be_bytes())).collect());
    hall.show(&proof(&hall, Stage::Closed, Some(&tree))).await;
    // Redis has lost it, or holds a part only
    hall.line.show_list(&hall.drop, &list_bytes(&tree.places()[..20])).await.unwrap();
    let (status, problem) = read(hall.http.get(hall.path("draw/entrants"))).await;
    assert_eq!((status, slug(&problem)), (StatusCode::SERVICE_UNAVAILABLE, "restoring"));
    let (status, joined) = hall.fan().join().await;
    assert_eq!((status, &joined["draw"]), (StatusCode::CREATED, &Value::Null), "a fan joins all the same");
    hall.line.show_list(&hall.drop, &list_bytes(tree.places())).await.unwrap();
    // it is read again until it is right, but not by everybody at once
    while hall.http.get(hall.path("draw/entrants")).send().await.unwrap().status() != StatusCode::OK {}
}

#[tokio::test]
async fn nobody_waits_for_the_list_to_be_read() {
    let hall = stage(&[("opens_at", &OPENS_AT.to_string())]).await;
    let fan = hall.fan();
    let (_, joined) = fan.join().await;
    let tree = Tree::new(vec![place_of(&joined)]);
    // no list at all: an answer that waited for it, or failed with it, would have no place to tell
    let shown = proof(&hall, Stage::Closed, Some(&tree));
    hall.show(&shown).await;
    let status = fan.status().await;
    assert_eq!((&status["state"], &status["draw"]), (&json!("lobby"), &Value::Null));
    hall.line.show_list(&hall.drop, &list_bytes(tree.places())).await.unwrap();
    while fan.status().await["draw"]["index"] != json!(0) {}
}

#[tokio::test]
async fn a_drop_that_ended_without_a_draw_says_so() {
    let hall = stage(&[]).await;
    hall.order(Phase::Ended, &[]).await;
    loop {
        let (status, problem) = read(hall.http.get(hall.path("draw"))).await;
        if status == StatusCode::NOT_FOUND {
            break assert_eq!(slug(&problem), "draw");
        }
        assert_eq!(slug(&problem), "restoring", "the end has not come here yet");
    }
}

/// Linked for people at the address by which programs check it.
#[tokio::test]
async fn how_the_draw_works_is_a_page_for_people_and_data_for_programs() {
    let hall = stage(&[]).await;
    let tree = Tree::new(vec![Place::from_bytes([1; 16]), Place::from_bytes([2; 16])]);
    let proof = proof(&hall, Stage::Drawn, Some(&tree));
    hall.show(&proof).await;
    let ask = async |path: &str, accept: &str| {
        let request = hall.http.get(hall.path(path)).header("accept", accept);
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let (kind, vary) = (header("content-type"), header("vary"));
        assert!(vary.contains("accept"), "{vary}");
        (kind, answer.text().await.unwrap())
    };
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (path, accept) in [("draw", "*/*"), ("draw", "application/json"), ("draw?json", browser)] {
        let (kind, text) = ask(path, accept).await;
        assert_eq!(kind, "application/json", "{path} {accept}");
        assert_eq!(serde_json::from_str::<Proof>(&text).unwrap(), proof);
    }
    for (lang, title) in [("en", "How the draw works"), ("de", "So funktioniert die Auslosung")] {
        let (kind, page) = ask(&format!("draw?lang={lang}"), browser).await;
        assert_eq!(kind, "text/html; charset=utf-8");
        let Entrants { root, .. } = proof.entrants.clone().unwrap();
        let told = [title.to_owned(), root.to_string(), proof.commitment.to_string(), proof.seed.unwrap().to_string()];
        for told in told {
            assert!(page.contains(&told), "{told} is not in {page}");
        }
        assert!(page.contains(&format!("verify {PUBLIC_URL}/queue/{}/draw<", hall.drop)));
    }
}
