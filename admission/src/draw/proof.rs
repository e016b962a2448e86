//! What the public reads of a draw: announced from the moment the drop is made, complete when it is drawn.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CLOSES_BEFORE_S, Drawing, ROUND_AFTER_S, ROUND_WAIT_S, SHOWN_FOR_S, beacon::Chain, hexed::Hexed, moment::Moment,
};
use crate::{drops::DrawSource, ids::DropId};

/// Names how list, seed and keys are computed; another way gets another name.
pub const ALGORITHM: &str = "onsale-draw-1";

/// The document at `/queue/{drop}/draw`. Bytes are lower-case hexadecimal; what is not known yet is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Draw)]
pub struct Proof {
    pub drop: DropId,
    pub algorithm: String,
    pub state: Stage,
    /// Where the seed comes from, as announced.
    pub source: DrawSource,
    /// The rules in plain words, the same before and after.
    pub rules: Vec<String>,
    #[schema(value_type = Option<String>, required)]
    pub opens_at: Option<Moment>,
    /// When the list closes; null: at the opening.
    #[schema(value_type = Option<String>, required)]
    pub lobby_closes_at: Option<Moment>,
    /// SHA-256 of the secret.
    #[schema(value_type = String)]
    pub commitment: Hexed<32>,
    #[schema(required)]
    pub entrants: Option<Entrants>,
    /// When list and root had been shown.
    #[schema(value_type = Option<String>, required)]
    pub frozen_at: Option<Moment>,
    #[schema(required)]
    pub beacon: Option<BeaconPart>,
    /// Where the seed did come from.
    #[schema(required)]
    pub seed_from: Option<SeedFrom>,
    /// Why the seed is not from the announced source.
    #[schema(required)]
    pub why: Option<String>,
    /// Revealed when it is the seed.
    #[schema(value_type = Option<String>, required)]
    pub secret: Option<Hexed<32>>,
    #[schema(value_type = Option<String>, required)]
    pub seed: Option<Hexed<32>>,
    /// How many of the list have their key.
    pub drawn: u64,
    #[schema(value_type = Option<String>, required)]
    pub drawn_at: Option<Moment>,
}

/// How far a draw has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DrawStage)]
pub enum Stage {
    /// The list is open.
    Announced,
    /// The list is frozen and shown; the seed is not known yet.
    Closed,
    /// The seed is known, places get their keys.
    Drawing,
    Drawn,
}

/// The frozen list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DrawEntrants)]
pub struct Entrants {
    pub count: u64,
    /// Of the Merkle tree over the list (RFC 6962, SHA-256).
    #[schema(value_type = String)]
    pub root: Hexed<32>,
    /// Where the list is: places of 16 bytes, ascending.
    pub list: String,
    /// The list itself in base64url, in a proof that was saved to a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DrawSeedFrom)]
pub enum SeedFrom {
    Secret,
    Round,
}

/// The beacon, and the round that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DrawBeacon)]
pub struct BeaconPart {
    #[schema(value_type = String)]
    pub chain: Hexed<32>,
    #[schema(value_type = String)]
    pub public_key: Hexed<96>,
    pub scheme: String,
    /// The time of round 1, in seconds since 1970.
    pub genesis_s: u64,
    pub period_s: u64,
    /// Null while nobody knows when the list closes.
    #[schema(required)]
    pub round: Option<u64>,
    #[schema(value_type = Option<String>, required)]
    pub round_at: Option<Moment>,
    /// Where the round is asked for, in this order.
    pub relays: Vec<String>,
    #[schema(value_type = Option<String>, required)]
    pub signature: Option<Hexed<48>>,
    #[schema(value_type = Option<String>, required)]
    pub randomness: Option<Hexed<32>>,
}

impl BeaconPart {
    pub fn chain(&self) -> Chain {
        Chain { hash: self.chain, public_key: self.public_key, genesis_s: self.genesis_s, period_s: self.period_s }
    }
}

impl Proof {
    /// The keys, once the seed is known.
    pub fn drawing(&self) -> Option<Drawing> {
        Some(Drawing::new(self.opens_at?.0, self.seed?.bytes()))
    }
}

/// The rules, as they are announced.
pub(super) fn rules(source: DrawSource) -> Vec<String> {
    let closes = match source {
        DrawSource::Commit => "The list closes at the opening.".to_owned(),
        DrawSource::Beacon => format!(
            "The list closes {CLOSES_BEFORE_S} seconds before the opening; at the opening, when the drop is opened by \
             hand or was announced later than that."
        ),
    };
    let mut rules = vec![
        format!(
            "Everybody who joins before the list closes is drawn. {closes} Who joins later stands behind, first come, first served."
        ),
        "The list is frozen when it closes: all places in ascending order, with one hash over them, the root of a \
         Merkle tree. Both are shown here before the draw."
            .to_owned(),
    ];
    let secret = "the secret whose SHA-256 has been shown here as the commitment since the drop was made";
    let binds = "It binds the organiser to the secret, but to no list of entrants.";
    match source {
        DrawSource::Commit => rules.push(format!("The seed is {secret}. It is revealed at the opening. {binds}")),
        DrawSource::Beacon => {
            rules.push(format!(
                "The seed is made from the root and one round of the public beacon drand, which nobody knows before its \
                 time: the first round {ROUND_AFTER_S} seconds or more after the list closes. The list must have been \
                 shown for {SHOWN_FOR_S} seconds by then; if it was not, or if it closes at the opening, it is the \
                 first round {SHOWN_FOR_S} seconds or more after it was shown."
            ));
            rules.push(format!(
                "Any relay of the beacon may deliver the round; its signature is checked. If none has delivered it \
                 {ROUND_WAIT_S} seconds after its time, the seed is {secret}, and the proof says so. {binds}"
            ));
        }
    }
    rules.push(
        "The key of a place is the opening time in microseconds, minus 1, minus the first 50 bits of \
         HMAC-SHA256(seed, place). The lowest key is first; of equal keys, the place whose text sorts first."
            .to_owned(),
    );
    rules.push(
        "A place of the lobby that is missing on the list, because the line had to be restored, gets its key by the \
         same rule when its fan comes back."
            .to_owned(),
    );
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_name_their_source_and_what_it_does_not_bind() {
        let (commit, beacon) = (rules(DrawSource::Commit).join(" "), rules(DrawSource::Beacon).join(" "));
        assert!(commit.contains("at the opening. Who joins later") && !commit.contains("drand"));
        assert!(beacon.contains("40 seconds before the opening") && beacon.contains("drand"));
        for rules in [commit, beacon] {
            assert!(rules.contains("to no list of entrants"), "{rules}");
        }
    }
}
