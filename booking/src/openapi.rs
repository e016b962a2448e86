//! What fans read and buy with, as an OpenAPI document.

use admission::credentials;
use utoipa::OpenApi;

use crate::routes::{
    accounts, booking, cancel, checkout, confirm, details, extend, layout, search, seats, seats_stream, sessions,
    webhook,
};

#[derive(OpenApi)]
#[openapi(paths(
    search::search,
    details::details,
    seats::snapshot,
    seats_stream::stream,
    layout::layout,
    accounts::register,
    sessions::sign_in,
    sessions::sign_out,
    checkout::checkout,
    confirm::confirm,
    booking::show,
    cancel::cancel,
    extend::extend,
    webhook::receive,
))]
struct Document;

/// What [`crate::build`] serves.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let credentials = [credentials::session(), credentials::admission(), credentials::visitor()];
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
