//! How a drop looks to its fans: whose it is, one colour, a logo. What an operator gives is checked here, and
//! the colours a page needs of it are made so that every word stays legible, in light and in dark.

mod colour;
mod logo;
mod svg;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub use colour::Colour;
pub use logo::{BYTES_MAX, Logo, LogoError, SIDE_MAX};

/// The longest name, in characters.
pub const NAME_MAX: usize = 60;

/// What WCAG 2.2 asks of text on its ground (1.4.3, level AA).
const CONTRAST_MIN: f64 = 4.5;
/// Grounds of the design system that accents are read on: the darkest of the light ones, the lightest of the
/// dark ones (`--sunken` in onsale.css); on the others the contrast is higher.
const LIGHT_GROUND: Colour = Colour([0xe9, 0xef, 0xec]);
const DARK_GROUND: Colour = Colour([0x1c, 0x2a, 0x26]);

/// Name and colour; the logo is stored beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Brand {
    /// Whose sale it is: one line of at most 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `#rrggbb`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub accent: Option<Colour>,
}

/// A change of a brand; what is absent stays, `null` takes away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrandChanges {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub accent: Option<Option<Colour>>,
}

impl BrandChanges {
    /// A name of blanks only is none.
    pub fn apply(&self, to: &Brand) -> Brand {
        let name = self.name.clone().unwrap_or_else(|| to.name.clone());
        Brand {
            name: name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
            accent: self.accent.unwrap_or(to.accent),
        }
    }
}

/// The colours a page wears, derived from the one that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Palette {
    pub accent: Colour,
    pub on_accent: Colour,
    pub accent_dark: Colour,
    pub on_accent_dark: Colour,
}

impl Palette {
    /// The accent as it was given where it can be read, else as much darker (on light grounds) or lighter (on
    /// dark ones) as it takes; on it black or white, whichever stands out more.
    pub fn of(accent: Colour) -> Self {
        let light = accent.legible_on(LIGHT_GROUND, Colour::BLACK, CONTRAST_MIN);
        let dark = accent.legible_on(DARK_GROUND, Colour::WHITE, CONTRAST_MIN);
        Self { accent: light, on_accent: light.opposite(), accent_dark: dark, on_accent_dark: dark.opposite() }
    }
}

impl Brand {
    pub fn name_is_good(&self) -> bool {
        self.name.as_ref().is_none_or(|name| name.chars().count() <= NAME_MAX && !name.contains(char::is_control))
    }

    /// What waitrooms read: JSON `{name, logo}` with the colours of [`Palette`], each null where there is none;
    /// empty when there is nothing of a brand at all. `logo` is the file's name.
    pub fn face(&self, logo: Option<&str>) -> String {
        #[derive(Serialize)]
        struct Face<'a> {
            name: Option<&'a str>,
            accent: Option<Colour>,
            on_accent: Option<Colour>,
            accent_dark: Option<Colour>,
            on_accent_dark: Option<Colour>,
            logo: Option<&'a str>,
        }
        if *self == Self::default() && logo.is_none() {
            return String::new();
        }
        let palette = self.accent.map(Palette::of);
        serde_json::json!(Face {
            name: self.name.as_deref(),
            accent: palette.map(|palette| palette.accent),
            on_accent: palette.map(|palette| palette.on_accent),
            accent_dark: palette.map(|palette| palette.accent_dark),
            on_accent_dark: palette.map(|palette| palette.on_accent_dark),
            logo,
        })
        .to_string()
    }
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_accent_is_legible_in_light_and_in_dark() {
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let given = Colour([red, green, blue]);
                    let palette = Palette::of(given);
                    for (one, other) in [
                        (palette.accent, LIGHT_GROUND),
                        (palette.accent, Colour::WHITE),
                        (palette.accent_dark, DARK_GROUND),
                        (palette.accent, palette.on_accent),
                        (palette.accent_dark, palette.on_accent_dark),
                    ] {
                        assert!(one.contrast(other) >= CONTRAST_MIN, "{given}: {one} on {other}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_accent_that_can_be_read_is_worn_as_it_was_given() {
        let teal = Colour::parse("#00695a").unwrap();
        assert_eq!(Palette::of(teal).accent, teal);
        let mint = Colour::parse("#43d9b1").unwrap();
        assert_eq!(Palette::of(mint).accent_dark, mint);
        assert_eq!(Palette::of(mint).on_accent_dark, Colour::BLACK);
    }

    #[test]
    fn a_face_is_whole_or_empty() {
        assert_eq!(Brand::default().face(None), "");
        let named = Brand { name: Some("The “Hall”".into()), accent: None };
        let face: serde_json::Value = serde_json::from_str(&named.face(Some("ab.svg"))).unwrap();
        assert_eq!(
            (&face["name"], &face["accent"], &face["logo"]),
            (&"The “Hall”".into(), &().into(), &"ab.svg".into())
        );
    }

    #[test]
    fn changes_keep_what_they_do_not_name() {
        let old = Brand { name: Some("Hall".into()), accent: Colour::parse("#123456") };
        let changes = |json: &str| serde_json::from_str::<BrandChanges>(json).map(|changes| changes.apply(&old));
        assert_eq!(changes("{}").unwrap(), old);
        assert_eq!(changes(r#"{"accent": null, "name": " "}"#).unwrap(), Brand::default());
        assert_eq!(changes(r##"{"accent": "#ABCDEF"}"##).unwrap().accent.unwrap().to_string(), "#abcdef");
        for bad in [r#"{"accent": "red"}"#, r##"{"accent": "#12345"}"##, r#"{"font": "x"}"#] {
            assert!(changes(bad).is_err(), "{bad}");
        }
    }
}
