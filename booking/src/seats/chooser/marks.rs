//! Seats that this process has offered and that are not decided yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

/// By ordinal, how many parties try for it: the last look offers what others were offered before.
#[derive(Default)]
pub(super) struct Marks(Mutex<HashMap<u32, u32>>);

impl Marks {
    /// Take it before looking at a store: what is not marked any more is decided, and the store knows.
    pub(super) fn now(&self) -> HashSet<u32> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// These seats are being tried for, until it is dropped.
pub(crate) struct Mark {
    marks: Arc<Marks>,
    ordinals: Vec<u32>,
    /// Whoever waits for the decision hears its end.
    _deciding: Option<mpsc::Sender<()>>,
}

impl Mark {
    pub(super) fn new(marks: &Arc<Marks>, block: &[u32], deciding: Option<mpsc::Sender<()>>) -> Self {
        let mut marked = marks.lock();
        for ordinal in block {
            *marked.entry(*ordinal).or_default() += 1;
        }
        drop(marked);
        Mark { marks: marks.clone(), ordinals: block.to_vec(), _deciding: deciding }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let mut marked = self.marks.lock();
        for ordinal in &self.ordinals {
            if let Some(count) = marked.get_mut(ordinal) {
                *count -= 1;
                if *count == 0 {
                    marked.remove(ordinal);
                }
            }
        }
    }
}
