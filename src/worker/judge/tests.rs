//! The judge against NOMP's golden shares and the attacks of its time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::chain::{Hash, Network, Plan, hex_array, hex_decode, hex_encode, sha256d};
use crate::pow::ids::BlockId;
use crate::rewards::Amount;
use crate::stratum::SessionLimits;
use crate::stratum::{
    Action, Difficulty, Extranonce2, Inserted, JobId, PortRules, Session, Unit, notify_line,
};

/// The salt and extranonces stand where NOMP had extranonce1, extranonce2 and four bytes of its
/// tag, so that NOMP's own headers come out.
const SALT: u32 = 0x0800_0000;
const EXTRANONCE1: [u8; 4] = [1, 2, 3, 4];
const EXTRANONCE2: [u8; 4] = [0x0d, 0x2f, 0x6e, 0x6f];
const TIME: u32 = 0x5372_4dff;
const NONCE: u32 = 0xdead_beef;
const NOW: u64 = 1_400_000_000;

const BEFORE: &str = "01000000010000000000000000000000000000000000000000000000000000000000000000\
                      ffffffff";
const PAYS: &str = "003e4125010000001976a9141bf1c824cd6028bcd65732374baea5dca5fed57088acc06878040000\
                    00001976a914ecf809f1ec0ba4faa909d5175e405902a21282be88ac404b4c00000000001976a914\
                    22851477d63a085dbc2398c8430af1c09e7343f688ac00000000";

fn work(algorithm: Algorithm, script: &str, after: &str, branch: Vec<Hash>, version: u32) -> Work {
    Work {
        plan: Plan {
            coin: "goldcoin".to_owned(),
            network: Network::Regtest,
            algorithm,
            ids: crate::pow::ids::Ids::default(),
            pool_script: Vec::new(),
            recipients: Vec::new(),
            tag: String::new(),
            extranonce2_size: 4,
            tx_message: None,
            proof_of_stake: false,
            payees: Vec::new(),
            addresses: Default::default(),
        },
        height: 500,
        previous: Hash::from_display(
            "0123456789abcdef00112233445566778899aabbccddeeff0f1e2d3c4b5a6978",
        )
        .unwrap(),
        version,
        bits: 0x207f_ffff,
        target: Target::from_compact(0x207f_ffff).unwrap(),
        time: TIME,
        min_time: TIME - 100,
        coinbase_before: hex_decode(&format!("{BEFORE}{script}")).unwrap(),
        coinbase_after: hex_decode(after).unwrap(),
        witness: false,
        branch,
        transactions: 0,
        coinbase_value: Amount::default(),
        pool_value: Amount::default(),
        clean: true,
    }
}

/// V1 of the golden vectors.
fn scrypt_work() -> Work {
    let after = format!("64655374726174756d2f0000000003{PAYS}");
    work(Algorithm::Scrypt, "1f02f40104004e725308", &after, Vec::new(), 2)
}

/// V2 of the golden vectors.
pub(in crate::worker) fn sha256_work() -> Work {
    let commitment = format!("6a24aa21a9ed{}", "5c".repeat(32));
    let after = format!("64655374726174756d2f00000000040000000000000000{}{commitment}{PAYS}", "26");
    let leaf = "69c5a5fc944f979128d8623f47df6e532790d453223e06347e95fe8a6016b9a3";
    let branch = vec![Hash([0xaa; 32]), Hash(hex_array(leaf).unwrap())];
    work(Algorithm::Sha256, "1d6004004e725308", &after, branch, 0x2000_0000)
}

fn submit() -> Submit {
    Submit {
        id: "4".to_owned(),
        name: "worker".to_owned(),
        job: JobId { lane: 1, number: SALT },
        extranonce2: Extranonce2::new(&EXTRANONCE2).unwrap(),
        time: TIME,
        nonce: NONCE,
        version_bits: None,
    }
}

fn judged(submit: &Submit, work: &Work, mask: u32) -> Result<Prepared, Reject> {
    prepare(submit, work, EXTRANONCE1, mask, NOW)
}

