//! What the page's own address remembers: the position shown last, so that no reload shows a higher one,
//! and the first, so that the way already gone can be drawn.

use admission::ids::{DropId, Place};
use serde::Deserialize;

/// How much of a place tells it from another in an address that only its own browser reads.
const PLACE_CHARS: usize = 8;
/// More than ever stood in a line: where the way begins is taken from the address no higher than this.
const FROM_MAX: u64 = 1_000_000_000;

/// The query of the page. What is malformed, or of another place, says nothing.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Memory {
    /// `<first characters of the place>.<position>`
    shown: Option<String>,
    /// The position shown first.
    from: Option<String>,
    /// Whether this browser was just given the cookie that makes its place.
    given: Option<String>,
    /// What the page has to say of a form just sent.
    said: Option<String>,
}

impl Memory {
    /// The position shown last of this place.
    pub(super) fn shown(&self, place: Place) -> Option<u64> {
        let (of, position) = self.shown.as_deref()?.split_once('.')?;
        let known = of.len() == PLACE_CHARS && place.to_string().starts_with(of);
        position.parse().ok().filter(|&position| known && position > 0)
    }

    /// The position the way began at, where the fan stands at `position` now.
    pub(super) fn from(&self, place: Place, position: u64) -> u64 {
        let known = self.shown(place).and(self.from.as_deref()).and_then(|from| from.parse().ok());
        known.unwrap_or(position).min(FROM_MAX).max(position)
    }

    /// The page's address as it came, for an answer that leads back there without a look at the place.
    pub(super) fn address(&self, drop: &DropId) -> String {
        let is_ours = |text: &&String| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        match (self.shown.as_ref().filter(is_ours), self.from.as_ref().filter(is_ours)) {
            (Some(shown), Some(from)) => format!("/queue/{drop}?shown={shown}&from={from}"),
            _ => format!("/queue/{drop}"),
        }
    }

    /// A cookie was given with the answer that led here: a browser that does not bring it keeps none.
    pub(super) fn given_a_cookie(&self) -> bool {
        self.given.is_some()
    }

    /// Whether the address brings this word.
    pub(super) fn says(&self, what: &str) -> bool {
        self.said.as_deref() == Some(what)
    }
}

/// The page, with a word on a form just sent.
pub(super) fn saying(address: &str, what: &str) -> String {
    let joined_by = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joined_by}said={what}")
}

/// Where a browser shows whether it keeps the cookie it was just given.
pub(super) fn with_cookie(drop: &DropId) -> String {
    format!("/queue/{drop}?given=cookie")
}

/// The page's address for a place shown at `position`; without one, what was remembered is kept.
pub(super) fn address(drop: &DropId, place: Place, position: Option<u64>, memory: &Memory) -> String {
    let position = position.or_else(|| memory.shown(place));
    match (place.to_string().get(..PLACE_CHARS), position) {
        (Some(of), Some(position)) => {
            format!("/queue/{drop}?shown={of}.{position}&from={}", memory.from(place, position))
        }
        _ => format!("/queue/{drop}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(shown: &str, from: &str) -> Memory {
        Memory { shown: Some(shown.to_owned()), from: Some(from.to_owned()), given: None, said: None }
    }

    #[test]
    fn an_address_is_read_as_it_was_written_and_by_its_own_place_only() {
        let (drop, place) = (DropId::parse("d").unwrap(), Place::from_bytes([1; 16]));
        let first = address(&drop, place, Some(90), &Memory::default());
        assert!(first.ends_with(".90&from=90"), "{first}");
        let remembered = memory(first.split(['=', '&']).nth(1).unwrap(), "90");
        let address = address(&drop, place, Some(7), &remembered);
        assert_eq!(super::address(&drop, place, None, &remembered), first, "kept while nobody can say");
        let (shown, from) = address.strip_prefix("/queue/d?shown=").unwrap().split_once("&from=").unwrap();
        let memory = memory(shown, from);
        assert_eq!((memory.shown(place), memory.from(place, 5)), (Some(7), 90));
        let other = Place::from_bytes([2; 16]);
        assert_eq!((memory.shown(other), memory.from(other, 5)), (None, 5));
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        let place = Place::from_bytes([1; 16]);
        let of = place.to_string()[..8].to_owned();
        for shown in ["", ".", ".5", "5", &format!("{of}."), &format!("{of}.0"), &format!("{of}.-1")] {
            assert_eq!(memory(shown, "9").shown(place), None, "{shown:?}");
        }
        assert_eq!(memory(&format!("{of}.5"), "many").from(place, 4), 4);
        assert_eq!(memory(&format!("{of}.5"), &u64::MAX.to_string()).from(place, 4), FROM_MAX);
    }
}
