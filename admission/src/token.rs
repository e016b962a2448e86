//! The admission token: a JWT (RFC 7519) signed with EdDSA (RFC 8037) that any stock library can
//! check against `/.well-known/jwks.json`. Possessing it is not enough: it names the hash of the
//! visitor secret it was granted to, and booking asks for that secret too.

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde::{Deserialize, Serialize};
use shared::{
    encoding::{base64url, from_base64url_exact, sha256},
    keyring::Keyring,
};

use crate::ids::{DropId, Place, VisitorSecret};

/// The audience of admission tokens.
pub const AUDIENCE: &str = "booking";
/// The header's `typ`: no other JWT signed with these keys passes for an admission (RFC 8725, 3.11).
pub const TYPE: &str = "admission+jwt";
/// How far the clocks of two processes may differ, in seconds.
pub const LEEWAY_S: i64 = 5;
/// Longer tokens are not even looked at, in bytes.
const TOKEN_MAX_BYTES: usize = 2_048;
const PURPOSE: &str = "admission-token/1";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    #[serde(rename = "drop")]
    drop_id: DropId,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    cnf: Confirmation,
}

#[derive(Debug, Serialize, Deserialize)]
struct Confirmation {
    #[serde(rename = "x-visitor-S256")]
    visitor: String,
}

/// What is granted to a place.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    pub drop: &'a DropId,
    pub place: Place,
    pub jti: String,
    pub admitted_at: Timestamp,
    pub expires_at: Timestamp,
    pub visitor_hash: [u8; 32],
}

/// Signs admission tokens with the newest key and publishes all of them.
#[derive(Clone)]
pub struct Signer {
    issuer: Arc<str>,
    header: Arc<Header>,
    key: Arc<EncodingKey>,
    published: Arc<JwkSet>,
}

impl Signer {
    /// `issuer` is the public origin, as `https://tickets.example`.
    pub fn new(keyring: &Keyring, issuer: &str) -> anyhow::Result<Self> {
        let pairs = key_pairs(keyring)?;
        let (kid, newest) = pairs.first().ok_or_else(|| anyhow::anyhow!("the keyring is empty"))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(kid.clone());
        header.typ = Some(TYPE.to_owned());
        Ok(Self {
            issuer: issuer.into(),
            header: Arc::new(header),
            key: Arc::new(encoding_key(newest)?),
            published: Arc::new(jwks(&pairs)?),
        })
    }

    /// The compact JWT. The same grant gives the same token (EdDSA is deterministic).
    pub fn sign(&self, grant: &Grant<'_>) -> anyhow::Result<String> {
        let admitted = grant.admitted_at.as_second();
        let claims = Claims {
            iss: self.issuer.to_string(),
            aud: AUDIENCE.to_owned(),
            sub: grant.place.to_string(),
            drop_id: grant.drop.clone(),
            jti: grant.jti.clone(),
            iat: admitted,
            nbf: admitted,
            exp: grant.expires_at.as_second(),
            cnf: Confirmation { visitor: base64url(&grant.visitor_hash) },
        };
        Ok(encode(&self.header, &claims, &self.key)?)
    }

    /// The public keys, newest first (RFC 7517).
    pub fn jwks(&self) -> &JwkSet {
        &self.published
    }
}

/// A verified admission: holding this value is the proof that the token was checked.
#[derive(Debug, Clone)]
pub struct Admission {
    pub drop: DropId,
    pub place: Place,
    pub jti: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    visitor_hash: [u8; 32],
}

impl Admission {
    /// Whether `visitor` is the one the token was granted to.
    pub fn belongs_to(&self, visitor: &VisitorSecret) -> bool {
        self.visitor_hash == visitor.hash()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the admission token is not one of ours")]
    Invalid,
    #[error("the admission has expired")]
    Expired,
    #[error("the admission is not valid yet")]
    NotYetValid,
}

/// Checks admission tokens: the algorithm is fixed by the key, never taken from the header.
#[derive(Clone)]
pub struct Verifier {
    keys: Arc<HashMap<String, DecodingKey>>,
    validation: Arc<Validation>,
}

impl Verifier {
    pub fn new(keyring: &Keyring, issuer: &str) -> anyhow::Result<Self> {
        Self::from_jwks(&jwks(&key_pairs(keyring)?)?, issuer)
    }

