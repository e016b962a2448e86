//! What the scripts answer, as values. The shapes are documented at the head of each script.

use redis::{FromRedisValue, Value, from_redis_value};
use shared::encoding::{base64url, random};

use crate::ids::{DropId, OrderKey};

use super::LineError;

/// The drop as one script run saw it. Times are microseconds on Redis's clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DropState {
    pub now: u64,
    pub epoch: u64,
    /// What fans read it called; never empty.
    pub title: String,
    pub opens_at: Option<u64>,
    pub paused_at: Option<u64>,
    pub pause_reason: String,
    pub ended: bool,
    pub sold_out: bool,
    pub rate_per_minute: u64,
    pub max_active: u64,
    /// Nobody is called before this moment: fans come back after a loss of Redis.
    pub regather_until: Option<u64>,
    pub account_required: bool,
    /// How long a called fan may take to claim, how long after that a claim still counts, and how long an
    /// admission lasts, in seconds.
    pub claim_window_s: u64,
    pub grace_s: u64,
    pub session_s: u64,
    pub events: Vec<String>,
    /// The operators' latest word to the fans.
    pub notice: Option<Notice>,
    /// Every ticket is held or sold, and some only held: nobody is called until one comes back.
    pub covered: bool,
    /// When the list for the draw closes; who joins later stands behind it. `None`: at the opening.
    pub lobby_closes_at: Option<u64>,
}

/// A word from the operators to all fans of a drop. An empty one says that the last was withdrawn: who read it
/// must be told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Notice {
    pub id: String,
    pub text: String,
    /// BCP 47.
    pub lang: String,
    /// RFC 3339.
    pub at: jiff::Timestamp,
}

impl Notice {
    /// A name no other notice has.
    pub fn new(text: String, lang: String, at: jiff::Timestamp) -> Self {
        Self { id: base64url(&random::<9>()), text, lang, at }
    }

    pub fn withdrawn(at: jiff::Timestamp) -> Self {
        Self::new(String::new(), "en".to_owned(), at)
    }

    pub fn is_withdrawn(&self) -> bool {
        self.text.is_empty()
    }
}

impl DropState {
    pub fn is_open(&self) -> bool {
        self.opens_at.is_some_and(|at| at <= self.now)
    }

    /// One word for all of it, as operators and the public read it.
    pub fn word(&self) -> &'static str {
        if self.ended {
            "ended"
        } else if self.sold_out {
            "sold_out"
        } else if self.paused_at.is_some() {
            "paused"
        } else if self.regathering() {
            "restoring"
        } else if self.is_open() {
            "running"
        } else {
            "scheduled"
        }
    }

    pub fn regathering(&self) -> bool {
        self.regather_until.is_some_and(|until| until > self.now)
    }
}

/// What a place is. Times are microseconds on Redis's clock as it stands: a pause moves them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceState {
    Unknown,
    Lobby,
    /// Came after the list of the draw had closed, and waits behind it for the opening.
    Late {
        key: OrderKey,
    },
    /// The drop is open and the draw has not come to this place yet.
    Drawing,
    /// `rank` counts from 0.
    Waiting {
        key: OrderKey,
        rank: u64,
    },
    Called {
        key: OrderKey,
        deadline: u64,
    },
    /// The claim window passed; within the grace time a claim still counts.
    Lapsed {
        key: OrderKey,
        deadline: u64,
    },
    /// Claimed, waiting for the bucket.
    Claiming {
        key: OrderKey,
    },
    Admitted {
        key: OrderKey,
        granted_at: u64,
        session_ends: u64,
    },
    Ended {
        key: OrderKey,
        reason: EndReason,
        given_up: bool,
    },
    /// On another device now: the asker's visitor secret no longer holds it.
    Moved,
}

impl PlaceState {
    /// The order key, where the place has one.
    pub fn key(&self) -> Option<OrderKey> {
        match *self {
            Self::Unknown | Self::Lobby | Self::Drawing | Self::Moved => None,
            Self::Waiting { key, .. }
            | Self::Late { key }
            | Self::Called { key, .. }
            | Self::Lapsed { key, .. }
            | Self::Claiming { key }
            | Self::Admitted { key, .. }
            | Self::Ended { key, .. } => (key.0 > 0).then_some(key),
        }
    }
}

/// Why a place was ended; it is never admitted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Bought.
    Finished,
    Left,
    SessionOver,
    /// Called, and silent past the claim window and the grace time.
    Lapsed,
}

impl EndReason {
    /// The word in Redis and in `ended_places.reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Left => "left",
            Self::SessionOver => "session_over",
            Self::Lapsed => "lapsed_out",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Finished, Self::Left, Self::SessionOver, Self::Lapsed].into_iter().find(|reason| reason.as_str() == word)
    }
}

