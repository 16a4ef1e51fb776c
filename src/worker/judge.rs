//! The judge of shares: from a submit and its job to a verdict. Pure, no JSON, no sockets.
//!
//! In two steps, so that a turn's proofs of work can be hashed together between them: [`prepare`]
//! makes the header after the cheap checks, `decide` compares the hash with the targets.

use crate::chain::{Hash, Header, Midstate, Plan, Target, Work};
use crate::pow::Algorithm;
use crate::stratum::{Extranonce2, Reject, Submit};

#[cfg(test)]
pub(super) mod tests;

/// Seconds that a header's time may be ahead of now (or of the job's time, if that is later):
/// under the two hours that the network allows.
const AHEAD_S: u32 = 7000;

/// Seconds that a header's time may be after that of its coinbase, on a proof-of-stake coin: the
/// least that coins allow whose rule is known is 10 minutes, Peercoin's is two hours.
const AFTER_COINBASE_S: u32 = 600;

/// A share whose form is right, ready to be hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The header that the miner found.
    pub header: Header,
    /// What the coinbase that it commits to has of its own.
    pub(crate) own: Own,
    /// SHA-256d of the header: the share's identity.
    pub id: Hash,
}

impl Prepared {
    /// The proof-of-work hash. For SHA-256d it is the identity, which is known already.
    pub(crate) fn work_hash(&self, algorithm: Algorithm) -> Hash {
        match algorithm {
            Algorithm::Sha256 => self.id,
            _ => algorithm.hash(&self.header),
        }
    }

    /// The id by which the coin knows the block that this is. `work_hash` is its proof of work.
    pub(crate) const fn block_id(&self, plan: &Plan, work_hash: Hash) -> Hash {
        if plan.is_known_by_work() { work_hash } else { self.id }
    }

    /// The coinbase that the header commits to, without witness. `work` is the job's.
    pub fn coinbase(&self, work: &Work) -> Vec<u8> {
        let (number, extranonce1, extranonce2) = &self.own;
        work.coinbase(*number, *extranonce1, extranonce2.as_bytes())
    }

    /// The key under which a share is seen once: the first 16 bytes of its identity. What the
    /// miner *wrote* (letter case, padding) never matters, only the header it stands for.
    pub fn key(&self) -> u128 {
        let (key, _) = self.id.0.split_at(16);
        key.try_into().map_or(0, u128::from_le_bytes)
    }
}

/// What one coinbase of a work has of its own: job number, extranonce1, extranonce2.
pub(crate) type Own = (u32, [u8; 4], Extranonce2);

/// What a miner's last header began with: the merkle root over its coinbase, and SHA-256 as far as
/// version, previous block and root go. Whoever sends many shares sends many for one coinbase, and
/// all but two of a share's 27 or so steps of SHA-256 are for this.
/// A mid-state of the coinbase would save nothing more: what is a miner's own begins at byte 51, or 55
/// with a time, in SHA-256's first block of 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rooted {
    own: Own,
    lane: u8,
    root: Hash,
    version: u32,
    midstate: Midstate,
}

/// What a hash is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Worth {
    /// It meets the share target of its job.
    pub(crate) share: bool,
    /// It meets the network's target: a block.
    pub(crate) block: bool,
}

/// Checks what costs little and makes the header.
///
/// `mask` is what the connection negotiated (BIP 310), `now_s` the time in unix seconds.
pub fn prepare(
    submit: &Submit,
    work: &Work,
    extranonce1: [u8; 4],
    mask: u32,
    now_s: u64,
) -> Result<Prepared, Reject> {
    prepare_on(&mut None, submit, work, extranonce1, mask, now_s)
}

/// The same, with the root that the miner's last share had.
pub(crate) fn prepare_on(
    last: &mut Option<Rooted>,
    submit: &Submit,
    work: &Work,
    extranonce1: [u8; 4],
    mask: u32,
    now_s: u64,
) -> Result<Prepared, Reject> {
    let extranonce2 = submit.extranonce2.as_bytes();
    if extranonce2.len() != usize::from(work.plan.extranonce2_size) {
        return Err(Reject::Malformed);
    }
    let now_s = u32::try_from(now_s).unwrap_or(u32::MAX);
    let latest = match work.plan.proof_of_stake {
        false => now_s.max(work.time).saturating_add(AHEAD_S),
        true => work.time.saturating_add(AFTER_COINBASE_S),
    };
    if submit.time < work.min_time || submit.time > latest {
        return Err(Reject::Time);
    }
    let bits = submit.version_bits.unwrap_or(work.version & mask);
    if bits & !mask != 0 {
        return Err(Reject::Version);
    }
    let version = (work.version & !mask) | bits;
    let own = (submit.job.number, extranonce1, submit.extranonce2);
    let lane = submit.job.lane;
    let same = last.filter(|last| last.own == own && last.lane == lane);
    let root = match same {
        Some(same) => same.root,
        None => work.merkle_root(&work.coinbase(own.0, own.1, extranonce2)),
    };
    let header = work.header(version, &root, submit.time, submit.nonce);
    let midstate = match same {
        Some(same) if same.version == version => same.midstate,
        _ => Midstate::new(&header),
    };
    *last = Some(Rooted { own, lane, root, version, midstate });
    Ok(Prepared { id: midstate.sha256d(&header), header, own })
}

/// Compares a hash with the share target of its job and the network's. A block is always worth a
/// share: a chain easier than the share difficulty must not refuse its own blocks.
pub(crate) fn decide(hash: &Hash, share: &Target, network: &Target) -> Worth {
    let block = network.is_met_by(hash);
    Worth { share: block || share.is_met_by(hash), block }
}
