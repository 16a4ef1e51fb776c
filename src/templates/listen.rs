//! The thread that listens to one daemon's notices: it connects, moves bytes to and from the
//! protocol, and connects again. Only this thread waits for the connection.

use crate::config::Endpoint;
use crate::daemon::notice::{Heard, PATIENCE_MS, Protocol};
use crate::net::{dial, helper};
use crate::sys::clock;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// How often the protocol is asked whether time is up.
const TICK: Duration = Duration::from_secs(1);
/// First and longest time to the next attempt.
const BACK_OFF_MS: (u64, u64) = (1_000, 30_000);
/// Bytes that are read in a second: a thousand times what blocks and transactions come to. A flood
/// waits on the other side.
const ALLOWANCE: usize = 256 << 10;
/// A connection that lasted so long was a good one: the next attempt comes soon.
const GOOD_MS: u64 = 60_000;

/// What a listener tells.
#[derive(Debug)]
pub(super) enum Told {
    /// There is a new block, at that monotonic millisecond.
    Block(crate::chain::Hash, u64),
    /// So many messages were lost.
    Missed(u64),
    /// The handshake is done.
    Up,
    /// The connection failed, and why; it is tried again.
    Down(String),
}

/// Starts a listener. `make` gives the protocol of each connection; the thread ends when `tell`
/// says no.
pub(super) fn start<P: Protocol>(
    name: &str,
    place: Endpoint,
    mut make: impl FnMut() -> P + Send + 'static,
    tell: impl Fn(Told) -> bool + Send + 'static,
) -> io::Result<()> {
    helper::spawn(name, move || {
        let mut failures = 0;
        loop {
            let begun = clock::monotonic_ms();
            let why = match dial::dial(&place.host, place.port, patience()) {
                Ok(stream) => converse(stream, &mut make(), &tell),
                Err(error) => Some(words(&error)),
            };
            let Some(why) = why else { return };
            if !tell(Told::Down(format!("{}:{}: {why}", place.host, place.port))) {
                return;
            }
            if clock::monotonic_ms().saturating_sub(begun) >= GOOD_MS {
                failures = 0;
            }
            thread::sleep(Duration::from_millis(back_off(failures)));
            failures += 1;
        }
    })?;
    Ok(())
}

/// Peers and publishers say nothing more when the other side speaks of another network.
const CLOSED: &str = "it closed the connection (is that the port, the coin, the network?)";

/// Until the connection ends: why. `None` when nobody listens any more.
fn converse(
    mut stream: TcpStream,
    protocol: &mut impl Protocol,
    tell: &impl Fn(Told) -> bool,
) -> Option<String> {
    let set = stream.set_read_timeout(Some(TICK));
    if let Err(error) = set.and_then(|()| stream.set_write_timeout(Some(patience()))) {
        return Some(words(&error));
    }
    let mut bytes = [0; 16 << 10];
    let (mut since, mut taken) = (clock::monotonic_ms(), 0);
    loop {
        let heard = protocol.tick(clock::monotonic_ms());
        match perform(&mut stream, heard, tell) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(why) => return Some(why),
        }
        let count = match stream.read(&mut bytes) {
            Ok(0) => return Some(CLOSED.to_owned()),
            Ok(count) => count,
            Err(error) if is_pause(&error) => continue,
            Err(error) => return Some(words(&error)),
        };
        let now = clock::monotonic_ms();
        let heard = protocol.feed(now, bytes.get(..count).unwrap_or_default());
        match perform(&mut stream, heard, tell) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(why) => return Some(why),
        }
        let left = 1_000_u64.saturating_sub(now.saturating_sub(since));
        taken += count;
        if taken >= ALLOWANCE {
            thread::sleep(Duration::from_millis(left));
        }
        if taken >= ALLOWANCE || left == 0 {
            (since, taken) = (clock::monotonic_ms(), 0);
        }
    }
}

fn perform(
    stream: &mut TcpStream,
    heard: Result<Vec<Heard>, String>,
    tell: &impl Fn(Told) -> bool,
) -> Result<bool, String> {
    for one in heard? {
        let told = match one {
            Heard::Send(bytes) => {
                stream.write_all(&bytes).map_err(|error| words(&error))?;
                continue;
            }
            Heard::Ready => Told::Up,
            Heard::Block(hash) => Told::Block(hash, clock::monotonic_ms()),
            Heard::Missed(count) => Told::Missed(count),
        };
        if !tell(told) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "it does not answer".to_owned(),
        _ => error.to_string(),
    }
}

fn patience() -> Duration {
    Duration::from_millis(PATIENCE_MS)
}

/// 1 s, doubled with each failure, at most 30 s.
fn back_off(failures: u32) -> u64 {
    BACK_OFF_MS.0.saturating_mul(1 << failures.min(10)).min(BACK_OFF_MS.1)
}

#[cfg(test)]
#[path = "listen/tests.rs"]
mod tests;
