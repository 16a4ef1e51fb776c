//! The books: what miners were told, against journals, ledger and chain.
//!
//! The journals are read by code of the campaign's own, after docs/ledger.md, as a witness that
//! shares no mistake with the pool's.

use crate::load::{Fate, Report, Shares};
use crate::options::Store;
use rusqlite::Connection;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

/// Coin of the campaign.
pub(crate) const COIN: &str = "litecoin";

/// What the journals hold.
#[derive(Debug, Default)]
pub(crate) struct Journals {
    exponent: i8,
    /// Worker, weight: shares.
    shares: BTreeMap<String, BTreeMap<u64, u64>>,
    pub(crate) count: u64,
    pub(crate) blocks: BTreeSet<String>,
    files: usize,
    /// What should not be there.
    faults: Vec<String>,
}

impl Journals {
    pub(crate) fn read(data: &Path) -> Self {
        let mut all = Self::default();
        let folder = data.join("journal").join(COIN);
        for entry in std::fs::read_dir(folder).expect("the journals").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                let bytes = std::fs::read(entry.path()).expect("a journal");
                all.files += 1;
                if let Err(words) = all.add(&bytes) {
                    all.faults.push(format!("{}: {words}", entry.path().display()));
                }
            }
        }
        all
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Some((header, mut rest)) = bytes.split_at_checked(64) else {
            return Ok(()); // its writer died before the header was written
        };
        if header.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        if &header[..8] != b"ROMPJRNL" {
            return Err("no journal".into());
        }
        self.exponent = header[12].cast_signed();
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        while let Some((head, behind)) = rest.split_at_checked(9) {
            let size = u16::from_le_bytes([head[0], head[1]]);
            let inverted = u16::from_le_bytes([head[2], head[3]]);
            if rest.iter().all(|&byte| byte == 0) {
                return Ok(());
            }
            if size != !inverted {
                return Err("a damaged frame".into());
            }
            let Some((payload, next)) = behind.split_at_checked(usize::from(size)) else {
                return Ok(()); // a torn tail
            };
            let crc = crc32fast::hash(&rest[8..9 + usize::from(size)]);
            if crc.to_le_bytes() != head[4..8] {
                return Err("a wrong checksum".into());
            }
            rest = next;
            match head[8] {
                1 if payload.len() >= 16 => {
                    let name = String::from_utf8_lossy(&payload[16..]).into_owned();
                    let weights = self.shares.entry(name).or_default();
                    *weights.entry(number(&payload[8..16])).or_default() += 1;
                    self.count += 1;
                }
                3 => {
                    let block: Value =
                        serde_json::from_slice(payload).map_err(|error| error.to_string())?;
                    self.blocks.insert(text(&block["hash"]));
                }
                2 | 4 => {}
                kind => return Err(format!("a frame of kind {kind}")),
            }
        }
        Ok(())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What the ledger holds.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) accepted: u64,
    /// Work of each worker, over all rounds.
    weights: BTreeMap<String, u64>,
    pub(crate) blocks: BTreeSet<String>,
}

impl Ledger {
    /// The embedded one, of a stopped pool.
    pub(crate) fn sqlite(file: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        let mut ledger = Self::default();
        let sql = "SELECT coalesce(max(value), 0) FROM meta WHERE name = 'accepted'";
        ledger.accepted =
            connection.query_row(sql, [], |row| row.get(0)).map(i64::cast_unsigned)?;
        for table in ["round", "closed_round"] {
            let sql = format!("SELECT worker, sum(weight) FROM {table} GROUP BY worker");
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                *ledger.weights.entry(row.get(0)?).or_default() +=
                    row.get::<_, i64>(1)?.cast_unsigned();
            }
        }
        let mut statement = connection.prepare("SELECT hash FROM block")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            ledger.blocks.insert(row.get(0)?);
        }
        Ok(ledger)
    }

    /// The one in Redis.
    pub(crate) fn redis(connection: &mut redis::Connection) -> redis::RedisResult<Self> {
        let key = |name: &str| format!("romp:{{{COIN}}}:{name}");
        let mut ledger = Self::default();
        let accepted: Option<u64> =
            redis::cmd("HGET").arg(key("meta")).arg("accepted").query(connection)?;
        ledger.accepted = accepted.unwrap_or_default();
        let blocks: Vec<String> = redis::cmd("HKEYS").arg(key("blocks")).query(connection)?;
        ledger.blocks.extend(blocks);
        let mut rounds = vec![key("round")];
        rounds.extend(ledger.blocks.iter().map(|hash| key(&format!("round:{hash}"))));
        for round in rounds {
            let workers: BTreeMap<String, u64> =
                redis::cmd("HGETALL").arg(round).query(connection)?;
            for (worker, weight) in workers {
                *ledger.weights.entry(worker).or_default() += weight;
            }
        }
        Ok(ledger)
    }

    pub(crate) fn place(store: Store) -> &'static str {
        match store {
            Store::Sqlite => "SQLite",
            Store::Redis => "Redis",
        }
    }
}

/// The comparison.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) double: u64,
    /// In the journals, but the connection ended before the answer.
    pub(crate) unread: u64,
    /// In the journals, but refused because the disk was full.
    pub(crate) unrecorded: u64,
    pub(crate) found: u64,
    pub(crate) in_chain: u64,
    pub(crate) findings: Vec<String>,
}

