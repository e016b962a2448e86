use admission::line::EndReason;
use axum::{extract::State, http::StatusCode};

use crate::{
    app::App,
    error::Error,
    fan::{Caller, ended},
};

/// Ends the place; what it took is free at once. Leaving twice changes nothing.
pub(crate) async fn leave(State(app): State<App>, caller: Caller) -> Result<StatusCode, Error> {
    let (fan, _, place) = caller.place(&app).await?;
    if ended(&place).is_none() {
        app.line.end_place(&fan.drop, fan.place, EndReason::Left).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
