//! Findings of proof-of-stake coins.

use super::*;
use crate::doctor::stake;

/// Of stake are most of its blocks; those of work tell whether romp knows them by the right id.
#[test]
fn a_proof_of_stake_coins_headers_tell_only_where_they_are_work() {
    let pool = pool(Algorithm::Scrypt);
    let worked = chain(Algorithm::Scrypt, 3);
    let known = |(_, bytes): &(Hash, Vec<u8>)| {
        let header: &[u8; 80] = bytes.as_slice().try_into().unwrap();
        (Algorithm::Scrypt.hash(header), bytes.clone())
    };
    let of_stake = crate::chain::header(1, &Hash([1; 32]), &Hash([2; 32]), 9, 0x0300_0001, 0);
    let of_stake = (Hash([9; 32]), of_stake.to_vec());
    let mut headers: Vec<_> = worked.iter().map(known).collect();
    headers.push(of_stake.clone());
    let fine = stake::algorithm(ADDRESS, &pool, &headers);
    assert_eq!(fine.verdict, Verdict::Ok, "{fine:?}");
    assert!(fine.words.contains("3 of the last 4 blocks"), "{fine:?}");
    let wrong = stake::algorithm(ADDRESS, &pool, &worked);
    assert_eq!(wrong.verdict, Verdict::Fail, "known by SHA-256d: {wrong:?}");
    let none = stake::algorithm(ADDRESS, &pool, &[of_stake]);
    assert_eq!(none.verdict, Verdict::Skip, "{none:?}");
}

#[test]
fn coin_file_and_daemon_say_what_kind_of_coin_it_is() {
    let daemon = |staked: bool, locked: bool| {
        stub::daemon(move |method, _| match method {
            "getdifficulty" if staked => Answer::Result(r#"{"proof-of-stake":1}"#.to_owned()),
            "getdifficulty" => Answer::Result("1.5".to_owned()),
            "getinfo" if locked => Answer::Result(r#"{"unlocked_until":0}"#.to_owned()),
            "getinfo" => Answer::Result("{}".to_owned()),
            _ => Answer::Error(r#"{"code":-32601,"message":"Method not found"}"#.to_owned()),
        })
    };
    let info = info();
    for (written, staked, locked, verdicts) in [
        (None, true, false, &[Verdict::Ok][..]),
        (None, false, true, &[Verdict::Ok]),
        (None, true, true, &[Verdict::Ok, Verdict::Warn]),
        (Some(true), true, false, &[Verdict::Ok]),
        (Some(true), false, false, &[Verdict::Warn]),
        (Some(false), true, true, &[Verdict::Warn]),
    ] {
        let daemon = daemon(staked, locked);
        let client = Client::new(&daemon, Duration::from_secs(20));
        let mut pool = test_pool(vec![daemon]);
        pool.coin.proof_of_stake = written;
        let mut found = Vec::new();
        let kind = stake::ask(&client, &pool, &info, &mut found);
        assert_eq!(kind, Some(written.unwrap_or(staked)), "{written:?} {staked}");
        let said: Vec<Verdict> = found.iter().map(|finding| finding.verdict).collect();
        assert_eq!(said, verdicts, "{written:?} {staked} {locked}: {found:?}");
    }
}