/// How a join went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    New(PlaceState),
    Known(PlaceState),
    /// The account has another live place in this drop.
    AccountBound,
    /// There is no such place, and the drop gives no new ones: it has ended.
    Over,
}

/// How estimates turned out, in fans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, utoipa::ToSchema)]
pub struct Outcomes {
    pub early: u64,
    pub right: u64,
    pub late: u64,
}

/// Totals of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub waiting: u64,
    /// Called and not claimed yet, the lapsed within their grace time included.
    pub called: u64,
    pub claims: u64,
    pub active: u64,
    pub lobby: u64,
    pub granted_total: u64,
    pub called_total: u64,
    /// Of the last few hundred calls.
    pub no_shows: u64,
    pub shows: u64,
    pub capacity: u64,
    pub held: u64,
    pub sold: u64,
    /// Fans admitted before, inside and after the interval they were shown.
    pub estimates: Outcomes,
    /// Fans who left the line while they waited, ever.
    pub leaves_total: u64,
}

impl Counts {
    /// Tickets nobody holds or owns; `None` while booking has not reported any.
    pub fn left(&self) -> Option<u64> {
        (self.capacity > 0).then(|| self.capacity.saturating_sub(self.held + self.sold))
    }

    /// The share of called fans who come, as the release script has it: all of them before anything is known.
    pub fn coming(&self) -> f64 {
        let (shows, all) = (self.shows as f64, (self.shows + self.no_shows) as f64);
        ((shows + 4.0) / (all + 4.0)).max(0.1)
    }
}

/// Something that happened to a place or (`place` empty) to the drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Place(String),
    Drop,
    /// Changes were lost unread: look at everybody again.
    Gap,
}

/// What a waitroom process reads for all its fans at once.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    pub last_change: String,
    pub changes: Vec<Change>,
    pub counts: Counts,
    /// Rank from 0 and order key, ascending; empty unless asked for.
    pub pivots: Vec<(u64, OrderKey)>,
    /// Read with the pivots.
    pub face: Face,
}

/// What is public of a drop and seldom changes, as JSON; empty when there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Face {
    /// The draw: its rules, later its list, later its seed.
    pub draw: String,
    /// Name, colours and logo.
    pub brand: String,
}

/// One step of the release loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Released {
    pub granted: u64,
    pub called: u64,
    pub ended: u64,
    pub waiting: u64,
    pub called_live: u64,
    pub claims: u64,
    pub active: u64,
    pub lobby: u64,
    pub shows: u64,
    pub no_shows: u64,
    /// Mean time from the call to the claim, in microseconds; 0 before the first.
    pub reaction_us: u64,
    /// Admissions that rate and room allowed and nobody took, while fans waited who had not been called in
    /// time; ever, in whole ones.
    pub missed_total: u64,
}

/// As many fields as an answer has at most: a word, seven of the place, four of who has it.
const FIELDS_MAX: usize = 12;

/// Splits an answer into the drop's state and the rest; `Restoring` when there was no control.
pub(super) fn split(drop: &DropId, answer: Value) -> Result<(DropState, std::vec::IntoIter<Value>), LineError> {
    let mut parts = from_redis_value::<Vec<Value>>(answer)?.into_iter();
    let header: Vec<String> = from_redis_value(parts.next().ok_or(LineError::Shape("header"))?)?;
    let state = drop_state(drop, &header)?;
    if state.epoch == 0 {
        return Err(LineError::Restoring);
    }
    Ok((state, parts))
}

pub(super) fn next<T: FromRedisValue>(
    parts: &mut impl Iterator<Item = Value>,
    what: &'static str,
) -> Result<T, LineError> {
    Ok(from_redis_value(parts.next().ok_or(LineError::Shape(what))?)?)
}

fn drop_state(drop: &DropId, fields: &[String]) -> Result<DropState, LineError> {
    let [
        now,
        epoch,
        opens_at,
        paused_at,
        reason,
        ended_at,
        sold_out,
        rate,
        max_active,
        regather,
        requires,
        events,
        notice,
        title,
        claim_us,
        grace_us,
        session_us,
        covered,
        lobby_closes_at,
    ] = fields
    else {
        return Err(LineError::Shape("header"));
    };
    Ok(DropState {
        now: number(now)?,
        epoch: number(epoch)?,
        // a line made before there were titles has none
        title: if title.is_empty() { drop.readable() } else { title.clone() },
        opens_at: some(number(opens_at)?),
        paused_at: some(number(paused_at)?),
        pause_reason: reason.clone(),
        ended: number(ended_at)? > 0,
        sold_out: number(sold_out)? > 0,
        rate_per_minute: number(rate)?,
        max_active: number(max_active)?,
        regather_until: some(number(regather)?),
        account_required: requires == "account",
        claim_window_s: seconds(claim_us)?,
        grace_s: seconds(grace_us)?,
        session_s: seconds(session_us)?,
        covered: number(covered)? > 0,
        lobby_closes_at: some(number(lobby_closes_at)?),
        events: serde_json::from_str(events).map_err(|_| LineError::Shape("events"))?,
        notice: if notice.is_empty() {
            None
        } else {
            Some(serde_json::from_str(notice).map_err(|_| LineError::Shape("notice"))?)
        },
    })
}

