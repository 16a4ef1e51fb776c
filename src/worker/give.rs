//! Giving miners to another worker, a parcel at a time, while the others are served.
//!
//! A miner on its way is nobody's to hear: it is out of the slab. When the taker owns its row it is
//! forgotten here; when the taker is gone before that, it comes back.

use super::jobs::Inherited;
use super::miner::Miner;
use super::passing::{Legacy, Passenger, Passing};
use super::{Now, PAIRS, Worker};
use crate::ipc::{Channel, ChannelError, Message};
use crate::sys::failpoint;
use mio::Interest;
use mio::event::Source;
use mio::unix::SourceFd;
use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Miners of a parcel: so many pause at once, and a parcel is made within a millisecond or two.
const PARCEL: usize = 64;
/// Shares seen that one parcel takes along, and those of one miner more: 40 bytes each.
const SEEN: usize = 65_536;
/// Works of one message, a descriptor each: those of many coins are more than a message takes.
const WORKS: usize = 512;
/// Miners on their way at most.
const ON_THEIR_WAY: usize = 2 * PARCEL;
/// Milliseconds over which a leaving worker says goodbye to those who cannot move.
const GOODBYE_MS: u64 = 30_000;
/// Milliseconds before that in which somebody may be found after all to whom miners can be given.
const AGAIN_MS: u64 = 10_000;

/// A giving under way.
#[derive(Debug)]
pub(super) struct Giving {
    channel: Channel<Passing>,
    /// Ports whose miners the taker can serve as this worker does.
    ports: BTreeSet<u16>,
    /// Miners that are still to go.
    most: usize,
    /// Place in the slab of the next one to look at.
    next: usize,
    /// Whether somebody was passed over who can go later.
    again: bool,
    /// Those on their way.
    sent: Vec<Miner>,
    /// First and last number of each coin's newest work, as the taker knows it.
    told: Vec<Option<(u32, u32)>>,
}

/// A worker that leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    /// Since nobody can be given away any more: monotonic milliseconds at which the last miner must
    /// be gone, and how many there were.
    goodbye: Option<(u64, usize)>,
}

impl Worker {
    /// The master's order to give `most` miners of these ports to another worker, and, if it
    /// `leaves`, to take no newcomers from now on and to end when nobody is left.
    pub(super) fn hand_over(
        &mut self,
        (ports, most, leaves): (Vec<u16>, usize, bool),
        pair: Option<OwnedFd>,
        now: Now,
    ) {
        if leaves {
            self.leave_soon(now);
        }
        let Some(pair) = pair else { return };
        let channel = Channel::from(pair);
        if !self.watch_pair(channel.as_raw_fd()) {
            return self.tell_passed();
        }
        let ports = ports.into_iter().collect();
        let (sent, told) = (Vec::new(), Vec::new());
        let mut giving = Giving { channel, ports, most, next: 0, again: false, sent, told };
        match self.send_works(&mut giving) {
            Ok(()) => self.givings.push(giving),
            Err(error) => {
                log::warn!("miners cannot be given to another worker: {error}");
                self.unwatch_pair(giving.channel.as_raw_fd());
                self.tell_passed();
            }
        }
    }

    /// Takes nobody new from now on.
    fn leave_soon(&mut self, now: Now) {
        if self.leaving.is_none() && self.stop.is_none() {
            self.leaving = Some(Leaving { goodbye: None });
            self.shut_gates();
            self.publish(now);
        }
    }

    pub(super) fn watch_pair(&self, fd: i32) -> bool {
        let both = Interest::READABLE | Interest::WRITABLE;
        let watched = self.poll.registry().register(&mut SourceFd(&fd), PAIRS, both);
        if let Err(error) = &watched {
            log::warn!("miners cannot move between workers: {error}");
        }
        watched.is_ok()
    }

    pub(super) fn unwatch_pair(&self, fd: i32) {
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
    }

    fn tell_passed(&mut self) {
        let left = self.miners.iter().filter(|(_, miner)| miner.can_move()).count();
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        if let Err(error) = self.channel.send(&Message::Passed { left }, &[]) {
            log::debug!("the master: {error}");
        }
    }

