//! What a coin's blocks and transactions are known by, where it differs from others of its
//! algorithm, and the hash in Groestlcoin's addresses.

use super::{Algorithm, parts};
use crate::chain::{Hash, Header, sha256d};
use serde::{Deserialize, Serialize};

/// What a block is known by: `blockId` of a coin file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockId {
    /// Its proof of work.
    ProofOfWork,
    /// SHA-256d of its header.
    Sha256d,
}

/// The function that makes a transaction's id: `transactionId` of a coin file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransactionId {
    /// SHA-256 once.
    Sha256,
    /// SHA-256 twice.
    Sha256d,
}

impl TransactionId {
    /// The id of a transaction, given without witness.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> Hash {
        match self {
            Self::Sha256 => Hash(parts::sha256(bytes)),
            Self::Sha256d => sha256d(bytes),
        }
    }
}

/// What a coin file says of ids. `None`: as most coins of the algorithm do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ids {
    /// `blockId`.
    pub block: Option<BlockId>,
    /// `transactionId`.
    pub transaction: Option<TransactionId>,
}

impl Ids {
    /// Whether the coin's blocks are known by their proof of work.
    #[must_use]
    pub const fn is_proof(self, algorithm: Algorithm) -> bool {
        match self.block {
            Some(BlockId::ProofOfWork) => true,
            Some(BlockId::Sha256d) => false,
            None => algorithm.is_id(),
        }
    }

    /// The same of a proof-of-stake coin.
    #[must_use]
    pub const fn is_proof_of_stake(self, algorithm: Algorithm) -> bool {
        match self.block {
            None => algorithm.is_id_of_stake(),
            Some(_) => self.is_proof(algorithm),
        }
    }

    /// The id by which the coin knows a block.
    #[must_use]
    pub fn block(self, algorithm: Algorithm, header: &Header) -> Hash {
        if self.is_proof(algorithm) { algorithm.hash(header) } else { sha256d(header) }
    }

    /// How the coin makes the ids of transactions: with SHA-256 once for most coins of three
    /// algorithms, twice for all others (NOMP 4.3).
    #[must_use]
    pub const fn transaction(self, algorithm: Algorithm) -> TransactionId {
        match (self.transaction, algorithm) {
            (Some(id), _) => id,
            (None, Algorithm::Fugue | Algorithm::Groestl | Algorithm::Keccak) => {
                TransactionId::Sha256
            }
            (None, _) => TransactionId::Sha256d,
        }
    }
}

/// Grøstl-512 twice over any bytes, 64 bytes: its first four end Groestlcoin's addresses.
#[must_use]
pub fn groestl(bytes: &[u8]) -> [u8; 64] {
    parts::groestl512(&parts::groestl512(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coin_may_differ_from_its_algorithm() {
        let header = [7; 80];
        let usual = Ids::default();
        let other = |block| Ids { block: Some(block), transaction: None };
        for algorithm in [Algorithm::Skein, Algorithm::Scrypt, Algorithm::X11] {
            assert_eq!(usual.block(algorithm, &header), algorithm.block_id(&header));
            let proof = other(BlockId::ProofOfWork);
            assert_eq!(proof.block(algorithm, &header), algorithm.hash(&header));
            assert_eq!(other(BlockId::Sha256d).block(algorithm, &header), sha256d(&header));
        }
        let (coinbase, keccak) = (b"coinbase", Algorithm::Keccak);
        assert_eq!(usual.transaction(keccak).of(coinbase), keccak.coinbase_id(coinbase));
        assert_ne!(usual.transaction(keccak).of(coinbase), sha256d(coinbase));
        let twice = Ids { block: None, transaction: Some(TransactionId::Sha256d) };
        assert_eq!(twice.transaction(keccak).of(coinbase), sha256d(coinbase));
        assert_eq!(usual.transaction(Algorithm::Sha256), TransactionId::Sha256d);
    }
}
