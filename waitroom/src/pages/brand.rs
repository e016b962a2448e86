//! A drop's own face: the name, the colours and the logo its organiser chose. Colours come as a style sheet and the
//! logo as a picture, both under addresses that name their content: the policy lets nothing inline in.

use std::sync::Arc;

use admission::ids::DropId;
use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use dashmap::DashMap;
use serde::Deserialize;
use shared::{
    encoding::{hex, sha256},
    json::Path,
};

use crate::{app::App, error::Error};

/// For an address that names its content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For one that named what was there before.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// A picture from elsewhere may draw, and nothing else.
const PICTURE_POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'; style-src 'unsafe-inline'");

/// As admission stores it with the line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Brand {
    pub(super) name: Option<String>,
    /// For what is to be noticed, and what is written on it, in light and in dark.
    accent: Option<Colour>,
    on_accent: Option<Colour>,
    accent_dark: Option<Colour>,
    on_accent_dark: Option<Colour>,
    /// The name of the logo's file.
    logo: Option<String>,
}

/// `#rrggbb`: what else stood there could end the declaration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Colour(String);

impl TryFrom<String> for Colour {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix('#').unwrap_or_default();
        let is_colour = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_colour { Ok(Self(text)) } else { Err("a colour is #rrggbb") }
    }
}

impl Brand {
    /// What is not a brand is none: a line must not lose its page over its paint.
    pub(super) fn read(json: &str) -> Self {
        if json.is_empty() {
            return Self::default();
        }
        serde_json::from_str(json).unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "a drop's brand");
            Self::default()
        })
    }

    /// The address of the drop's own style sheet.
    pub(super) fn sheet(&self, drop: &DropId) -> Option<String> {
        let css = self.css()?;
        Some(format!("/queue/{drop}/brand/{}.css", name_of(&css)))
    }

    /// The address of the logo.
    pub(super) fn logo(&self, drop: &DropId) -> Option<String> {
        let is_name = |file: &&String| file.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        self.logo.as_ref().filter(is_name).map(|file| format!("/queue/{drop}/logo/{file}"))
    }

    /// The tokens of the design system that a brand may change.
    fn css(&self) -> Option<String> {
        let tokens = |accent: &Colour, on: &Colour, lively: &str| {
            let (Colour(accent), Colour(on)) = (accent, on);
            format!(
                ":root{{--accent:{accent};--on-accent:{on};--accent-lively:color-mix(in oklab,{accent} 82%,{lively});\
                 --tint:color-mix(in oklab,{accent} 12%,var(--surface));--on-tint:var(--ink)}}"
            )
        };
        let light = tokens(self.accent.as_ref()?, self.on_accent.as_ref()?, "black");
        let dark = match (&self.accent_dark, &self.on_accent_dark) {
            (Some(accent), Some(on)) => {
                format!("@media screen and (prefers-color-scheme:dark){{{}}}", tokens(accent, on, "white"))
            }
            _ => String::new(),
        };
        Some(format!("{light}\n{dark}"))
    }
}

/// The beginning of the hash of a file's content.
fn name_of(content: &str) -> String {
    hex(&sha256(&[content.as_bytes()])[..6])
}

/// `GET /queue/{drop}/brand/{file}`
pub(super) async fn sheet(
    State(app): State<App>,
    Path((drop, file)): Path<(String, String)>,
) -> Result<Response, Error> {
    let drop = DropId::parse(&drop).ok_or(Error::UnknownDrop)?;
    let css = Brand::read(&app.crowds.of(&drop).await?.tick().face.brand).css().unwrap_or_default();
    let cache = if file == format!("{}.css", name_of(&css)) { FOR_EVER } else { ASK_AGAIN };
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")), (header::CACHE_CONTROL, cache)];
    Ok((headers, css).into_response())
}

/// The logo of each drop somebody looked at: a crowd that arrives costs Redis one command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logos(Arc<DashMap<DropId, Logo>>);

#[derive(Debug, Clone)]
struct Logo {
    file: String,
    content_type: HeaderValue,
    bytes: Bytes,
}

/// `GET /queue/{drop}/logo/{file}`
pub(super) async fn logo(
    State(app): State<App>,
    Path((drop, file)): Path<(String, String)>,
) -> Result<Response, Error> {
    let drop = DropId::parse(&drop).ok_or(Error::UnknownDrop)?;
    let crowd = app.crowds.of(&drop).await?;
    let current = Brand::read(&crowd.tick().face.brand).logo;
    if current.as_ref() != Some(&file) {
        return Err(Error::UnknownLogo);
    }
    let known = app.logos.0.get(&drop).filter(|logo| logo.file == file).map(|logo| logo.clone());
    let logo = match known {
        Some(logo) => logo,
        None => {
            let (bytes, _) = app.line.logo(&drop).await?.ok_or(Error::UnknownLogo)?;
            let logo = Logo::named(file, bytes).ok_or(Error::UnknownLogo)?;
            app.logos.0.insert(drop, logo.clone());
            logo
        }
    };
    let headers = [
        (header::CONTENT_TYPE, logo.content_type),
        (header::CACHE_CONTROL, FOR_EVER),
        (header::CONTENT_SECURITY_POLICY, PICTURE_POLICY),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    Ok((headers, logo.bytes).into_response())
}

impl Logo {
    /// What Redis has now may be newer than the brand that named it, and is kept for a year under that name: the
    /// content decides, and nothing but a picture has a name.
    fn named(file: String, bytes: Vec<u8>) -> Option<Self> {
        let picture = admission::brand::Logo::check(bytes).ok().filter(|picture| picture.file() == file)?;
        let content_type = HeaderValue::from_static(picture.content_type());
        Some(Self { file, content_type, bytes: Bytes::copy_from_slice(picture.bytes()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRAND: &str = r##"{"name":"Ada & friends","accent":"#8a1538","on_accent":"#ffffff",
        "accent_dark":"#ff9db5","on_accent_dark":"#3b0010","logo":"0123abcd.svg"}"##;

    #[test]
    fn a_brand_is_colours_a_name_and_a_logo() {
        let (brand, drop) = (Brand::read(BRAND), DropId::parse("d").unwrap());
        assert_eq!(brand.name.as_deref(), Some("Ada & friends"));
        assert_eq!(brand.logo(&drop).unwrap(), "/queue/d/logo/0123abcd.svg");
        let css = brand.css().unwrap();
        assert!(css.starts_with(":root{--accent:#8a1538;--on-accent:#ffffff;"), "{css}");
        assert!(css.contains("dark){:root{--accent:#ff9db5;"), "{css}");
        let other = Brand::read(&BRAND.replace("8a1538", "8a1539"));
        assert_ne!(brand.sheet(&drop), other.sheet(&drop), "another content, another address");
    }

    #[test]
    fn what_could_break_out_of_the_style_sheet_or_the_address_is_no_brand() {
        for accent in ["red", "#fff", "#8a1538;}*{display:none", "#gggggg", "url(//evil.example)"] {
            let brand = Brand::read(&format!(r##"{{"accent":"{accent}","on_accent":"#ffffff"}}"##));
            assert_eq!(brand, Brand::default(), "{accent}");
        }
        let drop = DropId::parse("d").unwrap();
        assert_eq!(Brand::read(r#"{"logo":"../../evil"}"#).logo(&drop), None);
        assert_eq!(Brand::read("{").sheet(&drop), None);
    }
}
