//! What the hub's thread is told by the rest of the process.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use admission::{
    ids::{DropId, Place},
    line::{DropState, Held, PlaceState},
};
use mio::Waker;

use super::{room::Seat, sink::Sink, stream::Stream};
use crate::crowd::{Crowd, Tick};

/// News that may lie here; whoever brings more keeps it and comes again. All else is bounded by the streams.
const NEWS_MAX: usize = 4_096;

/// A stream of this hub. Numbers are used again, serials are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ref {
    pub(super) index: u32,
    pub(super) serial: u32,
}

impl Ref {
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.serial) << 32 | u64::from(self.index)
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, serial: (bits >> 32) as u32 }
    }
}

/// A question about a stream's place. Only the answer to the stream's latest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) stream: Ref,
    pub(super) number: u32,
}

pub(super) enum Message {
    Arrived(Box<Arrival>),
    News(Box<News>),
    Looked(Box<Looked>),
    /// These could not be looked at.
    Unanswered(Vec<Asked>),
    /// A body has room again, or is gone.
    Touched(Ref),
    /// The process stops, or nobody can bring streams any more.
    Stop,
}

/// A stream that begins here; its first document has been told.
pub(super) struct Arrival {
    pub(super) drop: DropId,
    pub(super) crowd: Arc<Crowd>,
    pub(super) sink: Sink,
    pub(super) seat: Seat,
    pub(super) stream: Stream,
}

/// What a look at the line brought.
pub(crate) struct News {
    pub(crate) drop: DropId,
    pub(crate) tick: Option<Arc<Tick>>,
    /// Whom something happened to.
    pub(crate) places: Vec<Place>,
    /// It may have happened to anybody.
    pub(crate) all: bool,
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        self.tick.is_none() && self.places.is_empty() && !self.all
    }
}

/// Places of one drop as they stand.
pub(super) struct Looked {
    pub(super) drop: DropId,
    pub(super) state: DropState,
    pub(super) answers: Vec<(Asked, Held, PlaceState)>,
}

pub(super) struct Inbox {
    /// `None` once nobody reads any more: what comes then is dropped, and with it its socket.
    messages: Mutex<Option<Vec<Message>>>,
    waker: Waker,
}

impl Inbox {
    pub(super) fn new(waker: Waker) -> Self {
        Self { messages: Mutex::new(Some(Vec::new())), waker }
    }

    fn messages(&self) -> MutexGuard<'_, Option<Vec<Message>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, message: Message) {
        let was_empty = {
            let mut messages = self.messages();
            let Some(messages) = messages.as_mut() else { return };
            messages.push(message);
            messages.len() == 1
        };
        if was_empty {
            self.wake();
        }
    }

    /// Whether there was room for the news.
    pub(super) fn push_news(&self, news: News) -> bool {
        let fits = self.messages().as_ref().is_none_or(|messages| messages.len() < NEWS_MAX);
        if fits {
            self.push(Message::News(Box::new(news)));
        }
        fits
    }

    /// Everything told since the last time, into an empty `messages`.
    pub(super) fn take(&self, messages: &mut Vec<Message>) {
        if let Some(told) = self.messages().as_mut() {
            std::mem::swap(told, messages);
        }
    }

    /// Nobody reads any more.
    pub(super) fn close(&self) {
        let unread = self.messages().take();
        drop(unread); // outside the lock: a body that is dropped tells us
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            // an eventfd whose counter is full is awake already
            debug_assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }
}
