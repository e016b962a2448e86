//! Carries the draws of a process's drops through: freeze the list, show it, get the seed, move the places,
//! say that it is done. Any number of processes may do it at once, and each may die anywhere: what decides
//! (list, round, seed) is in Postgres before anybody acts on it, and the first to write it wins.

use std::collections::HashMap;

use futures_util::future::join_all;
use metrics::{counter, gauge};
use sqlx::PgPool;

use super::{
    Drawing, ROUND_WAIT_S, Relays, SeedFrom, Stage,
    beacon::Round,
    list_bytes, round_of, seed_of_round,
    store::{self, Seed, Stored},
    tree::Tree,
};
use crate::{
    drops::Drop,
    ids::DropId,
    line::{DropState, ENTRANTS_MAX, Line, LineError},
};

mod show;

/// Places moved in one call: two milliseconds of Redis's time.
const MOVE_MAX: usize = 1_000;
/// Calls between two looks at the other drops.
const MOVES_MAX: usize = 100;
/// Calls between two words to the fans on how far it is.
const MOVES_TOLD: usize = 20;
/// Places of the lobby read in one call.
const PAGE: usize = 2_000;
/// How often the relays are asked for a round that is due, in microseconds.
const ASK_EVERY_US: u64 = 1_000_000;
/// How often a process has asked in vain before it takes the secret: one that has just come up, or whose
/// Postgres has, knows nothing yet of the relays.
const ASKS_MIN: u32 = 3;

