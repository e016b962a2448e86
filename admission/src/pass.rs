//! The pass: the fan's receipt of a place. Checked only by us, so it is a MAC, a hundred times
//! cheaper than a signature.

use shared::{
    encoding::{base64url, from_base64url},
    keyring::{Keyring, Mac},
};

use crate::ids::{DropId, OrderKey, Place, VisitorSecret};

const VERSION: u8 = 1;
const TAG_BYTES: usize = 32;
/// version 1, place 16, key 8, epoch 8, generation 4, visitor 32; then the drop's id
const FIXED_BYTES: usize = 69;
/// Longer texts are not even decoded.
const TEXT_MAX_BYTES: usize = 300;

/// What a pass says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub drop: DropId,
    pub place: Place,
    /// `None` for a pass from the lobby: the draw gives the key.
    pub key: Option<OrderKey>,
    pub epoch: u64,
    /// Grows when the place is moved to another device; passes of lower generations are void.
    pub generation: u32,
    pub visitor_hash: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    #[error("the pass is not one of ours, or of another drop")]
    Invalid,
    #[error("the pass belongs to another visitor")]
    Foreign,
}

/// The place a pass names, for who only wants to look: nothing says that the pass is ours.
pub fn named_place(text: &str) -> Option<Place> {
    if text.len() > TEXT_MAX_BYTES {
        return None;
    }
    let bytes = from_base64url(text)?;
    let (version, rest) = bytes.split_first()?;
    (*version == VERSION).then(|| rest.first_chunk().copied().map(Place::from_bytes))?
}

/// Makes and checks passes.
#[derive(Clone)]
pub struct Passes {
    mac: Mac,
}

impl Passes {
    pub fn new(keyring: &Keyring) -> Self {
        Self { mac: Mac::new(keyring, "pass/1") }
    }

    pub fn issue(&self, pass: &Pass) -> String {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + 64 + TAG_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(pass.place.as_bytes());
        bytes.extend_from_slice(&pass.key.map_or(0, |key| key.0).to_be_bytes());
        bytes.extend_from_slice(&pass.epoch.to_be_bytes());
        bytes.extend_from_slice(&pass.generation.to_be_bytes());
        bytes.extend_from_slice(&pass.visitor_hash);
        bytes.extend_from_slice(pass.drop.as_str().as_bytes());
        let tag = self.mac.tag(&bytes);
        bytes.extend_from_slice(&tag);
        base64url(&bytes)
    }

    /// The pass, when it is ours, of this drop and of this visitor.
    pub fn check(&self, text: &str, drop: &DropId, visitor: &VisitorSecret) -> Result<Pass, PassError> {
        let pass = self.open(text).ok_or(PassError::Invalid)?;
        if pass.drop != *drop {
            return Err(PassError::Invalid);
        }
        if pass.visitor_hash != visitor.hash() {
            return Err(PassError::Foreign);
        }
        Ok(pass)
    }

    fn open(&self, text: &str) -> Option<Pass> {
        if text.len() > TEXT_MAX_BYTES {
            return None;
        }
        let bytes = from_base64url(text)?;
        let (signed, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        if !self.mac.verify(signed, tag) {
            return None;
        }
        let (fixed, drop) = signed.split_at_checked(FIXED_BYTES)?;
        let (&version, fixed) = fixed.split_first()?;
        let (place, fixed) = fixed.split_first_chunk::<16>()?;
        let (key, fixed) = fixed.split_first_chunk::<8>()?;
        let (epoch, fixed) = fixed.split_first_chunk::<8>()?;
        let (generation, visitor) = fixed.split_first_chunk::<4>()?;
        let key = u64::from_be_bytes(*key);
        (version == VERSION).then_some(Pass {
            drop: DropId::parse(std::str::from_utf8(drop).ok()?)?,
            place: Place::from_bytes(*place),
            key: (key > 0).then_some(OrderKey(key)),
            epoch: u64::from_be_bytes(*epoch),
            generation: u32::from_be_bytes(*generation),
            visitor_hash: visitor.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_ours_of_its_drop_and_of_its_visitor() {
        let passes = Passes::new(&Keyring::new(vec![[1; 32]], [2; 32]).unwrap());
        let (drop, other) = (DropId::parse("d").unwrap(), DropId::parse("e").unwrap());
        let (visitor, stranger) = (VisitorSecret::generate(), VisitorSecret::generate());
        let pass = Pass {
            drop: drop.clone(),
            place: Place::of(&drop, 0, &visitor),
            key: Some(OrderKey(1_790_000_000_000_000)),
            epoch: 3,
            generation: 0,
            visitor_hash: visitor.hash(),
        };
        let text = passes.issue(&pass);
        assert_eq!(passes.check(&text, &drop, &visitor), Ok(pass));
        assert_eq!(passes.check(&text, &other, &visitor), Err(PassError::Invalid));
        assert_eq!(passes.check(&text, &drop, &stranger), Err(PassError::Foreign));
        let elsewhere = Passes::new(&Keyring::new(vec![[9; 32]], [2; 32]).unwrap());
        assert_eq!(elsewhere.check(&text, &drop, &visitor), Err(PassError::Invalid));
        for i in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[i] = if forged[i] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(passes.check(&forged, &drop, &visitor).is_err(), "byte {i}");
        }
    }
}
