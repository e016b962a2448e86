//! Seat choice as a browser without scripts does it, and the live map.

use admission::drops;
use serde_json::Value;

use super::browser::{Browser, fields};
use crate::fixture::{Fixture, Sale};

fn seats_of(sale: &Sale) -> String {
    format!("/e/{}/seats", sale.event_id)
}

#[tokio::test]
async fn everybody_may_look_and_is_shown_to_the_line() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(2, 4).await;
    let page = Browser::new(&fixture).get(&seats_of(&sale)).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains(&format!(r#"href="/queue/{}""#, sale.drop)), "{}", page.text);
    assert!(!page.text.contains("<form"), "nothing to send: {}", page.text);
    let unsold = fixture.event(1, 2).await;
    let page = Browser::new(&fixture).get(&format!("/e/{unsold}/seats")).await;
    assert!(page.status == 200 && page.text.contains("not on sale"), "{}", page.text);
    let nothing = Browser::new(&fixture).get("/e/no-event/seats").await;
    assert_eq!(nothing.status, 404);
}

#[tokio::test]
async fn pressing_twice_holds_once_and_taken_seats_leave_the_others_chosen() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(2, 4).await;
    let one = Browser::admitted(&fixture, &sale).await;
    let other = Browser::admitted(&fixture, &sale).await;
    let page = one.get(&seats_of(&sale)).await;
    let key = page.field("key");
    let wish = fields(&[("key", &key), ("zone", "hall"), ("seats", "A-1"), ("seats", "A-2")]);
    let path = seats_of(&sale);
    let (first, second) = tokio::join!(one.post(&path, &wish), one.post(&path, &wish));
    let again = one.post(&seats_of(&sale), &wish).await;
    // whichever came second, and whether the first was done by then or not
    assert_eq!((first.location(), second.location()), (again.location(), again.location()));
    assert!(!again.location().contains('?'), "these are the seats asked for: {}", again.location());
    let bookings: i64 =
        sqlx::query_scalar("SELECT count(*) FROM bookings").fetch_one(&fixture.world.pool).await.unwrap();
    assert_eq!(bookings, 1);

    // another choice leads to what is held already, and says so: be it free or their own
    for (key, seat) in [(key.as_str(), "B-1"), ("new", "B-1"), ("new", "A-1")] {
        let anew = one.post(&seats_of(&sale), &fields(&[("key", key), ("seats", seat)])).await;
        assert_eq!(anew.location(), format!("{}?held=already", first.location()));
    }
    let open = one.get(&seats_of(&sale)).await;
    assert!(open.text.contains("You are holding seats already"), "{}", open.text);
    assert!(open.text.contains(&format!(r#"href="{}""#, first.location())) && !open.text.contains("<form"));

    let key = other.get(&seats_of(&sale)).await.field("key");
    let late = other.post(&seats_of(&sale), &fields(&[("key", &key), ("seats", "A-2"), ("seats", "A-3")])).await;
    assert_eq!(late.status, 409);
    assert!(late.text.contains("Seat A-2 has just been taken"), "{}", late.text);
    assert!(late.checked("A-3") && !late.checked("A-2"), "{}", late.text);
    assert_ne!(late.field("key"), key, "a new try is a new wish");
}

#[tokio::test]
async fn the_best_seats_come_without_a_list() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(2, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let key = fan.get(&seats_of(&sale)).await.field("key");
    let held =
        fan.post(&seats_of(&sale), &fields(&[("key", &key), ("best", "1"), ("quantity", "2"), ("tier", "")])).await;
    assert_eq!(held.status, 303, "{}", held.text);
    let page = fan.get(&held.location()).await;
    assert!(page.text.contains("Row A, seat 1") && page.text.contains("Row A, seat 2"), "{}", page.text);

    let another = Browser::admitted(&fixture, &sale).await;
    let many = fields(&[("key", "k"), ("best", "1"), ("quantity", "7")]);
    let refused = another.post(&seats_of(&sale), &many).await;
    assert!(refused.status == 409 && refused.text.contains("not that many"), "{} {}", refused.status, refused.text);
    let none = another.post(&seats_of(&sale), &fields(&[("key", "k")])).await;
    assert!(none.status == 422 && none.text.contains("Choose your seats"), "{}", none.text);
}

#[tokio::test]
async fn seats_held_while_the_provider_is_away_are_not_lost() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    // the same stores, asked by a process whose provider nobody answers for
    let gone = crate::fixture::listen().local_addr().expect("bound");
    let away = fixture.beside(serde_json::json!({ "stripe": { "api_base": format!("http://{gone}") } })).await;
    let wish = fields(&[("key", "k"), ("seats", "A-1"), ("seats", "A-2")]);
    let held = fan.post(&format!("{away}{}", seats_of(&sale)), &wish).await;
    let page = fan.get(&held.location()).await;
    assert!(page.text.contains("Row A, seat 1") && page.text.contains("Row A, seat 2"), "{}", page.text);
    assert!(!held.location().contains('?'), "these are the seats asked for: {}", held.location());
}

#[tokio::test]
async fn who_is_inside_when_the_drop_ends_may_finish() {
    let fixture = Fixture::with(serde_json::json!({ "availability_ms": 1 })).await;
    let sale = fixture.on_sale(1, 4).await;
    let (inside, other) = (Browser::admitted(&fixture, &sale).await, Browser::admitted(&fixture, &sale).await);
    drops::end(&fixture.world.pool, &fixture.app.line, &sale.drop, "test").await.unwrap();
    let path = seats_of(&sale);
    let page = inside.get(&path).await;
    assert!(page.text.contains("Hold these seats"), "{}", page.text);
    let wish = fields(&[("key", &page.field("key")), ("seats", "A-1")]);
    assert!(inside.post(&path, &wish).await.location().starts_with("/checkout/"));

    let outside = Browser::signed_in(&fixture).await;
    for page in [outside.get(&path).await, outside.post(&path, &wish).await] {
        assert!(page.text.contains("not on sale") && !page.text.contains("/queue/"), "{}", page.text);
    }
    fixture.clock.advance(std::time::Duration::from_secs(1_000));
    assert_eq!(other.post(&path, &wish).await.status, 409, "until their turn ends");
}

#[tokio::test]
async fn a_turn_that_bought_is_used_up() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(1, 4).await;
    let fan = Browser::admitted(&fixture, &sale).await;
    let path = seats_of(&sale);
    let held = fan.post(&path, &fields(&[("key", "k"), ("seats", "A-1")])).await.location();
    assert_eq!(fan.post(&held, &fields(&[("do", "pay"), ("card", "approves")])).await.status, 303);
    let page = fan.get(&path).await;
    assert!(page.text.contains("You have used this turn") && page.text.contains("See my bookings"), "{}", page.text);
    assert!(page.text.contains(&format!(r#"href="/queue/{}""#, sale.drop)), "{}", page.text);
    assert!(!page.text.contains("<form") && !page.text.contains("data-countdown"), "{}", page.text);
}

#[tokio::test]
async fn nothing_left_is_said_instead_of_offered() {
    let fixture = Fixture::with(serde_json::json!({ "availability_ms": 1 })).await;
    let sale = fixture.on_sale(1, 2).await;
    let (one, other) = (Browser::admitted(&fixture, &sale).await, Browser::admitted(&fixture, &sale).await);
    sqlx::query("UPDATE events SET layout_hash = NULL").execute(&fixture.world.pool).await.unwrap();
    let wish = fields(&[("key", "k"), ("best", "1"), ("quantity", "2")]);
    let held = one.post(&seats_of(&sale), &wish).await.location();
    let path = seats_of(&sale);
    let page = other.get(&path).await;
    assert!(page.text.contains("Look again") && !page.text.contains("Hold these"), "{}", page.text);
    assert_eq!(one.post(&held, &fields(&[("do", "pay"), ("card", "approves")])).await.status, 303);
    let page = other.get(&path).await;
    assert!(page.text.contains("Sold out") && !page.text.contains("Hold these"), "{}", page.text);
}

#[tokio::test]
async fn only_who_was_let_in_buys() {
    let fixture = Fixture::start().await;
    let (sale, elsewhere) = (fixture.on_sale(1, 4).await, fixture.on_sale(1, 4).await);
    let wish = fields(&[("key", "k"), ("seats", "A-1")]);
    let path = seats_of(&sale);

    let stranger = Browser::signed_in(&fixture).await;
    let refused = stranger.post(&path, &wish).await;
    assert!(refused.status == 401 && refused.text.contains("It is not your turn"), "{}", refused.text);

    // an admission to another drop, under this drop's name
    let mut foreign = Browser::admitted(&fixture, &elsewhere).await;
    foreign.rename(&elsewhere.drop, &sale.drop);
    assert_eq!(foreign.post(&path, &wish).await.status, 401);

    // a copied token without the visitor secret it is bound to
    let owner = Browser::admitted(&fixture, &sale).await;
    let mut thief = Browser::signed_in(&fixture).await;
    thief.copy_admission(&owner, &sale.drop);
    let refused = thief.post(&path, &wish).await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    assert!(!thief.get(&path).await.text.contains("Hold these seats"));

    // the turn is over
    fixture.clock.advance(std::time::Duration::from_secs(1_000));
    let late = owner.post(&path, &wish).await;
    assert!(late.status == 401 && late.text.contains("See whether your turn still runs"), "{}", late.text);
    assert!(owner.get(&path).await.text.contains("See whether your turn still runs"));
    assert!(late.text.contains(&format!(r#"href="/queue/{}""#, sale.drop)));
    let bookings: i64 =
        sqlx::query_scalar("SELECT count(*) FROM bookings").fetch_one(&fixture.world.pool).await.unwrap();
    assert_eq!(bookings, 0);
}

#[tokio::test]
async fn signing_in_on_the_way_keeps_the_choice() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(2, 4).await;
    let mut fan = Browser::admitted(&fixture, &sale).await;
    fan.sign_out();
    let wish = fields(&[("key", "k"), ("seats", "A-1"), ("seats", "B-2"), ("seats", "<none>")]);
    let sent = fan.post(&seats_of(&sale), &wish).await;
    let next =
        form_urlencoded::parse(sent.location().split_once('?').unwrap().1.as_bytes()).next().unwrap().1.into_owned();
    let plain = format!("{}?seats=A-1,B-2&signed-in=1", seats_of(&sale));
    assert!(next.starts_with(&format!("{plain}&key=k&wish=")), "{next}");
    assert_eq!(fan.get(&next).await.location(), plain, "an address holds nothing");
    let next = plain;
    let back = fan.get(&next).await;
    assert!(!back.text.contains("You are signed in"), "not yet: {}", back.text);
    let fan = Browser::admitted(&fixture, &sale).await;
    let back = fan.get(&next).await;
    assert!(back.text.contains("Nothing is held yet"), "{}", back.text);
    assert!(back.checked("A-1") && back.checked("B-2") && !back.checked("A-2"), "{}", back.text);
    assert!(back.text.contains("$20.00"), "the total: {}", back.text);

    let other_zone = fan.get(&format!("{}?key=k&zone=hall&seats=A-1&seats=B-2", seats_of(&sale))).await;
    assert_eq!(other_zone.location(), format!("{}?seats=A-1,B-2&zone=hall", seats_of(&sale)));
}

#[tokio::test]
async fn names_are_text() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(1, 2).await;
    sqlx::query("UPDATE events SET name = $1").bind(r#"<script>"&'"#).execute(&fixture.world.pool).await.unwrap();
    let fan = Browser::admitted(&fixture, &sale).await;
    let page = fan.get(&format!("{}?seats=%22%3E%3Cb%3E&zone=%22%3E%3Cb%3E&tier=%3Cb%3E", seats_of(&sale))).await;
    assert!(!page.text.contains("<script>\"") && !page.text.contains("<b>"), "{}", page.text);
    assert!(page.text.contains("&#60;script&#62;"), "{}", page.text);
}

#[tokio::test]
async fn the_live_map_tells_what_changes_and_resumes() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(1, 8).await;
    let path = format!("/events/{}/seats/stream", sale.event_id);
    let mut stream = Stream::open(&fixture, &path, None).await;
    let first = stream.next().await;
    assert_eq!((first.name.as_str(), &first.data["version"]), ("snapshot", &Value::from(first.id.clone())));
    assert_eq!(first.data["counts"]["available"], 8);

    let fan = Browser::admitted(&fixture, &sale).await;
    let held = fan.post(&seats_of(&sale), &fields(&[("key", "k"), ("seats", "A-3"), ("seats", "A-4")])).await;
    assert_eq!(held.status, 303, "{}", held.text);
    let delta = stream.next().await;
    assert_eq!((delta.name.as_str(), &delta.data["changes"]), ("delta", &serde_json::json!([[2, 1], [3, 1]])));
    assert_eq!(delta.data["version"], delta.id.as_str());

    // a stream that broke before goes on with what it missed, one of another counting begins anew
    let resumed = Stream::open(&fixture, &path, Some(&first.id)).await.next().await;
    assert_eq!((resumed.name.as_str(), &resumed.data), ("delta", &delta.data));
    for unknown in ["1-1", "nonsense", &format!("{}-99", first.id.split_once('-').unwrap().0)] {
        let fresh = Stream::open(&fixture, &path, Some(unknown)).await.next().await;
        assert_eq!((fresh.name.as_str(), fresh.id.as_str()), ("snapshot", delta.id.as_str()));
    }
    let nothing = fixture.http.get(format!("{}/events/{}/seats/stream", fixture.url, uuid::Uuid::nil()));
    assert_eq!(nothing.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn without_room_a_stream_is_asked_to_come_back() {
    let fixture = Fixture::with(serde_json::json!({ "streams_max": 1 })).await;
    let sale = fixture.on_sale(1, 2).await;
    let path = format!("/events/{}/seats/stream", sale.event_id);
    let mut one = Stream::open(&fixture, &path, None).await;
    assert_eq!(one.next().await.name, "snapshot");
    let mut other = Stream::open(&fixture, &path, None).await;
    let bye = other.next().await;
    assert_eq!((bye.name.as_str(), &bye.data["retry_after_s"]), ("bye", &Value::from(3)));
    assert!(other.ended().await);
}

#[tokio::test]
async fn only_what_is_on_sale_is_watched_and_not_without_end() {
    let fixture = Fixture::with(serde_json::json!({ "seats_watched_max": 1, "streams_per_address_max": 2 })).await;
    let still = async |event: uuid::Uuid| {
        let mut stream = Stream::open(&fixture, &format!("/events/{event}/seats/stream"), None).await;
        let (first, bye) = (stream.next().await, stream.next().await);
        assert_eq!((first.name.as_str(), bye.name.as_str()), ("snapshot", "bye"));
        assert_eq!(bye.data["retry_after_s"], 30);
        assert!(stream.ended().await);
    };
    still(fixture.event(1, 2).await).await; // in no drop
    let over = fixture.on_sale(1, 2).await;
    drops::end(&fixture.world.pool, &fixture.app.line, &over.drop, "test").await.unwrap();
    still(over.event_id).await;

    let (sale, other) = (fixture.on_sale(1, 2).await, fixture.on_sale(1, 2).await);
    let path = format!("/events/{}/seats/stream", sale.event_id);
    let mut watching = Stream::open(&fixture, &path, None).await;
    assert_eq!(watching.next().await.name, "snapshot");
    still(other.event_id).await; // one too many to watch
    let _second = Stream::open(&fixture, &path, None).await;
    assert_eq!(Stream::open(&fixture, &path, None).await.next().await.name, "bye", "one too many of this address");
    let fan = Browser::admitted(&fixture, &sale).await;
    let held = fan.post(&seats_of(&sale), &fields(&[("key", "k"), ("seats", "A-1")])).await;
    assert_eq!(held.status, 303);
    assert_eq!(watching.next().await.name, "delta", "who is watching sees it");
}

#[tokio::test]
async fn a_stopping_process_says_bye() {
    let jobs = shared::lifecycle::Lifecycle::new();
    let fixture = Fixture::with_jobs(serde_json::json!({}), jobs.clone()).await;
    let sale = fixture.on_sale(1, 2).await;
    let mut stream = Stream::open(&fixture, &format!("/events/{}/seats/stream", sale.event_id), None).await;
    assert_eq!(stream.next().await.name, "snapshot");
    jobs.stop();
    assert_eq!(stream.next().await.name, "bye");
    assert!(stream.ended().await);
}

/// An event of a stream.
#[derive(Debug)]
struct Frame {
    name: String,
    id: String,
    data: Value,
}

struct Stream {
    response: reqwest::Response,
    read: String,
}

impl Stream {
    async fn open(fixture: &Fixture, path: &str, last: Option<&str>) -> Self {
        let mut request = fixture.http.get(format!("{}{path}", fixture.url)).header("Accept-Encoding", "gzip, br");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(response.headers().get("content-encoding").is_none(), "each event would wait in the compressor");
        Self { response, read: String::new() }
    }

    /// The next event; comments are passed over.
    async fn next(&mut self) -> Frame {
        let reading = tokio::time::timeout(std::time::Duration::from_secs(20), self.read_next());
        reading.await.expect("an event in time")
    }

    async fn read_next(&mut self) -> Frame {
        loop {
            if let Some((frame, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    let line = frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                let (name, id, data) = (field("event"), field("id"), field("data"));
                self.read = rest.to_owned();
                if !name.is_empty() {
                    return Frame { name, id, data: serde_json::from_str(&data).expect("JSON") };
                }
                continue;
            }
            let more = self.response.chunk().await.expect("the stream is well").expect("the stream goes on");
            self.read.push_str(std::str::from_utf8(&more).expect("text"));
        }
    }

    async fn ended(&mut self) -> bool {
        let more = tokio::time::timeout(std::time::Duration::from_secs(20), self.response.chunk());
        matches!(more.await, Ok(Ok(None)))
    }
}
