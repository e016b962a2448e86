//! Embedded files over HTTP: compressed once, named by the hash of all of them, kept by browsers for ever.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
};

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;

use crate::{encoding, problem::Problem};

/// For a URL that names its content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// For a URL of another version: during a deployment old pages ask new processes, and the other way round.
const ASK_AGAIN: &str = "no-cache";
/// Compressing happens once, at start; a debug build would take seconds for the last percent.
const BROTLI_QUALITY: i32 = if cfg!(debug_assertions) { 4 } else { 11 };
const BROTLI_WINDOW: i32 = 22;

/// The files of one crate.
#[derive(Debug)]
pub struct Set {
    name: &'static str,
    files: Vec<(String, File)>,
}

#[derive(Debug)]
struct File {
    content_type: HeaderValue,
    identity: Bytes,
    gzip: Bytes,
    brotli: Bytes,
}

impl Set {
    /// `name` begins the paths of the set's files; dotfiles are left out.
    pub fn of<E: RustEmbed>(name: &'static str) -> Self {
        let file =
            |path: &str| E::get(path).map(|file| File::new(file.metadata.mimetype(), file.data.into_owned().into()));
        let shown = E::iter().filter(|path| !path.starts_with('.'));
        let files = shown.filter_map(|path| Some((path.to_string(), file(&path)?))).collect();
        Self { name, files }
    }
}

impl File {
    fn new(mime: &str, identity: Bytes) -> Self {
        let content_type = match mime.starts_with("text/") {
            true => format!("{mime}; charset=utf-8"),
            false => mime.to_owned(),
        };
        Self {
            content_type: content_type.parse().unwrap_or(HeaderValue::from_static("application/octet-stream")),
            gzip: gzip(&identity),
            brotli: brotli(&identity),
            identity,
        }
    }
}

fn gzip(data: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).and_then(|()| encoder.finish()).expect("memory can be written").into()
}

fn brotli(mut data: &[u8]) -> Bytes {
    let params =
        brotli::enc::BrotliEncoderParams { quality: BROTLI_QUALITY, lgwin: BROTLI_WINDOW, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut data.by_ref(), &mut compressed, &params).expect("memory can be read and written");
    compressed.into()
}

#[derive(Debug)]
pub(super) struct Assets {
    version: String,
    files: BTreeMap<String, File>,
}

impl Assets {
    pub(super) fn new(sets: Vec<Set>) -> Self {
        let files: BTreeMap<String, File> = sets
            .into_iter()
            .flat_map(|set| set.files.into_iter().map(move |(path, file)| (format!("{}/{path}", set.name), file)))
            .collect();
        let parts: Vec<&[u8]> = files.iter().flat_map(|(path, file)| [path.as_bytes(), &file.identity]).collect();
        let version = encoding::hex(&encoding::sha256(&parts)[..6]);
        Self { version, files }
    }

    /// Changes with every byte of every file: modules may import each other by relative paths.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    pub(super) fn respond(&self, version: &str, path: &str, request: &HeaderMap) -> Response {
        let Some(file) = self.files.get(path) else {
            return Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here").into_response();
        };
        let (encoding, body) = file.accepted(request);
        let mut response = body.clone().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, file.content_type.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        let cache = if version == self.version { FOR_EVER } else { ASK_AGAIN };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

impl File {
    /// The best encoding the client takes (RFC 9110 §12.5.3), where it is worth it.
    fn accepted(&self, request: &HeaderMap) -> (Option<&'static str>, &Bytes) {
        let accepted = request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let takes = |name: &str| {
            accepted.split(',').filter_map(|item| item.trim().split_once(';').or(Some((item.trim(), "")))).any(
                |(coding, weight)| {
                    coding.trim() == name && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
                },
            )
        };
        [("br", &self.brotli), ("gzip", &self.gzip)]
            .into_iter()
            .find(|(name, body)| body.len() < self.identity.len() && takes(name))
            .map_or((None, &self.identity), |(name, body)| (Some(name), body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assets(text: &str) -> Assets {
        let file = File::new("text/css", Bytes::from(text.repeat(100)));
        Assets::new(vec![Set { name: "test", files: vec![("a.css".to_owned(), file)] }])
    }

    fn get(assets: &Assets, version: &str, encodings: &'static str) -> Response {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings))]);
        assets.respond(version, "test/a.css", &headers)
    }

    #[test]
    fn the_version_is_the_content() {
        assert_eq!(assets("a").version(), assets("a").version());
        assert_ne!(assets("a").version(), assets("b").version());
    }

    #[test]
    fn only_the_right_version_is_kept_for_ever() {
        let assets = assets("a");
        assert_eq!(get(&assets, assets.version(), "").headers()[header::CACHE_CONTROL], FOR_EVER);
        assert_eq!(get(&assets, "older", "").headers()[header::CACHE_CONTROL], ASK_AGAIN);
        assert_eq!(assets.respond("older", "test/b.css", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_best_encoding_that_is_taken() {
        let assets = assets("a");
        let encoding = |accepted| get(&assets, "", accepted).headers().get(header::CONTENT_ENCODING).cloned();
        assert_eq!(encoding("gzip, br;q=0.9").unwrap(), "br");
        assert_eq!(encoding("gzip;q=1.0, br;q=0").unwrap(), "gzip");
        assert_eq!(encoding("identity"), None);
    }
}
