//! An event with everything that is said about it, as it is shown and indexed.
//! Availability is not part of it: that changes by the second. Whether there are tickets at
//! all is: who adds tickets to an event that is there already must touch its row as well,
//! or the index does not hear of it; who changes a venue, the rows of its events.

use jiff::{Timestamp, civil, tz::TimeZone};
use jiff_sqlx as pg;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Postgres, Transaction, types::Json};
use utoipa::ToSchema;
use uuid::Uuid;

/// Events loaded by one query.
pub const LOAD_MAX: usize = 500;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    pub event_id: Uuid,
    /// The import key; null when made by hand.
    #[schema(required)]
    pub identifier: Option<String>,
    pub name: String,
    pub category: String,
    pub description: String,
    /// At the venue.
    pub date: civil::Date,
    /// At the venue; null when unknown.
    #[schema(required, value_type = Option<String>, format = "time")]
    pub time: Option<civil::Time>,
    /// RFC 3339 with the venue's offset, where time and zone are known.
    #[schema(required)]
    pub starts_at: Option<String>,
    pub venue: Venue,
    pub performers: Vec<Performer>,
    pub works: Vec<Work>,
    pub organizer: String,
    pub series: String,
    pub keywords: String,
    pub currency: String,
    /// How tickets are sold; null while there are none.
    #[schema(required)]
    pub seating: Option<Seating>,
    /// Path of the layout, for reserved seating.
    #[schema(required)]
    pub layout: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Seating {
    Reserved,
    General,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Venue {
    pub venue_id: Uuid,
    #[schema(required)]
    pub slug: Option<String>,
    pub name: String,
    pub address: String,
    pub city: String,
    #[schema(required)]
    pub timezone: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Performer {
    pub name: String,
    /// person or group
    pub kind: String,
    pub role: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Work {
    pub name: String,
    pub composer: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    event_id: Uuid,
    identifier: Option<String>,
    name: String,
    category: String,
    description: String,
    date: pg::Date,
    time: Option<pg::Time>,
    organizer: String,
    series: String,
    keywords: String,
    currency: String,
    layout_hash: Option<String>,
    has_tickets: bool,
    created_at: pg::Timestamp,
    updated_at: pg::Timestamp,
    venue_id: Uuid,
    venue_slug: Option<String>,
    venue_name: String,
    venue_address: String,
    venue_city: String,
    venue_timezone: Option<String>,
    performers: Json<Vec<Performer>>,
    works: Json<Vec<Work>>,
}

/// The events among `ids` that exist, in no order. At most [`LOAD_MAX`] ids.
pub async fn load(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<Vec<Event>> {
    debug_assert!(ids.len() <= LOAD_MAX);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT e.event_id, e.identifier, e.name, e.category, e.description, e.date, e.time, e.organizer, e.series,
                e.keywords, e.currency, e.layout_hash, e.created_at, e.updated_at,
                EXISTS (SELECT 1 FROM tickets t WHERE t.event_id = e.event_id) AS has_tickets,
                v.venue_id, v.slug AS venue_slug, v.name AS venue_name, v.address AS venue_address,
                v.city AS venue_city, v.timezone AS venue_timezone,
                coalesce(p.list, '[]') AS performers, coalesce(w.list, '[]') AS works
         FROM events e
         JOIN venues v USING (venue_id)
         LEFT JOIN LATERAL (
             SELECT json_agg(json_build_object('name', p.name, 'kind', p.kind, 'role', ep.role) ORDER BY ep.position)
                    AS list
             FROM event_performers ep JOIN performers p USING (performer_id)
             WHERE ep.event_id = e.event_id) p ON true
         LEFT JOIN LATERAL (
             SELECT json_agg(json_build_object('name', ew.name, 'composer', ew.composer) ORDER BY ew.position) AS list
             FROM event_works ew WHERE ew.event_id = e.event_id) w ON true
         WHERE e.event_id = ANY ($1)",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Event::from).collect())
}

/// Tells the index that what is said about these venues has changed. In the transaction
/// that changes them, after the change: events committed in between are touched as well.
pub(super) async fn touch_at(tx: &mut Transaction<'_, Postgres>, venues: &[Uuid]) -> sqlx::Result<()> {
    // updated_at and the stamp that the index follows are the trigger's
    sqlx::query("UPDATE events SET updated_at = now() WHERE venue_id = ANY ($1)")
        .bind(venues)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl From<Row> for Event {
    fn from(row: Row) -> Self {
        let date = row.date.to_jiff();
        let time = row.time.map(pg::Time::to_jiff);
        let seating = row.has_tickets.then_some(match row.layout_hash {
            Some(_) => Seating::Reserved,
            None => Seating::General,
        });
        Event {
            event_id: row.event_id,
            identifier: row.identifier,
            name: row.name,
            category: row.category,
            description: row.description,
            date,
            time,
            starts_at: starts_at(date, time, row.venue_timezone.as_deref()),
            venue: Venue {
                venue_id: row.venue_id,
                slug: row.venue_slug,
                name: row.venue_name,
                address: row.venue_address,
                city: row.venue_city,
                timezone: row.venue_timezone,
            },
            performers: row.performers.0,
            works: row.works.0,
            organizer: row.organizer,
            series: row.series,
            keywords: row.keywords,
            currency: row.currency,
            seating,
            layout: row.layout_hash.map(|hash| format!("/layouts/{hash}")),
            created_at: row.created_at.to_jiff(),
            updated_at: row.updated_at.to_jiff(),
        }
    }
}

fn starts_at(date: civil::Date, time: Option<civil::Time>, timezone: Option<&str>) -> Option<String> {
    let zone = TimeZone::get(timezone?).ok()?;
    let start = date.to_datetime(time?).to_zoned(zone).ok()?;
    Some(start.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_carries_the_venues_offset() {
        let date = civil::date(2026, 11, 28);
        let time = Some(civil::time(20, 0, 0, 0));
        let start = starts_at(date, time, Some("America/New_York"));
        assert_eq!(start.as_deref(), Some("2026-11-28T20:00:00-05:00"));
        assert_eq!(starts_at(date, None, Some("America/New_York")), None);
        assert_eq!(starts_at(date, time, None), None);
    }
}