#[test]
fn nomps_scrypt_share_comes_out() {
    let work = scrypt_work();
    let share = judged(&submit(), &work, 0).unwrap();
    assert_eq!(
        hex_encode(&share.header),
        "0200000078695a4b3c2d1e0fffeeddccbbaa99887766554433221100efcdab8967452301b09f1c23fa6ae8a5\
         581e2b89d3821bf60c19ce3a58bde6c2ae39637bb889e66dff4d7253ffff7f20efbeadde"
    );
    assert_eq!(
        share.id.to_string(),
        "0d5b70ff17ce759b54d60e72986993d28e87c2faf23ee487a83a77a44627d569"
    );
    // A share of difficulty 0.000065915 (65536 * 0xffff * 2^208 / hash).
    let hash = share.work_hash(Algorithm::Scrypt);
    let met = |difficulty: f64| {
        let difficulty = Difficulty::nearest(difficulty, Unit(-40));
        decide(&hash, &difficulty.target(16), &Target(ethnum::U256::ZERO))
    };
    assert_eq!(met(0.000_065_91), Worth { share: true, block: false });
    assert_eq!(met(0.000_065_92), Worth { share: false, block: false });
    // M27: a share at 99.5 % of its target is none (NOMP took it).
    assert!(!met(0.000_065_915 / 0.995).share);
    // The coin's network is easier: the block is taken whatever the share difficulty is.
    let hardest = Difficulty::nearest(1e9, Unit(0)).target(16);
    let loose = Target(ethnum::U256::MAX);
    assert_eq!(decide(&hash, &hardest, &loose), Worth { share: true, block: true });
}

#[test]
fn nomps_sha256_share_comes_out_and_is_hashed_once() {
    let work = sha256_work();
    let share = judged(&submit(), &work, 0).unwrap();
    assert_eq!(
        hex_encode(&share.header),
        "0000002078695a4b3c2d1e0fffeeddccbbaa99887766554433221100efcdab8967452301355fb22d4572e201\
         4f2f3236843a44493b9e67e09d5210214ba4a2dac275524dff4d7253ffff7f20efbeadde"
    );
    assert_eq!(
        share.id.to_string(),
        "258bdab5af201fd44d11346bb23be08f5e817cad59740b25ea3133e21fbee726"
    );
    assert_eq!(share.work_hash(Algorithm::Sha256), Algorithm::Sha256.hash(&share.header));
    assert!(work.target.is_met_by(&share.work_hash(Algorithm::Sha256)));
}

/// By which id a found block goes to the vault, the ledger and the daemon.
#[test]
fn a_block_has_the_id_that_its_coin_gives_it() {
    let share = judged(&submit(), &scrypt_work(), 0).unwrap();
    let mut plan = scrypt_work().plan;
    for (algorithm, ids, is_proof) in [
        (Algorithm::Scrypt, None, false),
        (Algorithm::Scrypt, Some(BlockId::ProofOfWork), true),
        (Algorithm::Skein, None, true),
        (Algorithm::Skein, Some(BlockId::Sha256d), false),
    ] {
        (plan.algorithm, plan.ids.block) = (algorithm, ids);
        let id = if is_proof { share.work_hash(algorithm) } else { share.id };
        assert_eq!(share.block_id(&plan, share.work_hash(algorithm)), id, "{algorithm:?}, {ids:?}");
    }
}

