//! A batch of records into the tables: one transaction, each statement over the whole batch.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff_sqlx::ToSqlx as _;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::line::Record;
use crate::catalogue::events;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stored {
    pub(super) inserted: u64,
    pub(super) updated: u64,
}

type Tx<'t> = Transaction<'t, Postgres>;

/// Stores what is new or says something else; identifiers within the batch are distinct.
pub(super) async fn store(pool: &PgPool, mut records: Vec<Record>) -> sqlx::Result<Stored> {
    let known = unchanged(pool, &records).await?;
    records.retain(|record| !known.contains(&record.identifier));
    if records.is_empty() {
        return Ok(Stored::default());
    }
    // in one order, so that two imports at a time wait for each other instead of deadlocking
    records.sort_by(|a, b| a.identifier.cmp(&b.identifier));
    let mut tx = pool.begin().await?;
    let venues = Venues::of(&records);
    add_venues(&mut tx, &venues).await?;
    let moved = move_venues(&mut tx, &venues).await?;
    if !moved.is_empty() {
        events::touch_at(&mut tx, &moved).await?;
    }
    add_performers(&mut tx, &records).await?;
    let events = upsert_events(&mut tx, &records).await?;
    let updated: Vec<Uuid> = events.values().filter(|event| !event.inserted).map(|event| event.event_id).collect();
    if !updated.is_empty() {
        clear_performers(&mut tx, &updated).await?;
        clear_works(&mut tx, &updated).await?;
    }
    // a record missing here was stored by somebody else meanwhile, with the same meaning
    let written: Vec<(Uuid, &Record)> =
        records.iter().filter_map(|record| Some((events.get(&record.identifier)?.event_id, record))).collect();
    insert_performers(&mut tx, &written).await?;
    insert_works(&mut tx, &written).await?;
    tx.commit().await?;
    let updated = updated.len() as u64;
    Ok(Stored { inserted: events.len() as u64 - updated, updated })
}

/// The first transaction id nobody has yet: everything committed so far lies below it.
pub(super) async fn next_xid(pool: &PgPool) -> sqlx::Result<u64> {
    let xid: String =
        sqlx::query_scalar("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetch_one(pool).await?;
    xid.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Identifiers whose stored event already means the same.
async fn unchanged(pool: &PgPool, records: &[Record]) -> sqlx::Result<HashSet<String>> {
    let identifiers: Vec<&str> = records.iter().map(|record| record.identifier.as_str()).collect();
    let fingerprints: Vec<&[u8]> = records.iter().map(|record| record.fingerprint.as_slice()).collect();
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT e.identifier FROM UNNEST($1::text[], $2::bytea[]) AS i (identifier, fingerprint)
         JOIN events e ON e.identifier = i.identifier AND e.fingerprint = i.fingerprint",
    )
    .bind(identifiers)
    .bind(fingerprints)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}

/// The venues of a batch, each once, in columns.
struct Venues<'a> {
    names: Vec<&'a str>,
    addresses: Vec<&'a str>,
    cities: Vec<&'a str>,
}

impl<'a> Venues<'a> {
    fn of(records: &'a [Record]) -> Self {
        let venues: BTreeMap<(&str, &str), &str> = records
            .iter()
            .map(|record| ((record.venue.as_str(), record.address.as_str()), record.city.as_str()))
            .collect();
        let (names, addresses) = venues.keys().copied().unzip();
        Self { names, addresses, cities: venues.into_values().collect() }
    }
}

async fn add_venues(tx: &mut Tx<'_>, venues: &Venues<'_>) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = venues.names.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "INSERT INTO venues (venue_id, name, address, city)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[])
         ON CONFLICT (name, address) WHERE slug IS NULL DO NOTHING",
    )
    .bind(ids)
    .bind(&venues.names)
    .bind(&venues.addresses)
    .bind(&venues.cities)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Corrects the cities of known venues, and says which those were.
async fn move_venues(tx: &mut Tx<'_>, venues: &Venues<'_>) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "UPDATE venues v SET city = i.city
         FROM UNNEST($1::text[], $2::text[], $3::text[]) AS i (name, address, city)
         WHERE v.name = i.name AND v.address = i.address AND v.slug IS NULL AND v.city <> i.city
         RETURNING v.venue_id",
    )
    .bind(&venues.names)
    .bind(&venues.addresses)
    .bind(&venues.cities)
    .fetch_all(&mut **tx)
    .await
}

