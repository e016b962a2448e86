//! A panic in one request is a bug of ours, and ends that request only.

use std::any::Any;

use axum::response::{IntoResponse as _, Response};

use crate::problem::Problem;

#[allow(clippy::needless_pass_by_value, reason = "the layer hands the payload over")]
pub(super) fn to_problem(payload: Box<dyn Any + Send>) -> Response {
    let message = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&'static str>().copied())
        .unwrap_or("no message");
    Problem::internal(anyhow::anyhow!("panic: {message}")).into_response()
}
