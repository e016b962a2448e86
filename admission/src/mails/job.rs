use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sqlx::{PgConnection, PgPool};

use super::rows::{self, Turn};
use crate::{
    drops::{Drop, State},
    ids::{DropId, Place},
    line::{Asked, Change, Fate, Line, LineError},
    marks::MarksError,
};

/// Places looked at in one call.
const LOOK_MAX: usize = 500;
/// Rounds of changes read for one drop before the others have their turn; a round is at most 5,000.
const ROUNDS_MAX: usize = 20;

/// Why nobody could be looked after just now.
#[derive(Debug, thiserror::Error)]
pub enum MailsError {
    #[error("the wishes cannot be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the line cannot be read")]
    Line(#[from] LineError),
    #[error("a deadline lies outside of time")]
    Time(#[from] jiff::Error),
}

/// Follows the lines for those who asked for a mail. Any number of processes may.
#[derive(Debug)]
pub struct Mails {
    pool: PgPool,
    seen: HashMap<DropId, Seen>,
    /// Whether drops that ended before this process began were looked after.
    began: bool,
}

/// How far a line was followed.
#[derive(Debug)]
struct Seen {
    epoch: u64,
    last_change: String,
}

/// What is to be done for some places.
#[derive(Default)]
struct Todo {
    wishes: Vec<(Place, Vec<u8>)>,
    turns: Vec<Turn>,
    /// Nobody waits for a mail there.
    none: Vec<Place>,
    /// Done with in Redis.
    done: Vec<(Place, Vec<u8>)>,
}

impl Mails {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, seen: HashMap::new(), began: false }
    }

    /// Looks after one drop: what changed since the last look, or all who asked when that is not known.
    pub async fn follow(&mut self, line: &Line, drop: &DropId) -> Result<(), MailsError> {
        // should anything fail, all who asked are looked at next time
        let before = self.seen.remove(drop);
        let mut last = before.as_ref().map(|seen| seen.last_change.clone());
        let mut changed = BTreeSet::new();
        let mut look_at_all = before.is_none();
        let mut epoch = 0;
        for _ in 0..ROUNDS_MAX {
            let (state, watched) = line.watch(drop, last.as_deref(), false).await?;
            epoch = state.epoch;
            let nothing_more = last.as_ref() == Some(&watched.last_change) || last.is_none();
            last = Some(watched.last_change);
            for change in watched.changes {
                match change {
                    Change::Place(place) => changed.extend(Place::parse(&place)),
                    Change::Gap => look_at_all = true,
                    Change::Drop => {}
                }
            }
            if nothing_more {
                break;
            }
        }
        if look_at_all || before.is_some_and(|seen| seen.epoch != epoch) {
            self.look_at_all(line, drop).await?;
        } else {
            let changed: Vec<_> = changed.into_iter().collect();
            // most of those who are called asked for nothing: a line without wishes costs no writing
            let has_wishes = !changed.is_empty() && rows::has_wishes(&self.pool, drop).await?;
            for places in changed.chunks(LOOK_MAX) {
                let (_, mut asked) = line.mails(drop, places).await?;
                if !has_wishes {
                    asked.retain(|asked| asked.sealed.is_some());
                }
                self.look_after(line, drop, asked).await?;
            }
        }
        if let Some(last_change) = last {
            self.seen.insert(drop.clone(), Seen { epoch, last_change });
        }
        Ok(())
    }

    /// Forgets who asked in drops that have ended: all but those of `known` that have not.
    pub async fn forget_ended(&mut self, line: &Line, known: &[Drop]) -> Result<(), MailsError> {
        let is_live = |id: &DropId| known.iter().any(|drop| drop.id == *id && drop.state != State::Ended);
        if self.began && self.seen.keys().all(is_live) {
            return Ok(());
        }
        let gone = self.seen.keys().filter(|id| !is_live(id)).cloned();
        for id in rows::ended(&self.pool).await?.into_iter().chain(gone) {
            line.forget_all_mails(&id).await?;
            rows::forget_all(&self.pool, &id).await?;
        }
        self.seen.retain(|id, _| is_live(id));
        self.began = true;
        Ok(())
    }

