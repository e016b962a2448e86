//! The calls of the line, and what the fan keeps of their answers.

use std::sync::Arc;

use http::StatusCode;
use tokio::time::Instant;

use super::{Fan, lost};
use crate::{
    clock::now_us,
    http::{Answer, Call, Retry, Stream},
    protocol::{Document, State, epoch_of},
    record::{Ending, Heard, Kind, Shown, Via},
    sse::Event,
};

/// A fan's own view of the line.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub stream: Option<Stream>,
    pass: Option<String>,
    place: Option<Arc<str>>,
    epoch: Option<u64>,
    last_event_id: Option<String>,
    /// The position the fan was shown first, and the last.
    pub position_first: Option<u64>,
    pub position: Option<u64>,
}

impl Line {
    /// Tells the server what it showed last, so that it shows no more than that.
    fn with_shown(&self, path: String) -> String {
        match self.position {
            Some(position) => format!("{path}?shown={position}"),
            None => path,
        }
    }
}

impl Fan {
    /// Joins, or finds the place again: the secret is the same, so the place is.
    pub(super) async fn join(&mut self) -> Result<Document, Ending> {
        // like a page loaded anew: whatever was being listened to is gone
        self.line.stream = None;
        self.line.last_event_id = None;
        self.record.join_sent_us.get_or_insert_with(now_us);
        let call = self
            .to_the_line(Call::post(format!("/queue/{}/join", self.crowd.drop)))
            .with("authorization", format!("Bearer {}", self.session)) // some drops ask for it
            .json(&serde_json::json!({}));
        let answer = self.call(Kind::Join, &call).await?;
        if !matches!(answer.status, StatusCode::OK | StatusCode::CREATED) {
            return Err(lost(format!("join: {}", answer.describe())));
        }
        let document = self.read(&answer, Via::Join, false)?;
        if self.record.joined_us.is_none() {
            self.record.joined_us = Some(now_us());
            self.crowd.tallies.joined();
        }
        Ok(document)
    }

    pub(super) async fn status(&mut self) -> Result<Document, Ending> {
        let path = format!("/queue/{}/status", self.crowd.drop);
        let capped = self.line.position.is_some();
        let call = self.to_the_line(Call::get(self.line.with_shown(path)));
        let answer = self.call(Kind::Status, &call).await?;
        self.document(&answer, Via::Status, capped).await
    }

    pub(super) async fn claim(&mut self) -> Result<Document, Ending> {
        self.record.claim_sent_us.get_or_insert_with(now_us);
        let call = self.to_the_line(Call::post(format!("/queue/{}/claim", self.crowd.drop)));
        let answer = self.call(Kind::Claim, &call).await?;
        if answer.status == StatusCode::ACCEPTED {
            self.record.claim_accepted_us.get_or_insert_with(now_us);
        }
        self.document(&answer, Via::Claim, false).await
    }

    /// Gives the place up; nobody waits for the answer, so it is tried once.
    pub(super) async fn leave(&mut self) {
        let call = self.to_the_line(Call::post(format!("/queue/{}/leave", self.crowd.drop)));
        let sent = Instant::now();
        if self.client.call(&call).await.is_ok() {
            self.timed(Kind::Leave, sent);
        }
    }

    /// Opens the stream where it broke off; `None` when the fan should look up its place first.
    pub(super) async fn listen(&mut self) -> Result<Option<Document>, Ending> {
        let path = self.line.with_shown(format!("/queue/{}/events", self.crowd.drop));
        for attempt in 0.. {
            let call = self
                .to_the_line(Call::get(&path))
                .with("accept", "text/event-stream")
                .maybe("last-event-id", self.line.last_event_id.as_deref());
            let sent = Instant::now();
            let outcome = match Stream::open(&self.client, &call).await {
                Ok(Ok(stream)) => {
                    self.timed(Kind::Stream, sent);
                    self.line.stream = Some(stream);
                    return Ok(None);
                }
                Ok(Err(answer)) => Ok(answer),
                Err(trouble) => Err(trouble),
            };
            match (Retry::wanted(&outcome), outcome) {
                (Some(retry), _) => self.again(retry, attempt).await?,
                (None, Ok(answer)) => {
                    return self.document(&answer, Via::Stream, false).await.map(Some);
                }
                (None, Err(trouble)) => return Err(lost(format!("events: {trouble}"))),
            }
        }
        Err(self.out_of_time())
    }

