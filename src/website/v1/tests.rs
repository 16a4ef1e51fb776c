//! The description is whole, true of its own examples, and what `docs/openapi.json` holds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::openapi::document;
use super::operations;
use serde_json::{Value, json};

/// Calls on every object below a value.
fn each_object<'v>(value: &'v Value, place: &str, call: &mut impl FnMut(&'v Value, &str)) {
    match value {
        Value::Object(object) => {
            call(value, place);
            for (name, value) in object {
                each_object(value, &format!("{place}/{name}"), call);
            }
        }
        Value::Array(list) => {
            for value in list {
                each_object(value, place, call);
            }
        }
        _ => {}
    }
}

/// A schema of the document with what it refers to.
fn whole(schema: &Value) -> Value {
    json!({"allOf": [schema], "components": document()["components"]})
}

#[test]
fn the_copy_in_docs_is_of_this_code() {
    let copy: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    let words = "it is not what this code is: `romp schema api > docs/openapi.json`";
    assert!(copy == *document(), "{words}");
}

#[test]
fn every_field_and_parameter_is_explained() {
    let mut fields = 0;
    each_object(document(), "", &mut |object, place| {
        if let Some(target) = object.get("$ref").and_then(Value::as_str) {
            assert!(document().pointer(&target[1..]).is_some(), "{place}: {target}");
        }
        for (name, field) in
            object.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let words = field.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(words.ends_with('.'), "{place}: {name} is not explained");
            fields += 1;
        }
        if object.get("in").is_some() {
            assert!(object["description"].is_string(), "{place}: {object}");
        }
    });
    assert!(fields > 100, "{fields}");
}

#[test]
fn every_example_is_what_its_schema_says() {
    let mut examples = 0;
    each_object(document(), "", &mut |object, place| {
        let (Some(schema), Some(example)) = (object.get("schema"), object.get("example")) else {
            return;
        };
        let mut compiler = boon::Compiler::new();
        compiler.set_default_draft(boon::Draft::V2020_12);
        compiler.add_resource("file:///api.json", whole(schema)).unwrap();
        let mut schemas = boon::Schemas::new();
        let schema = compiler.compile("file:///api.json", &mut schemas).unwrap();
        if let Err(error) = schemas.validate(example, schema) {
            panic!("{place}: {error:#} in {example:#}");
        }
        examples += 1;
    });
    assert!(examples >= 30, "{examples}");
}

#[test]
fn paths_and_names_are_there_once() {
    let all = operations();
    let mut ids: Vec<_> = all.iter().map(|operation| operation.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
    assert_eq!(document()["paths"].as_object().unwrap().len(), all.len());
    for operation in all {
        for part in operation.parts {
            assert!(operation.path.contains(&format!("{{{}}}", part.name)), "{}", operation.path);
        }
        assert_eq!(operation.path.matches('{').count(), operation.parts.len());
    }
}
