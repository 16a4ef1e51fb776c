//! Hides secrets in the text of a configuration file before any of it is shown.
//!
//! Works on the letters, not on the syntax tree, since a file with a syntax error has none, and a
//! password that was commented out is still somebody's password.

use std::ops::Range;

/// What stands in place of a secret: the same for each, so that not even its length shows.
const STARS: &str = "***";

/// A text without its secrets, and how offsets move.
pub(super) struct Masked {
    /// The text to show.
    pub(super) text: String,
    cuts: Vec<Range<usize>>,
}

impl Masked {
    /// Masks a text.
    pub(super) fn new(source: &str) -> Self {
        let cuts = secrets(source);
        let mut text = String::with_capacity(source.len());
        let mut from = 0;
        for cut in &cuts {
            text.push_str(source.get(from..cut.start).unwrap_or_default());
            text.push_str(STARS);
            from = cut.end;
        }
        text.push_str(source.get(from..).unwrap_or_default());
        Self { text, cuts }
    }

    /// Where an offset of the original is in the masked text.
    pub(super) fn moved(&self, offset: usize) -> usize {
        let mut removed = 0;
        let mut added = 0;
        for cut in self.cuts.iter().take_while(|cut| cut.start < offset) {
            if offset < cut.end {
                return cut.start + added - removed;
            }
            removed += cut.end - cut.start;
            added += STARS.len();
        }
        offset + added - removed
    }
}

/// Where a text begins that has no closing quote in its line, up to the end of that line.
pub(super) fn unclosed(source: &str) -> Option<Range<usize>> {
    let bytes = source.as_bytes();
    let mut at = 0;
    loop {
        at = skip_blank(bytes, at);
        if *bytes.get(at)? == b'"' {
            let inside = string(bytes, at);
            if bytes.get(inside.end) != Some(&b'"') {
                return Some(at..inside.end);
            }
            at = inside.end;
        }
        at += 1;
    }
}

/// Whether a key names a secret, also when it is misspelt or written with escapes.
fn is_secret(key: &str) -> bool {
    let plain = serde_json::from_str::<String>(&format!("\"{key}\""));
    let key = plain.as_deref().unwrap_or(key).to_ascii_lowercase();
    // The addresses of chat services' webhooks are their own passwords.
    key == "url"
        || ["pass", "pwd", "secret", "token"].iter().any(|part| key.contains(part))
        || strsim::jaro_winkler(&key, "password") >= 0.85
}

/// The ranges of all secret values, in order.
fn secrets(source: &str) -> Vec<Range<usize>> {
    let bytes = source.as_bytes();
    let mut cuts = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let word = match byte {
            b'"' | b'\'' => string(bytes, at),
            _ if is_word(byte) => at..end_of_word(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        let (inside, after) = match byte {
            b'"' | b'\'' => (word.clone(), closed(bytes, word.end)),
            _ => (word.clone(), word.end),
        };
        let text = source.get(inside.clone()).unwrap_or_default();
        at = after.max(at + 1);
        if let Some(cut) = url_credentials(text) {
            cuts.push(inside.start + cut.start..inside.start + cut.end);
        } else if is_secret(text)
            && let Some(value) = value_after(bytes, after)
        {
            at = closed(bytes, value.end);
            cuts.push(value);
        }
    }
    cuts
}

/// The range of the value that follows a key, without quotes; `None` for what hides nothing.
fn value_after(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = skip_blank(bytes, from);
    let colon = matches!(bytes.get(at), Some(b':' | b'='));
    if colon {
        at = skip_blank(bytes, at + 1);
    }
    match bytes.get(at)? {
        b'"' | b'\'' => Some(string(bytes, at)),
        // {"file": ...} and {"env": ...} only say where the secret is.
        b'{' | b'[' => {
            let rest = bytes.get(at + 1..)?;
            let length = rest.iter().position(|byte| b"}]\r\n".contains(byte));
            let value = rest.get(..length.unwrap_or(rest.len()))?;
            let place = [&b"\"file\""[..], b"\"env\""];
            let harmless = value.trim_ascii().is_empty()
                || place.iter().any(|key| value.trim_ascii().starts_with(key));
            (!harmless).then(|| at + 1..at + 1 + value.len())
        }
        _ if !colon => None,
        _ => {
            let length = bytes.get(at..)?.iter().position(|byte| b",}\r\n".contains(byte));
            let end = length.map_or(bytes.len(), |length| at + length);
            let value = bytes.get(at..end)?.trim_ascii();
            let plain: [&[u8]; 4] = [b"", b"true", b"false", b"null"];
            (!plain.contains(&value)).then(|| at..at + value.len())
        }
    }
}

/// What is between the quote at `open` and the next one of its kind, or the end of the line.
fn string(bytes: &[u8], open: usize) -> Range<usize> {
    let quote = bytes.get(open).copied();
    let start = open + 1;
    let mut end = start;
    while let Some(&byte) = bytes.get(end) {
        if Some(byte) == quote || byte == b'\n' {
            break;
        }
        end += 1 + usize::from(byte == b'\\' && bytes.get(end + 1).is_some_and(|&b| b != b'\n'));
    }
    start..end.min(bytes.len())
}

/// The offset behind the closing quote at `end`, if one is there.
fn closed(bytes: &[u8], end: usize) -> usize {
    end + usize::from(matches!(bytes.get(end), Some(b'"' | b'\'')))
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn end_of_word(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len())
}

/// Skips white space and comments.
fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let skip = if rest.starts_with(b"//") {
            rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 2)
        } else {
            rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
        };
        if skip == 0 {
            return at;
        }
        at += skip;
    }
}