    /// Everybody who asked, as Redis knows and as Postgres does.
    async fn look_at_all(&self, line: &Line, drop: &DropId) -> Result<(), MailsError> {
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let (next, asked) = line.scan_mails(drop, at).await?;
            cursor = next;
            self.look_after(line, drop, asked).await?;
        }
        let mut after = None;
        loop {
            let wishes = rows::waiting(&mut *self.pool.acquire().await?, drop, after, LOOK_MAX as i64).await?;
            let places: Vec<_> = wishes.into_iter().map(|(place, _)| place).collect();
            let Some(last) = places.last() else { return Ok(()) };
            after = Some(*last);
            let (_, asked) = line.mails(drop, &places).await?;
            self.look_after(line, drop, asked).await?;
        }
    }

    /// First Postgres, then Redis: what breaks off in between is done again, and changes nothing then.
    async fn look_after(&self, line: &Line, drop: &DropId, asked: Vec<Asked>) -> Result<(), MailsError> {
        let todo = Todo::of(asked)?;
        if todo.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        if !todo.wishes.is_empty() {
            rows::keep(&mut tx, drop, &todo.wishes).await?;
        }
        if !todo.turns.is_empty() {
            rows::call(&mut tx, drop, &todo.turns).await?;
        }
        if !todo.none.is_empty() {
            rows::forget(&mut tx, drop, &todo.none).await?;
        }
        tx.commit().await?;
        if !todo.done.is_empty() {
            line.forget_mails(drop, &todo.done).await?;
        }
        let turns = todo.turns.len() as u64;
        if turns > 0 {
            metrics::counter!("onsale_turn_mails_total", "drop" => drop.to_string()).increment(turns);
        }
        Ok(())
    }
}

/// Puts the wishes of those who wait back into a line that is being restored.
pub(crate) async fn put_back(db: &mut PgConnection, line: &Line, drop: &DropId) -> Result<(), MarksError> {
    let mut after = None;
    loop {
        let wishes = rows::waiting(&mut *db, drop, after, LOOK_MAX as i64).await?;
        let Some((last, _)) = wishes.last() else { return Ok(()) };
        after = Some(*last);
        line.restore_mails(drop, &wishes).await?;
    }
}

impl Todo {
    fn of(asked: Vec<Asked>) -> Result<Self, jiff::Error> {
        let mut todo = Self::default();
        for Asked { place, sealed, fate } in asked {
            match (fate, sealed) {
                (Fate::Waits, Some(sealed)) => todo.wishes.push((place, sealed)),
                (Fate::Called { called_at, deadline }, Some(sealed)) => {
                    let deadline = Timestamp::from_microsecond(i64::try_from(deadline).unwrap_or(i64::MAX))?;
                    todo.turns.push(Turn { place, sealed: sealed.clone(), called_at, deadline });
                    todo.done.push((place, sealed));
                }
                (Fate::Over, sealed) => {
                    todo.none.push(place);
                    todo.done.extend(sealed.map(|sealed| (place, sealed)));
                }
                (Fate::Waits | Fate::Called { .. }, None) => todo.none.push(place),
                // it comes back with its fan
                (Fate::Lost, _) => {}
            }
        }
        Ok(todo)
    }

    fn is_empty(&self) -> bool {
        self.wishes.is_empty() && self.turns.is_empty() && self.none.is_empty() && self.done.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fate_has_its_due() {
        let asked = |n: u8, sealed: bool, fate| Asked {
            place: Place::from_bytes([n; 16]),
            sealed: sealed.then(|| vec![n]),
            fate,
        };
        let called = Fate::Called { called_at: 5, deadline: 1_790_000_000_000_000 };
        let todo = Todo::of(vec![
            asked(1, true, Fate::Waits),
            asked(2, false, Fate::Waits),
            asked(3, true, called),
            asked(4, false, called),
            asked(5, true, Fate::Over),
            asked(6, true, Fate::Lost),
        ])
        .unwrap();
        let numbers = |places: Vec<Place>| places.iter().map(|place| place.as_bytes()[0]).collect::<Vec<_>>();
        assert_eq!(numbers(todo.wishes.iter().map(|(place, _)| *place).collect()), [1]);
        assert_eq!(numbers(todo.turns.iter().map(|turn| turn.place).collect()), [3]);
        assert_eq!(numbers(todo.none.clone()), [2, 4, 5]);
        assert_eq!(numbers(todo.done.iter().map(|(place, _)| *place).collect()), [3, 5], "forgotten in Redis");
    }
}
