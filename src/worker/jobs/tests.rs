//! Job ids: which work they stand for, and for how long.

use super::*;
use crate::chain::{Hash, Network, Plan, Target};
use crate::pow::Algorithm;
use crate::rewards::Amount;

fn posted(tip: u8, height: u64, time: u32) -> Posted {
    let plan = Plan {
        coin: "testcoin".to_owned(),
        network: Network::Regtest,
        algorithm: Algorithm::Sha256,
        ids: crate::pow::ids::Ids::default(),
        pool_script: Vec::new(),
        recipients: Vec::new(),
        tag: String::new(),
        extranonce2_size: 4,
        tx_message: None,
        proof_of_stake: false,
        payees: Vec::new(),
        addresses: Default::default(),
    };
    let work = Work {
        plan,
        height,
        previous: Hash([tip; 32]),
        version: 1,
        bits: 0,
        target: Target::DIFFICULTY_1,
        time,
        min_time: 0,
        coinbase_before: Vec::new(),
        coinbase_after: Vec::new(),
        witness: false,
        branch: Vec::new(),
        transactions: 0,
        coinbase_value: Amount::default(),
        pool_value: Amount::default(),
        clean: false,
    };
    Posted { work, body: std::fs::File::open("/dev/null").unwrap().into() }
}

fn time_of(found: Option<Found>) -> Option<(bool, u32)> {
    found.map(|found| match found {
        Found::Current(posted) => (true, posted.work.time),
        Found::Previous(posted) => (false, posted.work.time),
    })
}

#[test]
fn a_new_tip_makes_jobs_stale_and_the_next_one_forgets_them() {
    let mut numbers = Numbers::new(7, 0x1_0000_0005);
    let mut jobs = Jobs::default();
    let (first, clean) = jobs.post(posted(1, 10, 100), &mut numbers);
    assert!(clean);
    assert_eq!(first.id, JobId { lane: 7, number: 5 });
    let (refresh, clean) = jobs.post(posted(1, 10, 200), &mut numbers);
    assert!(!clean, "same tip");
    assert_eq!(time_of(jobs.find(first.id)), Some((true, 100)));
    assert_eq!(time_of(jobs.find(refresh.id)), Some((true, 200)));
    let (next, clean) = jobs.post(posted(2, 11, 300), &mut numbers);
    assert!(clean);
    assert_eq!(time_of(jobs.find(first.id)), Some((false, 100)));
    assert_eq!(time_of(jobs.find(next.id)), Some((true, 300)));
    jobs.post(posted(3, 12, 400), &mut numbers);
    assert_eq!(time_of(jobs.find(first.id)), None);
    assert_eq!(time_of(jobs.find(next.id)), Some((false, 300)));
}

#[test]
fn a_reissue_is_other_work_under_another_id() {
    let mut numbers = Numbers::new(7, 0);
    let mut jobs = Jobs::default();
    assert!(jobs.reissue(&mut numbers).is_none());
    let (first, _) = jobs.post(posted(1, 10, 100), &mut numbers);
    let second = jobs.reissue(&mut numbers).unwrap();
    assert_ne!(first.id, second.id);
    assert_ne!(first.line, second.line, "the salt is in the coinbase");
    assert_eq!(jobs.latest().unwrap().id, second.id);
    assert_eq!(time_of(jobs.find(second.id)), Some((true, 100)));
}

#[test]
fn old_works_of_one_tip_are_bounded() {
    let mut numbers = Numbers::new(7, 0);
    let mut jobs = Jobs::default();
    let (before, _) = jobs.post(posted(1, 9, 77), &mut numbers);
    let (first, _) = jobs.post(posted(2, 10, 0), &mut numbers);
    let again = jobs.reissue(&mut numbers).unwrap();
    let mut second = None;
    for time in 1..=u32::try_from(WORKS).unwrap() {
        let (issue, _) = jobs.post(posted(2, 10, time), &mut numbers);
        second.get_or_insert(issue.id);
    }
    assert_eq!(time_of(jobs.find(first.id)), None, "the oldest work is gone");
    assert_eq!(time_of(jobs.find(again.id)), None, "under each of its ids");
    assert_eq!(time_of(jobs.find(second.unwrap())), Some((true, 1)));
    assert_eq!(time_of(jobs.find(before.id)), Some((false, 77)));
    assert_eq!(jobs.current.len(), WORKS);
}

