//! The fans' API as an OpenAPI document.

use admission::{credentials, line::Notice};
use utoipa::OpenApi;

use crate::routes::{claim, code, draw, events, join, jwks, leave, mail, move_place, pulse, status};

#[derive(OpenApi)]
#[openapi(
    paths(
        join::join,
        status::status,
        claim::claim,
        events::events,
        leave::leave,
        code::code,
        move_place::move_place,
        mail::ask,
        mail::forget,
        pulse::pulse,
        draw::draw,
        draw::entrants,
        jwks::jwks,
    ),
    components(schemas(Notice))
)]
struct Document;

/// What [`crate::build`] serves.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let credentials = [credentials::visitor(), credentials::pass(), credentials::session()];
    shared::openapi::complete(Document::openapi(), &credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_the_code_agree() {
        shared::testing::assert_documented(&openapi(), include_str!("routes.rs"), include_str!("error.rs"));
    }
}
