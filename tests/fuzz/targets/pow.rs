//! Headers for a proof of work.
//!
//! The first byte says which algorithm, the second log2 of N where that is scrypt, the rest are
//! headers.

use romp::chain::Header;
use romp::pow::scrypt::{LOG_N, Several};
use romp::pow::{Algorithm, schedule};
use romp::sys::cpu;

/// Most headers of an input: two groups of the widest vectors, and one more.
const MOST: usize = 17;

/// Any bytes as headers.
pub(crate) fn target(data: &[u8]) {
    let [which, log_n, rest @ ..] = data else { return };
    let (whole, tail) = rest.as_chunks::<80>();
    let mut headers: Vec<Header> = whole.iter().take(MOST).copied().collect();
    let mut last = [0; 80];
    last[..tail.len()].copy_from_slice(tail);
    headers.push(last);
    let algorithm = match Algorithm::ALL[usize::from(*which) % Algorithm::ALL.len()] {
        // A time of the header's choice would ask for gigabytes.
        Algorithm::ScryptJane(_) => {
            Algorithm::ScryptJane(schedule::Growth { start: 0, least: 4, most: 4 })
        }
        other => other,
    };
    for header in headers.iter().take(2) {
        let hash = algorithm.hash(header);
        assert_eq!(algorithm.hash(header), hash, "the same each time");
    }
    if algorithm == Algorithm::Scrypt {
        let one = Several::new(None).hash_many(&headers, 1 + log_n % LOG_N);
        for mixer in cpu::mixers() {
            let many = Several::new(Some(mixer)).hash_many(&headers, 1 + log_n % LOG_N);
            assert_eq!(many, one, "{}", mixer.name);
        }
    }
}
