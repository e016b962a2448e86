//! The operators' API as an OpenAPI document.

use utoipa::OpenApi;

use crate::{
    credentials,
    routes::{audit, drop, drops, live, logo, sessions, steer},
};

#[derive(OpenApi)]
#[openapi(
    paths(
        sessions::sign_in,
        drops::list,
        drops::create,
        drop::show,
        drop::change,
        steer::open,
        steer::pause,
        steer::resume,
        steer::end,
        steer::notice,
        steer::withdraw_notice,
        logo::put,
        logo::delete,
        live::stream,
        audit::list,
    ),
    components(schemas(live::Live))
)]
struct Document;

/// What [`crate::build`] serves.
pub fn openapi() -> utoipa::openapi::OpenApi {
    shared::openapi::complete(Document::openapi(), &[credentials::operator()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_the_code_agree() {
        shared::testing::assert_documented(&openapi(), include_str!("routes.rs"), include_str!("error.rs"));
    }
}
