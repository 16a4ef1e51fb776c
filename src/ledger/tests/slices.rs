//! PPLNS windows and solo blocks, on both engines.

use super::*;
use crate::ledger::batch::SLICES_KEPT;
use std::collections::VecDeque;

const WINDOW: u64 = 3200;
const SLICE: u64 = 100;

fn pplns(worker: &str, weight: u64) -> Record {
    let scheme = Scheme::Pplns { window: WINDOW };
    Record::Share { time: 1, worker: worker.to_owned(), weight, scheme }
}

fn solo(worker: &str, weight: u64) -> Record {
    Record::Share { time: 1, worker: worker.to_owned(), weight, scheme: Scheme::Solo }
}

fn block(n: u8, scheme: Scheme) -> Record {
    Record::Block(Box::new(BlockFound { scheme, worker: "finder".to_owned(), ..found(n, 7) }))
}

/// Applies records to both the tally and the end of stream `s`.
struct Stream {
    tally: Box<dyn Tally>,
    at: u64,
}

impl Stream {
    fn apply(&mut self, records: Vec<Record>) {
        let next = batch("s", self.at, records);
        self.at += 10 * next.records as u64;
        assert_eq!(self.tally.apply(&next).unwrap(), Applied::Done);
    }

    fn round(&mut self, n: u8) -> BTreeMap<String, u64> {
        self.tally.round(&Hash([n; 32])).unwrap()
    }
}

fn named(work: &[(&str, u64)]) -> BTreeMap<String, u64> {
    work.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect()
}

#[test]
fn a_window_reaches_over_rounds_and_ends_in_whole_slices() {
    both(|open| {
        let mut stream = Stream { tally: open(), at: 0 };
        let window = Scheme::Pplns { window: WINDOW };
        // Before there is a whole window, all counts.
        stream.apply(vec![pplns("early", SLICE), block(1, window)]);
        assert_eq!(stream.round(1), named(&[("early", SLICE)]));
        // The round goes, the window stays.
        assert!(stream.tally.overview(1).unwrap().round.miners.is_empty());
        for _ in 0..31 {
            stream.apply(vec![pplns("late", SLICE)]);
        }
        stream.apply(vec![pplns("b", 99), block(2, window)]);
        let wanted = named(&[("b", 99), ("early", SLICE), ("late", 31 * SLICE)]);
        assert_eq!(stream.round(2), wanted, "one less than the window: a slice more");
        stream.apply(vec![pplns("b", 1), block(3, window)]);
        assert_eq!(stream.round(3), named(&[("b", 100), ("late", 31 * SLICE)]));
        // A smaller window of a block counts.
        stream.apply(vec![pplns("c", 7), block(4, Scheme::Pplns { window: 8 })]);
        assert_eq!(stream.round(4), named(&[("b", 100), ("c", 7)]));
        assert_eq!(stream.round(2), wanted, "what was cut stays");
        stream.apply(vec![pplns("c", 5)]);
        let round = stream.tally.overview(1).unwrap().round;
        assert_eq!(round.miners, named(&[("c", 5)]));
    });
}

#[test]
fn a_solo_block_is_its_finders_and_leaves_the_round_alone() {
    both(|open| {
        for shared in [Scheme::Prop, Scheme::Pplns { window: WINDOW }] {
            let mut stream = Stream { tally: open(), at: 0 };
            if let Some(&at) = stream.tally.positions().unwrap().get("s") {
                stream.at = at;
            }
            // The window holds what came before the first of the two, too.
            let (first, of_b) = if shared == Scheme::Prop { (1, 6) } else { (11, 12) };
            stream.apply(vec![pplns("a", 5), solo("finder", 1000), block(first, Scheme::Solo)]);
            assert_eq!(stream.round(first), named(&[("finder", 1)]));
            let all = stream.tally.overview(1).unwrap();
            assert_eq!(all.round.miners, named(&[("a", 5)]));
            stream.apply(vec![solo("finder", 1000), pplns("b", 6), block(first + 1, shared)]);
            assert_eq!(stream.round(first + 1)["b"], of_b);
            assert!(!stream.round(first + 1).contains_key("finder"));
        }
        let all = open().overview(9).unwrap();
        assert_eq!((all.accepted, all.blocks_found), (8, 4));
        assert_eq!(all.minutes[&0].weight, 2 * (5 + 1000 + 1000 + 6));
    });
}

