//! Numbers of workers and accounts, and how many new ones may come: whoever invents names would fill
//! history with them. Who is too much is counted in one row of its address, so sums stay right.

use super::file::{Fault, meta, natural, stored};
use crate::stratum::address_part;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::collections::BTreeMap;

/// New names that may come at once, and how many more each hour: of the coin.
const COIN: Allowance = Allowance { most: 20_000, hourly: 500 };
/// The same of one address.
const ADDRESS: Allowance = Allowance { most: 2000, hourly: 50 };
/// The rig that all rigs beyond that are counted as.
const OTHERS: &str = "(others)";
/// Where the coin's allowance stands: what is left, and since which hour.
const META: [&str; 2] = ["names", "names_hour"];

struct Allowance {
    most: u64,
    hourly: u64,
}

impl Allowance {
    /// What a name without an accepted share has to leave to those that have one.
    const fn reserve(&self) -> u64 {
        self.most - self.most / 4
    }

    /// What is left at an hour.
    fn left(&self, known: Left, hour: u64) -> u64 {
        let Some((left, then)) = known else { return self.most };
        let more = hour.saturating_sub(then).saturating_mul(self.hourly);
        left.saturating_add(more).min(self.most)
    }
}

/// What was left of an allowance, and at which hour.
type Left = Option<(u64, u64)>;
/// Numbers of an account and of a worker.
type Numbers = (i64, i64);

/// Numbers by name, within one transaction.
pub(super) struct Names<'t, 'b> {
    transaction: &'t Transaction<'t>,
    known: BTreeMap<&'b str, Numbers>,
    /// The hour of the newest record.
    hour: u64,
    left: u64,
    met: bool,
}

impl<'t, 'b> Names<'t, 'b> {
    /// `now`: the newest record, unix seconds.
    pub(super) fn new(transaction: &'t Transaction<'t>, now: u64) -> Result<Self, Fault> {
        let [left, then] = [meta(transaction, META[0])?, meta(transaction, META[1])?];
        let known = left.map(natural).zip(then.map(natural));
        // A record that comes late brings nothing.
        let hour = (now / 3600).max(known.map_or(0, |(_, then)| then));
        let left = COIN.left(known, hour);
        Ok(Self { transaction, known: BTreeMap::new(), hour, left, met: false })
    }

    /// Numbers of a worker's account and of the worker; a new name gets some, or those of the others.
    /// `works`: it has an accepted share.
    pub(super) fn numbers(&mut self, name: &'b str, works: bool) -> Result<Numbers, Fault> {
        if let Some(numbers) = self.known.get(name) {
            return Ok(*numbers);
        }
        let numbers = match self.find(name)? {
            Some(numbers) => numbers,
            None => self.meet(name, works)?,
        };
        self.known.insert(name, numbers);
        Ok(numbers)
    }

    /// Numbers that were asked for before.
    pub(super) fn known(&self, name: &str) -> Option<Numbers> {
        self.known.get(name).copied()
    }

    /// Stores what is left.
    pub(super) fn keep(self) -> Result<(), Fault> {
        if !self.met {
            return Ok(());
        }
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";
        let mut set = self.transaction.prepare_cached(sql)?;
        for (name, value) in META.into_iter().zip([self.left, self.hour]) {
            set.execute(params![name, stored(value)])?;
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Option<Numbers>, Fault> {
        let sql = "SELECT account, id FROM worker WHERE name = ?1";
        let mut find = self.transaction.prepare_cached(sql)?;
        Ok(find.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    fn meet(&mut self, name: &str, works: bool) -> Result<Numbers, Fault> {
        let address = address_part(name);
        let known = self.account(address)?;
        // Refused shares cost nothing: by them nobody keeps out who works.
        let reserve = |allowance: Allowance| if works { 0 } else { allowance.reserve() };
        let is_full = self.left <= reserve(COIN);
        if known.is_none() && is_full {
            return self.others(OTHERS, OTHERS);
        }
        let left = ADDRESS.left(known.and_then(|(_, left)| left), self.hour);
        if is_full || left <= reserve(ADDRESS) {
            return self.others(address, &format!("{address}.{OTHERS}"));
        }
        (self.left, self.met) = (self.left - 1, true);
        let numbers = self.enter(address, name)?;
        let sql = "UPDATE account SET names = ?2, hour = ?3 WHERE id = ?1";
        let row = params![numbers.0, stored(left - 1), stored(self.hour)];
        self.transaction.prepare_cached(sql)?.execute(row)?;
        Ok(numbers)
    }

    /// The row of all others, of an address or of nobody known.
    fn others(&self, address: &str, name: &str) -> Result<Numbers, Fault> {
        match self.find(name)? {
            Some(numbers) => Ok(numbers),
            None => self.enter(address, name),
        }
    }

    /// An account's number, and what was left of its allowance at which hour.
    fn account(&self, address: &str) -> Result<Option<(i64, Left)>, Fault> {
        let sql = "SELECT id, names, hour FROM account WHERE address = ?1";
        let read = |row: &Row<'_>| {
            let [left, then]: [Option<i64>; 2] = [row.get(1)?, row.get(2)?];
            Ok((row.get(0)?, left.map(natural).zip(then.map(natural))))
        };
        Ok(self.transaction.prepare_cached(sql)?.query_row([address], read).optional()?)
    }

    fn enter(&self, address: &str, name: &str) -> Result<Numbers, Fault> {
        let account = match self.account(address)? {
            Some((account, _)) => account,
            None => {
                let sql = "INSERT INTO account (address) VALUES (?1)";
                self.transaction.prepare_cached(sql)?.execute([address])?;
                self.transaction.last_insert_rowid()
            }
        };
        let sql = "INSERT INTO worker (account, name) VALUES (?1, ?2)";
        self.transaction.prepare_cached(sql)?.execute(params![account, name])?;
        Ok((account, self.transaction.last_insert_rowid()))
    }
}
