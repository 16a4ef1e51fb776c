//! Keeps the runbook whole: every line of the log at warning or above has its row in a table of the
//! docs, which says what to do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that bring the words of something else, which has a row or says what to do itself; with
/// where these words come from.
const BARE: [(&str, &str, &str); 20] = [
    ("src/bookkeeper/coin/sweep.rs", "{}: {}: {error}", "the system, with a file of the journals"),
    ("src/bookkeeper/mod.rs", "{words}", "sys/room.rs: only N MB are free"),
    ("src/bookkeeper/mpos.rs", "{}: {words}", "mpos: remarks on the database"),
    ("src/cli/doctor.rs", "{coin}: {place}{words}", "the doctor's sentences"),
    ("src/cli/run.rs", "signals: {error}", "the system"),
    ("src/cli/run.rs", "{warning}", "sys/room.rs: only N MB are free"),
    ("src/cli/run.rs", "{NOT_STARTED}", "the doctor's last line"),
    ("src/cli/run.rs", "{line}", "why the master cannot start"),
    ("src/master/crew.rs", "{}: {error}", "the system: no more events; the child is replaced"),
    ("src/master/passed.rs", "{problem}", "sys/systemd.rs: LISTEN_FDS and LISTEN_PID"),
    ("src/master/reload.rs", "{error}", "the log's file: it cannot be opened as before"),
    ("src/master/reload.rs", "{line}", "a reload's warnings and errors, as of romp check"),
    ("src/notifier/deliver.rs", "{error}", "the outbox: its words name the file"),
    ("src/notifier/look.rs", "{error}", "the outbox: its words name the file"),
    ("src/templates/coin/answer.rs", "{}: daemon {}: {words}", "the doctor's sentences"),
    ("src/templates/coin/work.rs", "{}: daemon {}: {problem}", "a template's fault"),
    ("src/templates/coin/work.rs", "{}: daemon {}: {words}", "the doctor's sentences"),
    ("src/templates/mod.rs", "templates: {error}", "the system; the process is replaced"),
    ("src/templates/notices.rs", "{line}", "no notices by a source"),
    ("src/templates/status.rs", "{}: daemon {address}: {words}", "what a daemon lacks"),
];

/// Least letters that tell a line from others.
const DISTINCT: usize = 10;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: PathBuf, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A line of the log: where, and its text with placeholders.
#[derive(Debug)]
struct Line {
    file: String,
    number: usize,
    text: String,
}

/// What stands in the first string after a place, with line ends that are escaped taken out.
fn literal(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('"')?;
    let mut found = String::new();
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Some(found),
            '\\' => match letters.next()? {
                '\n' => while letters.next_if(|letter| letter.is_whitespace()).is_some() {},
                other => found.push(other),
            },
            other => found.push(other),
        }
    }
    None
}

fn lines() -> Vec<Line> {
    let mut found = Vec::new();
    for path in files(root().join("src"), ".rs") {
        let name = path.strip_prefix(root()).expect("below").display().to_string();
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        // A file's tests are at its end.
        let tests = text.rfind("\n#[cfg(test)]").filter(|&at| text[at..].contains("mod tests"));
        let code = &text[..tests.unwrap_or(text.len())];
        for opening in ["log::warn!(", "log::error!(", "log::log!("] {
            for (at, _) in code.match_indices(opening) {
                let begin = code[..at].rfind('\n').map_or(0, |at| at + 1);
                let before = &code[begin..at];
                // Comments, and the macro that makes lines without a severity of these.
                if before.contains("//") || before.contains("($($argument:tt)+)") {
                    continue;
                }
                let text = literal(&code[at..]).unwrap_or_else(|| panic!("{name}: no text"));
                let number = code[..at].matches('\n').count() + 1;
                found.push(Line { file: name.clone(), number, text });
            }
        }
    }
    assert!(found.len() > 100, "the lines were not found");
    found
}

/// Texts in backquotes.
fn spans(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = cell;
    while let Some(at) = rest.find('`') {
        let ticks = rest[at..].bytes().take_while(|&byte| byte == b'`').count();
        let fence = "`".repeat(ticks);
        let Some((inside, after)) = rest[at + ticks..].split_once(&fence) else { break };
        found.push(inside.trim().replace("\\|", "|"));
        rest = after;
    }
    found
}

/// The constant parts of a text in which `...`, numbers and words in capitals stand for others.
fn parts(text: &str) -> Vec<String> {
    let is_variable = |word: &str| {
        let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        !word.is_empty()
            && word
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || "0123456789-".contains(letter))
    };
    let mut found = vec![String::new()];
    for word in text.replace("...", " ... ").split_whitespace() {
        match found.last_mut() {
            _ if word == "..." || is_variable(word) => found.push(String::new()),
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) => *last = format!("{last} {word}"),
            None => {}
        }
    }
    let trimmed = found.iter().map(|part| part.trim_matches([' ', ':', ';', ',', '.']).to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}

/// Whether the parts stand in the text, in their order, and are enough to tell it from others.
fn is_about(parts: &[String], text: &str) -> bool {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    parts.iter().map(String::len).sum::<usize>() >= DISTINCT
}

#[test]
fn every_line_at_warning_and_above_has_a_row_that_says_what_to_do() {
    let mut rows = Vec::new();
    for path in files(root().join("docs"), ".md") {
        let text = fs::read_to_string(&path).expect("a page");
        for row in text.lines().filter(|line| line.starts_with("| ")) {
            let first = row.trim_start_matches("| ").split(" | ").next().unwrap_or_default();
            rows.extend(spans(first).iter().map(|span| parts(span)));
        }
    }
    let lines = lines();
    let mut findings = Vec::new();
    let mut bare = BTreeSet::new();
    for Line { file, number, text } in &lines {
        if BARE.iter().any(|(in_file, words, _)| in_file == file && words == text) {
            bare.insert((file.as_str(), text.as_str()));
        } else if !rows.iter().any(|parts| is_about(parts, text)) {
            findings.push(format!("{file}:{number}: no row in docs for: {text}"));
        }
    }
    for (file, words, _) in BARE {
        if !bare.contains(&(file, words)) {
            findings.push(format!("{file}: there is no line `{words}` any more"));
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn rows_and_lines_are_read_right() {
    assert_eq!(spans("`a`, `` `b` c `` or d"), ["a", "`b` c"]);
    assert_eq!(parts("WRK-00 (pid N) has died: ...; replaced"), ["(pid", "has died", "replaced"]);
    let text = "{} (pid {}) has died: {}; replaced";
    assert!(is_about(&parts("WRK-00 (pid N) has died: ...; replaced"), text));
    assert!(!is_about(&parts("replaced: ... has died"), text), "another order");
    assert!(!is_about(&parts("... replaced"), text), "too little");
    assert_eq!(literal("(\"a \\\n   \\\"b\\\"\", x)").as_deref(), Some("a \"b\""));
}
