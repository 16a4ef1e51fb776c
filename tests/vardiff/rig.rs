//! The miner's side: it speaks stratum, finds shares by chance, and is late with everything.

use crate::random::Random;
use serde_json::Value;
use std::collections::VecDeque;

/// A miner or a farm behind one connection.
#[derive(Clone)]
pub(crate) struct Rig {
    /// Milliseconds that a line takes from or to the pool.
    pub(crate) latency: u64,
    /// Milliseconds that it goes on with its old work after it heard of new work.
    pub(crate) lag: u64,
    /// Difficulty that it finds a share of each second, and from which millisecond on; rising.
    pub(crate) speed: Vec<(u64, f64)>,
    /// Connects again after so many milliseconds.
    pub(crate) reconnects: Option<u64>,
    /// Leaves and comes again, under another name, when it had so many shares.
    pub(crate) cheats: Option<u32>,
    /// The pool remembers nothing of it: what vardiff would be without the memory.
    pub(crate) is_forgotten: bool,
}

/// Work that it has: the job, and the difficulty it was told for it.
#[derive(Clone)]
pub(crate) struct Assigned {
    pub(crate) job: String,
    pub(crate) difficulty: f64,
}

/// What it knows on its present connection.
#[derive(Default)]
pub(crate) struct Head {
    told: f64,
    pub(crate) work: Option<Assigned>,
    /// Work that it begins at a time.
    next: VecDeque<(u64, Assigned)>,
    /// When it will find the next share, milliseconds.
    pub(crate) share_at: f64,
}

/// No share in sight.
const NEVER: f64 = 1e300;
/// A share a millisecond is what a connection is taken to carry.
const LEAST_GAP: f64 = 1.0;

impl Rig {
    /// Difficulty per second at a time, and when that changes next.
    pub(crate) fn speed(&self, now: u64) -> (f64, u64) {
        let index = self.speed.partition_point(|(from, _)| *from <= now);
        let speed = index.checked_sub(1).map_or(0.0, |index| self.speed[index].1);
        (speed, self.speed.get(index).map_or(u64::MAX, |(from, _)| *from))
    }
}

impl Head {
    /// Draws anew when the next share comes. Right at any time: what is memoryless may be
    /// forgotten.
    pub(crate) fn draw(&mut self, now: u64, speed: f64, random: &mut Random) {
        self.share_at = NEVER;
        if let Some(work) = &self.work
            && speed > 0.0
        {
            let mean = work.difficulty / speed * 1000.0;
            self.share_at = now as f64 + (mean * random.exponential()).max(LEAST_GAP);
        }
    }

    /// Hears one line of the pool.
    pub(crate) fn hear(&mut self, line: &str, now: u64, lag: u64) {
        let line: Value = serde_json::from_str(line).expect("the pool speaks JSON");
        let params = &line["params"];
        match line["method"].as_str() {
            Some("mining.set_difficulty") => self.told = params[0].as_f64().expect("a number"),
            Some("mining.notify") => {
                let job = params[0].as_str().expect("an id").to_owned();
                let clean = params[1].as_bool().expect("clean or not");
                // As cgminer and cpuminer do it: a difficulty counts from the next job on.
                let work = Assigned { job, difficulty: self.told };
                // All that comes in one packet is heard before the first work begins.
                let first = self.work.is_none();
                if clean {
                    self.next.clear();
                }
                self.next.push_back((now + if first || clean { 0 } else { lag }, work));
            }
            _ => {}
        }
    }

    /// When it begins its next work.
    pub(crate) fn switch_at(&self) -> u64 {
        self.next.front().map_or(u64::MAX, |(at, _)| *at)
    }

    /// Begins what is due; whether there was something.
    pub(crate) fn switch(&mut self, now: u64) -> bool {
        let mut switched = false;
        while self.switch_at() <= now {
            self.work = self.next.pop_front().map(|(_, work)| work);
            switched = true;
        }
        switched
    }
}
