//! Import, venues, events with their tickets, and how they are shown.

use std::{io::Write as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use booking::catalogue::{
    create::{self, CreateError, NewEvent},
    import::{self, ImportReport, Rejected},
    programme::{Performer, Programme, Work},
    venues::{self, VenueError},
};
use jiff::civil;
use serde_json::{Value, json};
use shared::testing;
use sqlx::PgPool;
use uuid::Uuid;

use crate::fixture::{Fixture, slug};

/// A line of an import file.
pub(crate) fn concert(identifier: &str, name: &str) -> Value {
    json!({
        "@context": "https://schema.org", "@type": "MusicEvent", "identifier": identifier, "name": name,
        "startDate": "1960-01-02T20:30:00", "keywords": "Subscription Season",
        "location": {"@type": "MusicVenue", "name": "Carnegie Hall", "address": "Manhattan, NY"},
        "organizer": {"@type": "Organization", "name": "New York Philharmonic"},
        "performer": [{"@type": "Person", "name": "Leonard Bernstein", "jobTitle": "Conductor"}],
        "workPerformed": [{"@type": "MusicComposition", "name": "SYMPHONY NO. 2",
                           "composer": {"@type": "Person", "name": "Gustav Mahler"}}],
    })
}

pub(crate) async fn import_text(pool: &PgPool, text: &str) -> ImportReport {
    import::import(pool, text.as_bytes(), &mut |_| {}).await.expect("the import runs through")
}

pub(crate) async fn import_values(pool: &PgPool, lines: &[Value]) -> ImportReport {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    import_text(pool, &text).await
}

pub(crate) fn evening(venue: &str) -> NewEvent {
    NewEvent {
        fees: Vec::new(),
        name: "An Evening with Dvořák".to_owned(),
        venue_slug: venue.to_owned(),
        date: civil::date(2026, 11, 28),
        time: Some(civil::time(20, 0, 0, 0)),
        prices: vec![],
        currency: "USD".to_owned(),
        capacity: None,
        programme: Programme::default(),
    }
}

/// The shared concerts, where they are present; says so past the harness's capture where they are not, and
/// scripts/test.sh counts it.
fn shared_concerts() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::var_os("ONSALE_TEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = folder.join("nyphil-concerts.ndjson");
    if path.exists() {
        return Some(path);
    }
    let skipped = "SKIPPED: all_shared_concerts_go_in_at_once: ONSALE_TEST_DATA names no folder with";
    writeln!(std::io::stderr(), "{skipped} nyphil-concerts.ndjson").expect("standard error");
    None
}

#[tokio::test]
async fn bad_lines_are_named_and_good_ones_kept() {
    let world = testing::world().await;
    let mut no_name = concert("c", "");
    no_name["name"] = json!(7);
    let text = format!(
        "{}\n\n{{\"broken\n{}\n{}\n{}",
        concert("a", "First"),
        no_name,
        concert("a", "First, contradicted"),
        concert("b", "Last, without a newline")
    );
    let report = import_text(&world.pool, &text).await;
    assert_eq!((report.imported, report.changed, report.unchanged), (2, 0, 0));
    let lines: Vec<u64> = report.rejected.iter().map(|rejected| rejected.line).collect();
    assert_eq!(lines, [3, 4, 5]);
    assert!(report.rejected[0].reason.starts_with("not JSON"), "{report:?}");
    assert_eq!(report.rejected[1], Rejected { line: 4, reason: "name must be text, not a number".into() });
    assert!(report.rejected[2].reason.contains("line 1"), "{report:?}");
    assert_eq!(names(&world.pool).await, ["First", "Last, without a newline"]);
}

#[tokio::test]
async fn importing_twice_changes_nothing() {
    let world = testing::world().await;
    let lines = [concert("a", "First"), concert("b", "Second"), concert("b", "Second")];
    let report = import_values(&world.pool, &lines).await;
    assert_eq!((report.imported, report.changed, report.unchanged), (2, 0, 1));
    let before = rows(&world.pool).await;

    let report = import_values(&world.pool, &lines).await;
    assert_eq!((report.imported, report.changed, report.unchanged), (0, 0, 3));
    assert_eq!(rows(&world.pool).await, before);

    let mut other = concert("a", "First, at another hall");
    other["location"] = json!("Philharmonic Hall");
    other["performer"] = json!("Pierre Boulez");
    other["workPerformed"] = json!([]);
    let report = import_values(&world.pool, &[other, concert("b", "Second")]).await;
    assert_eq!((report.imported, report.changed, report.unchanged), (0, 1, 1));
    let performers: Vec<String> = sqlx::query_scalar(
        "SELECT p.name FROM events e JOIN event_performers USING (event_id) JOIN performers p USING (performer_id)
         WHERE e.identifier = 'a'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(performers, ["Pierre Boulez"]);
    let works: i64 = sqlx::query_scalar("SELECT count(*) FROM event_works").fetch_one(&world.pool).await.unwrap();
    assert_eq!(works, 1);
}

#[tokio::test]
async fn times_are_the_venues() {
    let world = testing::world().await;
    let at = |identifier: &str, start: &str| {
        let mut line = concert(identifier, identifier);
        line["startDate"] = start.into();
        line
    };
    let lines =
        [at("date", "1843-11-18"), at("offset", "2026-11-28T20:00:00-05:00"), at("utc", "2026-11-29T01:00:00Z")];
    import_values(&world.pool, &lines[..1]).await;
    sqlx::query("UPDATE venues SET timezone = 'America/New_York'").execute(&world.pool).await.unwrap();
    import_values(&world.pool, &lines).await;
    let starts: Vec<(String, String, Option<String>)> =
        sqlx::query_as("SELECT identifier, date::text, time::text FROM events ORDER BY identifier")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    let expected = [
        ("date", "1843-11-18", None),
        ("offset", "2026-11-28", Some("20:00:00")),
        ("utc", "2026-11-28", Some("20:00:00")),
    ];
    assert_eq!(starts, expected.map(|(i, d, t)| (i.to_owned(), d.to_owned(), t.map(str::to_owned))));
}

#[tokio::test]
async fn all_shared_concerts_go_in_at_once() {
    let Some(path) = shared_concerts() else { return };
    let world = testing::world().await;
    let open = async || tokio::io::BufReader::new(tokio::fs::File::open(&path).await.unwrap());
    let mut last = import::Progress::default();
    let report = import::import(&world.pool, open().await, &mut |progress| last = progress).await.unwrap();
    assert_eq!((report.imported, report.rejected.as_slice()), (18_806, [].as_slice()));
    assert_eq!(last.lines, 18_806);
    let untimed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events WHERE time IS NULL").fetch_one(&world.pool).await.unwrap();
    assert_eq!(untimed, 713);
    let again = import::import(&world.pool, open().await, &mut |_| {}).await.unwrap();
    assert_eq!((again.imported, again.changed, again.unchanged), (0, 0, 18_806));
}

#[tokio::test]
async fn an_evening_at_carnegie_hall_has_a_ticket_for_every_seat() {
    let fixture = Fixture::with(json!({ "availability_ms": 0 })).await;
    let pool = &fixture.world.pool;
    venues::seed(pool).await.unwrap();
    venues::seed(pool).await.unwrap();
    let mut event = evening("carnegie-hall");
    event.prices = vec![("balcony".into(), 2_500)];
    event.programme = Programme {
        description: "Played twice.".into(),
        performers: vec![
            Performer { name: "City Orchestra".into(), is_group: true, role: String::new() },
            Performer { name: "Ada Lund".into(), is_group: false, role: "conductor".into() },
        ],
        works: vec![Work { name: "Carnival, op. 92".into(), composer: "Antonín Dvořák".into() }],
    };
    // performers are shared: the second event finds those of the first
    create::create(pool, event.clone()).await.unwrap();
    let event_id = create::create(pool, event).await.unwrap();

    let details = get(&fixture, &format!("/events/details/{event_id}")).await.1;
    assert_eq!(details["name"], "An Evening with Dvořák");
    assert_eq!(details["starts_at"], "2026-11-28T20:00:00-05:00");
    assert_eq!(details["seating"], "reserved");
    assert_eq!(details["description"], "Played twice.");
    let names: Vec<&Value> = details["performers"].as_array().unwrap().iter().map(|who| &who["name"]).collect();
    assert_eq!(names, ["City Orchestra", "Ada Lund"]);
    assert_eq!(details["works"][0]["composer"], "Antonín Dvořák");
    assert_eq!(details["venue"]["slug"], "carnegie-hall");
    assert_eq!(details["availability"], json!({"capacity": 2804, "available": 2804, "held": 0, "sold": 0}));
    assert_eq!(details["drop"], Value::Null);
    let tiers = details["tiers"].as_array().unwrap();
    let balcony = json!({"tier": "balcony", "name": "Balcony", "price": 2500, "capacity": 837, "available": 837});
    assert_eq!((tiers.len(), tiers.last()), (5, Some(&balcony)));

    let drop = fixture.drop_for(&[event_id]).await;
    let details = get(&fixture, &format!("/events/details/{event_id}")).await.1;
    assert_eq!(details["drop"]["drop_id"], drop.as_str());

    let (_, layout) = get(&fixture, details["layout"].as_str().unwrap()).await;
    assert_eq!(layout["seats"].as_array().unwrap().len(), 2804);
    let labels: Vec<String> =
        sqlx::query_scalar("SELECT seat_number FROM tickets WHERE event_id = $1 ORDER BY ordinal")
            .bind(event_id)
            .fetch_all(pool)
            .await
            .unwrap();
    let shown: Vec<&str> = layout["seats"].as_array().unwrap().iter().map(|s| s["seat"].as_str().unwrap()).collect();
    assert_eq!(labels, shown);
}

#[tokio::test]
async fn the_seat_map_shows_each_seats_state_in_two_bits() {
    let fixture = Fixture::with(json!({ "availability_ms": 0 })).await;
    let event_id = fixture.event(2, 5).await;
    let path = format!("/events/{event_id}/seats");
    let (_, before) = get(&fixture, &path).await;
    assert_eq!(decode(&before), [0; 10]);
    assert_eq!(before["counts"], json!({"available": 10, "held": 0, "sold": 0, "not_for_sale": 0}));

    let fan = fixture.fan().await;
    claim(&fixture.world.pool, event_id, fan.user_id, 1, "held").await;
    claim(&fixture.world.pool, event_id, fan.user_id, 6, "sold").await;
    sqlx::query("UPDATE tickets SET status = 'cancelled' WHERE event_id = $1 AND ordinal = 9")
        .bind(event_id)
        .execute(&fixture.world.pool)
        .await
        .unwrap();
    let (_, after) = get(&fixture, &path).await;
    assert_eq!(decode(&after), [0, 1, 0, 0, 0, 0, 2, 0, 0, 3]);
    assert_eq!(after["counts"], json!({"available": 7, "held": 1, "sold": 1, "not_for_sale": 1}));
    let version = |snapshot: &Value| {
        let (epoch, n) = snapshot["version"].as_str().unwrap().split_once('-').unwrap();
        (epoch.to_owned(), n.parse::<u64>().unwrap())
    };
    assert_eq!(version(&before).0, version(&after).0);
    assert!(version(&before).1 < version(&after).1);
    let (_, again) = get(&fixture, &path).await;
    assert_eq!(again["version"], after["version"]);

    let (_, details) = get(&fixture, &format!("/events/details/{event_id}")).await;
    assert_eq!(details["availability"], json!({"capacity": 9, "available": 7, "held": 1, "sold": 1}));
}

#[tokio::test]
async fn general_admission_sells_units() {
    let fixture = Fixture::start().await;
    let pool = &fixture.world.pool;
    venues::seed(pool).await.unwrap();
    let mut event = evening("stadium");
    event.capacity = Some(1_200);
    assert!(matches!(create::create(pool, event.clone()).await, Err(CreateError::PriceMissing(_))));
    event.prices = vec![("standing".into(), 4_500)];
    let event_id = create::create(pool, event).await.unwrap();

    let (_, details) = get(&fixture, &format!("/events/details/{event_id}")).await;
    assert_eq!((&details["seating"], &details["layout"]), (&json!("general"), &Value::Null));
    let standing = json!({"tier": "standing", "name": "standing", "price": 4500, "capacity": 1200, "available": 1200});
    assert_eq!(details["tiers"], json!([standing]));
    let (_, seats) = get(&fixture, &format!("/events/{event_id}/seats")).await;
    assert_eq!((decode(&seats).len(), &seats["layout"]), (1200, &Value::Null));
    let first: String = sqlx::query_scalar("SELECT seat_number FROM tickets WHERE event_id = $1 AND ordinal = 0")
        .bind(event_id)
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(first, "GA-000001");
}

#[tokio::test]
async fn a_stadium_goes_on_the_books_at_once() {
    let world = testing::world().await;
    venues::seed(&world.pool).await.unwrap();
    let event_id = create::create(&world.pool, evening("stadium")).await.unwrap();
    let tickets: i64 = sqlx::query_scalar("SELECT count(*) FROM tickets WHERE event_id = $1")
        .bind(event_id)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(tickets, 40_000);
}

#[tokio::test]
async fn an_event_that_makes_no_sense_is_not_created() {
    let world = testing::world().await;
    let pool = &world.pool;
    venues::seed(pool).await.unwrap();
    let refused = async |change: fn(&mut NewEvent)| {
        let mut event = evening("carnegie-hall");
        change(&mut event);
        create::create(pool, event).await.unwrap_err()
    };
    assert!(matches!(refused(|e| e.venue_slug = "nowhere".into()).await, CreateError::VenueUnknown(_)));
    assert!(matches!(refused(|e| e.name = " ".into()).await, CreateError::Name));
    assert!(matches!(refused(|e| e.currency = "usd".into()).await, CreateError::Currency(_)));
    assert!(matches!(refused(|e| e.prices = vec![("loge".into(), 1)]).await, CreateError::TierUnknown { .. }));
    assert!(matches!(refused(|e| e.prices = vec![("balcony".into(), -1)]).await, CreateError::Price { .. }));
    assert!(matches!(refused(|e| e.capacity = Some(0)).await, CreateError::Capacity(0)));
    assert_eq!(names(pool).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_venue_comes_from_a_file() {
    let world = testing::world().await;
    let seat = |number: u32| {
        let label = format!("A-{number}");
        json!({"seat": label, "zone": "hall", "row": "A", "number": number, "tier": "one", "x": number, "y": 0})
    };
    let venue = |seats: &[Value]| {
        json!({"slug": "club", "name": "The Club", "timezone": "Europe/Prague",
               "layout": {"seats": seats, "tiers": [{"tier": "one", "name": "One"}],
                          "zones": [{"zone": "hall", "name": "Hall"}]}})
        .to_string()
    };
    let first = venues::import(&world.pool, &venue(&[seat(1), seat(2)])).await.unwrap();
    let second = venues::import(&world.pool, &venue(&[seat(1)])).await.unwrap();
    assert_eq!((first.venue_id, first.seats, second.seats), (second.venue_id, 2, 1));
    assert_ne!(first.layout_hash, second.layout_hash);
    let twice = venues::import(&world.pool, &venue(&[seat(1), seat(1)])).await;
    assert!(matches!(twice, Err(VenueError::Layout(_))));
    assert!(matches!(venues::import(&world.pool, "{}").await, Err(VenueError::Syntax(_))));
    let unpriced = create::create(&world.pool, evening("club")).await;
    assert!(matches!(unpriced, Err(CreateError::PriceMissing(tier)) if tier == "one"));
}

#[tokio::test]
async fn what_does_not_exist_is_404() {
    let fixture = Fixture::start().await;
    let nobody = Uuid::now_v7();
    for (path, expected) in [
        (format!("/events/details/{nobody}"), "event"),
        ("/events/details/nonsense".to_owned(), "event"),
        (format!("/events/{nobody}/seats"), "event"),
        (format!("/layouts/{}", "0".repeat(32)), "layout"),
        ("/layouts/nonsense".to_owned(), "layout"),
    ] {
        let (status, problem) = get(&fixture, &path).await;
        assert_eq!((status, slug(&problem)), (404, expected), "{path}");
    }
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let fixture = Fixture::start().await;
    venues::seed(&fixture.world.pool).await.unwrap();
    let event_id = create::create(&fixture.world.pool, evening("carnegie-hall")).await.unwrap();
    let (_, details) = get(&fixture, &format!("/events/details/{event_id}")).await;
    let layout = details["layout"].as_str().unwrap();
    // an answer changes while the index learns of the event
    while get(&fixture, "/events/search").await.1["total"] != 1 {}
    for (path, cache_control) in [
        (layout.to_owned(), "immutable"),
        (format!("/events/details/{event_id}"), "stale-if-error"),
        (format!("/events/{event_id}/seats"), "stale-while-revalidate"),
        ("/events/search".to_owned(), "stale-if-error"),
    ] {
        let url = format!("{}{path}", fixture.url);
        let first = fixture.http.get(&url).send().await.unwrap();
        let header = |name: &str| first.headers()[name].to_str().unwrap().to_owned();
        assert!(header("cache-control").contains(cache_control), "{path}");
        let again = fixture.http.get(&url).header("if-none-match", header("etag")).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
    }
}

pub(crate) async fn get(fixture: &Fixture, path: &str) -> (u16, Value) {
    let response = fixture.http.get(format!("{}{path}", fixture.url)).send().await.expect("booking answers");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

/// The statuses of a snapshot, in layout order.
fn decode(snapshot: &Value) -> Vec<u8> {
    let counts = snapshot["counts"].as_object().unwrap();
    let seats: u64 = counts.values().map(|count| count.as_u64().unwrap()).sum();
    let packed = STANDARD.decode(snapshot["statuses"].as_str().unwrap()).unwrap();
    (0..seats as usize).map(|ordinal| packed[ordinal / 4] >> (ordinal % 4 * 2) & 3).collect()
}

/// A booking of one seat, written by hand.
pub(crate) async fn claim(pool: &PgPool, event_id: Uuid, user_id: Uuid, ordinal: i32, state: &str) {
    let booking_id = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO bookings (booking_id, user_id, event_id, drop_id, place, total_amount, currency, quantity, expires_at)
         VALUES ($1, $2, $3, 'd', $1::text, 1000, 'USD', 1, now() + interval '10 minutes')",
    )
    .bind(booking_id)
    .bind(user_id)
    .bind(event_id)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO claims (booking_id, ticket_id, state)
         SELECT $1, ticket_id, $4 FROM tickets WHERE event_id = $2 AND ordinal = $3",
    )
    .bind(booking_id)
    .bind(event_id)
    .bind(ordinal)
    .bind(state)
    .execute(pool)
    .await
    .unwrap();
}

async fn names(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT name FROM events ORDER BY name").fetch_all(pool).await.unwrap()
}

/// Identifier and last change of every event.
async fn rows(pool: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("SELECT identifier, changed_xid::text FROM events ORDER BY 1").fetch_all(pool).await.unwrap()
}
