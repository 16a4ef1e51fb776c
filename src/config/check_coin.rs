//! A coin file checked.

use super::check_pool;
use super::checked::Coin;
use super::diagnostics::{nearest, shown};
use super::raw::{RawBytes, RawCoin, RawFlag};
use super::values::{Judge, Keys};
use crate::chain::address::{Checksum, Rules};
use crate::chain::{Network, PayeeField};
use crate::pow::Algorithm;
use crate::pow::ids::{BlockId, Ids, TransactionId};
use crate::pow::schedule::{Growth, TimeTable};
use std::collections::BTreeMap;

/// Letters of a coin id: it is part of file names, Redis keys and log lines.
const MOST_ID: usize = 32;

/// Checks a coin file. `None` when it has an error that leaves no coin.
pub(super) fn check(raw: &RawCoin, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Option<Coin> {
    for (key, absent) in [
        ("name", raw.name.is_none()),
        ("symbol", raw.symbol.is_none()),
        ("algorithm", raw.algorithm.is_none()),
    ] {
        if absent && !keys.has(&[key]) {
            let title = format!("the coin has no `{key}`");
            judge.report.error(&keys.at(&[]), &title, &format!("add `\"{key}\": ...`"));
        }
    }
    let id = raw.name.as_deref().map(|name| identity(name, keys, judge));
    let algorithm = raw.algorithm.as_deref().map(|name| algorithm(name, raw, keys, judge));
    let ids = ids(raw, keys, judge);
    let (addresses, magic) = networks(raw, keys, judge);
    explorer(raw, keys, judge);
    if let Some(text) = &raw.template_algorithm
        && !((1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        let hint = "must be what the coin's daemons call the algorithm, such as skein";
        judge.report.error(&keys.at(&["templateAlgorithm"]), "no name of an algorithm", hint);
    }
    if let Some(reward) = raw.reward.as_deref()
        && !["POW", "POS"].contains(&reward)
    {
        let hint = "must be \"POW\" or \"POS\"";
        judge.report.error(&keys.at(&["reward"]), "unknown kind of reward", hint);
    }
    let symbol = raw.symbol.as_ref()?.to_uppercase();
    if symbol.is_empty() || symbol.len() > 16 || !symbol.chars().all(|c| c.is_ascii_graphic()) {
        let hint = "must be 1 to 16 ASCII letters";
        judge.report.error(&keys.at(&["symbol"]), "no ticker symbol", hint);
    }
    let rules = raw.template_rules.clone().unwrap_or_else(|| default_rules(&symbol));
    Some(Coin {
        id: id??,
        name: raw.name.clone()?,
        algorithm: algorithm??,
        ids,
        addresses,
        magic,
        tx_messages: tx_messages(raw, keys, judge),
        proof_of_stake: raw.reward.as_ref().map(|reward| reward == "POS"),
        payees: payees(raw, keys, judge),
        has_get_info: raw.has_get_info.unwrap_or(false),
        mpos_multiplier: judge.number(
            keys,
            &["mposDiffMultiplier"],
            raw.mpos_diff_multiplier,
            1.0,
            &(1e-9..=1e9),
        ),
        template_rules: rules,
        template_algorithm: raw.template_algorithm.clone(),
        several_algorithms: raw.several_algorithms.unwrap_or(raw.template_algorithm.is_some()),
        version_mask: check_pool::version_mask(raw.version_mask.as_deref(), keys, judge)
            .unwrap_or(u32::MAX),
        block_time: raw.block_time.filter(|&seconds| seconds > 0),
        explorer: raw.explorer.clone().unwrap_or_default(),
        symbol,
    })
}

/// `txMessages`.
fn tx_messages(raw: &RawCoin, keys: &Keys<'_>, judge: &mut Judge<'_>) -> bool {
    match &raw.tx_messages {
        None => false,
        Some(RawFlag::Flag(flag)) => *flag,
        Some(RawFlag::Text(text)) => {
            let title =
                format!("`{}` is text: NOMP takes that as false, whatever it says", shown(text));
            judge.report.warning(&keys.at(&["txMessages"]), &title, "write true or false");
            false
        }
    }
}

/// `payees`: fields of templates, by name.
fn payees(raw: &RawCoin, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Vec<PayeeField> {
    let is_name = |name: &str| {
        (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let mut fields = Vec::new();
    for (field, payee) in raw.payees.iter().flatten() {
        for (name, at) in [
            (Some(field), keys.key(&["payees", field])),
            (payee.amount.as_ref(), keys.at(&["payees", field, "amount"])),
        ] {
            if name.is_some_and(|name| !is_name(name)) {
                let hint = "must be the name of a field that getblocktemplate's answer has";
                judge.report.error(&at, "no name of a field", hint);
            }
        }
        let (amount, on_top) = (payee.amount.clone(), payee.on_top.unwrap_or(false));
        fields.push(PayeeField { field: field.clone(), amount, on_top });
    }
    fields
}

/// NOMP's own litecoin.json knows nothing of MWEB, without whose rule litecoind gives no template.
fn default_rules(symbol: &str) -> Vec<String> {
    let rules: &[&str] = if symbol == "LTC" { &["mweb", "segwit"] } else { &["segwit"] };
    rules.iter().map(ToString::to_string).collect()
}

/// `blockId` and `transactionId`.
fn ids(raw: &RawCoin, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Ids {
    let blocks = [("proof-of-work", BlockId::ProofOfWork), ("sha256d", BlockId::Sha256d)];
    let block = choice("blockId", raw.block_id.as_deref(), &blocks, keys, judge);
    let ways = [("sha256", TransactionId::Sha256), ("sha256d", TransactionId::Sha256d)];
    let written = choice("transactionId", raw.transaction_id.as_deref(), &ways, keys, judge);
    // NOMP's word for it, which it reads for keccak, fugue and groestl (NOMP 4.3).
    let named = raw.algorithm.as_deref().is_some_and(|it| ["fugue", "groestl"].contains(&it));
    let normal = (named && raw.normal_hashing == Some(true)).then_some(TransactionId::Sha256d);
    Ids { block, transaction: written.or(normal) }
}

/// One of a few words.
fn choice<T: Copy>(
    key: &str,
    written: Option<&str>,
    known: &[(&str, T)],
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<T> {
    let written = written?;
    let found = known.iter().find(|(word, _)| *word == written);
    if found.is_none() {
        let words: Vec<_> = known.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let title = format!("`{key}` cannot be `{}`", shown(written));
        let hint = format!("must be {}", words.join(" or "));
        judge.report.error(&keys.at(&[key]), &title, &hint);
    }
    found.map(|(_, value)| *value)
}

fn identity(name: &str, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Option<String> {
    let id = name.to_lowercase();
    let fine = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if !id.is_empty() && id.len() <= MOST_ID && id.bytes().all(fine) {
        return Some(id);
    }
    let title = format!("`{}` cannot name a coin", shown(name));
    let hint = "must be 1 to 32 of: letters, digits, _ and -";
    judge.report.error(&keys.at(&["name"]), &title, hint);
    None
}

fn algorithm(
    name: &str,
    raw: &RawCoin,
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<Algorithm> {
    // As one file of NOMP has it.
    let name = if name == "sha1coin" { "sha1" } else { name };
    let Some(algorithm) = Algorithm::from_name(name) else {
        let title = format!("algorithm `{}` is not in this build yet", shown(name));
        let known = Algorithm::ALL.map(Algorithm::name);
        // `scrypt-n` and `scrypt-jane` are algorithms of their own, no slips of the pen.
        let near = nearest(name, known).filter(|near| near.len() == name.len());
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has: {}", known.join(", ")),
        };
        judge.report.error(&keys.at(&["algorithm"]), &title, &hint);
        return None;
    };
    let normal = [Algorithm::Keccak, Algorithm::Fugue, Algorithm::Groestl].contains(&algorithm);
    if raw.normal_hashing == Some(true) && !normal {
        let title =
            format!("`normalHashing` is of keccak, fugue and groestl, not of {}", algorithm.name());
        judge.report.error(&keys.at(&["normalHashing"]), &title, "leave it out");
    }
    if algorithm == Algorithm::Scrypt {
        for (key, value, only) in [("nValue", raw.n_value, 1024), ("rValue", raw.r_value, 1)] {
            if value.is_some_and(|value| value != only) {
                let title = format!("scrypt with this `{key}` is not in this build yet");
                judge.report.error(&keys.at(&[key]), &title, &format!("it has: {only}"));
            }
        }
    }
    Some(match algorithm {
        Algorithm::Keccak if raw.normal_hashing == Some(true) => Algorithm::KeccakNormal,
        Algorithm::ScryptN(usual) => Algorithm::ScryptN(time_table(usual, raw, keys, judge)),
        Algorithm::ScryptJane(usual) => Algorithm::ScryptJane(growth(usual, raw, keys, judge)),
        other => other,
    })
}

/// scrypt-n: `timeTable`.
fn time_table(
    usual: TimeTable,
    raw: &RawCoin,
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> TimeTable {
    let Some(table) = &raw.time_table else { return usual };
    let mut pairs = Vec::new();
    for (n, time) in table {
        match (n.parse(), u32::try_from(*time)) {
            (Ok(n), Ok(time)) if TimeTable::new([(n, time)]).is_ok() => pairs.push((n, time)),
            _ => {
                let title = format!("`timeTable` cannot have `{}`", shown(n));
                let hint =
                    "must be a power of two from 1024 to 524288, with a Unix time in seconds";
                judge.report.error(&keys.at(&["timeTable", n]), &title, hint);
            }
        }
    }
    if table.is_empty() {
        let hint = "must have an N and its time, or not be there";
        judge.report.error(&keys.at(&["timeTable"]), "`timeTable` is empty", hint);
    }
    TimeTable::new(pairs).unwrap_or(usual)
}

/// scrypt-jane: `chainStartTime`, `nMin`, `nMax`.
fn growth(usual: Growth, raw: &RawCoin, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Growth {
    let mut number = |key: &str, value: Option<u64>, usual: u32, most: u32| match value {
        Some(value) if value > most.into() => {
            let title = format!("`{key}` is out of range");
            judge.report.error(&keys.at(&[key]), &title, &format!("must be 0 to {most}"));
            usual
        }
        value => value.and_then(|value| u32::try_from(value).ok()).unwrap_or(usual),
    };
    let start = number("chainStartTime", raw.chain_start_time, usual.start, u32::MAX);
    let least = number("nMin", raw.n_min, usual.least.into(), Growth::LARGEST.into());
    let most = number("nMax", raw.n_max, usual.most.into(), Growth::LARGEST.into());
    if least > most {
        let hint = format!("must be {most} (`nMax`) or less");
        judge.report.error(&keys.at(&["nMin"]), "`nMin` is above `nMax`", &hint);
    }
    let factor = |number: u32| u8::try_from(number).unwrap_or(Growth::LARGEST);
    Growth { start, least: factor(least), most: factor(most) }
}

type Networks = (BTreeMap<Network, Rules>, BTreeMap<Network, [u8; 4]>);

fn networks(raw: &RawCoin, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Networks {
    let mut addresses = BTreeMap::new();
    let mut magics = BTreeMap::new();
    let capital = raw.peer_magic_test_net.as_ref().map(|text| ("peerMagicTestNet", text));
    let test = raw.peer_magic_testnet.as_ref().map(|text| ("peerMagicTestnet", text)).or(capital);
    let main = raw.peer_magic.as_ref().map(|text| ("peerMagic", text));
    for (network, written) in [(Network::Main, main), (Network::Test, test)] {
        if let Some((key, text)) = written
            && let Some(bytes) = magic(text, keys, &[key], judge)
        {
            magics.insert(network, bytes);
        }
    }
    let sums = [("sha256d", Checksum::Sha256d), ("groestl", Checksum::Groestl)];
    let checksum = choice("addressChecksum", raw.address_checksum.as_deref(), &sums, keys, judge);
    let Some(networks) = &raw.networks else { return (addresses, magics) };
    for (network, name, written) in [
        (Network::Main, "main", &networks.main),
        (Network::Test, "test", &networks.test),
        (Network::Regtest, "regtest", &networks.regtest),
    ] {
        let Some(written) = written else { continue };
        let path = |key| ["networks", name, key];
        if let Some(text) = &written.magic
            && let Some(bytes) = magic(text, keys, &path("magic"), judge)
        {
            magics.insert(network, bytes);
        }
        let lower =
            |hrp: &String| hrp.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if let Some(hrp) = &written.segwit_hrp
            && (hrp.is_empty() || hrp.len() > 83 || !lower(hrp))
        {
            let hint = "must be lower-case letters, such as bc";
            let title = "no human-readable part of an address";
            judge.report.error(&keys.at(&path("segwitHrp")), title, hint);
        }
        if let Some(prefix) = &written.cashaddr_prefix
            && (prefix.is_empty() || prefix.len() > 83 || !lower(prefix))
        {
            let hint = "must be lower-case letters, such as bitcoincash";
            let title = "no prefix of an address";
            judge.report.error(&keys.at(&path("cashaddrPrefix")), title, hint);
        }
        let rules = Rules {
            pubkey_hash: bytes(written.pubkey_hash.as_ref()),
            script_hash: bytes(written.script_hash.as_ref()),
            segwit_hrp: written.segwit_hrp.clone(),
            cashaddr: written.cashaddr_prefix.clone(),
            checksum: checksum.unwrap_or_default(),
            wif: written.wif,
        };
        if !rules.is_empty() || rules.wif.is_some() {
            addresses.insert(network, rules);
        }
    }
    (addresses, magics)
}

fn bytes(raw: Option<&RawBytes>) -> Vec<u8> {
    match raw {
        None => Vec::new(),
        Some(RawBytes::One(byte)) => vec![*byte],
        Some(RawBytes::Many(bytes)) => bytes.clone(),
    }
}

/// A message start: four bytes of hex.
pub(super) fn magic(
    text: &str,
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) -> Option<[u8; 4]> {
    let bytes = crate::chain::hex_array(text);
    if bytes.is_none() {
        let title = format!("`{}` is no message start", path.join("."));
        judge.report.error(&keys.at(path), &title, "must be 8 hex digits, such as fbc0b6db");
    }
    bytes
}

fn explorer(raw: &RawCoin, keys: &Keys<'_>, judge: &mut Judge<'_>) {
    for (kind, link) in raw.explorer.iter().flatten() {
        if !["block", "transaction", "address"].contains(&kind.as_str()) {
            let title = format!("unknown kind of link `{}`", shown(kind));
            let hint = "known: block, transaction, address";
            judge.report.error(&keys.key(&["explorer", kind]), &title, hint);
        }
        let web = link.starts_with("https://") || link.starts_with("http://");
        if !web || !link.contains("{}") {
            let hint = "must begin with https:// and hold {} for the value";
            judge.report.error(&keys.at(&["explorer", kind]), "no link", hint);
        }
    }
}
