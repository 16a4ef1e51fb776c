//! Errors and warnings with file, line, column and the line itself, collected to be shown at once.

use super::document::Document;
use super::mask::Masked;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};
use std::ops::Range;

/// A place in a file.
#[derive(Clone)]
pub(super) struct Place<'a> {
    /// The file.
    pub(super) document: &'a Document,
    /// Bytes of its text.
    pub(super) range: Range<usize>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but somebody should look.
    Warning,
    /// Good to know.
    Note,
}

/// Everything there is to say about a configuration.
#[derive(Default)]
pub(super) struct Report {
    colour: bool,
    /// Errors, rendered.
    pub(super) errors: Vec<String>,
    /// Warnings and notes, rendered.
    pub(super) warnings: Vec<String>,
}

impl Report {
    /// An empty report; `colour` for terminals.
    pub(super) fn new(colour: bool) -> Self {
        Self { colour, ..Self::default() }
    }

    /// Adds an error: what is wrong, and beside the caret what to do.
    pub(super) fn error(&mut self, at: &Place<'_>, title: &str, hint: &str) {
        self.add(Severity::Error, at, title, hint);
    }

    /// Adds a warning.
    pub(super) fn warning(&mut self, at: &Place<'_>, title: &str, hint: &str) {
        self.add(Severity::Warning, at, title, hint);
    }

    /// Adds a note.
    pub(super) fn note(&mut self, at: &Place<'_>, title: &str, hint: &str) {
        self.add(Severity::Note, at, title, hint);
    }

    /// Adds a finding of any severity.
    pub(super) fn add(&mut self, severity: Severity, at: &Place<'_>, title: &str, hint: &str) {
        let masked = &at.document.masked;
        let range = fitting(masked, &at.range);
        let annotation = AnnotationKind::Primary.span(range).label(hint);
        let snippet = Snippet::source(masked.text.as_str())
            .path(at.document.name.as_str())
            .annotation(annotation);
        let level = match severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let groups = [level.primary_title(title).element(snippet)];
        let renderer = if self.colour { Renderer::styled() } else { Renderer::plain() };
        let text = renderer.decor_style(DecorStyle::Ascii).render(&groups);
        self.push(severity, text);
    }

    /// Adds a finding about a file as a whole.
    pub(super) fn file(&mut self, severity: Severity, name: &str, text: &str) {
        let word = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        self.push(severity, format!("{word}: {name}: {text}"));
    }

    fn push(&mut self, severity: Severity, text: String) {
        let list = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning | Severity::Note => &mut self.warnings,
        };
        if !list.contains(&text) {
            list.push(text);
        }
    }
}

/// The range in the masked text, within its bounds and on letters' borders. A range over several
/// lines shrinks to the rest of its first line, for a readable snippet.
fn fitting(masked: &Masked, range: &Range<usize>) -> Range<usize> {
    let text = &masked.text;
    let start = text.floor_char_boundary(masked.moved(range.start).min(text.len()));
    let end = text.ceil_char_boundary(masked.moved(range.end).clamp(start, text.len()));
    let line = text.get(start..end).and_then(|part| part.find('\n')).map_or(end, |n| start + n);
    start..line
}

/// Somebody's text within a message: controls escaped, cut after 64 letters.
pub(super) fn shown(text: &str) -> String {
    let mut letters = text.chars();
    let mut out: String = letters.by_ref().take(64).flat_map(char::escape_debug).collect();
    if letters.next().is_some() {
        out.push_str("...");
    }
    out
}

/// The known word that is most like the given one, if any is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&word, &known.to_lowercase()), known))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_near_miss_and_nothing_far() {
        let known = ["minimumPayment", "paymentInterval", "daemon"];
        assert_eq!(nearest("minimumPaymnet", known), Some("minimumPayment"));
        assert_eq!(nearest("DAEMON", known), Some("daemon"));
        assert_eq!(nearest("zzz", known), None);
    }

    #[test]
    fn shows_strange_text_harmlessly() {
        assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(shown(&"x".repeat(100)).len(), 67);
    }
}
