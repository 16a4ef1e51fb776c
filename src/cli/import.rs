//! `romp import nomp` and `romp import mpos`: balances, pending blocks and open work of the software
//! that a pool ran before. A dry run unless `--apply`.

#![allow(clippy::print_stderr)] // a command prints

mod report;
mod witness;

use super::rebuild::if_owned;
use super::shares::{pool_of, printable};
use super::{CONFIGURATION, FAILED, USAGE};
use crate::config::{Config, Loaded, Mpos, MposAuth, Pool, Secret};
use crate::import::{Draft, Money, Witness, assumed, draft, mpos, nomp};
use crate::journal;
use crate::ledger::book::{Book, BookError, Imported};
use crate::ledger::open_for_reading;
use crate::stratum::Unit;
use crate::sys::clock::unix_ms;
use clap::{Args, Subcommand, ValueEnum};
use report::Report;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// From where.
#[derive(Debug, Clone, Subcommand)]
pub enum From {
    /// NOMP's Redis: balances, pending blocks with their work, the open round
    Nomp {
        /// Coin, as its pool names it
        coin: String,
        /// NOMP's Redis
        #[arg(long, value_name = "HOST:PORT[/DB]")]
        redis: String,
        /// NOMP's name of the coin, if it is another one
        #[arg(long, value_name = "NAME")]
        prefix: Option<String>,
        /// In what NOMP counted balances, if what is assumed is wrong
        #[arg(long, value_name = "UNIT")]
        balances_in: Option<BalancesIn>,
        /// What both have.
        #[command(flatten)]
        shared: Shared,
    },
    /// An MPOS database: confirmed balances. That of the pool's `mposMode`, or the one that is named
    Mpos {
        /// Coin, as its pool names it
        coin: String,
        /// The database's server
        #[arg(long, value_name = "HOST:PORT", requires_all = ["user", "database"])]
        mysql: Option<String>,
        /// Its user
        #[arg(long, requires = "mysql")]
        user: Option<String>,
        /// Name of the database
        #[arg(long, requires = "mysql")]
        database: Option<String>,
        /// MPOS's setting `confirmations`
        #[arg(long, default_value_t = 120)]
        confirmations: u32,
        /// MPOS's setting `currency`; the coin's symbol if it is left out
        #[arg(long)]
        currency: Option<String>,
        /// What both have.
        #[command(flatten)]
        shared: Shared,
    },
}

/// In what NOMP counted balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BalancesIn {
    /// 12.5 is twelve and a half coins
    Coins,
    /// 12 is twelve of the smallest unit
    Satoshis,
}

/// What both have.
#[derive(Debug, Clone, Args)]
pub struct Shared {
    /// File with the server's password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Write it into the book; else it is only shown what would be written
    #[arg(long)]
    apply: bool,
    /// Also when something was imported from another source before
    #[arg(long)]
    another_source: bool,
    /// Each record, also those that are taken
    #[arg(long)]
    verbose: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Why nothing is imported, and the exit code.
type Stop = (u8, String);

fn failed(error: impl ToString) -> Stop {
    (FAILED, error.to_string())
}

/// Imports. Returns the exit code: 1 when something was refused.
#[must_use]
pub fn run(dir: &Path, from: &From) -> u8 {
    let (From::Nomp { coin, shared, .. } | From::Mpos { coin, shared, .. }) = from;
    let Loaded { config, errors, .. } = crate::config::load(dir);
    let Some(config) = config else {
        errors.iter().for_each(|error| eprintln!("{error}"));
        return CONFIGURATION;
    };
    let Some(pool) = pool_of(&config, coin) else { return USAGE };
    match import(&config, pool, from, shared) {
        Ok(report) => report.show(shared),
        Err((code, words)) => {
            eprintln!("error: {}", printable(&words));
            code
        }
    }
}

fn import(config: &Config, pool: &Pool, from: &From, shared: &Shared) -> Result<Report, Stop> {
    match from {
        From::Nomp { redis, prefix, balances_in, .. } => {
            let usage = || (USAGE, format!("`{redis}` is not HOST:PORT or HOST:PORT/DB"));
            let mut server = nomp::address(redis).ok_or_else(usage)?;
            server.password = password(shared)?;
            let prefix = prefix.as_deref().unwrap_or(&pool.coin.id);
            let nomp = nomp::read(&server, prefix).map_err(failed)?;
            let unit = unit(config, pool, shared.apply)?;
            let money = match balances_in {
                Some(BalancesIn::Coins) => Money::Coins,
                Some(BalancesIn::Satoshis) => Money::Satoshis,
                None => assumed(&nomp),
            };
            let judge = |before: &Imported, witness: &mut dyn Witness| {
                draft(&nomp, money, unit, before, witness)
            };
            let mut report = judged(config, pool, shared, &nomp.source, judge)?;
            report.unit = unit;
            report.balances_in = Some((money, balances_in.is_none()));
            report.counted = nomp.counted;
            report.notes.extend(nomp.notes);
            Ok(report)
        }
        From::Mpos { mysql, user, database, confirmations, currency, .. } => {
            let server = match (mysql, user, database) {
                (Some(server), Some(user), Some(database)) => {
                    named(server, user, database, password(shared)?)?
                }
                _ => pool.mpos.clone().ok_or_else(|| {
                    let words = "the pool's file has no `mposMode` that is enabled: name the \
                                 database with --mysql, --user, --database and --password-file";
                    (USAGE, words.to_owned())
                })?,
            };
            let symbol = &pool.coin.symbol;
            let shares =
                |other: &&Pool| other.coin.id != pool.coin.id && other.coin.symbol == *symbol;
            if currency.is_none()
                && let Some(other) = config.pools.values().find(shares)
            {
                let words = format!(
                    "{} has the symbol {symbol}, too: say with --currency which database this is, \
                     or balances are imported twice",
                    other.coin.id
                );
                return Err((USAGE, words));
            }
            let currency = currency.as_deref().unwrap_or(symbol);
            let read = mpos::read(&server, currency, *confirmations).map_err(failed)?;
            let source = mpos::source(&server);
            let judge = |before: &Imported, witness: &mut dyn Witness| {
                mpos::draft(&source, &read, before, witness)
            };
            let mut report = judged(config, pool, shared, &source, judge)?;
            if read.requested > 0 {
                report.notes.push(format!(
                    "{} payments by hand are asked for in MPOS and not made: what they are for is \
                     in the balances",
                    read.requested
                ));
            }
            Ok(report)
        }
    }
}

fn named(server: &str, user: &str, database: &str, password: Option<Secret>) -> Result<Mpos, Stop> {
    let address = nomp::address(server).filter(|_| !server.contains('/'));
    let address = address.ok_or_else(|| (USAGE, format!("`{server}` is not HOST:PORT")))?;
    Ok(Mpos {
        host: address.host,
        port: address.port,
        user: user.to_owned(),
        password: password.unwrap_or_else(|| Secret::new(String::new())),
        database: database.to_owned(),
        auth: MposAuth::None,
        auto_create: false,
        multiplier: 1.0,
    })
}

fn password(shared: &Shared) -> Result<Option<Secret>, Stop> {
    let Some(path) = &shared.password_file else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| (FAILED, format!("{}: {error}", path.display())))?;
    Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())))
}