async fn add_performers(tx: &mut Tx<'_>, records: &[Record]) -> sqlx::Result<()> {
    let performers: BTreeSet<(&str, &str)> = records
        .iter()
        .flat_map(|record| &record.performers)
        .map(|performer| (performer.name.as_str(), performer.kind))
        .collect();
    let ids: Vec<Uuid> = performers.iter().map(|_| Uuid::now_v7()).collect();
    let (names, kinds): (Vec<&str>, Vec<&str>) = performers.into_iter().unzip();
    sqlx::query(
        "INSERT INTO performers (performer_id, name, kind)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[])
         ON CONFLICT (name, kind) DO NOTHING",
    )
    .bind(ids)
    .bind(names)
    .bind(kinds)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Upserted {
    identifier: String,
    event_id: Uuid,
    inserted: bool,
}

/// Writes the events' own rows. A time in UTC becomes the venue's where its zone is known.
async fn upsert_events(tx: &mut Tx<'_>, records: &[Record]) -> sqlx::Result<HashMap<String, Upserted>> {
    fn column<'a, T>(records: &'a [Record], get: impl Fn(&'a Record) -> T) -> Vec<T> {
        records.iter().map(get).collect()
    }
    let rows: Vec<Upserted> = sqlx::query_as(
        "INSERT INTO events (event_id, identifier, name, category, description, date, time, venue_id, organizer,
                             series, keywords, fingerprint)
         SELECT i.event_id, i.identifier, i.name, i.category, i.description,
                coalesce((i.utc AT TIME ZONE v.timezone)::date, i.date),
                coalesce((i.utc AT TIME ZONE v.timezone)::time, i.time),
                v.venue_id, i.organizer, i.series, i.keywords, i.fingerprint
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::time[],
                     $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[])
              AS i (event_id, identifier, name, category, description, date, time,
                    utc, venue, address, organizer, series, keywords, fingerprint)
         JOIN venues v ON v.name = i.venue AND v.address = i.address AND v.slug IS NULL
         ON CONFLICT (identifier) DO UPDATE SET
             name = excluded.name, category = excluded.category, description = excluded.description,
             date = excluded.date, time = excluded.time, venue_id = excluded.venue_id,
             organizer = excluded.organizer, series = excluded.series, keywords = excluded.keywords,
             fingerprint = excluded.fingerprint
         WHERE events.fingerprint IS DISTINCT FROM excluded.fingerprint
         RETURNING identifier, event_id, xmax = 0 AS inserted",
    )
    .bind(column(records, |_| Uuid::now_v7()))
    .bind(column(records, |r| r.identifier.as_str()))
    .bind(column(records, |r| r.name.as_str()))
    .bind(column(records, |r| r.category.as_str()))
    .bind(column(records, |r| r.description.as_str()))
    .bind(column(records, |r| r.start.date.to_sqlx()))
    .bind(column(records, |r| r.start.time.map(|time| time.to_sqlx())))
    .bind(column(records, |r| r.start.utc.map(|utc| utc.to_sqlx())))
    .bind(column(records, |r| r.venue.as_str()))
    .bind(column(records, |r| r.address.as_str()))
    .bind(column(records, |r| r.organizer.as_str()))
    .bind(column(records, |r| r.series.as_str()))
    .bind(column(records, |r| r.keywords.as_str()))
    .bind(column(records, |r| r.fingerprint.as_slice()))
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.identifier.clone(), row)).collect())
}

async fn clear_performers(tx: &mut Tx<'_>, events: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM event_performers WHERE event_id = ANY ($1)").bind(events).execute(&mut **tx).await?;
    Ok(())
}

async fn clear_works(tx: &mut Tx<'_>, events: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM event_works WHERE event_id = ANY ($1)").bind(events).execute(&mut **tx).await?;
    Ok(())
}

async fn insert_performers(tx: &mut Tx<'_>, events: &[(Uuid, &Record)]) -> sqlx::Result<()> {
    let (mut ids, mut positions, mut names, mut kinds, mut roles) = (vec![], vec![], vec![], vec![], vec![]);
    for (event_id, record) in events {
        for (position, performer) in (0_i32..).zip(&record.performers) {
            ids.push(*event_id);
            positions.push(position);
            names.push(performer.name.as_str());
            kinds.push(performer.kind);
            roles.push(performer.role.as_str());
        }
    }
    sqlx::query(
        "INSERT INTO event_performers (event_id, position, performer_id, role)
         SELECT i.event_id, i.position, p.performer_id, i.role
         FROM UNNEST($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[])
              AS i (event_id, position, name, kind, role)
         JOIN performers p ON p.name = i.name AND p.kind = i.kind",
    )
    .bind(ids)
    .bind(positions)
    .bind(names)
    .bind(kinds)
    .bind(roles)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_works(tx: &mut Tx<'_>, events: &[(Uuid, &Record)]) -> sqlx::Result<()> {
    let (mut ids, mut positions, mut names, mut composers) = (vec![], vec![], vec![], vec![]);
    for (event_id, record) in events {
        for (position, work) in (0_i32..).zip(&record.works) {
            ids.push(*event_id);
            positions.push(position);
            names.push(work.name.as_str());
            composers.push(work.composer.as_str());
        }
    }
    sqlx::query(
        "INSERT INTO event_works (event_id, position, name, composer)
         SELECT * FROM UNNEST($1::uuid[], $2::int[], $3::text[], $4::text[])",
    )
    .bind(ids)
    .bind(positions)
    .bind(names)
    .bind(composers)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Tells the planner of what has just come: until it knows that the tables are no longer as small as they
/// were, it reads them whole for every event the index asks about.
pub(super) async fn analyze(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query("ANALYZE venues, performers, events, event_performers, event_works").execute(pool).await?;
    Ok(())
}
