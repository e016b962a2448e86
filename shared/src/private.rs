//! The private port: health and metrics, for those who run the process.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use ::http::{StatusCode, header};
use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::future::join_all;
use serde_json::json;

use crate::{json::Json, telemetry::Telemetry};

/// Longest a check may take; then it counts as failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// One thing that must work for the process to be ready.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    run: Arc<Run>,
}

type Run = dyn Fn() -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send + Sync;

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Check({})", self.name)
    }
}

impl Check {
    /// `check` is run at every `/health/ready` and has a second.
    pub fn new<F, R>(name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self { name, run: Arc::new(move || Box::pin(check())) }
    }

    async fn failure(&self) -> Option<serde_json::Value> {
        let reason = match tokio::time::timeout(CHECK_TIMEOUT, (self.run)()).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "no answer within a second".to_owned(),
        };
        Some(json!({ "check": self.name, "reason": reason }))
    }
}

/// `/health/live`: the process runs. `/health/ready`: 200, or 503 with the checks that
/// fail. `/metrics`: Prometheus.
pub fn router(telemetry: Telemetry, checks: Vec<Check>) -> Router {
    Router::new()
        .route("/health/live", get(async || Json(json!({ "status": "live" }))))
        .route("/health/ready", get(ready))
        .with_state::<Telemetry>(Arc::from(checks))
        .route("/metrics", get(metrics))
        .with_state(telemetry)
}

async fn ready(State(checks): State<Arc<[Check]>>) -> Response {
    let failing: Vec<_> = join_all(checks.iter().map(Check::failure)).await.into_iter().flatten().collect();
    if failing.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unready", "failing": failing }))).into_response()
}

async fn metrics(State(telemetry): State<Telemetry>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], telemetry.render()).into_response()
}
