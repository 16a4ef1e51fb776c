//! Miners of a worker that died: what each worker notes of its own on the roster, and how another
//! one goes on by that. The master has a duplicate of every socket meanwhile.

use super::conduct::Conduct;
use super::miner::Miner;
use super::{Now, Worker};
use crate::ipc::Message;
use crate::ipc::roster::{MOST, Ticket};
use crate::net::stream::{Offer, Stream};
use crate::stratum::Session;
use mio::net::TcpStream;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Shutdown};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Sockets that one message to the master takes along.
const A_MESSAGE: usize = 100;
/// Rounds (a second each) after which a socket is offered again: the master drops those that it has
/// no room for and says nothing, and may have room now.
const AGAIN: usize = 600;

/// What a successor must know of a miner. Not its jobs: it gets new ones; not its history.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    coin: String,
    address: IpAddr,
    port: u16,
    session: Session,
    conduct: Conduct,
    since: u64,
    counted: Option<IpAddr>,
}

impl Noted {
    /// As bytes that have room on the roster. Of many names the first ones count.
    fn bytes(coin: &str, miner: &Miner) -> Option<Vec<u8>> {
        let mut names = miner.session.workers().count();
        loop {
            let noted = Self {
                coin: coin.to_owned(),
                address: miner.address,
                port: miner.port,
                session: miner.session.essence(names),
                conduct: miner.conduct,
                since: miner.since,
                counted: miner.counted,
            };
            let bytes = postcard::to_stdvec(&noted).ok()?;
            if bytes.len() <= MOST {
                return Some(bytes);
            }
            names = names.checked_sub(1).filter(|names| *names > 0)?;
        }
    }
}

impl Worker {
    /// Notes what has changed of these miners, and has the master keep the sockets of those who mine:
    /// of those it was not asked for, and in a round of a part of the others.
    pub(super) fn keep_for_heirs(
        &mut self,
        keys: impl Iterator<Item = usize>,
        round: Option<usize>,
    ) {
        // A master that is busy gets them a second later.
        let is_free = self.channel.waiting() == 0 && !self.master_is_deaf;
        let mut tickets = Vec::new();
        let mut new = Vec::new();
        for key in keys {
            let Some(miner) = self.miners.get_mut(key) else { continue };
            if !miner.is_authorized() || !miner.stream.is_plain() || miner.closing.is_some() {
                continue;
            }
            let stamp = Some(miner.session.stamp());
            if miner.stamp != stamp
                && let Some(gate) = self.gates.get(&miner.port)
            {
                miner.stamp = stamp;
                let bytes = Noted::bytes(&gate.coin, miner);
                miner.noted |=
                    bytes.is_some_and(|bytes| self.board.roster.note(miner.ticket, &bytes));
            }
            let again = round.is_some_and(|round| round.wrapping_add(key) % AGAIN == 0);
            if is_free && (again || !miner.kept) && miner.noted {
                tickets.push(miner.ticket);
                new.push(key);
            }
        }
        for (tickets, keys) in tickets.chunks(A_MESSAGE).zip(new.chunks(A_MESSAGE)) {
            let fds: Vec<BorrowedFd<'_>> = keys
                .iter()
                .filter_map(|key| self.miners.get(*key))
                .map(|miner| miner.stream.socket_ref().as_fd())
                .collect();
            let message = Message::Holds { tickets: tickets.to_vec() };
            if let Err(error) = self.channel.send(&message, &fds) {
                log::debug!("the master keeps no sockets now: {error}");
                return;
            }
            for key in keys {
                if let Some(miner) = self.miners.get_mut(*key) {
                    miner.kept = true;
                }
            }
        }
    }

    /// The master's word that these miners of a dead worker are this one's now.
    pub(super) fn adopt(&mut self, tickets: &[Ticket], sockets: Vec<OwnedFd>, now: Now) {
        let mut lost = 0;
        for (ticket, socket) in tickets.iter().zip(sockets) {
            if !self.board.roster.is_owned(*ticket, self.pid) {
                continue;
            }
            let noted = self.board.roster.noted(*ticket);
            match postcard::from_bytes::<Noted>(&noted) {
                Ok(noted) if noted.session.extranonce1() == ticket.extranonce1() => {
                    self.adopt_one(*ticket, noted, socket, now);
                }
                _ => {
                    lost += 1;
                    let socket = std::net::TcpStream::from(socket);
                    let _ = socket.shutdown(Shutdown::Both);
                    self.board.roster.give_back(*ticket, self.pid, &mut self.hint);
                }
            }
        }
        if lost > 0 {
            log::warn!("{lost} miners of a dead worker could not be taken over: disconnected");
        }
        self.publish_miners();
    }