    /// Takes in an event; a document when it tells more than a position.
    pub(super) fn take_in(&mut self, event: &Event) -> Result<Option<Document>, Ending> {
        let capped = self.line.position.is_some();
        if !event.id.is_empty() {
            self.line.last_event_id = Some(event.id.clone());
            self.line.epoch = epoch_of(&event.id);
        }
        let mut document: Document = match serde_json::from_str(&event.data) {
            Ok(document) => document,
            Err(error) => return Err(lost(format!("event {}: {error}", event.kind))),
        };
        let implied = match event.kind.as_str() {
            "state" => None,
            "called" => Some(State::Called),
            "admitted" => Some(State::Admitted),
            "position" => {
                self.note_position(&document, Via::Stream, self.line.epoch, capped);
                return Ok(None);
            }
            "bye" => return Ok(Some(document)),
            _ => return Ok(None),
        };
        document.state = document.state.or(implied);
        self.note(&document, Via::Stream, self.line.epoch, capped);
        Ok(Some(document))
    }

    /// Reads the document of an answer; a place the server does not know (any more) is joined
    /// again, with the same secret and the pass.
    async fn document(&mut self, answer: &Answer, via: Via, capped: bool) -> Result<Document, Ending> {
        match answer.status {
            StatusCode::OK | StatusCode::ACCEPTED => self.read(answer, via, capped),
            StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::UNAUTHORIZED => {
                *self.record.retries.entry("joined-again").or_default() += 1;
                self.rest_about(std::time::Duration::from_secs(1)).await?;
                Box::pin(self.join()).await
            }
            _ => Err(lost(format!("{via:?}: {}", answer.describe()))),
        }
    }

    fn read(&mut self, answer: &Answer, via: Via, capped: bool) -> Result<Document, Ending> {
        let document: Document = answer.read().map_err(|trouble| lost(format!("{via:?}: {trouble}")))?;
        self.note(&document, via, None, capped);
        Ok(document)
    }

    fn note(&mut self, document: &Document, via: Via, epoch: Option<u64>, capped: bool) {
        let line = &mut self.line;
        if document.pass.is_some() {
            line.pass.clone_from(&document.pass);
        }
        if let Some(place) = &document.place
            && line.place.as_deref() != Some(place)
        {
            line.place = Some(place.as_str().into());
        }
        if let Some(state) = document.state {
            self.record.hear(Heard {
                at_us: now_us(),
                via,
                epoch,
                place: line.place.clone(),
                state,
                order_key: document.order_key,
                claim_deadline_us: document.claim_deadline.map(jiff::Timestamp::as_microsecond),
                admitted_at_us: document.admission.as_ref().map(|admission| admission.admitted_at),
            });
        }
        self.note_position(document, via, epoch, capped);
    }

    fn note_position(&mut self, document: &Document, via: Via, epoch: Option<u64>, capped: bool) {
        let line = &mut self.line;
        if via != Via::Stream && line.stream.is_some() {
            return; // events that wait unread in the open stream are older than this answer
        }
        let (Some(position), Some(place)) = (document.position, &line.place) else {
            return;
        };
        line.position_first.get_or_insert(position);
        line.position = Some(position);
        self.record.see(Shown { at_us: now_us(), epoch, place: place.clone(), position, capped });
    }

    fn to_the_line(&self, call: Call) -> Call {
        call.with("onsale-visitor", &self.visitor).maybe("onsale-pass", self.line.pass.as_deref())
    }
}
