//! Who may come in: bans, connections of an address, their rate; and whose word counts for who
//! somebody is.

use super::accept::refuse;
use super::miner::Miner;
use super::{Now, Worker};
use crate::ipc::crowd;
use crate::net::proxy::{self, Parsed};
use crate::stratum::Cause;
use crate::sys::clock::unix_ms;
use std::net::IpAddr;

/// Seconds over which the rate of newcomers is taken, as on the board.
const WINDOW_S: u32 = 10;
/// A site's newcomers may be so many times those of an address.
const SITE: u32 = 4;

impl Worker {
    /// Whether the pool of a port has proxies before it, and this address is one.
    pub(super) fn awaits_header(&self, port: u16, peer: &IpAddr) -> bool {
        let gate = self.gates.get(&port);
        let coin = gate.and_then(|gate| self.coins.get(&gate.coin));
        coin.is_some_and(|coin| coin.pool.proxy_protocol) && self.config.limits.is_proxy(peer)
    }

    /// Whether an address may have one more connection.
    pub(super) fn admit(&self, address: &IpAddr, now: Now) -> Result<(), Cause> {
        let limits = &self.config.limits;
        if limits.is_exempt(address) {
            return Ok(());
        }
        if self.bans.find(address, unix_ms()).is_some() {
            return Err(Cause::Banned);
        }
        let crowd = &self.board.crowd;
        let (own, site) = crowd.here(address);
        let is_full = |most: u32, count: u32| most > 0 && count >= most;
        if is_full(limits.per_address, own) || is_full(limits.per_site, site) {
            return Err(Cause::TooMany);
        }
        // Who may be here together may come together: a farm after a power cut.
        let rate = limits.connects_per_second.saturating_mul(WINDOW_S);
        let most = |rate: u32, here: u32| rate.max(here).min(crowd::MOST_CAME);
        let (own, site) = crowd.came(address, now.mono);
        if rate > 0
            && (own >= most(rate, limits.per_address)
                || site >= most(rate.saturating_mul(SITE), limits.per_site))
        {
            return Err(Cause::ConnectRate);
        }
        Ok(())
    }

    /// Counts a connection with its address. Exempt ones are not counted: thousands behind a proxy
    /// would only blur the others' counts. Returns what to pass to [`Worker::leave`].
    pub(super) fn enter(&self, address: IpAddr, now: Now) -> Option<IpAddr> {
        if self.config.limits.is_exempt(&address) {
            return None;
        }
        self.board.crowd.enter(self.slot, &address, now.mono);
        Some(address)
    }

    /// Takes a connection out of the counts.
    pub(super) fn leave(&self, miner: &Miner) {
        self.uncount(miner);
        if let Some(cause) = miner.cause {
            self.count(cause);
        }
    }

    /// Counts a connection no longer with its address and its accounts, here.
    pub(super) fn uncount(&self, miner: &Miner) {
        if let Some(address) = &miner.counted {
            self.board.crowd.leave(self.slot, address);
        }
        for account in &miner.accounts {
            self.board.crowd.leave_account(self.slot, *account);
        }
    }

    /// Counts a connection that is refused or ended.
    pub(super) fn count(&self, cause: Cause) {
        if let Some(row) = self.board.row(self.slot) {
            row.count(cause);
        }
    }

    /// What a refused newcomer is told.
    pub(super) fn refusal(&self, cause: Cause, address: &IpAddr) -> String {
        let now = unix_ms();
        let ban = self.bans.find(address, now).filter(|_| cause == Cause::Banned);
        match ban {
            Some((_, ban)) if ban.until < u64::MAX => {
                let minutes = ban.until.saturating_sub(now).div_ceil(60_000);
                format!("your address is banned for {minutes} more minutes")
            }
            Some(_) => "your address is banned".to_owned(),
            None => cause.advice().unwrap_or(cause.words()).to_owned(),
        }
    }

    /// Takes the PROXY header that a trusted proxy sends first. Until it is whole nothing else is
    /// looked at; then the miner is who the proxy says.
    pub(super) fn take_header(&mut self, key: usize, scratch: &mut [u8], now: Now) {
        let Some(miner) = self.miners.get_mut(key) else { return };
        if !miner.awaits_header || miner.closing.is_some() {
            return;
        }
        miner.read(scratch);
        let (length, source) = match proxy::parse(miner.input.waiting()) {
            Parsed::More => return,
            Parsed::Bad => {
                log::debug!("{}: its PROXY header is missing or unsound", miner.address);
                return miner.end(Cause::ProxyHeader);
            }
            Parsed::Header { length, source } => (length, source),
        };
        miner.input.skip(length);
        miner.awaits_header = false;
        if !miner.stream.is_plain() {
            // What came after it is for TLS, if that is what it is.
            let rest = std::mem::take(&mut miner.input);
            miner.stream.give_back(rest.waiting());
            miner.readable = true;
        }
        // The miner's own first byte is due from now on.
        miner.since = now.mono;
        miner.heard = !miner.input.is_empty();
        let address = source.unwrap_or(miner.address);
        miner.address = address;
        let counted = match self.admit(&address, now) {
            Ok(()) => self.enter(address, now),
            Err(cause) => {
                let words = self.refusal(cause, &address);
                if let Some(miner) = self.miners.get_mut(key) {
                    if miner.stream.is_open() {
                        miner.say(&words, now.mono);
                    } else {
                        refuse(&mut miner.stream, &words);
                    }
                    miner.end(cause);
                }
                None
            }
        };
        if let Some(miner) = self.miners.get_mut(key) {
            miner.counted = counted;
        }
    }
}