    fn send_works(&self, giving: &mut Giving) -> Result<(), ChannelError> {
        let newest: Vec<_> = self.coins.values().map(|coin| coin.jobs.newest()).collect();
        if newest == giving.told {
            return Ok(());
        }
        let first = |told: &Option<(u32, u32)>| told.map(|(first, _)| first);
        let same_works = newest.iter().map(first).eq(giving.told.iter().map(first));
        let jobs = self.coins.values().map(|coin| &coin.jobs);
        // Of the same works only the newest has further ids.
        let all: Vec<_> = match same_works {
            true => jobs.filter_map(|jobs| jobs.legacy().pop()).collect(),
            false => jobs.flat_map(super::jobs::Jobs::legacy).collect(),
        };
        giving.told = newest;
        for (message, bodies) in in_messages(&all) {
            giving.channel.send(&message, &bodies)?;
        }
        Ok(())
    }

    /// A turn's part of all givings.
    pub(super) fn go_on_giving(&mut self, now: Now) {
        let mut givings = std::mem::take(&mut self.givings);
        givings.retain_mut(|giving| {
            let fd = giving.channel.as_raw_fd();
            match self.give(giving, now) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => log::debug!("the taker of miners is gone: {error}"),
            }
            self.unwatch_pair(fd);
            self.take_back(std::mem::take(&mut giving.sent), now);
            self.tell_passed();
            false
        });
        self.givings = givings;
    }

    /// `false`: all is given that can be.
    fn give(&mut self, giving: &mut Giving, now: Now) -> Result<bool, ChannelError> {
        giving.channel.flush()?;
        // Whoever has the row has the miner; this side's descriptor just closes.
        let (roster, pid) = (&self.board.roster, self.pid);
        giving.sent.retain(|miner| roster.is_owned(miner.ticket, pid));
        // The taker says nothing: only its end can be read.
        if let crate::ipc::Received::Closed = giving.channel.receive()? {
            return Ok(false);
        }
        if giving.channel.waiting() > 0 || giving.sent.len() + PARCEL > ON_THEIR_WAY {
            return Ok(true);
        }
        self.send_works(giving)?;
        let parcel = self.parcel(giving);
        if parcel.is_empty() {
            return Ok(!giving.sent.is_empty() || giving.again);
        }
        let miners = parcel.iter().map(Passenger::of).collect();
        let first = giving.sent.len();
        giving.sent.extend(parcel);
        let mut sockets = Vec::with_capacity(PARCEL);
        for miner in giving.sent.iter().skip(first) {
            sockets.push(miner.stream.socket_ref().as_fd());
        }
        match giving.channel.send(&Passing::Miners { miners }, &sockets) {
            Err(ChannelError::Unsent(error)) => {
                // These have not left; those before them may have.
                log::warn!("miners cannot be given to another worker: {error}");
                let back = giving.sent.split_off(first);
                (giving.most, giving.again) = (0, false);
                self.take_back(back, now);
                return Ok(true);
            }
            sent => sent?,
        }
        failpoint::point("giver-has-sent");
        self.publish_miners();
        Ok(true)
    }

    /// Takes the next miners out of the slab.
    fn parcel(&mut self, giving: &mut Giving) -> Vec<Miner> {
        let mut parcel = Vec::new();
        if giving.next >= self.miners.capacity() && giving.again {
            (giving.next, giving.again) = (0, false);
        }
        let mut seen = 0;
        while parcel.len() < PARCEL.min(giving.most)
            && seen < SEEN
            && giving.next < self.miners.capacity()
        {
            let key = giving.next;
            giving.next += 1;
            let Some(miner) = self.miners.get(key) else { continue };
            if !giving.ports.contains(&miner.port) {
                continue;
            }
            if !miner.can_move() {
                // Whose replies wait for the disk, or who is about to be closed, is looked at again.
                giving.again |= miner.held && miner.closing.is_none() && miner.stream.can_move();
                continue;
            }
            let Some(mut miner) = self.miners.try_remove(key) else { continue };
            let _ = miner.stream.socket().deregister(self.poll.registry());
            self.uncount(&miner);
            seen += miner.session.seen().len();
            parcel.push(miner);
        }
        giving.most -= parcel.len();
        if giving.most == 0 {
            giving.again = false;
        }
        parcel
    }

    /// Those who are still this worker's go on here.
    fn take_back(&mut self, miners: Vec<Miner>, now: Now) {
        for miner in miners {
            if self.board.roster.is_owned(miner.ticket, self.pid) {
                self.settle_in(miner, now);
            }
        }
        self.publish_miners();
    }

    /// Each second: a leaving worker that can give nobody away any more says goodbye to the others,
    /// a part of them at a time, so that not all of them come back at once.
    pub(super) fn see_off(&mut self, now: Now) {
        let Some(leaving) = &mut self.leaving else { return };
        if !self.givings.is_empty() || self.stop.is_some() {
            leaving.goodbye = None;
            return;
        }
        let waits = self.miners.iter().any(|(_, miner)| miner.can_move());
        let first = now.mono.saturating_add(if waits { AGAIN_MS } else { 0 });
        let begun = (first.saturating_add(GOODBYE_MS), self.miners.len());
        let (until, all) = *leaving.goodbye.get_or_insert(begun);
        let left = until.saturating_sub(now.mono).min(GOODBYE_MS);
        let left = usize::try_from(left).unwrap_or(0);
        let stay = all.saturating_mul(left).div_ceil(GOODBYE_MS as usize);
        let count = self.miners.len().saturating_sub(stay);
        let keys: Vec<usize> = self.miners.iter().map(|(key, _)| key).take(count).collect();
        for key in keys {
            if let Some(miner) = self.miners.get_mut(key) {
                miner.say("this port or this process of the pool ends: connect again", now.mono);
                miner.close("told to connect again");
                self.touched.push(key);
            }
        }
    }

    /// Whether a leaving worker has nothing left to do.
    pub(super) fn has_left(&self) -> bool {
        self.leaving.is_some()
            && self.givings.is_empty()
            && self.takings.is_empty()
            && self.miners.is_empty()
            && self.batches.is_empty()
            && !self.coins.values().any(super::coin::Coin::is_busy)
    }
}

