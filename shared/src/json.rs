//! JSON in and out, with every refusal a problem document.
//!
//! | what came | status | slug |
//! |---|---|---|
//! | another content type, or none | 415 | `unsupported-type` |
//! | a body over the limit | 413 | `too-large` |
//! | text that is no JSON | 400 | `malformed` |
//! | a field we do not know | 422 | `unknown-field` |
//! | anything else the type refuses | 422 | `wrong-type` |

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::{
    body::HttpBody as _,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::Problem;

/// What most answers fit into, in bytes: a fan's document above all.
const BODY_USUAL: usize = 1_024;

/// A JSON body, read or answered.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// A JSON body that may be absent: nothing at all, of any content type, is the default.
#[derive(Clone, Copy, Debug)]
pub struct OptionalJson<T>(pub T);

/// The query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// The parameters in the path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(unsupported());
        }
        parse(&read(request, state).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        let is_json = is_json(request.headers());
        let body = read(request, state).await?;
        match (body.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, false) => Err(unsupported()),
            (false, true) => parse(&body).map(Self),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut ::http::request::Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(malformed(rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut ::http::request::Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(rejection) if rejection.status().is_server_error() => Err(Problem::internal(rejection)),
            Err(rejection) => Err(malformed(rejection.body_text())),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(BODY_USUAL);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}

/// 413: for the extractors here and the limit in [`crate::http::front`].
pub(crate) fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large")
}

fn unsupported() -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-type", "The body must be JSON")
        .detail("Send it with Content-Type: application/json.")
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed", "The request is malformed").detail(detail)
}

/// `application/json` or a type ending in `+json`, whatever its parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            // the connection broke, or the body took too long
            malformed("The body did not arrive whole and in time.").caused_by(rejection)
        }
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        refusal(&path, &error.into_inner())
    })?;
    deserializer.end().map_err(|error| refusal(".", &error))?;
    Ok(value)
}

fn refusal(path: &str, error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    if error.classify() != serde_json::error::Category::Data {
        return malformed(message);
    }
    let problem = if message.starts_with("unknown field") {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown-field", "A field is not known")
    } else {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong-type", "A field is missing or of the wrong type")
    };
    match path {
        "." => problem.detail(message),
        path => problem.detail(format!("{path}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[serde(default)]
        seats: Vec<Seat>,
        #[serde(default)]
        again: bool,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Seat {
        row: u8,
    }

    fn request(content_type: Option<&str>, body: &'static [u8]) -> Request {
        let mut request = Request::post("/").body(Body::from(body)).unwrap();
        if let Some(value) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, value.parse().unwrap());
        }
        request
    }

    async fn refused(content_type: Option<&str>, body: &'static [u8]) -> (u16, &'static str, String) {
        let problem = Json::<Order>::from_request(request(content_type, body), &()).await.unwrap_err();
        let detail = problem.document()["detail"].as_str().unwrap_or_default().to_owned();
        (problem.status().as_u16(), problem.slug(), detail)
    }

    #[tokio::test]
    async fn each_wrong_body_has_its_slug() {
        let json = Some("application/json; charset=utf-8");
        let slug = async |kind, body| {
            let (status, slug, _) = refused(kind, body).await;
            (status, slug)
        };
        assert_eq!(slug(None, b"{}").await, (415, "unsupported-type"));
        assert_eq!(slug(Some("text/plain"), b"{}").await, (415, "unsupported-type"));
        for body in [&b""[..], b"{", b"{}x", b"{\"again\":tru}", b"\xff", b"{\"again\":\"\xff\"}"] {
            assert_eq!(slug(json, body).await, (400, "malformed"), "{body:?}");
        }
        let (status, name, detail) = refused(json, br#"{"seats":[{"row":1},{"row":2,"colour":"red"}]}"#).await;
        assert_eq!((status, name), (422, "unknown-field"));
        assert!(detail.starts_with("seats[1].colour: unknown field `colour`"), "{detail}");
        let (status, name, detail) = refused(json, br#"{"seats":[{"row":"1"}]}"#).await;
        assert_eq!((status, name), (422, "wrong-type"));
        assert!(detail.starts_with("seats[0].row: invalid type: string"), "{detail}");
        assert_eq!(slug(json, br#"{"seats":[{}]}"#).await, (422, "wrong-type"));
        assert_eq!(slug(json, b"[").await, (400, "malformed"));
        assert_eq!(slug(json, b"7").await, (422, "wrong-type"));
    }

    #[tokio::test]
    async fn an_absent_body_is_the_default_where_the_type_says_so() {
        for kind in [None, Some("text/plain"), Some("application/json")] {
            let OptionalJson(order) = OptionalJson::<Order>::from_request(request(kind, b""), &()).await.unwrap();
            assert_eq!(order, Order::default());
        }
        let body = br#"{"again":true}"#;
        let OptionalJson(order) =
            OptionalJson::<Order>::from_request(request(Some("application/json"), body), &()).await.unwrap();
        assert!(order.again);
        let problem = OptionalJson::<Order>::from_request(request(None, body), &()).await.unwrap_err();
        assert_eq!(problem.status(), 415);
    }
}