    /// From published keys, as a shop that has no secret of ours would.
    pub fn from_jwks(published: &JwkSet, issuer: &str) -> anyhow::Result<Self> {
        install_crypto();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Time is an argument here: the library would read the system's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let mut keys = HashMap::new();
        for jwk in &published.keys {
            if let Some(kid) = &jwk.common.key_id {
                keys.insert(kid.clone(), DecodingKey::from_jwk(jwk)?);
            }
        }
        Ok(Self { keys: Arc::new(keys), validation: Arc::new(validation) })
    }

    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Admission, TokenError> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Invalid);
        }
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let key = self.keys.get(&kid).ok_or(TokenError::Invalid)?;
        let claims = decode::<Claims>(token, key, &self.validation).map_err(|_| TokenError::Invalid)?.claims;
        if now.as_second() >= claims.exp.saturating_add(LEEWAY_S) {
            return Err(TokenError::Expired);
        }
        if now.as_second().saturating_add(LEEWAY_S) < claims.nbf {
            return Err(TokenError::NotYetValid);
        }
        admission(&claims).ok_or(TokenError::Invalid)
    }
}

fn admission(claims: &Claims) -> Option<Admission> {
    Some(Admission {
        drop: claims.drop_id.clone(),
        place: Place::parse(&claims.sub)?,
        jti: claims.jti.clone(),
        issued_at: Timestamp::from_second(claims.iat).ok()?,
        expires_at: Timestamp::from_second(claims.exp).ok()?,
        visitor_hash: from_base64url_exact(&claims.cnf.visitor)?,
    })
}

/// jsonwebtoken wants its provider named once a process; a second call changes nothing.
fn install_crypto() {
    let _already_installed = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}

fn key_pairs(keyring: &Keyring) -> anyhow::Result<Vec<(String, Ed25519KeyPair)>> {
    install_crypto();
    let mut pairs = Vec::new();
    for seed in keyring.derive(PURPOSE) {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| anyhow::anyhow!("a derived seed was refused"))?;
        let kid = base64url(&sha256(&[pair.public_key().as_ref()])[..8]);
        pairs.push((kid, pair));
    }
    Ok(pairs)
}

fn encoding_key(pair: &Ed25519KeyPair) -> anyhow::Result<EncodingKey> {
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| anyhow::anyhow!("the key has no PKCS#8 form"))?;
    Ok(EncodingKey::from_ed_der(pkcs8.as_ref()))
}

