//! The frozen lists this process has read, each once: 16 bytes a place and a tree of a quarter of that.

use std::sync::Arc;

use admission::{
    draw::{Proof, Stage, hexed::Hexed, parse_list, tree::Tree},
    ids::{DropId, OrderKey, Place},
    line::{BatchError, Line, PlaceState},
};
use dashmap::DashMap;
use serde::Serialize;
use tokio::{
    sync::{Mutex, OnceCell},
    time::{Duration, Instant},
};
use utoipa::ToSchema;

use crate::{crowd::Tick, error::Error};

/// After a list could not be read, how long it is not read again: it may be 16 MB and more, and everybody asks.
const RETRY_AFTER: Duration = Duration::from_secs(1);

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
    list: Arc<List>,
}

/// The list of one root, read by one and waited for by the others.
#[derive(Default)]
struct List {
    tree: OnceCell<Arc<Tree>>,
    /// Held by who reads it; when it last failed.
    failed_at: Arc<Mutex<Option<Instant>>>,
}

impl Draws {
    pub(crate) fn new(line: Line) -> Self {
        Self { line, known: Arc::default() }
    }

    /// The frozen list; `None` before it is frozen.
    pub(crate) async fn tree(&self, drop: &DropId, tick: &Tick) -> Result<Option<Arc<Tree>>, Error> {
        match self.known(drop, tick) {
            Some(known) => known.tree(&self.line, drop).await,
            None => Ok(None),
        }
    }

    /// What the holder of a place may know of the draw: those it concerns, and those on its list for ever. `None`
    /// also while the list is being read, which nobody waits for here.
    pub(crate) fn receipt(&self, drop: &DropId, tick: &Tick, place: Place, state: &PlaceState) -> Option<Receipt> {
        let known = self.known(drop, tick)?;
        let proof = &known.proof;
        let tree = match proof.entrants {
            Some(_) => Some(known.tree_now(&self.line, drop)?),
            None => None,
        };
        let index = tree.as_ref().and_then(|tree| tree.index(place));
        let concerned = matches!(state, PlaceState::Lobby | PlaceState::Drawing | PlaceState::Late { .. });
        if index.is_none() && !concerned {
            return None;
        }
        let listed = index.zip(tree.as_ref());
        let beacon = proof.beacon.as_ref().filter(|_| proof.seed.is_none());
        Some(Receipt {
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
        })
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
        let list = before.filter(|known| root(&known.proof) == root(&proof)).map(|known| known.list.clone());
        let known = Arc::new(Known { text: text.clone(), proof, list: list.unwrap_or_default() });
        self.known.insert(drop.clone(), known.clone());
        Some(known)
    }
}

impl Known {
    /// The list, waited for.
    async fn tree(&self, line: &Line, drop: &DropId) -> Result<Option<Arc<Tree>>, Error> {
        let Some(entrants) = &self.proof.entrants else { return Ok(None) };
        let mut failed_at = match self.list.tree.get() {
            Some(tree) => return Ok(Some(tree.clone())),
            None => self.list.failed_at.lock().await,
        };
        if failed_at.is_some_and(|at| at.elapsed() < RETRY_AFTER) {
            return Err(Error::Batch(BatchError::Restoring));
        }
        let tree = self.list.tree.get_or_try_init(|| read(line, drop, entrants.root)).await;
        if tree.is_err() {
            *failed_at = Some(Instant::now());
        }
        tree.map(|tree| Some(tree.clone()))
    }

    /// The list if it has been read; else somebody begins to.
    fn tree_now(self: &Arc<Self>, line: &Line, drop: &DropId) -> Option<Arc<Tree>> {
        if let Some(tree) = self.list.tree.get() {
            return Some(tree.clone());
        }
        let is_time = |failed_at: &Option<Instant>| failed_at.is_none_or(|at| at.elapsed() >= RETRY_AFTER);
        if self.list.failed_at.try_lock().is_ok_and(|failed_at| is_time(&failed_at)) {
            let (known, line, drop) = (self.clone(), line.clone(), drop.clone());
            tokio::spawn(async move {
                if let Err(error) = known.tree(&line, &drop).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, %drop, "the list of the draw cannot be read");
                }
            });
        }
        None
    }
}

async fn read(line: &Line, drop: &DropId, root: Hexed<32>) -> Result<Arc<Tree>, Error> {
    let list = line.list(drop).await?;
    let tree = tokio::task::spawn_blocking(move || parse_list(&list).map(Tree::new));
    let tree = tree.await.map_err(|error| Error::Signing(error.into()))?;
    // not (yet) the list of this root: Redis was lost a moment ago
    let tree = tree.filter(|tree| tree.root() == *root.bytes()).ok_or(Error::Batch(BatchError::Restoring))?;
    Ok(Arc::new(tree))
}
