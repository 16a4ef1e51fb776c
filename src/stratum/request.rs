//! A line from a miner as a request: borrowed, bounded, strict where looseness has hurt pools.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Most bytes of an id; it is echoed as it came.
pub(super) const ID_BYTES: usize = 64;
/// Most parameters of a request.
pub(super) const PARAMS: usize = 16;
/// Deepest nesting of a line. `RawValue` by itself lets 10,000 levels through.
const DEPTH: usize = 8;
/// Longest number that is looked at.
const NUMBER_BYTES: usize = 64;

/// What a line is.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// Nothing but white space.
    Empty,
    /// A request, or a notification when it has no id.
    Request(Request<'a>),
    /// The answer to something the pool asked.
    Answer,
    /// An object, but no request. The id is empty when there must be no answer.
    NoMethod(&'a str),
    /// Not a JSON object that we read.
    Malformed,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Raw JSON, to be echoed as it is; empty for a notification, which is never answered.
    pub id: &'a str,
    /// The method.
    pub method: Cow<'a, str>,
    /// The parameters; `None` when they are not an array of at most 16 sound values.
    pub params: Option<Vec<Param<'a>>>,
}

/// One parameter.
#[derive(Debug, Clone)]
pub(super) enum Param<'a> {
    /// `null`, `true` or `false`.
    Word,
    /// A number as written.
    Number(&'a str),
    /// A string.
    Text(Cow<'a, str>),
    /// An array or object, unread.
    Nested(&'a RawValue),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "present")]
    result: bool,
    #[serde(default, deserialize_with = "present")]
    error: bool,
}

/// True for a key that is there, whatever its value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Line<'_> {
    super::plain::read(line).map_or_else(|| parse_any(line), Line::Request)
}

/// Reads a line, in whatever form JSON allows.
pub(super) fn parse_any(line: &[u8]) -> Line<'_> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Line::Empty;
    }
    // A derived struct would also take an array by position, so look at the first byte.
    if line.first() != Some(&b'{') || !is_shallow(line) {
        return Line::Malformed;
    }
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(line) else {
        return Line::Malformed;
    };
    let Some(id) = id(envelope.id) else { return Line::Malformed };
    match envelope.method.map(Param::read) {
        None if envelope.result || envelope.error => Line::Answer,
        Some(Some(Param::Text(method))) => {
            Line::Request(Request { id, method, params: params(envelope.params) })
        }
        _ => Line::NoMethod(id),
    }
}

/// The id as raw JSON; empty for none. `None` when it is not a sound scalar.
fn id(raw: Option<&RawValue>) -> Option<&str> {
    let Some(raw) = raw else { return Some("") };
    if raw.get().len() > ID_BYTES {
        return None;
    }
    matches!(Param::read(raw)?, Param::Number(_) | Param::Text(_)).then(|| raw.get())
}

/// The parameters; absent and `null` are none.
fn params(raw: Option<&RawValue>) -> Option<Vec<Param<'_>>> {
    let Some(raw) = raw else { return Some(Vec::new()) };
    let raws: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
    if raws.len() > PARAMS {
        return None;
    }
    raws.into_iter().map(Param::read).collect()
}

/// Whether brackets nest no deeper than [`DEPTH`].
fn is_shallow(line: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for &byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

impl<'a> Param<'a> {
    /// Reads a value; `None` for a string that is no text (a lone surrogate).
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        let text = raw.get();
        Some(match text.as_bytes().first()? {
            b'"' => Self::Text(serde_json::from_str::<Text<'a>>(text).ok()?.0),
            b'[' | b'{' => Self::Nested(raw),
            b'-' | b'0'..=b'9' => Self::Number(text),
            _ => Self::Word,
        })
    }

    /// A string's text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A finite number, also one written as a string.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(text) => number(text),
            Self::Text(text) => number(text),
            _ => None,
        }
    }
}

/// A finite decimal number: no names, no hex.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    if text.len() > NUMBER_BYTES || !text.bytes().all(plain) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn request(line: &str) -> Request<'_> {
        match parse(line.as_bytes()) {
            Line::Request(request) => request,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn is_malformed(line: &str) -> bool {
        matches!(parse(line.as_bytes()), Line::Malformed)
    }

    #[test]
    fn ids_are_kept_as_written() {
        for id in ["18446744073709551616", "-1", "1.5", "1e999", "\"auth\"", "\"\"", "\"\\u0041\""]
        {
            assert_eq!(request(&format!("{{\"id\":{id},\"method\":\"m\"}}")).id, id);
        }
        assert_eq!(request("{\"id\":null,\"method\":\"m\"}").id, "");
        assert_eq!(request("{\"method\":\"m\"}").id, "");
        let long = format!("{{\"id\":\"{}\",\"method\":\"m\"}}", "x".repeat(63));
        for line in ["{\"id\":[1],\"method\":\"m\"}", "{\"id\":true,\"method\":\"m\"}", &long] {
            assert!(is_malformed(line), "{line}");
        }
    }

    #[test]
    fn absent_and_null_params_are_none() {
        for line in ["{\"id\":1,\"method\":\"m\"}", "{\"id\":1,\"method\":\"m\",\"params\":null}"] {
            assert!(request(line).params.unwrap().is_empty());
        }
        let many = format!("{{\"method\":\"m\",\"params\":[{}1]}}", "1,".repeat(16));
        for line in
            ["{\"method\":\"m\",\"params\":\"x\"}", "{\"method\":\"m\",\"params\":{}}", &many]
        {
            assert!(request(line).params.is_none(), "{line}");
        }
        let most = format!("{{\"method\":\"m\",\"params\":[{}1]}}", "1,".repeat(15));
        assert_eq!(request(&most).params.unwrap().len(), 16);
    }

    #[test]
    fn refuses_what_is_no_request() {
        for line in [
            "[7,\"mining.submit\",[]]",
            "[{\"id\":1,\"method\":\"m\"}]",
            "{\"method\":\"a\",\"method\":\"b\"}",
            "{\"id\":1,\"id\":2,\"method\":\"b\"}",
            "{\"id\":\"\\ud800\",\"method\":\"m\"}",
            "{\"id\":1,\"method\":\"m\"} x",
            "7",
            "{bad",
        ] {
            assert!(is_malformed(line), "{line}");
        }
        assert!(matches!(parse(b"{\"id\":1,\"method\":\"\xff\"}"), Line::Malformed));
        let deep = format!(
            "{{\"method\":\"m\",\"params\":{}1{}}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert!(is_malformed(&deep));
        assert!(request("{\"method\":\"m\",\"params\":[\"\\ud800\"]}").params.is_none());
        assert!(request("{\"method\":\"[[[[[[[[[[[\\\"[[[[\"}").params.is_some());
    }

    #[test]
    fn tells_answers_and_nameless_objects() {
        assert!(matches!(parse(b"{\"id\":1,\"result\":null,\"error\":null}"), Line::Answer));
        assert!(matches!(parse(b"{\"id\":1}"), Line::NoMethod("1")));
        assert!(matches!(parse(b"{\"id\":1,\"method\":5}"), Line::NoMethod("1")));
        assert!(matches!(parse(b"{}"), Line::NoMethod("")));
        assert!(matches!(parse(b" \r\n"), Line::Empty));
    }

    #[test]
    fn numbers_are_plain_and_finite() {
        assert_eq!(number("0.001"), Some(0.001));
        assert_eq!(number("1e3"), Some(1000.0));
        for text in ["inf", "NaN", "1e999", "0x10", "", "infinity", &"9".repeat(65)] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
