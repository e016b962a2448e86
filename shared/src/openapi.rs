//! What the OpenAPI documents of all roles have in common.
//!
//! A handler's `#[utoipa::path]` says what is its own: what it takes and answers, and the slugs of its
//! refusals by status, as `(status = 404, description = "drop, place")`. [`complete`] adds what follows
//! from that, so that no handler repeats it: the shape of every refusal, and the refusals of the
//! extractors and the middleware before it.

use serde_json::Value;
use utoipa::openapi::{
    Components, Content, Object, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Response, Schema, Type,
    header::Header,
    path::{Operation, ParameterIn},
    schema::AdditionalProperties,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

/// The slugs every role may answer, whatever its own errors are.
pub const SHARED_SLUGS: [&str; 9] = [
    "cross-site",
    "internal",
    "malformed",
    "rate-limited",
    "too-large",
    "unavailable",
    "unknown-field",
    "unsupported-type",
    "wrong-type",
];

/// Slugs by status.
type Refusals = &'static [(u16, &'static str)];

/// Something a client shows, and how it is refused.
#[derive(Clone)]
pub struct Credential {
    /// As in `security(("name" = []))`.
    name: &'static str,
    scheme: SecurityScheme,
    refusals: Refusals,
}

impl Credential {
    /// `Authorization: Bearer`.
    pub fn bearer(name: &'static str, description: &str, refusals: Refusals) -> Self {
        let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
        Self { name, scheme: SecurityScheme::Http(http.build()), refusals }
    }

    /// A header of its own.
    pub fn header(name: &'static str, header: &str, description: &str, refusals: Refusals) -> Self {
        let key = ApiKeyValue::with_description(header, description);
        Self { name, scheme: SecurityScheme::ApiKey(ApiKey::Header(key)), refusals }
    }
}

/// Makes a role's document whole. Its title (the crate's name, where nothing else was said) becomes the
/// tag of all its operations.
pub fn complete(mut api: OpenApi, credentials: &[Credential]) -> OpenApi {
    let tag = api.info.title.clone();
    for item in api.paths.paths.values_mut() {
        for (method, operation) in operations_mut(item) {
            operation.tags = Some(vec![tag.clone()]);
            operation.summary = operation.summary.take().map(|text| text.replace('\n', " "));
            for (status, slugs) in refusals(method, operation, credentials) {
                refuse(operation, status, slugs);
            }
            shape_refusals(operation);
            absent_not_null(operation);
        }
    }
    api.tags = Some(vec![TagBuilder::new().name(tag).description(api.info.description.clone()).build()]);
    let components = api.components.get_or_insert_default();
    components.schemas.insert("Problem".to_owned(), problem().into());
    for Credential { name, scheme, .. } in credentials {
        components.security_schemes.insert((*name).to_owned(), scheme.clone().into());
    }
    open_composed(components);
    api
}

/// The operations at a path, with their methods.
pub fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let all = [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let all = [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What an operation may be refused with before and beside its own reasons.
fn refusals(method: &str, operation: &Operation, credentials: &[Credential]) -> Vec<(u16, &'static str)> {
    let mut refusals = vec![(500, "internal"), (503, "unavailable")];
    if method != "GET" {
        refusals.push((403, "cross-site"));
    }
    let has_query = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
        RefOr::Ref(_) => false,
    });
    if has_query {
        refusals.push((400, "malformed"));
    }
    if let Some(RefOr::T(body)) = &operation.request_body {
        refusals.push((413, "too-large"));
        if body.content.contains_key("application/json") {
            refusals.extend([(400, "malformed"), (415, "unsupported-type"), (422, "unknown-field, wrong-type")]);
        }
    }
    // a requirement keeps its names to itself, but not its JSON
    let required: Vec<Value> =
        operation.security.iter().flatten().filter_map(|one| serde_json::to_value(one).ok()).collect();
    let used = credentials.iter().filter(|credential| required.iter().any(|one| one.get(credential.name).is_some()));
    refusals.extend(used.flat_map(|credential| credential.refusals));
    refusals
}

/// Adds slugs to those the operation has at that status.
fn refuse(operation: &mut Operation, status: u16, slugs: &str) {
    let response =
        operation.responses.responses.entry(status.to_string()).or_insert_with(|| Response::default().into());
    let RefOr::T(response) = response else { return };
    for slug in slugs.split(", ") {
        if !response.description.split(", ").any(|known| known == slug) {
            let comma = if response.description.is_empty() { "" } else { ", " };
            response.description.extend([comma, slug]);
        }
    }
}

/// Every answer from 400 on is a problem document; where waiting helps, it says how long.
fn shape_refusals(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.as_str() < "400" {
            continue;
        }
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        response.content.insert("application/problem+json".to_owned(), content.into());
        if status == "429" || status == "503" {
            let mut wait = Header::new(Object::with_type(Type::Integer));
            wait.description = Some("Seconds".to_owned());
            response.headers.insert("Retry-After".to_owned(), wait.into());
        }
    }
}

/// A body that may be left out is described as `Option`; what it is not, is `null`.
fn absent_not_null(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        if let RefOr::T(Content { schema: Some(schema), .. }) = content
            && let RefOr::T(Schema::OneOf(choice)) = schema
            && let Some(body) = choice.items.iter().find(|choice| matches!(choice, RefOr::Ref(_)))
        {
            *schema = body.clone();
        }
    }
}

fn problem() -> Object {
    let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    ObjectBuilder::new()
        .description(Some("A refusal or failure (RFC 9457). Some types have members of their own."))
        .property("type", text("`/problems/<slug>`; the description of each response lists the slugs it may have."))
        .required("type")
        .property("title", text("The same for every problem of the type."))
        .required("title")
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).description(Some("The HTTP status.")))
        .required("status")
        .property("detail", text("What is wrong with this request in particular."))
        .build()
}

/// A part of an `allOf` that forbids all members but its own would forbid those of the other parts.
fn open_composed(components: &mut Components) {
    let mut parts = Vec::new();
    for schema in components.schemas.values() {
        let RefOr::T(Schema::AllOf(all)) = schema else { continue };
        parts.extend(all.items.iter().filter_map(|part| match part {
            RefOr::Ref(part) => part.ref_location.rsplit('/').next().map(str::to_owned),
            RefOr::T(_) => None,
        }));
    }
    for part in parts {
        let Some(RefOr::T(Schema::Object(part))) = components.schemas.get_mut(&part) else { continue };
        if matches!(part.additional_properties.as_deref(), Some(AdditionalProperties::FreeForm(false))) {
            part.additional_properties = None;
        }
    }
}
