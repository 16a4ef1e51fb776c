//! Findings from replies. Pure: no I/O, no clock.

use super::words;
use super::{Finding, Verdict};
use crate::chain::{Hash, Header, Network, Target, sha256d};
use crate::config::{Key, Pool};
use crate::daemon::template::FetchError;
use crate::daemon::{CallError, ChainInfo, Fault, Peers};
use crate::pow::Algorithm;
use serde_json::value::RawValue;

/// How old a tip may be, in blocks of the coin's own time.
const OLD_TIP: u64 = 20;
/// A block's time may be so far ahead of other nodes' clocks, seconds (Bitcoin's consensus).
const AHEAD: u64 = 7_200;
/// Bit of a header's version that says that its work was done in another chain (AuxPoW).
const AUX_POW: u32 = 1 << 8;

/// A daemon that could not be asked: `index` is its place in the pool's list.
pub(super) fn silent(error: &CallError, index: Option<usize>) -> Finding {
    let index = index.map(|index| index.to_string());
    let key = match &index {
        Some(index) => Key::pool(&["daemons", index]),
        None => Key::pool(&["paymentProcessing", "daemon"]),
    };
    match &error.fault {
        Fault::Auth(401) => {
            let key = match key {
                Key::Pool(path) => Key::Pool([path, vec!["password".to_owned()]].concat()),
                other => other,
            };
            Finding::new("rpc", Verdict::Fail, error.to_string()).at(key)
        }
        Fault::Auth(_) => Finding::new("rpc", Verdict::Fail, error.to_string()).at(key),
        _ => {
            let words = format!("{error}; not examined, it will be when it answers");
            Finding::new("rpc", Verdict::Warn, words).at(key)
        }
    }
}

/// A call in the middle of the examination that gave nothing.
pub(super) fn unanswered(what: &'static str, error: &CallError) -> Finding {
    Finding::new(what, Verdict::Warn, format!("{error}; not examined"))
}

/// How far the daemon's chain is; `now` in unix seconds.
pub(super) fn sync(address: &str, pool: &Pool, info: &ChainInfo, now: u64) -> Finding {
    let missing = info.headers.saturating_sub(info.blocks);
    let private = info.network == Some(Network::Regtest);
    let age = info.tip_time.map(|time| now.saturating_sub(time));
    let limit = pool.coin.block_time.map(|seconds| u64::from(seconds) * OLD_TIP);
    if missing > 2 || (info.initial_download && !private) {
        let words = format!(
            "daemon {address} is downloading the chain, block {} of {}; there is no work from it \
             until that is done",
            info.blocks, info.headers
        );
        return Finding::new("sync", Verdict::Warn, words);
    }
    if let (Some(age), Some(limit), false) = (age, limit, private)
        && age > limit
    {
        let words = format!(
            "the last block of daemon {address} is {} old, more than {OLD_TIP} blocks' time: is it \
             cut off, on a dead fork, or is a clock wrong?",
            duration(age)
        );
        return Finding::new("sync", Verdict::Warn, words);
    }
    Finding::new("sync", Verdict::Ok, format!("has block {} of {}", info.blocks, info.headers))
}

/// Version and connections.
pub(super) fn peers(address: &str, peers: &Peers) -> Finding {
    let Peers { version, count } = peers;
    if *count == 0 {
        let words = format!(
            "daemon {address} ({version}) has no peers: it gives no templates, and nobody would \
             hear of a block"
        );
        return Finding::new("peers", Verdict::Warn, words);
    }
    Finding::new("peers", Verdict::Ok, format!("{version}, {count} peers"))
}

/// Whether the wallet owns the pool's address.
pub(super) fn wallet(
    client: &str,
    address: &str,
    answer: Result<Option<bool>, CallError>,
) -> Finding {
    let warn = |words: String| {
        Finding::new("wallet", Verdict::Warn, words).at(Key::pool(&["paymentProcessing"]))
    };
    match answer {
        Ok(Some(true)) => Finding::new("wallet", Verdict::Ok, format!("owns `{address}`")),
        Ok(Some(false)) => warn(format!(
            "the wallet of daemon {client} does not own the pool's `address` {address}: rewards \
             could not be paid out from it"
        ))
        .at(Key::pool(&["address"])),
        Ok(None) => {
            Finding::new("wallet", Verdict::Skip, "the daemon does not say whose the address is")
        }
        Err(error) if matches!(error.code(), Some(-18 | -19)) => warn(format!(
            "daemon {client} has no wallet loaded (or several): payments need the one that owns \
             {address}; loadwallet, or wallet= in the daemon's configuration"
        )),
        Err(error) if error.is_unknown_method() => warn(format!(
            "daemon {client} is built or started without a wallet: payments need the one that \
             owns {address}"
        )),
        Err(error) => warn(format!("{error}; whether it owns {address} is not known")),
    }
}