#[test]
fn times_outside_the_job_are_refused() {
    let work = sha256_work();
    let at = |time| judged(&Submit { time, ..submit() }, &work, 0).map(drop);
    let now = u32::try_from(NOW).unwrap();
    assert_eq!(at(work.min_time), Ok(()));
    assert_eq!(at(work.min_time - 1), Err(Reject::Time));
    assert_eq!(at(now + 7000), Ok(()), "the job is a second older than now");
    assert_eq!(at(now + 7001), Err(Reject::Time));
    assert_eq!(at(0), Err(Reject::Time));
    // A proof-of-stake coin's coinbase has a time, too, and the header's must not be far from it.
    let mut staked = sha256_work();
    staked.plan.proof_of_stake = true;
    let at_stake = |time| judged(&Submit { time, ..submit() }, &staked, 0).map(drop);
    assert_eq!(at_stake(staked.time + 600), Ok(()));
    assert_eq!(at_stake(staked.time + 601), Err(Reject::Time));
    assert_eq!(at(u32::MAX), Err(Reject::Time));
    // Where this machine's clock is behind the daemon's, the job's own time must still do.
    let late = prepare(&submit(), &work, EXTRANONCE1, 0, NOW - 100_000);
    assert!(late.is_ok());
}

#[test]
fn version_bits_stay_within_the_mask() {
    let work = sha256_work();
    let version = |bits, mask| {
        judged(&Submit { version_bits: Some(bits), ..submit() }, &work, mask)
            .map(|share| u32::from_le_bytes([0, 1, 2, 3].map(|at| share.header[at])))
    };
    assert_eq!(version(0x1fff_e000, 0x1fff_e000), Ok(0x3fff_e000));
    assert_eq!(version(0x0000_2000, 0x1fff_e000), Ok(0x2000_2000));
    assert_eq!(version(0, 0x1fff_e000), Ok(0x2000_0000));
    assert_eq!(version(0x2000_0000, 0x1fff_e000), Err(Reject::Version));
    assert_eq!(version(0x0000_0001, 0x1fff_e000), Err(Reject::Version));
    assert_eq!(version(0x1fff_e000, 0), Err(Reject::Version), "bits without configure");
    let none = judged(&submit(), &work, 0x1fff_e000).unwrap();
    assert_eq!(none.header[..4], [0, 0, 0, 0x20], "without bits the job's version stays");
}

#[test]
fn an_extranonce_of_another_size_is_malformed() {
    for size in [1, 3, 5, 8] {
        let extranonce2 = Extranonce2::new(&vec![0; size]).unwrap();
        let share = judged(&Submit { extranonce2, ..submit() }, &sha256_work(), 0);
        assert_eq!(share, Err(Reject::Malformed), "{size} bytes");
    }
}

#[test]
fn each_part_of_a_share_changes_its_key() {
    let work = sha256_work();
    let key = |submit: &Submit, extranonce1| {
        prepare(submit, &work, extranonce1, 0xffff_ffff, NOW).unwrap().key()
    };
    let base = submit();
    let other_job = JobId { lane: 1, number: SALT + 1 };
    let keys = [
        key(&base, EXTRANONCE1),
        key(&base, [1, 2, 3, 5]),
        key(&Submit { job: other_job, ..base.clone() }, EXTRANONCE1),
        key(&Submit { nonce: NONCE + 1, ..base.clone() }, EXTRANONCE1),
        key(&Submit { time: TIME + 1, ..base.clone() }, EXTRANONCE1),
        key(&Submit { version_bits: Some(1), ..base.clone() }, EXTRANONCE1),
    ];
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
    // What is no part of the header is no part of the key.
    let renamed = Submit { id: "5".to_owned(), name: "other".to_owned(), ..base };
    assert_eq!(key(&renamed, EXTRANONCE1), keys[0]);
}