/// Each of those asked about with the line that answers it.
pub(super) fn lines<'a, T>(
    texts: &'a str,
    asked: &'a [T],
) -> Result<impl Iterator<Item = (&'a T, &'a str)>, LineError> {
    if texts.lines().count() != asked.len() {
        return Err(LineError::Shape("answers"));
    }
    Ok(asked.iter().zip(texts.lines()))
}

/// An answer's fields out of its line in the one text that join and look pack them into.
pub(super) fn fields(text: &str) -> Vec<&str> {
    let mut fields = Vec::with_capacity(FIELDS_MAX);
    fields.extend(text.split(' '));
    fields
}

pub(super) fn texts(fields: &[String]) -> Vec<&str> {
    fields.iter().map(String::as_str).collect()
}

pub(super) fn place_state(fields: &[&str]) -> Result<PlaceState, LineError> {
    let &[state, key, deadline, granted, session, rank, given_up] = fields else {
        return Err(LineError::Shape("place"));
    };
    let key = OrderKey(number(key)?);
    Ok(match state {
        "none" => PlaceState::Unknown,
        "lobby" if key.0 > 0 => PlaceState::Late { key },
        "lobby" => PlaceState::Lobby,
        "drawing" => PlaceState::Drawing,
        "waiting" => PlaceState::Waiting { key, rank: number(rank)? },
        "called" => PlaceState::Called { key, deadline: number(deadline)? },
        "lapsed" => PlaceState::Lapsed { key, deadline: number(deadline)? },
        "claiming" => PlaceState::Claiming { key },
        "admitted" => PlaceState::Admitted { key, granted_at: number(granted)?, session_ends: number(session)? },
        reason => PlaceState::Ended {
            key,
            reason: EndReason::parse(reason).ok_or(LineError::Shape("end reason"))?,
            given_up: given_up == "1",
        },
    })
}

pub(super) fn counts(numbers: &[u64]) -> Result<Counts, LineError> {
    let &[
        waiting,
        called,
        claims,
        active,
        lobby,
        granted_total,
        called_total,
        no_shows,
        shows,
        capacity,
        held,
        sold,
        early,
        right,
        late,
        leaves_total,
    ] = numbers
    else {
        return Err(LineError::Shape("counts"));
    };
    Ok(Counts {
        waiting,
        called,
        claims,
        active,
        lobby,
        granted_total,
        called_total,
        no_shows,
        shows,
        capacity,
        held,
        sold,
        estimates: Outcomes { early, right, late },
        leaves_total,
    })
}

pub(super) fn changes(flat: &[String]) -> Vec<Change> {
    flat.chunks_exact(2)
        .map(|pair| match (pair[0].as_str(), pair[1].as_str()) {
            ("gap", _) => Change::Gap,
            (_, "") => Change::Drop,
            (_, place) => Change::Place(place.to_owned()),
        })
        .collect()
}

pub(super) fn pivots(flat: &[u64]) -> Vec<(u64, OrderKey)> {
    flat.chunks_exact(2).map(|pair| (pair[0], OrderKey(pair[1]))).collect()
}

pub(super) fn face(fields: &[String]) -> Face {
    match fields {
        [draw, brand] => Face { draw: draw.clone(), brand: brand.clone() },
        _ => Face::default(),
    }
}

pub(super) fn released(n: &[u64]) -> Result<Released, LineError> {
    let &[
        granted,
        called,
        ended,
        waiting,
        called_live,
        claims,
        active,
        lobby,
        shows,
        no_shows,
        reaction_us,
        missed_total,
    ] = n
    else {
        return Err(LineError::Shape("release"));
    };
    Ok(Released {
        granted,
        called,
        ended,
        waiting,
        called_live,
        claims,
        active,
        lobby,
        shows,
        no_shows,
        reaction_us,
        missed_total,
    })
}

fn number(text: &str) -> Result<u64, LineError> {
    text.parse().map_err(|_| LineError::Shape("number"))
}

fn seconds(micros: &str) -> Result<u64, LineError> {
    Ok(number(micros)? / 1_000_000)
}

fn some(number: u64) -> Option<u64> {
    (number > 0).then_some(number)
}
