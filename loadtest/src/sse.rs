//! Server-sent events, parsed as they trickle in.
//!
//! The format is the HTML standard's, section 9.2.6 "Interpreting an event stream": lines end with
//! LF, CRLF or CR; a blank line sends off what was gathered; the last `id` stays in force.

/// The longest line taken, in bytes.
const LINE_MAX: usize = 64 * 1024;
/// The most data taken for one event, in bytes.
const DATA_MAX: usize = 256 * 1024;

/// One event of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// `message` when the stream did not say.
    pub kind: String,
    pub data: String,
    /// The last id the stream gave, with this event or before it.
    pub id: String,
}

/// The stream sent a line or an event beyond the limits above.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event stream sent more than fits in one event")]
pub(crate) struct TooLong;

/// Takes bytes in any pieces, gives whole events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    begun: bool,
    kind: String,
    data: String,
    id: String,
    retry_ms: Option<u64>,
}

impl Parser {
    /// Feeds bytes; whole events are appended to `events`.
    pub(crate) fn feed(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        for &byte in bytes {
            let was_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if was_cr => {}
                b'\n' | b'\r' => self.end_line(events)?,
                _ if self.line.len() >= LINE_MAX => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// How long the stream asked to wait before reconnecting, in milliseconds.
    pub(crate) fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    fn end_line(&mut self, events: &mut Vec<Event>) -> Result<(), TooLong> {
        let taken = std::mem::take(&mut self.line);
        let mut line = taken.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(events);
        } else {
            self.field(line)?;
        }
        self.line = taken; // the allocation is kept for the next line
        self.line.clear();
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), TooLong> {
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.kind),
            "data" if self.data.len() + value.len() >= DATA_MAX => return Err(TooLong),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            _ => {} // a comment (empty name) or a field the standard does not know
        }
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) {
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        if data.pop().is_none() {
            return;
        }
        events.push(Event { kind: if kind.is_empty() { "message".into() } else { kind }, data, id: self.id.clone() });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(pieces: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for piece in pieces {
            parser.feed(piece, &mut events).unwrap();
        }
        events
    }

    fn event(kind: &str, data: &str, id: &str) -> Event {
        Event { kind: kind.into(), data: data.into(), id: id.into() }
    }

    #[test]
    fn events_comments_ids_and_retry() {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        let text = "\u{feff}retry: 1500\n: heartbeat\n\nid: 1.7.40\nevent: position\ndata: {\"a\":1}\n\n\
                    data: two\ndata:lines\n\nevent: lonely\n\nid\ndata\n\n";
        parser.feed(text.as_bytes(), &mut events).unwrap();
        assert_eq!(parser.retry_ms(), Some(1500));
        assert_eq!(
            events,
            [
                event("position", "{\"a\":1}", "1.7.40"),
                event("message", "two\nlines", "1.7.40"),
                event("message", "", ""),
            ]
        );
    }

    #[test]
    fn every_line_ending_counts_once() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["event: a", "data: 1", "", "data: 2", "", ""].join(end);
            let expected = [event("a", "1", ""), event("message", "2", "")];
            assert_eq!(parse(&[text.as_bytes()]), expected, "{end:?}");
        }
    }

    #[test]
    fn an_unfinished_event_waits() {
        assert_eq!(parse(&[b"data: x\n"]), []);
        assert_eq!(parse(&[b"data: x\n", b"\n"]), [event("message", "x", "")]);
    }

    #[test]
    fn buffers_are_bounded() {
        let mut parser = Parser::default();
        let endless = vec![b'x'; LINE_MAX + 1];
        assert_eq!(parser.feed(&endless, &mut Vec::new()), Err(TooLong));
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(LINE_MAX - 10));
        let fed: Result<Vec<()>, TooLong> = (0..10).map(|_| parser.feed(line.as_bytes(), &mut Vec::new())).collect();
        assert_eq!(fed, Err(TooLong));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            lines in prop::collection::vec("(data|event|id|x)?:? ?[a-z:é]{0,5}|", 0..20),
            ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 20),
            cut in 1_usize..7,
        ) {
            let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            prop_assert_eq!(parse(&pieces), parse(&[text.as_bytes()]));
        }
    }
}
