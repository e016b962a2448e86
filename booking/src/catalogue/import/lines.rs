//! Lines of bounded length from any reader.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

use super::Progress;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Blank,
    /// Without its end.
    Text(&'a [u8]),
    /// Skipped without keeping it.
    TooLong,
}

pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    bytes_max: usize,
    progress: Progress,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, buffer: Vec::new(), bytes_max, progress: Progress::default() }
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// The next line, with or without an end, and its number from 1; `None` after the last.
    pub(super) async fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.buffer.clear();
        let mut too_long = false;
        let mut read_any = false;
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                break;
            }
            read_any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let content = &chunk[..end.unwrap_or(chunk.len())];
            let used = end.map_or(chunk.len(), |end| end + 1);
            too_long |= self.buffer.len() + content.len() > self.bytes_max;
            if !too_long {
                self.buffer.extend_from_slice(content);
            }
            self.reader.consume(used);
            self.progress.bytes += used as u64;
            if end.is_some() {
                break;
            }
        }
        if !read_any {
            return Ok(None);
        }
        self.progress.lines += 1;
        let number = self.progress.lines;
        if too_long {
            return Ok(Some((number, Line::TooLong)));
        }
        let mut text = self.buffer.as_slice();
        if number == 1 {
            // a byte order mark is no part of the JSON
            text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        }
        let text = text.trim_ascii();
        Ok(Some((number, if text.is_empty() { Line::Blank } else { Line::Text(text) })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cuts_bounds_and_counts() {
        let input: &[u8] = b"\xef\xbb\xbf{1}\r\n\n  \nfar too long\nlast";
        let mut lines = Lines::new(input, 8);
        assert_eq!(lines.next().await.unwrap(), Some((1, Line::Text(b"{1}"))));
        assert_eq!(lines.next().await.unwrap(), Some((2, Line::Blank)));
        assert_eq!(lines.next().await.unwrap(), Some((3, Line::Blank)));
        assert_eq!(lines.next().await.unwrap(), Some((4, Line::TooLong)));
        assert_eq!(lines.next().await.unwrap(), Some((5, Line::Text(b"last"))));
        assert_eq!(lines.next().await.unwrap(), None);
        assert_eq!(lines.progress(), Progress { lines: 5, bytes: input.len() as u64 });
    }
}
