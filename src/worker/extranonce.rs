//! Extranonce1 of each connection: lane (8 bits) and a counter (24 bits), unique among the living.
//!
//! Two connections with one extranonce1 would search the same work and both be credited for it.

use std::collections::HashSet;

/// Values the 24-bit counter takes.
const VALUES: u32 = 1 << 24;

/// Gives extranonce1 values out and takes them back.
#[derive(Debug)]
pub(crate) struct Extranonces {
    lane: u8,
    next: u32,
    taken: HashSet<u32>,
}

impl Extranonces {
    /// `start` is where counting begins (its low 24 bits): something that differs between the
    /// incarnations of a worker, such as the time.
    pub(crate) fn new(lane: u8, start: u64) -> Self {
        let next = u32::try_from(start % u64::from(VALUES)).unwrap_or(0);
        Self { lane, next, taken: HashSet::new() }
    }

    /// The next free value; `None` when 2^24 connections are alive.
    pub(crate) fn take(&mut self) -> Option<[u8; 4]> {
        if self.taken.len() >= VALUES as usize {
            return None;
        }
        while !self.taken.insert(self.next) {
            self.next = (self.next + 1) % VALUES;
        }
        let [_, high, middle, low] = self.next.to_be_bytes();
        self.next = (self.next + 1) % VALUES;
        Some([self.lane, high, middle, low])
    }

    /// Takes a value back: its connection is gone.
    pub(crate) fn release(&mut self, [_, high, middle, low]: [u8; 4]) {
        self.taken.remove(&u32::from_be_bytes([0, high, middle, low]));
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn lane_comes_first_and_living_values_are_never_given_twice() {
        let mut values = Extranonces::new(0xab, 0xff_ffff);
        assert_eq!(values.take(), Some([0xab, 0xff, 0xff, 0xff]));
        assert_eq!(values.take(), Some([0xab, 0, 0, 0]), "wraps");
        values.next = 0xff_ffff;
        assert_eq!(values.take(), Some([0xab, 0, 0, 1]), "skips both living ones");
    }

    #[test]
    fn a_released_value_comes_back_only_after_the_others() {
        let mut values = Extranonces::new(1, 5);
        let first = values.take().expect("free");
        values.release(first);
        assert_eq!(values.take(), Some([1, 0, 0, 6]));
        values.next = 5;
        assert_eq!(values.take(), Some(first));
    }
}
