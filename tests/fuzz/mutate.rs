//! Makes new inputs out of old ones: bytes, words of a dictionary, lines, and values of JSON.

use fastrand::Rng;
use serde_json::{Value, json};

/// Longest input, bytes.
const LONGEST: usize = 64 << 10;
/// Inputs that are remembered beside the corpus, to be changed further.
const POOL: usize = 256;

/// What inputs look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// No structure that we know.
    Bytes,
    /// Lines, some of them JSON; or all of it JSON.
    Lines,
}

/// An endless source of inputs, the same for the same seed.
pub(crate) struct Mutator {
    rng: Rng,
    shape: Shape,
    corpus: Vec<Vec<u8>>,
    pool: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    current: Vec<u8>,
}

impl Mutator {
    pub(crate) fn new(seed: u64, shape: Shape, corpus: &[Vec<u8>], words: &[Vec<u8>]) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            shape,
            corpus: corpus.to_vec(),
            pool: Vec::new(),
            words: words.to_vec(),
            current: Vec::new(),
        }
    }

    /// The next input.
    pub(crate) fn next(&mut self) -> &[u8] {
        let mut input = self.pick();
        for _ in 0..self.rng.u32(1..=6) {
            match self.rng.u32(0..10) {
                0..3 if self.shape == Shape::Lines => self.change_lines(&mut input),
                3..6 if self.shape == Shape::Lines => self.change_json(&mut input),
                _ => self.change_bytes(&mut input),
            }
            // After each: a few hundred copies of a few hundred copies would be gigabytes.
            input.truncate(LONGEST);
        }
        // Nothing tells which inputs lead anywhere; a few are changed further all the same.
        if self.rng.u32(0..8) == 0 {
            let place = self.rng.usize(0..POOL);
            match self.pool.get_mut(place) {
                Some(old) => old.clone_from(&input),
                None => self.pool.push(input.clone()),
            }
        }
        self.current = input;
        &self.current
    }

    fn pick(&mut self) -> Vec<u8> {
        let from = if self.rng.u32(0..4) == 0 && !self.pool.is_empty() {
            &self.pool
        } else {
            &self.corpus
        };
        from[self.rng.usize(0..from.len())].clone()
    }

    /// A range within the input, mostly short.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.rng.usize(0..=length);
        let most = if self.rng.u32(0..4) == 0 { length } else { 8 };
        let end = start + self.rng.usize(0..=most.min(length - start));
        start..end
    }

    fn word(&mut self) -> Vec<u8> {
        if self.words.is_empty() {
            return vec![0xff; 4];
        }
        self.words[self.rng.usize(0..self.words.len())].clone()
    }

    fn change_bytes(&mut self, input: &mut Vec<u8>) {
        let range = self.range(input.len());
        match self.rng.u32(0..8) {
            0 if !input.is_empty() => {
                let place = self.rng.usize(0..input.len());
                input[place] ^= 1 << self.rng.u32(0..8);
            }
            1 if !input.is_empty() => {
                let place = self.rng.usize(0..input.len());
                input[place] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'"', b'0'][self.rng.usize(0..8)];
            }
            2 => drop(input.drain(range)),
            3 => {
                let piece = input[range.clone()].to_vec();
                let times = self.rng.usize(1..=4);
                input.splice(range.start..range.start, piece.repeat(times));
            }
            4 => {
                let other = self.pick();
                let piece = self.range(other.len());
                input.splice(range, other[piece].iter().copied());
            }
            5 => {
                let random: Vec<u8> = (0..self.rng.u32(1..=8)).map(|_| self.rng.u8(..)).collect();
                input.splice(range, random);
            }
            6 => {
                let word = self.word();
                input.splice(range.start..range.start, word);
            }
            _ => {
                let word = self.word();
                let end = (range.start + word.len()).min(input.len());
                input.splice(range.start..end, word);
            }
        }
    }

    fn change_lines(&mut self, input: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> =
            input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let other = self.pick();
        let others: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
        if lines.is_empty() || others.is_empty() {
            return;
        }
        let (at, to) = (self.rng.usize(0..lines.len()), self.rng.usize(0..lines.len()));
        match self.rng.u32(0..6) {
            0 => drop(lines.remove(at)),
            1 => lines.swap(at, to),
            2 => {
                let times = [1, 2, 20, 300][self.rng.usize(0..4)];
                let copies = vec![lines[at].clone(); times];
                lines.splice(to..to, copies);
            }
            3 => {
                let from = self.rng.usize(0..others.len());
                let count = self.rng.usize(1..=(others.len() - from).min(8));
                lines.splice(at..at, others[from..from + count].iter().map(|line| line.to_vec()));
            }
            4 => {
                let mut word = self.word();
                word.push(b'\n');
                lines.insert(at, word);
            }
            _ => {
                // A line end is missing, or is another.
                let line = &mut lines[at];
                line.pop();
                line.extend([&b""[..], b"\r\n", b"\r", b"\n\n", b"\0\n"][self.rng.usize(0..5)]);
            }
        }
        *input = lines.concat();
    }

    /// Changes one value of the JSON in a line, or of the input as a whole.
    fn change_json(&mut self, input: &mut Vec<u8>) {
        let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
        let whole =
            serde_json::from_slice::<Value>(input).ok().map(|value| (0..input.len(), value));
        let found = whole.or_else(|| {
            let at = self.rng.usize(0..lines.len().max(1));
            let start = lines.iter().take(at).map(|line| line.len()).sum::<usize>();
            let line = lines.get(at)?;
            let skipped = line.iter().position(|byte| *byte == b'{')?;
            let value = serde_json::from_slice(&line[skipped..]).ok()?;
            Some((start + skipped..start + line.len(), value))
        });
        let Some((range, mut value)) = found else { return };
        let count = nodes(&value);
        let mut left = self.rng.usize(0..count);
        self.change_node(&mut value, &mut left);
        let mut text = serde_json::to_vec(&value).unwrap_or_default();
        if self.rng.u32(0..8) == 0 {
            self.spoil_json(&mut text);
        }
        if input.get(range.clone()).is_some_and(|old| old.ends_with(b"\n")) {
            text.push(b'\n');
        }
        input.splice(range, text);
    }

    /// Goes to the node with that number, counted from the root, and changes it.
    fn change_node(&mut self, value: &mut Value, left: &mut usize) -> bool {
        if *left == 0 {
            *value = self.changed(value);
            return true;
        }
        *left -= 1;
        match value {
            Value::Array(list) => {
                if *left == 0 && !list.is_empty() && self.rng.bool() {
                    let at = self.rng.usize(0..list.len());
                    if self.rng.bool() {
                        list.remove(at);
                    } else {
                        let copy = list[at].clone();
                        list.insert(at, copy);
                    }
                    return true;
                }
                list.iter_mut().any(|value| self.change_node(value, left))
            }
            Value::Object(map) => {
                if *left == 0 && !map.is_empty() && self.rng.bool() {
                    let at = self.rng.usize(0..map.len());
                    let key = map.keys().nth(at).cloned().unwrap_or_default();
                    let old = map.remove(&key);
                    if self.rng.bool() {
                        let word = String::from_utf8_lossy(&self.word()).into_owned();
                        map.insert(word, old.unwrap_or_default());
                    }
                    return true;
                }
                map.values_mut().any(|value| self.change_node(value, left))
            }
            _ => false,
        }
    }

    /// Another value in place of one.
    fn changed(&mut self, value: &Value) -> Value {
        let text = value.as_str().unwrap_or_default();
        match self.rng.u32(0..14) {
            0 => Value::Null,
            1 => json!(self.rng.bool()),
            2 => json!([0, 1, -1, 255, 256, 65_535, 65_536, i64::MAX][self.rng.usize(0..8)]),
            3 => json!([0.5, -0.0, 1e15, 1e300, 1e-300, f64::from(u32::MAX)][self.rng.usize(0..6)]),
            4 => json!(String::from_utf8_lossy(&self.word())),
            5 => json!([value.clone(), value.clone()]),
            6 => json!({"a": value.clone()}),
            7 => json!([]),
            8 => json!({}),
            9 => json!(format!("{:0>8x}", self.rng.u32(..))),
            10 => json!(self.rng.u64(..)),
            11 => json!(text.repeat(self.rng.usize(0..=40))),
            12 => json!(text.to_uppercase()),
            _ => {
                let mut text = text.to_owned();
                let at = text.floor_char_boundary(self.rng.usize(0..=text.len()));
                text.insert(
                    at,
                    ['0', ' ', '"', '\\', '\0', '\u{e9}', '.', 'x'][self.rng.usize(0..8)],
                );
                json!(text)
            }
        }
    }

    /// What no writer of JSON writes: keys twice, deep nesting, lone surrogates, long numbers.
    fn spoil_json(&mut self, text: &mut Vec<u8>) {
        let depth = [9, 100, 600, 10_000][self.rng.usize(0..4)];
        match self.rng.u32(0..4) {
            0 => {
                let inner = String::from_utf8_lossy(text).into_owned();
                let inner = inner.trim_start_matches('{').trim_end_matches('}').to_owned();
                *text = format!("{{{inner},{inner}}}").into_bytes();
            }
            1 => *text = [&b"[".repeat(depth), &text[..], &b"]".repeat(depth)].concat(),
            2 => {
                let quotes = text.iter().position(|byte| *byte == b'"').unwrap_or(0);
                text.splice(quotes..quotes, *b"\"\\ud800\":1,");
            }
            _ => {
                let digit = text.iter().position(u8::is_ascii_digit).unwrap_or(0);
                text.splice(digit..digit, b"9".repeat(depth));
            }
        }
    }
}

/// Values in a value, itself among them.
fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(nodes).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(nodes).sum::<usize>(),
        _ => 1,
    }
}
