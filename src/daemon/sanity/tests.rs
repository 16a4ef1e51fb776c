//! Templates that are right, wrong and strange (reliability 4.2.6, F40, D7, D8).

#![allow(clippy::unwrap_used)]

use super::*;

const UNIX_MS: u64 = 1_000_000;

fn facts(height: u64) -> Facts {
    Facts {
        height,
        previous: Hash([7; 32]),
        time: 1_000,
        bits: 0x1d00_ffff,
        target: Target::from_compact(0x1d00_ffff).unwrap(),
        value: Amount(50),
        foreign_id: None,
    }
}

fn with_bits(bits: u32) -> Facts {
    Facts { bits, target: Target::from_compact(bits).unwrap(), ..facts(10) }
}

#[test]
fn sorts_templates() {
    let known = Known { previous_height: Some(9), top: Some(9), current: Some(10) };
    assert_eq!(check(facts(10), known), Finding::Good);
    assert!(matches!(check(facts(11), known), Finding::Bad(_)));
    assert!(matches!(check(facts(9), known), Finding::Bad(_)));
    assert!(matches!(check(facts(u64::MAX), known), Finding::Bad(_)));
    let unseen = Known { previous_height: None, ..known };
    assert_eq!(check(facts(11), unseen), Finding::Unproven);
    assert_eq!(
        check(facts(1), Known { previous_height: Some(0), ..Known::default() }),
        Finding::Good
    );
}

#[test]
fn goes_back_only_when_the_chain_did() {
    let reorganised = Known { previous_height: Some(7), top: Some(7), current: Some(10) };
    assert_eq!(check(facts(8), reorganised), Finding::Good);
    let one_left_behind = Known { previous_height: Some(8), top: Some(9), current: Some(10) };
    assert!(matches!(check(facts(9), one_left_behind), Finding::Bad(_)));
}

#[test]
fn a_target_belongs_to_its_bits() {
    let known = Known { previous_height: Some(9), top: Some(9), current: None };
    let other = Facts { target: Target::from_compact(0x1d01_0000).unwrap(), ..facts(10) };
    assert!(matches!(check(other, known), Finding::Bad(_)));
    let harder = Facts { target: Target::from_compact(0x1c00_ffff).unwrap(), ..facts(10) };
    assert!(matches!(check(harder, known), Finding::Bad(_)));
    // Some daemons print the digits that `bits` has no room for.
    let longer = Facts { target: Target(facts(10).target.0 + 1), ..facts(10) };
    assert_eq!(check(longer, known), Finding::Good);
}

#[test]
fn doubts_jumps_of_difficulty_and_reward_on_the_main_network() {
    let mut memory = Memory::default();
    let doubt = |memory: &Memory, facts| memory.doubt(facts, Network::Main, UNIX_MS);
    assert_eq!(doubt(&memory, with_bits(0x207f_ffff)), None, "nothing to compare with");
    memory.keep(facts(10));
    for (bits, strange) in
        [(0x1d00_ffff, false), (0x1c10_0000, false), (0x1c0f_0000, true), (0x207f_ffff, true)]
    {
        assert_eq!(doubt(&memory, with_bits(bits)).is_some(), strange, "{bits:08x}");
        assert_eq!(memory.doubt(with_bits(bits), Network::Test, UNIX_MS), None);
    }
    // Median of 50, 50, 90: a block full of fees does not make the next one strange.
    memory.keep(facts(11));
    memory.keep(Facts { value: Amount(90), ..facts(12) });
    memory.keep(Facts { value: Amount(9_000), ..facts(12) });
    assert_eq!(doubt(&memory, Facts { value: Amount(200), ..facts(13) }), None);
    let words = doubt(&memory, Facts { value: Amount(201), ..facts(13) }).unwrap();
    assert!(words.contains("reward"), "{words}");
}

#[test]
fn doubts_times_ahead_and_foreign_ids() {
    let memory = Memory::default();
    let at = |time| memory.doubt(Facts { time, ..facts(1) }, Network::Regtest, UNIX_MS);
    assert_eq!(at(1_000 + 7_200), None);
    assert!(at(1_000 + 7_201).unwrap().contains("7201 seconds ahead"));
    assert_eq!(at(0), None, "a time behind is one that the chain takes");
    let foreign = Facts { foreign_id: Some(3), ..facts(1) };
    assert!(memory.doubt(foreign, Network::Regtest, UNIX_MS).unwrap().contains("transaction 3"));
}

#[test]
fn warns_of_clocks_apart_and_of_old_tips() {
    assert_eq!(clock_warning(1_000_000, 1_000_000_000), None);
    assert!(clock_warning(1_000_000, 1_008_000_000).is_some());
    assert!(clock_warning(1_008_000, 1_000_000_000).is_some());
    let old = |network, time| old_tip(Some(network), Some(time), Some(100), 100_000_000);
    assert_eq!(old(Network::Main, 100_000 - 2_600), None);
    assert!(old(Network::Main, 100_000 - 2_601).is_some());
    assert_eq!(old(Network::Regtest, 0), None);
    assert_eq!(old_tip(Some(Network::Main), None, Some(100), 100_000_000), None);
}
