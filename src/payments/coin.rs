//! One coin: cycle after cycle, never two at once.

use super::owners::Owners;
use crate::chain::Network;
use crate::chain::address::Rules;
use crate::config::{Payments, Pool};
use crate::daemon::plan::{self, PlanError};
use crate::daemon::{CallError, ChainInfo, Client, block_hash, chain_info};
use crate::ipc::Troubles;
use crate::ledger::TallyError;
use crate::ledger::book::{Book, BookError};
use crate::sys::clock::{monotonic_ms, ms, unix_ms};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks at blocks and payouts, at most.
const LOOK: Duration = Duration::from_secs(10);
/// How long a wallet may take: it works for seconds when it has many inputs.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// What is noted in the book of its chain.
pub const FIRST_BLOCK: &str = "first block";
/// After trouble with paying, it is tried again so soon.
const AGAIN: Duration = Duration::from_secs(60);
/// What stops a coin is said again so often, ms.
const NAG_MS: u64 = 600_000;

/// Why a cycle ended early. The next one tries again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(transparent)]
    Tally(#[from] TallyError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0}")]
    Words(String),
}

impl From<PlanError> for Trouble {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Call(error) => Self::Call(error),
            PlanError::Operator { words, .. } => Self::Words(words),
        }
    }
}

/// A coin whose miners are paid.
pub(super) struct Coin {
    pub(super) pool: Pool,
    pub(super) payments: Payments,
    pub(super) data_dir: PathBuf,
    pub(super) wallet: Client,
    pub(super) owners: RefCell<Owners>,
    /// The wallet has been asked what it paid.
    pub(super) history_checked: Cell<bool>,
    daemons: Vec<Client>,
    /// Monotonic ms of the next round of payouts.
    pay_at: u64,
    /// Why the last try to pay was not the whole of it.
    unpaid: Option<String>,
    said: Option<(String, u64)>,
}

/// What a cycle knows of the chain.
pub(super) struct Chain<'a> {
    /// Daemons that have all of it, with their tips.
    pub(super) daemons: Vec<(&'a Client, ChainInfo)>,
    pub(super) network: Network,
    pub(super) rules: Rules,
}

impl<'a> Chain<'a> {
    /// The daemon that the operator named first, of those that have all of the chain.
    pub(super) fn first(&self) -> Result<(&'a Client, &ChainInfo), Trouble> {
        let first = self.daemons.first().map(|(client, info)| (*client, info));
        first.ok_or_else(|| Trouble::Words("every daemon is syncing; payments wait".to_owned()))
    }
}

impl Coin {
    pub(super) fn new(pool: &Pool, payments: &Payments, data_dir: &Path) -> Self {
        let client = |daemon| Client::new(daemon, pool.daemon_timeout);
        Self {
            wallet: Client::new(&payments.wallet, pool.daemon_timeout.max(PATIENCE)),
            daemons: pool.daemons.iter().map(client).collect(),
            pool: pool.clone(),
            payments: payments.clone(),
            data_dir: data_dir.to_owned(),
            owners: RefCell::default(),
            history_checked: Cell::new(false),
            pay_at: 0,
            unpaid: None,
            said: None,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.pool.coin.id
    }

    /// The life of a coin's thread.
    pub(super) fn run(mut self, troubles: &Troubles) {
        let mut book = None;
        loop {
            let result = match &mut book {
                Some(open) => self.cycle(open),
                None => Book::open(&self.data_dir, &self.pool.coin.id)
                    .map_err(Trouble::from)
                    .and_then(|open| self.cycle(book.insert(open))),
            };
            if let Err(Trouble::Book(_)) = &result {
                // Its transaction was rolled back; a new connection sees what is there.
                book = None;
            }
            let trouble = result.err().map(|trouble| trouble.to_string());
            troubles.say(self.id(), "payments", trouble.as_deref());
            self.say(trouble);
            std::thread::park_timeout(LOOK.min(self.payments.interval));
        }
    }

    /// All that is to be done now, each step whole in the book.
    pub(super) fn cycle(&mut self, book: &mut Book) -> Result<(), Trouble> {
        // What is on its way comes first; then nothing that is away holds up the rest: neither the
        // tally what is in the book, nor the daemons what is mature.
        let watched = self.watch(book);
        let taken = self.take_in(book);
        let followed = self.follow(book);
        let asked = watched.is_ok() && book.take_retry()?;
        if watched.is_ok() && (asked || monotonic_ms() >= self.pay_at) {
            let trouble = self.pay(book).err();
            let pause = match trouble {
                Some(_) => self.payments.interval.min(AGAIN),
                None => self.payments.interval,
            };
            self.pay_at = monotonic_ms().saturating_add(ms(pause));
            self.unpaid = trouble.map(|trouble| trouble.to_string());
        }
        watched.and(taken).and(followed)?;
        self.unpaid.clone().map_or(Ok(()), |words| Err(Trouble::Words(words)))
    }

    /// The daemons that have the whole chain, and what the coin's addresses are there.
    /// The book remembers its chain's first block, so that a daemon on another chain says nothing.
    pub(super) fn chain(&self, book: &mut Book) -> Result<Chain<'_>, Trouble> {
        let mut daemons = Vec::new();
        let mut silent = None;
        for client in &self.daemons {
            match chain_info(client, self.pool.coin.has_get_info) {
                Ok(info) if !info.initial_download && info.headers <= info.blocks => {
                    match first_block(client) {
                        Ok(first) => daemons.push((client, info, first)),
                        Err(error) => silent = Some(error),
                    }
                }
                Ok(_) => {}
                Err(error) => silent = Some(error),
            }
        }
        for (client, info, first) in &daemons {
            book.note_once(FIRST_BLOCK, first)?;
            if book.noted(FIRST_BLOCK)?.is_some_and(|ours| ours != *first) {
                return Err(Trouble::Words(format!(
                    "daemon {} is on another chain than the book (`{}`)",
                    client.address(),
                    info.chain
                )));
            }
        }
        let Some((client, info, _)) = daemons.first() else {
            return Err(silent.map_or_else(
                || Trouble::Words("every daemon is syncing; payments wait".to_owned()),
                Trouble::Call,
            ));
        };
        Self::note_beginning(book, &info.best)?;
        let network = plan::network(&client.address(), info)?;
        let rules = self.pool.coin.addresses.get(&network).cloned().unwrap_or_default();
        let daemons = daemons.into_iter().map(|(client, info, _)| (client, info)).collect();
        Ok(Chain { daemons, network, rules })
    }

    /// Tells trouble once, again after a while, and that it is over.
    fn say(&mut self, words: Option<String>) {
        let now = monotonic_ms();
        match (&words, &self.said) {
            (Some(words), Some((said, at))) if words == said && now - at < NAG_MS => return,
            (Some(words), _) => {
                log::error!("{}: payments wait, nothing is lost: {words}", self.id());
            }
            (None, Some(_)) => log::warn!("{}: payments go on", self.id()),
            (None, None) => return,
        }
        self.said = words.map(|words| (words, now));
    }
}

/// Hash of the chain's first block.
pub(super) fn first_block(client: &Client) -> Result<String, CallError> {
    block_hash(client, 0).map(|hash| hash.to_string())
}

/// Unix milliseconds, for the book.
pub(super) fn now() -> u64 {
    unix_ms()
}
