//! The shapes schema.org allows where we look: one value or a list of them, a thing or just
//! its name, an address as text or in parts. Fields we do not know are passed over; a field
//! we know with a value of another type is refused, with its name in the reason.

use serde_json::{Map, Value};

type Fields = Map<String, Value>;
type Reason = String;

#[derive(Debug)]
pub(super) struct Event {
    pub(super) kinds: Vec<String>,
    pub(super) identifier: String,
    pub(super) name: String,
    pub(super) start_date: String,
    pub(super) location: Place,
    pub(super) description: String,
    pub(super) keywords: Vec<String>,
    pub(super) super_event: Vec<String>,
    pub(super) organizer: Vec<String>,
    pub(super) performer: Vec<Performer>,
    pub(super) work_performed: Vec<Work>,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) address: Address,
}

/// As text on one line, and the town if it was told apart.
#[derive(Debug, Default)]
pub(super) struct Address {
    pub(super) text: String,
    pub(super) locality: Option<String>,
}

#[derive(Debug)]
pub(super) struct Performer {
    pub(super) name: String,
    pub(super) is_group: bool,
    pub(super) role: String,
}

#[derive(Debug)]
pub(super) struct Work {
    pub(super) name: String,
    pub(super) composer: String,
}

/// Reads a line. The reason names the field and what was expected there.
pub(super) fn parse(line: &[u8]) -> Result<Event, Reason> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(fields) = value else { return Err("not a JSON object".to_owned()) };
    Ok(Event {
        kinds: many("@type", required(&fields, "@type")?, text)?,
        identifier: identifier("identifier", required(&fields, "identifier")?)?,
        name: text("name", required(&fields, "name")?)?,
        start_date: text("startDate", required(&fields, "startDate")?)?,
        location: first("location", required(&fields, "location")?, place)?,
        description: optional(&fields, "description").map_or(Ok(String::new()), |v| text("description", v))?,
        keywords: all(&fields, "keywords", name)?,
        super_event: all(&fields, "superEvent", name)?,
        organizer: all(&fields, "organizer", name)?,
        performer: all(&fields, "performer", performer)?,
        work_performed: all(&fields, "workPerformed", work)?,
    })
}

fn optional<'a>(fields: &'a Fields, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}

fn required<'a>(fields: &'a Fields, field: &str) -> Result<&'a Value, Reason> {
    optional(fields, field).ok_or_else(|| format!("{field} is missing"))
}

/// All values of a field that may be absent, single, or a list.
fn all<T>(fields: &Fields, field: &str, read: fn(&str, &Value) -> Result<T, Reason>) -> Result<Vec<T>, Reason> {
    optional(fields, field).map_or(Ok(Vec::new()), |value| many(field, value, read))
}

fn many<T>(field: &str, value: &Value, read: fn(&str, &Value) -> Result<T, Reason>) -> Result<Vec<T>, Reason> {
    match value {
        Value::Array(values) => values.iter().map(|value| read(field, value)).collect(),
        one => Ok(vec![read(field, one)?]),
    }
}

fn first<T>(field: &str, value: &Value, read: fn(&str, &Value) -> Result<T, Reason>) -> Result<T, Reason> {
    many(field, value, read)?.into_iter().next().ok_or_else(|| format!("{field} is empty"))
}

fn text(field: &str, value: &Value) -> Result<String, Reason> {
    value.as_str().map(str::to_owned).ok_or_else(|| wrong(field, "text", value))
}

/// Text, a whole number, or a `PropertyValue`, as programs write keys.
fn identifier(field: &str, value: &Value) -> Result<String, Reason> {
    match value {
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        Value::Object(fields) => identifier("identifier.value", required(fields, "value")?),
        other => text(field, other),
    }
}

/// The name of a thing, or the bare name.
fn name(field: &str, value: &Value) -> Result<String, Reason> {
    match value {
        Value::String(name) => Ok(name.clone()),
        Value::Object(fields) => text(&format!("{field}.name"), required(fields, "name").map_err(in_field(field))?),
        other => Err(wrong(field, "a name or an object with one", other)),
    }
}

fn place(field: &str, value: &Value) -> Result<Place, Reason> {
    let address = match value.get("address") {
        None | Some(Value::Null) => Address::default(),
        Some(value) => address(&format!("{field}.address"), value)?,
    };
    Ok(Place { name: name(field, value)?, address })
}

fn address(field: &str, value: &Value) -> Result<Address, Reason> {
    let fields = match value {
        Value::String(text) => return Ok(Address { text: text.clone(), locality: None }),
        Value::Object(fields) => fields,
        other => return Err(wrong(field, "text or a PostalAddress", other)),
    };
    let part = |part: &str| optional(fields, part).map(|value| name(&format!("{field}.{part}"), value)).transpose();
    let locality = part("addressLocality")?;
    let parts = [
        part("streetAddress")?,
        locality.clone(),
        part("addressRegion")?,
        part("postalCode")?,
        part("addressCountry")?,
    ];
    let text = parts.into_iter().flatten().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(", ");
    Ok(Address { text, locality })
}

fn performer(field: &str, value: &Value) -> Result<Performer, Reason> {
    let kinds = match value.get("@type") {
        None | Some(Value::Null) => Vec::new(),
        Some(kind) => many(&format!("{field}.@type"), kind, text)?,
    };
    let role = ["jobTitle", "roleName"].into_iter().find_map(|key| value.get(key).filter(|role| !role.is_null()));
    Ok(Performer {
        name: name(field, value)?,
        is_group: kinds.iter().any(|kind| kind != "Person"),
        role: role.map_or(Ok(String::new()), |role| text(&format!("{field}.jobTitle"), role))?,
    })
}

fn work(field: &str, value: &Value) -> Result<Work, Reason> {
    let composers = match value.get("composer") {
        None | Some(Value::Null) => Vec::new(),
        Some(composer) => many(&format!("{field}.composer"), composer, name)?,
    };
    Ok(Work { name: name(field, value)?, composer: composers.join(", ") })
}

fn in_field(field: &str) -> impl Fn(Reason) -> Reason {
    move |reason| format!("{field}.{reason}")
}

fn wrong(field: &str, expected: &str, found: &Value) -> Reason {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("{field} must be {expected}, not {found}")
}
