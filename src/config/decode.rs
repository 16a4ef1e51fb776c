//! A document into a raw structure, reporting every unknown key and wrong type, not only the first.
//!
//! The deserialiser stops at its first error. So what it stumbles over is reported, taken out, and
//! it is asked again. All keys of the raw structures are optional, therefore that always ends.

use super::diagnostics::{Place, Report, Severity, nearest, shown};
use super::document::Document;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

/// Errors shown of one file; whoever has more has not written a configuration.
const MOST_ERRORS: usize = 100;

/// Decodes a document's value; the value comes back without what could not be used.
pub(super) fn decode<T: DeserializeOwned + Default>(
    document: &Document,
    severity: Severity,
    report: &mut Report,
) -> (T, Value) {
    let mut value = document.value.clone();
    if !value.is_object() {
        let place = document.place(&[]);
        report.add(severity, &place, "the file must hold one object: { ... }", "not an object");
        return (T::default(), Value::Null);
    }
    for _ in 0..MOST_ERRORS {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(decoded) => return (decoded, value),
            Err(error) => error,
        };
        let path = segments(error.path());
        let message = error.inner().to_string();
        let found = at(&mut value, &path).map(|found| found.clone()).unwrap_or_default();
        if let Some(number) = number_in_quotes(&found, &message) {
            let place = document.place(&path);
            report.warning(&place, "a number in quotes", "read as a number; leave the quotes out");
            if let Some(slot) = at(&mut value, &path) {
                *slot = number;
            }
            continue;
        }
        let (title, hint, place) = explain(document, &path, &message, &found);
        report.add(severity, &place, &title, &hint);
        if !prune(&mut value, &path) {
            return (T::default(), Value::Null);
        }
    }
    (T::default(), Value::Null)
}

fn segments(path: &serde_path_to_error::Path) -> Vec<String> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn at<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Object(map) => map.get_mut(key),
        Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Removes what is at a path. A list loses all its elements, so that no index moves. False when
/// nothing was there.
fn prune(value: &mut Value, path: &[String]) -> bool {
    let Some((last, above)) = path.split_last() else { return false };
    match at(value, above) {
        Some(Value::Object(map)) => map.remove(last).is_some(),
        Some(Value::Array(list)) => {
            list.clear();
            true
        }
        _ => false,
    }
}

/// `"3333"` where a number is wanted: exactly as an integer is written, nothing else.
fn number_in_quotes(found: &Value, message: &str) -> Option<Value> {
    let text = found.as_str()?;
    let wanted = expected(message)?;
    let numeric = ["u8", "u16", "u32", "u64", "i64", "f64"].contains(&wanted);
    let number: u64 = text.parse().ok().filter(|_| numeric)?;
    (number.to_string() == text).then(|| Value::from(number))
}

/// The kinds of files, as they are named to operators.
const FILES: [(&str, &str); 3] =
    [("config", "config.json"), ("pool", "pool files"), ("coin", "coin files")];

/// Which other kind of file has this top-level key.
fn elsewhere(key: &str, path: &[String]) -> Option<&'static str> {
    let schema = super::schema();
    let has = |kind: &str| schema.get(kind).and_then(|kind| kind.get("properties")?.get(key));
    FILES.into_iter().find(|(kind, _)| path.len() == 1 && has(kind).is_some()).map(|(_, file)| file)
}

/// Which section of which kind of file has this key, that stands at the top of one.
fn inside(key: &str, path: &[String]) -> Option<String> {
    let schema = super::schema();
    FILES.into_iter().filter(|_| path.len() == 1).find_map(|(kind, file)| {
        let kind = schema.get(kind)?;
        let sections = kind.get("$defs")?.as_object()?;
        let (section, _) = kind.get("properties")?.as_object()?.iter().find(|(_, property)| {
            let property = property.to_string();
            sections.iter().any(|(name, section)| {
                property.contains(&format!("/{name}\""))
                    && section.get("properties").is_some_and(|keys| keys.get(key).is_some())
            })
        })?;
        Some(format!("`{section}` in {file}"))
    })
}

fn expected(message: &str) -> Option<&str> {
    message.rsplit_once("expected ").map(|(_, wanted)| wanted)
}

/// Title, hint and place of an error. Values are never repeated here: they may be secrets, and the
/// snippet shows them masked.
fn explain<'a>(
    document: &'a Document,
    path: &[String],
    message: &str,
    found: &Value,
) -> (String, String, Place<'a>) {
    let key = path.last().map_or("", String::as_str);
    if let Some(rest) = message.strip_prefix(&format!("unknown field `{key}`")) {
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let hint = match elsewhere(key, path) {
            Some(file) => format!("that is a key of {file}"),
            None => match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => match inside(key, path) {
                    Some(section) => format!("that is a key of {section}"),
                    None => format!("known keys here: {}", known.join(", ")),
                },
            },
        };
        let title = format!("unknown key `{}`", shown(&path.join(".")));
        return (title, hint, document.key_place(path));
    }
    let wanted = match expected(message) {
        Some("u8") => "a whole number from 0 to 255",
        Some("u16") => "a whole number from 0 to 65535",
        Some("u32") => "a whole number from 0 to 4294967295",
        Some("u64") => "a whole number, not negative",
        Some("i64") => "a whole number",
        Some("f64") => "a number",
        Some("a boolean") => "true or false",
        Some("a string") => "a text in quotes",
        Some("a sequence") => "a list: [ ... ]",
        Some("a map") => "an object: { ... }",
        Some(other) if other.starts_with("struct ") => "an object: { ... }",
        Some(other) => other,
        None => "something else",
    };
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction, or too large",
        Value::Number(number) if number.as_i64().is_some_and(|n| n < 0) => "a negative number",
        Value::Number(_) if wanted.contains(" from ") => "this number is too large",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let title = format!("`{}` must be {wanted}", shown(&path.join(".")));
    let hint = if kind.starts_with("this") { kind.to_owned() } else { format!("found {kind}") };
    (title, hint, document.place(path))
}
