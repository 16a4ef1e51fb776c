//! Messages between children, and block notices from outside. The master keeps what children that
//! come later must know.

use super::kept::KeptWork;
use super::notify::{self, brief};
use super::roles::Kind;
use super::{Line, Master};
use crate::chain::Hash;
use crate::config::{Coin, Config, Secret};
use crate::ipc::{Channel, ChannelError, MOST_REMEMBERED, Message, Received, Role};
use crate::sys::clock;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Messages heard from one child in one turn: no child can keep the others waiting.
const MESSAGES_A_TURN: usize = 256;
/// Bans are told to a new worker while so few messages wait for it.
const WAITING_FOR_BANS: usize = 256;

impl Master {
    /// Hears what children have to say.
    pub(super) fn hear_children(&mut self) {
        for row in std::mem::take(&mut self.readable) {
            if !self.hear(row, MESSAGES_A_TURN) {
                self.readable.insert(row);
            }
        }
    }

    /// Hears everything that a dead child has said.
    pub(super) fn hear_out(&mut self, row: usize) {
        self.hear(row, usize::MAX);
    }

    /// Hears at most so many messages. Returns whether there are no more.
    fn hear(&mut self, row: usize, most: usize) -> bool {
        for _ in 0..most {
            let Some(line) = self.lines.get_mut(&row) else { return true };
            match line.channel.receive() {
                Ok(Received::Message(message, fds)) => {
                    if let Err(why) = self.heard(row, *message, fds) {
                        self.give_up(row, &why);
                        return true;
                    }
                }
                // The child is about to end: it is reaped soon.
                Ok(Received::Nothing | Received::Closed) => return true,
                Err(error) => {
                    self.give_up(row, &error.to_string());
                    return true;
                }
            }
        }
        false
    }

    fn heard(&mut self, row: usize, message: Message, fds: Vec<OwnedFd>) -> Result<(), String> {
        let Some(role) = self.fleet.slot(row).map(|slot| slot.role) else { return Ok(()) };
        match (role, message) {
            (_, Message::Ready) => self.fleet.ready(row),
            (Role::Templates, Message::Work { work, told }) => {
                let coin = work.plan.coin.clone();
                let Some(body) = fds.into_iter().next() else {
                    return Err("work without a body".to_owned());
                };
                let message = Message::Work { work, told };
                self.relay_to_successor(&message, &[body.as_fd()]);
                self.keep_work(coin, KeptWork { message, body });
            }
            (Role::Templates, Message::CoinStatus(status)) => {
                if self.config.pools.contains_key(&status.coin) {
                    let message = Message::CoinStatus(status.clone());
                    self.send_to_role(Role::Bookkeeper, &message);
                    self.relay_to_successor(&message, &[]);
                    self.kept.coins.insert(status.coin.clone(), status);
                }
            }
            (
                Role::Bookkeeper | Role::Payments | Role::Notifier,
                Message::Trouble { coin, part, words },
            ) => {
                if coin.is_empty() || self.config.pools.contains_key(&coin) {
                    let parts = self.kept.troubles.entry(coin).or_default();
                    match words {
                        Some(words) => parts.insert(part, words),
                        None => parts.remove(&part),
                    };
                }
            }
            (Role::Worker, Message::Charge { network, time, most, reason }) => {
                self.charged(row, network, (time, most), reason, clock::monotonic_ms());
            }
            (Role::Website, Message::Remember { text }) if text.len() <= MOST_REMEMBERED => {
                self.kept.remembered = text;
            }
            (Role::Worker, Message::Vouch { network }) => self.vouched(&network),
            (Role::Worker, Message::Holds { tickets }) => self.hold(tickets, fds),
            (Role::Worker, Message::Passed { left }) => {
                self.passed(row, left, clock::monotonic_ms());
            }
            (Role::Worker, message @ Message::BlockFound { .. }) => {
                self.relay_to_predecessor(&message);
                self.relay_to_successor(&message, &[]);
                self.send_to_role(Role::Templates, &message);
            }
            (_, message) => {
                let text = format!("{message:?}");
                return Err(format!("a message that is not its own: {}", brief(&text)));
            }
        }
        Ok(())
    }

    /// Keeps a coin's work, and gives it to the workers.
    pub(super) fn keep_work(&mut self, coin: String, work: KeptWork) {
        if !self.config.pools.contains_key(&coin) {
            return;
        }
        self.kept.works.insert(coin.clone(), work);
        for row in self.workers_but(None) {
            if let Some(line) = self.lines.get_mut(&row) {
                line.works.insert(coin.clone());
            }
            self.write_to(row);
        }
    }

