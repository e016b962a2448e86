//! What is wrong with a setting: the key and where it came from, never a secret's value.

use std::path::Path;

use anyhow::anyhow;
use config::ConfigError;

use super::{Entry, Layer};

/// The error with its source. config-rs knows the source of a wrong type only; an unknown
/// or wrong value is looked up in the layers here.
pub(super) fn explain(error: &ConfigError, layers: &[&Layer], file: Option<&Path>) -> anyhow::Error {
    let text = describe(error);
    if layers.iter().any(|layer| layer.entries.iter().any(|entry| text.contains(&entry.origin))) {
        return anyhow!("settings: {text}");
    }
    let (key, unknown) = match error {
        ConfigError::Type { key, .. } | ConfigError::At { key, .. } => (key.clone(), unknown_field(&text)),
        ConfigError::NotFound(_) => return anyhow!("settings: {text}"),
        _ => (None, unknown_field(&text)),
    };
    let names = |entry: &Entry| match (&key, unknown) {
        (_, Some(field)) => entry.key.split('.').any(|part| part == field),
        (Some(key), None) => entry.key == *key || key.starts_with(&format!("{}[", entry.key)),
        (None, None) => false,
    };
    let origin = layers.iter().flat_map(|layer| &layer.entries).find(|entry| names(entry));
    match (origin, file) {
        (Some(entry), _) => anyhow!("settings: {text} in {} (key `{}`)", entry.origin, entry.key),
        (None, Some(path)) => anyhow!("settings: {text} in {}", path.display()),
        (None, None) => anyhow!("settings: {text}"),
    }
}

/// What the error says, without the value where that is or may be a secret.
pub(super) fn describe(error: &ConfigError) -> String {
    let from = |origin: &Option<String>| origin.as_ref().map(|origin| format!(" in {origin}")).unwrap_or_default();
    match error {
        ConfigError::Type { origin, unexpected, expected, key } => {
            // text where a section or list belongs may hold any secret of it: a URL given as `redis`
            let shown = key.as_deref().is_some_and(|key| !is_secret(key)) && !is_group(expected);
            let found = unexpected.to_string();
            let found = if shown { &found } else { kind(&found) };
            let key = key.as_ref().map(|key| format!(" for key `{key}`")).unwrap_or_default();
            format!("invalid type: {found}, expected {expected}{key}{}", from(origin))
        }
        ConfigError::At { error: inner, origin, key: Some(key) } => {
            let text = inner.to_string();
            // serde's own words: a section given as text, for one
            let hidden = unknown_field(&text).is_none() && (is_secret(key) || text.starts_with("invalid type: "));
            let text = if hidden { without_value(&text) } else { text };
            format!("{text} for key `{key}`{}", from(origin))
        }
        ConfigError::FileParse { cause, .. } => without_excerpt(&cause.to_string()),
        other => other.to_string(),
    }
}

/// `x` out of "unknown field `x`, expected …".
fn unknown_field(text: &str) -> Option<&str> {
    text.strip_prefix("unknown field `")?.split('`').next()
}

fn is_secret(key: &str) -> bool {
    let mut parts = key.split(['.', '[']);
    let root = parts.next().unwrap_or_default();
    let leaf = parts.rfind(|part| !part.ends_with(']')).unwrap_or(root);
    root == "keys"
        || leaf.contains("secret")
        || leaf.contains("password")
        || ["key", "keys", "url"].iter().any(|end| leaf == *end || leaf.ends_with(&format!("_{end}")))
}

/// The words of config-rs and serde for what is no single value.
fn is_group(expected: &str) -> bool {
    ["struct ", "a map", "an array", "a sequence"].iter().any(|group| expected.starts_with(group))
}

/// `string` out of `string "hunter2"`: config-rs quotes every value it shows.
fn kind(found: &str) -> &str {
    found.split(['"', '`']).next().unwrap_or_default().trim_end()
}

/// What is expected out of "invalid type: string "hunter2", expected struct Keys".
fn without_value(text: &str) -> String {
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("invalid value (not shown), expected {expected}"),
        None => "invalid value (not shown)".to_owned(),
    }
}

/// A syntax error of TOML without the line it quotes, which may be that of a key: the
/// quotation's lines are a number, if any, and a bar.
fn without_excerpt(text: &str) -> String {
    let quoted = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    text.lines().filter(|line| !quoted(line)).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for key in [
            "keys",
            "keys.master_keys",
            "keys.master_keys[0]",
            "master_keys",
            "redis.url",
            "booking.smtp_url",
            "booking.stripe.secret_key",
            "sandbox.webhook_secret",
            "server.tls.key",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["booking.hold_s", "server.listen", "server.trusted_proxies[0]", "booking.stripe.api_base"] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
