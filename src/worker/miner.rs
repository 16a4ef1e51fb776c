//! One connection: its socket, its session (plain data) and what waits in either direction.

use super::conduct::Conduct;
use super::judge::Rooted;
use crate::config::Limits;
use crate::ipc::roster::Ticket;
use crate::net::lines::Lines;
use crate::net::outbox::Outbox;
use crate::net::stream::{BROKEN_TLS, NOT_TLS, Stream};
use crate::stratum::{Authorize, Cause, Difficulty, PortRules, Session, Stamp, Weight};
use crate::sys::clock::ms;
use mio::net::TcpStream;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;

/// Bytes that are read from one miner in one turn; the rest waits for the next.
pub(crate) const READ_A_TURN: usize = 64 * 1024;
/// The same for one who is not authorised yet: what waits for a daemon's word about its name stays
/// small, however many such connections there are.
const READ_OF_STRANGER: usize = 8 * 1024;
/// Submits that are judged of one miner in one turn, so that nobody makes the others wait.
const SUBMITS_A_TURN: usize = 16;
/// The same of one whose shares were not mostly accepted so far: hundreds of those who hash nothing
/// must not be in front of everybody else.
const SUBMITS_OF_STRANGER: usize = 2;
/// Submits that are judged of all miners in one turn, if their proofs of work have room in it: a
/// flood must not keep the loop from new work and its tick from the board.
pub(crate) const SUBMITS_OF_ALL: usize = 128;
/// Late shares of one miner and tip that are hashed. They are never credited, only looked at for a
/// block, and cost the sender nothing.
pub(crate) const LATE_A_TIP: u16 = 64;

/// An authorisation that waits for the network's name or a daemon's word.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) request: Authorize,
    /// Monotonic milliseconds since when.
    pub(crate) since: u64,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Miner {
    pub(crate) stream: Stream<TcpStream>,
    /// Number of the connection in this worker: places in the slab are used again.
    pub(crate) serial: u64,
    /// The other side, an IPv4 address where it is one.
    pub(crate) address: IpAddr,
    /// Local port; the pool is looked up through it.
    pub(crate) port: u16,
    pub(crate) session: Session,
    /// Its row on the roster.
    pub(crate) ticket: Ticket,
    pub(crate) conduct: Conduct,
    pub(crate) input: Lines,
    pub(crate) outbox: Outbox,
    pub(crate) waiting: Option<Waiting>,
    /// Replies of this miner wait for the disk: nothing more is taken until they left.
    pub(crate) held: bool,
    /// The socket may have more to read.
    pub(crate) readable: bool,
    /// Monotonic microseconds of the event that said so.
    pub(crate) readable_at: u64,
    /// The socket was said to be closing or broken: what that is stands behind the last byte.
    pub(crate) ending: bool,
    /// A turn's bound was reached: there is more to hear.
    pub(crate) more: bool,
    /// The miner will send no more.
    pub(crate) ended: bool,
    /// To be closed once its output was offered to the socket, and why.
    pub(crate) closing: Option<&'static str>,
    /// What was wrong with its TLS.
    pub(crate) tls_error: Option<Box<str>>,
    /// The counter of that, when it was the pool's wish.
    pub(crate) cause: Option<Cause>,
    /// Monotonic milliseconds of the connection's begin.
    pub(crate) since: u64,
    /// Something was received.
    pub(crate) heard: bool,
    /// A trusted proxy has yet to say who this is.
    pub(crate) awaits_header: bool,
    /// The address that it is counted with among all workers' connections.
    pub(crate) counted: Option<IpAddr>,
    /// Keys of the accounts that it is counted for among them.
    pub(crate) accounts: Vec<u64>,
    /// Names whose shares were accepted, and what those are credited to if that is another name.
    pub(crate) credits: Vec<(String, Option<String>)>,
    /// Late shares that were hashed on the present tip.
    pub(crate) late: u16,
    /// Weight of the difficulty that MPOS was told last.
    pub(crate) shown: Option<Weight>,
    /// Merkle root of the last share's coinbase.
    pub(crate) rooted: Option<Rooted>,
    /// Target of the difficulty that was last looked up.
    pub(crate) target: Option<(Difficulty, crate::chain::Target)>,
    /// The master has a duplicate of its socket.
    pub(crate) kept: bool,
    /// Something of the session is noted on the roster.
    pub(crate) noted: bool,
    /// What of it was last to be noted. Once: what has no room now has none in the next turn.
    pub(crate) stamp: Option<Stamp>,
    /// The process that had it before may have read a part of a line: what comes first may be the
    /// rest of one.
    pub(crate) forgives: bool,
}

impl Miner {
    pub(crate) fn new(
        stream: Stream<TcpStream>,
        serial: u64,
        address: IpAddr,
        port: u16,
        ticket: Ticket,
        rules: &PortRules,
        now: u64,
    ) -> Self {
        let session = Session::new(ticket.extranonce1(), rules, now);
        Self::moved(stream, serial, address, port, ticket, session, now)
    }

