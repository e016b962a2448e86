//! The hub of live streams: one thread of this process holds them all.
//!
//! A stream is an entry in a slab and a socket: no task, no channel, no buffer while it is idle. The handler
//! ([`crate::routes::events`]) answers through the ordinary router with the first document and hands the socket
//! over (`sink`; an answer over TLS or HTTP/2 goes through a small channel instead, and is served by the same
//! code). From then on this thread decides what the fan is owed (`stream`), when they are looked at (`cadence`,
//! `wheel`), and writes it (`engine`). Reading Redis is left to tasks (`looks`).
//!
//! Who was called goes first: what happened to a fan is written as soon as it is known, all else in slices.

mod audience;
mod cadence;
mod engine;
mod entries;
mod frames;
mod inbox;
mod looks;
mod room;
mod sink;
mod stream;
mod wheel;

use std::{net::IpAddr, ops::RangeInclusive, sync::Arc, time::Duration};

use admission::line::Line;
use anyhow::Context as _;
use axum::{
    body::{Body, Bytes},
    response::Response,
};
use http::{HeaderValue, header};
use shared::{lifecycle::Lifecycle, server::Detachable, sse};
use tokio::sync::oneshot;

use self::{
    engine::Engine,
    inbox::{Arrival, Inbox, Message},
    looks::Looks,
    room::Room,
    sink::{Frames, Sink},
};
pub(crate) use self::{
    frames::Frame,
    inbox::News,
    room::Seat,
    stream::{Renderer, Stream},
};
use crate::{Settings, crowd::Crowd, fan::Fan};

/// Why a stream is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The process has as many streams as it may.
    Full,
    /// The address has.
    Address,
    /// The place has.
    Place,
    /// The process stops.
    Restart,
    /// The line cannot be reached for the moment.
    Unavailable,
}

impl Why {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
            Self::Place => "place",
            Self::Restart => "restart",
            Self::Unavailable => "unavailable",
        }
    }

    /// When to come back, in seconds: spread, so that not all come at once.
    fn return_after_s(self) -> RangeInclusive<u64> {
        match self {
            Self::Restart => 1..=8,
            Self::Unavailable => 2..=5,
            Self::Full => 3..=9,
            Self::Address | Self::Place => 10..=20,
        }
    }
}

/// The way to the hub. Its thread ends with the process's stop, or with the last clone.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Handle>);

struct Handle {
    inbox: Arc<Inbox>,
    room: Room,
    renderer: Renderer,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inbox.push(Message::Stop);
    }
}

impl Hub {
    /// Starts the thread. At the stop it says `bye` to all streams, and the process waits for that; should it die
    /// before, so does the process.
    pub(crate) fn start(
        settings: &Settings,
        line: &Line,
        renderer: Renderer,
        lifecycle: &Lifecycle,
    ) -> anyhow::Result<Self> {
        let poll = mio::Poll::new().context("the streams' poll")?;
        let waker = mio::Waker::new(poll.registry(), engine::WAKER).context("the streams' waker")?;
        let inbox = Arc::new(Inbox::new(waker));
        let looks = Looks::start(line, &inbox, lifecycle);
        let engine =
            Engine::new(poll, inbox.clone(), looks, renderer.clone(), Duration::from_secs(settings.streams_stall_s));
        let (ended, end) = oneshot::channel();
        std::thread::Builder::new()
            .name("streams".to_owned())
            .spawn(move || {
                // a panic drops the sender, which is seen below
                let _nobody_waits = ended.send(engine.run());
            })
            .context("the streams' thread")?;
        lifecycle.spawn("stream hub", async move { end.await.context("the streams' thread panicked")? });
        let (stop, told) = (lifecycle.stopping(), inbox.clone());
        tokio::spawn(async move {
            stop.cancelled().await;
            told.push(Message::Stop);
        });
        Ok(Self(Arc::new(Handle { inbox, room: Room::new(settings), renderer })))
    }

    /// Room for a stream from `address`.
    pub(crate) fn seat(&self, address: IpAddr) -> Result<Seat, Why> {
        self.0.room.seat(address)
    }

    pub(crate) fn renderer(&self) -> &Renderer {
        &self.0.renderer
    }

    /// The answer that begins with `first`, and goes on from here.
    pub(crate) fn answer(
        &self,
        (fan, crowd): (&Fan, Arc<Crowd>),
        (seat, stream, first): (Seat, Stream, &Frame),
        detachable: Option<Detachable>,
    ) -> Response {
        let drop = fan.drop.clone();
        let mut first_bytes = sse::retry_text().into_bytes();
        first_bytes.extend_from_slice(first.payload());
        let first = Bytes::from(first_bytes);
        let inbox = self.0.inbox.clone();
        if let Some(detachable) = detachable {
            let body = detachable.answer(first, move |detached| {
                let sink = Sink::socket(detached);
                inbox.push(Message::Arrived(Box::new(Arrival { drop, crowd, sink, seat, stream })));
            });
            let mut answer = sse::answer(body);
            // nothing follows on this connection
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return answer;
        }
        let (sink, frames) = Frames::new(first, inbox.clone());
        inbox.push(Message::Arrived(Box::new(Arrival { drop, crowd, sink, seat, stream })));
        sse::answer(Body::from_stream(frames))
    }

    /// Tells what a look at the line brought; `false` when the hub is too far behind, and it must be told again.
    pub(crate) fn tell(&self, news: News) -> bool {
        self.0.inbox.push_news(news)
    }
}

/// The answer that only says when to come back, and why.
pub(crate) fn sent_away(why: Why) -> Response {
    metrics::counter!("onsale_streams_ended_total", "why" => why.word()).increment(1);
    sse::answer(Body::from(sse::retry_text() + &sse::bye_text(why.word(), why.return_after_s())))
}
