//! A place goes to another device: moved by a code, never copied.

use admission::{
    ids::VisitorSecret,
    session::Sessions,
    token::{Admission, Verifier},
};
use redis::AsyncCommands as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{clock::Clock, testing::keyring};

use crate::{
    events::open,
    kept::kept,
    stage::{Fan, PUBLIC_URL, Stage, read, slug, stage},
};

async fn code_of(fan: &Fan<'_>) -> String {
    let (status, body) = read(fan.post("code")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["code"].as_str().unwrap().to_owned()
}

async fn hand_in(fan: &Fan<'_>, code: &str) -> (StatusCode, Value) {
    read(fan.post("move").json(&json!({ "code": code }))).await
}

async fn refused(fan: &Fan<'_>, code: &str) -> (u16, String) {
    let (status, problem) = hand_in(fan, code).await;
    (status.as_u16(), slug(&problem).to_owned())
}

async fn moved(fan: &Fan<'_>, code: &str) -> Value {
    let (status, document) = hand_in(fan, code).await;
    assert_eq!(status, StatusCode::OK, "{document}");
    document
}

async fn is_elsewhere(fan: &Fan<'_>) -> bool {
    let status = fan.status().await;
    status["state"] == "left" && status["reason"] == "moved"
}

/// Makes every live code one that ran out long ago.
async fn age_codes(s: &Stage) {
    let mut redis = s.world().redis.clone();
    let codes: Vec<(String, String)> = redis.hgetall(s.key("codes")).await.unwrap();
    for (code, value) in codes.iter().filter(|(code, _)| !code.starts_with('@')) {
        let mut parts: Vec<&str> = value.split(':').collect();
        parts[2] = "1";
        let _: () = redis.hset(s.key("codes"), code, parts.join(":")).await.unwrap();
    }
}

#[tokio::test]
async fn a_code_brings_the_place_here_and_the_other_device_has_it_no_more() {
    let s = stage(&[]).await;
    let (first, phone, laptop) = (s.fan(), s.fan(), s.fan());
    first.join().await;
    let (_, joined) = phone.join().await;
    let mut stream = open(phone.get("events")).await;
    assert_eq!(stream.until("state").await.data["state"], "waiting");

    let code = code_of(&phone).await;
    assert_eq!((code.len(), code.as_bytes()[5]), (11, b'-'), "{code}");
    let typed = format!(" {} ", code.to_lowercase().replace('-', " "));
    let here = moved(&laptop, &typed).await;
    for same in ["place", "order_key", "position", "state"] {
        assert_eq!(here[same], joined[same], "{same}");
    }
    assert_eq!(here["visitor"], laptop.visitor);

    let told = stream.until("state").await.data;
    assert_eq!((&told["state"], &told["reason"]), (&json!("left"), &json!("moved")));
    let with_old_pass = read(phone.get("status").header("Onsale-Pass", joined["pass"].as_str().unwrap())).await.1;
    assert_eq!((&with_old_pass["state"], &with_old_pass["reason"]), (&json!("left"), &json!("moved")));
    assert_eq!(phone.join().await.1["reason"], "moved", "joining alone takes no new place");

    s.step().await;
    let (status, problem) = phone.claim().await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "place-ended"));
    assert_eq!(read(phone.post("leave")).await.0, StatusCode::NO_CONTENT);
    let admitted = laptop.admit().await;
    let token = admission_of(&s, &admitted).await;
    assert!(token.belongs_to(&VisitorSecret::parse(&laptop.visitor).unwrap()));
    assert_eq!(token.place.to_string(), joined["place"].as_str().unwrap());
    assert!(phone.status().await["admission"].is_null());
}

async fn admission_of(s: &Stage, document: &Value) -> Admission {
    let keys = s.http.get(format!("{}/.well-known/jwks.json", s.url)).send().await.unwrap().json().await.unwrap();
    let token = document["admission"]["token"].as_str().unwrap();
    Verifier::from_jwks(&keys, PUBLIC_URL).unwrap().verify(token, Clock::system().now()).unwrap()
}

