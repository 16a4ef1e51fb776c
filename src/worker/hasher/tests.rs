//! Hashes of a turn, and how long turns are.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::pow::schedule::Growth;
use crate::stratum::Extranonce2;
use crate::sys;

fn share(seed: u8) -> Prepared {
    let extranonce2 = Extranonce2::new(&[0; 4]).unwrap();
    Prepared { header: [seed; 80], own: (0, [0; 4], extranonce2), id: Hash([seed; 32]) }
}

/// Every share has the hash that it has alone, whatever others are hashed in its turn.
#[test]
fn a_turn_of_many_algorithms_hashes_each_share_as_its_own() {
    let algorithms = [
        Algorithm::Scrypt,
        Algorithm::X11,
        Algorithm::Scrypt,
        Algorithm::Sha256,
        Algorithm::ScryptOg,
        Algorithm::Scrypt,
        Algorithm::Scrypt,
        Algorithm::Scrypt,
        Algorithm::ScryptOg,
    ];
    let shares: Vec<_> = algorithms.iter().zip(0..).map(|(it, seed)| (*it, share(seed))).collect();
    let lent: Vec<_> = shares.iter().map(|(algorithm, share)| (*algorithm, share)).collect();
    for mixer in [sys::cpu::mixer(), None] {
        let mut hasher = Hasher::new(mixer);
        let alone: Vec<_> = lent.iter().map(|(it, share)| share.work_hash(*it)).collect();
        assert_eq!(hasher.hash_all(&lent), alone);
        assert_eq!(hasher.hash_all(&[]), []);
        assert_ne!(hasher.cost(Algorithm::Scrypt), Cost::default());
        assert_eq!(hasher.cost(Algorithm::X17), Cost::default());
        // What may take a second is tried alone first.
        let unknown = hasher.cost(Algorithm::ScryptJane(Growth::YACOIN));
        assert_eq!((unknown.room(TURN_NS), unknown.of(1)), (1, TURN_NS));
    }
}

/// A turn has room for what it has time for, for at least one, and for any number of those that
/// nothing is known of.
#[test]
fn a_turn_has_room_for_what_it_has_time_for() {
    let mut cost = Cost::default();
    assert_eq!((cost.room(TURN_NS), cost.of(7)), (usize::MAX, 0));
    cost.learn(4, 1, 400_000);
    assert_eq!((cost.room(TURN_NS), cost.of(3)), (10, 300_000));
    // One turn in which the machine slept 80 ms counts an eighth, and is forgotten.
    cost.learn(1, 1, 80_000_000);
    assert_eq!(cost.room(TURN_NS), 1);
    for _ in 0..60 {
        cost.learn(4, 1, 400_000);
    }
    assert_eq!(cost.room(TURN_NS), 9);
    assert_eq!(cost.room(0), 1);
}

/// Of proofs of work that take long, as many come at once as take no longer than one: their number
/// is learned from turns that had one.
#[test]
fn a_turn_fills_its_lanes() {
    let mut cost = Cost::default();
    cost.learn(1, 4, 6_000_000);
    assert_eq!((cost.room(TURN_NS), cost.of(1)), (4, 1_500_000));
    cost.learn(5, 4, 12_000_000);
    assert_eq!((cost.room(TURN_NS), cost.of(4)), (4, 6_000_000));
    assert_eq!((cost.room(6_000_000), cost.room(8_000_000)), (4, 8));
}

#[test]
fn late_shares_are_hashed_while_that_costs_little() {
    let mut hasher = Hasher::new(None);
    let jane = Algorithm::ScryptJane(Growth::YACOIN);
    for (each, hashed) in [(LATE_NS, true), (LATE_NS + 1, false)] {
        hasher.suppose(jane, Cost::each(each));
        assert_eq!(hasher.has_time_for_late(jane), hashed);
    }
    assert!(hasher.has_time_for_late(Algorithm::Sha256));
}
