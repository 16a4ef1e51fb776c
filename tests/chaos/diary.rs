//! What was done when: into a file, with one line of progress on the terminal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The diary of a campaign.
#[derive(Debug)]
pub(crate) struct Diary {
    file: File,
    start: Instant,
    /// What was done how often.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Broken promises.
    pub(crate) broken: Vec<String>,
    shown: Option<Instant>,
}

impl Diary {
    pub(crate) fn new(path: &Path) -> Self {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("the log's folder");
        }
        let file = File::create(path).expect("the log");
        let (counts, broken) = (BTreeMap::new(), Vec::new());
        Self { file, start: Instant::now(), counts, broken, shown: None }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A line of the log.
    pub(crate) fn note(&mut self, text: &str) {
        writeln!(self.file, "{:9.3} {text}", self.start.elapsed().as_secs_f64()).expect("the log");
    }

    /// Something that is counted by its kind.
    pub(crate) fn did(&mut self, kind: &'static str, detail: &str) {
        *self.counts.entry(kind).or_default() += 1;
        self.note(&format!("{kind} {detail}"));
    }

    /// A promise was broken.
    pub(crate) fn broke(&mut self, what: String) {
        self.note(&format!("BROKEN: {what}"));
        self.broken.push(what);
    }

    /// A line for the reader, and for the log.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        println!("{text}");
        self.note(text);
    }

    /// The line of progress: again and again on a terminal, else once a minute.
    pub(crate) fn progress(&mut self, text: impl FnOnce() -> String) {
        let terminal = std::io::stdout().is_terminal();
        let apart = Duration::from_secs(if terminal { 1 } else { 60 });
        if self.shown.is_some_and(|shown| shown.elapsed() < apart) {
            return;
        }
        self.shown = Some(Instant::now());
        if terminal {
            print!("\r\x1b[K{}", text());
            std::io::stdout().flush().ok();
        } else {
            println!("{}", text());
        }
    }

    fn clear(&self) {
        if std::io::stdout().is_terminal() {
            print!("\r\x1b[K");
        }
    }
}
