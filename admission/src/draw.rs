//! The draw: who came before the opening is ordered by chance, not by the quality of a connection, and
//! anybody can check it afterwards.
//!
//! The list of the lobby closes and is frozen: places ascending, one Merkle root over them ([`tree`]), shown
//! to everybody. Then comes the seed, from a round of a public beacon ([`beacon`]) that was named beforehand,
//! or a secret whose hash was shown all the time. A place's key follows from the seed alone
//! ([`drawn_key`]), so a draw can be repeated, resumed and checked ([`verify()`]) by whoever has the proof
//! ([`Proof`]) and the list. All of that is free of I/O; [`Drawer`] does it for the drops of a process.

pub mod beacon;
pub mod hexed;
pub mod tree;

mod drawer;
mod moment;
mod proof;
mod relays;
mod store;
mod verify;

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use shared::encoding::sha256;

pub use drawer::{DrawError, Drawer};
pub use moment::Moment;
pub use proof::{ALGORITHM, BeaconPart, Entrants, Proof, SeedFrom, Stage};
pub use relays::{RelayError, Relays, Settings};
pub use verify::{Check, Outcome, Verdict, order, order_file, verify};

use crate::{
    drops::DrawSource,
    ids::{DropId, OrderKey, Place},
};
use beacon::Chain;
use tree::Hash;

/// With a beacon, how long before the opening the list closes.
const CLOSES_BEFORE_S: i64 = 40;
/// The round is the first at or after so long after the list closes: just before the opening, so that the
/// seed is there when it opens.
const ROUND_AFTER_S: u64 = 37;
/// The list has been shown for at least so long when the round comes.
const SHOWN_FOR_S: u64 = 30;
/// When no relay has given the round so long after its time, the secret takes its place.
const ROUND_WAIT_S: u64 = 60;

/// When the list of a draw closes, if before the opening. One that would have closed already closes at the
/// opening, and so does that of a drop without a time.
pub fn lobby_closes_at(source: DrawSource, opens_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let closes_at = opens_at? - SignedDuration::from_secs(CLOSES_BEFORE_S);
    (source == DrawSource::Beacon && closes_at > now).then_some(closes_at)
}

/// The round of a list that closes before the opening, when it is shown in time.
pub fn planned_round(chain: &Chain, closes_at_us: u64) -> u64 {
    chain.round_at(closes_at_us.saturating_add(ROUND_AFTER_S * 1_000_000))
}

/// The round of a list that had been shown at `frozen_at_us`: the planned one, if the list has one and was
/// shown in time, else the first 30 seconds after it was shown.
pub fn round_of(chain: &Chain, closes_at_us: Option<u64>, frozen_at_us: u64) -> u64 {
    let shown_long = chain.round_at(frozen_at_us.saturating_add(SHOWN_FOR_S * 1_000_000));
    closes_at_us.map_or(0, |at| planned_round(chain, at)).max(shown_long)
}

/// What a place is ordered by, from the beacon: SHA-256 of "onsale draw 1", the drop's id, both ended by a
/// zero byte, the root of the list, and the round's randomness.
pub fn seed_of_round(drop: &DropId, root: &Hash, randomness: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"onsale draw 1\0", drop.as_str().as_bytes(), b"\0", root, randomness])
}

/// What is shown of the secret beforehand.
pub fn commitment(secret: &[u8; 32]) -> [u8; 32] {
    sha256(&[secret])
}

/// The drawn key of a place: `opens_at_us` − 1 − the first 50 bits of HMAC-SHA256(seed, place). Below
/// every key given after the opening, and the same whoever computes it, however often.
pub fn drawn_key(opens_at_us: u64, seed: &[u8; 32], place: Place) -> OrderKey {
    Drawing::new(opens_at_us, seed).key(place)
}

/// The keys of one draw.
pub struct Drawing {
    opens_at_us: u64,
    key: hmac::Key,
}

impl Drawing {
    pub fn new(opens_at_us: u64, seed: &[u8; 32]) -> Self {
        Self { opens_at_us, key: hmac::Key::new(hmac::HMAC_SHA256, seed) }
    }

