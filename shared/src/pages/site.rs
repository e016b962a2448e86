use std::sync::Arc;

use ::http::HeaderMap;
use axum::{Router, extract::Path, routing::get};

use super::assets::{Assets, Set};

/// The site as its pages need it; a cheap handle.
#[derive(Clone, Debug)]
pub struct Site(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    brand: String,
    assets: Assets,
}

impl Site {
    /// `brand` is what the operator calls the site; the sets are those of all roles, so that any process can
    /// serve the assets of any page.
    pub fn new(brand: &str, sets: Vec<Set>) -> Self {
        Self(Arc::new(Inner { brand: brand.to_owned(), assets: Assets::new(sets) }))
    }

    /// The operator's name for the site.
    pub fn brand(&self) -> &str {
        &self.0.brand
    }

    /// The URL of an asset, `<set>/<file>`: `shared/onsale.css`.
    pub fn asset(&self, path: &str) -> String {
        debug_assert!(self.0.assets.has(path), "there is no asset {path}");
        format!("/assets/{}/{path}", self.0.assets.version())
    }

    /// Serves the assets: once a process, whatever roles it has.
    pub fn router(&self) -> Router {
        let site = self.clone();
        let serve = async move |Path((version, path)): Path<(String, String)>, headers: HeaderMap| {
            site.0.assets.respond(&version, &path, &headers)
        };
        Router::new().route("/assets/{version}/{*path}", get(serve))
    }
}
