//! `romp bench pow`: how many proofs of work of each algorithm one core checks in a second. A scrypt
//! pool needs a core for each so many shares a second.

use super::{DONE, FAILED};
use crate::chain::{Hash, Header, Midstate};
use crate::pow::Algorithm;
use crate::pow::schedule::Growth;
use crate::pow::scrypt::Several;
use crate::sys::cpu;
use serde::Serialize;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

/// How long each algorithm is measured.
const TIME: Duration = Duration::from_secs(1);
/// Time before that, in which the processor gets up to speed.
const WARM_UP: Duration = Duration::from_millis(200);

/// What is hashed, but for the nonce. Its time is of January 2018.
const HEADER: Header = [0x5a; 80];

/// Headers that are at hand where several are hashed at a time: a turn of a busy worker.
const MANY: usize = 16;

#[derive(Serialize)]
struct Speed {
    algorithm: &'static str,
    kernel: &'static str,
    hashes_per_second: f64,
    microseconds: f64,
}

/// Measures every algorithm on one core and prints it. Returns the exit code.
#[must_use]
pub fn pow(json: bool) -> u8 {
    let mut speeds = Vec::new();
    for algorithm in Algorithm::ALL {
        let (algorithm, kernel, at_once) = match algorithm {
            // Its N grows by the year, up to a second a hash.
            Algorithm::ScryptJane(_) => {
                let factor = Growth { start: 0, least: 10, most: 10 };
                (Algorithm::ScryptJane(factor), "factor 10", 1)
            }
            other => (other, "one by one", MANY),
        };
        let one = |headers: &[Header]| headers.iter().map(|it| algorithm.hash(it)).collect();
        speeds.push(speed((algorithm, kernel), at_once, one));
        if algorithm == Algorithm::Sha256 {
            // As a pool hashes shares of one coinbase: the headers here differ in their nonces only.
            let midstate = Midstate::new(&HEADER);
            let many = |headers: &[Header]| headers.iter().map(|it| midstate.sha256d(it)).collect();
            speeds.push(speed((algorithm, "mid-state"), at_once, many));
        }
        let Some(log_n) = algorithm.scrypt_log_n(&HEADER) else { continue };
        for mixer in cpu::mixers() {
            let mut several = Several::new(Some(mixer));
            let many = |headers: &[Header]| several.hash_many(headers, log_n);
            speeds.push(speed((algorithm, mixer.name), MANY, many));
        }
    }
    let text = if json {
        serde_json::to_string_pretty(&speeds).unwrap_or_default()
    } else {
        let line = |speed: &Speed| {
            format!(
                "{:<16} {:<10} {:>10.0} hashes/s a core {:>10.2} us each",
                speed.algorithm, speed.kernel, speed.hashes_per_second, speed.microseconds
            )
        };
        speeds.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    if writeln!(std::io::stdout(), "{text}").is_ok() { DONE } else { FAILED }
}

fn speed(
    (algorithm, kernel): (Algorithm, &'static str),
    at_once: usize,
    mut hash: impl FnMut(&[Header]) -> Vec<Hash>,
) -> Speed {
    run(&mut hash, at_once, WARM_UP);
    let (hashes, seconds) = run(&mut hash, at_once, TIME);
    Speed {
        algorithm: algorithm.name(),
        kernel,
        hashes_per_second: hashes / seconds,
        microseconds: seconds * 1e6 / hashes,
    }
}

/// Hashes headers that differ for a time; how many, and the seconds that it took.
fn run(
    hash: &mut impl FnMut(&[Header]) -> Vec<Hash>,
    at_once: usize,
    time: Duration,
) -> (f64, f64) {
    let mut headers: Vec<Header> = vec![HEADER; at_once];
    let begun = Instant::now();
    let mut hashes = 0_u32;
    loop {
        for header in &mut headers {
            hashes = hashes.wrapping_add(1);
            let (_, nonce) = header.split_at_mut(76);
            nonce.copy_from_slice(&hashes.to_le_bytes());
        }
        black_box(hash(black_box(&headers)));
        let elapsed = begun.elapsed();
        if elapsed >= time {
            return (f64::from(hashes), elapsed.as_secs_f64());
        }
    }
}
