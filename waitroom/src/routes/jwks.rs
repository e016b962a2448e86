use axum::{extract::State, http::header, response::IntoResponse};
use shared::json::Json;

use crate::app::App;

/// The public keys of admission tokens (RFC 7517), newest first.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    responses((status = 200, description = "A JWK set", body = inline(Object)))
)]
pub(crate) async fn jwks(State(app): State<App>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(app.signer.jwks().clone()))
}
