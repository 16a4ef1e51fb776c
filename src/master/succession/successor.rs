//! The new master, as long as there is an old one: it begins with workers that take nobody, and
//! becomes the master step by step.

use super::super::fleet::Stop;
use super::super::kept::KeptWork;
use super::super::{Master, SUCCESSION, bans};
use super::{Succession, Will, Word, goods};
use crate::ipc::roster::Ticket;
use crate::ipc::{Channel, Message, Received, Role};
use crate::net::bans::Ban;
use crate::special;
use crate::sys::failpoint;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Tickets in one message.
const A_MESSAGE: usize = 1000;

/// How far this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Its workers begin.
    Begins,
    /// They serve, and wait.
    Ready,
    /// They take newcomers, and the old ones' miners.
    Committed,
    /// Nobody else of the old one's children works any more.
    Owns,
    /// All of its children serve.
    TakenOver,
    /// It is the master; the old one's last workers may still give it miners.
    Reigns,
}

/// The master that this one goes on for.
#[derive(Debug)]
pub(in super::super) struct Predecessor {
    channel: Channel<Word>,
    pid: u32,
    version: String,
    reloads: u64,
    step: Step,
    /// How many of the old workers give their miners to each row.
    givers: BTreeMap<usize, usize>,
}

impl Predecessor {
    pub(in super::super) fn new(
        channel: Channel<Word>,
        will: &Will,
        registry: &Registry,
    ) -> io::Result<Self> {
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&channel.as_raw_fd()), SUCCESSION, both)?;
        let (version, pid, reloads) = (will.version.clone(), will.pid, will.reloads);
        Ok(Self { channel, pid, version, reloads, step: Step::Begins, givers: BTreeMap::new() })
    }

    /// Whether this one's workers take newcomers.
    pub(super) fn has_opened(&self) -> bool {
        self.step >= Step::Committed
    }

    /// Whether this one's other children work.
    pub(super) fn owns(&self) -> bool {
        self.step >= Step::Owns
    }

    pub(super) fn reigns(&self) -> bool {
        self.step >= Step::Reigns
    }
}

impl Master {
    /// A turn's part of succeeding another one.
    pub(super) fn succeed(&mut self, now: u64) {
        self.hear_predecessor(now);
        let is_whole = self.is_whole();
        let Succession::From(predecessor) = &mut self.succession else { return };
        if let Err(error) = predecessor.channel.flush() {
            log::debug!("the old master: {error}");
        }
        match predecessor.step {
            Step::Begins if is_whole => {
                predecessor.step = Step::Ready;
                let goods = goods(&self.config);
                self.tell_predecessor(&Word::Ready { goods }, &[]);
            }
            Step::Owns if is_whole => {
                predecessor.step = Step::TakenOver;
                self.tell_predecessor(&Word::TakenOver, &[]);
            }
            _ => {}
        }
    }

