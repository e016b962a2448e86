//! `onsale up` over HTTPS, and a certificate renewed while it runs.

use std::path::Path;

use reqwest::{Certificate, Client};

use crate::support::folder;
use crate::support::process::until;
use crate::support::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_without_a_restart() {
    let dir = folder();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let first = renew(&cert, &key);
    let flags = [format!("server.tls.cert={}", cert.display()), format!("server.tls.key={}", key.display())];
    let stack = Stack::start_in(dir, &["--set", &flags[0], "--set", &flags[1]]).await;
    assert!(stack.url.starts_with("https://127.0.0.1:"), "{}", stack.url);
    assert!(answers(&first, &stack.url).await);

    let second = renew(&cert, &key);
    stack.server.signal("HUP").await;
    until("the new certificate is shown", async || answers(&second, &stack.url).await).await;
}

/// Writes a self-signed certificate and gives a client that trusts nothing else, so that it answers for
/// exactly this one.
fn renew(cert: &Path, key: &Path) -> Client {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    std::fs::write(key, made.signing_key.serialize_pem()).expect("written");
    std::fs::write(cert, made.cert.pem()).expect("written");
    let root = Certificate::from_pem(made.cert.pem().as_bytes()).expect("PEM");
    Client::builder().tls_certs_only([root]).build().expect("a client")
}

async fn answers(client: &Client, url: &str) -> bool {
    client.get(format!("{url}/events/search")).send().await.is_ok_and(|answer| answer.status() == 200)
}
