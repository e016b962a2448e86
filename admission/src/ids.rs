//! The names of things, parsed at the edge so that what is inside is known to be well formed.

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::encoding::{base64url, from_base64url_exact, random, sha256};
use utoipa::ToSchema;

/// How many turns one visitor secret may take in a drop: each is a place given up for a new one.
pub const TURNS_MAX: u32 = 32;

/// A drop's id: a slug of 1 to 63 lower-case letters, digits and hyphens, not starting with a hyphen.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
pub struct DropId(String);

impl DropId {
    /// The id, or `None` when `text` is not such a slug.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let well_formed = (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-');
        well_formed.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as words, for a drop that has no title: `an-evening` is "An evening".
    pub fn readable(&self) -> String {
        let mut words = self.0.replace('-', " ");
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        words
    }
}

impl fmt::Display for DropId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DropId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DropId({})", self.0)
    }
}

impl<'de> Deserialize<'de> for DropId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a drop's id is a slug: a-z, 0-9, -"))
    }
}

/// What only the fan's browser or client holds: 32 random bytes. Never logged, never stored.
#[derive(Clone)]
pub struct VisitorSecret([u8; 32]);

impl VisitorSecret {
    pub fn generate() -> Self {
        Self(random())
    }

    /// From the header's or cookie's base64url (no padding) of exactly 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        from_base64url_exact(text).map(Self)
    }

    pub fn expose(&self) -> String {
        base64url(&self.0)
    }

    /// SHA-256 of the bytes: what the pass and the admission token are bound to.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&[&self.0])
    }
}

impl fmt::Debug for VisitorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VisitorSecret([REDACTED])")
    }
}

/// A fan's spot in a drop's line, 128 bits, shown as base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String)]
pub struct Place([u8; 16]);

impl Place {
    /// The first half of SHA-256("place" ‖ drop ‖ turn ‖ visitor secret). The turn is four bytes,
    /// big-endian; it starts at 0 and grows when an ended place is given up for a new one.
    pub fn of(drop: &DropId, turn: u32, visitor: &VisitorSecret) -> Self {
        let digest = sha256(&[b"place", drop.as_str().as_bytes(), &turn.to_be_bytes(), &visitor.0]);
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(half)
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub fn parse(text: &str) -> Option<Self> {
        from_base64url_exact(text).map(Self)
    }

    /// The admission token's id: the same for every grant to this place, so that granting twice is
    /// the same admission.
    pub fn jti(&self, drop: &DropId) -> String {
        base64url(&sha256(&[b"jti", drop.as_str().as_bytes(), &self.0])[..16])
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url(&self.0))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

impl Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&base64url(&self.0))
    }
}

/// The number the line is sorted by: microseconds on Redis's clock for who came after the opening,
/// a drawn number below the opening time for who was in the lobby. Fits a double exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct OrderKey(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_id_is_a_slug() {
        for good in ["a", "carnegie-2027", "0-1"] {
            assert!(DropId::parse(good).is_some(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "A", "a b", "a/b", "{x}", "é", long.as_str()] {
            assert!(DropId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_drop_id_can_be_read_out() {
        assert_eq!(DropId::parse("an-evening-2027").unwrap().readable(), "An evening 2027");
    }

    #[test]
    fn a_place_depends_on_drop_turn_and_secret_only() {
        let (a, b) = (DropId::parse("a").unwrap(), DropId::parse("b").unwrap());
        let secret = VisitorSecret::generate();
        assert_eq!(Place::of(&a, 0, &secret), Place::of(&a, 0, &secret.clone()));
        assert_ne!(Place::of(&a, 0, &secret), Place::of(&a, 1, &secret));
        assert_ne!(Place::of(&a, 0, &secret), Place::of(&b, 0, &secret));
        assert_ne!(Place::of(&a, 0, &secret), Place::of(&a, 0, &VisitorSecret::generate()));
        let place = Place::of(&a, 0, &secret);
        assert_eq!(Place::parse(&place.to_string()), Some(place));
    }
}
