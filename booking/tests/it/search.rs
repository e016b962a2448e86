//! Finding events, and an index that misses none of them.

use booking::{
    catalogue::{create, venues},
    search::Search,
};
use serde_json::{Value, json};
use shared::testing;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    catalogue::{claim, concert, evening, get, import_values},
    fixture::{Fixture, slug},
};

const WRITER_BYTES: usize = 15_000_000;

/// Three concerts, indexed.
async fn season() -> Fixture {
    let fixture = Fixture::with(json!({ "availability_ms": 0 })).await;
    let mahler = concert("mahler", "Resurrection");
    let mut dvorak = concert("dvorak", "From the New World");
    dvorak["startDate"] = "1893-12-16".into();
    dvorak["performer"] = json!([{"name": "Anton Seidl", "jobTitle": "Conductor"}]);
    dvorak["workPerformed"] = json!({"name": "SYMPHONY NO. 9", "composer": "Antonín Dvořák"});
    let mut lewisohn = concert("stadium", "Summer Night");
    lewisohn["location"] = json!({"name": "Lewisohn Stadium", "address": "Bronx, NY"});
    lewisohn["startDate"] = "1960-07-04T20:30:00".into();
    lewisohn["performer"] = json!([{"name": "Pierre Monteux"}, {"name": "Bernstein Quartet", "@type": "MusicGroup"}]);
    lewisohn["workPerformed"] = json!([{"name": "LA MER", "composer": "Claude Debussy"}]);
    lewisohn["@type"] = "Festival".into();
    let report = import_values(&fixture.world.pool, &[mahler, dvorak, lewisohn]).await;
    fixture.app.search.reached(report.through_xid).await;
    fixture
}

/// Waits until everything committed so far is indexed.
async fn indexed(fixture: &Fixture) {
    let next: String = sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        .fetch_one(&fixture.world.pool)
        .await
        .unwrap();
    fixture.app.search.reached(next.parse().unwrap()).await;
}

async fn find(fixture: &Fixture, parameters: &[(&str, &str)]) -> Value {
    let url = reqwest::Url::parse_with_params(&format!("{}/events/search", fixture.url), parameters).unwrap();
    let response = fixture.http.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200, "{parameters:?}");
    response.json().await.unwrap()
}

