//! `GET /openapi.json`: one document for all roles this process runs.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;
use utoipa::openapi::{Info, License, OpenApi, Paths};

const HEADERS: [(axum::http::HeaderName, &str); 2] =
    [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];

/// Nothing for a process without roles that fans or operators reach.
pub(crate) fn router(roles: Vec<OpenApi>) -> Router {
    if roles.is_empty() {
        return Router::new();
    }
    let body = Bytes::from(merge(roles).to_json().expect("strings and maps are JSON"));
    Router::new().route("/openapi.json", get(async move || (HEADERS, body.clone())))
}

/// Of two things with one name the first stays; the test below sees to it that they are the same.
fn merge(roles: Vec<OpenApi>) -> OpenApi {
    let mut info = Info::new("Onsale", env!("CARGO_PKG_VERSION"));
    info.description = Some(env!("CARGO_PKG_DESCRIPTION").to_owned());
    let mut license = License::new(env!("CARGO_PKG_LICENSE"));
    license.identifier = Some(env!("CARGO_PKG_LICENSE").to_owned());
    info.license = Some(license);
    roles.into_iter().fold(OpenApi::new(info, Paths::new()), OpenApi::merge_from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_fit_together() {
        let roles = [waitroom::openapi(), booking::openapi(), admission::openapi()];
        let merged = merge(roles.to_vec());
        shared::testing::assert_sound(&merged);
        let merged = merged.components.expect("components");
        for role in roles {
            let own = role.components.expect("components");
            for (name, schema) in own.schemas {
                assert!(merged.schemas[&name] == schema, "two roles mean different things by {name}");
            }
            for (name, scheme) in own.security_schemes {
                assert!(merged.security_schemes[&name] == scheme, "two roles mean different things by {name}");
            }
        }
    }
}
