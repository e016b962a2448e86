//! Settings in layers: a TOML file, then the environment, then flags. The later wins, key
//! by key. Defaults belong to the types that are read (`#[serde(default)]`).
//!
//! `booking.hold_s` in the file is `ONSALE_BOOKING__HOLD_S` in the environment: two
//! underscores go down a level. `ONSALE_CONFIG` names the file and is no setting. A value
//! that starts with `[` is a list in JSON: `["10.0.0.0/8"]`.

mod explain;

use std::{fmt::Debug, path::Path};

use anyhow::{Context as _, anyhow};
use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use serde::de::DeserializeOwned;

const PREFIX: &str = "ONSALE_";
const FILE_VARIABLE: &str = "ONSALE_CONFIG";

/// Reads settings: `file`, then the process's environment, then `overrides` (dotted keys,
/// from flags).
///
/// # Errors
/// For a file that cannot be read, a value of the wrong type, a missing key, or a key the
/// type does not know; the message names the key and where it came from, and never shows
/// the value of a secret.
pub fn load<T: DeserializeOwned>(file: Option<&Path>, overrides: &[(String, String)]) -> anyhow::Result<T> {
    load_from(
        file,
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        overrides,
    )
}

/// Reads `file` and nothing else.
///
/// # Errors
/// As [`load`].
pub fn load_file<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    load_from(Some(file), std::iter::empty(), &[])
}

fn load_from<T: DeserializeOwned>(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &[(String, String)],
) -> anyhow::Result<T> {
    let environment = Layer::environment(environment);
    let flags = Layer::flags(overrides);
    let layers = [&flags, &environment]; // the one that wins first
    let mut builder = Config::builder();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).with_context(|| format!("settings file {}", path.display()))?;
        // checked alone first, so that a syntax error names the file
        Config::builder()
            .add_source(File::from_str(&text, FileFormat::Toml))
            .build()
            .map_err(|error| anyhow!("settings file {}: {}", path.display(), explain::describe(&error)))?;
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let config = builder.add_source(environment.clone()).add_source(flags.clone()).build();
    config.and_then(Config::try_deserialize).map_err(|error| explain::explain(&error, &layers, file))
}

/// Keys with values and the name of where each came from.
#[derive(Clone, Debug)]
struct Layer {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    key: String,
    value: Value,
    origin: String,
}

impl Layer {
    fn environment(variables: impl Iterator<Item = (String, String)>) -> Self {
        let entries = variables
            .filter(|(name, _)| name != FILE_VARIABLE)
            .filter_map(|(name, text)| {
                let key = name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", ".");
                Some(Entry::new(key, &text, format!("environment variable {name}")))
            })
            .collect();
        Self { entries }
    }

    fn flags(overrides: &[(String, String)]) -> Self {
        let entries =
            overrides.iter().map(|(key, text)| Entry::new(key.clone(), text, format!("the flag for {key}"))).collect();
        Self { entries }
    }
}

impl Entry {
    fn new(key: String, text: &str, origin: String) -> Self {
        let value = Value::new(Some(&origin), kind(text, &origin));
        Self { key, value, origin }
    }
}

