//! How often a password may be guessed. Pure: times come in.

use super::super::guard::Guard;
use crate::stratum::{Bucket, Rate};
use std::net::IpAddr;

/// Of one network: a slip or two, then one a minute.
const ONE: Rate = Rate { per_minute: 1, burst: 10 };
/// Of everybody together: so much is computed for strangers, whatever they try.
const ALL: Rate = Rate { per_minute: 30, burst: 60 };
/// Networks that are remembered.
const MOST: usize = 10_000;

/// What everybody has left.
#[derive(Debug)]
pub(super) struct Attempts {
    each: Guard,
    all: Bucket,
}

impl Attempts {
    /// Nobody has tried.
    pub(super) fn new(now: u64) -> Self {
        Self { each: Guard::new(ONE, MOST), all: Bucket::new(now) }
    }

    /// Whether that address may try. This machine itself does not wait for others: an operator who
    /// is logged in to it is never locked out by strangers.
    pub(super) fn admits(&mut self, address: IpAddr, now: u64) -> bool {
        self.each.admits(address, now) && (address.is_loopback() || self.all.take(ALL, now))
    }

    /// That address knew the password.
    pub(super) fn forgive(&mut self, address: IpAddr) {
        self.each.forgive(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_guesses_are_ten_and_others_still_come_in() {
        let mut attempts = Attempts::new(0);
        let (guesser, operator) = (IpAddr::from([10, 6, 6, 6]), IpAddr::from([10, 0, 0, 1]));
        assert_eq!((0..1000).filter(|_| attempts.admits(guesser, 0)).count(), 10);
        assert!(attempts.admits(operator, 0));
        attempts.forgive(operator);
        assert_eq!((0..1000).filter(|_| attempts.admits(guesser, 60_000)).count(), 1);
        assert_eq!((0..1000).filter(|_| attempts.admits(operator, 60_000)).count(), 10);
    }

    #[test]
    fn a_thousand_networks_have_sixty_and_this_machine_has_its_own() {
        let mut attempts = Attempts::new(0);
        let networks = (0..1000_u32).map(|it| IpAddr::from((0x0a00_0000 + it).to_be_bytes()));
        assert_eq!(networks.filter(|address| attempts.admits(*address, 0)).count(), 60);
        assert!(attempts.admits(IpAddr::from([127, 0, 0, 1]), 0));
        assert!(
            attempts.admits(IpAddr::from([10, 9, 9, 9]), 2_000),
            "half a minute's part is back"
        );
    }
}
