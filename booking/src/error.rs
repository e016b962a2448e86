//! What can go wrong in booking, in booking's own words. Nothing above the last `impl` knows HTTP;
//! that `impl` is the one place where an error becomes a problem document.

use admission::session::SessionError;
use admission::token::TokenError;
use http::StatusCode;
use shared::problem::Problem;
use uuid::Uuid;

use crate::payments::StripeError;

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    // What was sent.
    #[error("the request cannot be read: {0}")]
    Malformed(String),
    #[error("a field has a value it cannot have: {0}")]
    WrongType(String),
    #[error("an Idempotency-Key header is needed")]
    IdempotencyKeyMissing,
    #[error("this Idempotency-Key came with another request before")]
    IdempotencyMismatch,
    #[error("the first request with this Idempotency-Key is under way")]
    InFlight,
    #[error("a booking has 1 to {max} tickets")]
    Quantity { max: u32 },
    #[error("these tickets together do not cost 1 to {max} minor units, which is what one payment may be")]
    Unpayable { max: i64 },
    #[error("these are not seats of this event: {}", labels.join(", "))]
    TicketOfAnotherEvent { labels: Vec<String> },
    #[error(
        "these seats are kept for wheelchairs and those who come along: say accessible, and take a companion's seat \
         together with a wheelchair space: {}", seats.join(", ")
    )]
    SeatsProtected { seats: Vec<String> },

    // Who sent it.
    #[error("wrong email or password")]
    Credentials,
    #[error("sign in first")]
    SessionMissing,
    #[error("the session is over or not ours")]
    SessionInvalid,
    #[error("an account with this email exists")]
    EmailTaken,
    #[error("an Onsale-Admission header is needed")]
    AdmissionMissing,
    #[error("the admission token is refused")]
    Admission(#[source] TokenError),
    #[error("the token belongs to another visitor")]
    VisitorMismatch,
    #[error("the token admits to another drop")]
    AdmissionWrongDrop,
    #[error("{0}")]
    PlaceBound(&'static str),
    #[error("the place has ended")]
    PlaceEnded,

    // What it is about.
    #[error("no such event")]
    EventUnknown,
    #[error("no such layout")]
    LayoutUnknown,
    #[error("no such booking")]
    BookingUnknown,

    // What the others did first.
    #[error("the event is not on sale")]
    NotOnSale,
    #[error("somebody was faster: {}", seats.join(", "))]
    SeatsTaken { seats: Vec<String> },
    #[error("there are not that many tickets left")]
    SoldOut,
    #[error("the place has an open booking")]
    BookingOpen { booking_id: Uuid },
    #[error("the account has all the tickets it may have in this drop")]
    Limit,
    #[error("the booking is completed")]
    BookingCompleted,
    #[error("the booking has had all the time there is")]
    Extension,
    #[error("the booking is over: {reason}")]
    BookingExpired { reason: String },

    // The money.
    #[error("the payment was declined: {message}")]
    Declined { code: String, message: String },
    #[error("the webhook's signature is not the provider's")]
    WebhookSignature,
    #[error("the payment provider does not answer")]
    Provider(#[source] StripeError),

    // The machinery.
    #[error("many ask for the same seats at this instant")]
    Crowded,
    #[error("a store does not answer")]
    Unavailable(#[source] anyhow::Error),
    #[error("an unexpected failure")]
    Internal(#[source] anyhow::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|refusal| refusal.code());
        if code.is_some_and(|code| is_crowded(&code)) {
            Error::Crowded
        } else if shared::postgres::is_unavailable(&error) {
            Error::Unavailable(error.into())
        } else {
            Error::Internal(error.into())
        }
    }
}

/// Postgres gave up because of others: serialization failure, deadlock, lock timeout, statement timeout.
const CROWDED: [&str; 4] = ["40001", "40P01", "55P03", "57014"];

pub(crate) fn is_crowded(code: &str) -> bool {
    CROWDED.contains(&code)
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Error::Admission(error)
    }
}

impl From<SessionError> for Error {
    fn from(_: SessionError) -> Self {
        Error::SessionInvalid
    }
}

impl From<StripeError> for Error {
    fn from(error: StripeError) -> Self {
        match error {
            StripeError::Declined { code, message } => Error::Declined { code, message },
            other => Error::Provider(other),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Error::Internal(error)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use StatusCode as S;
        // A plain refusal: the sentence in `Display` is what the client may read.
        let refuse = |status, slug, title| Problem::new(status, slug, title).detail(error.to_string());
        match error {
            Error::Malformed(_) => refuse(S::BAD_REQUEST, "malformed", "The request cannot be read"),
            Error::WrongType(_) => refuse(S::UNPROCESSABLE_ENTITY, "wrong-type", "A field has a value it cannot have"),
            Error::IdempotencyKeyMissing => {
                refuse(S::BAD_REQUEST, "idempotency-key-missing", "Idempotency-Key is missing")
            }
            Error::IdempotencyMismatch => {
                refuse(S::UNPROCESSABLE_ENTITY, "idempotency-mismatch", "The key belongs to another request")
            }
            Error::InFlight => refuse(S::CONFLICT, "in-flight", "The first request is under way").retry_after(1),
            Error::Quantity { max } => {
                refuse(S::UNPROCESSABLE_ENTITY, "quantity", "Too few or too many tickets").with("max", max)
            }
            Error::Unpayable { .. } => refuse(S::UNPROCESSABLE_ENTITY, "quantity", "Too much for one payment"),
            Error::TicketOfAnotherEvent { ref labels } => {
                refuse(S::UNPROCESSABLE_ENTITY, "ticket-of-another-event", "Not seats of this event")
                    .with("seats", labels)
            }
            Error::SeatsProtected { ref seats } => {
                refuse(S::UNPROCESSABLE_ENTITY, "accessible-seats", "Seats kept for wheelchairs and companions")
                    .with("seats", seats)
            }

            Error::Credentials => refuse(S::UNAUTHORIZED, "credentials", "Wrong email or password"),
            Error::SessionMissing => refuse(S::UNAUTHORIZED, "session-missing", "Sign in first"),
            Error::SessionInvalid => refuse(S::UNAUTHORIZED, "session-invalid", "Sign in again"),
            Error::EmailTaken => refuse(S::CONFLICT, "account-exists", "An account with this email exists"),
            Error::AdmissionMissing => refuse(S::UNAUTHORIZED, "admission-missing", "An admission token is needed"),
            Error::Admission(TokenError::Expired) => {
                refuse(S::UNAUTHORIZED, "admission-expired", "The admission has expired")
            }
            Error::Admission(TokenError::NotYetValid) => {
                refuse(S::UNAUTHORIZED, "admission-not-yet-valid", "The admission is not valid yet")
            }
            Error::Admission(TokenError::Invalid) => {
                refuse(S::UNAUTHORIZED, "admission-invalid", "The admission token is not valid")
            }
            Error::VisitorMismatch => refuse(S::FORBIDDEN, "visitor-mismatch", "The token belongs to another visitor"),
            Error::AdmissionWrongDrop => {
                refuse(S::FORBIDDEN, "admission-wrong-drop", "The token admits to another drop")
            }
            Error::PlaceBound(_) => refuse(S::FORBIDDEN, "place-bound", "One place, one account"),
            Error::PlaceEnded => refuse(S::FORBIDDEN, "place-ended", "The place has ended"),

            Error::EventUnknown => refuse(S::NOT_FOUND, "event", "No such event"),
            Error::LayoutUnknown => refuse(S::NOT_FOUND, "layout", "No such layout"),
            Error::BookingUnknown => refuse(S::NOT_FOUND, "booking", "No such booking"),

            Error::NotOnSale => refuse(S::CONFLICT, "not-on-sale", "The event is not on sale"),
            Error::SeatsTaken { ref seats } => {
                refuse(S::CONFLICT, "seats-taken", "Somebody was faster").with("seats", seats)
            }
            Error::SoldOut => refuse(S::CONFLICT, "sold-out", "Not that many tickets are left"),
            Error::BookingOpen { booking_id } => {
                refuse(S::CONFLICT, "booking-open", "Finish or cancel the open booking first")
                    .with("booking_id", booking_id)
            }
            Error::Limit => refuse(S::CONFLICT, "limit", "The limit of tickets is reached"),
            Error::BookingCompleted => refuse(S::CONFLICT, "booking-completed", "The booking is completed"),
            Error::Extension => refuse(S::CONFLICT, "extension", "No more time can be had"),
            Error::BookingExpired { ref reason } => {
                refuse(S::GONE, "booking-expired", "The booking is over").with("reason", reason)
            }

            Error::Declined { ref code, .. } => {
                refuse(S::PAYMENT_REQUIRED, "declined", "The payment was declined").with("code", code)
            }
            Error::WebhookSignature => refuse(S::BAD_REQUEST, "malformed", "The signature does not fit"),

            Error::Crowded => refuse(S::SERVICE_UNAVAILABLE, "unavailable", "Too many at once").retry_after(1),
            Error::Provider(_) => refuse(S::SERVICE_UNAVAILABLE, "unavailable", "The payment provider does not answer")
                .retry_after(2)
                .caused_by(error),
            Error::Unavailable(cause) => Problem::unavailable(cause),
            Error::Internal(cause) => Problem::internal(cause),
        }
    }
}

impl axum::response::IntoResponse for Error {
    fn into_response(self) -> axum::response::Response {
        Problem::from(self).into_response()
    }
}
