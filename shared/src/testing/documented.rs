//! Whether an OpenAPI document tells the truth about the crate it stands in, as far as its sources show.

use std::collections::BTreeSet;

use serde_json::Value;
use utoipa::openapi::{OpenApi, RefOr, path::ParameterIn};

use crate::openapi::{SHARED_SLUGS, operations};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Compares a role's document with the sources of its `routes.rs` and `error.rs`: the same routes, the
/// same slugs, and nothing that contradicts itself.
///
/// # Panics
/// When they differ.
pub fn assert_documented(api: &OpenApi, routes: &str, errors: &str) {
    assert_same("routes.rs", &routes_of(api), &routes_in(routes));
    let shared = SHARED_SLUGS.map(str::to_owned).into();
    let own = |slugs: BTreeSet<String>| slugs.difference(&shared).cloned().collect();
    assert_same("error.rs", &own(slugs_of(api)), &own(slugs_in(errors)));
    assert_sound(api);
}

fn assert_same(source: &str, documented: &BTreeSet<String>, found: &BTreeSet<String>) {
    let missing: Vec<_> = found.difference(documented).collect();
    let invented: Vec<_> = documented.difference(found).collect();
    assert!(missing.is_empty(), "in {source}, but not in the document: {missing:?}");
    assert!(invented.is_empty(), "in the document, but not in {source}: {invented:?}");
}

/// Every operation has a name of its own and a summary, its path's parameters are those of its template,
/// and every reference leads somewhere.
///
/// # Panics
/// When one does not.
pub fn assert_sound(api: &OpenApi) {
    let mut names = BTreeSet::new();
    for (path, item) in &api.paths.paths {
        for (method, operation) in operations(item) {
            let name = operation.operation_id.clone().unwrap_or_default();
            assert!(!name.is_empty() && names.insert(name.clone()), "{method} {path}: the name {name:?} is taken");
            assert!(operation.summary.is_some(), "{method} {path} has no doc comment");
            let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
                RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path => Some(parameter.name.as_str()),
                _ => None,
            });
            let braces = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
            assert_eq!(parameters.collect::<BTreeSet<_>>(), braces.collect(), "{method} {path}");
        }
    }
    let document = serde_json::to_value(api).expect("a document is JSON");
    for reference in references(&document) {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

/// `METHOD path` of every documented operation.
fn routes_of(api: &OpenApi) -> BTreeSet<String> {
    let all = api.paths.paths.iter();
    all.flat_map(|(path, item)| operations(item).map(move |(method, _)| format!("{method} {path}"))).collect()
}

/// `METHOD path` of every `.route("path", method(…))` in a source.
fn routes_in(source: &str) -> BTreeSet<String> {
    for hidden in [".nest(", ".nest_service(", ".route_service("] {
        assert!(!source.contains(hidden), "{hidden}…) hides URLs from this test; name them with .route(…)");
    }
    let mut routes = BTreeSet::new();
    for call in source.split(".route(").skip(1) {
        let mut quoted = call.splitn(3, '"');
        let (Some(""), Some(path), Some(rest)) = (quoted.next().map(str::trim), quoted.next(), quoted.next()) else {
            panic!("a route without a literal path: {call}");
        };
        let handlers = until_closed(rest);
        let before = routes.len();
        for method in METHODS {
            if calls(handlers, method) {
                routes.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        assert!(routes.len() > before, "no method is named at {path}, or it stands there twice: {handlers}");
    }
    routes
}

/// What stands before the bracket that closes one opened before.
fn until_closed(text: &str) -> &str {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

fn calls(text: &str, function: &str) -> bool {
    let call = format!("{function}(");
    text.match_indices(&call).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The slugs named in the descriptions of refusals.
fn slugs_of(api: &OpenApi) -> BTreeSet<String> {
    let mut slugs = BTreeSet::new();
    for (_, operation) in api.paths.paths.values().flat_map(operations) {
        for (status, response) in &operation.responses.responses {
            if let RefOr::T(response) = response
                && status.as_str() >= "400"
            {
                slugs.extend(response.description.split(", ").map(str::to_owned));
            }
        }
    }
    slugs
}

/// String literals that are slugs, but for the names of a problem's own members.
fn slugs_in(source: &str) -> BTreeSet<String> {
    let mut slugs = BTreeSet::new();
    let pieces: Vec<_> = source.split('"').collect();
    for pair in pieces.windows(2).step_by(2) {
        let [before, literal] = pair else { continue };
        let kebab = !literal.is_empty() && literal.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        if kebab && !before.ends_with(".with(") {
            slugs.insert((*literal).to_owned());
        }
    }
    slugs
}

fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| match (name.as_str(), member.as_str()) {
                ("$ref", Some(reference)) => vec![reference],
                _ => references(member),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_routes_off_a_source() {
        let source = r#"
            Router::new()
                .route("/a/{id}", get(a::show).patch(a::change).layer(limited(a)))
                .route(
                    "/b",
                    post(target(b)),
                )
        "#;
        let routes = ["GET /a/{id}", "PATCH /a/{id}", "POST /b"].map(str::to_owned);
        assert_eq!(routes_in(source), routes.into());
    }

    #[test]
    #[should_panic(expected = "hides URLs")]
    fn refuses_what_it_cannot_read() {
        routes_in(r#"Router::new().nest("/c", other::router())"#);
    }

    #[test]
    fn reads_slugs_off_a_source() {
        let source = r#"#[error("no such seat")] A => refuse("seats-taken", "Seats are taken").with("seats", seats)"#;
        assert_eq!(slugs_in(source), ["seats-taken".to_owned()].into());
    }
}
