//! What an operator tunes, with the bounds that keep a slip of the finger from ending an evening.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::brand::{Brand, BrandChanges, NAME_MAX};

/// A drop's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DropSettings)]
pub struct Settings {
    /// What fans read it called: one line of at most 120 characters. Without it, the name of its first event.
    #[serde(default)]
    pub title: String,
    /// Admissions a minute: 1 to 6,000,000.
    pub rate_per_minute: i32,
    /// Most fans admitted and not done at a time.
    #[serde(default = "Settings::default_max_active")]
    pub max_active: i32,
    /// How long a called fan may take to claim, in seconds: 1 to 86,400.
    #[serde(default = "Settings::default_claim_window_s")]
    pub claim_window_s: i32,
    /// How long after a lapse a claim still counts, in seconds: 0 to 86,400.
    #[serde(default = "Settings::default_grace_s")]
    pub grace_s: i32,
    /// How long an admission lasts, in seconds: 10 to 86,400.
    #[serde(default = "Settings::default_session_s")]
    pub session_s: i32,
    /// Tickets an account may hold or own in this drop: 1 to 100.
    #[serde(default = "Settings::default_max_per_fan")]
    pub max_per_fan: i32,
    /// When it opens by itself; without it, when an operator opens it.
    #[serde(default)]
    pub opens_at: Option<Timestamp>,
    #[serde(default)]
    pub join_requires: JoinRequires,
    /// Where the chance of the draw comes from; fixed once the list of the draw has closed.
    #[serde(default)]
    pub draw_source: DrawSource,
    #[serde(default)]
    pub mode: Mode,
    /// Whose sale fans see it is, and in which colour.
    #[serde(default)]
    pub brand: Brand,
}

/// Whether a fan must be signed in to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JoinRequires {
    #[default]
    None,
    /// One live place an account.
    Account,
}

/// Where the seed of the draw comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DrawSource {
    /// A secret of ours whose hash is shown beforehand. It binds us to the secret, not to the list.
    #[default]
    Commit,
    /// A round of a public beacon after the list has closed, over the list.
    Beacon,
}

/// How the drop hands out its turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Queue,
}

/// A setting out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("{field} must be between {least} and {most}")]
    Bounds { field: &'static str, least: i32, most: i32 },
    #[error("title must be one line of at most {TITLE_MAX} characters")]
    Title,
    #[error("opens_at must be a time of this century, from 2020 on")]
    OpensAt,
    #[error("the name of a brand is one line of at most {NAME_MAX} characters")]
    BrandName,
}

/// The longest title, in characters.
const TITLE_MAX: usize = 120;

/// 2020-01-01 and 2100-01-01: drawn keys reach 36 years below the opening and must stay above zero.
const OPENS_AT_S: std::ops::Range<i64> = 1_577_836_800..4_102_444_800;

impl Settings {
    /// So many inside at a time are no bound: the default.
    pub(crate) const BOUNDLESS: i32 = 1_000_000;

    /// The defaults at a rate.
    pub fn at_rate(rate_per_minute: i32) -> Self {
        Self {
            title: String::new(),
            rate_per_minute,
            max_active: Self::default_max_active(),
            claim_window_s: Self::default_claim_window_s(),
            grace_s: Self::default_grace_s(),
            session_s: Self::default_session_s(),
            max_per_fan: Self::default_max_per_fan(),
            opens_at: None,
            join_requires: JoinRequires::None,
            draw_source: DrawSource::Commit,
            mode: Mode::Queue,
            brand: Brand::default(),
        }
    }

    pub fn check(&self) -> Result<(), SettingsError> {
        let bounds = [
            ("rate_per_minute", self.rate_per_minute, 1, 6_000_000),
            ("max_active", self.max_active, 1, i32::MAX),
            ("claim_window_s", self.claim_window_s, 1, 86_400),
            ("grace_s", self.grace_s, 0, 86_400),
            ("session_s", self.session_s, 10, 86_400),
            ("max_per_fan", self.max_per_fan, 1, 100),
        ];
        for (field, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(SettingsError::Bounds { field, least, most });
            }
        }
        if self.title.chars().count() > TITLE_MAX || self.title.contains(char::is_control) {
            return Err(SettingsError::Title);
        }
        if self.opens_at.is_some_and(|at| !OPENS_AT_S.contains(&at.as_second())) {
            return Err(SettingsError::OpensAt);
        }
        if !self.brand.name_is_good() {
            return Err(SettingsError::BrandName);
        }
        Ok(())
    }

    fn default_max_active() -> i32 {
        Self::BOUNDLESS
    }
    fn default_claim_window_s() -> i32 {
        120
    }
    fn default_grace_s() -> i32 {
        600
    }
    fn default_session_s() -> i32 {
        900
    }
    fn default_max_per_fan() -> i32 {
        8
    }
}

impl JoinRequires {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Account => "account",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Account].into_iter().find(|requires| requires.as_str() == word)
    }
}

impl DrawSource {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Beacon => "beacon",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Commit, Self::Beacon].into_iter().find(|source| source.as_str() == word)
    }
}

/// A change of some settings; what is absent stays. `opens_at: null` takes the time away.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DropChanges)]
pub struct Changes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_active: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_window_s: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_s: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_s: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_fan: Option<i32>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    pub opens_at: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join_requires: Option<JoinRequires>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw_source: Option<DrawSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<BrandChanges>,
}

impl Changes {
    pub fn apply(&self, to: &Settings) -> Settings {
        Settings {
            title: self.title.as_deref().map_or_else(|| to.title.clone(), |title| title.trim().to_owned()),
            rate_per_minute: self.rate_per_minute.unwrap_or(to.rate_per_minute),
            max_active: self.max_active.unwrap_or(to.max_active),
            claim_window_s: self.claim_window_s.unwrap_or(to.claim_window_s),
            grace_s: self.grace_s.unwrap_or(to.grace_s),
            session_s: self.session_s.unwrap_or(to.session_s),
            max_per_fan: self.max_per_fan.unwrap_or(to.max_per_fan),
            opens_at: self.opens_at.unwrap_or(to.opens_at),
            join_requires: self.join_requires.unwrap_or(to.join_requires),
            draw_source: self.draw_source.unwrap_or(to.draw_source),
            mode: self.mode.unwrap_or(to.mode),
            brand: self.brand.as_ref().map_or_else(|| to.brand.clone(), |brand| brand.apply(&to.brand)),
        }
    }
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(from).map(Some)
}
