//! The secrets everything else is derived from.
//!
//! An installation holds *master keys*, newest first, and one *index key*. Every use has a
//! purpose, and every purpose its own key: HKDF-SHA256 (RFC 5869) with salt `onsale/1` and
//! the purpose as info. To rotate, a new master goes in front: what was made under the old
//! one still verifies and opens, until the old one is taken out. The index key never
//! rotates in place, for what it made is stored to be compared.

use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::encoding::from_base64url_exact;

const SALT: &[u8] = b"onsale/1";

/// Most master keys kept at a time: the current one and those being rotated out.
pub const MASTERS_MAX: usize = 8;

/// What is wrong with the given keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("at least one master key is needed")]
    Empty,
    #[error("more than {MASTERS_MAX} master keys")]
    TooMany,
    #[error("master key {0} is not base64url of 32 bytes")]
    Master(usize),
    #[error("the index key is not base64url of 32 bytes")]
    Index,
    #[error("the same key is given twice")]
    Repeated,
}

/// The master keys and the index key. Cloning shares them.
#[derive(Clone)]
pub struct Keyring(Arc<Secrets>);

struct Secrets {
    masters: Vec<Zeroizing<[u8; 32]>>,
    index: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({} masters)", self.0.masters.len())
    }
}

impl Keyring {
    /// `masters` newest first.
    ///
    /// # Errors
    /// Without a master, with more than [`MASTERS_MAX`], or with one key in two places.
    pub fn new(masters: Vec<[u8; 32]>, index: [u8; 32]) -> Result<Self, KeyringError> {
        if masters.is_empty() {
            return Err(KeyringError::Empty);
        }
        if masters.len() > MASTERS_MAX {
            return Err(KeyringError::TooMany);
        }
        let repeated = masters.iter().enumerate().any(|(at, key)| masters[..at].contains(key));
        if repeated || masters.contains(&index) {
            return Err(KeyringError::Repeated);
        }
        let masters = masters.into_iter().map(Zeroizing::new).collect();
        Ok(Self(Arc::new(Secrets { masters, index: Zeroizing::new(index) })))
    }

    /// Reads keys as settings hold them: base64url of 32 bytes each, masters newest first.
    ///
    /// # Errors
    /// As [`Keyring::new`], and for a text that is not such a key. The key itself is never named.
    pub fn parse(master_keys: &[SecretString], index_key: &SecretString) -> Result<Self, KeyringError> {
        let masters = master_keys
            .iter()
            .enumerate()
            .map(|(at, text)| from_base64url_exact(text.expose_secret()).ok_or(KeyringError::Master(at + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        let index = from_base64url_exact(index_key.expose_secret()).ok_or(KeyringError::Index)?;
        Self::new(masters, index)
    }

    /// The keys of a purpose, one for each master, newest first.
    pub fn derive(&self, purpose: &str) -> Vec<Zeroizing<[u8; 32]>> {
        self.0.masters.iter().map(|master| expand(master, purpose)).collect()
    }

    /// The key of a purpose that must stay the same across rotations: blind indexes.
    pub fn index_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        expand(&self.0.index, purpose)
    }
}

fn expand(secret: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
        .extract(secret)
        .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *key))
        .expect("HKDF-SHA256 gives up to 8160 bytes");
    key
}

/// Tags bytes so that we, and only we, recognise them later (HMAC-SHA256).
#[derive(Clone)]
pub struct Mac(Arc<[hmac::Key]>);

impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mac")
    }
}

impl Mac {
    /// The MAC of one purpose.
    pub fn new(keyring: &Keyring, purpose: &str) -> Self {
        let keys = keyring.derive(purpose);
        Self(keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, &**key)).collect())
    }

    /// The tag under the newest master.
    pub fn tag(&self, bytes: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.0[0], bytes).as_ref());
        tag
    }

    /// Whether `tag` was made for `bytes` under any master; in constant time for each.
    pub fn verify(&self, bytes: &[u8], tag: &[u8]) -> bool {
        self.0.iter().any(|key| hmac::verify(key, bytes, tag).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::base64url;

    fn text(key: [u8; 32]) -> SecretString {
        base64url(&key).into()
    }

    #[test]
    fn purposes_and_masters_give_different_keys() {
        let keyring = Keyring::new(vec![[1; 32], [2; 32]], [3; 32]).unwrap();
        let (a, b) = (keyring.derive("a"), keyring.derive("b"));
        assert_eq!(a.len(), 2);
        assert_ne!(a[0], a[1]);
        assert_ne!(a[0], b[0]);
        assert_ne!(a[0], keyring.index_key("a"));
        assert_eq!(a[0], Keyring::new(vec![[1; 32]], [4; 32]).unwrap().derive("a")[0]);
    }

    #[test]
    fn a_tag_survives_rotation_until_its_master_goes() {
        let old = Mac::new(&Keyring::new(vec![[1; 32]], [9; 32]).unwrap(), "pass");
        let both = Mac::new(&Keyring::new(vec![[2; 32], [1; 32]], [9; 32]).unwrap(), "pass");
        let new = Mac::new(&Keyring::new(vec![[2; 32]], [9; 32]).unwrap(), "pass");
        let tag = old.tag(b"x");
        assert!(old.verify(b"x", &tag) && both.verify(b"x", &tag));
        assert!(!new.verify(b"x", &tag));
        assert!(!both.verify(b"y", &tag));
        assert!(!both.verify(b"x", &tag[..31]));
        assert!(new.verify(b"x", &both.tag(b"x")));
    }

    #[test]
    fn refuses_keys_that_are_none_and_never_shows_them() {
        assert!(matches!(Keyring::new(vec![], [0; 32]), Err(KeyringError::Empty)));
        assert!(matches!(Keyring::new(vec![[1; 32], [1; 32]], [0; 32]), Err(KeyringError::Repeated)));
        assert!(matches!(Keyring::new(vec![[1; 32]], [1; 32]), Err(KeyringError::Repeated)));
        let error = Keyring::parse(&[text([1; 32]), "hunter2".into()], &text([2; 32])).unwrap_err();
        assert_eq!(error.to_string(), "master key 2 is not base64url of 32 bytes");
        assert!(matches!(Keyring::parse(&[text([1; 32])], &"x".into()), Err(KeyringError::Index)));
        let keyring = Keyring::parse(&[text([1; 32])], &text([2; 32])).unwrap();
        assert_eq!(format!("{keyring:?}"), "Keyring(1 masters)");
    }
}
