//! `romp pow ALGO HEADER`: the proof of work of one header, as the pool judges it.

#![allow(clippy::print_stderr)] // a command's errors

use super::{DONE, FAILED, USAGE};
use crate::chain::{Header, Target, hex_array, hex_encode};
use crate::pow::Algorithm;
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
    #[command(flatten)]
    n: ChosenN,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What the proof of work of a growing algorithm asks for at another time than now.
#[derive(Debug, Default, Args)]
pub struct ChosenN {
    /// scrypt, scrypt-n, scrypt-og: N, a power of two, in place of the algorithm's own
    #[arg(long, value_name = "N")]
    n: Option<u64>,
    /// scrypt-jane: the N factor in place of that of the header's time: N is 2^(F + 1)
    #[arg(long, value_name = "F")]
    n_factor: Option<u8>,
}

impl ChosenN {
    /// The algorithm of that name, with the chosen N.
    ///
    /// # Errors
    /// Words for the operator.
    pub(super) fn of(&self, name: &str) -> Result<Algorithm, String> {
        let algorithm = Algorithm::from_name(name).ok_or("there is no such algorithm")?;
        algorithm.with_n(self.n, self.n_factor)
    }
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
        Err(error) => refuse(&error),
    }
}

/// Says why a command line cannot be meant. Returns the exit code.
pub(super) fn refuse(error: &str) -> u8 {
    eprintln!("error: {error}");
    USAGE
}

fn hashed(options: &Options) -> Result<Printed, String> {
    let Options { algorithm, header, n, .. } = options;
    let algorithm = n.of(algorithm)?;
    let header: Header = hex_array(header).ok_or_else(|| {
        format!("a header is 160 hex digits (80 bytes); these are {} characters", header.len())
    })?;
    Ok(Printed::new(algorithm, &header))
}

impl Printed {
    fn new(algorithm: Algorithm, header: &Header) -> Self {
        let hash = algorithm.hash(header);
        let network_difficulty = Target::met_by(&hash).difficulty();
        let [.., a, b, c, d, _, _, _, _] = *header;
        let bits = u32::from_le_bytes([a, b, c, d]);
        let id = if algorithm.is_id() { hash } else { algorithm.block_id(header) };
        Self {
            algorithm: algorithm.name(),
            hash: hash.to_string(),
            bytes: hex_encode(&hash.0),
            block_id: id.to_string(),
            difficulty: network_difficulty * f64::from(1_u32 << algorithm.multiplier_shift()),
            network_difficulty,
            bits: format!("{bits:08x}"),
            meets_bits: Target::from_compact(bits).is_some_and(|target| target.is_met_by(&hash)),
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
        Options { algorithm, header, n: ChosenN::default(), json: false }
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
        let with = |name: &str, n, n_factor| {
            hashed(&Options { n: ChosenN { n, n_factor }, ..options(name, HEADER) })
        };
        let own = hashed(&options("scrypt", HEADER)).unwrap().hash;
        assert_eq!(with("scrypt", Some(1024), None).unwrap().hash, own);
        assert_eq!(with("scrypt-n", Some(1024), None).unwrap().hash, own);
        assert_ne!(with("scrypt", Some(2048), None).unwrap().hash, own);
        let (four, five) = (with("scrypt-jane", None, Some(4)), with("scrypt-jane", None, Some(5)));
        assert_ne!(four.unwrap().hash, five.unwrap().hash);
        for (refused, word) in [
            (with("scrypt", Some(1000), None), "power of two"),
            (with("scrypt", Some(0), None), "power of two"),
            (with("x11", Some(1024), None), "x11 has no N to choose"),
            (with("scrypt", None, Some(4)), "scrypt has no N factor to choose"),
            (with("scrypt-jane", None, Some(22)), "must be 0 to 21"),
            (with("scrypt-jane", Some(1024), Some(4)), "has no N to choose"),
            (hashed(&options("scrypt", "00")), "160 hex digits"),
            (hashed(&options("scrypt", &"zz".repeat(80))), "160 hex digits"),
        ] {
            let error = refused.unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
