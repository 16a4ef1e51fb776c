//! Those who have not said a word of Stratum yet, at ports that speak TLS: their handshakes.

use super::hear::{Pace, in_turn};
use super::{Now, Worker};
use crate::stratum::Cause;
use crate::sys::clock::monotonic_us;

/// Microseconds of handshakes in a turn; a single one may take longer (a signature of RSA, about a
/// millisecond). A flood of them takes half of the worker's time at most while others have shares.
const A_TURN_US: u64 = 1000;

impl Worker {
    /// Goes on with handshakes, as many as have room in this turn, each newcomer in its turn.
    pub(super) fn shake_hands(&mut self, now: Now) {
        let ready = std::mem::take(&mut self.ready);
        let (mut those, others) =
            ready.into_iter().partition(|key| self.pace(*key) == Pace::Arriving);
        self.ready = others;
        if those.is_empty() {
            return;
        }
        in_turn(&mut those, *self.last_heard.of(Pace::Arriving));
        let begun = monotonic_us();
        let mut keys = those.into_iter();
        for key in keys.by_ref() {
            let Some(miner) = self.miners.get_mut(key) else { continue };
            *self.last_heard.of(Pace::Arriving) = key;
            if miner.closing.is_none() {
                miner.read(&mut self.scratch);
            }
            if miner.cause == Some(Cause::NotTls) {
                miner.say(Cause::NotTls.advice().unwrap_or_default(), now.mono);
            }
            if miner.stream.is_open() {
                // What may take as long as a subscription has begun.
                miner.heard = true;
                self.ready.push(key);
            } else if miner.readable && miner.closing.is_none() {
                self.ready.push(key);
            }
            self.touched.push(key);
            if monotonic_us().saturating_sub(begun) >= A_TURN_US {
                break;
            }
        }
        self.ready.extend(keys);
    }
}