    /// See [`drawn_key`].
    pub fn key(&self, place: Place) -> OrderKey {
        let tag = hmac::sign(&self.key, place.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&tag.as_ref()[..8]);
        OrderKey(self.opens_at_us.saturating_sub(1 + (u64::from_be_bytes(first) >> 14)))
    }
}

/// The places of a list as bytes, ascending; `None` when it is no such list.
pub fn parse_list(bytes: &[u8]) -> Option<Vec<Place>> {
    let (places, []) = bytes.as_chunks::<16>() else { return None };
    let places: Vec<Place> = places.iter().copied().map(Place::from_bytes).collect();
    places.is_sorted_by(|a, b| a < b).then_some(places)
}

/// A list as bytes: 16 a place.
pub fn list_bytes(places: &[Place]) -> Vec<u8> {
    places.iter().flat_map(Place::as_bytes).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_below_the_opening_repeatable_and_spread() {
        let opens_at = 1_790_000_000_000_000;
        let mut keys: Vec<_> =
            (0..1_000u128).map(|n| drawn_key(opens_at, &[7; 32], Place::from_bytes(n.to_be_bytes()))).collect();
        assert_eq!(keys[3], drawn_key(opens_at, &[7; 32], Place::from_bytes(3u128.to_be_bytes())));
        assert_ne!(keys[3], drawn_key(opens_at, &[8; 32], Place::from_bytes(3u128.to_be_bytes())));
        assert!(keys.iter().all(|key| key.0 < opens_at && key.0 > opens_at - (1 << 50) - 2));
        assert!(!keys.is_sorted(), "the draw must not keep the order of places");
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 1_000);
    }

    #[test]
    fn the_list_closes_before_the_opening_only_with_a_beacon_and_only_in_the_future() {
        let at = |s: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(s);
        let closes = |source, opens, now: i64| lobby_closes_at(source, Some(at(opens)), at(now));
        assert_eq!(closes(DrawSource::Beacon, 1_000, 900), Some(at(960)));
        assert_eq!(closes(DrawSource::Beacon, 1_000, 960), None);
        assert_eq!(closes(DrawSource::Commit, 1_000, 900), None);
        assert_eq!(lobby_closes_at(DrawSource::Beacon, None, at(0)), None);
    }

    #[test]
    fn the_round_is_the_planned_one_unless_the_list_was_shown_too_late() {
        let chain = Chain::default();
        let closes = chain.time_of(1_000);
        let planned = planned_round(&chain, closes);
        assert_eq!(chain.time_of(planned), closes + 39_000_000, "the first at or after 37 s, every 3 s");
        assert_eq!(round_of(&chain, Some(closes), closes + 500_000), planned);
        assert_eq!(round_of(&chain, Some(closes), closes + 9_000_000), planned);
        assert_eq!(round_of(&chain, Some(closes), closes + 9_000_001), planned + 1);
        assert_eq!(round_of(&chain, None, closes), 1_010, "by hand: 30 s after it was shown");
    }

    #[test]
    fn a_seed_depends_on_drop_list_and_round() {
        let (a, b) = (DropId::parse("a").unwrap(), DropId::parse("b").unwrap());
        let seed = seed_of_round(&a, &[1; 32], &[2; 32]);
        assert_ne!(seed, seed_of_round(&b, &[1; 32], &[2; 32]));
        assert_ne!(seed, seed_of_round(&a, &[2; 32], &[2; 32]));
        assert_ne!(seed, seed_of_round(&a, &[1; 32], &[1; 32]));
    }

    #[test]
    fn a_list_is_ascending_places_of_sixteen_bytes() {
        let places: Vec<_> = [1u128, 5, 9].iter().map(|n| Place::from_bytes(n.to_be_bytes())).collect();
        let bytes = list_bytes(&places);
        assert_eq!(parse_list(&bytes), Some(places));
        assert_eq!(parse_list(&bytes[1..]), None);
        assert_eq!(parse_list(&[0; 32]), None, "twice the same");
        assert_eq!(parse_list(&[]), Some(Vec::new()));
    }
}
