//! A bounded memory that forgets by age: last good difficulties, answers about addresses.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A map with at most `most` entries, each with an end. The oldest entry goes first.
#[derive(Debug)]
pub(crate) struct Memory<K, V> {
    most: usize,
    entries: HashMap<K, Entry<V>>,
    /// Keys in the order in which they were put, with the number of that put: an entry put again
    /// leaves its older place here behind.
    order: VecDeque<(K, u64)>,
    puts: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    until: u64,
    put: u64,
}

impl<K: Hash + Eq + Clone, V> Memory<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, entries: HashMap::new(), order: VecDeque::new(), puts: 0 }
    }

    /// What is remembered under the key at `now` (same clock as `until`).
    pub(crate) fn get<Q>(&self, key: &Q, now: u64) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get(key).filter(|entry| entry.until > now).map(|entry| &entry.value)
    }

    /// Remembers a value until `until`.
    pub(crate) fn put(&mut self, key: K, value: V, until: u64) {
        self.puts += 1;
        self.order.push_back((key.clone(), self.puts));
        self.entries.insert(key, Entry { value, until, put: self.puts });
        // Places left behind are at most as many as entries, so each put takes constant time on
        // average and the queue stays within twice the bound.
        while self.entries.len() > self.most || self.order.len() > self.most.saturating_mul(2) {
            let Some((oldest, put)) = self.order.pop_front() else { break };
            if self.entries.get(&oldest).is_some_and(|entry| entry.put == put) {
                self.entries.remove(&oldest);
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn values_end_and_newer_ones_win() {
        let mut memory = Memory::new(10);
        memory.put("a", 1, 100);
        assert_eq!(memory.get("a", 99), Some(&1));
        assert_eq!(memory.get("a", 100), None);
        memory.put("a", 2, 300);
        assert_eq!(memory.get("a", 200), Some(&2));
        assert_eq!(memory.get("b", 0), None);
    }

    #[test]
    fn the_bound_holds_and_the_oldest_goes_first() {
        let mut memory = Memory::new(3);
        for key in 0..5 {
            memory.put(key, key, 1000);
        }
        assert_eq!(memory.len(), 3);
        assert_eq!((memory.get(&1, 0), memory.get(&2, 0)), (None, Some(&2)));
        memory.put(2, 20, 1000);
        memory.put(6, 6, 1000);
        assert_eq!((memory.get(&3, 0), memory.get(&2, 0)), (None, Some(&20)), "refreshed stays");
        for _ in 0..1000 {
            memory.put(7, 7, 1000);
        }
        assert!(memory.order.len() <= 6);
    }
}
