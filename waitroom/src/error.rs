//! Domain errors into problem documents, in one place.

use admission::{
    line::{BatchError, LineError},
    pass::PassError,
    session::SessionError,
};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use shared::problem::Problem;

/// When a line is being restored, how soon to ask again, in seconds.
const RESTORING_RETRY_S: u64 = 2;

/// What a fan's call can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such drop")]
    UnknownDrop,
    #[error("there is no place for this visitor in this drop")]
    UnknownPlace,
    #[error("the visitor secret is not the base64url of 32 bytes")]
    MalformedVisitor,
    #[error(transparent)]
    Pass(#[from] PassError),
    #[error("the drop asks for an account, and nobody is signed in")]
    SessionMissing,
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("the account has another live place in this drop")]
    AccountBound,
    #[error("the place has ended")]
    PlaceEnded,
    #[error("the drop has ended and gives no new places")]
    DropOver,
    #[error("this visitor took too many turns in this drop")]
    TooManyTurns,
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Line(#[from] LineError),
    #[error("the admission could not be signed")]
    Signing(#[source] anyhow::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let unauthorized = |slug, title| Self::new(StatusCode::UNAUTHORIZED, slug, title);
        let forbidden = |slug, title| Self::new(StatusCode::FORBIDDEN, slug, title);
        match error {
            Error::UnknownDrop => Self::new(StatusCode::NOT_FOUND, "drop", "There is no such drop"),
            Error::UnknownPlace => {
                Self::new(StatusCode::NOT_FOUND, "place", "You have no place in this line").detail("Join first.")
            }
            Error::MalformedVisitor => {
                Self::new(StatusCode::BAD_REQUEST, "malformed", "The visitor secret is malformed")
                    .detail("Onsale-Visitor is the base64url, without padding, of 32 bytes.")
            }
            Error::Pass(PassError::Invalid) => unauthorized("pass-invalid", "The pass is not valid for this drop"),
            Error::Pass(PassError::Foreign) => forbidden("visitor-mismatch", "The pass belongs to another visitor"),
            Error::SessionMissing => unauthorized("session-missing", "Sign in to join this line"),
            Error::Session(_) => unauthorized("session-invalid", "The session is over, sign in again"),
            Error::AccountBound => forbidden("place-bound", "Your account already has a place in this line")
                .detail("It is in another browser or on another device: go on there, or leave the line there first."),
            Error::PlaceEnded => forbidden("place-ended", "This place has ended"),
            Error::TooManyTurns => {
                Self::new(StatusCode::CONFLICT, "limit", "You took as many turns in this drop as one may")
            }
            Error::Batch(BatchError::Restoring) | Error::Line(LineError::Restoring) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "restoring", "The line is being restored; places are kept")
                    .retry_after(RESTORING_RETRY_S)
            }
            Error::DropOver => Self::new(StatusCode::CONFLICT, "not-on-sale", "This on-sale has ended"),
            Error::Signing(error) => Self::internal(error),
            error @ Error::Line(LineError::Shape(_) | LineError::Value(_)) => Self::internal(error),
            error @ (Error::Batch(_) | Error::Line(_)) => Self::unavailable(error),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
