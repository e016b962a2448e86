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

/// When as many codes live as may, how soon to ask again, in seconds: some run out every moment.
const CODES_RETRY_S: u64 = 60;

/// What a fan's call can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such drop")]
    UnknownDrop,
    #[error("the drop has no such logo")]
    UnknownLogo,
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
    #[error("the list of the draw is not frozen yet")]
    NoList,
    #[error("the drop ended long ago, and nothing is known of its draw")]
    NoDraw,
    #[error("the place has ended")]
    PlaceEnded,
    #[error("the place is on another device now")]
    PlaceMoved,
    #[error("there is no such code, or it is used, or its time is over")]
    UnknownCode,
    #[error("the place was taken by another account")]
    AnotherAccount,
    #[error("this visitor has a live place of their own")]
    Occupied,
    #[error("the place is claimed or admitted, and stays with its device")]
    Inside,
    #[error("the place was moved as often as one may be")]
    MovedTooOften,
    #[error("as many codes live as may")]
    TooManyCodes,
    #[error("the address for mail is malformed")]
    MalformedEmail,
    #[error("the place is called already")]
    CalledAlready,
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
            Error::UnknownLogo => Self::new(StatusCode::NOT_FOUND, "drop", "This drop has no such logo"),
            Error::UnknownPlace => {
                Self::new(StatusCode::NOT_FOUND, "place", "You have no place in this line").detail("Join first.")
            }
            Error::NoList => Self::new(StatusCode::NOT_FOUND, "list", "The list of the draw is still open"),
            Error::NoDraw => Self::new(StatusCode::NOT_FOUND, "draw", "Nothing is known of this draw any more"),
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
            Error::PlaceMoved => forbidden("place-ended", "This place has ended")
                .detail("It was moved to another device with a code, and goes on there."),
            Error::UnknownCode => Self::new(StatusCode::NOT_FOUND, "code", "This code is not valid")
                .detail("A code works once, for three minutes, in its own line. Ask the other device for a new one."),
            Error::AnotherAccount => forbidden("place-bound", "The place belongs to another account")
                .detail("Sign in here with the account that took the place."),
            Error::Occupied => Self::new(StatusCode::CONFLICT, "limit", "You have a place here already")
                .detail("One device holds one place in a line. Leave the line here first, then hand in the code."),
            Error::Inside => Self::new(StatusCode::CONFLICT, "limit", "It is this place’s turn: it stays where it is")
                .detail("After a claim a place is not moved any more. Sign in on the other device to go on there."),
            Error::MovedTooOften => {
                Self::new(StatusCode::CONFLICT, "limit", "This place was moved as often as one may be")
            }
            Error::TooManyCodes => Self::new(StatusCode::CONFLICT, "limit", "Too many places are being moved")
                .detail("Try again in a minute.")
                .retry_after(CODES_RETRY_S),
            Error::MalformedEmail => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "email", "This is not an address a mail could reach")
                    .detail("An address such as fan@example.com.")
            }
            Error::CalledAlready => Self::new(StatusCode::CONFLICT, "limit", "It is your turn already")
                .detail("No mail is needed: take your turn now."),
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