    /// Tells a new child what is already known, as it reads.
    pub(super) fn welcome(&mut self, row: usize, kind: Kind) {
        if !kind.serves_miners {
            return;
        }
        let Some(line) = self.lines.get_mut(&row) else { return };
        let bans = self.kept.bans.living(clock::unix_ms());
        line.bans = bans.map(|(network, ban)| (*network, ban.until)).collect();
        line.works = self.kept.works.keys().cloned().collect();
        self.write_to(row);
    }

    fn workers_but(&self, except: Option<usize>) -> Vec<usize> {
        self.fleet
            .children()
            .filter(|(slot, _)| Kind::of(slot.role).serves_miners && Some(slot.row) != except)
            .map(|(slot, _)| slot.row)
            .collect()
    }

    pub(super) fn send_to_workers(
        &mut self,
        message: &Message,
        fds: &[BorrowedFd<'_>],
        except: Option<usize>,
    ) {
        for row in self.workers_but(except) {
            self.send(row, message, fds);
        }
        if let Message::Ban { .. } | Message::Unban { .. } = message {
            self.relay_to_successor(message, fds);
        }
    }

    pub(super) fn send_to_role(&mut self, role: Role, message: &Message) {
        let of_role = |slot: &super::fleet::Slot| (slot.role == role).then_some(slot.row);
        let rows: Vec<usize> = self.fleet.slots().iter().filter_map(of_role).collect();
        for row in rows {
            self.send(row, message, &[]);
        }
    }

    pub(super) fn send(&mut self, row: usize, message: &Message, fds: &[BorrowedFd<'_>]) {
        let Some(line) = self.lines.get_mut(&row) else { return };
        let sent = line.channel.send(message, fds);
        self.sent(row, sent);
    }

    fn sent(&mut self, row: usize, sent: Result<(), ChannelError>) {
        match sent {
            Ok(()) => {}
            // The child is gone: what it said is still heard, then it is reaped.
            Err(ChannelError::Os(error)) => log::debug!("channel: {error}"),
            // It lacks a message: its successor starts with all that counts.
            Err(error) => self.give_up(row, &error.to_string()),
        }
    }

    /// Goes on writing to children that read slowly.
    pub(super) fn write_to_children(&mut self) {
        for row in self.lines.keys().copied().collect::<Vec<_>>() {
            self.write_to(row);
        }
    }

    fn write_to(&mut self, row: usize) {
        let Some(line) = self.lines.get_mut(&row) else { return };
        let written = line.write(&self.kept.works);
        self.sent(row, written);
    }

    /// Passes a block notice on to every child.
    pub(super) fn blocknotify(&mut self, coin: &str, hash: Option<Hash>) {
        log::debug!("blocknotify for {coin}");
        let message = Message::Blocknotify { coin: coin.to_owned(), hash };
        for row in self.lines.keys().copied().collect::<Vec<_>>() {
            self.send(row, &message, &[]);
        }
        self.relay_to_successor(&message, &[]);
    }

    /// A line at a blocknotify listener; the answer.
    pub(super) fn notified(
        &mut self,
        source: IpAddr,
        password: Option<&Secret>,
        line: &[u8],
        now: u64,
    ) -> String {
        let notice = match notify::parse(line) {
            Ok(notice) => notice,
            Err(answer) => {
                log::debug!("blocknotify from {source}: {answer}");
                return answer;
            }
        };
        if let Some(password) = password {
            if !notify::is_right(notice.password.as_deref(), password.expose()) {
                if self.guard.wrong(source, now) {
                    log::warn!(
                        "blocknotify from {source}: 5 wrong passwords, not listened to for a \
                         minute. If it is your daemon, correct the password in its blocknotify="
                    );
                }
                return "refused: wrong password".to_owned();
            }
            self.guard.right(source);
        }
        self.notice(&notice.coin, notice.hash, now)
    }

    /// A block notice from outside that is allowed; the answer.
    pub(super) fn notice(&mut self, coin: &str, hash: Option<Hash>, now: u64) -> String {
        let ids = find_coins(&self.config, coin);
        if ids.is_empty() {
            let answer = format!("unknown coin `{}`", brief(coin));
            log::warn!("blocknotify: {answer}; this pool has {}", names(&self.config));
            return answer;
        }
        for id in ids {
            if let Some((coin, hash)) = self.pace.notice(&id, hash, now) {
                self.blocknotify(&coin, hash);
            }
        }
        "Pool workers notified".to_owned()
    }
}

impl Line {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, bans: Vec::new(), works: BTreeSet::new() }
    }

