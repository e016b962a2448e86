//! Personal fields, sealed one by one before they reach the database.
//!
//! Envelope encryption with AES-256-GCM-SIV (RFC 8452): every value has a data key of its
//! own, wrapped under a key-encryption key (KEK) derived from the keyring. The *context*
//! (`users.email:<row id>`) is authenticated with the value, so a ciphertext copied to
//! another row or column does not open there.
//!
//! A sealed value is, in bytes:
//!
//! | 1 | 2 | 12 | 32 + 16 | 12 | n + 16 |
//! |---|---|---|---|---|---|
//! | version 1 | KEK id | nonce | wrapped data key | nonce | ciphertext |

use std::sync::Arc;

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use zeroize::Zeroizing;

use crate::{
    encoding::{random, sha256},
    keyring::Keyring,
};

const VERSION: u8 = 1;
const TAG: usize = 16;
const WRAPPED: usize = NONCE_LEN + 32 + TAG;
const HEAD: usize = 1 + 2;

/// Why a sealed value does not open.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("not a sealed value")]
    Malformed,
    #[error("sealed under a key this keyring does not hold")]
    UnknownKey,
    #[error("altered, or sealed for another place")]
    Refused,
}

/// Seals and opens fields, and makes their blind indexes. Cloning shares the keys.
#[derive(Clone)]
pub struct Vault(Arc<Keys>);

struct Keys {
    keks: Vec<Kek>, // newest first
    index: hmac::Key,
}

struct Kek {
    id: [u8; 2],
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// A vault that seals under the newest master and opens under any.
    pub fn new(keyring: &Keyring) -> Self {
        let keks = keyring.derive("vault/kek").iter().map(|key| Kek { id: kek_id(key), key: cipher(key) }).collect();
        let index = hmac::Key::new(hmac::HMAC_SHA256, &*keyring.index_key("vault/index"));
        Self(Arc::new(Keys { keks, index }))
    }

    /// Seals `plain` for one place; sealing it again gives other bytes.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        let kek = &self.0.keks[0];
        let data_key = Zeroizing::new(random::<32>());
        let mut sealed = Vec::with_capacity(HEAD + WRAPPED + NONCE_LEN + plain.len() + TAG);
        sealed.push(VERSION);
        sealed.extend(kek.id);
        append_sealed(&mut sealed, &kek.key, &kek.id, &*data_key);
        append_sealed(&mut sealed, &cipher(&data_key), context.as_bytes(), plain);
        sealed
    }

    /// Opens what was sealed for `context`.
    ///
    /// # Errors
    /// When the bytes are no sealed value, when their key is gone, or when they were altered
    /// or moved.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let [VERSION, a, b, rest @ ..] = sealed else { return Err(VaultError::Malformed) };
        let (wrapped, body) = rest.split_at_checked(WRAPPED).ok_or(VaultError::Malformed)?;
        if body.len() < NONCE_LEN + TAG {
            return Err(VaultError::Malformed);
        }
        let id = [*a, *b];
        // two masters may share a 16-bit id: every one that matches is tried
        let mut outcome = Err(VaultError::UnknownKey);
        for kek in self.0.keks.iter().filter(|kek| kek.id == id) {
            outcome = open_with(&kek.key, &id, wrapped, context, body);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// A keyed hash of a normalised value, to find rows by equality without reading them.
    /// Equal values have equal indexes within a field; nothing else can be learned without the key.
    pub fn blind_index(&self, field: &str, normalised: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0.index);
        context.update(field.as_bytes());
        context.update(&[0]); // a field's name has no zero byte
        context.update(normalised.as_bytes());
        let mut index = [0; 32];
        index.copy_from_slice(context.sign().as_ref());
        index
    }
}

/// The first 2 bytes of SHA-256 of the key: enough to find it, useless to guess it.
fn kek_id(key: &[u8; 32]) -> [u8; 2] {
    let hash = sha256(&[key]);
    [hash[0], hash[1]]
}

fn cipher(key: &[u8; 32]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM_SIV, key).expect("the key has 32 bytes")
}

fn append_sealed(out: &mut Vec<u8>, key: &RandomizedNonceKey, aad: &[u8], plain: &[u8]) {
    let mut body = plain.to_vec();
    let nonce = key
        .seal_in_place_append_tag(Aad::from(aad), &mut body)
        .expect("a field is far below the cipher's limit of 64 GiB");
    out.extend(nonce.as_ref());
    out.extend(body);
}

fn open_with(
    kek: &RandomizedNonceKey,
    id: &[u8; 2],
    wrapped: &[u8],
    context: &str,
    body: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let data_key = open_sealed(kek, id, wrapped)?;
    let data_key = Zeroizing::new(<[u8; 32]>::try_from(&data_key[..]).map_err(|_| VaultError::Malformed)?);
    open_sealed(&cipher(&data_key), context.as_bytes(), body)
}

fn open_sealed(key: &RandomizedNonceKey, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (nonce, body) = sealed.split_at(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Malformed)?;
    let mut plain = Zeroizing::new(body.to_vec());
    let length = key.open_in_place(nonce, Aad::from(aad), &mut plain).map_err(|_| VaultError::Refused)?.len();
    plain.truncate(length);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(masters: &[u8]) -> Vault {
        Vault::new(&Keyring::new(masters.iter().map(|byte| [*byte; 32]).collect(), [99; 32]).unwrap())
    }

    #[test]
    fn opens_only_in_its_own_place() {
        let vault = vault(&[1]);
        let sealed = vault.seal("users.email:1", b"a@b.example");
        assert_eq!(&**vault.open("users.email:1", &sealed).unwrap(), b"a@b.example");
        assert!(matches!(vault.open("users.email:2", &sealed), Err(VaultError::Refused)));
        assert_ne!(sealed, vault.seal("users.email:1", b"a@b.example"));
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let vault = vault(&[1]);
        let sealed = vault.seal("c", b"");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(vault.open("c", &altered).is_err(), "byte {at}");
            assert!(vault.open("c", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn rotation_keeps_old_values_until_the_old_master_goes() {
        let sealed = vault(&[1]).seal("c", b"x");
        assert_eq!(&**vault(&[2, 1]).open("c", &sealed).unwrap(), b"x");
        assert!(matches!(vault(&[2]).open("c", &sealed), Err(VaultError::UnknownKey)));
    }

    #[test]
    fn blind_indexes_differ_by_field_and_survive_rotation() {
        let (old, new) = (vault(&[1]), vault(&[2, 1]));
        assert_eq!(old.blind_index("email", "a"), new.blind_index("email", "a"));
        assert_ne!(old.blind_index("email", "a"), old.blind_index("phone", "a"));
        assert_ne!(old.blind_index("email", "a"), old.blind_index("email", "b"));
    }
}