/// One miner's wishes for difficulties must not cost another miner its job.
#[test]
fn no_number_of_reissues_makes_a_job_forgotten() {
    let mut numbers = Numbers::new(7, u64::from(u32::MAX - 10));
    let mut jobs = Jobs::default();
    let (old, _) = jobs.post(posted(1, 10, 100), &mut numbers);
    let (first, _) = jobs.post(posted(2, 11, 200), &mut numbers);
    for _ in 0..10_000 {
        jobs.reissue(&mut numbers);
    }
    let (next, _) = jobs.post(posted(2, 11, 300), &mut numbers);
    let last = jobs.reissue(&mut numbers).unwrap().id.number;
    assert!(last < 20_000, "numbers have wrapped");
    assert_eq!(time_of(jobs.find(old.id)), Some((false, 100)));
    assert_eq!(time_of(jobs.find(first.id)), Some((true, 200)));
    assert_eq!(
        time_of(jobs.find(JobId { number: next.id.number - 1, ..next.id })),
        Some((true, 200))
    );
    assert_eq!(time_of(jobs.find(next.id)), Some((true, 300)));
    assert_eq!(time_of(jobs.find(JobId { number: last, ..next.id })), Some((true, 300)));
    assert_eq!(time_of(jobs.find(JobId { number: last + 1, ..next.id })), None, "not issued yet");
    assert_eq!(
        time_of(jobs.find(JobId { number: old.id.number - 1, ..old.id })),
        None,
        "before all of ours"
    );
}

#[test]
fn a_stale_block_is_near_when_it_could_still_win() {
    let work = |tip, height| posted(tip, height, 0).work;
    assert!(is_near(&work(1, 10), &work(2, 11)), "a sibling of the tip");
    assert!(is_near(&work(1, 10), &work(1, 10)));
    assert!(!is_near(&work(1, 9), &work(2, 11)));
}

#[test]
fn ids_of_another_worker_keep_their_meaning_until_the_tip_is_two_old() {
    let (mut theirs, mut ours) = (Numbers::new(7, 50), Numbers::new(8, 10));
    let mut before = Jobs::default();
    let (old, _) = before.post(posted(1, 9, 1), &mut theirs);
    let (first, _) = before.post(posted(2, 10, 100), &mut theirs);
    let (second, _) = before.post(posted(2, 10, 200), &mut theirs);
    let mut jobs = Jobs::default();
    before.legacy().into_iter().for_each(|work| jobs.inherit(work));
    assert_eq!(time_of(jobs.find(second.id)), Some((true, 200)), "without work of its own");
    let (own, clean) = jobs.post(posted(2, 10, 300), &mut ours);
    assert!(clean, "the first one is");
    before.legacy().into_iter().for_each(|work| jobs.inherit(work));
    assert_eq!(time_of(jobs.find(old.id)), Some((false, 1)));
    assert_eq!(time_of(jobs.find(first.id)), Some((true, 100)));
    assert_eq!(time_of(jobs.find(second.id)), Some((true, 200)));
    assert_eq!(time_of(jobs.find(own.id)), Some((true, 300)));
    assert_eq!(time_of(jobs.find(JobId { lane: 9, ..first.id })), None, "nobody's");
    // What the other one gives out later is known when it is told, and never taken for older work.
    let more = before.reissue(&mut theirs).unwrap();
    let (newer, _) = before.post(posted(2, 10, 250), &mut theirs);
    assert_eq!(time_of(jobs.find(more.id)), None);
    assert_eq!(time_of(jobs.find(newer.id)), None);
    before.legacy().into_iter().for_each(|work| jobs.inherit(work));
    assert_eq!(time_of(jobs.find(more.id)), Some((true, 200)));
    assert_eq!(time_of(jobs.find(newer.id)), Some((true, 250)));
    // Nor is a tip that this worker has not heard of.
    let (ahead, _) = before.post(posted(3, 11, 400), &mut theirs);
    before.legacy().into_iter().for_each(|work| jobs.inherit(work));
    assert_eq!(time_of(jobs.find(ahead.id)), Some((true, 400)));
    // A third worker has all of both.
    let mut third = Jobs::default();
    jobs.legacy().into_iter().for_each(|work| third.inherit(work));
    assert_eq!(time_of(third.find(first.id)), Some((true, 100)));
    assert_eq!(time_of(third.find(own.id)), Some((true, 300)));
    jobs.post(posted(3, 11, 400), &mut ours);
    assert_eq!(time_of(jobs.find(old.id)), None);
    assert_eq!(time_of(jobs.find(second.id)), Some((false, 200)));
    jobs.post(posted(4, 12, 500), &mut ours);
    assert_eq!(time_of(jobs.find(second.id)), None);
    let of_the_tip_before = |it: &Inherited| it.posted.work.previous == Hash([3; 32]);
    assert!(jobs.inherited.iter().all(of_the_tip_before));
}
