//! TLS, with a certificate that may change while the server runs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::TlsFiles;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(5);

/// The certificate in use. New connections get the newest; open ones keep theirs.
#[derive(Debug)]
pub(super) struct Certificate {
    files: TlsFiles,
    current: ArcSwap<CertifiedKey>,
    seen: Mutex<Stamp>,
}

/// When the two files were last written.
type Stamp = [Option<SystemTime>; 2];

impl Certificate {
    pub(super) fn load(files: &TlsFiles) -> anyhow::Result<Arc<Self>> {
        let seen = stamp(files);
        let current = ArcSwap::from_pointee(read(files)?);
        Ok(Arc::new(Self { files: files.clone(), current, seen: Mutex::new(seen) }))
    }

    /// Reads the files again at SIGHUP and when they have changed, until `stop`.
    pub(super) async fn follow(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
        let mut ticks = tokio::time::interval(POLL);
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = hangup.recv() => true,
                _ = ticks.tick() => false,
            };
            if asked || self.changed() {
                self.reload();
            }
        }
    }

    fn changed(&self) -> bool {
        let now = stamp(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *seen, now) != now
    }

    /// A pair that does not fit, say half-written, is reported and the old one kept.
    fn reload(&self) {
        match read(&self.files) {
            Ok(pair) => {
                self.current.store(Arc::new(pair));
                tracing::info!(cert = %self.files.cert.display(), "certificate reloaded");
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "keeping the old certificate"),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

pub(super) fn acceptor(certificate: Arc<Certificate>) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(files: &TlsFiles) -> anyhow::Result<CertifiedKey> {
    let (cert, key) = (&files.cert, &files.key);
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("certificate {}", cert.display()))?;
    let private = PrivateKeyDer::from_pem_file(key).with_context(|| format!("key {}", key.display()))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, private, &provider)
        .with_context(|| format!("certificate {} with key {}", cert.display(), key.display()))
}

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.cert, &files.key].map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_pair(files: &TlsFiles) {
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        std::fs::write(&files.cert, pair.cert.pem()).unwrap();
        std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_bad_pair_is_refused_at_the_start_and_survived_later() {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        let error = Certificate::load(&files).unwrap_err();
        assert!(format!("{error:#}").contains("cert.pem"), "{error:#}");

        write_pair(&files);
        let certificate = Certificate::load(&files).unwrap();
        let first = certificate.current.load_full().cert[0].clone();
        assert!(!certificate.changed());

        std::fs::write(&files.cert, "half").unwrap();
        certificate.reload();
        assert_eq!(certificate.current.load().cert[0], first);

        write_pair(&files);
        certificate.reload();
        assert_ne!(certificate.current.load().cert[0], first);
    }
}
