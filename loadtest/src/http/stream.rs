//! The connection a fan listens on.

use std::{collections::VecDeque, time::Duration};

use http::{StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{Answer, Call, Client, Trouble, client};
use crate::sse::{Event, Parser};

/// Heartbeats come at most 15 s apart; a stream silent for this many seconds is dead.
const SILENCE_S: u64 = 45;

/// An open event stream. Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Stream {
    body: Incoming,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Stream {
    /// Opens the stream; an answer that is none is handed back whole.
    pub(crate) async fn open(client: &Client, call: &Call) -> Result<Result<Self, Answer>, Trouble> {
        let response = client.open(call).await?;
        let streams = response.status() == StatusCode::OK
            && response
                .headers()
                .get(CONTENT_TYPE)
                .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if !streams {
            return Ok(Err(client::whole(response).await?));
        }
        Ok(Ok(Self { body: response.into_body(), parser: Parser::default(), ready: VecDeque::new() }))
    }

    /// The next event; `None` once the stream has ended, broken, gone silent or sent nonsense:
    /// reconnecting is the cure for all of them. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let mut events = Vec::new();
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let waiting = timeout(Duration::from_secs(SILENCE_S), self.body.frame());
            let frame = waiting.await.ok()??.ok()?;
            if let Some(bytes) = frame.data_ref() {
                self.parser.feed(bytes, &mut events).ok()?;
                self.ready.extend(events.drain(..));
            }
        }
    }

    /// How long the server wants its clients to wait before they reconnect.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.parser.retry_ms().map(Duration::from_millis)
    }
}
