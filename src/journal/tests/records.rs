//! Records of every kind, at random.

use super::*;

pub(super) fn records() -> impl Strategy<Value = Record> {
    let name = "\\PC{0,40}";
    prop_oneof![
        (any::<(u64, u64)>(), schemes(), name).prop_map(|((time, weight), scheme, worker)| {
            Record::Share { time, worker, weight, scheme }
        }),
        (any::<(u64, u64)>(), name).prop_map(|((time, weight), worker)| Record::Retarget {
            time,
            worker,
            weight
        }),
        (any::<u64>(), name, 0..Reject::ALL.len(), any::<u32>()).prop_map(
            |(time, worker, reject, count)| Record::Rejected {
                time,
                worker,
                reject: Reject::ALL[reject],
                count
            }
        ),
        (any::<u64>(), name, any::<[u8; 32]>(), schemes()).prop_map(
            |(time, worker, hash, scheme)| {
                Record::Block(Box::new(BlockFound { scheme, ..block(time, worker, hash) }))
            }
        ),
        (any::<u64>(), name, any::<[u8; 32]>()).prop_map(|(time, words, hash)| {
            let answer = Answer { daemon: "h:1".to_owned(), verdict: Verdict::Unknown, words };
            let (hash, verdict) = (Hash(hash), Verdict::Accepted);
            Record::Outcome(Box::new(Outcome { time, hash, verdict, answers: vec![answer] }))
        }),
        rows(),
    ]
}

fn schemes() -> impl Strategy<Value = Scheme> {
    prop_oneof![
        Just(Scheme::Prop),
        Just(Scheme::Solo),
        (1_u64..).prop_map(|window| Scheme::Pplns { window }),
    ]
}

fn rows() -> impl Strategy<Value = Record> {
    let reject = prop::option::of((0..Reject::ALL.len()).prop_map(|index| Reject::ALL[index]));
    let address = any::<std::net::IpAddr>().prop_map(|address| address.to_canonical());
    let solution = prop::option::of(any::<[u8; 32]>().prop_map(Hash));
    (any::<(u64, u64)>(), "\\PC{0,40}", reject, address, solution).prop_map(
        |((time, weight), worker, reject, address, solution)| {
            Record::Row(Box::new(Row { time, worker, weight, reject, address, solution }))
        },
    )
}
