//! A write under an `Idempotency-Key` is done once, and whoever repeats it gets the first answer, byte for byte.
//!
//! For the writes of a fan who is signed in, where the key is the client's choice; checkout, which wants one, keeps
//! its own record inside its transaction. Kept is what was done, and a card that was refused: a client that asks again
//! under the same key does not want it charged again. Whatever may be otherwise in a moment is not: a bank that has
//! not decided (202), a session or header that was wrong, what the server could not do. The next try goes on.
//! <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header>

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts as _, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header, request::Parts};
use shared::{encoding::sha256, problem::Problem};

use crate::{
    app::App,
    error::Error,
    extract::{Fan, IdempotencyKey},
    purchase::idempotency::{self, Answer, Key, Next as Step, Under},
};

/// Marks a refusal as the one answer to its request, in the response's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Final;

/// Our own answers: documents of bookings, far below this.
const ANSWER_BYTES_MAX: usize = 1 << 20;

pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let fan = Fan::of(&app, request.headers()).await?;
    // before anything is written: each key is a row
    app.limits.confirm_account.check_key(fan.user_id.as_bytes())?;
    if !request.headers().contains_key("idempotency-key") {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let idempotency_key = IdempotencyKey::from_request_parts(&mut parts, &app).await?;
    let body = read(body).await?;
    let key = Key { user_id: fan.user_id, key: idempotency_key.as_str(), fingerprint: fingerprint(&parts, &body) };
    let is_done = match idempotency::begin(&app.pool, &key, app.clock.now()).await? {
        Step::Replay(answer) => return again(answer),
        // begun by a request that died: it bears being done again, or says what was done
        Step::Resume(done) => done.is_some(),
        Step::Start => false,
    };
    parts.extensions.insert(Under { key: key.key.to_owned(), is_done });
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if is_final(&response) {
        return keep(&app, &key, response).await;
    }
    idempotency::unlock(&app.pool, &key, app.clock.now()).await?;
    Ok(response)
}

/// The limit in bytes and seconds stands around the body already.
async fn read(body: Body) -> Result<Bytes, Problem> {
    to_bytes(body, usize::MAX).await.map_err(|error| Error::Malformed(format!("the body: {error}")).into())
}

fn fingerprint(parts: &Parts, body: &[u8]) -> [u8; 32] {
    sha256(&[parts.method.as_str().as_bytes(), b" ", parts.uri.path().as_bytes(), b"\n", body])
}

fn is_final(response: &Response) -> bool {
    matches!(response.status(), StatusCode::OK | StatusCode::CREATED) || response.extensions().get::<Final>().is_some()
}

async fn keep(app: &App, key: &Key<'_>, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(Problem::internal)?;
    let body = String::from_utf8(bytes.to_vec()).map_err(Problem::internal)?;
    let answer = Answer { status: parts.status.as_u16(), body };
    let kept = idempotency::finish(&app.pool, key, answer.clone()).await?;
    if kept == answer {
        return Ok(Response::from_parts(parts, Body::from(answer.body)));
    }
    // this one took longer than the lease, and whoever went on was first
    again(kept)
}

fn again(answer: Answer) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(answer.status).map_err(Problem::internal)?;
    let kind = if status.is_client_error() { "application/problem+json" } else { "application/json" };
    Ok((status, [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], answer.body).into_response())
}
