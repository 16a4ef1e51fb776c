//! Reads Rust sources well enough to see who names whom: words without comments and strings.

/// The code without items under `#[cfg(test)]`, and the modules that such items declare.
pub(super) fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut kept = String::with_capacity(code.len());
    let mut declared = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, item) = rest.split_at(at);
        kept.push_str(before);
        let mut depth = 0;
        let mut length = item.len();
        for (at, letter) in item.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (letter == ';' || letter == '}') {
                length = at + 1;
                break;
            }
        }
        let (item, after) = item.split_at(length);
        if let Some((_, name)) = item.rsplit_once("mod ")
            && let Some(name) = name.strip_suffix(';')
        {
            declared.push(name.trim().to_owned());
        }
        kept.extend(item.chars().filter(|&letter| letter == '\n'));
        rest = after;
    }
    kept.push_str(rest);
    (kept, declared)
}

/// The code with comments, strings and character literals blanked; lines stay where they are.
pub(super) fn code(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let blank = |out: &mut String, from: &[char]| {
        out.extend(from.iter().map(|&letter| if letter == '\n' { '\n' } else { ' ' }));
    };
    while at < bytes.len() {
        let rest = &bytes[at..];
        let starts = |with: &str| with.chars().enumerate().all(|(n, c)| rest.get(n) == Some(&c));
        let length = if starts("//") {
            rest.iter().position(|&letter| letter == '\n').unwrap_or(rest.len())
        } else if starts("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, at.checked_sub(1).map(|at| bytes[at])) {
            length
        } else if rest[0] == '"' {
            quoted_length(rest, '"')
        } else if rest[0] == '\'' && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
            quoted_length(rest, '\'')
        } else {
            out.push(rest[0]);
            at += 1;
            continue;
        };
        blank(&mut out, &rest[..length]);
        at += length;
    }
    out
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a raw string that starts here (`r"`, `r#"`; a byte string's `b` stays as code).
fn raw_string(rest: &[char], before: Option<char>) -> Option<usize> {
    if rest[0] != 'r' || before.is_some_and(|c| c != 'b' && (c.is_alphanumeric() || c == '_')) {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|&&letter| letter == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = &rest[2 + hashes..];
    let found = body.windows(end.len()).position(|window| window == end)?;
    Some(2 + hashes + found + end.len())
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            letter if letter == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A word or a sign of the code, with its line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// Words, `::`, and single signs.
pub(super) fn tokens(code: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut joined = false;
    for (line, text) in code.lines().enumerate() {
        joined = false;
        for letter in text.chars() {
            let word = letter.is_alphanumeric() || letter == '_';
            match found.last_mut() {
                Some(last)
                    if joined
                        && word
                        && last.text.ends_with(|c: char| c.is_alphanumeric() || c == '_') =>
                {
                    last.text.push(letter);
                }
                Some(last) if joined && letter == ':' && last.text == ":" => last.text.push(':'),
                _ if letter.is_whitespace() => {}
                _ => found.push(Token { text: letter.to_string(), line: line + 1 }),
            }
            joined = !letter.is_whitespace();
        }
    }
    let _ = joined;
    found
}

/// The names that stand right after `path::`, one or a group in braces.
pub(super) fn named_after(tokens: &[Token], at: usize) -> Vec<Token> {
    let Some(first) = tokens.get(at) else { return Vec::new() };
    if first.text != "{" {
        return vec![first.clone()];
    }
    let mut depth = 0;
    let mut names = Vec::new();
    let mut fresh = true;
    for token in &tokens[at..] {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => {
                fresh = true;
                continue;
            }
            _ if depth == 1 && fresh => {
                names.push(token.clone());
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[test]
fn the_reader_of_code_is_right() {
    let text =
        "use crate::{chain::Hash, pow}; // crate::x\nlet a = \"crate::y\"; r#\"\"c\"#; 'x' 'a";
    let blanked = code(text);
    assert!(!blanked.contains("crate::x") && !blanked.contains("crate::y"));
    let tokens = tokens(&blanked);
    let names: Vec<String> = named_after(&tokens, 3).into_iter().map(|token| token.text).collect();
    assert_eq!(names, ["chain", "pow"]);
}
