//! The desk: listeners for blocknotify (TCP) and for control commands (Unix). A visitor says one
//! line, gets an answer, and is gone after three seconds at the latest.

use super::notify::{Guard, LONGEST_LINE};
use crate::config::{NotifyListener, Secret};
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use slab::Slab;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

/// Visitors by TCP and by Unix socket at a time; for one more the one that has been there longest
/// goes. Honest ones stay for a millisecond, so that nobody can keep them out by sitting here.
const MOST_VISITORS: usize = 256;
/// Visitors that one door lets in in one turn.
const A_TURN: usize = 64;
/// How long (ms) a visit may take.
const VISIT: u64 = 3_000;
/// Longest control command, in bytes.
const LONGEST_COMMAND: usize = 16 << 10;

/// What a visitor may ask.
#[derive(Debug, Clone)]
pub(crate) enum Counter {
    /// Blocknotify, with the listener's password if it wants one.
    Notify {
        /// Who asks.
        source: IpAddr,
        /// What he must know.
        password: Option<Secret>,
    },
    /// Control commands: whoever may open the socket's file may give them.
    Control,
}

#[derive(Debug)]
enum Door {
    Notify { setting: NotifyListener, listener: TcpListener },
    Control { listener: UnixListener },
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

#[derive(Debug)]
struct Visitor {
    /// Counts up from visitor to visitor.
    serial: u64,
    stream: Stream,
    counter: Counter,
    input: Vec<u8>,
    output: Vec<u8>,
    answered: bool,
    deadline: u64,
}

/// What came of reading.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    Line(Vec<u8>),
    Gone,
}

/// All doors and visitors. Every event at the desk has the same token: a turn looks at all.
#[derive(Debug)]
pub(crate) struct Desk {
    token: Token,
    doors: Vec<Door>,
    visitors: Slab<Visitor>,
    serials: u64,
    is_open: bool,
    /// More may be waiting at a door.
    crowded: bool,
}

impl Desk {
    pub(crate) fn new(token: Token) -> Self {
        let (doors, visitors) = (Vec::new(), Slab::new());
        Self { token, doors, visitors, serials: 0, is_open: true, crowded: false }
    }

    /// Opens the control door.
    ///
    /// # Errors
    /// When mio refuses.
    pub(crate) fn open_control(
        &mut self,
        registry: &Registry,
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let mut listener = UnixListener::from_std(listener);
        registry.register(&mut listener, self.token, Interest::READABLE)?;
        self.doors.push(Door::Control { listener });
        Ok(())
    }

    /// Opens a door for blocknotify, already bound.
    ///
    /// # Errors
    /// When mio refuses.
    pub(crate) fn open_notify(
        &mut self,
        registry: &Registry,
        setting: NotifyListener,
        listener: std::net::TcpListener,
    ) -> io::Result<()> {
        let mut listener = TcpListener::from_std(listener);
        registry.register(&mut listener, self.token, Interest::READABLE)?;
        self.doors.push(Door::Notify { setting, listener });
        Ok(())
    }