/// Text stays text (it is read as a number or a truth value where the type wants one), so
/// that a secret of digits keeps its zeros. Only lists are taken apart.
fn kind(text: &str, origin: &String) -> ValueKind {
    if text.trim_start().starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<serde_json::Value>>(text)
    {
        let item = |item: serde_json::Value| match item {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        return ValueKind::Array(items.into_iter().map(|value| Value::new(Some(origin), item(value))).collect());
    }
    ValueKind::String(text.to_owned())
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use secrecy::{ExposeSecret as _, SecretString};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        listen: Option<std::net::SocketAddr>,
        booking: Booking,
        proxies: Vec<ipnet::IpNet>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Booking {
        hold_s: u64,
        currency: String,
        live: bool,
        key: SecretString,
        master_keys: Vec<SecretString>,
        api_url: Option<std::net::SocketAddr>,
    }

    impl Default for Booking {
        fn default() -> Self {
            Self {
                hold_s: 600,
                currency: "USD".into(),
                live: false,
                key: "".into(),
                master_keys: vec![],
                api_url: None,
            }
        }
    }

    fn read(toml: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        let own = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        load_from(Some(file.path()), own(environment).into_iter(), &own(flags))
    }

    #[test]
    fn the_later_layer_wins_key_by_key() {
        let toml = "listen = '127.0.0.1:1'\n[booking]\nhold_s = 1\ncurrency = 'EUR'";
        let environment = [
            ("ONSALE_BOOKING__HOLD_S", "2"),
            ("ONSALE_BOOKING__LIVE", "true"),
            ("ONSALE_BOOKING__KEY", "007"),
            ("ONSALE_PROXIES", r#"["10.0.0.0/8", "fd00::/8"]"#),
            ("ONSALE_CONFIG", "/etc/onsale.toml"),
            ("PATH", "/bin"),
        ];
        let settings = read(toml, &environment, &[("booking.hold_s", "3")]).unwrap();
        assert_eq!(settings.listen.unwrap().port(), 1);
        assert_eq!((settings.booking.hold_s, &*settings.booking.currency, settings.booking.live), (3, "EUR", true));
        assert_eq!(settings.booking.key.expose_secret(), "007");
        assert_eq!(settings.proxies.len(), 2);
        assert_eq!(read("", &environment, &[]).unwrap().booking.hold_s, 2);
        assert_eq!(read("", &[], &[]).unwrap().booking.hold_s, 600);
    }

    #[test]
    fn an_error_names_the_key_and_its_source() {
        let text = |toml: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]| {
            format!("{:#}", read(toml, environment, flags).unwrap_err())
        };
        let expect = |text: &str, parts: &[&str]| {
            for part in parts {
                assert!(text.contains(part), "{text:?} lacks {part:?}");
            }
        };
        expect(&text("", &[("ONSALE_BOOKING__HOLD_S", "soon")], &[]), &["booking.hold_s", "ONSALE_BOOKING__HOLD_S"]);
        expect(&text("", &[("ONSALE_BOOKING__HODL_S", "1")], &[]), &["hodl_s", "ONSALE_BOOKING__HODL_S"]);
        expect(&text("", &[("ONSALE_LISTEN", "here")], &[]), &["listen", "ONSALE_LISTEN"]);
        expect(&text("", &[], &[("booking.live", "maybe")]), &["booking.live", "the flag for booking.live"]);
        expect(&text("[booking]\nhold_s = 'x'", &[], &[]), &["booking.hold_s", ".toml"]);
        expect(&text("[booking]\ncolour = 1", &[], &[]), &["colour", ".toml"]);
        expect(&text("[booking", &[], &[]), &["settings file", ".toml"]);
        let missing = load::<Settings>(Some(Path::new("/nonexistent/onsale.toml")), &[]).unwrap_err();
        expect(&format!("{missing:#}"), &["/nonexistent/onsale.toml", "No such file"]);
    }

    #[test]
    fn a_mistyped_secret_is_not_shown() {
        let text = |toml: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]| {
            format!("{:#}", read(toml, environment, flags).unwrap_err())
        };
        let cases = [
            (text("", &[("ONSALE_BOOKING__MASTER_KEYS", "hunter2")], &[]), "ONSALE_BOOKING__MASTER_KEYS"),
            (text("", &[], &[("booking.master_keys", "hunter2")]), "the flag for booking.master_keys"),
            (text("", &[("ONSALE_BOOKING__MASTER_KEYS", "[hunter2]")], &[]), "booking.master_keys"),
            (text("", &[("ONSALE_BOOKING__API_URL", "hunter2")], &[]), "ONSALE_BOOKING__API_URL"),
            (text("", &[("ONSALE_BOOKING", "hunter2")], &[]), "ONSALE_BOOKING"),
            (text("[booking]\nmaster_keys = 'hunter2'", &[], &[]), "booking.master_keys"),
            (text("booking = 'hunter2'", &[], &[]), ".toml"),
            (text("[booking]\nkey = hunter2", &[], &[]), "line 2"),
            (text("[booking]\nkey = 'hunter2", &[], &[]), "line 2"),
        ];
        for (text, part) in cases {
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
        // what is no secret is shown, and so is a name that is not known
        assert!(text("", &[("ONSALE_BOOKING__HOLD_S", "soon")], &[]).contains("soon"));
    }
}
