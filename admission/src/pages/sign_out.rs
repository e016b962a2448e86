use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use shared::{http::cookies, pages::see_other, problem::Problem};

use crate::{
    app::App,
    error::Error,
    operators,
    presented::{self, OPERATOR_COOKIE},
};

/// `POST /ops/sign-out`: the session is of no use to anybody afterwards, wherever its cookie is.
pub(super) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = presented::operator(&headers) {
        operators::sign_out(&app.pool, &token, app.clock.now()).await.map_err(Error::from)?;
    }
    let mut response = see_other("/ops");
    response.headers_mut().append(header::SET_COOKIE, cookies::set_strict(OPERATOR_COOKIE, "", 0));
    Ok(response)
}
