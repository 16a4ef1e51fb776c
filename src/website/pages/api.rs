//! The page about the API: what its description says, for people. Made once; it needs no numbers.

use super::super::v1::{document, resolved};
use super::{Frame, page_or_part};
use crate::sys::clock::unix_ms;
use crate::website::routes::Site;
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

#[derive(Template)]
#[template(path = "api.html")]
struct Api {
    frame: Frame,
    operations: &'static [Operation],
}

/// A path.
struct Operation {
    id: String,
    path: String,
    words: String,
    parameters: Vec<Row>,
    fields: Vec<Row>,
    example: String,
}

/// A parameter, or a field.
struct Row {
    name: String,
    kind: String,
    words: String,
}

/// `/api`.
pub(in crate::website) async fn api(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    page_of(&site, &headers, false)
}

/// The page, or what is within its `main`.
pub(super) fn page_of(site: &Site, headers: &HeaderMap, part: bool) -> Response {
    static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(operations);
    let frame = Frame::new(site, "/api", "API", unix_ms());
    page_or_part(headers, part, &Api { frame, operations: &OPERATIONS })
}

fn text(of: &Value, key: &str) -> String {
    of.get(key).and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

fn operations() -> Vec<Operation> {
    let document = document();
    let paths = document.get("paths").and_then(Value::as_object);
    paths.into_iter().flatten().filter_map(|(path, item)| operation(document, path, item)).collect()
}

fn operation(document: &Value, path: &str, item: &Value) -> Option<Operation> {
    let get = item.get("get")?;
    let (media, content) = get.pointer("/responses/200/content")?.as_object()?.iter().next()?;
    let parameters = get.get("parameters")?.as_array()?.iter();
    let parameter = |parameter: &Value| Row {
        name: text(parameter, "name"),
        kind: limits(parameter.get("schema").unwrap_or(&Value::Null)),
        words: text(parameter, "description"),
    };
    let mut fields = Vec::new();
    list(document, content.get("schema")?, "", &mut fields);
    let example = content.get("example")?;
    Some(Operation {
        id: text(get, "operationId"),
        path: path.to_owned(),
        words: text(get, "summary"),
        parameters: parameters.map(parameter).collect(),
        fields,
        example: match (media.as_str(), example.as_str()) {
            ("application/json", _) => serde_json::to_string_pretty(example).ok()?,
            (_, text) => text?.to_owned(),
        },
    })
}

/// Every field below a schema, by its place.
fn list(document: &Value, schema: &Value, place: &str, rows: &mut Vec<Row>) {
    let inner = resolved(document, schema);
    let properties = inner.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        let known = resolved(document, property);
        let items = known.get("items").map(|items| resolved(document, items));
        let own = text(property, "description");
        rows.push(Row {
            name: place.clone(),
            kind: kind(property, known, items),
            words: if own.is_empty() { text(known, "description") } else { own },
        });
        match items {
            Some(items) => list(document, items, &format!("{place}[]"), rows),
            None => list(document, known, &place, rows),
        }
    }
    let more = inner.get("additionalProperties").filter(|more| more.is_object());
    if let Some(more) = more.map(|more| resolved(document, more))
        && more.get("properties").is_some()
    {
        list(document, more, &format!("{place}.NAME"), rows);
    }
}

/// The kind of a value in a word or two.
fn kind(property: &Value, known: &Value, items: Option<&Value>) -> String {
    let word = |schema: &Value| match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).map(str::to_owned),
        Some(kind) => kind.as_str().map(str::to_owned),
        None => None,
    };
    let mut words = word(known).unwrap_or_default();
    if let Some(of) = items.and_then(word) {
        words = format!("list of {of}");
    }
    let null = Value::from("null");
    let lists = [known.get("type"), property.get("type")];
    let in_type =
        lists.into_iter().flatten().any(|it| it.as_array().is_some_and(|it| it.contains(&null)));
    let either = property.get("anyOf").and_then(Value::as_array);
    let in_either = either.is_some_and(|all| all.iter().any(|one| one.get("type") == Some(&null)));
    if in_type || in_either { format!("{words} or null") } else { words }
}

/// The kind of a parameter, from where to where, and what it is where nothing is said.
fn limits(schema: &Value) -> String {
    let mut words = text(schema, "type");
    let number = |key: &str| schema.get(key).and_then(Value::as_u64);
    if let (Some(least), Some(most)) =
        (number("minimum"), number("maximum").filter(|&it| it < 1_000_000))
    {
        words = format!("{words}, {least} to {most}");
    }
    match number("default").filter(|&default| default > 0) {
        Some(default) => format!("{words}; {default} where nothing is said"),
        None => words,
    }
}