fn jwks(pairs: &[(String, Ed25519KeyPair)]) -> anyhow::Result<JwkSet> {
    let mut keys = Vec::new();
    for (kid, pair) in pairs {
        let mut jwk = Jwk::from_encoding_key(&encoding_key(pair)?, Algorithm::EdDSA)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        keys.push(jwk);
    }
    Ok(JwkSet { keys })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://tickets.example";

    fn grant(drop: &DropId, visitor: &VisitorSecret) -> Grant<'static> {
        let place = Place::of(drop, 0, visitor);
        Grant {
            drop: Box::leak(Box::new(drop.clone())),
            place,
            jti: place.jti(drop),
            admitted_at: at(1_000),
            expires_at: at(1_600),
            visitor_hash: visitor.hash(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn keyring(master: u8) -> Keyring {
        Keyring::new(vec![[master; 32]], [9; 32]).unwrap()
    }

    #[test]
    fn a_token_is_accepted_only_in_its_time_and_for_its_visitor() {
        let drop = DropId::parse("d").unwrap();
        let (visitor, stranger) = (VisitorSecret::generate(), VisitorSecret::generate());
        let token = Signer::new(&keyring(1), ORIGIN).unwrap().sign(&grant(&drop, &visitor)).unwrap();
        let verifier = Verifier::new(&keyring(1), ORIGIN).unwrap();

        let admission = verifier.verify(&token, at(1_010)).unwrap();
        assert_eq!(admission.drop, drop);
        assert!(admission.belongs_to(&visitor) && !admission.belongs_to(&stranger));
        assert_eq!(verifier.verify(&token, at(990)).unwrap_err(), TokenError::NotYetValid);
        assert_eq!(verifier.verify(&token, at(1_605)).unwrap_err(), TokenError::Expired);
    }

    #[test]
    fn other_keys_issuers_and_types_are_refused() {
        let drop = DropId::parse("d").unwrap();
        let visitor = VisitorSecret::generate();
        let token = Signer::new(&keyring(1), ORIGIN).unwrap().sign(&grant(&drop, &visitor)).unwrap();
        let refused = |v: Verifier, t: &str| v.verify(t, at(1_010)).unwrap_err() == TokenError::Invalid;
        assert!(refused(Verifier::new(&keyring(2), ORIGIN).unwrap(), &token));
        assert!(refused(Verifier::new(&keyring(1), "https://else.example").unwrap(), &token));

        let ours = || Verifier::new(&keyring(1), ORIGIN).unwrap();
        let payload = token.split('.').nth(1).unwrap();
        let none = format!("{}.{payload}.", base64url(br#"{"alg":"none","typ":"admission+jwt"}"#));
        assert!(refused(ours(), &none));
        let kid = decode_header(&token).unwrap().kid.unwrap();
        let hmac = base64url(format!(r#"{{"alg":"HS256","typ":"admission+jwt","kid":"{kid}"}}"#).as_bytes());
        assert!(refused(ours(), &format!("{hmac}.{payload}.{}", base64url(&[0; 32]))));
        let untyped = base64url(format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#).as_bytes());
        let signature = token.rsplit('.').next().unwrap();
        assert!(refused(ours(), &format!("{untyped}.{payload}.{signature}")));
        assert!(refused(ours(), "not.a.token"));
    }

    /// A token signed with our own key whose claims are not quite right.
    fn signed(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let drop = DropId::parse("d").unwrap();
        let signer = Signer::new(&keyring(1), ORIGIN).unwrap();
        let good = signer.sign(&grant(&drop, &VisitorSecret::generate())).unwrap();
        let payload = shared::encoding::from_base64url(good.split('.').nth(1).unwrap()).unwrap();
        let mut claims = serde_json::from_slice(&payload).unwrap();
        change(&mut claims);
        encode(&signer.header, &claims, &signer.key).unwrap()
    }

    #[test]
    fn every_claim_is_needed_and_the_audience_is_booking() {
        let verifier = Verifier::new(&keyring(1), ORIGIN).unwrap();
        assert!(verifier.verify(&signed(|_| {}), at(1_010)).is_ok());
        let wrong = signed(|claims| claims["aud"] = "elsewhere".into());
        assert_eq!(verifier.verify(&wrong, at(1_010)).unwrap_err(), TokenError::Invalid);
        for claim in ["iss", "aud", "sub", "drop", "jti", "iat", "nbf", "exp", "cnf"] {
            let without = signed(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
            assert_eq!(verifier.verify(&without, at(1_010)).unwrap_err(), TokenError::Invalid, "{claim}");
        }
    }

    #[test]
    fn rotation_overlaps() {
        let drop = DropId::parse("d").unwrap();
        let visitor = VisitorSecret::generate();
        let old = Signer::new(&keyring(1), ORIGIN).unwrap().sign(&grant(&drop, &visitor)).unwrap();
        let rotated = Keyring::new(vec![[2; 32], [1; 32]], [9; 32]).unwrap();
        let verifier = Verifier::new(&rotated, ORIGIN).unwrap();
        assert!(verifier.verify(&old, at(1_010)).is_ok());
        assert_eq!(Signer::new(&rotated, ORIGIN).unwrap().jwks().keys.len(), 2);
    }
}
