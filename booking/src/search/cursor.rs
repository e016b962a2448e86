//! Where the next page begins, and of which search: opaque to clients.

use shared::encoding;

/// Results one search can be paged through by relevance; by date there is no end.
pub(super) const OFFSET_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cursor {
    /// By relevance: how many were shown.
    Offset(usize),
    /// By date: the order number shown last.
    After(u64),
}

impl Cursor {
    /// `search` is a digest of everything else in the query.
    pub(super) fn encode(self, search: [u8; 8]) -> String {
        let (kind, value) = match self {
            Cursor::Offset(offset) => (0, offset as u64),
            Cursor::After(order) => (1, order),
        };
        encoding::base64url(&[&search[..], &[kind], &value.to_be_bytes()].concat())
    }

    /// `None` if this is no cursor of that search.
    pub(super) fn decode(text: &str, search: [u8; 8]) -> Option<Self> {
        let bytes = encoding::from_base64url_exact::<17>(text)?;
        let (of, rest) = bytes.split_first_chunk::<8>()?;
        let (kind, value) = rest.split_first()?;
        let value = u64::from_be_bytes(value.try_into().ok()?);
        match kind {
            _ if *of != search => None,
            0 => usize::try_from(value).ok().filter(|offset| *offset <= OFFSET_MAX).map(Cursor::Offset),
            1 => Some(Cursor::After(value)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn belongs_to_its_search() {
        for cursor in [Cursor::Offset(20), Cursor::After(u64::MAX)] {
            let text = cursor.encode(*b"a search");
            assert_eq!(Cursor::decode(&text, *b"a search"), Some(cursor));
            assert_eq!(Cursor::decode(&text, *b"another1"), None);
            assert_eq!(Cursor::decode(&text[1..], *b"a search"), None);
        }
        assert_eq!(Cursor::decode(&Cursor::Offset(OFFSET_MAX + 1).encode([0; 8]), [0; 8]), None);
    }
}
