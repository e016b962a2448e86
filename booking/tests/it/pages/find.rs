//! Home, search, event and drop: what they show, to whom, and for how long it may be kept.

use admission::drops::{self, Changes};
use booking::catalogue::{create, venues};
use jiff::{SignedDuration, civil};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::browser::Browser;
use crate::{
    catalogue::{claim, concert, evening, import_values},
    fixture::{Fixture, Sale},
};

const HOSTILE: &str = "<script>alert('\"&')</script>";

/// A page as a browser asks for it.
pub(super) async fn page(fixture: &Fixture, path: &str) -> (u16, String) {
    let request = fixture.http.get(format!("{}{path}", fixture.url)).header("accept", "text/html");
    let response = request.send().await.expect("booking answers");
    (response.status().as_u16(), response.text().await.expect("text"))
}

async fn rename(pool: &PgPool, event_id: Uuid, name: &str) {
    sqlx::query("UPDATE events SET name = $2 WHERE event_id = $1")
        .bind(event_id)
        .bind(name)
        .execute(pool)
        .await
        .unwrap();
}

async fn import(fixture: &Fixture, lines: &[Value]) {
    let report = import_values(&fixture.world.pool, lines).await;
    fixture.app.search.reached(report.through_xid).await;
}

async fn fresh() -> Fixture {
    Fixture::with(json!({ "availability_ms": 0 })).await
}

/// The text between two marks.
fn between<'a>(html: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = html.split_once(from).unwrap_or_else(|| panic!("no {from:?} in {html}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to:?} after {from:?}")).0
}

#[tokio::test]
async fn home_without_anything_says_how_to_begin() {
    let fixture = fresh().await;
    let (status, html) = page(&fixture, "/").await;
    assert_eq!(status, 200);
    assert!(html.contains("Nothing is on sale right now") && html.contains("onsale import FILE"), "{html}");
    assert!(html.contains("action=\"/search\""));
}

#[tokio::test]
async fn home_shows_what_is_on_sale_and_what_is_coming_and_nothing_else() {
    let fixture = fresh().await;
    let pool = &fixture.world.pool;
    let open = fixture.on_sale(1, 3).await;
    rename(pool, open.event_id, "The Open One").await;
    let sold_out = fixture.on_sale(1, 1).await;
    rename(pool, sold_out.event_id, "The Sold One").await;
    let fan = fixture.fan().await;
    claim(pool, sold_out.event_id, fan.user_id, 0, "sold").await;
    let ended = fixture.on_sale(1, 1).await;
    rename(pool, ended.event_id, "The Ended One").await;
    drops::end(pool, &fixture.app.line, &ended.drop, "test").await.unwrap();
    let past = fixture.on_sale(1, 1).await;
    rename(pool, past.event_id, "The Past One").await;
    sqlx::query("UPDATE events SET date = DATE '2020-01-01' WHERE event_id = $1")
        .bind(past.event_id)
        .execute(pool)
        .await
        .unwrap();
    let unsold = fixture.event(1, 1).await;
    rename(pool, unsold, "The Unsold One").await;
    let coming = scheduled(&fixture, Some(SignedDuration::from_hours(50))).await;
    rename(pool, coming, "The Coming One").await;

    let (_, html) = page(&fixture, "/").await;
    let on_sale = between(&html, "id=\"on-sale\"", "id=\"coming-up\"");
    assert!(on_sale.contains("The Open One") && on_sale.contains("from <strong class=\"num\">$10.00"), "{on_sale}");
    assert!(
        on_sale.contains("Friday, 1 May 2099")
            && on_sale.contains("8:00 pm")
            && on_sale.contains("Small Hall, New York")
    );
    assert!(on_sale.contains("3 left"));
    let (first, last) = (on_sale.find("The Open One").unwrap(), on_sale.find("The Sold One").unwrap());
    assert!(first < last && on_sale.contains("Sold out"), "what is gone comes last");
    let coming_up = between(&html, "id=\"coming-up\"", "</main>");
    assert!(coming_up.contains("The Coming One") && coming_up.contains("Opens in 2 days"), "{coming_up}");
    for absent in ["The Ended One", "The Past One", "The Unsold One"] {
        assert!(!html.contains(absent), "{absent}");
    }
}

/// An event whose drop opens later, or when an operator says so.
async fn scheduled(fixture: &Fixture, opens_in: Option<SignedDuration>) -> Uuid {
    let pool = &fixture.world.pool;
    let event_id = fixture.event(1, 2).await;
    let new = drops::NewDrop {
        id: admission::ids::DropId::parse(&format!("drop-{}", Uuid::new_v4().simple())).unwrap(),
        events: vec![event_id],
        settings: drops::Settings {
            opens_at: opens_in.map(|wait| fixture.clock.now() + wait),
            ..drops::Settings::at_rate(60)
        },
    };
    drops::create(pool, &fixture.app.line, &new, "test").await.unwrap();
    event_id
}

