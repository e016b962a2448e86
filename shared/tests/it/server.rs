//! The server loop: TLS, limits, drain.

use std::{convert::Infallible, path::Path, process::Command, time::Duration};

use axum::{
    Extension, Router,
    body::Bytes,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures_util::{StreamExt as _, stream};
use shared::{
    lifecycle::Lifecycle,
    server::{Detachable, Detached, Settings, TlsFiles},
    testing,
};
use tokio::sync::mpsc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::process::Process;

/// Longest any of this may take.
const PATIENCE: Duration = Duration::from_secs(15);

fn router() -> Router {
    Router::new().route("/", get(async || "hello"))
}

/// `/events` never ends unless `end` says so.
fn streaming(end: CancellationToken) -> Router {
    let events = async move || {
        let events = stream::pending::<Result<Event, Infallible>>().take_until(end.clone().cancelled_owned());
        Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_millis(20)))
    };
    router().route("/events", get(events))
}

fn certificate(folder: &Path) -> TlsFiles {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let files = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    std::fs::write(&files.cert, pair.cert.pem()).unwrap();
    std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
    files
}

/// A client without connections from before.
fn tls_client() -> reqwest::Client {
    reqwest::Client::builder().tls_info(true).tls_danger_accept_invalid_certs(true).build().unwrap()
}

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.split_once("://").unwrap().1).await.unwrap()
}