    /// Says something to the old master, if there is one.
    fn tell_predecessor(&mut self, word: &Word, fds: &[BorrowedFd<'_>]) {
        let Succession::From(predecessor) = &mut self.succession else { return };
        if let Err(error) = predecessor.channel.send(word, fds) {
            log::debug!("the old master: {error}");
        }
    }

    /// What the old master's children must know.
    pub(in super::super) fn relay_to_predecessor(&mut self, message: &Message) {
        if let Succession::From(predecessor) = &self.succession
            && !predecessor.owns()
        {
            self.tell_predecessor(&Word::Relay(Box::new(message.clone())), &[]);
        }
    }

    /// The old master keeps sockets, too, as long as it may have to go on.
    pub(in super::super) fn hold_twice(&mut self, tickets: &[Ticket], sockets: &[OwnedFd]) {
        if let Succession::From(predecessor) = &self.succession
            && !predecessor.reigns()
        {
            let fds: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
            self.tell_predecessor(&Word::Holds { tickets: tickets.to_vec() }, &fds);
        }
    }

    /// Process id of the old master, while there is one.
    pub(in super::super) fn predecessor(&self) -> Option<u32> {
        match &self.succession {
            Succession::From(predecessor) => Some(predecessor.pid),
            _ => None,
        }
    }

    /// Who came from the old one's workers just now, and whose socket only the old one has: it owns
    /// their rows, and gives them once more.
    pub(in super::super) fn return_orphans(&mut self, tickets: &[Ticket]) {
        for tickets in tickets.chunks(A_MESSAGE) {
            self.tell_predecessor(&Word::Orphans { tickets: tickets.to_vec() }, &[]);
        }
    }

    /// A child has ended. Before it has taken over anything, this one does not try again.
    pub(in super::super) fn give_up_succeeding(&mut self, name: &str) {
        if let Succession::From(predecessor) = &self.succession
            && !predecessor.has_opened()
            && self.stop == Stop::No
        {
            log::error!("{name} could not begin: the old master goes on");
            self.stop = Stop::Fast;
        }
    }

    fn hear_predecessor(&mut self, now: u64) {
        loop {
            let Succession::From(predecessor) = &mut self.succession else { return };
            if !predecessor.reigns() && self.stop > Stop::No {
                return;
            }
            match predecessor.channel.receive() {
                Ok(Received::Message(word, fds)) => self.heard_predecessor(*word, fds, now),
                Ok(Received::Nothing) => return,
                Ok(Received::Closed) => return self.predecessor_gone(now),
                Err(error) if predecessor.reigns() => {
                    log::error!("the old master cannot be understood: {error}");
                    return self.predecessor_gone(now);
                }
                Err(error) => {
                    log::error!("the old master cannot be understood: {error}; it goes on");
                    self.stop = Stop::Fast;
                    return;
                }
            }
        }
    }

    fn heard_predecessor(&mut self, word: Word, fds: Vec<OwnedFd>, now: u64) {
        let Succession::From(predecessor) = &mut self.succession else { return };
        match word {
            Word::Relay(message) => self.heard_of_predecessor(*message, fds),
            Word::Commit => {
                failpoint::point("successor-committed");
                predecessor.step = Step::Committed;
                self.open_workers();
            }
            Word::TakeOver { giver } => {
                let givers = |row| predecessor.givers.get(&row).copied().unwrap_or(0);
                let serving = self.fleet.serving();
                let rows = serving.map(|(slot, _)| (givers(slot.row), slot.row));
                if let Some((count, row)) = rows.min()
                    && let Some(pair) = fds.into_iter().next()
                {
                    predecessor.givers.insert(row, count + 1);
                    let message = Message::TakeOver { giver, stranger: true };
                    self.send(row, &message, &[pair.as_fd()]);
                }
            }
            Word::Orphans { tickets } => self.inherit_orphans(tickets, fds),
            Word::Yours { bans, remembered } => {
                failpoint::point("successor-owns");
                self.kept.remembered = remembered;
                self.kept.bans = bans::read(bans);
                self.own();
            }
            Word::Reign { reload, upgrade } => {
                predecessor.step = Step::Reigns;
                self.reload_wanted |= reload;
                self.upgrade_wanted |= upgrade;
                self.systemd.is_heard(now);
            }
            // Not for the new one.
            word => log::debug!("the old master says {word:?}"),
        }
    }

    /// What the old master's children say, or somebody at its desk.
    fn heard_of_predecessor(&mut self, message: Message, fds: Vec<OwnedFd>) {
        match message {
            Message::Work { work, told } => {
                let Some(body) = fds.into_iter().next() else { return };
                let coin = work.plan.coin.clone();
                let work = KeptWork { message: Message::Work { work, told }, body };
                self.keep_work(coin, work);
            }
            Message::CoinStatus(status) if self.config.pools.contains_key(&status.coin) => {
                self.kept.coins.insert(status.coin.clone(), status);
            }
            // Its number and reason come with all the others.
            Message::Ban { network, until } => {
                let ban = Ban { until, offences: 1, reason: String::new() };
                self.kept.bans.add(network, ban);
                self.send_to_workers(&Message::Ban { network, until }, &[], None);
            }
            Message::Unban { network } => {
                self.lift(&network);
            }
            found @ Message::BlockFound { .. } => self.send_to_role(Role::Templates, &found),
            Message::Blocknotify { coin, hash } => self.blocknotify(&coin, hash),
            _ => {}
        }
    }

    /// Whoever was master before is so no more.
    fn own(&mut self) {
        let Succession::From(predecessor) = &mut self.succession else { return };
        predecessor.step = Step::Owns;
        let before = format!("romp {} (pid {})", predecessor.version, predecessor.pid);
        let count = predecessor.reloads;
        special!("this binary, romp {}, goes on for {before}", env!("CARGO_PKG_VERSION"));
        self.reloaded.count = count;
        self.tell_reloaded(true, vec![format!("binary replaced: {before} before")]);
        self.sign_lock();
    }

    fn open_workers(&mut self) {
        let rows: Vec<usize> = self.fleet.serving().map(|(slot, _)| slot.row).collect();
        for row in rows {
            self.send(row, &Message::Open, &[]);
        }
    }

    /// The old master has ended: as it should, or in the middle.
    fn predecessor_gone(&mut self, now: u64) {
        let step = match &self.succession {
            Succession::From(predecessor) => predecessor.step,
            _ => return,
        };
        if step < Step::Committed {
            log::error!("the old master has gone before this one could take over: this one ends");
            self.stop = Stop::Fast;
            return;
        }
        if step < Step::Owns {
            self.own();
        }
        if let Succession::From(predecessor) = std::mem::take(&mut self.succession) {
            let fd = predecessor.channel.as_raw_fd();
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
            self.other_is_gone(predecessor.pid, now);
        }
        self.systemd.is_heard(now);
    }
}