/// A session with a job, and its rules.
fn session(work: &Work) -> (Session, PortRules) {
    let unit = Unit(-40);
    let rules = PortRules {
        unit,
        start: Difficulty::nearest(1e-9, unit),
        var_diff: None,
        shift: 0,
        extranonce2_size: 4,
        version_mask: 0,
        connection_timeout_ms: 0,
        limits: SessionLimits::default(),
    };
    let mut session = Session::new(EXTRANONCE1, &rules, 0);
    let mut out = Vec::new();
    session.receive(br#"{"id":1,"method":"mining.subscribe","params":[]}"#, &rules, 0, &mut out);
    let line = br#"{"id":2,"method":"mining.authorize","params":["worker","x"]}"#;
    for action in session.receive(line, &rules, 0, &mut out) {
        if let Action::Authorize(request) = action {
            session.authorized(&request, Ok(()), &rules, 0, &mut out);
        }
    }
    let id = JobId { lane: 1, number: SALT };
    session.offer(id, &notify_line(id, work, true), true, &rules, 0, &mut out);
    (session, rules)
}

/// NOMP S1 and S2: one share in many spellings was paid many times.
#[test]
fn a_share_in_other_letters_is_the_same_share() {
    let work = sha256_work();
    let (mut session, rules) = session(&work);
    let mut send = |extranonce2: &str, time: &str, nonce: &str| {
        let job = JobId { lane: 1, number: SALT };
        let line = format!(
            r#"{{"id":4,"method":"mining.submit","params":["worker","{job}","{extranonce2}","{time}","{nonce}"]}}"#
        );
        let mut out = Vec::new();
        let actions = session.receive(line.as_bytes(), &rules, 0, &mut out);
        let submit = actions.into_iter().find_map(|action| match action {
            Action::Submit(submit) => Some(submit),
            _ => None,
        })?;
        let share = prepare(&submit, &work, session.extranonce1(), 0, NOW).unwrap();
        Some(session.seen().insert(share.key()))
    };
    assert_eq!(send("0d2f6e6f", "53724dff", "deadbeef"), Some(Inserted::New));
    assert_eq!(send("0d2f6e6f", "53724dff", "deadbeef"), Some(Inserted::Duplicate));
    assert_eq!(send("0D2F6E6F", "53724DFF", "DEADBEEF"), Some(Inserted::Duplicate));
    assert_eq!(send("0d2f6E6f", "53724dFf", "dEadbEef"), Some(Inserted::Duplicate));
    for (extranonce2, nonce) in [
        ("zzzzzzzz", "deadbeef"),
        ("0d2f6e6f", "zzzzzzzz"),
        ("0d2f6e", "deadbeef"),
        ("0d2f6e6f00", "deadbeef"),
        ("", "deadbeef"),
        ("0d2f6e6f", "+000aff1"),
        ("0d2f6e6f", "0XABCDEF"),
        ("0d2f6e6f", "deadbeef00"),
        ("0d 2f6e6", "deadbeef"),
    ] {
        assert_eq!(send(extranonce2, "53724dff", nonce), None, "{extranonce2} {nonce}");
    }
}

/// The root is remembered for the coinbase that it was made of, the mid-state for that and the version,
/// and neither for another.
#[test]
fn a_remembered_root_is_of_the_same_coinbase() {
    let works = [sha256_work(), scrypt_work()];
    let mut last = None;
    for step in 0..128_u32 {
        let mut share = submit();
        // Neighbouring steps differ in one thing, and come back to what was before.
        share.job.number += step & 1;
        share.job.lane += u8::from(step & 2 > 0);
        let extranonce2: &[u8] = if step & 4 > 0 { &[0; 4] } else { &EXTRANONCE2 };
        share.extranonce2 = Extranonce2::new(extranonce2).unwrap();
        let extranonce1 = if step & 8 > 0 { [9; 4] } else { EXTRANONCE1 };
        // A job id stands for one work.
        let work = if step & 1 > 0 { &works[1] } else { &works[0] };
        share.nonce += step;
        let mask = 0x1fff_e000;
        share.version_bits = (step & 16 > 0).then_some(0x2000);
        for _ in 0..2 {
            let with = prepare_on(&mut last, &share, work, extranonce1, mask, NOW);
            let without = prepare(&share, work, extranonce1, mask, NOW);
            assert_eq!(with, without, "{step}");
            let known = with.unwrap();
            let root = work.merkle_root(&known.coinbase(work));
            assert_eq!(known.header[36..68], root.0, "{step}");
            assert_eq!(last.unwrap().root, root, "{step}");
            assert_eq!(known.id, sha256d(&known.header), "{step}");
        }
    }
}
