//! The text in a ticket's QR code: signed with Ed25519, so that a door without a network can check it.
//!
//! `ONSALE1.<payload>.<signature>`, both base64url without padding; the signature covers everything before
//! its dot. The payload is JSON: ticket, event, booking, seat.

use anyhow::Context as _;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use shared::encoding::{base64url, from_base64url};
use shared::keyring::Keyring;
use uuid::Uuid;

const FORMAT: &str = "ONSALE1";
const PURPOSE: &str = "ticket-signature/1";
/// Longer texts are not looked at, in bytes.
const TEXT_MAX: usize = 1_024;

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    #[serde(rename = "t")]
    pub ticket_id: i64,
    #[serde(rename = "e")]
    pub event_id: Uuid,
    #[serde(rename = "b")]
    pub booking_id: Uuid,
    #[serde(rename = "s")]
    pub seat: String,
}

/// Signs with the newest key.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    pub fn new(keyring: &Keyring) -> anyhow::Result<Self> {
        let seeds = keyring.derive(PURPOSE);
        let seed = seeds.first().context("the keyring is empty")?;
        Ok(Signer(Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).context("a seed of 32 bytes")?))
    }

    pub fn sign(&self, ticket: &Ticket) -> anyhow::Result<String> {
        let signed = format!("{FORMAT}.{}", base64url(&serde_json::to_vec(ticket)?));
        let signature = base64url(self.0.sign(signed.as_bytes()).as_ref());
        Ok(format!("{signed}.{signature}"))
    }

    /// What a door needs: 32 bytes.
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

/// The ticket, if the text was signed with the key that belongs to `public_key`.
pub fn verify(text: &str, public_key: &[u8]) -> Option<Ticket> {
    if text.len() > TEXT_MAX {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let payload = signed.strip_prefix(FORMAT)?.strip_prefix('.')?;
    let signature = from_base64url(signature)?;
    UnparsedPublicKey::new(&ED25519, public_key).verify(signed.as_bytes(), &signature).ok()?;
    serde_json::from_slice(&from_base64url(payload)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_checked_without_a_network() {
        let signer = Signer::new(&Keyring::new(vec![[7; 32]], [8; 32]).unwrap()).unwrap();
        let ticket = Ticket { ticket_id: 7, event_id: Uuid::nil(), booking_id: Uuid::nil(), seat: "A-1".to_owned() };
        let text = signer.sign(&ticket).unwrap();
        assert_eq!(verify(&text, signer.public_key()), Some(ticket));

        let other = Signer::new(&Keyring::new(vec![[9; 32]], [8; 32]).unwrap()).unwrap();
        assert_eq!(verify(&text, other.public_key()), None);
        let forged = text.replacen("ONSALE1.e", "ONSALE1.f", 1);
        assert_ne!(forged, text);
        assert_eq!(verify(&forged, signer.public_key()), None);
        assert_eq!(verify("ONSALE1..", signer.public_key()), None);
    }
}
