//! A provider that misbehaves: it hands requests on to the sandbox, except those that a test has spoiled.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use shared::lifecycle::Lifecycle;
use tokio::sync::watch;

use super::*;

pub(crate) enum Fault {
    /// 500, once, and again for whoever comes with the same idempotency key: as the provider does it.
    Fails,
    /// Carried out, and 500 all the same: once, and again for whoever comes with the same idempotency key.
    FailsAfter,
    /// Carried out, but the connection breaks before the answer is there; once.
    BreaksAfter,
    /// 429, once: not carried out.
    TooMany,
    /// This, once.
    Answers(Value),
    /// This status and error, once; not carried out.
    Refuses(u16, Value),
    /// Nothing until the provider heals; then the request is carried out.
    Hangs,
}

pub(crate) struct Provider {
    line: Arc<Line>,
    lifecycle: Lifecycle,
}

struct Line {
    http: reqwest::Client,
    sandbox_url: String,
    book: Mutex<Book>,
    healthy: watch::Sender<bool>,
}

#[derive(Default)]
struct Book {
    /// By the end of the request's path.
    faults: Vec<(&'static str, Fault)>,
    failed_keys: HashSet<String>,
    paths: Vec<String>,
}

impl Provider {
    /// The same world behind a second booking process that pays through this provider.
    pub(crate) async fn before(fixture: Fixture) -> (Fixture, Provider) {
        let line = Arc::new(Line {
            http: fixture.http.clone(),
            sandbox_url: fixture.sandbox_url.clone(),
            book: Mutex::default(),
            healthy: watch::Sender::new(true),
        });
        let listener = crate::fixture::listen();
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let lifecycle = Lifecycle::new();
        let router = axum::Router::new().route("/{*path}", any(answer)).with_state(Arc::clone(&line));
        crate::fixture::serve(listener, router, &lifecycle);
        let fixture = super::expiry::with_provider(fixture, url).await;
        (fixture, Provider { line, lifecycle })
    }

    /// The next request whose path ends so.
    pub(crate) fn spoil(&self, path_end: &'static str, fault: Fault) {
        if matches!(fault, Fault::Hangs) {
            self.line.healthy.send_replace(false);
        }
        self.line.book().faults.push((path_end, fault));
    }

    pub(super) fn heal(&self) {
        self.line.book().faults.clear();
        self.line.healthy.send_replace(true);
    }

    /// How often the outcome of this intent was asked for.
    pub(super) fn times_asked(&self, intent_id: &str) -> usize {
        self.line.book().paths.iter().filter(|path| path.ends_with(intent_id)).count()
    }

    /// Waits until a request has come whose path ends so.
    pub(super) async fn asked(&self, path_end: &str) {
        let deadline = tokio::time::Instant::now() + seconds(20);
        while !self.line.book().paths.iter().any(|path| path.ends_with(path_end)) {
            assert!(tokio::time::Instant::now() < deadline, "nobody asks for {path_end}");
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

impl Line {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("the book")
    }

    /// What is to go wrong with this request.
    fn fault(&self, path: &str, key: Option<&str>) -> Option<Fault> {
        let mut book = self.book();
        book.paths.push(path.to_owned());
        if key.is_some_and(|key| book.failed_keys.contains(key)) {
            return Some(Fault::Fails);
        }
        let position = book.faults.iter().position(|(end, _)| path.ends_with(end))?;
        if matches!(book.faults[position].1, Fault::Hangs) {
            return Some(Fault::Hangs);
        }
        let (_, fault) = book.faults.swap_remove(position);
        if matches!(fault, Fault::Fails | Fault::FailsAfter) {
            book.failed_keys.extend(key.map(str::to_owned));
        }
        Some(fault)
    }
}

async fn answer(
    State(line): State<Arc<Line>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let fault = line.fault(uri.path(), key.as_deref());
    match fault {
        Some(Fault::Fails) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Fault::TooMany) => return StatusCode::TOO_MANY_REQUESTS.into_response(),
        Some(Fault::Answers(body)) => return axum::Json(body).into_response(),
        Some(Fault::Refuses(status, error)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            return (status, axum::Json(json!({ "error": error }))).into_response();
        }
        Some(Fault::Hangs) => {
            let mut healthy = line.healthy.subscribe();
            healthy.wait_for(|healthy| *healthy).await.expect("the line lives");
        }
        Some(Fault::FailsAfter | Fault::BreaksAfter) | None => {}
    }
    headers.remove("host");
    let request = line.http.request(method, format!("{}{uri}", line.sandbox_url)).headers(headers).body(body);
    let answer = request.send().await.expect("the sandbox answers");
    let (status, body) = (answer.status(), answer.bytes().await.expect("a body"));
    match fault {
        Some(Fault::FailsAfter) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Fault::BreaksAfter) => {
            let torn = std::io::Error::other("the connection breaks");
            let torn = futures_util::stream::once(async { Err::<Bytes, _>(torn) });
            return Response::new(Body::from_stream(torn));
        }
        _ => {}
    }
    (status, body).into_response()
}
