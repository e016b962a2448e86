//! What outlives Redis. Every second epoch, last key, the highest key called, who was admitted and who has
//! ended go to Postgres. A line that is missing is made again from there, and one that another run of
//! Redis brought back is compared with it; both in a new epoch.

mod moves;
mod rows;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use metrics::counter;
use sqlx::{PgConnection, PgPool, types::Json};

use self::rows::{Mark, signed};
use crate::{
    drops::{self, Drop, DropError},
    ids::DropId,
    line::{KEPT_AT_ONCE, Line, LineError, Marks, Recorded},
    mails,
};

#[derive(Debug, thiserror::Error)]
pub enum MarksError {
    #[error("the marks cannot be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the line cannot be read or restored")]
    Line(#[from] LineError),
    #[error("a drop cannot be read or shown")]
    Drop(#[from] DropError),
    #[error("the line is in an epoch before that of its marks, or another process restores it")]
    Overtaken,
}

/// Places restored in one call of a script.
const RESTORED_AT_ONCE: usize = 500;
/// Rounds of a thousand ends and a thousand grants that one drop may take of a second.
const ROUNDS_MAX: usize = 100;
/// How long nobody is called or granted after Redis came back as it was, in microseconds.
const ANOTHER_RUN_US: u64 = 1_000_000;
/// How far behind the last key that is known newcomers queue: more than the fans who can join in the second that
/// nobody wrote down, should their keys lie ahead of the clock (as those of latecomers to a draw do).
const KEYS_UNKNOWN: u64 = 1_000_000;

/// Fields of the control that stand nowhere but in Redis. Whether and since when it is paused is the
/// drop's time: with it, deadlines stay what they were.
const CARRIED: [&str; 23] = [
    "paused_us",
    "covered_us",
    "paused_at",
    "pause_reason",
    "paused_by_itself",
    "ended_at",
    "granted_total",
    "called_total",
    "leaves_total",
    "shows",
    "noshows",
    "came",
    "silent",
    "react_us",
    "notice",
    "capacity",
    "held",
    "sold",
    "sold_out",
    "covered",
    "estimates_early",
    "estimates_right",
    "estimates_late",
];

/// Keeps Postgres and the lines in step.
#[derive(Debug)]
pub struct Keeper {
    pool: PgPool,
    regather_us: u64,
    written: HashMap<DropId, Mark>,
    /// The epoch of a line and the version of the drop whose brand its waitrooms read.
    branded: HashMap<DropId, (u64, i32)>,
}

impl Keeper {
    /// `regather_s`: how long nobody is called after a loss, in seconds.
    pub fn new(pool: PgPool, regather_s: u64) -> Self {
        Self {
            pool,
            regather_us: regather_s.saturating_mul(1_000_000),
            written: HashMap::new(),
            branded: HashMap::new(),
        }
    }

    /// Restores the line of a live drop when it is missing or may have forgotten something; else tells it
    /// what the operators decided, should it not have heard, and writes its marks.
    pub async fn keep(&mut self, line: &Line, drop: &Drop) -> Result<(), MarksError> {
        let epoch = match line.marks(&drop.id).await? {
            Some(marks) if marks.same_run => {
                if marks.number("version") < drop.version.unsigned_abs().into() {
                    line.apply(&drop.id, &drop.order()).await?;
                }
                moves::keep(&self.pool, line, &drop.id, &marks).await?;
                self.write_down(line, drop, &marks).await?;
                marks.number("epoch")
            }
            _ => match self.restore(line, drop).await? {
                Some(epoch) => epoch,
                None => return Ok(()), // another process is at it, or was faster
            },
        };
        let shown = (epoch, drop.version);
        if self.branded.get(&drop.id) != Some(&shown) {
            drops::show_brand(&self.pool, line, drop).await?;
            self.branded.insert(drop.id.clone(), shown);
        }
        Ok(())
    }

    /// Removes the lines of drops that ended more than a day ago from Redis, all but their controls, when
    /// their marks are written.
    pub async fn sweep(&mut self, line: &Line) -> Result<(), MarksError> {
        for id in rows::to_sweep(&self.pool).await? {
            let Some(id) = DropId::parse(&id) else { continue };
            let drop = drops::show(&self.pool, &id).await?;
            if line.marks(&id).await?.is_some() {
                self.keep(line, &drop).await?;
                if !line.marks(&id).await?.is_some_and(|marks| marks.same_run) {
                    continue; // another process is restoring it
                }
                line.sweep(&id).await?;
            }
            rows::swept(&self.pool, &id).await?;
            self.written.remove(&id);
        }
        Ok(())
    }

    /// A quiet line costs no more than the look that found it quiet.
    async fn write_down(&mut self, line: &Line, drop: &Drop, marks: &Marks) -> Result<(), MarksError> {
        let stored = self.stored(&drop.id).await?.unwrap_or_default();
        let mut mark = Mark {
            epoch: signed(marks.number("epoch")),
            last_key: signed(marks.number("last_key")),
            highest_called: signed(marks.number("highest_called")),
            ended_seq: if stored.epoch == signed(marks.number("epoch")) { stored.ended_seq } else { 0 },
            granted_seq: stored.granted_seq,
            carried: Json(carried(marks)),
        };
        for _ in 0..ROUNDS_MAX {
            let ends = match marks.number("ended_seq") > mark.ended_seq.unsigned_abs() {
                true => line.ends_since(&drop.id, mark.ended_seq.unsigned_abs()).await?,
                false => Vec::new(),
            };
            let grants = match marks.number("granted_total") > mark.granted_seq.unsigned_abs() {
                true => line.grants_since(&drop.id, mark.granted_seq.unsigned_abs()).await?,
                false => Vec::new(),
            };
            mark.ended_seq = ends.last().map_or(mark.ended_seq, |end| signed(end.number));
            mark.granted_seq = grants.last().map_or(mark.granted_seq, |grant| signed(grant.number));
            if self.written.get(&drop.id) != Some(&mark) {
                self.written.remove(&drop.id);
                write(&self.pool, &drop.id, &mark, &ends, &grants).await?;
                self.written.insert(drop.id.clone(), mark.clone());
            }
            if !grants.is_empty() {
                line.forget_grants(&drop.id, mark.granted_seq.unsigned_abs()).await?;
            }
            if ends.len() < KEPT_AT_ONCE && grants.len() < KEPT_AT_ONCE {
                break;
            }
        }
        Ok(())
    }

    /// A new epoch, so that passes of the old one bring their places back; keys above all that were given;
    /// who ended is ended, who was inside is inside; and nobody is called until the fans had time to come
    /// back. In an order that bears a crash anywhere: the epoch is used up first, and the control, which lets
    /// fans in again, comes last. One process at a time: whoever finds another at it goes on with the next drop.
    ///
    /// Answers with the epoch, when this process restored the line.
    ///
    /// # Errors
    /// Also when Redis lost the line once more meanwhile: it stays closed, and the next call begins anew.
    async fn restore(&mut self, line: &Line, drop: &Drop) -> Result<Option<u64>, MarksError> {
        self.written.remove(&drop.id);
        let mut lock = self.pool.begin().await?;
        if !rows::try_lock(&mut lock, &drop.id).await? {
            return Ok(None);
        }
        let left = line.marks(&drop.id).await?;
        if left.as_ref().is_some_and(|marks| marks.same_run) {
            return Ok(None);
        }
        let before = rows::read(&self.pool, &drop.id).await?;
        let found = Found::of(before.as_ref(), left.as_ref());
        let known = before.unwrap_or_default();
        let number = |field: &str| left.as_ref().map_or(0, |marks| marks.number(field));
        let epoch = known.epoch.unsigned_abs().max(number("epoch")) + 1;
        let mark = Mark { epoch: signed(epoch), ended_seq: 0, ..known };
        if !rows::write(&mut *self.pool.acquire().await?, &drop.id, &mark).await? {
            return Err(MarksError::Overtaken);
        }
        line.begin_restore(&drop.id, epoch).await?;
        self.put_back(&mut lock, line, &drop.id).await?;
        if found.is_behind() {
            // else Redis knows better: what it lacks was withdrawn
            mails::put_back(&mut lock, line, &drop.id).await?;
        }

        let mut control = if left.is_none() { drop.control(epoch) } else { Vec::new() };
        if found.is_behind() {
            control.extend(CARRIED.iter().filter_map(|&field| Some((field, mark.carried.get(field)?.clone()))));
        }
        for (field, marked) in [
            ("highest_called", mark.highest_called),
            ("granted_total", carried_number(&mark, "granted_total").max(mark.granted_seq)),
        ] {
            control.push((field, marked.unsigned_abs().max(number(field)).to_string()));
        }
        if found != Found::New {
            // latecomers to a draw have keys from its opening on, however early they came
            let latecomers = drop.lobby_closes_at.and(drop.settings.opens_at);
            let known = [mark.last_key, latecomers.map_or(0, Timestamp::as_microsecond)].map(i64::unsigned_abs);
            let last_key = known[0].max(known[1]).max(number("last_key")).saturating_add(KEYS_UNKNOWN);
            control.push(("last_key", last_key.to_string()));
        }
        let regather_us = match found {
            Found::New => 0,
            Found::Lost | Found::Behind => self.regather_us,
            Found::AsItWas => ANOTHER_RUN_US,
        };
        line.reopen(&drop.id, epoch, regather_us, &control).await?;
        line.apply(&drop.id, &drop.order()).await?;
        lock.commit().await?;
        found.tell(&drop.id, epoch);
        Ok(Some(epoch))
    }

    /// Who ended and who is inside. What else of a line stands in Postgres is put back here, too, before
    /// fans are let in. All of it while `lock` is held: it is asked after each step, since Postgres ends a
    /// transaction that is silent for too long, and its lock with it.
    async fn put_back(&self, lock: &mut PgConnection, line: &Line, drop: &DropId) -> Result<(), MarksError> {
        for some in rows::ended(lock, drop).await?.chunks(RESTORED_AT_ONCE) {
            line.restore_ended(drop, some).await?;
            rows::still_locked(lock).await?;
        }
        for some in rows::inside(lock, drop).await?.chunks(RESTORED_AT_ONCE) {
            line.restore_granted(drop, some).await?;
            rows::still_locked(lock).await?;
        }
        moves::put_back(lock, line, drop).await
    }

    async fn stored(&mut self, drop: &DropId) -> sqlx::Result<Option<Mark>> {
        if let Some(mark) = self.written.get(drop) {
            return Ok(Some(mark.clone()));
        }
        rows::read(&self.pool, drop).await
    }
}

/// What is left of a line that must be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// There never was one.
    New,
    /// Nothing.
    Lost,
    /// Another run of Redis has it, and knows less than the marks.
    Behind,
    /// Another run of Redis has it, with all that the marks know.
    AsItWas,
}

impl Found {
    fn of(before: Option<&Mark>, left: Option<&Marks>) -> Self {
        let (before, left) = match (before, left) {
            (None, None) => return Self::New,
            (Some(_), None) => return Self::Lost,
            (None, Some(_)) => return Self::AsItWas,
            (Some(before), Some(left)) => (before, left),
        };
        let epoch = signed(left.number("epoch"));
        let knows_less = before.epoch > epoch
            || before.last_key > signed(left.number("last_key"))
            || before.highest_called > signed(left.number("highest_called"))
            || before.granted_seq > signed(left.number("granted_total"))
            || before.epoch == epoch && before.ended_seq > signed(left.number("ended_seq"));
        if knows_less { Self::Behind } else { Self::AsItWas }
    }

