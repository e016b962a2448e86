//! All URLs of the operators' API; those of the console's pages stand in `pages.rs`.

pub(crate) mod audit;
pub(crate) mod drop;
pub(crate) mod drops;
pub(crate) mod live;
pub(crate) mod logo;
pub(crate) mod sessions;
pub(crate) mod steer;

use axum::{
    Router,
    routing::{get, post, put},
};
use shared::rate_limit::{RateLimit, limited};

use crate::{Settings, app::App, pages};

pub(crate) fn router(app: App, settings: &Settings) -> Router {
    // guesses count together, whichever door they knock at
    let sign_in = limited(RateLimit::new("operator-sign-in", settings.sign_in));
    Router::new()
        .route("/ops/api/sessions", post(sessions::sign_in).layer(sign_in.clone()))
        .route("/ops/api/drops", get(drops::list).post(drops::create))
        .route("/ops/api/drops/{id}", get(drop::show).patch(drop::change))
        .route("/ops/api/drops/{id}/open", post(steer::open))
        .route("/ops/api/drops/{id}/pause", post(steer::pause))
        .route("/ops/api/drops/{id}/resume", post(steer::resume))
        .route("/ops/api/drops/{id}/end", post(steer::end))
        .route("/ops/api/drops/{id}/notice", post(steer::notice).delete(steer::withdraw_notice))
        .route("/ops/api/drops/{id}/logo", put(logo::put).delete(logo::delete))
        .route("/ops/api/drops/{id}/live", get(live::stream))
        .route("/ops/api/audit", get(audit::list))
        .merge(pages::router(sign_in))
        .with_state(app)
}
