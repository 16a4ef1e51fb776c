//! One file: read within limits, parsed strictly (comments and trailing commas allowed), with the
//! place of every value.

use super::diagnostics::{Place, Report, Severity, shown};
use super::mask::{Masked, unclosed};
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind as Kind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Bytes that a configuration file may have.
const MOST_BYTES: u64 = 4 << 20;

/// Only comments and trailing commas are more than JSON; the parser's defaults let much more pass.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Where a value is written.
#[derive(Debug, Clone)]
struct Spot {
    key: Option<Range<usize>>,
    value: Range<usize>,
}

/// A file that was read and parsed.
pub(super) struct Document {
    /// Name for messages, relative to the configuration folder.
    pub(super) name: String,
    /// Its text without secrets.
    pub(super) masked: Masked,
    /// What it says; `Null` when it could not be parsed.
    pub(super) value: Value,
    /// Anybody on this machine may read it.
    pub(super) world_readable: bool,
    text: String,
    spots: BTreeMap<Vec<String>, Spot>,
}

impl Document {
    /// Reads and parses a file, reporting what is wrong with it. `None` when there is nothing to
    /// go on with.
    pub(super) fn open(dir: &Path, name: &str, report: &mut Report) -> Option<Self> {
        let (text, world_readable) = match read(&dir.join(name)) {
            Ok(read) => read,
            Err(why) => {
                report.file(Severity::Error, name, &why);
                return None;
            }
        };
        let mut document = Self::parse(name, text, report)?;
        document.world_readable = world_readable;
        Some(document)
    }

    /// Parses a text.
    pub(super) fn parse(name: &str, text: String, report: &mut Report) -> Option<Self> {
        let mut document = Self {
            name: name.to_owned(),
            masked: Masked::new(&text),
            value: Value::Null,
            world_readable: false,
            text: String::new(),
            spots: BTreeMap::new(),
        };
        match parse_to_ast(&text, &CollectOptions::default(), &STRICT).map(|parsed| parsed.value) {
            Err(error) => {
                let range = error.range().start..error.range().end;
                let kind = lower_first(&error.kind().to_string());
                // The parser lets a text go over lines, and stumbles long after its missing quote.
                let (range, kind, hint) = match unclosed(&text) {
                    Some(open) if open.start < range.start => {
                        (open, "a text without an end".to_owned(), "add the closing quote")
                    }
                    _ => (range, kind, hint(error.kind())),
                };
                let place = Place { document: &document, range };
                report.error(&place, &format!("syntax: {kind}"), hint);
                None
            }
            Ok(None) => {
                report.file(Severity::Error, name, "the file has no content; it needs { ... }");
                None
            }
            Ok(Some(tree)) => {
                let mut found = Findings::default();
                let value = walk(&tree, &mut Vec::new(), None, &mut found);
                document.spots = found.spots;
                for (title, range) in found.problems {
                    report.error(&Place { document: &document, range }, &title, "here");
                }
                document.value = value;
                document.text = text;
                Some(document)
            }
        }
    }

    /// The place of the value at a path, or of the nearest part above it that exists.
    pub(super) fn place(&self, path: &[String]) -> Place<'_> {
        let range = self.spot(path).map_or(0..1, |spot| spot.value.clone());
        Place { document: self, range }
    }

    /// The place of the key at a path, or of the nearest part above it that exists.
    pub(super) fn key_place(&self, path: &[String]) -> Place<'_> {
        let spot = self.spot(path);
        let range = spot.map_or(0..1, |spot| spot.key.clone().unwrap_or(spot.value.clone()));
        Place { document: self, range }
    }

    /// Whether something is written at exactly that path.
    pub(super) fn has(&self, path: &[String]) -> bool {
        self.spots.contains_key(path)
    }

    /// The value at exactly that path as it is written.
    pub(super) fn written(&self, path: &[String]) -> Option<&str> {
        self.spots.get(path).and_then(|spot| self.text.get(spot.value.clone()))
    }

    /// Line and column of a byte of its text, both from 1; columns count letters.
    pub(super) fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).map_or(0, |rest| rest.chars().count()) + 1;
        (line, column)
    }

    /// The deepest existing part of a path.
    fn spot(&self, path: &[String]) -> Option<&Spot> {
        (0..=path.len()).rev().find_map(|length| self.spots.get(path.get(..length)?))
    }
}

/// A file's text and whether everybody may read it.
fn read(path: &Path) -> Result<(String, bool), String> {
    let said = |error: std::io::Error| format!("cannot be read: {error}");
    // A metadata call first: opening a FIFO would wait for its writer for ever.
    let metadata = std::fs::metadata(path).map_err(said)?;
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    if metadata.len() == 0 {
        return Err("the file is empty (0 bytes); it needs { ... }".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|f| f.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(said)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("is larger than 4 MiB: hardly a configuration file".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|&&byte| byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8; save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok((text, metadata.permissions().mode() & 0o004 != 0))
}

#[derive(Default)]
struct Findings {
    spots: BTreeMap<Vec<String>, Spot>,
    problems: Vec<(String, Range<usize>)>,
}

fn bytes_of(node: &impl Ranged) -> Range<usize> {
    node.start()..node.end()
}

/// Turns the tree into a value, noting places, duplicate keys and impossible numbers.
fn walk(
    node: &ast::Value<'_>,
    path: &mut Vec<String>,
    key: Option<Range<usize>>,
    found: &mut Findings,
) -> Value {
    let range = bytes_of(node);
    found.spots.insert(path.clone(), Spot { key, value: range.clone() });
    match node {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::StringLit(literal) => Value::String(literal.value.to_string()),
        ast::Value::NumberLit(literal) => match serde_json::from_str::<Number>(literal.value) {
            Ok(number) => Value::Number(number),
            Err(_) => {
                let title = "this number is too large, or not written as JSON writes numbers";
                found.problems.push((title.to_owned(), range));
                Value::Null
            }
        },
        ast::Value::Array(array) => {
            let mut values = Vec::new();
            for (index, element) in array.elements.iter().enumerate() {
                path.push(index.to_string());
                values.push(walk(element, path, None, found));
                path.pop();
            }
            Value::Array(values)
        }
        ast::Value::Object(object) => {
            let mut map = Map::new();
            for property in &object.properties {
                let name = property.name.as_str();
                let key = bytes_of(&property.name);
                if map.contains_key(name) {
                    let title = format!("the key `{}` is here twice", shown(name));
                    found.problems.push((title, key));
                    continue;
                }
                path.push(name.to_owned());
                let value = walk(&property.value, path, Some(key), found);
                path.pop();
                map.insert(name.to_owned(), value);
            }
            Value::Object(map)
        }
    }
}

/// What to do about a syntax error.
fn hint(kind: &Kind) -> &'static str {
    match kind {
        Kind::ExpectedComma => "a comma belongs here",
        Kind::ExpectedColonAfterObjectKey => "a colon belongs before this",
        Kind::ExpectedStringObjectProperty => "keys stand in double quotes",
        Kind::SingleQuotedStringsNotAllowed => "use double quotes",
        Kind::UnterminatedObject => "this { has no }",
        Kind::UnterminatedArray => "this [ has no ]",
        Kind::UnterminatedCommentBlock => "this /* has no */",
        Kind::MultipleRootJsonValues => "the file's { ... } has ended before this",
        Kind::UnexpectedCloseBrace | Kind::UnexpectedCloseBracket => "what does this close?",
        Kind::UnexpectedToken | Kind::UnexpectedTokenInObject | Kind::UnexpectedWord => {
            "not JSON; a quote, comma or bracket may be missing here or just before"
        }
        _ => "here",
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