#[tokio::test]
async fn a_code_works_once_for_three_minutes_and_in_its_own_line() {
    let s = stage(&[]).await;
    let (phone, laptop, stranger) = (s.fan(), s.fan(), s.fan());
    phone.join().await;
    let before = code_of(&phone).await;
    let (_, told) = read(phone.post("code")).await;
    let now = s.line.look(&s.drop, &[]).await.unwrap().0.now;
    let ends: jiff::Timestamp = told["expires_at"].as_str().unwrap().parse().unwrap();
    let left_s = (ends.as_microsecond().unsigned_abs() - now) / 1_000_000;
    assert!((170..=180).contains(&left_s), "{left_s}");
    let code = told["code"].as_str().unwrap();
    let unknown = || (404, "code".to_owned());
    assert_eq!(refused(&laptop, &before).await, unknown(), "a newer one was asked for");
    assert_eq!(refused(&laptop, "00000-00000").await, unknown());
    assert_eq!(refused(&laptop, "not a code").await, unknown());
    let elsewhere = s.path("move").replace("evening", "matinee");
    let other = s.http.post(elsewhere).header("Onsale-Visitor", &laptop.visitor).json(&json!({ "code": code }));
    assert_eq!(read(other).await.0, StatusCode::NOT_FOUND);
    moved(&laptop, code).await;
    assert_eq!(refused(&stranger, code).await, unknown(), "used");
    assert!(is_elsewhere(&phone).await && !is_elsewhere(&laptop).await);

    let late = code_of(&laptop).await;
    age_codes(&s).await;
    assert_eq!(refused(&stranger, &late).await, unknown(), "its time is over");
    assert_eq!(laptop.status().await["state"], "waiting", "and the place is where it was");
    assert_eq!(read(s.fan().post("code")).await.0, StatusCode::NOT_FOUND, "no place, no code");
}

#[tokio::test]
async fn a_place_is_moved_twice_and_back() {
    let s = stage(&[]).await;
    let (a, b, c) = (s.fan(), s.fan(), s.fan());
    let (_, joined) = a.join().await;
    let at_b = moved(&b, &code_of(&a).await).await;
    let at_c = moved(&c, &code_of(&b).await).await;
    assert_eq!((&at_b["place"], &at_c["place"]), (&joined["place"], &joined["place"]));
    assert!(is_elsewhere(&a).await && is_elsewhere(&b).await);
    let (status, problem) = read(b.post("code")).await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "place-ended"), "not theirs to move on");
    let back = moved(&a, &code_of(&c).await).await;
    assert_eq!((&back["place"], &back["order_key"]), (&joined["place"], &joined["order_key"]));
    assert!(is_elsewhere(&b).await && is_elsewhere(&c).await);
    assert_eq!(a.join().await.1["place"], joined["place"], "found without its pass");
    let admitted = a.admit().await;
    assert!(admission_of(&s, &admitted).await.belongs_to(&VisitorSecret::parse(&a.visitor).unwrap()));
    for (fan, document) in [(&b, &at_b), (&c, &at_c)] {
        let pass = document["pass"].as_str().unwrap();
        let (status, problem) = read(fan.post("claim").header("Onsale-Pass", pass)).await;
        assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "place-ended"));
    }
}

#[tokio::test]
async fn who_gave_a_place_away_takes_none_of_its_streams() {
    let s = stage(&[]).await;
    let (phone, laptop) = (s.fan(), s.fan());
    phone.join().await;
    moved(&laptop, &code_of(&phone).await).await;
    let mut open_ones = Vec::new();
    for _ in 0..8 {
        let mut frames = open(phone.get("events")).await;
        assert_eq!(frames.next().await.unwrap().data["reason"], "moved");
        open_ones.push(frames);
    }
    assert_eq!(
        open(phone.get("events")).await.next().await.unwrap().data["reason"],
        "place",
        "their own share is used"
    );
    let here = open(laptop.get("events")).await.next().await.unwrap();
    assert_eq!((here.event.as_str(), &here.data["state"]), ("state", &json!("waiting")));
}

#[tokio::test]
async fn a_place_moves_only_so_often() {
    let s = stage(&[]).await;
    let mut fans = vec![s.fan()];
    fans[0].join().await;
    let mut url = String::new();
    for moves in 0..17 {
        let (status, body) = read(fans[moves].post("code")).await;
        if moves == 16 {
            assert_eq!((status, slug(&body)), (StatusCode::CONFLICT, "limit"));
            return;
        }
        // one address may hand in only so many codes at a waitroom
        if moves % 8 == 0 {
            url = s.another().await;
        }
        let next = s.fan();
        let request = s.http.post(format!("{url}/queue/evening/move")).header("Onsale-Visitor", &next.visitor);
        assert_eq!(read(request.json(&json!({ "code": body["code"] }))).await.0, StatusCode::OK);
        fans.push(next);
    }
}

