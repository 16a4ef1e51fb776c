//! Runs one target: its corpus, then mutations until the time is over. What fails is kept.

use super::mutate::{Mutator, Shape};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Seconds that one input may take before the run gives it up as endless. Slow machines under load
/// need a small part of it.
const ENDLESS: Duration = Duration::from_secs(60);
/// Most memory of this process at any time, bytes: targets are bounded, whatever they get.
const MOST_MEMORY: u64 = 1 << 30;

type Target = fn(&[u8]);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not understood")))
}

/// The input that runs now, for who watches.
#[derive(Default)]
struct Now {
    input: Mutex<Option<(Instant, Vec<u8>)>>,
    over: AtomicBool,
}

impl Now {
    fn set(&self, input: Option<(Instant, Vec<u8>)>) {
        *self.input.lock().unwrap_or_else(PoisonError::into_inner) = input;
    }

    fn endless(&self) -> Option<Vec<u8>> {
        let input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, input) = input.as_ref()?;
        (since.elapsed() > ENDLESS).then(|| input.clone())
    }
}

/// Runs a target.
pub(crate) fn run(name: &str, shape: Shape, target: Target) {
    if let Some(path) = variable::<PathBuf>("ROMP_FUZZ_INPUT") {
        let input = std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        return target(&input);
    }
    let now = Arc::new(Now::default());
    let watched = Arc::clone(&now);
    let watch_name = name.to_owned();
    let watcher = std::thread::spawn(move || {
        while !watched.over.load(Ordering::Relaxed) {
            if let Some(input) = watched.endless() {
                eprintln!("{}", kept(&watch_name, &input, "has no end"));
                std::process::abort();
            }
            std::thread::park_timeout(Duration::from_millis(200));
        }
    });
    let outcome = catch_unwind(AssertUnwindSafe(|| all(name, shape, target, &now)));
    now.over.store(true, Ordering::Relaxed);
    watcher.thread().unpark();
    watcher.join().expect("the watching thread");
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn all(name: &str, shape: Shape, target: Target, now: &Now) {
    let corpus = corpus(name);
    let mut slowest = Duration::ZERO;
    let mut execute = |input: &[u8]| {
        let start = Instant::now();
        now.set(Some((start, input.to_vec())));
        let result = catch_unwind(AssertUnwindSafe(|| target(input)));
        now.set(None);
        slowest = slowest.max(start.elapsed());
        assert!(result.is_ok(), "{}", kept(name, input, "breaks a promise"));
    };
    for input in &corpus {
        execute(input);
    }
    let seed = variable("ROMP_FUZZ_SEED").unwrap_or_else(|| {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        u64::from(since.subsec_nanos()) << 20 ^ since.as_secs()
    });
    let time = Duration::from_secs(variable("ROMP_FUZZ_SECONDS").unwrap_or(2));
    let mut mutator = Mutator::new(seed, shape, &corpus, &words(name));
    let start = Instant::now();
    let mut executions = corpus.len() as u64;
    while start.elapsed() < time {
        execute(mutator.next());
        executions += 1;
    }
    eprintln!(
        "fuzz {name}: {executions} executions, {} of them the corpus, slowest {} ms, seed {seed}",
        corpus.len(),
        slowest.as_millis(),
    );
    let memory = peak_memory();
    assert!(memory <= MOST_MEMORY, "{name}: {memory} bytes of memory at worst (seed {seed})");
}

/// The kept inputs, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder:?} is empty");
    files.iter().map(|path| std::fs::read(path).expect("a corpus file")).collect()
}

/// Words of the target's dictionary, in the form that libFuzzer reads: `"text"` with `\\`, `\"` and
/// `\xNN`, one a line. Targets without one have none.
fn words(name: &str) -> Vec<Vec<u8>> {
    let path = root().join("fuzz/dictionaries").join(format!("{name}.dict"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| word(line.trim().strip_prefix('"')?.strip_suffix('"')?))
        .collect()
}

fn word(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut word = Vec::new();
    while let Some(byte) = bytes.next() {
        word.push(match byte {
            b'\\' => match bytes.next()? {
                b'x' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                other => other,
            },
            other => other,
        });
    }
    Some(word)
}

/// Keeps an input in a file, and says how to try it again.
fn kept(name: &str, input: &[u8], what: &str) -> String {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = root().join("target/fuzz");
    let path = folder.join(format!("{name}-{:016x}", hasher.finish()));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input));
    match written {
        Ok(()) => format!(
            "an input {what}; to see it again: ROMP_FUZZ_INPUT={} cargo test --test fuzz {name}",
            path.display()
        ),
        Err(error) => format!("an input {what}, and cannot be kept ({error}): {input:02x?}"),
    }
}

/// The most memory that this process ever had, bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0_u64) << 10
}