/// `user:password` of `scheme://user:password@host`.
fn url_credentials(text: &str) -> Option<Range<usize>> {
    let start = text.find("://")? + 3;
    let end = start + text.get(start..)?.rfind('@')?;
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hides_every_way_to_write_a_password() {
        for text in [
            r#"{"password": "hunter2"}"#,
            r#"{"password": /* old */ "hunter2", "port": 1}"#,
            "{\"password\":\n\t'hunter2'}",
            "{ // password: hunter2\n}",
            r#"{"pasword": "hunter2"}"#,
            r#"{"passwd": "hunter2 \" hunter2"}"#,
            r#"{"password" "hunter2"}"#,
            "{\"password\": \"hunter2,\n\"port\": 1}",
            r#"{"host": "http://me:hunter2@localhost"}"#,
            r#"{"password": hunter2}"#,
            r#"{"password": ["hunter2"]}"#,
            r#"{"password": {"text": "hunter2"}}"#,
            r#"{"p\u0061ssword": "hunter2"}"#,
            r#"{"pwd": "hunter2"}"#,
            r#"{"apiToken": "hunter2"}"#,
            r#"{"clientSecret": "hunter2"}"#,
            r#"{"rpcpass": "hunter2"}"#,
        ] {
            let masked = Masked::new(text);
            assert!(!masked.text.contains("hunter2"), "{}", masked.text);
            assert!(masked.text.contains("***"), "{}", masked.text);
        }
    }

    #[test]
    fn leaves_the_rest_readable() {
        for text in [
            r#"{"user": "password", "checkPassword": true}"#,
            r#"{"password": {"file": "secret.txt"}}"#,
            r#"{"port": 3333}"#,
        ] {
            assert_eq!(Masked::new(text).text, text);
        }
    }

    #[test]
    fn offsets_follow_the_text() {
        let text = r#"{"password": "hunter2", "port": 70000}"#;
        let masked = Masked::new(text);
        let port = text.find("70000").unwrap_or_default();
        assert_eq!(masked.text.get(masked.moved(port)..), Some("70000}"));
        let inside = text.find("unter2").unwrap_or_default();
        assert_eq!(masked.text.get(masked.moved(inside)..masked.moved(inside) + 3), Some("***"));
    }

    proptest! {
        #[test]
        fn any_text_is_masked_without_harm(text in "[a-z\"':,{}\\\\/*=@\n é]{0,60}") {
            let masked = Masked::new(&text);
            for offset in 0..=text.len() {
                prop_assert!(masked.moved(offset) <= masked.text.len());
            }
        }
    }
}