/// Most findings of one kind that are told one by one.
const TOLD: usize = 10;

/// Compares everything. `chain` are the hashes of the main chain, `full` the times in which the
/// disk was full.
pub(crate) fn compare(
    report: &Report,
    journals: &Journals,
    ledger: &Ledger,
    chain: &BTreeSet<String>,
    full: &[(Instant, Instant)],
) -> Balance {
    let mut balance = Balance { findings: journals.faults.clone(), ..Balance::default() };
    shares(report, journals, &mut balance);
    sums(journals, ledger, &mut balance);
    blocks(report, journals, ledger, chain, full, &mut balance);
    balance
}

/// Miners against journals, connection by connection and difficulty by difficulty.
fn shares(report: &Report, journals: &Journals, balance: &mut Balance) {
    let unit = f64::from(journals.exponent).exp2();
    let empty = BTreeMap::new();
    let mut names = BTreeSet::new();
    for account in &report.accounts {
        names.insert(account.name.as_str());
        let mut booked = journals.shares.get(&account.name).unwrap_or(&empty).clone();
        let weights = |shares: &Shares| -> BTreeMap<u64, u64> {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole")]
            let weight = |bits: u64| (f64::from_bits(bits) / unit).round() as u64;
            shares.iter().map(|(&bits, &count)| (weight(bits), count)).collect()
        };
        for (weight, told) in weights(&account.accepted) {
            balance.acknowledged += told;
            let there = booked.entry(weight).or_default();
            if *there < told {
                balance.lost += told - *there;
                let name = &account.name;
                balance.findings.push(format!("{name}: told of {told}, {there} in the journals"));
            }
            *there = there.saturating_sub(told);
        }
        for (shares, sum) in [
            (&account.unanswered, &mut balance.unread),
            (&account.unrecorded, &mut balance.unrecorded),
        ] {
            for (weight, may) in weights(shares) {
                let there = booked.entry(weight).or_default();
                *sum += may.min(*there);
                *there = there.saturating_sub(may);
            }
        }
        let double: u64 = booked.values().sum();
        if double > 0 {
            balance.double += double;
            let name = &account.name;
            balance.findings.push(format!("{name}: {double} shares more in the journals"));
        }
    }
    for name in journals.shares.keys().filter(|name| !names.contains(name.as_str())) {
        balance.findings.push(format!("{name}: in the journals, but no miner had that name"));
    }
    shorten(&mut balance.findings);
}

/// Journals against ledger: exact sums by worker.
fn sums(journals: &Journals, ledger: &Ledger, balance: &mut Balance) {
    let mut found = Vec::new();
    if ledger.accepted != journals.count {
        let (ledger, journals) = (ledger.accepted, journals.count);
        found.push(format!("{ledger} shares in the ledger, {journals} in the journals"));
    }
    let names: BTreeSet<_> = journals.shares.keys().chain(ledger.weights.keys()).collect();
    for name in names {
        let written: u64 = journals
            .shares
            .get(name)
            .map_or(0, |weights| weights.iter().map(|(weight, count)| weight * count).sum());
        let booked = ledger.weights.get(name).copied().unwrap_or_default();
        if booked != written {
            found.push(format!("{name}: work {booked} in the ledger, {written} in the journals"));
        }
    }
    shorten(&mut found);
    balance.findings.extend(found);
}

fn blocks(
    report: &Report,
    journals: &Journals,
    ledger: &Ledger,
    chain: &BTreeSet<String>,
    full: &[(Instant, Instant)],
    balance: &mut Balance,
) {
    let mut found = Vec::new();
    if ledger.blocks != journals.blocks {
        let differ: Vec<_> = ledger.blocks.symmetric_difference(&journals.blocks).collect();
        found.push(format!("blocks only in the ledger or only in the journals: {differ:?}"));
    }
    for (hash, (fate, at)) in &report.finds {
        let recorded = ledger.blocks.contains(hash);
        balance.found += u64::from(*fate == Fate::Accepted);
        if *fate == Fate::Accepted && !recorded {
            found.push(format!("block {hash}: its finder was told true, the ledger has it not"));
        }
        if chain.contains(hash) {
            balance.in_chain += 1;
            // With a full disk a block goes to the daemons although nothing can be recorded.
            let excused = match fate {
                Fate::Accepted => false,
                Fate::Unanswered => full.iter().any(|(from, to)| (*from..=*to).contains(at)),
                Fate::Refused(words) => words.contains("storage"),
            };
            if !recorded && !excused {
                found.push(format!("block {hash} ({fate:?}) is in the chain, not in the ledger"));
            }
        }
    }
    for hash in ledger.blocks.iter().filter(|hash| !report.finds.contains_key(*hash)) {
        found.push(format!("block {hash} is in the ledger, but nobody found it"));
    }
    shorten(&mut found);
    balance.findings.extend(found);
}

fn shorten(findings: &mut Vec<String>) {
    if findings.len() > TOLD {
        let more = findings.len() - TOLD;
        findings.truncate(TOLD);
        findings.push(format!("... and {more} more like these"));
    }
}
