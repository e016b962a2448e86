//! The public beacon: a drand chain of the scheme `bls-unchained-g1-rfc9380`, whose rounds come at fixed times
//! and are BLS signatures (on G1, the key on G2) over SHA-256 of the round's number. Nobody knows a round
//! before its time, and anybody can check it for ever with the chain's public key alone.
//!
//! Protocol: <https://docs.drand.love/docs/specification>; hashing to the curve as in RFC 9380.

use blst::{BLST_ERROR, min_sig};
use serde::{Deserialize, Serialize};
use shared::encoding::{hex, sha256};

use super::hexed::Hexed;

/// The scheme of all chains we can check.
pub const SCHEME: &str = "bls-unchained-g1-rfc9380";
/// What tells this use of the curve from others (RFC 9380, section 3.1).
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/// A chain of rounds. The default is `quicknet` of the League of Entropy, as
/// `https://api.drand.sh/52db…e971/info` has it (since 2023-08-23, a round every 3 seconds).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chain {
    /// What relays know the chain by.
    pub hash: Hexed<32>,
    /// A point of G2, compressed.
    pub public_key: Hexed<96>,
    /// The time of round 1, in seconds since 1970.
    pub genesis_s: u64,
    /// Seconds from a round to the next.
    pub period_s: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self { hash: QUICKNET_HASH, public_key: QUICKNET_KEY, genesis_s: 1_692_803_367, period_s: 3 }
    }
}

const QUICKNET_HASH: Hexed<32> = Hexed::constant("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971");
const QUICKNET_KEY: Hexed<96> = Hexed::constant(
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451\
     0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
);

/// A round as a relay tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    pub round: u64,
    /// A point of G1, compressed.
    pub signature: Hexed<48>,
}

/// Why a round is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    #[error("the chain's public key is no point of the curve")]
    Key,
    #[error("the signature is no point of the curve")]
    Point,
    #[error("the signature is not the chain's for this round")]
    Signature,
}

impl Chain {
    /// The first round at or after a time (µs since 1970).
    pub fn round_at(&self, at_us: u64) -> u64 {
        let since_us = at_us.saturating_sub(self.genesis_s.saturating_mul(1_000_000));
        since_us.div_ceil(self.period_s.max(1).saturating_mul(1_000_000)).saturating_add(1)
    }

    /// When a round comes (µs since 1970).
    pub fn time_of(&self, round: u64) -> u64 {
        let since_s = round.saturating_sub(1).saturating_mul(self.period_s);
        self.genesis_s.saturating_add(since_s).saturating_mul(1_000_000)
    }

    /// Whether the round is the chain's.
    pub fn verify(&self, round: &Round) -> Result<(), BeaconError> {
        let key = min_sig::PublicKey::key_validate(self.public_key.bytes()).map_err(|_| BeaconError::Key)?;
        let signature =
            min_sig::Signature::sig_validate(round.signature.bytes(), true).map_err(|_| BeaconError::Point)?;
        let message = sha256(&[&round.round.to_be_bytes()]);
        match signature.verify(true, &message, DOMAIN, &[], &key, false) {
            BLST_ERROR::BLST_SUCCESS => Ok(()),
            _ => Err(BeaconError::Signature),
        }
    }

    /// Where a relay has a round.
    pub fn path_of(&self, round: u64) -> String {
        format!("{}/public/{round}", hex(self.hash.bytes()))
    }
}

impl Round {
    /// The round's random bytes: SHA-256 of its signature.
    pub fn randomness(&self) -> [u8; 32] {
        sha256(&[self.signature.bytes()])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Rounds of quicknet as its relays have them: number, signature.
    pub(crate) const RECORDED: [(u64, &str); 4] = [
        (2, "b6b6a585449b66eb12e875b64fcbab3799861a00e4dbf092d99e969a5eac57dd3f798acf61e705fe4f093db926626807"),
        (3, "b3fab6df720b68cc47175f2c777e86d84187caab5770906f515ff1099cb01e4deaa027075d860823e49477b93c72bd64"),
        (123, "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92"),
        (657_413, "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b"),
    ];

    fn recorded() -> Vec<Round> {
        RECORDED.iter().map(|(round, text)| Round { round: *round, signature: Hexed::parse(text).unwrap() }).collect()
    }

    #[test]
    fn recorded_rounds_are_the_chains_and_have_their_randomness() {
        let chain = Chain::default();
        for round in recorded() {
            assert_eq!(chain.verify(&round), Ok(()), "{}", round.round);
        }
        let randomness = |n: usize| hex(&recorded()[n].randomness());
        assert_eq!(randomness(2), "fb8f7bc29bf24db51871ec8c79f3a1e4bd0557bc0dfcee9ed1d924e69d1c60dc");
        assert_eq!(randomness(3), "fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587");
    }

    #[test]
    fn a_round_of_another_number_another_point_or_another_key_is_not() {
        let chain = Chain::default();
        let [two, three, ..] = &recorded()[..] else { panic!("recorded") };
        let swapped = Round { round: 3, ..two.clone() };
        assert_eq!(chain.verify(&swapped), Err(BeaconError::Signature));
        let mut bytes = *three.signature.bytes();
        bytes[20] ^= 1;
        let bent = Round { signature: Hexed::from(bytes), ..three.clone() };
        assert!(chain.verify(&bent).is_err());
        let infinity = Round { signature: Hexed::parse(&format!("c0{}", "00".repeat(47))).unwrap(), ..three.clone() };
        assert!(chain.verify(&infinity).is_err(), "the point at infinity signs nothing");
        let nobody = Chain { public_key: Hexed::from([0; 96]), ..chain };
        assert_eq!(nobody.verify(three), Err(BeaconError::Key));
    }

    #[test]
    fn rounds_come_at_their_times() {
        let chain = Chain::default();
        assert_eq!(chain.time_of(1), 1_692_803_367_000_000);
        for round in [1, 2, 123, 657_413] {
            let at = chain.time_of(round);
            assert_eq!(chain.round_at(at), round);
            assert_eq!(chain.round_at(at + 1), round + 1, "at or after");
            assert_eq!(chain.round_at(at + 3_000_000), round + 1);
        }
        assert_eq!(chain.round_at(0), 1);
    }
}
