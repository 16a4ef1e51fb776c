//! The API's description, OpenAPI 3.1, made of the table of paths and the types of its handlers.
//! `romp schema api` prints it; `docs/openapi.json` is a copy.

use super::super::reply::{Kind, Prepared};
use super::super::routes::Site;
use super::super::text::tame;
use super::operation::{Answer, Failure, Nothing, Operation, Whole};
use super::shapes::Wrong;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

const SCHEMAS: &str = "/components/schemas";

/// The document.
pub(in super::super) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(make);
    &DOCUMENT
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    })
}

fn make() -> Value {
    let mut answers = settings().for_serialize().into_generator();
    let mut questions = settings().for_deserialize().into_generator();
    let wrong = answers.subschema_for::<Wrong>();
    let mut paths = Map::new();
    for operation in super::operations() {
        let schema = (operation.answer)(&mut answers);
        let query = (operation.query)(&mut questions);
        let parameters = parameters(&operation, &query, &questions);
        paths.insert(
            operation.path.to_owned(),
            json!({"get": {
                "operationId": operation.id,
                "summary": operation.words,
                "parameters": parameters,
                "responses": responses(&operation, &schema),
            }}),
        );
    }
    let failures: Map<String, Value> = FAILURES
        .iter()
        .map(|(_, name, words)| ((*name).to_owned(), described(words, Kind::Json.media(), &wrong)))
        .collect();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "romp",
            "version": "1",
            "summary": "What a mining pool tells.",
            "description": "Everything is `GET`, for everybody and from any origin. Amounts are \
                coins as text, times are unix seconds, hash rates are hashes a second. Answers \
                carry an `ETag`. Fields are added; none is renamed or taken away before \
                `/api/v2`.",
            "license": {"name": "GPL-2.0-or-later", "identifier": "GPL-2.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": answers.take_definitions(true), "responses": failures},
    });
    add_examples(&mut document);
    document
}

/// Parameters of the path, and behind the `?`.
fn parameters(operation: &Operation, query: &Schema, generator: &SchemaGenerator) -> Vec<Value> {
    let mut all: Vec<Value> = operation
        .parts
        .iter()
        .map(|part| {
            json!({
                "name": part.name, "in": "path", "required": true, "description": part.words,
                "schema": {"type": "string"}, "example": part.example,
            })
        })
        .collect();
    let name = query.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let schema = name.and_then(|name| generator.definitions().get(name));
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    for (name, property) in properties.into_iter().flatten() {
        let mut property = property.clone();
        let words = property.as_object_mut().and_then(|it| it.remove("description"));
        // What is left out is not null.
        if let Some(kinds) = property.get_mut("type")
            && let Some(kind) = kinds.get(0).cloned()
        {
            *kinds = kind;
        }
        if property.get("default") == Some(&Value::Null) {
            property.as_object_mut().and_then(|it| it.remove("default"));
        }
        all.push(json!({
            "name": name, "in": "query", "required": false, "description": words,
            "schema": property,
        }));
    }
    all
}

/// Answers that are not 200: status, name, when.
const FAILURES: [(&str, &str, &str); 4] = [
    ("400", "Bad", "The question makes no sense."),
    ("404", "Unknown", "There is no such pool, or nothing is known of the miner."),
    ("429", "TooMany", "Too many requests of one address; wait for `Retry-After` seconds."),
    ("503", "Away", "It cannot be read now, or too many ask; try again."),
];

fn described(words: &str, media: &str, schema: &Schema) -> Value {
    json!({"description": words, "content": {media: {"schema": schema}}})
}

fn responses(operation: &Operation, schema: &Schema) -> Value {
    let mut all = Map::new();
    let media = operation.kind.media().split(';').next().unwrap_or_default();
    all.insert("200".to_owned(), described("The answer.", media, schema));
    all.insert("304".to_owned(), json!({"description": "It is what `If-None-Match` names."}));
    // Only what has a name in its path can be unknown.
    let failures = FAILURES.iter().filter(|it| it.0 != "404" || !operation.parts.is_empty());
    for (status, name, _) in failures {
        let place = format!("#/components/responses/{name}");
        all.insert((*status).to_owned(), json!({"$ref": place}));
    }
    all.into()
}

/// Puts an example beside each schema of an answer.
fn add_examples(document: &mut Value) {
    let whole = document.clone();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for path in paths.into_iter().flat_map(Map::values_mut) {
        let responses = path.pointer_mut("/get/responses").and_then(Value::as_object_mut);
        for response in responses.into_iter().flat_map(Map::values_mut) {
            let content = response.get_mut("content").and_then(Value::as_object_mut);
            for media in content.into_iter().flat_map(Map::values_mut) {
                let Some(schema) = media.get("schema") else { continue };
                let example = example(&whole, schema);
                if let Some(media) = media.as_object_mut() {
                    media.insert("example".to_owned(), example);
                }
            }
        }
    }
}

/// The schema itself, or the one that it refers to; of several the first.
pub(in super::super) fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let mut at = schema;
    // No schema here refers to itself.
    for _ in 0..8 {
        let to = at.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        let next = to.and_then(|path| document.pointer(path)).or_else(|| at.get("anyOf")?.get(0));
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

/// A value as a schema wants it, made of the examples of its parts.
fn example(document: &Value, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("examples").and_then(|examples| examples.get(0)) {
        return example.clone();
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None => None,
    };
    let below = |name: &str| schema.get(name);
    match kind {
        Some("array") => {
            below("items").map_or(json!([]), |items| json!([example(document, items)]))
        }
        Some("object") => {
            let properties = below("properties").and_then(Value::as_object);
            let each = properties.into_iter().flatten();
            let mut object: Map<String, Value> =
                each.map(|(name, schema)| (name.clone(), example(document, schema))).collect();
            if let Some(more) = below("additionalProperties").filter(|more| more.is_object()) {
                object.insert("name".to_owned(), example(document, more));
            }
            object.into()
        }
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("string") => json!("text"),
        _ => Value::Null,
    }
}

/// The description as an answer.
pub(super) struct Description;

impl Answer for Description {
    const KIND: Kind = Kind::Json;

    fn schema(_: &mut SchemaGenerator) -> Schema {
        let words = "This description: see the OpenAPI Specification 3.1.";
        let example = [json!({"openapi": "3.1.0", "info": {"title": "romp", "version": "1"}})];
        schemars::json_schema!({"type": "object", "description": words, "examples": example})
    }

    fn send(&self, asked: &HeaderMap) -> Result<Response, Failure> {
        static PREPARED: LazyLock<Prepared> =
            LazyLock::new(|| Prepared::new(Kind::Json, tame(&document().to_string())));
        Ok(PREPARED.send(asked))
    }
}

/// `/api/v1/openapi.json`.
pub(super) fn openapi(_: &Site, _: &Whole, _: Nothing) -> Result<Description, Failure> {
    Ok(Description)
}