/// Sends a request and reads the first bytes of its answer.
async fn ask(stream: &mut TcpStream, path: &str) -> String {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut bytes = vec![0; 4096];
    let length = stream.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// Whether the server closes the connection.
async fn closes(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_while_running() {
    shared::telemetry::install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { tls: Some(certificate(folder.path())), ..Default::default() };
    let url = testing::serve_with(router(), settings, Lifecycle::new()).await;
    let presented = async || {
        let response = tls_client().get(&url).send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        response.extensions().get::<reqwest::tls::TlsInfo>().unwrap().peer_certificate().unwrap().to_vec()
    };
    let first = presented().await;
    assert_eq!(presented().await, first);

    certificate(folder.path());
    let status = Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().unwrap();
    assert!(status.success());
    let changed = async { while presented().await == first {} };
    tokio::time::timeout(PATIENCE, changed).await.expect("the new certificate is presented");
}

#[tokio::test]
async fn a_plain_connection_speaks_http1_and_http2() {
    let url = testing::serve(router()).await;
    for client in [reqwest::Client::builder().http1_only(), reqwest::Client::builder().http2_prior_knowledge()] {
        assert_eq!(client.build().unwrap().get(&url).send().await.unwrap().text().await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn the_drain_ends_with_streams_that_end() {
    let lifecycle = Lifecycle::new();
    let url = testing::serve_with(streaming(lifecycle.stopping()), Settings::default(), lifecycle.clone()).await;
    let (mut open, mut idle, mut silent) = (connect(&url).await, connect(&url).await, connect(&url).await);
    assert!(ask(&mut open, "/events").await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut idle, "/").await.starts_with("HTTP/1.1 200"));
    lifecycle.stop();
    tokio::time::timeout(Duration::from_secs(5), lifecycle.wait(PATIENCE))
        .await
        .expect("no deadline is needed")
        .unwrap();
    for stream in [&mut open, &mut idle, &mut silent] {
        assert!(closes(stream).await);
    }
    assert!(TcpStream::connect(url.strip_prefix("http://").unwrap()).await.is_err());
}

#[tokio::test]
async fn the_drain_has_a_deadline_for_streams_that_do_not() {
    let lifecycle = Lifecycle::new();
    let settings = Settings { drain_s: 1, ..Default::default() };
    let url = testing::serve_with(streaming(CancellationToken::new()), settings, lifecycle.clone()).await;
    let mut open = connect(&url).await;
    assert!(ask(&mut open, "/events").await.starts_with("HTTP/1.1 200"));
    lifecycle.stop();
    tokio::time::timeout(PATIENCE, lifecycle.wait(PATIENCE)).await.expect("the deadline cuts").unwrap();
    assert!(closes(&mut open).await);
}

#[tokio::test]
async fn a_request_under_way_is_answered_during_the_drain() {
    let lifecycle = Lifecycle::new();
    let stop = lifecycle.stopping();
    let slow = get(async move || {
        stop.cancelled().await;
        tokio::task::yield_now().await;
        "answered"
    });
    let url = testing::serve_with(Router::new().route("/slow", slow), Settings::default(), lifecycle.clone()).await;
    let mut stream = connect(&url).await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // the server is on this thread too: another request's answer shows that it has read the first
    reqwest::get(format!("{url}/other")).await.unwrap();
    lifecycle.stop();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("answered"), "{answer}");
    lifecycle.wait(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let settings = Settings { header_read_timeout_s: 1, ..Default::default() };
    let url = testing::serve_with(router(), settings, Lifecycle::new()).await;
    for beginning in [&b""[..], b"P", b"PRI", b"GET / HTTP/1.1\r\nx-slow: "] {
        let mut stream = connect(&url).await;
        stream.write_all(beginning).await.unwrap();
        let closed = closes(&mut stream).await;
        assert!(closed, "after {:?}", String::from_utf8_lossy(beginning));
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let url = testing::serve(router()).await;
    let mut stream = connect(&url).await;
    stream
        .write_all(format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(20_000)).as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn connections_over_the_cap_wait_their_turn() {
    let settings = Settings { max_connections: 1, ..Default::default() };
    let url = testing::serve_with(router(), settings, Lifecycle::new()).await;
    let mut first = connect(&url).await;
    assert!(ask(&mut first, "/").await.starts_with("HTTP/1.1 200"));
    let mut second = connect(&url).await;
    let waiting = ask(&mut second, "/");
    let mut waiting = std::pin::pin!(waiting);
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut waiting).await.is_err());
    drop(first);
    assert!(tokio::time::timeout(PATIENCE, waiting).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn running_out_of_files_does_not_end_the_server() {
    let mut process = Process::run_limited("server::process_with_few_files", 64);
    let url = process.told("url:");
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(connect(&url).await); // those it cannot accept wait in the kernel's queue
    }
    // the first was accepted, the last cannot be
    assert!(ask(&mut crowd[0], "/").await.starts_with("HTTP/1.1 200"));
    assert!(process.told("accept").contains("Too many open files"));
    drop(crowd);
    let mut late = connect(&url).await;
    let answer = tokio::time::timeout(PATIENCE, ask(&mut late, "/")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    process.signal("KILL");
    process.end();
}

#[tokio::test]
#[ignore = "a process for the test above"]
async fn process_with_few_files() {
    tracing_subscriber::fmt().with_writer(std::io::stdout).with_ansi(false).init();
    println!("url:{}", testing::serve(router()).await);
    std::future::pending::<()>().await;
}

/// `/taken` answers with `first`, and gives its socket to whoever receives.
fn taking(first: Bytes) -> (Router, mpsc::UnboundedReceiver<Detached>) {
    let (give, taken) = mpsc::unbounded_channel();
    let take = async move |Extension(detachable): Extension<Detachable>| {
        detachable.answer(first.clone(), move |detached| give.send(detached).expect("the test takes it"))
    };
    (router().route("/taken", get(take)), taken)
}

fn tokio_socket(detached: Detached) -> (TcpStream, shared::server::Counted) {
    (TcpStream::from_std(detached.socket).unwrap(), detached.counted)
}

#[tokio::test]
async fn an_answer_takes_the_socket_only_when_all_of_it_so_far_has_left() {
    const LENGTH: usize = 32 << 20; // more than the kernel buffers
    let (router, mut taken) = taking(Bytes::from(vec![b'x'; LENGTH]));
    let url = testing::serve(router).await;
    let mut client = connect(&url).await;
    client.write_all(b"GET /taken HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // answered and begun, and the client does not read: what is left is still in hyper's hands
    client.readable().await.unwrap();
    assert!(ask(&mut connect(&url).await, "/").await.ends_with("hello"));
    assert!(taken.try_recv().is_err(), "nothing may be lost");
    let reading = tokio::spawn(async move {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answer
    });
    let (mut socket, _counted) = tokio_socket(taken.recv().await.unwrap());
    socket.write_all(b"3\r\nend\r\n0\r\n\r\n").await.unwrap();
    drop(socket);
    let answer = reading.await.unwrap();
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&answer[..body]).to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("transfer-encoding: chunked"), "{head}");
    let size = format!("{LENGTH:X}\r\n");
    assert_eq!(&answer[body..body + size.len()], size.as_bytes());
    let tail = b"\r\n3\r\nend\r\n0\r\n\r\n";
    assert_eq!(answer.len(), body + size.len() + LENGTH + tail.len(), "each byte once");
    assert!(answer.ends_with(tail));
}

#[tokio::test]
async fn a_socket_that_was_taken_keeps_its_slot_and_holds_up_no_drain() {
    let (router, mut taken) = taking(Bytes::from_static(b"first"));
    let (settings, lifecycle) = (Settings { max_connections: 1, ..Default::default() }, Lifecycle::new());
    let url = testing::serve_with(router, settings, lifecycle.clone()).await;
    let mut client = connect(&url).await;
    assert!(ask(&mut client, "/").await.ends_with("hello"), "an ordinary request before it on the same connection");
    client.write_all(b"GET /taken HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (mut socket, counted) = tokio_socket(taken.recv().await.unwrap());
    let mut second = connect(&url).await;
    let waiting = ask(&mut second, "/");
    let mut waiting = std::pin::pin!(waiting);
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut waiting).await.is_err(), "still one connection");
    drop(counted);
    assert!(tokio::time::timeout(PATIENCE, waiting).await.unwrap().starts_with("HTTP/1.1 200"));
    lifecycle.stop();
    let waited = tokio::time::timeout(Duration::from_secs(5), lifecycle.wait(PATIENCE)).await;
    waited.expect("no deadline is needed").unwrap();
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    drop(socket);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("5\r\nfirst\r\n0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn only_a_plain_http1_get_can_be_taken() {
    let asked = |detachable: Option<Extension<Detachable>>| async move { detachable.is_some().to_string() };
    let router = Router::new().route("/", get(asked).post(asked));
    let url = testing::serve(router.clone()).await;
    let client = reqwest::Client::new();
    assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "true");
    assert_eq!(client.post(&url).body("x").send().await.unwrap().text().await.unwrap(), "false");
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    assert_eq!(http2.get(&url).send().await.unwrap().text().await.unwrap(), "false");
    let mut old = connect(&url).await;
    old.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    old.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("false"), "no chunks in HTTP/1.0: {answer}");
    shared::telemetry::install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { tls: Some(certificate(folder.path())), ..Default::default() };
    let url = testing::serve_with(router, settings, Lifecycle::new()).await;
    assert_eq!(tls_client().get(&url).send().await.unwrap().text().await.unwrap(), "false");
}
