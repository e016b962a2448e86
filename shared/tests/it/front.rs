//! The middleware before every route.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    response::sse::{Event, Sse},
    routing::{get, post},
};
use futures_util::stream;
use serde_json::{Value, json};
use shared::{client_address::ClientAddress, json::Json, problem::Problem, server, testing};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn router() -> Router {
    Router::new()
        .route("/echo/{id}", post(async |Json(value): Json<Value>| Json(value)))
        .route("/who", get(async |ClientAddress(address): ClientAddress| address.to_string()))
        .route("/away", get(async || Problem::unavailable(anyhow::anyhow!("row 7 is on fire"))))
        .route("/panic", get(async || -> &'static str { panic!("expected by this test") }))
        .route("/long", get(async || "long ".repeat(1000)))
        .route("/short", get(async || "short ".repeat(150)))
        .route(
            "/events",
            get(async || {
                Sse::new(stream::iter([Ok::<_, std::convert::Infallible>(Event::default().data("x".repeat(500)))]))
            }),
        )
}

async fn problem(response: reqwest::Response) -> (u16, String) {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status().as_u16();
    let document: Value = response.json().await.unwrap();
    assert_eq!(document["status"], status);
    let slug = document["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned();
    (status, slug)
}

#[tokio::test]
async fn what_no_route_answers_is_a_problem() {
    let url = testing::serve(router()).await;
    assert_eq!(problem(reqwest::get(format!("{url}/nowhere")).await.unwrap()).await, (404, "not-found".into()));
    let response = reqwest::get(format!("{url}/echo/1")).await.unwrap();
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["referrer-policy"], "same-origin");
    assert_eq!(problem(response).await, (405, "method-not-allowed".into()));
}

#[tokio::test]
async fn a_request_id_is_made_or_taken_from_a_trusted_proxy_only() {
    let url = testing::serve(router()).await;
    let ask = async |url: &str, id: &str| {
        let request = reqwest::Client::new().get(format!("{url}/who")).header("x-request-id", id);
        request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(ask(&url, "mine").await.len(), 32);

    let settings = server::Settings { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..Default::default() };
    let url = testing::serve_with(router(), settings, Default::default()).await;
    assert_eq!(ask(&url, "proxy-7.a_B").await, "proxy-7.a_B");
    assert_eq!(ask(&url, "not fine\"").await.len(), 32);
    assert_eq!(ask(&url, &"x".repeat(65)).await.len(), 32);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["message"] == "request").collect()
    }
}

#[tokio::test]
async fn one_line_a_request_with_the_cause_and_without_the_query() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let _logs = tracing::subscriber::set_default(subscriber); // the test's runtime is this thread
    let url = testing::serve(router()).await;

    let response = reqwest::get(format!("{url}/away?token=secret")).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body = response.text().await.unwrap();
    assert!(!body.contains("fire"), "{body}");
    let [line] = &lines.take()[..] else { panic!("one line") };
    assert!(!line.to_string().contains("secret"), "{line}");
    assert_eq!(
        (&line["method"], &line["path"], &line["route"], &line["status"], &line["cause"], &line["level"]),
        (&json!("GET"), &json!("/away"), &json!("/away"), &json!(503), &json!("row 7 is on fire"), &json!("ERROR"))
    );
    assert_eq!(line["request_id"], json!(id));
    assert!(line["ms"].as_f64().unwrap() >= 0.0);

    let response = reqwest::get(format!("{url}/panic")).await.unwrap();
    assert_eq!(problem(response).await, (500, "internal".into()));
    let [line] = &lines.take()[..] else { panic!("one line") };
    assert_eq!(line["cause"], "panic: expected by this test");

    reqwest::get(format!("{url}/nowhere")).await.unwrap();
    let [line] = &lines.take()[..] else { panic!("one line") };
    assert_eq!((&line["status"], &line["level"], line.get("route")), (&json!(404), &json!("INFO"), None));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_is_sent() {
    let url = testing::serve(router()).await;
    let client = reqwest::Client::new();
    let send = async |body: reqwest::Body| {
        client.post(format!("{url}/echo/1")).header("content-type", "application/json").body(body).send().await.unwrap()
    };
    let of = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(send(of(65_536).into()).await.status(), 200);
    assert_eq!(problem(send(of(65_537).into()).await).await, (413, "too-large".into()));
    assert_eq!(problem(send(of(1 << 20).into()).await).await, (413, "too-large".into()));

    // without a Content-Length
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        "POST /echo/1 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(format!("{:x}\r\n{}\r\n0\r\n\r\n", 70_000, "x".repeat(70_000)).as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_refused() {
    let settings = server::Settings { body_timeout_s: 1, ..Default::default() };
    let url = testing::serve_with(router(), settings, Default::default()).await;
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = "POST /echo/1 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 400");
}

