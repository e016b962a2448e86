//! Checks a draw from its proof and its list alone. `docs/verify_draw.py` does the same in other words.

use serde::Serialize;
use shared::encoding::hex;

use super::{
    ALGORITHM, Proof, ROUND_WAIT_S, SHOWN_FOR_S, SeedFrom, Stage,
    beacon::{Chain, Round, SCHEME},
    commitment, parse_list, round_of, seed_of_round,
    tree::Tree,
};
use crate::{
    drops::DrawSource,
    ids::{OrderKey, Place},
};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub outcome: Outcome,
    /// What was found, for people.
    pub found: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Good,
    Bad,
    /// Cannot be said: not known yet, or nothing that the proof could prove.
    Open,
}

/// What came of all checks.
#[derive(Debug)]
pub struct Verdict {
    pub checks: Vec<Check>,
    /// The whole order, first to last, once it can be computed.
    pub order: Option<Vec<(Place, OrderKey)>>,
}

impl Verdict {
    /// Nothing is wrong. What is open is not wrong.
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Bad)
    }

    fn note(&mut self, name: &'static str, outcome: Outcome, found: impl Into<String>) {
        self.checks.push(Check { name, outcome, found: found.into() });
    }

    fn say(&mut self, name: &'static str, good: bool, found: impl Into<String>) {
        self.note(name, if good { Outcome::Good } else { Outcome::Bad }, found);
    }
}

/// Checks `proof` over the bytes of its list. The beacon must be `trusted`: a chain the proof brings along
/// proves nothing.
pub fn verify(proof: &Proof, list: Option<&[u8]>, trusted: &Chain) -> Verdict {
    let mut verdict = Verdict { checks: Vec::new(), order: None };
    verdict.say("algorithm", proof.algorithm == ALGORITHM, proof.algorithm.clone());
    let places = entrants(proof, list, &mut verdict);
    match proof.source {
        DrawSource::Beacon => beacon(proof, trusted, &mut verdict),
        DrawSource::Commit => secret(proof, "The secret binds the organiser to no list of entrants.", &mut verdict),
    }
    if let Some(places) = places
        && let Some(drawing) = proof.drawing()
        && verdict.is_good()
    {
        let order = order(&places, |place| drawing.key(place));
        verdict.say("order", true, format!("{} places have their keys", order.len()));
        verdict.order = Some(order);
    }
    verdict
}

fn entrants(proof: &Proof, list: Option<&[u8]>, verdict: &mut Verdict) -> Option<Vec<Place>> {
    let Some(entrants) = &proof.entrants else {
        let outcome = if proof.state == Stage::Announced { Outcome::Open } else { Outcome::Bad };
        verdict.note("list", outcome, "no list is shown yet");
        return None;
    };
    let Some(list) = list else {
        verdict.note("list", Outcome::Bad, "the list is missing");
        return None;
    };
    let Some(places) = parse_list(list) else {
        verdict.note("list", Outcome::Bad, "the list is not in ascending order, or not of 16 bytes a place");
        return None;
    };
    let counted = places.len() as u64 == entrants.count;
    verdict.say("list", counted, format!("{} places, announced {}", places.len(), entrants.count));
    let tree = Tree::new(places);
    let root = tree.root();
    verdict.say("root", root == *entrants.root.bytes(), hex(&root));
    Some(tree.into_places())
}

/// The seed is the secret that was committed to.
fn secret(proof: &Proof, weakness: &str, verdict: &mut Verdict) {
    let Some(secret) = &proof.secret else {
        return verdict.note("seed", not_yet(proof), "the secret is not revealed");
    };
    let known = commitment(secret.bytes());
    verdict.say("commitment", known == *proof.commitment.bytes(), format!("SHA-256 of the secret is {}", hex(&known)));
    let good = proof.seed == Some(*secret) && proof.seed_from == Some(SeedFrom::Secret);
    verdict.say("seed", good, "it is the secret");
    verdict.note("bound to the list", Outcome::Open, weakness);
}

fn beacon(proof: &Proof, trusted: &Chain, verdict: &mut Verdict) {
    let Some(part) = &proof.beacon else {
        return verdict.note("beacon", Outcome::Bad, "the proof names none");
    };
    let good = part.chain() == *trusted && part.scheme == SCHEME;
    verdict.say("beacon", good, format!("chain {}", part.chain));
    let (Some(frozen_at), Some(round)) = (proof.frozen_at, part.round) else {
        return verdict.note("round", not_yet(proof), "the list is open");
    };
    let due = round_of(trusted, proof.lobby_closes_at.map(|at| at.0), frozen_at.0);
    verdict.say("round", round == due, format!("round {round}; by the rules it is {due}"));
    let shown_us = trusted.time_of(round).saturating_sub(frozen_at.0);
    verdict.say(
        "shown beforehand",
        shown_us >= SHOWN_FOR_S * 1_000_000,
        format!("the list was shown {} s before the round", shown_us / 1_000_000),
    );
    if proof.seed_from == Some(SeedFrom::Secret) {
        let why = proof.why.as_deref().unwrap_or("no reason is given");
        verdict.say("fall-back", proof.why.is_some(), format!("the seed is not from the beacon: {why}"));
        let weakness = format!(
            "Whether the round could be had within {ROUND_WAIT_S} s cannot be proved, and the secret binds the organiser \
             to no list of entrants."
        );
        return secret(proof, &weakness, verdict);
    }
    let (Some(signature), Some(root)) = (part.signature, proof.entrants.as_ref().map(|entrants| entrants.root)) else {
        return verdict.note("signature", not_yet(proof), "the round is not known");
    };
    let round = Round { round, signature };
    match trusted.verify(&round) {
        Ok(()) => verdict.say("signature", true, "it is the beacon's"),
        Err(error) => verdict.say("signature", false, error.to_string()),
    }
    let randomness = round.randomness();
    let same = part.randomness.is_some_and(|told| *told.bytes() == randomness);
    verdict.say("randomness", same, format!("SHA-256 of the signature is {}", hex(&randomness)));
    let seed = seed_of_round(&proof.drop, root.bytes(), &randomness);
    let same = proof.seed.is_some_and(|told| *told.bytes() == seed) && proof.seed_from == Some(SeedFrom::Round);
    verdict.say("seed", same, hex(&seed));
}

/// What is missing is wrong once the draw is over.
fn not_yet(proof: &Proof) -> Outcome {
    if proof.state >= Stage::Drawing { Outcome::Bad } else { Outcome::Open }
}

/// Places in the order of their keys; of equal keys, by the place's text, as Redis has it.
pub fn order(places: &[Place], key: impl Fn(Place) -> OrderKey) -> Vec<(Place, OrderKey)> {
    let mut order: Vec<_> = places.iter().map(|place| (*place, key(*place))).collect();
    order.sort_unstable_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.to_string().cmp(&b.0.to_string())));
    order
}

/// The order as a file: a line a place, its number from 1, its text, its key.
pub fn order_file(order: &[(Place, OrderKey)]) -> Vec<u8> {
    let mut file = Vec::with_capacity(order.len() * 48);
    for (number, (place, key)) in (1u64..).zip(order) {
        file.extend_from_slice(format!("{number} {place} {}\n", key.0).as_bytes());
    }
    file
}
