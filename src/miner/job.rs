//! A job as the miner sees it: from `mining.notify` to headers and shares. Pure.

use crate::chain::{Hash, Header, Target, header, hex_array, hex_decode, merkle_root};
use crate::pow::Algorithm;
use crate::stratum::{Difficulty, Unit};
use serde_json::Value;

/// Extranonce of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extranonce {
    /// The pool's part.
    pub(super) first: Vec<u8>,
    /// Bytes of our part, 1..=8.
    pub(super) second_size: usize,
}

impl Extranonce {
    /// From the hex and the size that the pool tells; `None` when we cannot mine with them.
    pub(super) fn new(first: &str, second_size: u64) -> Option<Self> {
        let first = hex_decode(first).filter(|bytes| bytes.len() <= 32)?;
        let second_size =
            usize::try_from(second_size).ok().filter(|size| (1..=8).contains(size))?;
        Some(Self { first, second_size })
    }

    /// The `number`-th value of our part, big-endian; starts again after the last.
    pub(super) fn second(&self, number: u64) -> Vec<u8> {
        number.to_be_bytes().into_iter().skip(8 - self.second_size.min(8)).collect()
    }
}

/// One job with what was valid when it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    /// The pool's id.
    pub(super) id: String,
    /// Counts jobs over all connections of this process.
    pub(super) sequence: u64,
    /// Whether older jobs are worth nothing now.
    pub(super) clean: bool,
    /// Block to build on, internal order.
    pub(super) previous: Hash,
    /// Header time, unix seconds.
    pub(super) time: u32,
    /// Extranonce at that time.
    pub(super) extranonce: Extranonce,
    /// What a share must meet.
    pub(super) target: Target,
    coinbase_before: Vec<u8>,
    coinbase_after: Vec<u8>,
    branch: Vec<Hash>,
    version: u32,
    bits: u32,
}

/// The target of a difficulty as the pool tells it. Exact: every float is an integer times a
/// power of two.
pub(super) fn target(difficulty: f64, algorithm: Algorithm) -> Target {
    let bits = difficulty.to_bits();
    let exponent = i64::try_from(bits >> 52 & 0x7ff).unwrap_or(0) - 1075;
    let mantissa = (bits & ((1 << 52) - 1)) | 1 << 52;
    let zeros = mantissa.trailing_zeros();
    let exact = match i8::try_from(exponent + i64::from(zeros)) {
        Ok(unit) => Difficulty { weight: mantissa >> zeros, unit: Unit(unit) },
        Err(_) => Difficulty::nearest(difficulty, Unit(0)),
    };
    exact.target(algorithm.multiplier_shift())
}

impl Job {
    /// Reads the parameters of `mining.notify`; `None` when they are not nine of the right shape.
    pub(super) fn parse(
        params: &Value,
        sequence: u64,
        extranonce: Extranonce,
        target: Target,
    ) -> Option<Self> {
        let text = |index: usize| params.get(index)?.as_str();
        let word = |index: usize| hex_array(text(index)?).map(u32::from_be_bytes);
        let branch = params.get(4)?.as_array()?.iter();
        Some(Self {
            id: text(0)?.to_owned(),
            sequence,
            clean: params.get(8)?.as_bool()?,
            previous: previous(text(1)?)?,
            time: word(7)?,
            extranonce,
            target,
            coinbase_before: hex_decode(text(2)?)?,
            coinbase_after: hex_decode(text(3)?)?,
            branch: branch
                .map(|step| hex_array(step.as_str()?).map(Hash))
                .collect::<Option<_>>()?,
            version: word(5)?,
            bits: word(6)?,
        })
    }

    /// The header with nonce 0 for one value of our extranonce.
    pub(super) fn header(&self, algorithm: Algorithm, extranonce2: &[u8]) -> Header {
        let coinbase = [
            self.coinbase_before.as_slice(),
            &self.extranonce.first,
            extranonce2,
            &self.coinbase_after,
        ]
        .concat();
        let root = merkle_root(algorithm.coinbase_id(&coinbase), &self.branch);
        header(self.version, &self.previous, &root, self.time, self.bits, 0)
    }
}

/// The same header with another nonce.
pub(super) fn with_nonce(mut header: Header, nonce: u32) -> Header {
    if let Some(field) = header.last_chunk_mut::<4>() {
        *field = nonce.to_le_bytes();
    }
    header
}

/// Stratum's previous hash: each 4-byte word of the internal order is byte-swapped.
fn previous(hex: &str) -> Option<Hash> {
    let mut bytes = hex_array::<32>(hex)?;
    bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
    Some(Hash(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::chain::hex_encode;
    use serde_json::json;

    /// NOMP's golden vector V1.
    #[test]
    fn headers_are_nomps() {
        let before = format!("0100000001{}ffffffff1f02f40104004e725308", "00".repeat(32));
        let after = "0d2f6e6f64655374726174756d2f0000000003003e4125010000001976a9141bf1c824cd6028bcd65732374baea5dca5fed57088acc0687804000000001976a914ecf809f1ec0ba4faa909d5175e405902a21282be88ac404b4c00000000001976a91422851477d63a085dbc2398c8430af1c09e7343f688ac00000000";
        let params = json!([
            "1",
            "4b5a69780f1e2d3cccddeeff8899aabb445566770011223389abcdef01234567",
            before,
            after,
            [],
            "00000002",
            "207fffff",
            "53724dff",
            true
        ]);
        let extranonce = Extranonce::new("08000000", 4).unwrap();
        let target = target(1.0, Algorithm::Scrypt);
        let job = Job::parse(&params, 1, extranonce.clone(), target).unwrap();
        let header =
            with_nonce(job.header(Algorithm::Sha256, &extranonce.second(0x0102_0304)), 0xdead_beef);
        assert_eq!(
            hex_encode(&header),
            "0200000078695a4b3c2d1e0fffeeddccbbaa99887766554433221100efcdab8967452301b09f1c23fa6ae8a5581e2b89d3821bf60c19ce3a58bde6c2ae39637bb889e66dff4d7253ffff7f20efbeadde"
        );
        for index in 0..9 {
            let mut broken = params.clone();
            *broken.get_mut(index).unwrap() = json!({});
            assert!(Job::parse(&broken, 1, extranonce.clone(), target).is_none(), "{index}");
        }
    }

    #[test]
    fn extranonces_have_the_size_asked_for() {
        for size in 1..=8 {
            assert_eq!(Extranonce::new("", size).unwrap().second(7).len() as u64, size);
        }
        assert_eq!(Extranonce::new("00", 2).unwrap().second(0x1_0203), [2, 3]);
        assert!(Extranonce::new("00", 0).is_none() && Extranonce::new("00", 9).is_none());
        assert!(Extranonce::new("0", 4).is_none());
    }

    #[test]
    fn targets_are_those_of_the_pool() {
        for (weight, unit) in [(1, 0), (3, -20), (1 << 53, 10), (9_007_199_254_740_991, -60)] {
            let difficulty = Difficulty { weight, unit: Unit(unit) };
            for algorithm in Algorithm::ALL {
                let wanted = difficulty.target(algorithm.multiplier_shift());
                assert_eq!(target(difficulty.as_f64(), algorithm), wanted);
            }
        }
    }
}
