//! `romp bench pow`: how many proofs of work of each algorithm one core checks in a second. A scrypt
//! pool needs a core for each so many shares a second.

use super::{DONE, FAILED};
use crate::chain::Header;
use crate::pow::Algorithm;
use serde::Serialize;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

/// How long each algorithm is measured.
const TIME: Duration = Duration::from_secs(1);
/// Time before that, in which the processor gets up to speed.
const WARM_UP: Duration = Duration::from_millis(200);

#[derive(Serialize)]
struct Speed {
    algorithm: &'static str,
    hashes_per_second: f64,
    microseconds: f64,
}

/// Measures every algorithm on one core and prints it. Returns the exit code.
#[must_use]
pub fn pow(json: bool) -> u8 {
    let speeds: Vec<Speed> = Algorithm::ALL.into_iter().map(speed).collect();
    let text = if json {
        serde_json::to_string_pretty(&speeds).unwrap_or_default()
    } else {
        let line = |speed: &Speed| {
            format!(
                "{:<13} {:>12.0} hashes/s a core {:>12.2} us each",
                speed.algorithm, speed.hashes_per_second, speed.microseconds
            )
        };
        speeds.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    if writeln!(std::io::stdout(), "{text}").is_ok() { DONE } else { FAILED }
}

fn speed(algorithm: Algorithm) -> Speed {
    run(algorithm, WARM_UP);
    let (hashes, seconds) = run(algorithm, TIME);
    Speed {
        algorithm: algorithm.name(),
        hashes_per_second: hashes / seconds,
        microseconds: seconds * 1e6 / hashes,
    }
}

/// Hashes headers that differ for a time; how many, and the seconds that it took.
fn run(algorithm: Algorithm, time: Duration) -> (f64, f64) {
    let mut header: Header = [0x5a; 80];
    let begun = Instant::now();
    let mut hashes = 0_u32;
    loop {
        // The clock costs a hundredth of a sha256d.
        for _ in 0..8 {
            hashes = hashes.wrapping_add(1);
            let (_, nonce) = header.split_at_mut(76);
            nonce.copy_from_slice(&hashes.to_le_bytes());
            black_box(algorithm.hash(black_box(&header)));
        }
        let elapsed = begun.elapsed();
        if elapsed >= time {
            return (f64::from(hashes), elapsed.as_secs_f64());
        }
    }
}
