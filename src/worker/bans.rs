//! Bans: who is kept out until when, and how a connection's conduct leads there.
//!
//! Pure. Times are unix milliseconds, so a ban ends at the same moment in every process.

use crate::config::Banning;
use std::collections::HashMap;
use std::net::IpAddr;

/// Most addresses that are kept; the one that ends first makes room.
const MOST: usize = 100_000;

/// Banned addresses.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    until: HashMap<IpAddr, u64>,
}

impl Bans {
    /// Bans an address until a moment, unless it is banned for longer already.
    pub(crate) fn add(&mut self, address: IpAddr, until: u64) {
        if self.until.len() >= MOST && !self.until.contains_key(&address) {
            let first = self.until.iter().min_by_key(|(_, until)| **until).map(|(ip, _)| *ip);
            if let Some(first) = first {
                self.until.remove(&first);
            }
        }
        let end = self.until.entry(address).or_insert(0);
        *end = (*end).max(until);
    }

    pub(crate) fn lift(&mut self, address: &IpAddr) {
        self.until.remove(address);
    }

    pub(crate) fn is_banned(&self, address: &IpAddr, now: u64) -> bool {
        self.until.get(address).is_some_and(|until| *until > now)
    }

    /// Forgets bans that have ended.
    pub(crate) fn purge(&mut self, now: u64) {
        self.until.retain(|_, until| *until > now);
    }
}

/// Whether an address may be banned: never loopback, where proxies and the operator's own tools
/// come from; there only the connection is closed.
pub(crate) fn can_be_banned(address: &IpAddr) -> bool {
    !address.to_canonical().is_loopback()
}

/// What one connection did in the present window.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Conduct {
    good: u32,
    bad: u32,
}

impl Conduct {
    pub(crate) fn good(&mut self) {
        self.good = self.good.saturating_add(1);
    }

    /// One act of misbehaviour: a share refused for it, or a line that is none.
    pub(crate) fn bad(&mut self) {
        self.bad = self.bad.saturating_add(1);
    }

    /// Whether the connection is to be banned. A window ends after `check_threshold` acts; the
    /// next one begins with clean hands.
    pub(crate) fn judge(&mut self, banning: &Banning) -> bool {
        let acts = self.good.saturating_add(self.bad);
        if acts < banning.check_threshold.max(1) {
            return false;
        }
        let percent = f64::from(self.bad) * 100.0 / f64::from(acts);
        *self = Self::default();
        percent >= banning.invalid_percent
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use std::time::Duration;

    const BANNING: Banning = Banning {
        time: Duration::from_secs(600),
        invalid_percent: 50.0,
        check_threshold: 10,
        purge_interval: Duration::from_secs(300),
    };

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn bans_last_their_time_and_the_longer_one_wins() {
        let mut bans = Bans::default();
        bans.add(ip(1), 1000);
        bans.add(ip(1), 500);
        assert!(bans.is_banned(&ip(1), 999) && !bans.is_banned(&ip(1), 1000));
        assert!(!bans.is_banned(&ip(2), 0));
        bans.purge(999);
        assert!(bans.is_banned(&ip(1), 999), "a purge never ends a living ban (A10)");
        bans.lift(&ip(1));
        assert!(!bans.is_banned(&ip(1), 0));
    }

    #[test]
    fn only_a_bad_window_bans_and_windows_start_afresh() {
        let mut conduct = Conduct::default();
        (0..9).for_each(|_| conduct.bad());
        assert!(!conduct.judge(&BANNING), "too few acts");
        conduct.bad();
        assert!(conduct.judge(&BANNING));
        (0..6).for_each(|_| conduct.good());
        (0..4).for_each(|_| conduct.bad());
        assert!(!conduct.judge(&BANNING), "40 %");
        (0..5).for_each(|_| conduct.good());
        (0..5).for_each(|_| conduct.bad());
        assert!(conduct.judge(&BANNING), "counted afresh: 50 %, not 9 of 20");
    }

    #[test]
    fn loopback_is_never_banned() {
        assert!(!can_be_banned(&IpAddr::from([127, 0, 0, 5])));
        assert!(!can_be_banned(&"::1".parse().expect("an address")));
        assert!(!can_be_banned(&"::ffff:127.0.0.1".parse().expect("an address")));
        assert!(can_be_banned(&ip(1)));
    }

    #[test]
    fn the_table_is_bounded_and_the_soonest_ending_ban_makes_room() {
        let mut bans = Bans::default();
        for number in 0..u32::try_from(MOST).expect("fits") {
            let [_, a, b, c] = number.to_be_bytes();
            bans.add(IpAddr::from([10, a, b, c]), 1000 + u64::from(number));
        }
        bans.add(ip(1), 5_000_000);
        assert_eq!(bans.until.len(), MOST);
        assert!(bans.is_banned(&ip(1), 0) && !bans.is_banned(&IpAddr::from([10, 0, 0, 0]), 0));
    }
}
