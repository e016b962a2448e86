//! Live streams to a crowd (server-sent events): heartbeats, and coming back in peace.
//!
//! A stream is never refused for want of room: it says `bye` and when to return, because browsers give up for
//! good on an error status.

use std::{convert::Infallible, ops::RangeInclusive, time::Duration};

use axum::{
    body::Body,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderName, header};

/// Heartbeats, so that proxies and phones keep the stream open: at most this far apart.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// When a stream breaks, the browser comes back after this and up to as much again, in milliseconds.
const RETRY_MS: u64 = 1_500;
/// When the process is full or about to stop, browsers are asked to come back after this, in seconds.
const BYE_RETRY_S: u64 = 3;

/// The answer that carries `frames`. Before the first it says when to come back after a break, whatever a
/// stream that is resumed has to tell.
pub fn live(frames: impl Stream<Item = Event> + Send + 'static) -> Response {
    let frames = stream::iter([Event::default().retry(retry())]).chain(frames).map(Ok::<_, Infallible>);
    answer(Sse::new(frames).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response().into_body())
}

/// The answer that carries an event stream made by hand; it should begin with [`retry_text`].
pub fn answer(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"), // nginx: no buffering
    ];
    (headers, body).into_response()
}

/// When to come back after a break, as text.
pub fn retry_text() -> String {
    format!("retry: {}\n\n", retry().as_millis())
}

/// The last frame of a stream that the server ends, as text: when to come back, spread over `after_s` seconds,
/// and why in a word.
pub fn bye_text(reason: &str, after_s: RangeInclusive<u64>) -> String {
    let ms = rand::random_range(after_s.start() * 1_000..=after_s.end() * 1_000);
    let seconds = ms.div_ceil(1_000);
    format!("event: bye\nretry: {ms}\ndata: {{\"retry_after_s\":{seconds},\"reason\":\"{reason}\"}}\n\n")
}

fn retry() -> Duration {
    Duration::from_millis(RETRY_MS + rand::random_range(0..RETRY_MS))
}

/// Asks to come back later.
pub fn shed() -> Response {
    live(stream::iter([bye()]))
}

/// The last frame of a stream that the server ends.
pub fn bye() -> Event {
    Event::default().event("bye").data(format!("{{\"retry_after_s\":{BYE_RETRY_S}}}"))
}

/// As [`bye`], where coming back sooner than after this many seconds brings nothing new; spread by half as much.
pub fn bye_for(seconds: u64) -> Event {
    let retry = Duration::from_millis(seconds * 1_000 + rand::random_range(0..=seconds * 500));
    Event::default().event("bye").retry(retry).data(format!("{{\"retry_after_s\":{seconds}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_spread() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let text = bye_text("restart", 1..=8);
            let (ms, rest) = text.strip_prefix("event: bye\nretry: ").unwrap().split_once('\n').unwrap();
            let ms: u64 = ms.parse().unwrap();
            assert!((1_000..=8_000).contains(&ms), "{text}");
            let data = format!("data: {{\"retry_after_s\":{},\"reason\":\"restart\"}}\n\n", ms.div_ceil(1_000));
            assert_eq!(rest, data);
            seen.insert(ms / 1_000);
        }
        assert!(seen.len() > 4, "{seen:?}");
    }

    #[tokio::test]
    async fn every_stream_says_first_when_to_come_back() {
        for frames in [vec![], vec![bye()]] {
            let body = live(stream::iter(frames)).into_body();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let text = std::str::from_utf8(&body).unwrap();
            let (retry, rest) = text.strip_prefix("retry: ").and_then(|text| text.split_once("\n\n")).unwrap();
            assert!((RETRY_MS..2 * RETRY_MS).contains(&retry.parse().unwrap()), "{text}");
            assert!(rest.is_empty() || rest == "event: bye\ndata: {\"retry_after_s\":3}\n\n", "{text}");
        }
    }
}