async fn found(fixture: &Fixture, parameters: &[(&str, &str)]) -> Vec<String> {
    let results = find(fixture, parameters).await;
    let items = results["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn finds_by_name_performer_work_and_composer() {
    let fixture = season().await;
    for (q, expected) in [
        ("resurrection", "Resurrection"),
        ("SEIDL", "From the New World"),
        ("la mer", "Summer Night"),
        ("mahler", "Resurrection"),
        ("antonin dvorak", "From the New World"),
        ("Dvořák", "From the New World"),
        ("debus", "Summer Night"),
        ("symphony 1960", "Resurrection"),
        ("world carnegie", "From the New World"),
    ] {
        assert_eq!(found(&fixture, &[("q", q)]).await, [expected], "{q}");
    }
    // every word must be there, and only the last may be unfinished
    for q in ["mahler seidl", "mahl symphony", "nothing of the kind", "!!!"] {
        assert_eq!(found(&fixture, &[("q", q)]).await, Vec::<String>::new(), "{q}");
    }
    let both = found(&fixture, &[("q", "bernstein")]).await;
    assert_eq!(both.len(), 2);
}

#[tokio::test]
async fn filters_sorts_and_counts() {
    let fixture = season().await;
    let by = async |name: &str, value: &str| found(&fixture, &[(name, value)]).await;
    assert_eq!(by("city", "bronx").await, ["Summer Night"]);
    assert_eq!(by("category", "Festival").await, ["Summer Night"]);
    assert_eq!(by("venue", "Lewisohn Stadium").await, ["Summer Night"]);
    assert_eq!(by("venue", "stadium").await, ["Summer Night"]);
    assert_eq!(by("performer", "leonard bernstein").await, ["Resurrection"]);
    assert_eq!(by("performer", "seidl").await, ["From the New World"]);
    assert_eq!(by("from", "1960-01-02").await, ["Resurrection", "Summer Night"]);
    assert_eq!(by("to", "1960-01-02").await, ["From the New World", "Resurrection"]);
    assert_eq!(by("sort", "-date").await, ["Summer Night", "Resurrection", "From the New World"]);
    assert_eq!(by("city", "").await.len(), 3);

    let results = find(&fixture, &[]).await;
    assert_eq!((&results["total"], &results["next_cursor"]), (&json!(3), &Value::Null));
    let facets = &results["facets"];
    assert_eq!(facets["city"], json!([{"value": "Manhattan", "count": 2}, {"value": "Bronx", "count": 1}]));
    assert_eq!(facets["category"], json!([{"value": "music", "count": 2}, {"value": "festival", "count": 1}]));
    assert_eq!(facets["venue"][0], json!({"value": "Carnegie Hall", "count": 2}));
}

#[tokio::test]
async fn pages_show_everything_once() {
    let fixture = season().await;
    let lines: Vec<Value> = (0..25).map(|n| concert(&format!("n{n}"), &format!("Night {n}"))).collect();
    let report = import_values(&fixture.world.pool, &lines).await;
    fixture.app.search.reached(report.through_xid).await;
    for (parameter, value, total) in [("sort", "date", 28), ("sort", "-date", 28), ("q", "night", 26)] {
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            let results = find(&fixture, &[(parameter, value), ("limit", "10"), ("cursor", &cursor)]).await;
            assert_eq!(results["total"], total);
            let items = results["items"].as_array().unwrap();
            names.extend(items.iter().map(|item| item["event_id"].as_str().unwrap().to_owned()));
            match results["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let shown = names.len();
        names.sort();
        names.dedup();
        assert_eq!((names.len(), shown), (total, total), "{parameter}={value}");
    }
}

#[tokio::test]
async fn what_is_not_understood_is_400() {
    let fixture = season().await;
    let first = find(&fixture, &[("limit", "1")]).await;
    let foreign = format!("q=mahler&cursor={}", first["next_cursor"].as_str().unwrap());
    for query in [
        "sort=price",
        "limit=0",
        "limit=101",
        "from=today",
        "available=maybe",
        "colour=red",
        "cursor=x",
        "q=a&q=b",
        &foreign,
    ] {
        let (status, problem) = get(&fixture, &format!("/events/search?{query}")).await;
        assert_eq!((status, slug(&problem)), (400, "malformed"), "{query}");
    }
}

#[tokio::test]
async fn a_new_event_is_found_with_its_availability() {
    let fixture = season().await;
    let pool = &fixture.world.pool;
    let event_id = fixture.event(1, 2).await;
    // the fixture sells an event that is there already: whoever does that touches it
    sqlx::query("UPDATE events SET name = 'For Two' WHERE event_id = $1").bind(event_id).execute(pool).await.unwrap();
    indexed(&fixture).await;
    assert_eq!(found(&fixture, &[("available", "true")]).await, ["For Two"]);
    let fan = fixture.fan().await;
    claim(pool, event_id, fan.user_id, 0, "sold").await;
    let results = find(&fixture, &[("q", "small hall")]).await;
    let counted = json!({"capacity": 2, "available": 1, "held": 0, "sold": 1});
    assert_eq!(results["items"][0]["availability"], counted);
    claim(pool, event_id, fan.user_id, 1, "held").await;
    assert_eq!(found(&fixture, &[("available", "true")]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_changed_event_is_found_under_its_new_name_only() {
    let fixture = season().await;
    let report = import_values(&fixture.world.pool, &[concert("mahler", "Auferstehung")]).await;
    fixture.app.search.reached(report.through_xid).await;
    assert_eq!(found(&fixture, &[("q", "auferstehung")]).await, ["Auferstehung"]);
    assert_eq!(found(&fixture, &[("q", "resurrection")]).await, Vec::<String>::new());
}

#[tokio::test]
async fn search_and_view_go_on_without_postgres() {
    let fixture = season().await;
    venues::seed(&fixture.world.pool).await.unwrap();
    let event_id = create::create(&fixture.world.pool, evening("carnegie-hall")).await.unwrap();
    indexed(&fixture).await;
    let (_, unseen) = get(&fixture, "/events/search?q=resurrection").await;
    let unseen = unseen["items"][0]["event_id"].as_str().unwrap().to_owned();
    get(&fixture, &format!("/events/details/{event_id}")).await;
    get(&fixture, &format!("/events/{event_id}/seats")).await;
    find(&fixture, &[("q", "dvorak")]).await;

    fixture.app.pool.close().await;
    assert_eq!(found(&fixture, &[("q", "mahler")]).await, ["Resurrection"]);
    // what was seen before is shown as it was
    let results = find(&fixture, &[("q", "evening")]).await;
    assert_eq!(results["items"][0]["availability"]["available"], 2804);
    let (status, details) = get(&fixture, &format!("/events/details/{event_id}")).await;
    assert_eq!((status, &details["availability"]["available"]), (200, &json!(2804)));
    assert_eq!(get(&fixture, &format!("/events/{event_id}/seats")).await.0, 200);
    // what was not is shown as the index knows it
    let (status, details) = get(&fixture, &format!("/events/details/{unseen}")).await;
    assert_eq!((status, &details["name"]), (200, &json!("Resurrection")));
    let (status, problem) = get(&fixture, &format!("/events/details/{}", Uuid::now_v7())).await;
    assert_eq!((status, slug(&problem)), (503, "unavailable"));
}

async fn insert_event(executor: impl sqlx::PgExecutor<'_>, venue_id: Uuid, name: &str) {
    sqlx::query("INSERT INTO events (event_id, name, date, venue_id) VALUES ($1, $2, '2027-01-01', $3)")
        .bind(Uuid::now_v7())
        .bind(name)
        .bind(venue_id)
        .execute(executor)
        .await
        .unwrap();
}

async fn insert_venue(pool: &PgPool) -> Uuid {
    let venue_id = Uuid::now_v7();
    sqlx::query("INSERT INTO venues (venue_id, name) VALUES ($1, 'Hall')").bind(venue_id).execute(pool).await.unwrap();
    venue_id
}

#[tokio::test]
async fn a_late_commit_is_not_missed() {
    let fixture = Fixture::start().await;
    let pool = &fixture.world.pool;
    let venue_id = insert_venue(pool).await;
    // the earlier transaction has the lower id and commits after the later one was indexed or held back
    let mut earlier = pool.begin().await.unwrap();
    insert_event(&mut *earlier, venue_id, "Earlier").await;
    insert_event(pool, venue_id, "Later").await;
    // the follower has looked at least once while the earlier one was open
    let xid: String = sqlx::query_scalar("SELECT pg_current_xact_id()::text").fetch_one(&mut *earlier).await.unwrap();
    fixture.app.search.reached(xid.parse().unwrap()).await;
    assert_eq!(find(&fixture, &[("q", "earlier")]).await["total"], 0);
    earlier.commit().await.unwrap();
    indexed(&fixture).await;
    assert_eq!(found(&fixture, &[("sort", "date")]).await.len(), 2);
}

#[tokio::test]
async fn nothing_beyond_an_open_transaction_counts_as_read() {
    let world = testing::world().await;
    let folder = tempfile::tempdir().unwrap();
    let search = Search::open(folder.path(), WRITER_BYTES).unwrap();
    let venue_id = insert_venue(&world.pool).await;
    let mut earlier = world.pool.begin().await.unwrap();
    insert_event(&mut *earlier, venue_id, "Earlier").await;
    let xid: String = sqlx::query_scalar("SELECT pg_current_xact_id()::text").fetch_one(&mut *earlier).await.unwrap();
    let xid: u64 = xid.parse().unwrap();
    insert_event(&world.pool, venue_id, "Later").await;

    let round = search.catch_up(&world.pool).await.unwrap();
    // the first round takes what it sees, and does not rely on it
    assert_eq!((round.indexed, round.held_back), (1, true));
    assert!(search.through() <= xid);
    earlier.commit().await.unwrap();
    let mut indexed = 0;
    while search.through() <= xid || indexed < 2 {
        indexed += search.catch_up(&world.pool).await.unwrap().indexed;
    }
    assert_eq!((indexed, search.events()), (2, 2));
}

#[tokio::test]
async fn a_restored_database_is_indexed_whatever_stamps_its_rows_bear() {
    let world = testing::world().await;
    import_values(&world.pool, &[concert("a", "First"), concert("b", "Second")]).await;
    // as after pg_restore: ids of a cluster that had seen far more transactions
    for sql in [
        "ALTER TABLE events DISABLE TRIGGER events_touch",
        "UPDATE events SET changed_xid = '9000000000'",
        "ALTER TABLE events ENABLE TRIGGER events_touch",
    ] {
        sqlx::query(sql).execute(&world.pool).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let search = Search::open(folder.path(), WRITER_BYTES).unwrap();
    let round = search.catch_up(&world.pool).await.unwrap();
    assert_eq!((round.indexed, round.held_back, search.events()), (2, false, 2));

    // and changes made here are followed from there
    let report = import_values(&world.pool, &[concert("a", "Changed")]).await;
    let mut indexed = 0;
    while search.through() < report.through_xid {
        indexed += search.catch_up(&world.pool).await.unwrap().indexed;
    }
    assert_eq!((indexed, search.events()), (1, 2));
}

#[tokio::test]
async fn what_changes_of_a_venue_is_found() {
    let fixture = Fixture::with(json!({ "availability_ms": 0 })).await;
    let pool = &fixture.world.pool;
    let club = |name: &str, city: &str| {
        let layout = json!({
            "zones": [{"zone": "hall", "name": "Hall"}],
            "tiers": [{"tier": "one", "name": "One", "list_price": 1000}],
            "seats": [{"seat": "A-1", "zone": "hall", "row": "A", "number": 1, "tier": "one", "x": 1, "y": 0}],
        });
        json!({"slug": "club", "name": name, "city": city, "timezone": "America/New_York", "layout": layout})
            .to_string()
    };
    venues::import(pool, &club("The Club", "Queens")).await.unwrap();
    create::create(pool, evening("club")).await.unwrap();
    let concerts = |locality: &str| {
        let at = |identifier: &str, name: &str, locality: &str| {
            let mut concert = concert(identifier, name);
            let street = format!("57th St{}", if locality.is_empty() { ", Manhattan" } else { "" });
            let mut address = json!({"streetAddress": street});
            if !locality.is_empty() {
                address["addressLocality"] = locality.into();
            }
            concert["location"] = json!({"name": "Hall", "address": address});
            concert
        };
        [at("a", "First", locality), at("b", "Second", "")]
    };
    import_values(pool, &concerts("")).await;
    indexed(&fixture).await;
    assert_eq!(found(&fixture, &[("city", "manhattan")]).await.len(), 0);
    assert_eq!(found(&fixture, &[("city", "queens")]).await.len(), 1);

    // the venue's own file, and a line that names the city of a venue two events share
    venues::import(pool, &club("The Cellar", "Bronx")).await.unwrap();
    let report = import_values(pool, &concerts("Manhattan")).await;
    assert_eq!((report.changed, report.unchanged), (1, 1));
    indexed(&fixture).await;
    assert_eq!(found(&fixture, &[("venue", "the cellar")]).await.len(), 1);
    assert_eq!(found(&fixture, &[("city", "queens")]).await.len(), 0);
    assert_eq!(found(&fixture, &[("city", "manhattan")]).await.len(), 2);
}

#[tokio::test]
async fn an_index_goes_on_where_it_stopped_and_knows_its_database() {
    let world = testing::world().await;
    let folder = tempfile::tempdir().unwrap();
    let report = import_values(&world.pool, &[concert("a", "First")]).await;
    let search = Search::open(folder.path(), WRITER_BYTES).unwrap();
    while search.through() < report.through_xid {
        search.catch_up(&world.pool).await.unwrap();
    }
    assert!(Search::open(folder.path(), WRITER_BYTES).is_err(), "two processes must not share an index");
    drop(search);

    let search = Search::open(folder.path(), WRITER_BYTES).unwrap();
    assert_eq!(search.catch_up(&world.pool).await.unwrap().indexed, 0);
    drop(search);

    let other = testing::world().await;
    import_values(&other.pool, &[concert("b", "Second"), concert("c", "Third")]).await;
    let search = Search::open(folder.path(), WRITER_BYTES).unwrap();
    let mut indexed = 0;
    while indexed < 2 {
        indexed += search.catch_up(&other.pool).await.unwrap().indexed;
    }
    assert_eq!(search.events(), 2, "the other database's event is gone");
}