    /// One whose session was begun by another process.
    pub(crate) fn moved(
        stream: Stream<TcpStream>,
        serial: u64,
        address: IpAddr,
        port: u16,
        ticket: Ticket,
        session: Session,
        now: u64,
    ) -> Self {
        Self {
            stream,
            serial,
            address,
            port,
            session,
            ticket,
            conduct: Conduct::default(),
            input: Lines::default(),
            outbox: Outbox::default(),
            waiting: None,
            held: false,
            // A first line may have come with the connection.
            readable: true,
            readable_at: now.saturating_mul(1000),
            ending: false,
            more: false,
            ended: false,
            closing: None,
            tls_error: None,
            cause: None,
            since: now,
            heard: false,
            awaits_header: false,
            counted: None,
            accounts: Vec::new(),
            credits: Vec::new(),
            late: 0,
            shown: None,
            rooted: None,
            target: None,
            kept: false,
            noted: false,
            stamp: None,
            forgives: false,
        }
    }

    /// Whether a line may be taken from the input now.
    pub(crate) fn may_speak(&self) -> bool {
        self.closing.is_none()
            && self.waiting.is_none()
            && !self.held
            && !self.awaits_header
            && self.stream.is_open()
    }

    /// Whether its handshake, or what is spoken at all, is still to be settled.
    pub(crate) fn is_arriving(&self) -> bool {
        !self.awaits_header && !self.stream.is_open()
    }

    /// Whether another process could go on with it: TLS has secrets that stay here.
    pub(crate) const fn can_move(&self) -> bool {
        !self.held && self.closing.is_none() && self.stream.can_move()
    }

    /// The most bytes that a line may have now.
    pub(crate) fn line_limit(&self, limits: &Limits) -> usize {
        if self.is_authorized() { limits.line } else { limits.line_before_authorize }
    }

    /// Whether it mines under some name.
    pub(crate) fn is_authorized(&self) -> bool {
        self.session.workers().next().is_some()
    }

    /// The most submits of it that are judged in a turn.
    pub(crate) fn submits_a_turn(&self) -> usize {
        if self.conduct.is_useful() { SUBMITS_A_TURN } else { SUBMITS_OF_STRANGER }
    }

    /// Reads what has arrived, within the turn's bound. `scratch` is the loop's own buffer.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) {
        let most = if self.is_authorized() { READ_A_TURN } else { READ_OF_STRANGER };
        while self.readable && self.input.len() < most {
            let room = most.saturating_sub(self.input.len());
            let bytes = scratch.get_mut(..room).unwrap_or_default();
            let read = match self.awaits_header {
                true => self.stream.read_raw(bytes),
                false => self.stream.read(bytes),
            };
            match read {
                Ok(0) => {
                    self.ended = true;
                    self.readable = false;
                }
                Ok(count) => {
                    self.heard = true;
                    // Fewer bytes than there was room for are all there are; what comes later, an
                    // end too, is an event of its own (epoll(7)).
                    self.readable = self.stream.has_more() || self.ending;
                    self.input.push(scratch.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = self.stream.has_more();
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.readable = false;
                    match error.kind() {
                        NOT_TLS => self.end(Cause::NotTls),
                        BROKEN_TLS => {
                            self.tls_error = Some(error.to_string().into());
                            self.end(Cause::TlsFailed);
                        }
                        _ => self.close(broken(&error)),
                    }
                }
            }
        }
    }

    /// Sends bytes, now as far as the socket takes them.
    pub(crate) fn send(&mut self, bytes: &[u8], limits: &Limits, now: u64) {
        match self.outbox.send(bytes, &mut self.stream, now) {
            Err(error) => self.close(broken(&error)),
            Ok(()) if self.outbox.len() > limits.output => self.end(Cause::OutputFull),
            Ok(()) => {}
        }
    }

    /// Sends what the socket takes; a miner who does not read is given up.
    pub(crate) fn flush(&mut self, limits: &Limits, now: u64) {
        // A handshake's own words are not in the outbox.
        let sent = match self.outbox.is_empty() {
            true => self.stream.flush().or_else(|error| match error.kind() {
                ErrorKind::WouldBlock => Ok(()),
                _ => Err(error),
            }),
            false => self.outbox.flush(&mut self.stream, now),
        };
        match sent {
            Err(error) => self.close(broken(&error)),
            Ok(()) if self.outbox.len() > limits.output => self.end(Cause::OutputFull),
            Ok(()) if self.outbox.waited(now) > ms(limits.output_age) => {
                self.end(Cause::OutputOld);
            }
            Ok(()) => {}
        }
    }

    /// Marks the connection for closing; the first reason stays.
    pub(crate) fn close(&mut self, why: &'static str) {
        self.closing.get_or_insert(why);
    }

    /// Marks the connection for closing, to be counted.
    pub(crate) fn end(&mut self, cause: Cause) {
        if self.closing.is_none() {
            self.cause = Some(cause);
            self.close(cause.words());
        }
    }

    /// Tells the miner's operator something.
    pub(crate) fn say(&mut self, text: &str, now: u64) {
        self.outbox.write_with(now, |out| Session::message(text, out));
    }

    /// Whether all was said and done on a connection whose other side has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.ended && !self.more && !self.held && self.waiting.is_none() && self.outbox.is_empty()
    }
}

/// Words for a broken connection, an everyday event.
fn broken(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "connection reset",
        ErrorKind::TimedOut => "connection timed out",
        _ => "connection failed",
    }
}