/// Whether the chain's own headers fit the coin's algorithm. `headers`: id and bytes, newest
/// first; `height` of the newest.
pub(super) fn algorithm(
    address: &str,
    pool: &Pool,
    height: u64,
    headers: &[(Hash, Vec<u8>)],
) -> Finding {
    let skip = |words: &str| Finding::new("algorithm", Verdict::Skip, words);
    let fail = |words: String| {
        Finding::new("algorithm", Verdict::Fail, words).at(Key::coin(&["algorithm"]))
    };
    // A genesis block need not have work; it says something only when it is the only one.
    let headers = if headers.len() > 1 && headers.len() as u64 > height {
        headers.split_last().map_or(headers, |(_, rest)| rest)
    } else {
        headers
    };
    let mut plain: Vec<(&Hash, &Header, Target)> = Vec::new();
    for (id, bytes) in headers {
        let Some((header, rest)) = bytes.split_first_chunk::<80>() else {
            return skip("the daemon's headers are shorter than 80 bytes");
        };
        let field = |at: usize| {
            header.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default()
        };
        if u32::from_le_bytes(field(0)) & AUX_POW != 0 {
            continue;
        }
        if !rest.is_empty() {
            return skip("the coin's headers are longer than 80 bytes");
        }
        if let Some(target) = Target::from_compact(u32::from_le_bytes(field(72))) {
            plain.push((id, header, target));
        }
    }
    if headers.is_empty() {
        return skip("the daemon gives no headers as bytes");
    }
    if plain.is_empty() {
        return skip("the last blocks are merge-mined: their work was done in another chain");
    }
    let (configured, ids) = (pool.coin.algorithm, pool.coin.ids);
    let (coin, name) = (&pool.coin.id, configured.name());
    let is_met = |algorithm: Algorithm, (id, header, target): &(&Hash, &Header, Target)| {
        let hash = algorithm.hash(header);
        let own = if ids.is_proof(algorithm) { hash } else { sha256d(*header) };
        (target.is_met_by(&hash), own == **id)
    };
    // Each header once: a hash may take a second.
    let looks: Vec<_> = plain.iter().map(|block| is_met(configured, block)).collect();
    let (ours, all) = (looks.iter().filter(|(met, _)| *met).count(), plain.len());
    let where_is = |look: (bool, bool)| {
        let place = looks.iter().position(|it| *it == look)?;
        plain.get(place).map(|(id, ..)| *id)
    };
    // A block that meets its target and has another id than this algorithm's.
    let foreign = where_is((true, false));
    if ours == all && foreign.is_none() {
        let words = format!("the last {all} blocks meet their targets with `{name}`");
        return Finding::new("algorithm", Verdict::Ok, words);
    }
    if pool.coin.several_algorithms && foreign.is_none() {
        return match ours {
            0 => skip("none of the last blocks is of the coin's algorithm here: it has several"),
            _ => {
                let words =
                    format!("{ours} of the last {all} blocks meet their targets with `{name}`");
                Finding::new("algorithm", Verdict::Ok, words)
            }
        };
    }
    let missed = where_is((false, true)).or_else(|| where_is((false, false)));
    let missed = missed.map(Hash::to_string).unwrap_or_default();
    // scrypt-jane with another coin's growth takes 512 MiB and seconds a header, to say nothing.
    let guessed = |it: &Algorithm| it.name() != name && !matches!(it, Algorithm::ScryptJane(_));
    let mut others = Algorithm::ALL.into_iter().filter(guessed);
    let fits = |other: &Algorithm| plain.iter().all(|block| is_met(*other, block) == (true, true));
    if ours < all
        && let Some(other) = others.find(fits)
    {
        return fail(format!(
            "the coin file of {coin} says `{name}`, but block {missed} of daemon {address} does \
             not meet its target with it; with `{}` the last {all} blocks do",
            other.name()
        ));
    }
    if let Some(id) = foreign {
        let how = match ids.is_proof(configured) {
            true => "its proof of work",
            false => "SHA-256d of its header",
        };
        return fail(format!(
            "block {id} of daemon {address} does not have the id that romp would know it by \
             ({how}): set `blockId` in its coin file, or {coin} is no coin of `{name}`"
        ));
    }
    match ours {
        0 if height == 0 => skip("the chain has only its genesis block"),
        0 => fail(format!(
            "the coin file of {coin} says `{name}`, but block {missed} of daemon {address} does \
             not meet its target with it, nor does any other of the last {all}"
        )),
        _ => Finding::new(
            "algorithm",
            Verdict::Warn,
            format!(
                "only {ours} of the last {all} blocks of daemon {address} meet their targets with \
                 `{name}`: right for a coin of several algorithms (`severalAlgorithms` in its file), wrong for any \
                 other"
            ),
        )
        .at(Key::coin(&["algorithm"])),
    }
}