#[tokio::test]
async fn a_search_page_answers_as_the_api_does() {
    let fixture = fresh().await;
    let mut bronx = concert("bronx", "Summer Night");
    bronx["location"] = json!({"name": "Lewisohn Stadium", "address": "Bronx, NY"});
    import(&fixture, &[concert("one", "Resurrection"), concert("two", "Titan"), bronx]).await;

    let (_, html) = page(&fixture, "/search?q=mahler").await;
    assert!(html.contains("3 events") && html.contains("value=\"mahler\""), "{html}");
    assert!(html.contains("Saturday, 2 January 1960") && html.contains("8:30 pm"));
    assert!(html.contains("Leonard Bernstein, Gustav Mahler"));
    // a facet leads in, keeps the words, and leads out again
    let inwards = "/search?q=mahler&#38;city=Bronx";
    assert!(html.contains(inwards), "{html}");
    let (_, narrowed) = page(&fixture, &inwards.replace("&#38;", "&")).await;
    assert!(narrowed.contains("1 event<") && narrowed.contains("Summer Night") && !narrowed.contains("Titan"));
    let chip = between(&narrowed, "aria-label=\"Narrowed by\"", "</ul>");
    assert!(chip.contains("href=\"/search?q=mahler\"") && chip.contains("Bronx"), "{chip}");
    // the form carries along what it has no field for
    assert!(narrowed.contains("<input type=\"hidden\" name=\"city\" value=\"Bronx\">"));
    // what links pick up on their way does no harm
    assert_eq!(page(&fixture, "/search?q=mahler&utm_source=mail").await.0, 200);
}

