//! Text that somebody else chose, so that it does no harm where it is shown.

use std::fmt::Write as _;

/// Longest name that is shown, letters.
const LONGEST: usize = 128;

/// Whether a character hides, turns or breaks the text around it.
#[must_use]
pub fn is_unruly(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}' | '\u{180e}')
}

/// A name that somebody else chose, as a page, a mail or a message shows it: without what hides,
/// turns or breaks text, and not too long. Markup stays.
#[must_use]
pub fn shown(name: &str) -> String {
    let mut out = String::new();
    for (n, character) in name.chars().enumerate() {
        if n == LONGEST {
            out.push('\u{2026}');
            break;
        }
        if is_unruly(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// JSON that can do no harm where somebody takes it for HTML or prints it: markup and what turns
/// text stand as `\u` escapes. It means the same.
#[must_use]
pub fn tame(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, '<' | '>' | '&') || (is_unruly(character) && character > '\u{1f}') {
            // All of these are in the basic plane.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hide_turn_and_break_nothing() {
        assert_eq!(
            shown("a\u{202e}b\u{0}c\u{feff}\r\n"),
            "a\\u{202e}b\\u{0}c\\u{feff}\\u{d}\\u{a}"
        );
        assert_eq!(shown(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
        let json = tame(&serde_json::json!("<b>&\u{202e}\u{7}\"").to_string());
        assert_eq!(json, "\"\\u003cb\\u003e\\u0026\\u202e\\u0007\\\"\"");
    }
}