#[tokio::test]
async fn one_device_has_one_place_and_a_new_one_is_behind() {
    let s = stage(&[]).await;
    let (phone, laptop, other) = (s.fan(), s.fan(), s.fan());
    let (_, joined) = phone.join().await;
    let (_, own) = laptop.join().await;
    let code = code_of(&phone).await;
    assert_eq!(refused(&laptop, &code).await, (409, "limit".to_owned()), "it has a live place of its own");
    assert_eq!(refused(&phone, &code).await, (409, "limit".to_owned()), "it is here already");
    read(laptop.post("leave")).await;
    let here = moved(&laptop, &code).await;
    assert_eq!(here["place"], joined["place"]);
    assert_ne!(here["place"], own["place"]);
    assert_eq!(laptop.status().await["place"], joined["place"], "the place that was left is given up");

    other.join().await;
    let (status, anew) = read(phone.post("join").json(&json!({ "again": true }))).await;
    assert_eq!((status, &anew["state"], &anew["position"]), (StatusCode::CREATED, &json!("waiting"), &json!(3)));
    assert_eq!(phone.status().await["place"], anew["place"], "found without a pass");
    assert_eq!(phone.join().await.1["place"], anew["place"]);
    let (status, same) = read(phone.post("join").json(&json!({ "again": true }))).await;
    assert_eq!((status, &same["place"]), (StatusCode::OK, &anew["place"]), "again is for who has none");
    assert_eq!(refused(&phone, &code_of(&laptop).await).await, (409, "limit".to_owned()));
}

#[tokio::test]
async fn a_claimed_place_stays_with_its_device() {
    let s = stage(&[]).await;
    let (phone, laptop) = (s.fan(), s.fan());
    phone.join().await;
    s.step().await;
    assert_eq!(phone.status().await["state"], "called");
    let code = code_of(&phone).await;
    phone.admit().await;
    assert_eq!(refused(&laptop, &code).await, (409, "limit".to_owned()));
    let (status, problem) = read(phone.post("code")).await;
    assert_eq!((status, slug(&problem)), (StatusCode::CONFLICT, "limit"));
    assert!(problem["detail"].as_str().unwrap().contains("Sign in"), "{problem}");
    assert_eq!(phone.status().await["state"], "admitted");
}

#[tokio::test]
async fn a_claim_and_a_move_at_the_same_moment_admit_one_device() {
    let s = stage(&[]).await;
    let (mut moves, mut url) = (0, String::new());
    for round in 0..60 {
        let (phone, laptop) = (s.fan(), s.fan());
        phone.join().await;
        while phone.status().await["state"] == "waiting" {
            s.step().await;
        }
        // one address may ask for and hand in only so many codes at a waitroom
        if round % 8 == 0 {
            url = s.another().await + "/queue/evening";
        }
        let ask = s.http.post(format!("{url}/code")).header("Onsale-Visitor", &phone.visitor);
        let code = read(ask).await.1["code"].clone();
        let request = s.http.post(format!("{url}/move")).header("Onsale-Visitor", &laptop.visitor);
        let request = request.json(&json!({ "code": code }));
        // a claim takes two steps, a look and the claim: the move comes before, between and after them
        let hand_in = async {
            for _ in 0..round % 4 {
                read(s.http.get(s.path("pulse"))).await;
            }
            read(request).await
        };
        let ((claimed, claim), (handed_in, _)) = tokio::join!(phone.claim(), hand_in);
        let was_moved = handed_in == StatusCode::OK;
        if was_moved {
            moves += 1;
            assert_eq!((claimed, slug(&claim)), (StatusCode::FORBIDDEN, "place-ended"), "round {round}: {claim}");
            laptop.admit().await;
        } else {
            assert_eq!(handed_in, StatusCode::CONFLICT, "round {round}");
            phone.admit().await;
        }
        let inside = |document: Value| !document["admission"].is_null();
        assert_eq!(inside(phone.status().await), !was_moved, "round {round}");
        assert_eq!(inside(laptop.status().await), was_moved, "round {round}");
    }
    assert!((1..60).contains(&moves), "both came first now and then: {moves} moves of 60");
}

#[tokio::test]
async fn one_address_cannot_try_codes_one_after_the_other() {
    let s = stage(&[]).await;
    for _ in 0..40 {
        let (status, _) = hand_in(&s.fan(), "00000-00000").await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            return;
        }
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    panic!("forty codes tried from one address, and no limit");
}