#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    #[error("the draw cannot be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the line cannot be read or drawn")]
    Line(#[from] LineError),
    #[error("hashing the list was broken off")]
    Hashing(#[from] tokio::task::JoinError),
    #[error("the proof cannot be written")]
    Proof(#[from] serde_json::Error),
    #[error("the lobby has {0} places, and a draw at most {ENTRANTS_MAX}")]
    TooMany(usize),
}

/// Draws the drops of a process.
#[derive(Debug)]
pub struct Drawer {
    means: Means,
    known: HashMap<DropId, Known>,
}

#[derive(Debug)]
struct Means {
    pool: PgPool,
    relays: Relays,
}

/// What this process knows of a drop's draw.
#[derive(Debug, Default)]
struct Known {
    epoch: u64,
    /// Whether Postgres was asked in this epoch.
    read: bool,
    stored: Option<Stored>,
    list_shown: bool,
    shown: Option<(Stage, String)>,
    /// The round, while the drop is not open yet.
    round: Option<Round>,
    asked_at: Option<u64>,
    /// How often the relays were asked in vain.
    refusals: u32,
    /// Whether the fans were told of the opening.
    opening_told: bool,
}

impl Drawer {
    pub fn new(pool: PgPool, relays: Relays) -> Self {
        Self { means: Means { pool, relays }, known: HashMap::new() }
    }

    /// As far as it goes now, for every drop; what failed with which drop, if anything. While a round is asked
    /// for, that is two seconds at most.
    pub async fn draw(&mut self, line: &Line, drops: &[Drop]) -> Vec<(DropId, DrawError)> {
        self.known.retain(|id, _| drops.iter().any(|drop| drop.id == *id));
        for drop in drops {
            self.known.entry(drop.id.clone()).or_default();
        }
        let means = &self.means;
        let draws = self.known.iter_mut().filter_map(|(id, known)| {
            let drop = drops.iter().find(|drop| drop.id == *id)?;
            Some(async move {
                while means.step(known, line, drop).await.map_err(|error| (drop.id.clone(), error))? {}
                Ok(())
            })
        });
        join_all(draws).await.into_iter().filter_map(Result::err).collect()
    }

    /// One step of one drop's draw; whether the next can be taken at once.
    pub async fn step(&mut self, line: &Line, drop: &Drop) -> Result<bool, DrawError> {
        let known = self.known.entry(drop.id.clone()).or_default();
        self.means.step(known, line, drop).await
    }
}

impl Means {
    async fn step(&self, known: &mut Known, line: &Line, drop: &Drop) -> Result<bool, DrawError> {
        let (state, left) = match line.undrawn(&drop.id).await {
            // the keeper makes it again within a second
            Err(LineError::Restoring) => {
                *known = Known::default();
                return Ok(false);
            }
            answer => answer?,
        };
        if known.epoch != state.epoch {
            *known = Known { epoch: state.epoch, ..Known::default() };
        }
        let goes_on = self.go_on(known, line, drop, (&state, left)).await?;
        // a draw that goes through at once tells everybody at its end
        if !goes_on && state.is_open() && !state.ended && !known.opening_told {
            line.tell_open(&drop.id).await?;
            known.opening_told = true;
        }
        Ok(goes_on)
    }

    async fn go_on(
        &self,
        known: &mut Known,
        line: &Line,
        drop: &Drop,
        (state, left): (&DropState, u64),
    ) -> Result<bool, DrawError> {
        let is_closed = state.lobby_closes_at.map_or(state.is_open(), |at| at <= state.now);
        let is_over = known.stored.as_ref().is_some_and(|stored| stored.drawn_at.is_some());
        if !is_over && (is_closed || !known.read) {
            known.stored = store::read(&self.pool, &drop.id).await?;
            known.read = true;
        }
        let Some(stored) = known.stored.clone() else {
            // a list of those who are back already would leave out all who are not
            if is_closed && !state.ended && !state.regathering() {
                return self.freeze(line, drop, state.epoch).await;
            }
            self.show(known, line, drop, state, 0).await?;
            return Ok(false);
        };
        self.show_list(known, line, drop, &stored).await?;
        self.show(known, line, drop, state, left).await?;
        match (&stored.frozen_at, &stored.seed) {
            (None, _) => self.note_frozen(line, drop, state).await,
            (Some(_), None) => self.find_seed(known, drop, state, &stored).await,
            (Some(_), Some(seed)) if state.is_open() && left > 0 => {
                self.move_places(known, line, drop, state, seed, left).await
            }
            (Some(_), Some(_)) if state.is_open() && stored.drawn_at.is_none() => {
                store::set_drawn(&self.pool, &drop.id, state.now).await?;
                tracing::info!(drop = %drop.id, entrants = stored.count, "the lobby is drawn");
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Reads the lobby and stores it as the list, unless there is one, or Redis forgot some of it meanwhile: the
    /// epoch before the reading must be the one after it.
    async fn freeze(&self, line: &Line, drop: &Drop, epoch: u64) -> Result<bool, DrawError> {
        let mut places = line.scan_lobby(&drop.id, PAGE).await?;
        match line.undrawn(&drop.id).await {
            Ok((state, _)) if state.epoch == epoch => {}
            Ok(_) | Err(LineError::Restoring) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if places.len() > ENTRANTS_MAX {
            return Err(DrawError::TooMany(places.len()));
        }
        let (list, root) = tokio::task::spawn_blocking(move || {
            places.sort_unstable();
            places.dedup();
            let tree = Tree::new(places);
            (list_bytes(tree.places()), tree.root())
        })
        .await?;
        store::insert(&self.pool, &drop.id, &list, &root).await?;
        tracing::info!(drop = %drop.id, entrants = list.len() / 16, root = %shared::encoding::hex(&root), "the list is frozen");
        Ok(true)
    }

    /// List and root have just been shown: from now on it counts how long they were.
    async fn note_frozen(&self, line: &Line, drop: &Drop, seen: &DropState) -> Result<bool, DrawError> {
        let now = line.undrawn(&drop.id).await?.0.now;
        let round = round_of(self.relays.chain(), seen.lobby_closes_at, now);
        store::set_frozen(&self.pool, &drop.id, now, round).await?;
        Ok(true)
    }

    /// The seed as the rules have it, stored before anybody is moved by it.
    async fn find_seed(
        &self,
        known: &mut Known,
        drop: &Drop,
        state: &DropState,
        stored: &Stored,
    ) -> Result<bool, DrawError> {
        let secret = || Seed { seed: drop.seed, from: SeedFrom::Secret, signature: None, opens_at: 0 };
        let seed = match stored.round {
            None => Some(secret()),
            Some(number) => {
                let due_at = self.relays.chain().time_of(number);
                if state.now < due_at {
                    return Ok(false);
                }
                self.ask(known, drop, state.now, number).await;
                let is_late = state.now >= due_at.saturating_add(ROUND_WAIT_S * 1_000_000);
                match &known.round {
                    Some(round) => Some(Seed {
                        seed: seed_of_round(&drop.id, &stored.root, &round.randomness()),
                        from: SeedFrom::Round,
                        signature: Some(round.signature),
                        opens_at: 0,
                    }),
                    None => (is_late && known.refusals >= ASKS_MIN).then(secret),
                }
            }
        };
        // what the keys stand below is certain only once the drop is open
        let (Some(seed), true, Some(opens_at)) = (seed, state.is_open(), state.opens_at) else {
            return Ok(false);
        };
        if seed.from == SeedFrom::Secret && stored.round.is_some() {
            tracing::warn!(drop = %drop.id, round = stored.round, "no relay delivered the round: drawn by the secret");
        }
        store::set_seed(&self.pool, &drop.id, &Seed { opens_at, ..seed }).await?;
        Ok(true)
    }

    /// Asks the relays for a round that is due, once a second.
    async fn ask(&self, known: &mut Known, drop: &Drop, now: u64, number: u64) {
        let is_time = known.asked_at.is_none_or(|at| at.saturating_add(ASK_EVERY_US) <= now);
        if !is_time || known.round.as_ref().is_some_and(|round| round.round == number) {
            return;
        }
        known.asked_at = Some(now);
        match self.relays.round(number).await {
            Ok(round) => known.round = Some(round),
            Err(error) => {
                known.refusals = known.refusals.saturating_add(1);
                counter!("onsale_draw_round_refusals_total").increment(1);
                tracing::warn!(drop = %drop.id, round = number, error = &error as &dyn std::error::Error, "the beacon's round");
            }
        }
    }

    /// Moves what is in the lobby, some 100,000 places at most; then the other drops have their turn.
    async fn move_places(
        &self,
        known: &mut Known,
        line: &Line,
        drop: &Drop,
        state: &DropState,
        seed: &Seed,
        left: u64,
    ) -> Result<bool, DrawError> {
        let drawing = Drawing::new(seed.opens_at, &seed.seed);
        let is_first = known.stored.as_ref().is_none_or(|stored| stored.drawn_at.is_none());
        let mut left = left;
        for call in 1..=MOVES_MAX {
            let places = line.lobby(&drop.id, MOVE_MAX).await?;
            let drawn: Vec<_> = places.into_iter().map(|place| (place, drawing.key(place))).collect();
            left = match is_first {
                true => line.draw(&drop.id, &drawn).await?.1,
                false => line.draw_returned(&drop.id, &drawn).await?.1,
            };
            gauge!("onsale_draw_left", "drop" => drop.id.to_string()).set(left as f64);
            if left == 0 {
                return Ok(true);
            }
            if call % MOVES_TOLD == 0 {
                self.show(known, line, drop, state, left).await?;
            }
        }
        Ok(left > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{draw::Settings, drops};

    #[tokio::test]
    async fn a_lobby_that_redis_forgot_while_it_was_read_is_no_list() {
        let world = shared::testing::world().await;
        let (pool, line, id) = (&world.pool, Line::new(world.redis.clone()), DropId::parse("evening").unwrap());
        sqlx::query("INSERT INTO drops (drop_id, rate_per_minute, seed) VALUES ('evening', 60, $1)")
            .bind(&[7u8; 32][..])
            .execute(pool)
            .await
            .unwrap();
        let drop = drops::show(pool, &id).await.unwrap();
        let means = Means { pool: pool.clone(), relays: Relays::new(&Settings::default()).unwrap() };
        assert!(!means.freeze(&line, &drop, 1).await.unwrap(), "the line is lost");
        line.create(&id, &drop.control(2)).await.unwrap();
        assert!(!means.freeze(&line, &drop, 1).await.unwrap(), "it was lost and is there again");
        assert_eq!(store::read(pool, &id).await.unwrap(), None);
        assert!(means.freeze(&line, &drop, 2).await.unwrap());
        assert!(store::read(pool, &id).await.unwrap().is_some());
    }
}
