//! `romp pow ALGO HEADER`: the proof of work of one header, as the pool judges it.

#![allow(clippy::print_stderr)] // a command's errors

use super::{DONE, FAILED, USAGE};
use crate::chain::{Hash, Header, Target, hex_array, hex_encode};
use crate::pow::{Algorithm, scrypt, scrypt_jane};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write;

/// What is hashed, and how.
#[derive(Debug, Args)]
pub struct Options {
    /// Proof of work, by its name in coin files
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(super::algorithms()))]
    algorithm: String,
    /// The block header: 160 hex digits, as it stands in a block
    header: String,
    /// scrypt, scrypt-n, scrypt-og: N, a power of two, in place of the algorithm's own
    #[arg(long, value_name = "N")]
    n: Option<u32>,
    /// scrypt-jane: the N factor in place of that of the header's time: N is 2^(F + 1)
    #[arg(long, value_name = "F", value_parser = clap::value_parser!(u8).range(0..=21))]
    n_factor: Option<u8>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    algorithm: &'static str,
    /// Most significant byte first, as explorers show it.
    hash: String,
    /// As the function writes them.
    bytes: String,
    block_id: String,
    /// Of a share with that hash, and of the network.
    difficulty: f64,
    network_difficulty: f64,
    /// The header's own `nBits`, and whether the hash meets them: a block.
    bits: String,
    meets_bits: bool,
}

/// Hashes a header and prints it. Returns the exit code.
#[must_use]
pub fn run(options: &Options) -> u8 {
    match hashed(options) {
        Ok(printed) => {
            let text = if options.json {
                serde_json::to_string_pretty(&printed).unwrap_or_default()
            } else {
                printed.text()
            };
            if writeln!(std::io::stdout(), "{}", text.trim_end()).is_ok() { DONE } else { FAILED }
        }
        Err(error) => {
            eprintln!("error: {error}");
            USAGE
        }
    }
}

fn hashed(options: &Options) -> Result<Printed, String> {
    let Options { algorithm, header, n, n_factor, .. } = options;
    let algorithm = Algorithm::from_name(algorithm).ok_or("there is no such algorithm")?;
    let name = algorithm.name();
    let header: Header = hex_array(header).ok_or_else(|| {
        format!("a header is 160 hex digits (80 bytes); these are {} characters", header.len())
    })?;
    let hash = match (n, n_factor) {
        (None, None) => algorithm.hash(&header),
        (Some(n), None) if algorithm.scrypt_log_n(&header).is_some() => {
            let log_n =
                n.checked_ilog2().filter(|log| n.is_power_of_two() && (1..=20).contains(log));
            let log_n = log_n.and_then(|log| u8::try_from(log).ok());
            let words = || format!("--n {n} must be a power of two from 2 to 1048576");
            scrypt::hash(&header, log_n.ok_or_else(words)?)
        }
        (None, Some(factor)) if matches!(algorithm, Algorithm::ScryptJane(_)) => {
            scrypt_jane::hash(&header, *factor)
        }
        (Some(_), _) => return Err(format!("{name} has no N to choose: leave out --n")),
        (_, Some(_)) => {
            return Err(format!("{name} has no N factor to choose: leave out --n-factor"));
        }
    };
    Ok(Printed::new(algorithm, &header, &hash))
}

impl Printed {
    fn new(algorithm: Algorithm, header: &Header, hash: &Hash) -> Self {
        let network_difficulty = Target::met_by(hash).difficulty();
        let [.., a, b, c, d, _, _, _, _] = *header;
        let bits = u32::from_le_bytes([a, b, c, d]);
        let id = if algorithm.is_id() { *hash } else { algorithm.block_id(header) };
        Self {
            algorithm: algorithm.name(),
            hash: hash.to_string(),
            bytes: hex_encode(&hash.0),
            block_id: id.to_string(),
            difficulty: network_difficulty * f64::from(1_u32 << algorithm.multiplier_shift()),
            network_difficulty,
            bits: format!("{bits:08x}"),
            meets_bits: Target::from_compact(bits).is_some_and(|target| target.is_met_by(hash)),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let meets = if self.meets_bits { "meets" } else { "does not meet" };
        for (name, value) in [
            ("hash", self.hash.clone()),
            ("bytes", self.bytes.clone()),
            ("block id", self.block_id.clone()),
            ("difficulty", format!("{:.9} as a share of {}", self.difficulty, self.algorithm)),
            ("", format!("{:.9} of the network", self.network_difficulty)),
            ("bits", format!("{}: the hash {meets} them", self.bits)),
        ] {
            let _ = writeln!(text, "{name:<11} {value}");
        }
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Litecoin's genesis block.
    const HEADER: &str = "010000000000000000000000000000000000000000000000000000000000000000000000\
                          d9ced4ed1130f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97\
                          b9aa8e4ef0ff0f1ecd513f7c";

    fn options(algorithm: &str, header: &str) -> Options {
        let (algorithm, header) = (algorithm.to_owned(), header.to_owned());
        Options { algorithm, header, n: None, n_factor: None, json: false }
    }

    #[test]
    fn a_genesis_block_is_shown_as_explorers_know_it() {
        let printed = hashed(&options("scrypt", HEADER)).unwrap();
        let id = "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2";
        assert_eq!(printed.block_id, id);
        assert!(printed.meets_bits && printed.bits == "1e0ffff0", "{printed:?}");
        let mut turned = hex_array::<32>(&printed.bytes).unwrap();
        turned.reverse();
        assert_eq!(hex_encode(&turned), printed.hash);
        // Its target is difficulty 1/4096 of the network, 16 of scrypt shares.
        assert!(printed.network_difficulty >= 1.0 / 4096.0 && printed.difficulty >= 16.0);
        assert!(printed.text().contains("meets them"), "{}", printed.text());
    }

    #[test]
    fn n_can_be_chosen_where_there_is_one() {
        let with_n =
            |algorithm: &str, n| hashed(&Options { n: Some(n), ..options(algorithm, HEADER) });
        let own = hashed(&options("scrypt", HEADER)).unwrap().hash;
        assert_eq!(with_n("scrypt", 1024).unwrap().hash, own);
        assert_eq!(with_n("scrypt-n", 1024).unwrap().hash, own);
        assert_ne!(with_n("scrypt", 2048).unwrap().hash, own);
        let jane = |n_factor| Options { n_factor, ..options("scrypt-jane", HEADER) };
        let (four, five) = (hashed(&jane(Some(4))).unwrap(), hashed(&jane(Some(5))).unwrap());
        assert_ne!(four.hash, five.hash);
        for (refused, word) in [
            (with_n("scrypt", 1000), "power of two"),
            (with_n("scrypt", 0), "power of two"),
            (with_n("x11", 1024), "leave out --n"),
            (hashed(&Options { n_factor: Some(4), ..options("scrypt", HEADER) }), "--n-factor"),
            (hashed(&options("scrypt", "00")), "160 hex digits"),
            (hashed(&options("scrypt", &"zz".repeat(80))), "160 hex digits"),
        ] {
            let error = refused.unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