    /// Work waits until all that was said before it is out of the queue; only the last one of a
    /// coin is ever sent.
    fn write(&mut self, works: &BTreeMap<String, KeptWork>) -> Result<(), ChannelError> {
        self.channel.flush()?;
        while self.channel.waiting() == 0
            && let Some(coin) = self.works.pop_first()
        {
            if let Some(work) = works.get(&coin) {
                self.channel.send(&work.message, &[work.body.as_fd()])?;
            }
        }
        while self.channel.waiting() < WAITING_FOR_BANS
            && let Some((network, until)) = self.bans.pop()
        {
            self.channel.send(&Message::Ban { network, until }, &[])?;
        }
        Ok(())
    }
}

fn names(config: &Config) -> String {
    config.pools.keys().cloned().collect::<Vec<_>>().join(", ")
}

/// The ids of coins by id, name or symbol, in any case. Pools of one coin's several algorithms share
/// a symbol.
fn find_coins(config: &Config, text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    if config.pools.contains_key(&lower) {
        return vec![lower];
    }
    let is_meant =
        |coin: &Coin| coin.name.to_lowercase() == lower || coin.symbol.to_lowercase() == lower;
    let found = config.pools.iter().filter(|(_, pool)| is_meant(&pool.coin));
    found.map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::changes::tests::sample;
    use super::*;
    use crate::chain::address::Rules;
    use crate::chain::{Network, Plan, Template, Work};
    use crate::pow::Algorithm;
    use crate::sys::memfd;
    use std::collections::VecDeque;

    fn work(coin: &str, height: u64) -> KeptWork {
        let template = format!(
            r#"{{"version":1,"previousblockhash":"{:064x}","transactions":[],"coinbasevalue":50,
                "curtime":1700000000,"mintime":1600000000,"bits":"207fffff","height":{height}}}"#,
            height - 1
        );
        let plan = Plan {
            coin: coin.to_owned(),
            network: Network::Regtest,
            algorithm: Algorithm::Sha256,
            ids: crate::pow::ids::Ids::default(),
            pool_script: vec![0x51],
            recipients: Vec::new(),
            tag: String::new(),
            extranonce2_size: 4,
            tx_message: None,
            proof_of_stake: false,
            payees: Vec::new(),
            addresses: Rules::default(),
        };
        let built = Work::build(&Template::parse(&template).unwrap(), &plan).unwrap();
        KeptWork {
            message: Message::Work { work: Box::new(built.work), told: None },
            body: memfd::sealed("body", &built.body).unwrap(),
        }
    }

    #[test]
    fn a_child_that_stands_still_gets_the_last_work_only() {
        let (ours, mut its) = Channel::pair().unwrap();
        let mut line = Line::new(ours);
        // More than the socket takes, so that the child is behind.
        let mut before = 0;
        while line.channel.waiting() == 0 {
            line.channel.send(&Message::Ready, &[]).unwrap();
            before += 1;
        }
        let mut works = BTreeMap::new();
        for height in 1..=1000 {
            for coin in ["bitcoin", "litecoin"] {
                works.insert(coin.to_owned(), work(coin, height));
                line.works.insert(coin.to_owned());
                line.write(&works).unwrap();
            }
        }
        assert_eq!(line.channel.waiting(), 1, "work does not queue");
        let mut heard = VecDeque::new();
        loop {
            match its.receive().unwrap() {
                Received::Message(message, _) => heard.push_back(*message),
                Received::Nothing if line.channel.waiting() == 0 && line.works.is_empty() => break,
                Received::Nothing => line.write(&works).unwrap(),
                Received::Closed => panic!("closed"),
            }
        }
        heard.drain(..before).for_each(|message| assert_eq!(message, Message::Ready));
        let heard: Vec<_> = heard.into_iter().collect();
        let last = ["bitcoin", "litecoin"].map(|coin| works.remove(coin).unwrap().message);
        assert_eq!(heard, last);
    }

    #[test]
    fn coins_are_found_in_any_case() {
        for text in ["litecoin", "LITECOIN", "Litecoin", "ltc", "LTC"] {
            assert_eq!(find_coins(&sample(), text), ["litecoin"], "{text}");
        }
        assert!(find_coins(&sample(), "lite").is_empty());
        assert!(find_coins(&sample(), "").is_empty());
        let mut two = sample();
        let mut other = two.pools.get("litecoin").unwrap().clone();
        other.coin.id = "litecoin-x11".to_owned();
        other.coin.name = "Litecoin-X11".to_owned();
        two.pools.insert(other.coin.id.clone(), other);
        assert_eq!(find_coins(&two, "ltc"), ["litecoin", "litecoin-x11"]);
        assert_eq!(find_coins(&two, "Litecoin"), ["litecoin"]);
    }
}