#[test]
fn a_copy_of_the_tally_has_its_window() {
    both(|open| {
        let mut stream = Stream { tally: open(), at: 0 };
        for n in 0..50 {
            stream.apply(vec![pplns(&format!("w{}", n % 7), SLICE + n)]);
        }
        let sums = stream.tally.sums().unwrap();
        let window = Scheme::Pplns { window: WINDOW };
        stream.apply(vec![pplns("last", 1), block(1, window)]);
        let wanted = stream.round(1);
        drop(stream);

        let dir = tempfile::tempdir().unwrap();
        let path = sqlite_path(dir.path(), "litecoin");
        let mut other = sqlite::Sqlite::open(&path).unwrap();
        assert!(other.restore(&sums, &mut std::iter::empty()).unwrap());
        assert_eq!(other.sums().unwrap(), sums);
        let mut stream = Stream { tally: Box::new(other), at: 500 };
        stream.apply(vec![pplns("last", 1), block(1, window)]);
        assert_eq!(stream.round(1), wanted);
    });
    let Some(server) = Server::start() else { return };
    let mut tally = server.tally("litecoin");
    let mut sums = tally.sums().unwrap();
    sums.unit = Some(-10);
    sums.positions.insert("s".to_owned(), 10);
    sums.slices = [(7, named(&[("a", 99)])), (8, named(&[("b", 5)]))].into();
    assert!(tally.restore(&sums, &mut std::iter::empty()).unwrap());
    assert_eq!(tally.sums().unwrap(), sums);
    let mut stream = Stream { tally, at: 10 };
    stream.apply(vec![pplns("b", 1), block(1, Scheme::Pplns { window: WINDOW })]);
    assert_eq!(stream.round(1), named(&[("a", 99), ("b", 6)]));
}

#[test]
fn a_damaged_slice_fails_the_block_before_any_change() {
    let Some(server) = Server::start() else { return };
    let cut = || vec![pplns("a", 5), block(1, Scheme::Pplns { window: WINDOW })];
    for (key, field) in [("slice:0", "x"), ("slice:0", "a"), ("slices", "0"), ("slices", "x")] {
        server.command(&["FLUSHALL"]);
        let mut stream = Stream { tally: server.tally("litecoin"), at: 0 };
        stream.apply(vec![pplns("a", 1)]);
        let key = format!("romp:{{litecoin}}:{key}");
        server.command(&["HSET", &key, field, "1.5"]);
        assert!(server.tally("litecoin").apply(&batch("s", 10, cut())).is_err());
        let mut tally = server.tally("litecoin");
        assert_eq!(tally.positions().unwrap(), [("s".to_owned(), 10)].into());
        assert_eq!(tally.overview(1).unwrap().round.miners, named(&[("a", 1)]));
        match field {
            "x" => server.command(&["HDEL", &key, field]),
            _ => server.command(&["HSET", &key, field, "1"]),
        }
        assert_eq!(tally.apply(&batch("s", 10, cut())).unwrap(), Applied::Done);
    }
}

