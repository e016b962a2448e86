//! What is shown of a draw while it goes on.

use super::{DrawError, Known, Means};
use crate::{
    draw::{
        ALGORITHM, BeaconPart, Entrants, Moment, Proof, SeedFrom, Stage,
        beacon::SCHEME,
        commitment,
        hexed::Hexed,
        planned_round,
        proof::rules,
        store::{self, Stored},
    },
    drops::{DrawSource, Drop},
    line::{DropState, Line},
};

impl Means {
    /// Shows the list wherever this Redis lacks it.
    pub(super) async fn show_list(
        &self,
        known: &mut Known,
        line: &Line,
        drop: &Drop,
        stored: &Stored,
    ) -> Result<(), DrawError> {
        if !known.list_shown {
            if line.list_length(&drop.id).await? != stored.count * 16 {
                line.show_list(&drop.id, &store::list(&self.pool, &drop.id).await?).await?;
            }
            known.list_shown = true;
        }
        Ok(())
    }

    /// Shows the proof as it stands, when that is news.
    pub(super) async fn show(
        &self,
        known: &mut Known,
        line: &Line,
        drop: &Drop,
        state: &DropState,
        left: u64,
    ) -> Result<(), DrawError> {
        let proof = self.proof(drop, state, known.stored.as_ref(), left);
        let text = serde_json::to_string(&proof)?;
        if known.shown.as_ref().is_some_and(|(_, shown)| *shown == text) {
            return Ok(());
        }
        let is_turn = known.shown.as_ref().is_none_or(|(stage, _)| *stage != proof.state);
        line.show_draw(&drop.id, &text, progress(&proof), is_turn).await?;
        known.shown = Some((proof.state, text));
        Ok(())
    }

    fn proof(&self, drop: &Drop, state: &DropState, stored: Option<&Stored>, left: u64) -> Proof {
        let seed = stored.and_then(|stored| stored.seed.as_ref());
        let source = drop.settings.draw_source;
        let stage = match stored {
            None => Stage::Announced,
            Some(stored) if stored.drawn_at.is_some() => Stage::Drawn,
            Some(_) if seed.is_some() => Stage::Drawing,
            Some(_) => Stage::Closed,
        };
        let count = stored.map_or(0, |stored| stored.count);
        let revealed = seed.filter(|seed| seed.from == SeedFrom::Secret).map(|seed| seed.seed.into());
        Proof {
            drop: drop.id.clone(),
            algorithm: ALGORITHM.to_owned(),
            state: stage,
            source,
            rules: rules(source),
            opens_at: seed.map(|seed| seed.opens_at).or(state.opens_at).map(Moment),
            lobby_closes_at: state.lobby_closes_at.map(Moment),
            commitment: commitment(&drop.seed).into(),
            entrants: stored.map(|stored| Entrants {
                count,
                root: stored.root.into(),
                list: format!("/queue/{}/draw/entrants", drop.id),
                places: None,
            }),
            frozen_at: stored.and_then(|stored| stored.frozen_at).map(Moment),
            beacon: (source == DrawSource::Beacon).then(|| self.beacon(state, stored)),
            seed_from: seed.map(|seed| seed.from),
            why: revealed.is_some().then(|| self.why(source, stored)).flatten(),
            secret: revealed,
            seed: seed.map(|seed| seed.seed.into()),
            drawn: match stage {
                Stage::Announced | Stage::Closed => 0,
                Stage::Drawing => count.saturating_sub(left),
                Stage::Drawn => count,
            },
            drawn_at: stored.and_then(|stored| stored.drawn_at).map(Moment),
        }
    }

    fn beacon(&self, state: &DropState, stored: Option<&Stored>) -> BeaconPart {
        let chain = self.relays.chain();
        let planned = || state.lobby_closes_at.map(|at| planned_round(chain, at));
        let round = stored.and_then(|stored| stored.round).or_else(planned);
        let delivered = stored.and_then(Stored::drawn_round);
        BeaconPart {
            chain: chain.hash,
            public_key: chain.public_key,
            scheme: SCHEME.to_owned(),
            genesis_s: chain.genesis_s,
            period_s: chain.period_s,
            round,
            round_at: round.map(|round| Moment(chain.time_of(round))),
            relays: self.relays.origins(),
            randomness: delivered.as_ref().map(|round| Hexed::from(round.randomness())),
            signature: delivered.map(|round| round.signature),
        }
    }

    fn why(&self, source: DrawSource, stored: Option<&Stored>) -> Option<String> {
        let round = stored.and_then(|stored| stored.round).filter(|_| source == DrawSource::Beacon)?;
        let wait = crate::draw::ROUND_WAIT_S;
        Some(format!("no relay gave round {round} when asked, {wait} seconds and more after its time"))
    }
}

/// Grows with everything that can be shown.
fn progress(proof: &Proof) -> u64 {
    (proof.state as u64) << 40 | u64::from(proof.frozen_at.is_some()) << 39 | proof.drawn
}
