//! What comes back on one connection: heads, bodies, and the frames of a stream, taken apart at little cost.
//!
//! A frame that lies whole in what was read is never copied, and nothing stays behind: an open stream that is
//! quiet holds no buffer here either. HTTP/1.1 as far as the servers measured speak it (RFC 9112, section 7:
//! chunks without extensions or trailers), and event streams whose lines end with a bare LF.

/// The longest head or line of a chunk taken, in bytes.
const HEAD_MAX: usize = 16 * 1024;
/// The longest body or frame taken, in bytes.
const FRAME_MAX: usize = 256 * 1024;

/// What was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A whole answer; the connection may be asked again.
    Answer { status: u16, body: &'a [u8] },
    /// The head of a stream.
    Stream,
    /// One frame of it, without the blank line at its end.
    Frame(&'a [u8]),
    /// The stream's regular end.
    End,
}

/// The connection says what cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Nonsense(&'static str);

/// The reading side of one connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    next: Next,
    is_stream: bool,
    status: u16,
    /// The piece that is not whole yet: of a head, a chunk's length, a body.
    line: Vec<u8>,
    /// The frame that is not whole yet, out of its chunks.
    frame: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Next {
    #[default]
    Head,
    /// So many bytes of body.
    Body(usize),
    /// A chunk's length.
    Length,
    /// So many bytes of the chunk.
    Chunk(usize),
    /// The line end after a chunk.
    ChunkEnd,
    /// Body until the connection closes.
    Rest,
}

impl Wire {
    /// Takes what was read; `take` gets every whole piece, in order.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(Piece<'_>)) -> Result<(), Nonsense> {
        while !bytes.is_empty() {
            match self.next {
                Next::Head => {
                    let Some(head) = until(&mut self.line, &mut bytes, b"\r\n\r\n")? else { return Ok(()) };
                    self.head(&head, &mut take)?;
                }
                Next::Body(left) => {
                    let part = split(&mut bytes, left);
                    self.line.extend_from_slice(part);
                    self.next = Next::Body(left - part.len());
                    if left == part.len() {
                        self.answer(&mut take);
                    }
                }
                Next::Length => {
                    let Some(line) = until(&mut self.line, &mut bytes, b"\r\n")? else { return Ok(()) };
                    let length =
                        std::str::from_utf8(&line).ok().and_then(|hex| usize::from_str_radix(hex.trim(), 16).ok());
                    self.next = Next::Chunk(length.ok_or(Nonsense("a chunk without its length"))?);
                    if length == Some(0) {
                        // no trailers: one more line end
                        self.next = Next::ChunkEnd;
                        match self.is_stream {
                            true => take(Piece::End),
                            false => self.answer_of_chunks(&mut take),
                        }
                    }
                }
                Next::Chunk(left) => {
                    let part = split(&mut bytes, left);
                    self.content(part, &mut take)?;
                    self.next = if left == part.len() { Next::ChunkEnd } else { Next::Chunk(left - part.len()) };
                }
                Next::ChunkEnd => {
                    if until(&mut self.line, &mut bytes, b"\r\n")?.is_some() {
                        self.next = if self.status == 0 { Next::Head } else { Next::Length };
                    }
                }
                Next::Rest => self.content(split(&mut bytes, usize::MAX), &mut take)?,
            }
        }
        Ok(())
    }

    fn head(&mut self, head: &[u8], take: &mut impl FnMut(Piece<'_>)) -> Result<(), Nonsense> {
        let head = std::str::from_utf8(head).map_err(|_| Nonsense("a head that is no text"))?.to_ascii_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        self.status = status.ok_or(Nonsense("a head without a status"))?;
        let header = |name: &str| {
            let mut lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
            lines.find(|(given, _)| *given == name).map(|(_, value)| value.trim())
        };
        self.is_stream =
            self.status == 200 && header("content-type").is_some_and(|t| t.starts_with("text/event-stream"));
        self.next = match (header("transfer-encoding"), header("content-length")) {
            (Some("chunked"), _) => Next::Length,
            (_, Some(length)) => Next::Body(length.parse().map_err(|_| Nonsense("a length that is no number"))?),
            _ if self.status == 204 => Next::Body(0),
            _ => Next::Rest,
        };
        if self.is_stream {
            take(Piece::Stream);
        } else if matches!(self.next, Next::Body(0)) {
            self.answer(take);
        }
        Ok(())
    }

    fn answer(&mut self, take: &mut impl FnMut(Piece<'_>)) {
        take(Piece::Answer { status: self.status, body: &self.line });
        *self = Self::default();
    }

    fn answer_of_chunks(&mut self, take: &mut impl FnMut(Piece<'_>)) {
        take(Piece::Answer { status: self.status, body: &self.frame });
        self.frame = Vec::new();
        self.status = 0; // the next thing after the line end is a head
    }

    /// Content out of its chunks.
    fn content(&mut self, part: &[u8], take: &mut impl FnMut(Piece<'_>)) -> Result<(), Nonsense> {
        if !self.is_stream || !self.frame.is_empty() {
            self.frame.extend_from_slice(part);
            if self.frame.len() > FRAME_MAX {
                return Err(Nonsense("a frame or body without end"));
            }
            if self.is_stream {
                let gathered = std::mem::take(&mut self.frame);
                self.frame = frames(&gathered, take).to_vec();
            }
            return Ok(());
        }
        self.frame = frames(part, take).to_vec(); // an empty one takes no memory
        Ok(())
    }
}

/// Hands on the whole frames; gives what is left.
fn frames<'a>(mut bytes: &'a [u8], take: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
    while let Some(end) = find(bytes, b"\n\n") {
        take(Piece::Frame(&bytes[..end]));
        bytes = &bytes[end + 2..];
    }
    bytes
}

/// Bytes up to `end`, which is taken too; `None` when it has not come yet.
fn until<'a>(line: &mut Vec<u8>, bytes: &mut &'a [u8], end: &[u8]) -> Result<Option<Vec<u8>>, Nonsense> {
    let all: &'a [u8] = bytes;
    if line.is_empty() {
        // as nearly always: it lies whole in what was read
        if let Some(at) = find(all, end) {
            *bytes = &all[at + end.len()..];
            return Ok(Some(all[..at].to_vec()));
        }
    }
    // the end may begin in what came before
    let before = line.len();
    let from = before.saturating_sub(end.len() - 1);
    line.extend_from_slice(all);
    if let Some(at) = find(&line[from..], end) {
        let whole = from + at;
        *bytes = &all[whole + end.len() - before..];
        let mut found = std::mem::take(line);
        found.truncate(whole);
        return Ok(Some(found));
    }
    *bytes = &[];
    if line.len() > HEAD_MAX { Err(Nonsense("a head or line without end")) } else { Ok(None) }
}

fn split<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (part, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    part
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let (first, rest) = what.split_first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        if bytes[from + at + 1..].starts_with(rest) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The value of a frame's first line `name: value`.
pub(super) fn field<'a>(frame: &'a [u8], name: &str) -> Option<&'a [u8]> {
    frame.split(|byte| *byte == b'\n').find_map(|line| {
        let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
        Some(value.strip_prefix(b" ").unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: &str = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}\
        HTTP/1.1 429 Too Many Requests\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n\
        HTTP/1.1 204 No Content\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
        d\r\nretry: 1500\n\n\r\n1a\r\nevent: position\ndata: {}\n\n\r\n3\r\n:\n\n\r\n8\r\nevent: n\r\n7\r\n\n\nid: 7\r\n2\r\n\n\n\r\n0\r\n\r\n";

    fn heard(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<String> {
        let mut wire = Wire::default();
        let mut heard = Vec::new();
        for piece in pieces {
            let taken = wire.feed(piece.as_ref(), |piece| {
                heard.push(match piece {
                    Piece::Answer { status, body } => format!("{status} {}", String::from_utf8_lossy(body)),
                    Piece::Frame(frame) => String::from_utf8_lossy(frame).into_owned(),
                    Piece::Stream => "stream".into(),
                    Piece::End => "end".into(),
                });
            });
            assert_eq!(taken, Ok(()));
        }
        heard
    }

    #[test]
    fn it_is_the_same_in_any_pieces() {
        let whole = heard([TALK]);
        let expected = [
            "201 {}",
            "429 abcd",
            "204 ",
            "stream",
            "retry: 1500",
            "event: position\ndata: {}",
            ":",
            "event: n",
            "id: 7",
            "end",
        ];
        assert_eq!(whole, expected);
        for size in 1..TALK.len() {
            assert_eq!(heard(TALK.as_bytes().chunks(size)), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_stream_without_chunks_is_read_to_its_end() {
        let talk = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\nid: 1\ndata: a\n\ndata: b";
        assert_eq!(heard([talk, "\n\n"]), ["stream", "id: 1\ndata: a", "data: b"]);
    }

    #[test]
    fn a_quiet_stream_holds_no_buffer() {
        let mut wire = Wire::default();
        let open = &TALK[TALK.find("HTTP/1.1 200").unwrap()..TALK.find("3\r\n:").unwrap()];
        for byte in open.as_bytes() {
            wire.feed(&[*byte], |_| ()).unwrap();
        }
        assert_eq!((wire.line.capacity(), wire.frame.capacity()), (0, 0));
    }

    #[test]
    fn nonsense_is_said_to_be_so() {
        let feed = |talk: &str| Wire::default().feed(talk.as_bytes(), |_| ());
        assert!(feed("SSH-2.0\r\n\r\n").is_err());
        assert!(feed(&"x".repeat(HEAD_MAX + 1)).is_err());
        assert!(feed("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n").is_err());
    }

    #[test]
    fn fields() {
        let frame = b"event: called\nid: 1.2.3\ndata:{\"a\":1}";
        assert_eq!(field(frame, "event"), Some(&b"called"[..]));
        assert_eq!(field(frame, "data"), Some(&b"{\"a\":1}"[..]));
        assert_eq!(field(frame, "retry"), None);
    }
}
