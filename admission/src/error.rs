//! Domain errors into problem documents, in one place.

use axum::http::StatusCode;
use shared::problem::Problem;

use crate::{brand::LogoError, drops::DropError, line::LineError, operators::OperatorError};

/// What an operator's call can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no operator is signed in")]
    SessionMissing,
    #[error("the operator's session is unknown or over")]
    SessionInvalid,
    #[error("address and password do not match")]
    Credentials,
    #[error(transparent)]
    Drop(#[from] DropError),
    #[error(transparent)]
    Logo(#[from] LogoError),
    #[error(transparent)]
    Operator(#[from] OperatorError),
    #[error(transparent)]
    Line(#[from] LineError),
    #[error("Postgres did not answer")]
    Database(#[from] sqlx::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let unauthorized = |slug, title| Self::new(StatusCode::UNAUTHORIZED, slug, title);
        let unprocessable = |slug, title| Self::new(StatusCode::UNPROCESSABLE_ENTITY, slug, title);
        match error {
            Error::SessionMissing => unauthorized("session-missing", "Sign in first"),
            Error::SessionInvalid => unauthorized("session-invalid", "The session is over, sign in again"),
            Error::Credentials => unauthorized("credentials", "Address and password do not match"),
            Error::Drop(DropError::NotFound) => Self::new(StatusCode::NOT_FOUND, "drop", "There is no such drop"),
            Error::Drop(DropError::UnknownEvent) => Self::new(StatusCode::NOT_FOUND, "event", "There is no such event"),
            Error::Drop(
                error @ (DropError::Exists
                | DropError::EventTaken
                | DropError::Ended
                | DropError::Open
                | DropError::ListClosed
                | DropError::Changed),
            ) => Self::new(StatusCode::CONFLICT, "version", "The drop is not in a state for that")
                .detail(error.to_string()),
            Error::Drop(error @ (DropError::EventCount | DropError::Words | DropError::Settings(_))) => {
                unprocessable("wrong-type", "A value is out of its bounds").detail(error.to_string())
            }
            Error::Logo(error) => unprocessable("logo", "The file cannot be a logo").detail(error.to_string()),
            Error::Operator(error @ (OperatorError::Email | OperatorError::Password | OperatorError::Exists)) => {
                unprocessable("wrong-type", "The operator cannot be added").detail(error.to_string())
            }
            Error::Operator(OperatorError::Hash(error)) => Self::internal(error),
            error => Self::unavailable(error),
        }
    }
}

impl axum::response::IntoResponse for Error {
    fn into_response(self) -> axum::response::Response {
        Problem::from(self).into_response()
    }
}
