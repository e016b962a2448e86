//! Passwords by argon2id with OWASP's parameters (19 MiB, two passes, one lane), each hash behind a
//! slot: without the limit a wave of sign-ins takes every core and the memory from the on-sale.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use secrecy::{ExposeSecret as _, SecretString};
use shared::keyring::Keyring;
use tokio::sync::Semaphore;

/// How many hashes run at once in this process; each takes a core for some 20 ms and 19 MiB.
const CONCURRENT_MAX: usize = 2;

/// Hashes and checks passwords, peppered with a key that is not in the database.
#[derive(Clone)]
pub struct Passwords {
    pepper: Arc<[u8; 32]>,
    slots: Arc<Semaphore>,
    hashes: Arc<AtomicU64>,
}

impl Passwords {
    pub fn new(keyring: &Keyring) -> Self {
        Self {
            pepper: Arc::new(*keyring.index_key("password-pepper/1")),
            slots: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            hashes: Arc::default(),
        }
    }

    /// The PHC string to store.
    pub async fn hash(&self, password: SecretString) -> anyhow::Result<String> {
        self.in_a_slot(move |argon| {
            let hash: PasswordHash = argon
                .hash_password(password.expose_secret().as_bytes())
                .map_err(|error| anyhow::anyhow!("argon2 refused to hash: {error}"))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` is the one `stored` (a PHC string) was made from.
    pub async fn verify(&self, password: SecretString, stored: String) -> anyhow::Result<bool> {
        self.in_a_slot(move |argon| {
            let hash = PasswordHash::new(&stored)
                .map_err(|error| anyhow::anyhow!("a stored password hash is unreadable: {error}"))?;
            Ok(argon.verify_password(password.expose_secret().as_bytes(), &hash).is_ok())
        })
        .await
    }

    /// The same work for an account that does not exist, so that time does not tell who has one.
    pub async fn verify_absent(&self, password: SecretString) -> anyhow::Result<()> {
        self.hash(password).await.map(|_| ())
    }

    /// Hashes computed so far, checks included: how a test sees that two paths cost the same.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    async fn in_a_slot<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let slot = self.slots.clone().acquire_owned().await?;
        self.hashes.fetch_add(1, Ordering::Relaxed);
        let pepper = self.pepper.clone();
        tokio::task::spawn_blocking(move || {
            // held by the work itself: a caller who hangs up must not make room for one hash more
            let _slot = slot;
            let params =
                Params::new(19_456, 2, 1, None).map_err(|error| anyhow::anyhow!("argon2 parameters: {error}"))?;
            let argon = Argon2::new_with_secret(&*pepper, Algorithm::Argon2id, Version::V0x13, params)
                .map_err(|error| anyhow::anyhow!("argon2 pepper: {error}"))?;
            work(&argon)
        })
        .await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_only_itself_and_its_pepper() {
        let passwords = Passwords::new(&Keyring::new(vec![[1; 32]], [2; 32]).unwrap());
        let stored = passwords.hash("s3cret".to_owned().into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.verify("s3cret".to_owned().into(), stored.clone()).await.unwrap());
        assert!(!passwords.verify("other".to_owned().into(), stored.clone()).await.unwrap());
        let elsewhere = Passwords::new(&Keyring::new(vec![[1; 32]], [3; 32]).unwrap());
        assert!(!elsewhere.verify("s3cret".to_owned().into(), stored).await.unwrap());
    }
}