    fn adopt_one(&mut self, ticket: Ticket, noted: Noted, socket: OwnedFd, now: Now) {
        let stream = TcpStream::from_std(std::net::TcpStream::from(socket));
        let Noted { coin, address, port, mut session, conduct, since, counted } = noted;
        session.resume(now.mono);
        self.serials += 1;
        let stream = Stream::new(stream, &Offer::Plain);
        let moved = Miner::moved(stream, self.serials, address, port, ticket, session, now.mono);
        let mut miner =
            Miner { conduct, since, counted, heard: true, kept: true, forgives: true, ..moved };
        if self.gates.get(&port).is_none_or(|gate| gate.coin != coin) {
            miner.close("its port was closed or changed");
        }
        self.settle_in(miner, now);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::stratum::{Action, Difficulty, PortRules, SessionLimits, Unit, VarDiffRules};

    const UNIT: Unit = Unit(-70);

    fn rules() -> PortRules {
        let [min, max] = [1e-18, 1e300].map(|difficulty| Difficulty::nearest(difficulty, UNIT));
        let (target_time, retarget_time, variance_percent) = (15.0, 90.0, 30.0);
        let var_diff =
            VarDiffRules { min, max, target_time, retarget_time, variance_percent, x2_mode: false };
        PortRules {
            unit: UNIT,
            shift: 0,
            start: max,
            var_diff: Some(var_diff),
            extranonce2_size: 8,
            version_mask: u32::MAX,
            connection_timeout_ms: 0,
            limits: SessionLimits::default(),
        }
    }

    fn miner(address: IpAddr, rules: &PortRules, now: u64) -> Miner {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ticket = Ticket { row: 7, claim: 1 };
        let stream = Stream::new(TcpStream::from_std(socket), &Offer::Plain);
        Miner::new(stream, 1, address, 65_535, ticket, rules, now)
    }

    fn says(miner: &mut Miner, method: &str, params: &str, now: u64) {
        let (rules, mut out) = (rules(), Vec::new());
        let line = format!(r#"{{"id":1,"method":"{method}","params":[{params}]}}"#);
        let actions = miner.session.receive(line.as_bytes(), &rules, now, &mut out);
        if let Some(Action::Authorize(request)) = actions.first() {
            miner.session.authorized(request, Ok(()), &rules, now, &mut out);
        }
    }

    /// Eight names of the most bytes, and an agent of the most letters: something still has room.
    #[test]
    fn the_largest_session_is_noted_with_its_first_names() {
        let mut miner = miner(IpAddr::from([192, 0, 2, 1]), &rules(), 0);
        let agent = "x".repeat(64);
        says(&mut miner, "mining.subscribe", &format!("\"{agent}\""), 0);
        for number in 0..8 {
            let name = format!("{}.{number}", "n".repeat(200));
            says(&mut miner, "mining.authorize", &format!("\"{name}\",\"\""), 60_000 * number);
        }
        assert!(miner.session.workers().count() > 2);
        let bytes = Noted::bytes("litecoin", &miner).unwrap();
        assert!(bytes.len() <= MOST);
        let noted: Noted = postcard::from_bytes(&bytes).unwrap();
        let first = miner.session.workers().next();
        assert_eq!(noted.session.workers().next(), first);
        assert_eq!(noted.session.extranonce1(), miner.ticket.extranonce1());
        assert_eq!(noted.session.agent(), agent);
    }

    /// Everything about one miner as long as it may be.
    #[test]
    fn a_session_with_one_name_always_has_room() {
        let now = u64::MAX - 1;
        let address = IpAddr::from([0xffff; 8]);
        let mut miner = miner(address, &rules(), now);
        miner.counted = Some(address);
        let options = r#"["version-rolling","minimum-difficulty"],
            {"version-rolling.mask":"ffffffff","minimum-difficulty.value":1e300}"#;
        says(&mut miner, "mining.configure", options, now);
        let agent = "\u{1d54f}".repeat(64);
        says(&mut miner, "mining.subscribe", &format!("\"{agent}\""), now);
        says(&mut miner, "mining.extranonce.subscribe", "", now);
        says(&mut miner, "mining.suggest_difficulty", "1e300", now);
        let name = "n".repeat(255);
        says(&mut miner, "mining.authorize", &format!("\"{name}\",\"d=1e300\""), now);
        let bytes = Noted::bytes(&"c".repeat(32), &miner).unwrap();
        // What vardiff measures and how a miner behaves: each number as long as it may be.
        const LATER: usize = 200;
        assert!(bytes.len() + LATER <= MOST, "{}", bytes.len());
        let noted: Noted = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(noted.session.workers().collect::<Vec<_>>(), [name]);
        assert_eq!(noted.session.agent(), agent);
    }
}
