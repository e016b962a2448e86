//! A fan with an HTTP client: enough to queue and to listen.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use shared::encoding;

pub(crate) struct Fan {
    client: Client,
    url: String,
    visitor: String,
}

impl Fan {
    pub(crate) fn new(url: &str) -> Self {
        Self { client: Client::new(), url: url.to_owned(), visitor: encoding::base64url(&encoding::random::<32>()) }
    }

    pub(crate) async fn join(&self, drop: &str) -> (StatusCode, Value) {
        let answer = self
            .client
            .post(format!("{}/queue/{drop}/join", self.url))
            .header("onsale-visitor", &self.visitor)
            .json(&json!({}))
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {status} {text}")))
    }

    /// Opens the stream of one's place.
    pub(crate) async fn listen(&self, drop: &str, pass: &str, query: &str) -> Stream {
        let answer = self
            .client
            .get(format!("{}/queue/{drop}/events{query}", self.url))
            .header("onsale-visitor", &self.visitor)
            .header("onsale-pass", pass)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Stream { answer, read: String::new() }
    }
}

/// Server-sent events, one frame at a time.
pub(crate) struct Stream {
    answer: Response,
    read: String,
}

impl Stream {
    /// The next frame of this name, and its data.
    pub(crate) async fn next(&mut self, name: &str) -> Value {
        loop {
            while let Some(end) = self.read.find("\n\n") {
                let frame: String = self.read.drain(..end + 2).collect();
                let field = |key: &str| {
                    frame.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_start().to_owned())
                };
                if field("event:").as_deref() == Some(name) {
                    let data = field("data:").unwrap_or_default();
                    return serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error} in {frame}"));
                }
            }
            let chunk = tokio::time::timeout(std::time::Duration::from_secs(30), self.answer.chunk()).await;
            match chunk.unwrap_or_else(|_| panic!("no {name} frame within 30 s")) {
                Ok(Some(bytes)) => self.read.push_str(&String::from_utf8_lossy(&bytes)),
                other => panic!("the stream ended before {name}: {other:?}"),
            }
        }
    }
}
