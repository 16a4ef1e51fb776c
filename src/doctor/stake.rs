//! Proof-of-stake coins: what the daemon says of the coin's kind, its key for signing blocks, and
//! the chain's headers, most of which have no work.

use super::{Finding, Verdict, judge};
use crate::chain::{Hash, Header, Target, sha256d};
use crate::config::{Key, Pool};
use crate::daemon::{CallError, ChainInfo, Client, is_locked, tells_stake};

/// Whether the coin is proof of stake, if that can be known, and who says so.
pub(super) fn ask(
    client: &Client,
    pool: &Pool,
    info: &ChainInfo,
    out: &mut Vec<Finding>,
) -> Option<bool> {
    let told = if info.proof_of_stake { Ok(true) } else { tells_stake(client) };
    out.push(kind(&client.address(), pool, &told));
    let staked = pool.coin.proof_of_stake.or(told.ok())?;
    if staked && matches!(is_locked(client), Ok(Some(true))) {
        let words = format!(
            "the wallet of daemon {} is locked: it cannot sign the blocks that are submitted to \
             it; unlock it with `walletpassphrase`",
            client.address()
        );
        out.push(Finding::new("wallet", Verdict::Warn, words));
    }
    Some(staked)
}

/// What coin file and daemon say of the coin's kind.
fn kind(address: &str, pool: &Pool, told: &Result<bool, CallError>) -> Finding {
    let new = |verdict, words: String| Finding::new("reward", verdict, words);
    let name = |staked: bool| match staked {
        true => "proof of stake (blocks of work pay to a key, with which the daemon signs them)",
        false => "proof of work",
    };
    match (pool.coin.proof_of_stake, told) {
        (None, Ok(told)) => {
            new(Verdict::Ok, format!("{}, by the daemon's difficulty", name(*told)))
        }
        (None, Err(error)) => judge::unanswered("reward", error),
        (Some(written), Ok(told)) if written != *told => new(
            Verdict::Warn,
            format!(
                "{} by `reward` of the coin file, which counts; the difficulty that daemon \
                 {address} tells is that of a coin of {}",
                name(written),
                if *told { "proof of stake" } else { "proof of work" },
            ),
        )
        .at(Key::coin(&["reward"])),
        (Some(written), _) => new(Verdict::Ok, format!("{}, by the coin file", name(written))),
    }
}

/// Whether those of the chain's headers that have the coin's work have the id that romp would know
/// them by. The others are of stake, or of another algorithm: that cannot be told from headers.
pub(super) fn algorithm(address: &str, pool: &Pool, headers: &[(Hash, Vec<u8>)]) -> Finding {
    let algorithm = pool.coin.algorithm;
    let name = algorithm.name();
    let headers: Vec<(&Hash, &Header)> = headers
        .iter()
        .filter_map(|(id, bytes)| Some((id, bytes.as_slice().try_into().ok()?)))
        .collect();
    let worked = headers.iter().filter_map(|&(id, header)| {
        let bits = header.get(72..)?.first_chunk().copied().map(u32::from_le_bytes)?;
        let hash = algorithm.hash(header);
        let met = Target::from_compact(bits)?.is_met_by(&hash);
        let is_proof = pool.coin.ids.is_proof_of_stake(algorithm);
        met.then_some((id, if is_proof { hash } else { sha256d(header) }))
    });
    let worked: Vec<_> = worked.collect();
    if let Some((id, _)) = worked.iter().find(|(id, ours)| *id != ours) {
        let words = format!(
            "block {id} of daemon {address} meets its target with `{name}` and does not have the \
             id that romp would know it by: set `blockId` in its coin file, or {} is no \
             proof-of-stake coin of its algorithm",
            pool.coin.id
        );
        return Finding::new("algorithm", Verdict::Fail, words).at(Key::coin(&["reward"]));
    }
    match worked.len() {
        0 => Finding::new(
            "algorithm",
            Verdict::Skip,
            "none of the last blocks has proof of work, or the daemon gives no headers as bytes",
        ),
        some => Finding::new(
            "algorithm",
            Verdict::Ok,
            format!("{some} of the last {} blocks are work of `{name}`", headers.len()),
        ),
    }
}
