//! Many streams: how they are held, limited, kept alive and ended.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use admission::line::Notice;
use reqwest::Client;
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    lifecycle::Lifecycle,
    server::{self, TlsFiles},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use waitroom::Settings;

use crate::{
    events::{Frames, SOON, open},
    stage::{DROP, Fan, Stage, stage},
};

/// Where a fan's stream is in another waitroom than the stage's.
fn events_at(client: &Client, url: &str, fan: &Fan<'_>) -> reqwest::RequestBuilder {
    client.get(format!("{url}/queue/{DROP}/events")).header("Onsale-Visitor", &fan.visitor)
}

fn certificate(folder: &Path) -> TlsFiles {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let files = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    std::fs::write(&files.cert, pair.cert.pem()).unwrap();
    std::fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
    files
}

/// A client that reads when it likes.
async fn raw(url: &str, fan: &Fan<'_>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(url.strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap();
    let head = format!("GET /queue/{DROP}/events HTTP/1.1\r\nhost: x\r\nonsale-visitor: {}\r\n\r\n", fan.visitor);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// A notice of 600 kB, told to all.
async fn long_notice(s: &Stage, number: usize) {
    let text = format!("{number} {}", "x".repeat(600_000));
    let notice = Notice { id: format!("n{number}"), text, lang: "en".into(), at: Clock::system().now() };
    s.line.notify(&s.drop, &notice).await.unwrap();
}

async fn hear_notice(frames: &mut Frames, number: usize) {
    loop {
        let text = frames.until("notice").await.data["text"].as_str().unwrap().to_owned();
        if text.starts_with(&format!("{number} ")) {
            return;
        }
    }
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_and_not_all_that_was_said_meanwhile() {
    const NOTICES: usize = 40; // 24 MB, more than the kernel buffers
    let s = stage(&[]).await;
    let (slow, quick) = (s.fan(), s.fan());
    slow.join().await;
    quick.join().await;
    let mut quick = open(quick.get("events")).await;
    let mut slow = raw(&s.url, &slow).await;
    slow.readable().await.unwrap();
    for number in 0..NOTICES {
        long_notice(&s, number).await;
        hear_notice(&mut quick, number).await;
    }
    s.pause("the newest").await;
    let (mut text, mut buffer) = (String::new(), vec![0; 1 << 20]);
    while !text.contains("the newest") || !text.contains(&format!("\"text\":\"{} x", NOTICES - 1)) {
        let read = tokio::time::timeout(SOON, slow.read(&mut buffer)).await.expect("the newest in time").unwrap();
        assert!(read > 0, "not dropped: it reads again");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    let heard = text.matches("event: notice").count();
    assert!(heard < NOTICES / 2, "{heard} of {NOTICES} notices were kept for it");
    assert_chunked(&text[text.find("\r\n\r\n").unwrap() + 4..]);
}

/// Each chunk is as long as it says, and but for the first (with when to return) one whole event.
fn assert_chunked(mut body: &str) {
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if rest.len() < size + 2 {
            return;
        }
        assert!(rest[..size].ends_with("\n\n") && rest[size..].starts_with("\r\n"));
        body = &rest[size + 2..];
    }
}

#[tokio::test]
async fn a_stream_that_takes_nothing_is_dropped_and_the_others_go_on() {
    let s = stage(&[]).await;
    let lifecycle = Lifecycle::new();
    let settings = Settings { streams_stall_s: 1, streams_max: 2, ..Settings::default() };
    let url = s.another_with(settings, server::Settings::default(), &lifecycle).await;
    let (stalled, quick, next) = (s.fan(), s.fan(), s.fan());
    for fan in [&stalled, &quick, &next] {
        fan.join().await;
    }
    let mut quick = open(events_at(&s.http, &url, &quick)).await;
    let stalled = raw(&url, &stalled).await;
    stalled.readable().await.unwrap();
    for number in 0..30 {
        long_notice(&s, number).await;
        hear_notice(&mut quick, number).await;
    }
    has_room_for(&s.http, &url, &next).await;
    lifecycle.stop();
    drop(stalled);
}

/// Waits until the waitroom has room for the stream of `fan`.
async fn has_room_for(client: &Client, url: &str, fan: &Fan<'_>) -> Frames {
    let started = Instant::now();
    loop {
        let mut frames = open(events_at(client, url, fan)).await;
        match frames.next().await.unwrap().event.as_str() {
            "bye" => assert!(started.elapsed() < SOON, "there is no room"),
            _ => return frames,
        }
    }
}

#[tokio::test]
async fn who_hangs_up_makes_room_at_once() {
    let s = stage(&[]).await;
    let lifecycle = Lifecycle::new();
    let settings = Settings { streams_max: 1, ..Settings::default() };
    let url = s.another_with(settings, server::Settings::default(), &lifecycle).await;
    let (first, second) = (s.fan(), s.fan());
    first.join().await;
    second.join().await;
    for client in [Client::new(), Client::builder().http2_prior_knowledge().build().unwrap()] {
        let open = has_room_for(&client, &url, &first).await;
        let started = Instant::now();
        drop(open);
        drop(has_room_for(&client, &url, &second).await);
        // before any sign of life could have found out
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    lifecycle.stop();
}

#[tokio::test]
async fn who_talks_on_a_stream_is_not_listened_to_for_long() {
    const MUCH: usize = 32 << 20; // more than the kernel buffers
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let mut stream = raw(&s.url, &fan).await;
    stream.readable().await.unwrap();
    let mut taken = 0;
    let talk = async {
        while taken < MUCH && stream.write_all(&[b'x'; 4_096]).await.is_ok() {
            taken += 4_096;
        }
    };
    tokio::time::timeout(SOON, talk).await.expect("it is hung up on");
    assert!(taken < MUCH, "{taken} bytes were read");
}

#[tokio::test]
async fn a_socket_of_its_own_and_a_body_over_tls_or_http2_tell_the_same() {
    shared::telemetry::install_crypto();
    let s = stage(&[]).await;
    let (folder, lifecycle) = (tempfile::tempdir().unwrap(), Lifecycle::new());
    let tls = server::Settings { tls: Some(certificate(folder.path())), ..server::Settings::default() };
    let encrypted = s.another_with(Settings::default(), tls, &lifecycle).await;
    let trusting = || Client::builder().tls_danger_accept_invalid_certs(true);
    let ways = [
        (Client::new(), &s.url),
        (Client::builder().http2_prior_knowledge().build().unwrap(), &s.url),
        (trusting().build().unwrap(), &encrypted),
        (trusting().http1_only().build().unwrap(), &encrypted),
    ];
    let fan = s.fan();
    fan.join().await;
    let mut tabs = Vec::new();
    for (client, url) in &ways {
        tabs.push(open(events_at(client, url, &fan)).await);
    }
    let mut told = Vec::new();
    for tab in &mut tabs {
        told.push(vec![plain(tab.until("state").await.data)]);
    }
    s.pause("a minute").await;
    for (tab, told) in tabs.iter_mut().zip(&mut told) {
        told.push(plain(tab.until("state").await.data));
    }
    let notice = Notice { id: "n".into(), text: "Hello".into(), lang: "en".into(), at: Clock::system().now() };
    s.line.notify(&s.drop, &notice).await.unwrap();
    for (tab, told) in tabs.iter_mut().zip(&mut told) {
        told.push(tab.until("notice").await.data);
    }
    s.resume().await;
    for (tab, told) in tabs.iter_mut().zip(&mut told) {
        told.push(plain(tab.until("state").await.data));
    }
    s.step().await;
    for (tab, told) in tabs.iter_mut().zip(&mut told) {
        told.push(plain(tab.until("called").await.data));
    }
    assert_eq!(told[0].last().unwrap()["state"], "called");
    assert!(told.iter().all(|way| *way == told[0]), "{told:#?}");
    lifecycle.stop();
    for tab in &mut tabs[2..] {
        assert_eq!(tab.until("bye").await.data["reason"], "restart");
        assert!(tab.next().await.is_none(), "the body ends");
    }
}

/// A document without what is measured anew by each waitroom, and made anew each time.
fn plain(mut document: Value) -> Value {
    for name in ["pass", "estimate", "chance"] {
        document[name] = Value::Null;
    }
    document
}

#[tokio::test]
async fn no_room_is_said_with_a_word_and_a_time_and_never_with_a_status() {
    let s = stage(&[]).await;
    let (one, other) = (s.fan(), s.fan());
    one.join().await;
    other.join().await;
    let few = [
        (Settings { streams_max: 1, ..Settings::default() }, "full"),
        (Settings { streams_per_address_max: 1, ..Settings::default() }, "address"),
    ];
    for (settings, word) in few {
        let lifecycle = Lifecycle::new();
        let url = s.another_with(settings, server::Settings::default(), &lifecycle).await;
        let _open = has_room_for(&s.http, &url, &one).await;
        let mut refused = open(events_at(&s.http, &url, &other)).await;
        let bye = refused.next().await.unwrap();
        assert_eq!((bye.event.as_str(), &bye.data["reason"]), ("bye", &json!(word)));
        assert!(bye.data["retry_after_s"].as_u64().unwrap() > 0);
        assert!(refused.next().await.is_none(), "and the stream ends");
        lifecycle.stop();
    }
}

#[tokio::test]
async fn a_stop_says_good_bye_to_all_within_the_drain_and_waits_for_nobody_who_does_not_read() {
    let s = stage(&[]).await;
    let lifecycle = Lifecycle::new();
    let url = s.another_with(Settings::default(), server::Settings::default(), &lifecycle).await;
    let (fans, stalled) = ([s.fan(), s.fan(), s.fan()], s.fan());
    stalled.join().await;
    let mut streams = Vec::new();
    for fan in &fans {
        fan.join().await;
        streams.push(open(events_at(&s.http, &url, fan)).await);
    }
    let stalled = raw(&url, &stalled).await;
    stalled.readable().await.unwrap();
    for number in 0..30 {
        long_notice(&s, number).await;
        for stream in &mut streams {
            hear_notice(stream, number).await;
        }
    }
    lifecycle.stop();
    let drained = lifecycle.wait(Duration::from_secs(20));
    let ends = async {
        for stream in &mut streams {
            let bye = stream.until("bye").await.data;
            assert_eq!(bye["reason"], "restart");
            assert!((1..=8).contains(&bye["retry_after_s"].as_u64().unwrap()), "{bye}");
            assert!(stream.next().await.is_none());
        }
    };
    let (drained, ()) =
        tokio::time::timeout(SOON, async { tokio::join!(drained, ends) }).await.expect("long before the deadline");
    drained.unwrap();
}

#[tokio::test]
async fn every_tab_of_a_fan_is_told_and_one_may_close() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let mut tabs = Vec::new();
    for _ in 0..3 {
        let mut tab = open(fan.get("events")).await;
        tab.next().await.unwrap();
        tabs.push(tab);
    }
    drop(tabs.remove(0)); // the one that listens longest
    s.step().await;
    for tab in &mut tabs {
        assert_eq!(tab.until("called").await.data["state"], "called");
    }
}

#[tokio::test]
async fn a_silent_line_gives_a_sign_of_life() {
    let s = stage(&[("opens_at", "9000000000000000")]).await;
    let fan = s.fan();
    fan.join().await;
    for client in [Client::new(), Client::builder().http2_prior_knowledge().build().unwrap()] {
        let mut answer = events_at(&client, &s.url, &fan).send().await.unwrap();
        let heard = async {
            loop {
                let bytes = answer.chunk().await.unwrap().unwrap();
                if bytes.starts_with(b"event: beat\ndata: {}\n\n") {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(15), heard).await.expect("a beat within ten seconds or so");
    }
}
