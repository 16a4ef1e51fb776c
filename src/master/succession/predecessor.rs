//! The old master: it starts the new one, gives it everything step by step, and leaves; or goes on
//! when the new one does not come up.

use super::super::fleet::Stop;
use super::super::kept::KeptWork;
use super::super::roles::Kind;
use super::super::{Master, SUCCESSION, bans};
use super::{Goods, NOT_REPLACED, PROTOCOL, STEP_MS, Started, Succession, VARIABLE, Will, Word};
use crate::ipc::{Channel, Message, Received};
use crate::special;
use crate::sys::clock;
use crate::sys::fork::{self, Ended};
use crate::sys::signals::{SIGKILL, SIGUSR1};
use crate::sys::{descriptors, failpoint, privileges, systemd};
use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::Command;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// It was started.
    Started,
    /// It has the estate; its workers begin.
    Begins,
    /// Its workers serve, this one's give them their miners. This one's other children end.
    Committed,
    /// It starts its other children.
    Owns,
    /// All of its children serve, and systemd is told.
    TakenOver,
    /// It is the master.
    Reigns,
}

/// Another master that is to go on for this one.
#[derive(Debug)]
pub(in super::super) struct Successor {
    pid: u32,
    channel: Channel<Word>,
    step: Step,
    /// Monotonic milliseconds by which the next step must be done.
    deadline: u64,
    goods: Goods,
    /// It is to open the log again as soon as it listens to signals.
    reopens: bool,
}

impl Successor {
    /// Whether this one's workers and other children work as ever.
    pub(super) fn is_tried_only(&self) -> bool {
        self.step < Step::Committed
    }

    /// Whether this one is still the master.
    pub(super) fn is_master(&self) -> bool {
        self.step < Step::Owns
    }

    pub(super) fn reigns(&self) -> bool {
        self.step == Step::Reigns
    }

    /// Whether nothing more is to be said to it.
    pub(super) fn knows_all(&self) -> bool {
        self.reigns() && self.channel.waiting() == 0
    }
}

impl Started {
    fn again(&self, socket: OwnedFd) -> io::Result<u32> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(socket).env(VARIABLE, "1");
        for name in systemd::OWN {
            command.env_remove(name);
        }
        Ok(command.spawn()?.id())
    }
}

impl Master {
    /// Starts another binary to go on with this pool, when nothing else is under way.
    pub(in super::super) fn begin_succession(&mut self, now: u64) {
        // Children of an earlier one that failed are told apart from those of the next one.
        let is_free = self.trial.is_none() && self.strangers.is_none();
        if !self.upgrade_wanted || !is_free || self.stop > Stop::No {
            return;
        }
        self.upgrade_wanted = false;
        if std::process::id() == 1 {
            let words = "this is the first process of a container, which ends with it: start a \
                         container of the new image instead";
            return self.not_replaced(words);
        }
        if let Err(why) = self.start_successor(now) {
            self.not_replaced(&why);
        }
    }

