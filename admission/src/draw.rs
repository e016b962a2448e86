//! The draw: who came before the opening is ordered by chance, not by the quality of a connection.

use aws_lc_rs::hmac;

use crate::ids::{OrderKey, Place};

/// The drawn key of a place: `opens_at_us` − 1 − the first 50 bits of HMAC-SHA256(seed, place). Below
/// every key given after the opening, and the same whoever computes it, however often.
pub fn drawn_key(opens_at_us: u64, seed: &[u8; 32], place: Place) -> OrderKey {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), place.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&tag.as_ref()[..8]);
    OrderKey(opens_at_us.saturating_sub(1 + (u64::from_be_bytes(first) >> 14)))
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
}