#[tokio::test]
async fn a_search_is_paged_to_its_end() {
    let fixture = fresh().await;
    let lines: Vec<Value> = (0..25).map(|n| concert(&format!("n{n}"), &format!("Night {n:02}"))).collect();
    import(&fixture, &lines).await;
    let mut path = "/search?q=night&sort=date&limit=10".to_owned();
    let mut names = Vec::new();
    loop {
        let (status, html) = page(&fixture, &path).await;
        assert_eq!(status, 200, "{path}");
        let titles = html.split("class=\"card-link\"").skip(1);
        names.extend(titles.map(|title| between(title, ">", "</a>").to_owned()));
        let Some((before, _)) = html.split_once("\" rel=\"next\"") else { break };
        path = before.rsplit("href=\"").next().unwrap().replace("&#38;", "&");
        assert!(path.contains("limit=10") && path.contains("q=night"), "{path}");
    }
    names.sort();
    assert_eq!(names, (0..25).map(|n| format!("Night {n:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn nothing_found_shows_ways_out() {
    let fixture = fresh().await;
    import(&fixture, &[concert("one", "Resurrection")]).await;
    let (status, html) = page(&fixture, "/search?q=resurrection&city=Bronx").await;
    assert_eq!(status, 200);
    assert!(html.contains("Nothing fits") && html.contains("Without “Bronx”"), "{html}");
    assert!(html.contains("href=\"/search?q=resurrection\""));
}

#[tokio::test]
async fn a_query_that_makes_no_sense_comes_back_with_words_beside_its_field() {
    let fixture = fresh().await;
    let long = format!("/search?q={}", "word+".repeat(17));
    for (path, near) in [
        ("/search?from=28.11.2026&q=mahler", "id=\"from-error\">The first day is a date like 2026-11-28."),
        ("/search?to=tomorrow", "id=\"to-error\">The last day is a date like 2026-11-28."),
        (long.as_str(), "id=\"q-error\">What you are looking for has more than 16 words."),
        ("/search?cursor=AAAA", "role=\"alert\">This page belongs to another search."),
    ] {
        let (status, html) = page(&fixture, path).await;
        assert_eq!(status, 400, "{path}");
        assert!(html.contains(near), "{near} in {html}");
    }
    // and what was typed is still there
    let (_, html) = page(&fixture, "/search?from=28.11.2026&q=mahler").await;
    assert!(html.contains("value=\"28.11.2026\"") && html.contains("value=\"mahler\""));
}

#[tokio::test]
async fn an_event_says_what_when_where_and_who() {
    let fixture = fresh().await;
    let pool = &fixture.world.pool;
    venues::seed(pool).await.unwrap();
    let mut event = evening("carnegie-hall");
    event.date = civil::date(2099, 1, 16);
    event.time = Some(civil::time(19, 30, 0, 0));
    event.prices = vec![("balcony".into(), 2_500)];
    let event_id = create::create(pool, event).await.unwrap();
    let (_, html) = page(&fixture, &format!("/e/{event_id}")).await;
    for said in [
        "<h1>An Evening with Dvořák</h1>",
        "Friday, 16 January 2099",
        "7:30 pm",
        "datetime=\"2099-01-16T19:30:00-05:00\"",
        "New York time",
        "Carnegie Hall",
        "$25.00",
        "Not on sale.",
        &format!("<link rel=\"canonical\" href=\"http://onsale.test/e/{event_id}\">"),
        "property=\"og:title\" content=\"An Evening with Dvořák\"",
        "From $25.00.",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
    assert!(!html.contains("method=\"post\"") && !html.contains("2,804"), "there is nothing to join or to have");

    import(&fixture, &[concert("one", "Resurrection")]).await;
    let imported: Uuid =
        sqlx::query_scalar("SELECT event_id FROM events WHERE identifier = 'one'").fetch_one(pool).await.unwrap();
    let (_, html) = page(&fixture, &format!("/e/{imported}")).await;
    for said in ["This event is over.", "Leonard Bernstein", "Conductor", "SYMPHONY NO. 2", "Gustav Mahler"] {
        assert!(html.contains(said), "{said} in {html}");
    }
}

#[tokio::test]
async fn the_one_button_follows_the_sale() {
    let fixture = fresh().await;
    let (pool, line) = (&fixture.world.pool, &fixture.app.line);
    let sale = fixture.on_sale(1, 1).await;
    let path = format!("/e/{}", sale.event_id);
    let (_, html) = page(&fixture, &path).await;
    let form = between(&html, &format!("<form method=\"post\" action=\"/queue/{}\"", sale.drop), "</form>");
    assert!(form.contains("name=\"do\" value=\"join\"") && form.contains("Join the line"), "{form}");

    drops::pause(pool, line, &sale.drop, "the bank is away", "test").await.unwrap();
    assert!(page(&fixture, &path).await.1.contains("Paused"));
    drops::resume(pool, line, &sale.drop, "test").await.unwrap();

    let fan = fixture.fan().await;
    claim(pool, sale.event_id, fan.user_id, 0, "held").await;
    let (_, held) = page(&fixture, &path).await;
    assert!(held.contains("in somebody’s hands") && held.contains("Join the line"), "{held}");
    sqlx::query("UPDATE claims SET state = 'sold'").execute(pool).await.unwrap();
    let (_, sold) = page(&fixture, &path).await;
    assert!(sold.contains("Sold out") && sold.contains("href=\"/\">Look at other events"), "{sold}");
    let form = between(&sold, &format!("<form method=\"post\" action=\"/queue/{}\"", sale.drop), "</form>");
    assert!(form.contains("value=\"join\"") && form.contains("Wait for a returned ticket"), "{form}");
    assert!(!sold.contains("How it goes") && !sold.contains("data-waiting"), "{sold}");
    sqlx::query("UPDATE claims SET state = 'released'").execute(pool).await.unwrap();
    drops::end(pool, line, &sale.drop, "test").await.unwrap();
    let (_, ended) = page(&fixture, &path).await;
    assert!(ended.contains("Sale ended") && !ended.contains("method=\"post\""), "{ended}");
}

#[tokio::test]
async fn before_the_opening_there_is_a_lobby_and_a_countdown() {
    let fixture = fresh().await;
    let wait = SignedDuration::from_secs(90 * 60 + 30);
    let event_id = scheduled(&fixture, Some(wait)).await;
    let (_, html) = page(&fixture, &format!("/e/{event_id}")).await;
    let opens_at = fixture.clock.now() + wait;
    assert!(html.contains("Enter the lobby") && html.contains("90 minutes"), "{html}");
    // Postgres keeps microseconds
    let countdown: jiff::Timestamp = between(&html, "data-countdown=\"", "\"").parse().unwrap();
    assert_eq!(countdown.as_microsecond(), opens_at.as_microsecond());
    let drop: String = sqlx::query_scalar("SELECT drop_id FROM drops").fetch_one(&fixture.world.pool).await.unwrap();
    let (_, listed) = page(&fixture, &format!("/drops/{drop}")).await;
    assert!(listed.contains("Enter the lobby") && !listed.contains("Choose seats<"), "{listed}");
    // moved by an operator
    let drop = admission::ids::DropId::parse(&drop).unwrap();
    let changes = Changes { opens_at: Some(None), ..Changes::default() };
    drops::change(&fixture.world.pool, &fixture.app.line, &drop, &changes, fixture.clock.now(), "test").await.unwrap();
    let (_, html) = page(&fixture, &format!("/e/{event_id}")).await;
    assert!(html.contains("not announced yet") && html.contains("Enter the lobby"), "{html}");
}

#[tokio::test]
async fn a_drop_lists_its_events_with_their_seats() {
    let fixture = fresh().await;
    let (first, second) = (fixture.event(1, 2).await, fixture.event(1, 2).await);
    rename(&fixture.world.pool, first, HOSTILE).await;
    let drop = fixture.drop_for(&[first, second]).await;
    let (_, html) = page(&fixture, &format!("/drops/{drop}")).await;
    for said in [format!("/e/{first}/seats"), format!("/e/{second}/seats"), format!("href=\"/queue/{drop}\"")] {
        assert!(html.contains(&said), "{said} in {html}");
    }
    assert!(!html.contains("<script>"), "{html}");
    assert!(html.contains(">Join the line<") && html.contains("Look at the hall<"), "{html}");
    assert!(!html.contains("Choose seats<"), "it is nobody's turn: {html}");
    let (status, html) = page(&fixture, "/drops/nobody").await;
    assert_eq!(status, 404);
    assert!(html.contains("No such sale"), "{html}");
}

#[tokio::test]
async fn names_are_text_wherever_they_come_from() {
    let fixture = fresh().await;
    let mut hostile = concert("hostile", HOSTILE);
    hostile["performer"] = json!([{"@type": "Person", "name": HOSTILE, "jobTitle": HOSTILE}]);
    hostile["workPerformed"] = json!([{"name": HOSTILE, "composer": HOSTILE}]);
    hostile["location"] = json!({"name": HOSTILE, "address": HOSTILE});
    import(&fixture, &[hostile]).await;
    let sale = fixture.on_sale(1, 1).await;
    rename(&fixture.world.pool, sale.event_id, HOSTILE).await;
    let imported: Uuid = sqlx::query_scalar("SELECT event_id FROM events WHERE identifier = 'hostile'")
        .fetch_one(&fixture.world.pool)
        .await
        .unwrap();
    let encoded: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for path in [
        "/".to_owned(),
        format!("/e/{imported}"),
        format!("/e/{}", sale.event_id),
        format!("/drops/{}", sale.drop),
        format!("/search?q=script&venue={encoded}"),
        format!("/search?q={encoded}&from={encoded}"),
        format!("/account?next=/{encoded}"),
    ] {
        let (_, html) = page(&fixture, &path).await;
        assert!(!html.contains("<script>") && !html.contains("alert('\""), "{path}: {html}");
    }
}

#[tokio::test]
async fn pages_for_everybody_are_kept_for_a_moment() {
    let fixture = Fixture::start().await;
    let sale = fixture.on_sale(1, 2).await;
    let [event, drop] = [format!("/e/{}", sale.event_id), format!("/drops/{}", sale.drop)];
    // a page changes while the index learns of the event
    while !page(&fixture, "/search").await.1.contains("1 event<") {}
    while !page(&fixture, "/").await.1.contains("1 event ") {}
    for path in ["/", "/search", event.as_str(), drop.as_str()] {
        let url = format!("{}{path}", fixture.url);
        let first = fixture.http.get(&url).send().await.unwrap();
        let header = |name: &str| first.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert!(header("cache-control").contains("max-age=1, stale-while-revalidate"), "{path}");
        assert!(first.headers().get("set-cookie").is_none(), "{path}");
        let again = fixture.http.get(&url).header("if-none-match", header("etag")).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
    }
}

#[tokio::test]
async fn finding_goes_on_without_postgres() {
    let fixture = fresh().await;
    import(&fixture, &[concert("one", "Resurrection")]).await;
    let unseen: Uuid = sqlx::query_scalar("SELECT event_id FROM events").fetch_one(&fixture.world.pool).await.unwrap();
    let sale = fixture.on_sale(1, 2).await;
    let seen = [format!("/e/{}", sale.event_id), format!("/drops/{}", sale.drop), "/".to_owned()];
    for path in &seen {
        assert_eq!(page(&fixture, path).await.0, 200, "{path}");
    }
    for invented in ["/drops/nobody".to_owned(), format!("/e/{}", Uuid::nil())] {
        assert_eq!(page(&fixture, &invented).await.0, 404, "{invented}");
    }
    fixture.app.pool.close().await;
    // what anybody may invent is not kept, and what cannot be a name is not asked for
    for (invented, status) in
        [("/drops/nobody", 503), ("/drops/No%20Body", 404), (format!("/e/{}", Uuid::nil()).as_str(), 503)]
    {
        assert_eq!(page(&fixture, invented).await.0, status, "{invented}");
    }
    for path in &seen {
        let (status, html) = page(&fixture, path).await;
        assert!(status == 200 && html.contains("An Evening") && html.contains("2 left"), "{path}: {html}");
    }
    assert!(page(&fixture, "/search?q=mahler").await.1.contains("Resurrection"));
    // what nobody asked for before is shown as the index knows it, and nothing is said of its sale
    let (status, html) = page(&fixture, &format!("/e/{unseen}")).await;
    assert!(status == 200 && html.contains("Resurrection"), "{html}");
    let (status, _) = page(&fixture, &format!("/e/{}", Uuid::now_v7())).await;
    assert_eq!(status, 503);
}

#[tokio::test]
async fn home_says_when_it_cannot_know() {
    let fixture = fresh().await;
    import(&fixture, &[concert("one", "Resurrection")]).await;
    fixture.app.pool.close().await;
    let (status, html) = page(&fixture, "/").await;
    assert_eq!(status, 200);
    assert!(html.contains("cannot say right now what is on sale") && !html.contains("Nothing is on sale"), "{html}");
}

#[tokio::test]
async fn an_event_is_rendered_once_a_moment() {
    let fixture = Fixture::with(json!({ "availability_ms": 60_000 })).await;
    let event_id = scheduled(&fixture, Some(SignedDuration::from_secs(90 * 60 + 30))).await;
    let path = format!("/e/{event_id}");
    let (_, first) = page(&fixture, &path).await;
    assert!(first.contains("90 minutes"), "{first}");
    fixture.clock.advance(std::time::Duration::from_secs(1_800));
    assert_eq!(page(&fixture, &path).await.1, first, "the same copy for everybody");
    assert_eq!(page(&fixture, &path.to_uppercase().replace("/E/", "/e/")).await.1, first, "however it is written");
}

#[tokio::test]
async fn who_is_let_in_chooses_among_the_events_of_the_drop() {
    let fixture = fresh().await;
    let events = [fixture.event(1, 2).await, fixture.event(1, 2).await];
    let drop = fixture.drop_for(&events).await;
    let sale = Sale { event_id: events[0], drop };
    let inside = Browser::admitted(&fixture, &sale).await.get(&format!("/drops/{}", sale.drop)).await;
    assert!(inside.text.contains("It is your turn") && !inside.text.contains("Join the line"), "{}", inside.text);
    assert_eq!(inside.text.matches("Choose seats<").count(), 2, "{}", inside.text);
    assert_eq!(inside.headers["cache-control"], "no-store");
    let outside = Browser::new(&fixture).get(&format!("/drops/{}", sale.drop)).await;
    let vary: Vec<_> = outside.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.contains(&"cookie"), "kept for those outside only: {vary:?}");
}

#[tokio::test]
async fn what_is_on_sale_is_found_before_the_archive() {
    let fixture = fresh().await;
    let lines: Vec<Value> = (0..25).map(|n| concert(&format!("n{n}"), &format!("Mahler Night {n:02}"))).collect();
    let (open, ended) = (fixture.on_sale(1, 2).await, fixture.on_sale(1, 2).await);
    rename(&fixture.world.pool, open.event_id, "A Night on Sale").await;
    rename(&fixture.world.pool, ended.event_id, "A Night Gone By").await;
    drops::end(&fixture.world.pool, &fixture.app.line, &ended.drop, "test").await.unwrap();
    import(&fixture, &lines).await;

    let (_, html) = page(&fixture, "/search?q=night&sort=date").await;
    let on_sale = between(&html, "id=\"on-sale\"", "</section>");
    assert!(on_sale.contains("A Night on Sale") && on_sale.contains(">On sale<"), "{on_sale}");
    assert!(!html.contains("A Night Gone By"), "neither on sale nor on the first page");
    assert!(html.contains(">Over<"), "the archive says that it is one");
    // found by itself, it is not said twice
    let (_, html) = page(&fixture, "/search?q=night&sort=-date").await;
    assert_eq!(html.matches("A Night on Sale").count(), 1, "{html}");
    assert!(html.contains(">On sale<") && !html.contains("id=\"on-sale\""), "{html}");
    assert!(!page(&fixture, "/search?q=resurrection").await.1.contains("A Night on Sale"), "it fits no other search");
}
