//! What outlives Redis. Every second epoch, last key, the highest key called and the ended places go
//! to Postgres; a drop whose control is missing is made again from there, in a new epoch.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::{FromRow, PgPool};

use crate::{
    drops::Drop,
    ids::{DropId, Place},
    line::{EndReason, Line, LineError},
};

#[derive(Debug, thiserror::Error)]
pub enum MarksError {
    #[error("the marks cannot be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the line cannot be read or restored")]
    Line(#[from] LineError),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
struct Mark {
    epoch: i64,
    last_key: i64,
    highest_called: i64,
    ended_seq: i64,
}

/// Ended places restored in one call of the script.
const ENDED_AT_ONCE: usize = 500;

/// Keeps Postgres and the lines in step.
#[derive(Debug)]
pub struct Keeper {
    pool: PgPool,
    regather_us: u64,
    written: HashMap<DropId, Mark>,
}

impl Keeper {
    pub fn new(pool: PgPool, regather_s: u64) -> Self {
        Self { pool, regather_us: regather_s.saturating_mul(1_000_000), written: HashMap::new() }
    }

    /// Makes the line of a live drop when it is missing; else tells it what the operators decided, should it
    /// not have heard, and writes its marks.
    pub async fn keep(&mut self, line: &Line, drop: &Drop, now: Timestamp) -> Result<(), MarksError> {
        match line.marks(&drop.id).await? {
            None => self.restore(line, drop, now).await,
            Some((epoch, last_key, highest_called)) => {
                line.apply(&drop.id, &drop.order()).await?;
                let stored = self.stored(&drop.id).await?;
                let same_epoch = stored.filter(|mark| mark.epoch == signed(epoch));
                let after = same_epoch.map_or(0, |mark| mark.ended_seq);
                let ends = line.ends_since(&drop.id, after.unsigned_abs()).await?;
                let mark = Mark {
                    epoch: signed(epoch),
                    last_key: signed(last_key),
                    highest_called: signed(highest_called),
                    ended_seq: ends.last().map_or(after, |(_, number, _)| signed(*number)),
                };
                if stored != Some(mark) {
                    write(&self.pool, &drop.id, mark, &ends).await?;
                    self.written.insert(drop.id.clone(), mark);
                }
                Ok(())
            }
        }
    }

    /// After a loss: a new epoch, keys above all that were given, ended places ended, and nobody called
    /// until the fans had time to come back with their passes. In an order that bears a crash anywhere:
    /// the epoch is used up first, and the control, which lets fans in again, comes last.
    async fn restore(&mut self, line: &Line, drop: &Drop, now: Timestamp) -> Result<(), MarksError> {
        self.written.remove(&drop.id);
        let before = read(&self.pool, &drop.id).await?;
        let epoch = before.map_or(1, |mark| mark.epoch + 1);
        let mark = Mark { epoch, ended_seq: 0, ..before.unwrap_or_default() };
        write(&self.pool, &drop.id, mark, &[]).await?;
        let mut control = drop.control(epoch.unsigned_abs());
        let now_us = now.as_microsecond().unsigned_abs();
        if before.is_some() {
            tracing::warn!(drop = %drop.id, epoch, "the line was lost; restoring");
            control.push(("last_key", mark.last_key.to_string()));
            control.push(("highest_called", mark.highest_called.to_string()));
            control.push(("regather_until", (now_us + self.regather_us).to_string()));
        }
        for some in ended_places(&self.pool, &drop.id).await?.chunks(ENDED_AT_ONCE) {
            line.restore_ended(&drop.id, some).await?;
        }
        line.create(&drop.id, &control).await?;
        Ok(line.apply(&drop.id, &drop.order()).await?)
    }

    async fn stored(&mut self, drop: &DropId) -> sqlx::Result<Option<Mark>> {
        if let Some(mark) = self.written.get(drop) {
            return Ok(Some(*mark));
        }
        let mark = read(&self.pool, drop).await?;
        if let Some(mark) = mark {
            self.written.insert(drop.clone(), mark);
        }
        Ok(mark)
    }
}

async fn read(pool: &PgPool, drop: &DropId) -> sqlx::Result<Option<Mark>> {
    sqlx::query_as("SELECT epoch, last_key, highest_called, ended_seq FROM line_marks WHERE drop_id = $1")
        .bind(drop.as_str())
        .fetch_optional(pool)
        .await
}

/// Several processes may write: an older epoch never replaces a newer one, marks only grow within one.
async fn write(pool: &PgPool, drop: &DropId, mark: Mark, ends: &[(String, u64, EndReason)]) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    sqlx::query(
        "INSERT INTO line_marks (drop_id, epoch, last_key, highest_called, ended_seq) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (drop_id) DO UPDATE SET epoch = $2, last_key = GREATEST(line_marks.last_key, $3), \
             highest_called = GREATEST(line_marks.highest_called, $4), \
             ended_seq = CASE WHEN line_marks.epoch = $2 THEN GREATEST(line_marks.ended_seq, $5) ELSE $5 END, \
             updated_at = now() \
         WHERE line_marks.epoch <= $2",
    )
    .bind(drop.as_str())
    .bind(mark.epoch)
    .bind(mark.last_key)
    .bind(mark.highest_called)
    .bind(mark.ended_seq)
    .execute(&mut *tx)
    .await?;
    let (places, reasons): (Vec<&str>, Vec<&str>) =
        ends.iter().map(|(place, _, reason)| (place.as_str(), reason.as_str())).unzip();
    sqlx::query(
        "INSERT INTO ended_places (drop_id, place, reason) SELECT $1, * FROM unnest($2::text[], $3::text[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(drop.as_str())
    .bind(places)
    .bind(reasons)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

async fn ended_places(pool: &PgPool, drop: &DropId) -> sqlx::Result<Vec<(Place, EndReason)>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT place, reason FROM ended_places WHERE drop_id = $1 ORDER BY ended_at, place")
            .bind(drop.as_str())
            .fetch_all(pool)
            .await?;
    rows.into_iter()
        .map(|(place, reason)| {
            Place::parse(&place)
                .zip(EndReason::parse(&reason))
                .ok_or_else(|| sqlx::Error::Decode(format!("ended_places of {drop} is unreadable").into()))
        })
        .collect()
}

/// Postgres has no unsigned type; microseconds and counters stay far below its limit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