#[tokio::test]
async fn another_site_cannot_write_in_a_fans_name() {
    let url = testing::serve(router()).await;
    let client = reqwest::Client::new();
    let send = async |headers: &[(&str, &str)]| {
        let mut request =
            client.post(format!("{url}/echo/1")).json(&json!({})).header("cookie", "__Host-onsale-session=s");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    };
    assert_eq!(problem(send(&[]).await).await, (403, "cross-site".into()));
    assert_eq!(problem(send(&[("origin", "https://evil.example")]).await).await, (403, "cross-site".into()));
    assert_eq!(send(&[("origin", &url)]).await.status(), 200);
    assert_eq!(send(&[("sec-fetch-site", "same-origin")]).await.status(), 200);
    assert_eq!(send(&[("onsale-visitor", "v")]).await.status(), 200);
}

#[tokio::test]
async fn pages_are_compressed_and_event_streams_never() {
    let url = testing::serve(router()).await;
    let ask = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{url}{path}")).header("accept-encoding", "gzip, br");
        request.send().await.unwrap().headers().get("content-encoding").cloned()
    };
    assert!(ask("/long").await.is_some());
    assert_eq!(ask("/short").await, None, "it fits one packet as it is");
    assert_eq!(ask("/events").await, None);
}

#[tokio::test]
async fn the_client_is_the_peer_unless_a_trusted_proxy_says_otherwise() {
    let settings = server::Settings { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..Default::default() };
    let behind = testing::serve_with(router(), settings, Default::default()).await;
    let direct = testing::serve(router()).await;
    let ask = async |url: &str| {
        let request =
            reqwest::Client::new().get(format!("{url}/who")).header("x-forwarded-for", "6.6.6.6, 203.0.113.1");
        request.send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(ask(&behind).await, "203.0.113.1");
    assert_eq!(ask(&direct).await, "127.0.0.1");
}

#[tokio::test]
async fn a_person_reads_a_refusal_as_a_page_and_a_program_as_a_document() {
    let url =
        testing::serve(Router::new().route("/busy", get(|| async { Problem::unavailable(anyhow::anyhow!("secret")) })))
            .await;
    let http = reqwest::Client::new();
    let person = http.get(format!("{url}/busy")).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!((person.status().as_u16(), &person.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(person.headers()["content-type"], "text/html; charset=utf-8");
    let policy = person.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self';"), "nothing inline: {policy}");
    let page = person.text().await.unwrap();
    assert!(page.contains("Temporarily unavailable") && page.contains("data-retry-after=\"1\""), "{page}");
    assert!(!page.contains("secret"), "the cause is for the log");

    // a script's fetch on the same page is a program
    for mode in [None, Some("cors")] {
        let mut request = http.get(format!("{url}/busy"));
        if let Some(mode) = mode {
            request = request.header("accept", "text/html").header("sec-fetch-mode", mode);
        }
        let program = request.send().await.unwrap();
        assert_eq!(program.headers()["content-type"], "application/problem+json", "{mode:?}");
    }
}