#[tokio::test]
async fn a_browser_keeps_the_moved_place_in_cookies_and_another_site_cannot_move_it() {
    let s = stage(&[]).await;
    let phone = s.fan();
    let (_, joined) = phone.join().await;
    let code = code_of(&phone).await;
    let forged = s.http.post(s.path("move")).header("Sec-Fetch-Site", "cross-site").json(&json!({ "code": code }));
    let (status, problem) = read(forged).await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "cross-site"));
    let answer = s.http.post(s.path("move")).json(&json!({ "code": code })).send().await.unwrap();
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    let jar = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    let (_, status) = read(s.http.get(s.path("status")).header("Cookie", jar)).await;
    assert_eq!((&status["place"], &status["state"]), (&joined["place"], &json!("waiting")));
}

#[tokio::test]
async fn where_an_account_is_needed_a_place_moves_within_the_account() {
    let s = stage(&[("join_requires", "account")]).await;
    let (phone, laptop) = (s.fan(), s.fan());
    let end = Clock::system().now() + std::time::Duration::from_secs(60);
    let sessions = Sessions::new(&keyring());
    let (ada, eve) = (sessions.issue(uuid::Uuid::now_v7(), end), sessions.issue(uuid::Uuid::now_v7(), end));
    read(phone.post("join").bearer_auth(&ada)).await;
    assert_eq!(read(phone.post("code")).await.0, StatusCode::UNAUTHORIZED);
    let (_, code) = read(phone.post("code").bearer_auth(&ada)).await;
    let by = |token: &str| laptop.post("move").bearer_auth(token).json(&json!({ "code": code["code"] }));
    assert_eq!(read(laptop.post("move").json(&json!({ "code": code["code"] }))).await.0, StatusCode::UNAUTHORIZED);
    let (status, problem) = read(by(&eve)).await;
    assert_eq!((status, slug(&problem)), (StatusCode::FORBIDDEN, "place-bound"));
    assert_eq!(read(by(&ada)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_move_outlives_a_cleared_redis() {
    let s = kept().await;
    let (ahead, phone, laptop) = (s.fan(), s.fan(), s.fan());
    ahead.join().await;
    let (_, joined) = phone.join().await;
    let here = moved(&laptop, &code_of(&phone).await).await;
    s.keep().await;
    s.clear_redis().await;

    // the old device is the first to come back, with its pass, which is as good as it ever was
    let with = |fan: &Fan<'_>, call: &str, document: &Value| {
        fan.post(call).header("Onsale-Pass", document["pass"].as_str().unwrap())
    };
    let (_, old) = read(with(&phone, "join", &joined)).await;
    assert_eq!((&old["state"], &old["reason"]), (&json!("left"), &json!("moved")), "{old}");
    let (_, back) = read(with(&laptop, "join", &here)).await;
    assert_eq!((&back["place"], &back["order_key"]), (&joined["place"], &joined["order_key"]), "{back}");
    let admitted = laptop.admit().await;
    assert_eq!(admitted["place"], joined["place"]);
    assert_eq!(slug(&read(with(&phone, "claim", &joined)).await.1), "place-ended");
}

#[tokio::test]
async fn a_move_that_was_lost_with_redis_is_known_by_the_later_pass() {
    let s = kept().await;
    let (phone, laptop, slow, fast) = (s.fan(), s.fan(), s.fan(), s.fan());
    let (_, joined) = phone.join().await;
    let (_, slow_joined) = slow.join().await;
    s.keep().await;
    let here = moved(&laptop, &code_of(&phone).await).await;
    let taken = moved(&fast, &code_of(&slow).await).await;
    // within the second in which Postgres does not know of it
    s.clear_redis().await;

    let with = |fan: &Fan<'_>, call: &str, document: &Value| {
        fan.post(call).header("Onsale-Pass", document["pass"].as_str().unwrap())
    };
    // the old device is back first and has the place again, until the new one shows its pass
    assert_eq!(read(with(&phone, "join", &joined)).await.1["order_key"], joined["order_key"]);
    let (_, back) = read(with(&laptop, "join", &here)).await;
    assert_eq!((&back["place"], &back["order_key"]), (&joined["place"], &joined["order_key"]), "{back}");
    assert!(is_elsewhere(&phone).await);
    laptop.admit().await;
    assert_eq!(slug(&phone.claim().await.1), "place-ended");

    // unless it is inside by then: never two
    read(with(&slow, "join", &slow_joined)).await;
    slow.admit().await;
    let (_, late) = read(with(&fast, "join", &taken)).await;
    assert_ne!(late["place"], slow_joined["place"], "{late}");
    assert!(late["admission"].is_null() && !slow.status().await["admission"].is_null());
}
