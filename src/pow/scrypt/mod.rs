//! scrypt with r = p = 1, password = salt = header (RFC 7914): one header at a time, or several.
//!
//! N = 1024 for Litecoin and its kin, by time for scrypt-n, 64 for scrypt-og. A scrypt of one
//! header mostly waits for its own last result. Several that have nothing to do with each other
//! fill that time, so that a worker with shares at hand gets three to nine times as many.

pub mod lanes;

use crate::chain::{Hash, Header};
use lanes::{Block, Slot};
use pbkdf2::pbkdf2_hmac;
use scrypt::{Params, scrypt};
use sha2::Sha256;

/// log2 of N for Litecoin and its kin.
pub const LOG_N: u8 = 10;

/// log2 of N for scrypt-og.
pub(super) const LOG_N_OG: u8 = 6;

/// log2 of the largest N that is mixed several at a time: a header takes 2 MiB there. For larger
/// ones memory is the bound and not the processor.
const MOST: u8 = 14;

/// Mixes blocks with N = 2^(the last argument) in a pad that it lets grow.
pub type Mix = fn(&mut [Block], &mut Vec<Slot>, u8);

/// How several scrypts are mixed at a time.
#[derive(Debug, Clone, Copy)]
pub struct Mixer {
    /// The instructions that it needs.
    pub name: &'static str,
    /// How many blocks `one` mixes at most.
    pub lanes: usize,
    /// Mixes up to `lanes` blocks.
    pub one: Mix,
    /// Mixes up to twice as many in less than twice the time.
    pub two: Mix,
}

/// Hashes several headers at a time, and keeps the memory for it (128 bytes by N by header).
#[derive(Debug)]
pub struct Several {
    mixer: Option<Mixer>,
    pad: Vec<Slot>,
}

impl Several {
    /// With a mixer that this processor can run; without one, headers are hashed one by one.
    #[must_use]
    pub const fn new(mixer: Option<Mixer>) -> Self {
        Self { mixer, pad: Vec::new() }
    }

    /// How many headers take as long together as one, with N = 2^`log_n`.
    #[must_use]
    pub fn lanes(&self, log_n: u8) -> usize {
        self.mixer_for(log_n).map_or(1, |mixer| mixer.lanes)
    }

    fn mixer_for(&self, log_n: u8) -> Option<Mixer> {
        self.mixer.filter(|_| (1..=MOST).contains(&log_n))
    }

    /// The hashes of these headers in their order, with N = 2^`log_n`.
    #[must_use]
    pub fn hash_many(&mut self, headers: &[Header], log_n: u8) -> Vec<Hash> {
        let Some(mixer) = self.mixer_for(log_n) else {
            return headers.iter().map(|header| hash(header, log_n)).collect();
        };
        let mut hashes = Vec::with_capacity(headers.len());
        for some in headers.chunks(2 * mixer.lanes) {
            let mut blocks: Vec<Block> = some.iter().map(begin).collect();
            let mix = if some.len() <= mixer.lanes { mixer.one } else { mixer.two };
            mix(&mut blocks, &mut self.pad, log_n);
            hashes.extend(some.iter().zip(&blocks).map(|(header, block)| end(header, block)));
        }
        hashes
    }
}

/// The hash of one header with N = 2^`log_n`.
pub(crate) fn hash(header: &Header, log_n: u8) -> Hash {
    // Checking the parameters costs nanoseconds beside 128 KiB of mixing.
    let mut out = [0; 32];
    match Params::new(log_n, 1, 1) {
        Ok(params) if scrypt(header, header, &params, &mut out).is_ok() => Hash(out),
        // Cannot happen with N from 2 to 2^31; all ones meets no target.
        _ => Hash([0xff; 32]),
    }
}

/// What is mixed, from the header.
fn begin(header: &Header) -> Block {
    let mut bytes = [0; 128];
    pbkdf2_hmac::<Sha256>(header, header, 1, &mut bytes);
    let mut block = [0; 32];
    for (word, bytes) in block.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    block
}

/// The hash, from what was mixed.
fn end(header: &Header, block: &Block) -> Hash {
    let mut bytes = [0; 128];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(block) {
        *bytes = word.to_le_bytes();
    }
    let mut out = [0; 32];
    pbkdf2_hmac::<Sha256>(header, &bytes, 1, &mut out);
    Hash(out)
}
