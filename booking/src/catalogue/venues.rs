//! Venues with a layout of their own: imported from JSON, or one of the two that every
//! installation starts with.

mod carnegie_hall;
mod stadium;

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::{
    events,
    layout::{self, Canonical, Layout, LayoutError, NAME_CHARS_MAX},
};

/// A venue as its JSON file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewVenue {
    /// What commands call it: lower-case letters, digits and hyphens.
    pub slug: String,
    pub name: String,
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub city: String,
    /// IANA name; the times of its events are in it.
    pub timezone: String,
    pub layout: Layout,
}

#[derive(Debug, thiserror::Error)]
pub enum VenueError {
    #[error("not a venue: {0}")]
    Syntax(String),
    #[error("the slug {0:?} is not 1 to 63 of a-z, 0-9 and hyphens, beginning with a letter or digit")]
    Slug(String),
    #[error(
        "a venue's {0} has at most {NAME_CHARS_MAX} characters, none of them control characters, and its name at least one"
    )]
    Text(&'static str),
    #[error("{0:?} is no IANA time zone")]
    TimeZone(String),
    #[error("the layout is refused")]
    Layout(#[from] LayoutError),
    #[error("the venue could not be stored")]
    Database(#[from] sqlx::Error),
}

/// A venue as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stored {
    pub venue_id: Uuid,
    pub slug: String,
    pub layout_hash: String,
    pub seats: usize,
}

/// Stores the venue a JSON document describes; one with the same slug is replaced.
/// Events already created keep the layout they were created with, and show all else anew.
pub async fn import(pool: &PgPool, json: &str) -> Result<Stored, VenueError> {
    let venue: NewVenue = serde_json::from_str(json).map_err(|error| VenueError::Syntax(error.to_string()))?;
    store(pool, venue).await
}

/// Stores Carnegie Hall and the stadium unless they are there.
pub async fn seed(pool: &PgPool) -> Result<(), VenueError> {
    type Generator = fn() -> NewVenue;
    let seeds: [(&str, Generator); 2] = [("carnegie-hall", carnegie_hall::venue), ("stadium", stadium::venue)];
    for (slug, generate) in seeds {
        if !exists(pool, slug).await? {
            store(pool, generate()).await?;
        }
    }
    Ok(())
}

async fn exists(pool: &PgPool, slug: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM venues WHERE slug = $1)").bind(slug).fetch_one(pool).await
}

async fn store(pool: &PgPool, venue: NewVenue) -> Result<Stored, VenueError> {
    check(&venue)?;
    let canonical = venue.layout.clone().canonical()?;
    let mut tx = pool.begin().await?;
    layout::store(&mut tx, &canonical).await?;
    let venue_id = upsert(&mut tx, &venue, &canonical).await?;
    events::touch_at(&mut tx, &[venue_id]).await?;
    tx.commit().await?;
    let seats = canonical.layout.seats.len();
    Ok(Stored { venue_id, slug: venue.slug, layout_hash: canonical.hash, seats })
}

async fn upsert(tx: &mut Transaction<'_, Postgres>, venue: &NewVenue, canonical: &Canonical) -> sqlx::Result<Uuid> {
    sqlx::query_scalar(
        "INSERT INTO venues (venue_id, name, slug, address, city, timezone, layout_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (slug) DO UPDATE SET name = excluded.name, address = excluded.address, city = excluded.city,
             timezone = excluded.timezone, layout_hash = excluded.layout_hash
         RETURNING venue_id",
    )
    .bind(Uuid::now_v7())
    .bind(&venue.name)
    .bind(&venue.slug)
    .bind(&venue.address)
    .bind(&venue.city)
    .bind(&venue.timezone)
    .bind(&canonical.hash)
    .fetch_one(&mut **tx)
    .await
}

fn check(venue: &NewVenue) -> Result<(), VenueError> {
    let slug_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let well_formed = venue.slug.starts_with(slug_char)
        && venue.slug.len() <= 63
        && venue.slug.chars().all(|c| slug_char(c) || c == '-');
    if !well_formed {
        return Err(VenueError::Slug(venue.slug.clone()));
    }
    for (what, value) in [("name", &venue.name), ("address", &venue.address), ("city", &venue.city)] {
        let empty_name = what == "name" && value.trim().is_empty();
        if empty_name || value.chars().count() > NAME_CHARS_MAX || value.chars().any(char::is_control) {
            return Err(VenueError::Text(what));
        }
    }
    if jiff::tz::TimeZone::get(&venue.timezone).is_err() {
        return Err(VenueError::TimeZone(venue.timezone.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_makes_no_venue() {
        let refused = |change: fn(&mut NewVenue)| {
            let mut venue = carnegie_hall::venue();
            change(&mut venue);
            check(&venue).unwrap_err()
        };
        assert!(matches!(refused(|v| v.slug = "Carnegie Hall".into()), VenueError::Slug(_)));
        assert!(matches!(refused(|v| v.slug = "-".into()), VenueError::Slug(_)));
        assert!(matches!(refused(|v| v.name = " ".into()), VenueError::Text("name")));
        assert!(matches!(refused(|v| v.city = "a\0".into()), VenueError::Text("city")));
        assert!(matches!(refused(|v| v.timezone = "Mars/Olympus".into()), VenueError::TimeZone(_)));
    }
}
