//! Errors and warnings with file, line, column and the line itself, collected to be shown at once.

use super::document::Document;
use super::mask::Masked;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};
use std::ops::Range;

/// Messages of one kind that are shown. More are only counted, so that a file with a hundred thousand
/// mistakes is answered as fast as another.
const MOST: usize = 200;
/// Longest line that is shown with a mistake in it, bytes.
const LONGEST_LINE: usize = 2000;
/// Longest word that is compared with known ones, bytes: the effort grows with its square.
const LONGEST_WORD: usize = 100;

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

impl Severity {
    const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Everything there is to say about a configuration.
#[derive(Default)]
pub(super) struct Report {
    colour: bool,
    /// Errors and warnings that are not shown.
    unshown: (usize, usize),
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
        if self.is_full(severity) {
            return;
        }
        let text = self.rendered(severity, at, title, hint);
        self.push(severity, text);
    }

    fn rendered(&self, severity: Severity, at: &Place<'_>, title: &str, hint: &str) -> String {
        let masked = &at.document.masked;
        let Range { start, end } = fitting(masked, &at.range);
        // The renderer gets the one line that it shows: it looks at every byte that it is given.
        let (above, below) = masked.text.split_at_checked(start).unwrap_or_default();
        let line_start = above.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = below.find('\n').map_or(masked.text.len(), |newline| start + newline);
        let line = masked.text.get(line_start..line_end).unwrap_or_default();
        let number = above.matches('\n').count() + 1;
        let name = at.document.name.as_str();
        if line.len() > LONGEST_LINE {
            let column = masked.text.get(line_start..start).map_or(0, |text| text.chars().count());
            let word = severity.word();
            return format!("{word}: {title}\n --> {name}:{number}:{}\n  {hint}", column + 1);
        }
        let span = start - line_start..end.clamp(start, line_end) - line_start;
        let annotation = AnnotationKind::Primary.span(span).label(hint);
        let snippet = Snippet::source(line).line_start(number).path(name).annotation(annotation);
        let level = match severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let groups = [level.primary_title(title).element(snippet)];
        let renderer = if self.colour { Renderer::styled() } else { Renderer::plain() };
        renderer.decor_style(DecorStyle::Ascii).render(&groups)
    }

    /// Adds a finding about a file as a whole.
    pub(super) fn file(&mut self, severity: Severity, name: &str, text: &str) {
        if !self.is_full(severity) {
            self.push(severity, format!("{}: {name}: {text}", severity.word()));
        }
    }

    /// Counts what is not shown any more.
    fn is_full(&mut self, severity: Severity) -> bool {
        let (list, unshown) = match severity {
            Severity::Error => (&self.errors, &mut self.unshown.0),
            Severity::Warning | Severity::Note => (&self.warnings, &mut self.unshown.1),
        };
        let full = list.len() >= MOST;
        *unshown += usize::from(full);
        full
    }

    /// Says at the end how much was not shown.
    pub(super) fn finish(&mut self) {
        let (errors, warnings) = std::mem::take(&mut self.unshown);
        for (severity, count) in [(Severity::Error, errors), (Severity::Warning, warnings)] {
            if count > 0 {
                let word = severity.word();
                let text = format!("{word}: the files: {count} more like these are not shown");
                self.push(severity, text);
            }
        }
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
    if word.len() > LONGEST_WORD {
        return None;
    }
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
    fn a_hundred_thousand_mistakes_are_told_by_the_first_and_their_number() {
        let text = format!("{{{}\"a\":1}}", "\"a\":1,\n".repeat(100_000));
        let mut report = Report::new(false);
        Document::parse("pool.json", text, &mut report);
        report.finish();
        assert_eq!(report.errors.len(), MOST + 1);
        assert!(report.errors.first().is_some_and(|error| error.contains("pool.json:2:1")));
        let last = report.errors.last().map(String::as_str);
        assert_eq!(last, Some("error: the files: 99800 more like these are not shown"));
    }

    #[test]
    fn a_line_too_long_to_be_shown_is_told_by_its_place() {
        let text = format!("{{\n{}\"a\":1,\"a\":1}}", " ".repeat(LONGEST_LINE));
        let mut report = Report::new(false);
        Document::parse("pool.json", text, &mut report);
        let expected = "error: the key `a` is here twice\n --> pool.json:2:2007\n  here";
        assert_eq!(report.errors, [expected]);
    }

    #[test]
    fn shows_strange_text_harmlessly() {
        assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(shown(&"x".repeat(100)).len(), 67);
    }
}
