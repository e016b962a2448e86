//! `GET /queue/{drop}`: where the fan stands, or what there is to join. Changes nothing.

use admission::ids::VisitorSecret;
use axum::{extract::State, response::Response};
use shared::{json::Query, pages::page};

use super::{
    language::Language,
    shown::Memory,
    views::{Common, InLine, Outside, ShownCode},
};
use crate::{
    app::App,
    error::Error,
    fan::Caller,
    routes::{
        join::{keep_in_browser, keep_visitor},
        status::document,
    },
};

pub(super) async fn show(
    State(app): State<App>,
    language: Language,
    caller: Caller,
    Query(memory): Query<Memory>,
) -> Result<Response, Error> {
    let mut response = here(&app, language, caller, &memory, None).await?;
    language.mark(&mut response);
    Ok(response)
}

/// The page as it is now; with a code on it for who asked for one.
pub(super) async fn here(
    app: &App,
    language: Language,
    caller: Caller,
    memory: &Memory,
    code: Option<ShownCode>,
) -> Result<Response, Error> {
    let say = language.say;
    let crowd = caller.crowd(app).await?;
    let signed_in = caller.account(app).is_ok();
    let (drop_id, visitor, keeps_secret) = (caller.drop.clone(), caller.visitor.clone(), caller.keeps_secret);
    let pass = caller.pass.as_ref().map(|pass| pass.place);
    match caller.place(app).await {
        Ok((fan, drop, place)) => {
            let document = document(app, &fan, &drop, &place, memory.shown(fan.place)).await?;
            let common = Common::new(drop_id, &drop, &crowd.tick(), signed_in)?;
            let in_line = InLine::of(say, &app.site, common, &drop, &fan, &document, memory);
            let mut response = page(&in_line.with_code(code));
            // a browser that lost its pass, or holds that of an earlier turn, gets the one that brings this place back
            if !keeps_secret && pass != Some(fan.place) {
                keep_in_browser(&document, &mut response);
            }
            Ok(response)
        }
        Err(Error::UnknownPlace) => {
            let mut outside = Outside::of(say, &app.site, drop_id, &crowd.tick(), signed_in)?;
            outside.refuses_cookies = visitor.is_none() && memory.given_a_cookie();
            outside.code_was_wrong = memory.says("code-wrong");
            let mut response = page(&outside);
            if visitor.is_none() {
                keep_visitor(&VisitorSecret::generate().expose(), &mut response);
            }
            Ok(response)
        }
        // the line is away for a moment: whoever was in it is told so on this page, which goes on by itself
        Err(Error::Batch(_) | Error::Line(_)) if let Some(place) = pass => {
            let tick = crowd.tick();
            let common = Common::new(drop_id, &tick.drop, &tick, signed_in)?;
            Ok(page(&InLine::without_answer(say, &app.site, common, &tick.drop, place, memory)))
        }
        Err(error) => Err(error),
    }
}
