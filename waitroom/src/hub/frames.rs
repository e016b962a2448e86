//! Frames of an event stream, each one chunk of an HTTP/1.1 answer, so that a socket is written to in one call.

use std::io::Write as _;

use serde::Serialize;

/// Ends an answer in chunked framing.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Room for the chunk's size: six hexadecimal digits, so 16 MiB at most.
const SIZE: &[u8] = b"000000\r\n";
const LINE_END: &[u8] = b"\r\n";

/// What a frame is, as metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    State,
    Called,
    Admitted,
    Position,
    Notice,
    Heartbeat,
    Bye,
}

impl Kind {
    pub(super) const ALL: [Self; 7] =
        [Self::State, Self::Called, Self::Admitted, Self::Position, Self::Notice, Self::Heartbeat, Self::Bye];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Called => "called",
            Self::Admitted => "admitted",
            Self::Position => "position",
            Self::Notice => "notice",
            Self::Heartbeat => "heartbeat",
            Self::Bye => "bye",
        }
    }
}

/// `<epoch>.<tick>.<shown>`: what a browser sends back when it returns.
#[derive(Clone, Copy)]
pub(super) struct Id {
    pub(super) epoch: u64,
    pub(super) tick: u64,
    pub(super) shown: u64,
}

/// One frame, made in a buffer that is used again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    /// Of the payload.
    length: usize,
}

impl Frame {
    /// As it goes over a socket.
    pub(super) fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    /// As it goes through a body, which hyper frames.
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(SIZE.len()..SIZE.len() + self.length).unwrap_or_default()
    }

    pub(super) fn event(&mut self, kind: Kind, id: Option<Id>, data: &impl Serialize) -> serde_json::Result<()> {
        self.begin();
        self.line(format_args!("event: {}\n", kind.word()));
        if let Some(Id { epoch, tick, shown }) = id {
            self.line(format_args!("id: {epoch}.{tick}.{shown}\n"));
        }
        self.line(format_args!("data: "));
        serde_json::to_writer(&mut self.bytes, data)?;
        self.line(format_args!("\n\n"));
        self.end();
        Ok(())
    }

    /// Puts `last` after the chunk; the payload is as it was.
    pub(super) fn end_with(&mut self, last: &[u8]) {
        self.bytes.extend_from_slice(last);
    }

    /// Text that is already an event stream's.
    pub(super) fn text(&mut self, text: &str) {
        self.begin();
        self.bytes.extend_from_slice(text.as_bytes());
        self.end();
    }

    fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(SIZE);
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // writing to memory does not fail
        let _never = self.bytes.write_fmt(text);
    }

    fn end(&mut self) {
        let length = self.bytes.len() - SIZE.len();
        self.length = length;
        for (place, digit) in self.bytes[..6].iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[length >> (4 * place) & 15];
        }
        self.bytes.extend_from_slice(LINE_END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_chunk_with_its_size() {
        let mut frame = Frame::default();
        let id = Id { epoch: 1, tick: 7, shown: 4 };
        frame.event(Kind::Position, Some(id), &serde_json::json!({"position": 4})).unwrap();
        let payload = "event: position\nid: 1.7.4\ndata: {\"position\":4}\n\n";
        assert_eq!(frame.payload(), payload.as_bytes());
        assert_eq!(frame.chunk(), format!("{:06x}\r\n{payload}\r\n", payload.len()).as_bytes());
        frame.text(&"x".repeat(70_000));
        assert!(frame.chunk().starts_with(b"011170\r\nxxx") && frame.chunk().ends_with(b"x\r\n"));
    }
}
