use axum::{
    extract::{FromRequest, Request, rejection::FormRejection},
    http::StatusCode,
};
use serde::de::DeserializeOwned;

use crate::{json::too_large, problem::Problem};

/// What a page's form sent (`application/x-www-form-urlencoded`).
///
/// Refusals: 413 `too-large`, 415 `unsupported-type`, 422 `wrong-type`.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Form::<T>::from_request(request, state).await {
            Ok(axum::Form(value)) => Ok(Self(value)),
            Err(FormRejection::InvalidFormContentType(_)) => {
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-type", "The body is of another type"))
            }
            Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Err(refused) => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "wrong-type",
                "A field is missing or has the wrong type",
            )
            .detail(refused.body_text())),
        }
    }
}
