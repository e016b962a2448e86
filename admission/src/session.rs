//! The fan's signed-in session as a token that carries its own proof: user, end and a MAC. The
//! waitroom can tell who is signed in without Postgres; booking also looks whether it was revoked.

use jiff::Timestamp;
use shared::{
    encoding::{base64url, from_base64url_exact, random, sha256},
    keyring::{Keyring, Mac},
};
use uuid::Uuid;

/// user id 16 ‖ end in seconds 8 ‖ random 8 ‖ MAC 32
const BYTES: usize = 64;
const SIGNED: usize = 32;

/// Who is signed in, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub user_id: Uuid,
    pub expires_at: Timestamp,
    /// What a revocation is filed under: the token itself is never stored.
    pub token_hash: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("the session token is not one of ours")]
    Invalid,
    #[error("the session has expired")]
    Expired,
}

/// Issues and checks session tokens.
#[derive(Clone)]
pub struct Sessions {
    mac: Mac,
}

impl Sessions {
    pub fn new(keyring: &Keyring) -> Self {
        Self { mac: Mac::new(keyring, "fan-session/1") }
    }

    pub fn issue(&self, user_id: Uuid, expires_at: Timestamp) -> String {
        let mut bytes = [0; BYTES];
        bytes[..16].copy_from_slice(user_id.as_bytes());
        bytes[16..24].copy_from_slice(&expires_at.as_second().to_be_bytes());
        bytes[24..SIGNED].copy_from_slice(&random::<8>());
        let tag = self.mac.tag(&bytes[..SIGNED]);
        bytes[SIGNED..].copy_from_slice(&tag);
        base64url(&bytes)
    }

    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Session, SessionError> {
        let bytes: [u8; BYTES] = from_base64url_exact(token).ok_or(SessionError::Invalid)?;
        let (signed, tag) = bytes.split_at(SIGNED);
        if !self.mac.verify(signed, tag) {
            return Err(SessionError::Invalid);
        }
        let user_id = Uuid::from_slice(&signed[..16]).map_err(|_| SessionError::Invalid)?;
        let mut second = [0; 8];
        second.copy_from_slice(&signed[16..24]);
        let expires_at = Timestamp::from_second(i64::from_be_bytes(second)).map_err(|_| SessionError::Invalid)?;
        if now >= expires_at {
            return Err(SessionError::Expired);
        }
        Ok(Session { user_id, expires_at, token_hash: sha256(&[&bytes]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_ours_until_it_ends() {
        let sessions = Sessions::new(&Keyring::new(vec![[1; 32]], [2; 32]).unwrap());
        let (user, end) = (Uuid::now_v7(), Timestamp::from_second(5_000).unwrap());
        let token = sessions.issue(user, end);
        let before = Timestamp::from_second(4_999).unwrap();
        assert_eq!(sessions.verify(&token, before).unwrap().user_id, user);
        assert_eq!(sessions.verify(&token, end), Err(SessionError::Expired));
        let other = Sessions::new(&Keyring::new(vec![[3; 32]], [2; 32]).unwrap());
        assert_eq!(other.verify(&token, before), Err(SessionError::Invalid));
        assert_eq!(sessions.verify(&token[1..], before), Err(SessionError::Invalid));
    }
}