#[test]
fn a_slice_that_is_gone_or_something_else_is_named_and_nothing_is_left_behind() {
    let Some(server) = Server::start() else { return };
    let mut stream = Stream { tally: server.tally("litecoin"), at: 0 };
    stream.apply(vec![pplns("a", SLICE)]);
    stream.apply(vec![pplns("b", SLICE)]);
    let slice = "romp:{litecoin}:slice:0";
    let cut = || batch("s", 20, vec![pplns("c", 5), block(1, Scheme::Pplns { window: WINDOW })]);
    server.command(&["SET", slice, "x"]);
    let words = server.tally("litecoin").apply(&cut()).unwrap_err().to_string();
    assert!(words.contains("slice:0` is a string"), "{words}");
    server.command(&["DEL", slice]);
    let words = server.tally("litecoin").apply(&cut()).unwrap_err().to_string();
    assert!(words.contains("slice:0` is gone"), "{words}");
    server.command(&["HSET", slice, "a", "100"]);
    assert_eq!(server.tally("litecoin").apply(&cut()).unwrap(), Applied::Done);
    let mut stream = Stream { tally: server.tally("litecoin"), at: 40 };
    assert_eq!(stream.round(1), named(&[("a", 100), ("b", 100), ("c", 5)]));
}

#[test]
fn where_pplns_begins_the_open_round_is_in_its_window() {
    both(|open| {
        let mut stream = Stream { tally: open(), at: 0 };
        stream.apply(vec![share(1, "old", 7), share(1, "b", 1), solo("alone", 9)]);
        stream.apply(vec![pplns("b", 5), block(1, Scheme::Pplns { window: WINDOW })]);
        assert_eq!(stream.round(1), named(&[("old", 7), ("b", 6)]));
        // Once only, and later rounds are no part of it.
        stream.apply(vec![pplns("b", 1), block(2, Scheme::Pplns { window: WINDOW })]);
        assert_eq!(stream.round(2), named(&[("old", 7), ("b", 7)]));
        // A block of the window's without a share of it: what is there.
        stream.apply(vec![share(1, "old", 1), block(3, Scheme::Pplns { window: WINDOW })]);
        assert_eq!(stream.round(3), named(&[("old", 7), ("b", 7)]));
    });
}

/// What the slices should hold, kept in the simplest way.
#[derive(Default)]
struct Model(VecDeque<BTreeMap<String, u64>>);

impl Model {
    fn add(&mut self, credits: &BTreeMap<String, u64>) {
        if self.0.is_empty() {
            self.0.push_front(BTreeMap::new());
        }
        for (name, weight) in credits {
            *self.0[0].entry(name.clone()).or_default() += weight;
        }
        if self.0[0].values().sum::<u64>() >= SLICE {
            self.0.push_front(BTreeMap::new());
            let kept = self.newest(SLICE * SLICES_KEPT).len();
            self.0.truncate(kept);
        }
    }

    /// The newest slices that hold `wanted`.
    fn newest(&self, wanted: u64) -> Vec<BTreeMap<String, u64>> {
        let mut sum = 0;
        let mut newest = Vec::new();
        for slice in &self.0 {
            newest.push(slice.clone());
            sum += slice.values().sum::<u64>();
            if sum >= wanted {
                break;
            }
        }
        newest
    }

    fn window(&self, wanted: u64) -> BTreeMap<String, u64> {
        let mut window = BTreeMap::new();
        for (name, weight) in self.newest(wanted).into_iter().flatten() {
            *window.entry(name).or_default() += weight;
        }
        window
    }
}

#[test]
fn windows_are_those_of_the_simplest_model() {
    both(|open| {
        let mut random = fastrand::Rng::with_seed(7);
        let mut stream = Stream { tally: open(), at: 0 };
        let mut model = Model::default();
        for n in 0..120 {
            let mut credits = BTreeMap::new();
            for _ in 0..random.u64(1..4) {
                *credits.entry(format!("w{}", random.u8(0..9))).or_default() += random.u64(1..90);
            }
            let shares = credits.iter().map(|(name, &weight)| pplns(name, weight));
            stream.apply(shares.collect());
            model.add(&credits);
            let wanted = random.u64(1..2 * WINDOW);
            stream.apply(vec![block(n, Scheme::Pplns { window: wanted })]);
            assert_eq!(stream.round(n), model.window(wanted), "{n} {wanted}");
        }
        let kept = stream.tally.sums().unwrap().slices;
        assert!(kept.len() as u64 <= SLICES_KEPT + 1, "{}", kept.len());
    });
}