/// Why there is no template.
pub(super) fn no_template(error: &FetchError) -> Finding {
    let new = |verdict, words: String| Finding::new("template", verdict, words);
    match error {
        FetchError::Rules { .. } => {
            new(Verdict::Fail, error.to_string()).at(Key::coin(&["templateRules"]))
        }
        FetchError::Template { .. } => new(Verdict::Fail, error.to_string()).at(Key::coin(&[])),
        FetchError::Call(_) => {
            new(Verdict::Warn, format!("{error}; there is no work from it until then"))
        }
        FetchError::Contradiction { .. } => new(Verdict::Fail, error.to_string()),
    }
}

/// The daemon's clock, from its template; `now` in unix seconds.
pub(super) fn clock(address: &str, time: u32, now: u64) -> Finding {
    let apart = u64::from(time).abs_diff(now);
    if apart <= AHEAD {
        return Finding::new("clock", Verdict::Ok, format!("{apart} seconds from this machine's"));
    }
    let words = format!(
        "the clock of daemon {address} and this machine's are {apart} seconds apart: set them \
         (NTP), or blocks get lost"
    );
    Finding::new("clock", Verdict::Warn, words)
}

/// What the daemon said to a block that romp would build.
pub(super) fn proposal(address: &str, answer: &Result<Box<RawValue>, CallError>) -> Finding {
    let new = |verdict, words: String| Finding::new("block", verdict, words);
    let short =
        |word: &str| -> String { word.chars().filter(|c| !c.is_control()).take(100).collect() };
    let refused = |word: &str| {
        let word = short(word);
        new(
            Verdict::Fail,
            format!(
                "daemon {address} would refuse the blocks that romp builds ({word}): {}; the coin \
                 file does not fit this coin, or romp does not know it well enough",
                words::meaning(&word)
            ),
        )
        .at(Key::coin(&[]))
    };
    match answer {
        Ok(answer) => match serde_json::from_str::<Option<String>>(answer.get()) {
            Ok(None) => new(Verdict::Ok, "it would take a block of ours".to_owned()),
            Ok(Some(word)) => match words::is_harmless(&word) {
                Some(true) => new(Verdict::Ok, "it would take a block of ours".to_owned()),
                Some(false) => {
                    let words = format!("the chain went on meanwhile ({})", short(&word));
                    new(Verdict::Skip, words)
                }
                None => refused(&word),
            },
            Err(_) => new(Verdict::Skip, "it does not judge proposed blocks (BIP 23)".to_owned()),
        },
        Err(error) => match error.code() {
            Some(-22) => refused("it cannot be read as a block"),
            Some(code) => {
                new(Verdict::Skip, format!("it does not judge proposed blocks (error {code})"))
            }
            None => unanswered("block", error),
        },
    }
}

/// A daemon of another network than the coin's other daemons.
pub(super) fn other_network(address: &str, ours: Network, theirs: Network) -> Finding {
    let words = format!(
        "daemon {address} is on the {} network, another daemon of this coin on the {} network",
        theirs.name(),
        ours.name()
    );
    Finding::new("network", Verdict::Fail, words).at(Key::pool(&["daemons"]))
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
