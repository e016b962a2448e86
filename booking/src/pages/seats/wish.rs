//! Somebody presses "hold" before signing in: the wish goes along through the sign-in form, and is held as soon as
//! there is an account to hold it for.
//!
//! An address alone holds nothing: anybody could write one. A cookie that was set when the button was pressed names
//! the wish, and only this browser has it.

use axum::response::{AppendHeaders, IntoResponse as _, Response};
use http::{HeaderMap, header};
use shared::{
    client_address::ClientAddress,
    encoding::{base64url, random},
    http::cookies,
    pages::see_other,
};
use uuid::Uuid;

use super::{
    Choice, Hall, admitted, details,
    hold::{Held, hold},
    sign_in,
};
use crate::app::App;

pub(in crate::pages) const WISH_COOKIE: &str = "__Host-onsale-wish";
/// How long signing in may take before the button has to be pressed again, in seconds.
const WISH_S: u64 = 900;

/// To the sign-in form, and on from there to [`go_on`].
pub(super) fn sign_in_first(choice: Choice, event_id: Uuid) -> Response {
    let name = base64url(&random::<16>());
    let key: String = form_urlencoded::byte_serialize(choice.key.as_deref().unwrap_or_default().as_bytes()).collect();
    let best = if choice.best { "&best=1" } else { "" };
    let path = Choice { signed_in: true, ..choice }.path(event_id);
    let next = format!("{path}&key={key}{best}&wish={name}");
    let cookie = AppendHeaders([(header::SET_COOKIE, cookies::set(WISH_COOKIE, &name, WISH_S))]);
    (cookie, see_other(&sign_in(&next))).into_response()
}

/// Holds what was asked for before signing in: the path of the checkout. `None` where nothing was, or it cannot be
/// had: then the seats' page says what there is to say.
pub(in crate::pages) async fn go_on(
    app: &App,
    headers: &HeaderMap,
    address: ClientAddress,
    user_id: Uuid,
    next: &str,
) -> Option<String> {
    let (path, query) = next.split_once('?')?;
    let event_id = path.strip_prefix("/e/")?.strip_suffix("/seats")?;
    let fields = || form_urlencoded::parse(query.as_bytes());
    let named = fields().find(|(name, _)| name == "wish")?.1;
    if named.is_empty() || cookies::get(headers, WISH_COOKIE)? != named {
        return None;
    }
    app.limits.checkout.check(address.0).ok()?;
    let holding = async {
        let details = details(app, event_id).await?;
        let hall = Hall::load(app, &details).await?;
        let choice = Choice::read(fields().into_owned(), |label| hall.knows(label));
        let admitted = admitted(app, headers, &details)?;
        hold(app, user_id, &admitted, details.event.event_id, &choice).await
    };
    match holding.await {
        Ok(Held::Now(booking_id)) => Some(format!("/checkout/{booking_id}")),
        Ok(Held::Before(booking_id)) => Some(format!("/checkout/{booking_id}?held=already")),
        Ok(Held::Not(_)) => None,
        Err(error) => {
            tracing::debug!(%error, "what was asked for before signing in is not held");
            None
        }
    }
}
