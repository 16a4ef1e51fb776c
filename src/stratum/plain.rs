//! The form in which nearly all requests come, read in one pass: an object of `id`, `method` and
//! `params`, the id a whole number or a text, all texts without escapes. Whatever is written in
//! another way is left to the parser that knows all of JSON, and what both read is the same.

use super::request::{ID_BYTES, PARAMS, Param, Request};
use std::borrow::Cow;

/// Reads a line, if it has this form.
pub(super) fn read(line: &[u8]) -> Option<Request<'_>> {
    let mut rest = Rest(std::str::from_utf8(line).ok()?);
    rest.take('{')?;
    let (mut id, mut method, mut params) = (None, None, None);
    loop {
        let key = rest.text()?;
        rest.take(':')?;
        let is_new = match key {
            "id" => id.replace(rest.id()?).is_none(),
            "method" => method.replace(rest.text()?).is_none(),
            "params" => params.replace(rest.texts()?).is_none(),
            _ => false,
        };
        if !is_new {
            return None;
        }
        if rest.take('}').is_some() {
            break;
        }
        rest.take(',')?;
    }
    let method = Cow::Borrowed(method?);
    rest.0.is_empty().then_some(Request { id: id?, method, params: Some(params?) })
}

/// What is left of the line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Takes a character and the white space around it.
    fn take(&mut self, wanted: char) -> Option<()> {
        self.0 = blank(blank(self.0).strip_prefix(wanted)?);
        Some(())
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let inside = self.0.strip_prefix('"')?;
        let special = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
        let end = inside.bytes().position(special)?;
        let (text, rest) = inside.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        Some(text)
    }

    fn texts(&mut self) -> Option<Vec<Param<'a>>> {
        self.take('[')?;
        let mut texts = Vec::with_capacity(6);
        while texts.len() < PARAMS {
            texts.push(Param::Text(Cow::Borrowed(self.text()?)));
            self.0 = blank(self.0);
            if let Some(rest) = self.0.strip_prefix(']') {
                self.0 = rest;
                return Some(texts);
            }
            self.take(',')?;
        }
        None
    }

    /// An id as it is written.
    fn id(&mut self) -> Option<&'a str> {
        let whole = self.0;
        let length = match self.text() {
            Some(text) => text.len() + 2,
            None => whole.bytes().position(|byte| !byte.is_ascii_digit())?,
        };
        let (id, rest) = whole.split_at_checked(length)?;
        let zero_first = id.starts_with('0') && length > 1;
        self.0 = rest;
        (length > 0 && length <= ID_BYTES && !zero_first).then_some(id)
    }
}

/// The text without JSON's white space before it.
fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::super::request::{Line, parse_any};
    use super::*;
    use proptest::prelude::*;

    /// Whether the line has the plain form; then both ways must read the same.
    fn is_plain(line: &[u8]) -> bool {
        let Some(plain) = read(line) else { return false };
        let Line::Request(request) = parse_any(line) else {
            panic!("{}: no request", String::from_utf8_lossy(line))
        };
        assert_eq!(format!("{plain:?}"), format!("{request:?}"));
        true
    }

    #[test]
    fn what_miners_write_is_plain() {
        for line in [
            r#"{"id":4,"method":"mining.submit","params":["a.b","1f","0d2f6e6f","53724dff","deadbeef"]}"#,
            r#"{"params": ["a", "1f", "00", "53724dff", "1", "00c00000"], "id": 0, "method": "mining.submit"}"#,
            "{ \"method\" : \"m\" , \"id\" : \"x\" , \"params\" : [ \"\u{e9}\" ] }",
        ] {
            assert!(is_plain(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn whatever_else_is_left_to_the_parser() {
        for line in [
            "",
            "{}",
            r#"{"id":01,"method":"m","params":["a"]}"#,
            r#"{"id":1.5,"method":"m","params":["a"]}"#,
            r#"{"id":,"method":"m","params":["a"]}"#,
            r#"{"id":null,"method":"m","params":["a"]}"#,
            r#"{"id":1,"id":1,"method":"m","params":["a"]}"#,
            r#"{"id":1,"method":"m","params":["a"],"result":1}"#,
            r#"{"id":1,"method":"m","params":[]}"#,
            r#"{"id":1,"method":"m","params":["a",]}"#,
            r#"{"id":1,"method":"m","params":["a"],}"#,
            r#"{"id":1,"method":"m","params":["a",1]}"#,
            r#"{"id":1,"method":"m","params":["\u0041"]}"#,
            r#"{"id":1,"method":"m","params":["a"]} x"#,
            r#"{"id":1,"method":"m","params":["a"]"#,
            "{\"id\":1,\"method\":\"m\",\"params\":[\"\t\"]}",
        ] {
            assert!(!is_plain(line.as_bytes()), "{line}");
        }
        let long = |digits: usize, params: usize| {
            let (id, params) = ("9".repeat(digits), vec!["\"a\""; params].join(","));
            is_plain(format!(r#"{{"id":{id},"method":"m","params":[{params}]}}"#).as_bytes())
        };
        assert!(long(64, 16));
        assert!(!long(65, 16) && !long(64, 17));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Lines put together from the pieces of requests, most of them a little wrong.
        #[test]
        fn both_ways_read_the_same(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "{", "}", "[", "]", ":", ",", "\"id\":", "\"method\":", "\"params\":", "\"a\"",
                "\"\"", "1", "0", "-1", "01", "1e5", "null", "\"\\n\"", "\"\u{e9}\"", " ", "\t",
                "\"\u{7f}\"", "\u{1}", "\"id\":1,", "\"method\":\"m\",", "\"params\":[\"a\"]",
            ]), 0..14)
        ) {
            is_plain(pieces.concat().as_bytes());
        }

        /// Sound requests with one byte changed.
        #[test]
        fn one_wrong_byte_is_read_the_same(place in 0_usize..96, byte in any::<u8>()) {
            let mut line =
                br#"{"params": ["a", "1f", "0d2f6e6f", "53724dff", "1"], "id": 12, "method": "m"}"#
                    .to_vec();
            let place = place % line.len();
            if let Some(there) = line.get_mut(place) {
                *there = byte;
            }
            is_plain(&line);
        }
    }
}
