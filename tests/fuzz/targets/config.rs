//! A folder of configuration files with anything in them.
//!
//! The input is the three files one after the other: what follows a line `//=config`, `//=coin` or
//! `//=pool` is that file; without such a line all of it is the pool file. Files that are not
//! there are sound ones.

use super::scratch;
use romp::config;
use serde_json::Value;
use std::cell::OnceCell;
use std::path::Path;
use tempfile::TempDir;

/// Kinds of files: marker, name, and the sound file.
const FILES: [(&str, &str, &str); 3] = [
    ("//=config", "config.json", r#"{"cliPort": 17117}"#),
    (
        "//=coin",
        "coins/litecoin.json",
        r#"{"name": "Litecoin", "symbol": "LTC", "algorithm": "scrypt"}"#,
    ),
    (
        "//=pool",
        "pool_configs/litecoin.json",
        r#"{"enabled": true, "coin": "litecoin.json", "address": "mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc",
            "ports": {"3032": {"diff": 32}}, "daemons": [{"port": 19332, "user": "u", "password": "p"}]}"#,
    ),
];
/// A password that corpus files use, to see that no message shows it.
const SECRET: &str = "hunter2";
/// Most messages of one kind about three files, and most bytes of one.
const MOST_MESSAGES: usize = 1000;
const MOST_WORDS: usize = 32 << 10;

/// Any bytes as configuration.
pub(crate) fn target(data: &[u8]) {
    thread_local! {
        static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
    }
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| {
            let folder = scratch::folder();
            for below in ["coins", "pool_configs"] {
                std::fs::create_dir(folder.path().join(below)).expect("a folder");
            }
            folder
        });
        check(folder.path(), &files(data));
    });
}

/// The files of an input, in the order of [`FILES`].
fn files(data: &[u8]) -> [Vec<u8>; 3] {
    let mut files = FILES.map(|_| None::<Vec<u8>>);
    let mut into = 2;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let trimmed = line.trim_ascii();
        match FILES.iter().position(|(marker, ..)| marker.as_bytes() == trimmed) {
            Some(file) => {
                into = file;
                files[into] = Some(Vec::new());
            }
            None => files[into].get_or_insert_default().extend_from_slice(line),
        }
    }
    let mut sound = FILES.iter().map(|(_, _, sound)| sound.as_bytes().to_vec());
    files.map(|file| {
        let sound = sound.next().expect("as many as files");
        file.unwrap_or(sound)
    })
}

fn check(folder: &Path, files: &[Vec<u8>; 3]) {
    for ((_, name, _), bytes) in FILES.iter().zip(files) {
        std::fs::write(folder.join(name), bytes).expect("a file");
    }
    let loaded = config::load(folder);
    assert_eq!(
        loaded.config.is_some(),
        loaded.errors.is_empty(),
        "a configuration, or the reasons why there is none: {:?}",
        loaded.errors
    );
    assert!(loaded.errors.len() + loaded.warnings.len() <= MOST_MESSAGES, "too many messages");
    let hides = hides_secret(files);
    for message in loaded.errors.iter().chain(&loaded.warnings) {
        check_place(message, files);
        assert!(message.len() <= MOST_WORDS, "a message of {} bytes", message.len());
        assert!(!(hides && message.contains(SECRET)), "a password is shown: {message}");
    }
    if let Some(config) = &loaded.config {
        // What workers get through a memory file is what was checked.
        let text = serde_json::to_string(config).expect("a checked configuration is plain data");
        let again: config::Config = serde_json::from_str(&text).expect("it reads itself");
        assert_eq!(serde_json::to_string(&again).expect("plain data"), text);
        for pool in config.pools.values() {
            assert!(!pool.ports.is_empty(), "a pool without ports was accepted");
            assert!(!pool.daemons.is_empty(), "a pool without daemons was accepted");
        }
    }
}

/// A message names a place inside one of the files, or a file as a whole.
fn check_place(message: &str, files: &[Vec<u8>; 3]) {
    let Some((_, place)) = message.split_once("--> ") else {
        let mut words = message.splitn(3, ": ");
        let kind = words.next().unwrap_or_default();
        assert!(["error", "warning", "note"].contains(&kind), "no place: {message}");
        assert!(words.next().is_some_and(|name| !name.is_empty()), "no file: {message}");
        return;
    };
    let place = place.lines().next().unwrap_or_default();
    let mut parts = place.rsplitn(3, ':');
    let mut number = || parts.next().and_then(|text| text.trim().parse::<usize>().ok());
    let (column, line) = (number().expect("a column"), number().expect("a line"));
    let name = parts.next().unwrap_or_default();
    let file = FILES.iter().position(|(_, known, _)| *known == name).expect("a known file");
    let text = String::from_utf8_lossy(&files[file]);
    let lines = text.split('\n').count();
    assert!((1..=lines).contains(&line), "{place}, but {name} has {lines} lines");
    // Stars may be longer than the secret that they hide.
    let length = text.split('\n').nth(line - 1).unwrap_or_default().chars().count();
    let slack = 3 * text.matches(['"', ':', '=']).count();
    assert!((1..=length + 1 + slack).contains(&column), "{place}, but the line has {length}");
}

/// Whether the secret stands in sound files, and there only as the value of a `password`.
fn hides_secret(files: &[Vec<u8>; 3]) -> bool {
    files.iter().all(|file| {
        let Ok(text) = std::str::from_utf8(file) else { return false };
        let Ok(value) = serde_json::from_str::<Value>(text) else { return !text.contains(SECRET) };
        text.matches(SECRET).count() == passwords(&value)
    })
}

/// Passwords that are the secret and nothing else.
fn passwords(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(passwords).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                usize::from(key == "password" && value == SECRET) + passwords(value)
            })
            .sum(),
        _ => 0,
    }
}