/// The unit in which the pool counts work. It is fixed by an import that is applied.
fn unit(config: &Config, pool: &Pool, apply: bool) -> Result<Unit, Stop> {
    let (data_dir, coin) = (&config.data_dir, pool.coin.id.as_str());
    let tally = open_for_reading(pool, data_dir).map_err(failed)?;
    if let Some(mut tally) = tally
        && let Some(unit) = tally.unit().map_err(failed)?
    {
        return Ok(unit);
    }
    if apply {
        if_pools(config).map_err(failed)?;
        return journal::unit(data_dir, coin, pool.unit).map_err(failed);
    }
    Ok(journal::known_unit(data_dir, coin).map_err(failed)?.unwrap_or(pool.unit))
}

/// What is made here must be the pool's: also where it has never run.
fn if_pools(config: &Config) -> Result<(), String> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|facts| facts.uid() == 0);
    match &config.user {
        Some(user) if is_root && user != "root" && !config.data_dir.exists() => Err(format!(
            "the pool runs as `{user}`, and {} is not there yet: run this as that user",
            config.data_dir.display()
        )),
        _ => if_owned(config),
    }
}

/// Judges, and writes what is taken into the book if that is wanted.
fn judged(
    config: &Config,
    pool: &Pool,
    shared: &Shared,
    source: &str,
    judge: impl FnOnce(&Imported, &mut dyn Witness) -> Draft,
) -> Result<Report, Stop> {
    let (data_dir, coin) = (&config.data_dir, pool.coin.id.as_str());
    let mut book = if shared.apply {
        if_pools(config).map_err(failed)?;
        Some(Book::open(data_dir, coin).map_err(taken)?)
    } else {
        Book::open_for_reading(data_dir, coin).map_err(failed)?
    };
    let mut before = Imported::default();
    if let Some(book) = &book {
        let other = book.import_sources().map_err(failed)?.into_iter().find(|it| it != source);
        if let Some(other) = other.filter(|_| !shared.another_source) {
            return Err(failed(format!(
                "{coin} was imported from `{other}` before, and this is `{source}`: the same \
                 balances under two names would count twice. If it is another pool's, add \
                 --another-source"
            )));
        }
        balances(book, coin)?;
        before = book.imported(source).map_err(failed)?;
    }
    let mut witness = witness::Asked::new(pool, book.as_ref())?;
    let draft = judge(&before, &mut witness);
    drop(witness);
    if let Some(book) = book.as_mut().filter(|_| shared.apply) {
        book.import(&draft.import, unix_ms()).map_err(failed)?;
    }
    Ok(Report::new(pool, source, draft, shared.apply))
}

fn balances(book: &Book, coin: &str) -> Result<(), Stop> {
    match book.audit(false).map_err(failed)?.wrong.first() {
        Some(wrong) => Err(failed(format!(
            "the book does not balance, and nothing is imported into it as long as it does not: \
             {wrong}; see `romp audit {coin}`"
        ))),
        None => Ok(()),
    }
}

fn taken(error: BookError) -> Stop {
    match error {
        BookError::Taken(_) => failed(
            "payments of this coin run, and nothing is imported beside them: stop the pool, or set \
             `enabled` of `paymentProcessing` to false and send HUP, and repeat this",
        ),
        error => failed(error),
    }
}