    /// Addresses that are open for blocknotify.
    pub(crate) fn notify_addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.doors.iter().filter_map(|door| match door {
            Door::Notify { setting, .. } => Some(setting.address),
            Door::Control { .. } => None,
        });
        addresses.collect()
    }

    /// Sockets that are open for blocknotify.
    pub(crate) fn notify_sockets(&self) -> impl Iterator<Item = (SocketAddr, BorrowedFd<'_>)> {
        self.doors.iter().filter_map(|door| match door {
            Door::Notify { setting, listener } => Some((setting.address, listener.as_fd())),
            Door::Control { .. } => None,
        })
    }

    /// The control socket.
    pub(crate) fn control(&self) -> Option<BorrowedFd<'_>> {
        self.doors.iter().find_map(|door| match door {
            Door::Control { listener } => Some(listener.as_fd()),
            Door::Notify { .. } => None,
        })
    }

    /// Takes over settings: doors whose address is no longer there close, passwords change.
    pub(crate) fn reconfigure(&mut self, settings: &[NotifyListener]) {
        self.doors.retain_mut(|door| match door {
            Door::Control { .. } => true,
            Door::Notify { setting, .. } => {
                let new = settings.iter().find(|new| new.address == setting.address);
                if let Some(new) = new {
                    setting.clone_from(new);
                }
                new.is_some()
            }
        });
    }

    /// Lets visitors in, reads, writes, shows out whoever is done or late. Returns who has said a
    /// line; each is to be answered.
    pub(crate) fn turn(
        &mut self,
        registry: &Registry,
        guard: &Guard,
        now: u64,
    ) -> Vec<(usize, Counter, Vec<u8>)> {
        self.let_in(registry, guard, now);
        let mut heard = Vec::new();
        let mut gone = Vec::new();
        for (key, visitor) in &mut self.visitors {
            if !visitor.answered {
                match visitor.read() {
                    Heard::Nothing => {}
                    Heard::Gone => gone.push(key),
                    Heard::Line(line) => heard.push((key, visitor.counter.clone(), line)),
                }
            } else if visitor.write() {
                gone.push(key);
            }
            if now >= visitor.deadline && !gone.contains(&key) {
                gone.push(key);
            }
        }
        for key in gone {
            heard.retain(|(other, ..)| *other != key);
            self.show_out(registry, key);
        }
        heard
    }

    /// Answers a visitor: one line.
    pub(crate) fn answer(&mut self, registry: &Registry, key: usize, text: &str) {
        let Some(visitor) = self.visitors.get_mut(key) else { return };
        visitor.answered = true;
        visitor.output = format!("{text}\n").into_bytes();
        if visitor.write() {
            self.show_out(registry, key);
        }
    }

    /// Whether newcomers are let in; whoever is here is answered.
    pub(crate) fn open(&mut self, is_open: bool) {
        self.is_open = is_open;
    }

    /// When (ms) the next visitor is late.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.visitors.iter().map(|(_, visitor)| visitor.deadline).min()
    }

    /// Whether the next turn is due at once.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded
    }

    fn let_in(&mut self, registry: &Registry, guard: &Guard, now: u64) {
        self.crowded = false;
        if !self.is_open {
            return;
        }
        let mut newcomers = Vec::new();
        for door in &mut self.doors {
            let mut left = A_TURN;
            // Errors (no descriptors left, a visitor gone already) end this turn's round only: the
            // next turn asks again.
            loop {
                if left == 0 {
                    self.crowded = true;
                    break;
                }
                left -= 1;
                let (stream, counter) = match door {
                    Door::Notify { setting, listener } => match listener.accept() {
                        Ok((stream, from)) => {
                            let source = from.ip().to_canonical();
                            if guard.is_silenced(source, now) {
                                continue;
                            }
                            let password = setting.password.clone();
                            (Stream::Tcp(stream), Counter::Notify { source, password })
                        }
                        Err(_) => break,
                    },
                    Door::Control { listener } => match listener.accept() {
                        Ok((stream, _)) => (Stream::Unix(stream), Counter::Control),
                        Err(_) => break,
                    },
                };
                self.serials += 1;
                newcomers.push(Visitor {
                    serial: self.serials,
                    stream,
                    counter,
                    input: Vec::new(),
                    output: Vec::new(),
                    answered: false,
                    deadline: now + VISIT,
                });
            }
        }
        for visitor in newcomers {
            self.seat(registry, visitor);
        }
    }

    fn seat(&mut self, registry: &Registry, mut visitor: Visitor) {
        let kind = std::mem::discriminant(&visitor.counter);
        let same = |(_, other): &(usize, &Visitor)| std::mem::discriminant(&other.counter) == kind;
        if self.visitors.iter().filter(same).count() >= MOST_VISITORS {
            let oldest = self.visitors.iter().filter(same).min_by_key(|(_, other)| other.serial);
            if let Some((key, _)) = oldest {
                self.show_out(registry, key);
            }
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = match &mut visitor.stream {
            Stream::Tcp(stream) => registry.register(stream, self.token, interest),
            Stream::Unix(stream) => registry.register(stream, self.token, interest),
        };
        if registered.is_ok() {
            self.visitors.insert(visitor);
        }
    }

    fn show_out(&mut self, registry: &Registry, key: usize) {
        let Some(visitor) = self.visitors.try_remove(key) else { return };
        match visitor.stream {
            Stream::Tcp(mut stream) => {
                let _ = registry.deregister(&mut stream);
                let _ = stream.shutdown(Shutdown::Write);
            }
            Stream::Unix(mut stream) => {
                let _ = registry.deregister(&mut stream);
                let _ = stream.shutdown(Shutdown::Write);
            }
        }
    }
}

impl Visitor {
    /// Reads until a line is whole: by its end, by the visitor's closing, or because it is a whole
    /// JSON object (some helpers send no line end and wait for the answer).
    fn read(&mut self) -> Heard {
        let longest = match self.counter {
            Counter::Notify { .. } => LONGEST_LINE,
            Counter::Control => LONGEST_COMMAND,
        };
        let mut buffer = [0; 2048];
        loop {
            let read = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(&mut buffer),
                Stream::Unix(stream) => stream.read(&mut buffer),
            };
            let closed = match read {
                Ok(0) => true,
                Ok(length) => {
                    self.input.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    false
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let line = self.input.trim_ascii();
                    return if is_object(line) {
                        Heard::Line(line.to_vec())
                    } else {
                        Heard::Nothing
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Heard::Gone,
            };
            let end = self.input.iter().position(|byte| *byte == b'\n');
            let end = if closed { Some(end.unwrap_or(self.input.len())) } else { end };
            match end {
                Some(end) if end <= longest && !self.input.is_empty() => {
                    let line = self.input.get(..end).unwrap_or_default();
                    return Heard::Line(line.trim_ascii().to_vec());
                }
                None if self.input.len() <= longest => {}
                _ => return Heard::Gone,
            }
        }
    }

    /// Writes what is left of the answer. Returns whether the visit is over.
    fn write(&mut self) -> bool {
        while !self.output.is_empty() {
            let written = match &mut self.stream {
                Stream::Tcp(stream) => stream.write(&self.output),
                Stream::Unix(stream) => stream.write(&self.output),
            };
            match written {
                Ok(0) => return true,
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        true
    }
}

fn is_object(line: &[u8]) -> bool {
    line.ends_with(b"}") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

#[cfg(test)]
mod tests;
