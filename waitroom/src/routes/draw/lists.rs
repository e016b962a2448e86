//! The frozen lists this process has read, each once: 16 bytes a place and a tree of a quarter of that.

use std::sync::Arc;

use admission::{
    draw::{Proof, Stage, hexed::Hexed, parse_list, tree::Tree},
    ids::{DropId, OrderKey, Place},
    line::{BatchError, Line, PlaceState},
};
use dashmap::DashMap;
use serde::Serialize;
use tokio::sync::OnceCell;
use utoipa::ToSchema;

use crate::{crowd::Tick, error::Error};

/// What a fan's place has to do with the draw.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DrawReceipt)]
pub(crate) struct Receipt {
    /// How far the draw has come.
    state: Stage,
    /// Places on the frozen list, and how many of them have their key.
    entrants: u64,
    drawn: u64,
    /// When the seed is expected, while it is not known (RFC 3339).
    #[schema(required)]
    seed_at: Option<String>,
    /// Of the list; null before it is frozen.
    #[schema(value_type = Option<String>, required)]
    root: Option<Hexed<32>>,
    /// The place's number on the list, from 0; null for a place that is not on it.
    #[schema(required)]
    index: Option<u64>,
    /// The drawn key.
    #[schema(required)]
    key: Option<OrderKey>,
    /// The Merkle audit path of the place, from its leaf up (RFC 6962).
    #[schema(value_type = Option<Vec<String>>, required)]
    proof: Option<Vec<Hexed<32>>>,
}

/// The draws of all drops somebody asked for.
#[derive(Clone)]
pub(crate) struct Draws {
    line: Line,
    known: Arc<DashMap<DropId, Arc<Known>>>,
}

/// A draw as one look saw it.
struct Known {
    text: String,
    proof: Proof,
    tree: Arc<OnceCell<Arc<Tree>>>,
}

impl Draws {
    pub(crate) fn new(line: Line) -> Self {
        Self { line, known: Arc::default() }
    }

    /// The frozen list; `None` before it is frozen.
    pub(crate) async fn tree(&self, drop: &DropId, tick: &Tick) -> Result<Option<Arc<Tree>>, Error> {
        match self.known(drop, tick) {
            Some(known) => self.tree_of(drop, &known).await,
            None => Ok(None),
        }
    }

    /// What the holder of a place may know of the draw: those it concerns, and those on its list for ever.
    pub(crate) async fn receipt(
        &self,
        drop: &DropId,
        tick: &Tick,
        place: Place,
        state: &PlaceState,
    ) -> Result<Option<Receipt>, Error> {
        let Some(known) = self.known(drop, tick) else { return Ok(None) };
        let proof = &known.proof;
        let tree = self.tree_of(drop, &known).await?;
        let index = tree.as_ref().and_then(|tree| tree.index(place));
        let concerned = matches!(state, PlaceState::Lobby | PlaceState::Drawing | PlaceState::Late { .. });
        if index.is_none() && !concerned {
            return Ok(None);
        }
        let listed = index.zip(tree.as_ref());
        let beacon = proof.beacon.as_ref().filter(|_| proof.seed.is_none());
        Ok(Some(Receipt {
            state: proof.state,
            entrants: proof.entrants.as_ref().map_or(0, |entrants| entrants.count),
            drawn: proof.drawn,
            seed_at: beacon.and_then(|beacon| beacon.round_at).map(|at| at.to_string()),
            root: proof.entrants.as_ref().map(|entrants| entrants.root),
            index: index.map(|index| index as u64),
            key: index.and(proof.drawing()).map(|drawing| drawing.key(place)),
            proof: listed
                .and_then(|(index, tree)| tree.proof(index))
                .map(|path| path.into_iter().map(Hexed::from).collect()),
        }))
    }

    /// The draw as the tick shows it; read anew only when it has changed, and the list only with another root.
    fn known(&self, drop: &DropId, tick: &Tick) -> Option<Arc<Known>> {
        let text = &tick.face.draw;
        if text.is_empty() {
            return None;
        }
        let before = self.known.get(drop).map(|known| known.value().clone());
        if let Some(known) = before.as_ref().filter(|known| known.text == *text) {
            return Some(known.clone());
        }
        let proof: Proof = match serde_json::from_str(text) {
            Ok(proof) => proof,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, %drop, "the draw shown is unreadable");
                return None;
            }
        };
        let root = |proof: &Proof| proof.entrants.as_ref().map(|entrants| entrants.root);
        let tree = before.filter(|known| root(&known.proof) == root(&proof)).map(|known| known.tree.clone());
        let known = Arc::new(Known { text: text.clone(), proof, tree: tree.unwrap_or_default() });
        self.known.insert(drop.clone(), known.clone());
        Some(known)
    }

    async fn tree_of(&self, drop: &DropId, known: &Known) -> Result<Option<Arc<Tree>>, Error> {
        let Some(entrants) = &known.proof.entrants else { return Ok(None) };
        let root = entrants.root;
        let read = async || {
            let list = self.line.list(drop).await?;
            let tree = tokio::task::spawn_blocking(move || parse_list(&list).map(Tree::new));
            let tree = tree.await.map_err(|error| Error::Signing(error.into()))?;
            // not (yet) the list of this root: Redis was lost a moment ago
            let tree = tree.filter(|tree| tree.root() == *root.bytes()).ok_or(Error::Batch(BatchError::Restoring))?;
            Ok::<_, Error>(Arc::new(tree))
        };
        known.tree.get_or_try_init(read).await.map(|tree| Some(tree.clone()))
    }
}
