//! Pages for fans: finding an event, choosing seats, paying, looking at what one has. All work without
//! JavaScript: forms post to their own page and answer 303; with it they are live.

use axum::Router;

use crate::app::App;

/// All URLs of booking's pages.
pub(crate) fn router() -> Router<App> {
    Router::new()
}