/// Works in messages, each with the descriptors of its works.
fn in_messages(works: &[Inherited]) -> impl Iterator<Item = (Passing, Vec<BorrowedFd<'_>>)> {
    let legacy = |it: &Inherited| {
        let Inherited { lane, first, last, posted } = it;
        Legacy { lane: *lane, first: *first, last: *last, work: posted.work.clone() }
    };
    works.chunks(WORKS).map(move |some| {
        let works = some.iter().map(legacy).collect();
        (Passing::Works { works }, some.iter().map(|it| it.posted.body.as_fd()).collect())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::jobs::Posted;
    use super::super::tests::work;
    use super::*;
    use crate::ipc::Received;
    use crate::sys::memfd;
    use std::sync::Arc;

    /// More than the descriptors of one message.
    #[test]
    fn works_of_many_coins_arrive() {
        let body = memfd::sealed("body", b"").unwrap();
        let posted = Arc::new(Posted { work: work(), body });
        let one = |first| Inherited { lane: 1, first, last: first, posted: Arc::clone(&posted) };
        let all: Vec<Inherited> = (0..5000).map(one).collect();
        let (mut giver, mut taker) = Channel::<Passing>::pair().unwrap();
        let mut messages = in_messages(&all);
        let mut arrived = Vec::new();
        while arrived.len() < all.len() {
            giver.flush().unwrap();
            if giver.waiting() == 0
                && let Some((message, bodies)) = messages.next()
            {
                giver.send(&message, &bodies).unwrap();
            }
            match taker.receive().unwrap() {
                Received::Message(message, fds) => {
                    let Passing::Works { works } = *message else { panic!("works") };
                    assert_eq!(works.len(), fds.len());
                    arrived.extend(works.into_iter().map(|work| work.first));
                }
                Received::Nothing => {}
                Received::Closed => panic!("closed"),
            }
        }
        assert!(arrived.into_iter().eq(0..5000));
    }
}