    /// Whether the marks know more than Redis does.
    fn is_behind(self) -> bool {
        matches!(self, Self::Lost | Self::Behind)
    }

    fn tell(self, drop: &DropId, epoch: u64) {
        let outcome = match self {
            Self::New => return,
            Self::Lost => "lost",
            Self::Behind => "behind",
            Self::AsItWas => "intact",
        };
        counter!("onsale_line_restored_total", "drop" => drop.to_string(), "found" => outcome).increment(1);
        tracing::warn!(%drop, epoch, found = outcome, "Redis is another one or lost the line; restored in a new epoch");
    }
}

fn carried(marks: &Marks) -> BTreeMap<String, String> {
    let fields = CARRIED.iter().filter_map(|&field| Some((field.to_owned(), marks.text(field)?.to_owned())));
    fields.collect()
}

fn carried_number(mark: &Mark, field: &str) -> i64 {
    mark.carried.get(field).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// All of it or nothing: marks never say more than what they count. Nothing of an epoch that was restored
/// meanwhile, or is just now: Redis would know less than Postgres then, and numbers be given twice.
async fn write(
    pool: &PgPool,
    drop: &DropId,
    mark: &Mark,
    ends: &[Recorded],
    grants: &[Recorded],
) -> Result<(), MarksError> {
    let mut tx = pool.begin().await?;
    if !rows::try_share(&mut tx, drop).await? || !rows::write(&mut tx, drop, mark).await? {
        return Err(MarksError::Overtaken);
    }
    rows::write_ends(&mut tx, drop, ends).await?;
    rows::write_grants(&mut tx, drop, grants).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_another_process_restored_meanwhile_is_left_as_it_is() {
        let world = shared::testing::world().await;
        let (pool, line, id) = (&world.pool, Line::new(world.redis.clone()), DropId::parse("evening").unwrap());
        sqlx::query("INSERT INTO drops (drop_id, rate_per_minute, seed) VALUES ('evening', 60, $1)")
            .bind(&[7u8; 32][..])
            .execute(pool)
            .await
            .unwrap();
        let drop = drops::show(pool, &id).await.unwrap();
        line.create(&id, &drop.control(2)).await.unwrap();
        // as if it had been missing when this process looked
        let restored = Keeper::new(pool.clone(), 60).restore(&line, &drop).await;
        assert_eq!(restored.unwrap(), None);
        assert_eq!(rows::read(pool, &id).await.unwrap(), None, "no epoch is used up");
    }
}