    fn start_successor(&mut self, now: u64) -> Result<(), String> {
        let program = self.started_as.program.display().to_string();
        let words = |error: io::Error| format!("{program}: {error}");
        let (ours, theirs) = descriptors::pair().map_err(words)?;
        let fd = ours.as_raw_fd();
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut SourceFd(&fd), SUCCESSION, both).map_err(words)?;
        if self.config.nftables.is_some() {
            privileges::lend_firewall();
        }
        let pid = self.started_as.again(theirs).map_err(words)?;
        special!("the binary is replaced: {program} begins, pid {pid}");
        self.succession = Succession::To(Box::new(Successor {
            pid,
            channel: Channel::from(ours),
            step: Step::Started,
            deadline: now.saturating_add(STEP_MS),
            goods: Goods::new(),
            reopens: false,
        }));
        Ok(())
    }

    fn not_replaced(&mut self, why: &str) {
        log::error!("binary not replaced: {why}; this one goes on");
        self.tell_reloaded(false, vec![format!("{NOT_REPLACED}: {why}; this one goes on")]);
    }

    /// The new one is not to be: this one goes on with all that there is.
    pub(in super::super) fn successor_failed(&mut self, why: &str, now: u64) {
        if self.succession.is_over() {
            // Its end is its own: only this one's last workers are still here.
            log::error!("the new master has ended: {why}");
            self.stop = self.stop.max(Stop::Graceful);
            return;
        }
        let Succession::To(successor) = std::mem::take(&mut self.succession) else { return };
        let _ = self.poll.registry().deregister(&mut SourceFd(&successor.channel.as_raw_fd()));
        fork::signal(successor.pid, SIGKILL);
        self.other_is_gone(successor.pid, now);
        // Its children hear by this that they are alone.
        drop(successor);
        self.sign_lock();
        if self.stop == Stop::No {
            self.not_replaced(why);
        }
    }

    /// A child that is not of the fleet has ended. `true`: it was the new master.
    pub(in super::super) fn successor_ended(&mut self, pid: u32, how: Ended, now: u64) -> bool {
        let Succession::To(successor) = &self.succession else { return false };
        if successor.pid != pid {
            return false;
        }
        // What it has said is heard first: its miners' sockets may be among it.
        self.hear_successor(now);
        let owns = matches!(&self.succession, Succession::To(it) if it.step >= Step::Owns);
        if how == Ended::Exit(0) && owns && !self.succession.is_over() {
            special!("the new master was stopped: this one stops, too");
            self.stop = self.stop.max(Stop::Graceful);
        }
        let words =
            format!("it has ended ({how}); what it said stands above, `romp check` may help");
        self.successor_failed(&words, now);
        true
    }

    /// The log has another file: the new one's, too.
    pub(in super::super) fn successor_reopens(&mut self) {
        if let Succession::To(successor) = &mut self.succession {
            successor.reopens = successor.is_tried_only();
            if !successor.reopens {
                fork::signal(successor.pid, SIGUSR1);
            }
        }
    }

    /// A turn's part of being succeeded.
    pub(super) fn be_succeeded(&mut self, now: u64) {
        self.hear_successor(now);
        if self.stop > Stop::No {
            if let Succession::To(successor) = &self.succession
                && !successor.reigns()
            {
                self.successor_failed("the pool stops", now);
            }
            return;
        }
        let Succession::To(successor) = &mut self.succession else { return };
        if let Err(error) = successor.channel.flush() {
            log::debug!("the new master: {error}");
        }
        let others_end = self.fleet.children().all(|(slot, _)| Kind::of(slot.role).serves_miners);
        match successor.step {
            Step::Committed if others_end => {
                successor.step = Step::Owns;
                successor.deadline = now.saturating_add(STEP_MS);
                let bans = bans::written(&self.kept.bans);
                let remembered = self.kept.remembered.clone();
                self.tell_successor(&Word::Yours { bans, remembered }, &[], now);
            }
            Step::TakenOver if self.systemd.has_said_all() || now >= successor.deadline => {
                successor.step = Step::Reigns;
                self.lock = None;
                let reload = std::mem::take(&mut self.reload_wanted);
                let upgrade = std::mem::take(&mut self.upgrade_wanted);
                self.tell_successor(&Word::Reign { reload, upgrade }, &[], now);
                special!("the binary is replaced; this one, pid {}, ends", std::process::id());
            }
            Step::Reigns | Step::TakenOver => {}
            _ if now >= successor.deadline => {
                let words = format!("it was not ready within {} s", STEP_MS / 1000);
                self.successor_failed(&words, now);
            }
            _ => {}
        }
    }

    /// Says something to the new master, if there is one.
    pub(in super::super) fn tell_successor(
        &mut self,
        word: &Word,
        fds: &[BorrowedFd<'_>],
        now: u64,
    ) -> bool {
        let Succession::To(successor) = &mut self.succession else { return false };
        match successor.channel.send(word, fds) {
            Ok(()) => true,
            // It has ended: it is reaped soon.
            Err(crate::ipc::ChannelError::Os(error)) => {
                log::debug!("the new master: {error}");
                false
            }
            Err(error) => {
                self.successor_failed(&error.to_string(), now);
                false
            }
        }
    }

    /// What the new master's children must know, too.
    pub(in super::super) fn relay_to_successor(
        &mut self,
        message: &Message,
        fds: &[BorrowedFd<'_>],
    ) {
        if let Succession::To(successor) = &self.succession
            && successor.step > Step::Started
        {
            let word = Word::Relay(Box::new(message.clone()));
            self.tell_successor(&word, fds, clock::monotonic_ms());
        }
    }

    fn hear_successor(&mut self, now: u64) {
        loop {
            let Succession::To(successor) = &mut self.succession else { return };
            match successor.channel.receive() {
                Ok(Received::Message(word, fds)) => self.heard_successor(*word, fds, now),
                // Whoever closes ends, and is reaped.
                Ok(Received::Nothing | Received::Closed) => return,
                Err(error) => return self.successor_failed(&error.to_string(), now),
            }
        }
    }

    fn heard_successor(&mut self, word: Word, fds: Vec<OwnedFd>, now: u64) {
        let Succession::To(successor) = &mut self.succession else { return };
        match (successor.step, word) {
            (Step::Started, Word::Hello { protocol: PROTOCOL, version }) => {
                log::info!("the new master is romp {version}");
                (successor.step, successor.deadline) = (Step::Begins, now.saturating_add(STEP_MS));
                self.bequeath(now);
            }
            (Step::Started, Word::Hello { protocol, version }) => {
                let words = format!(
                    "romp {version} takes over by protocol {protocol}, this one gives by protocol \
                     {PROTOCOL}: stop this one and start that one"
                );
                self.successor_failed(&words, now);
            }
            (Step::Begins, Word::Ready { goods }) => {
                successor.goods = goods;
                let shutdown = clock::ms(self.config.shutdown_timeout);
                successor.step = Step::Committed;
                successor.deadline = now.saturating_add(STEP_MS).saturating_add(shutdown);
                let (pid, reopens) = (successor.pid, std::mem::take(&mut successor.reopens));
                if self.tell_successor(&Word::Commit, &[], now) {
                    if reopens {
                        fork::signal(pid, SIGUSR1);
                    }
                    special!("the new binary's workers serve: miners go to them");
                    failpoint::point("predecessor-committed");
                }
            }
            (Step::Owns, Word::TakenOver) => {
                successor.step = Step::TakenOver;
                let pid = successor.pid;
                self.systemd.say(format!("MAINPID={pid}"));
            }
            (_, Word::Holds { tickets }) => self.hold(tickets, fds),
            (_, Word::Orphans { tickets }) => self.inherit_orphans(tickets, fds),
            (_, Word::Relay(message)) => self.heard_of_successor(&message),
            (_, word) => {
                let text = format!("{word:?}");
                let words = format!("it says what nobody expects: {:.100}", text.escape_default());
                self.successor_failed(&words, now);
            }
        }
    }

    /// The new master's child says something that concerns this one's.
    fn heard_of_successor(&mut self, message: &Message) {
        if let Message::BlockFound { .. } = message {
            self.send_to_role(crate::ipc::Role::Templates, message);
        }
    }

    /// Gives the new master all that it begins with.
    fn bequeath(&mut self, now: u64) {
        let will = Will {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: self.generation,
            reloads: self.reloaded.count,
            data_dir: self.config.data_dir.clone(),
            keys: self.board.crowd.keys(),
            lanes: self.fleet.lanes(),
            bans: bans::written(&self.kept.bans),
        };
        let hello = Word::Hello { protocol: PROTOCOL, version: will.version.clone() };
        let Succession::To(mut successor) = std::mem::take(&mut self.succession) else { return };
        let channel = &mut successor.channel;
        let sent = match (&self.lock, self.desk.control()) {
            (Some(lock), Some(control)) => {
                let sockets = self.sockets().into_iter().map(|(_, socket)| socket);
                let fds = [lock.as_fd(), control].into_iter().chain(self.board.files());
                let fds: Vec<BorrowedFd<'_>> = fds.chain(sockets).collect();
                let said = channel.send(&hello, &[]);
                let said = said.and_then(|()| channel.send(&Word::Estate(Box::new(will)), &fds));
                said.map_err(|error| error.to_string())
            }
            _ => Err("the lock or the control socket is not there".to_owned()),
        };
        self.succession = Succession::To(successor);
        if let Err(why) = sent {
            return self.successor_failed(&why, now);
        }
        let works: Vec<_> = self.kept.works.values().filter_map(KeptWork::again).collect();
        for work in works {
            self.relay_to_successor(&work.message, &[work.body.as_fd()]);
        }
        for status in self.kept.coins.values().cloned().collect::<Vec<_>>() {
            self.relay_to_successor(&Message::CoinStatus(status), &[]);
        }
    }

    /// What the new master's workers serve, once miners may go to them.
    pub(in super::super) fn successors_goods(&self) -> Option<&Goods> {
        match &self.succession {
            Succession::To(successor) if successor.step >= Step::Committed => {
                Some(&successor.goods)
            }
            _ => None,
        }
    }

    /// Gives orphans to the new master. `false`: there is none that has workers.
    pub(in super::super) fn bequeath_orphans(&mut self, now: u64) -> bool {
        let Succession::To(successor) = &self.succession else { return false };
        if successor.step < Step::Committed {
            return false;
        }
        let heir = successor.pid;
        while let Some((tickets, sockets)) = self.next_orphans(heir) {
            let fds: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
            if !self.tell_successor(&Word::Orphans { tickets }, &fds, now) {
                break;
            }
        }
        true
    }
}
