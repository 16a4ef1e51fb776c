//! What is noted of a run.

use romp::stratum::{PortRules, Reject};

/// Rates are of ten minutes: forty shares at one each 15 s.
const BUCKET_MS: u64 = 600_000;
/// A jump of the miner's speed by this factor starts a new search.
const JUMP: f64 = 1.9;

/// How a search went.
#[derive(Clone, Copy, Default)]
pub(crate) struct Found {
    /// Milliseconds until the expected rate was within a factor of 2 of the wanted one.
    pub(crate) near_ms: Option<u64>,
    /// Milliseconds until it was within `variancePercent`.
    pub(crate) ms: u64,
    /// Shares until then.
    pub(crate) shares: u32,
}

/// Notes of one run.
pub(crate) struct Stats {
    /// Seconds wanted between shares, and the band of expected rates that counts as arrived.
    target_s: f64,
    band: (f64, f64),
    bounds: (f64, f64),
    speed: f64,
    difficulty: f64,
    at: u64,
    /// A search under way.
    search: Option<Found>,
    begin: u64,
    /// The searches that ended.
    pub(crate) found: Vec<Found>,
    /// Milliseconds of mining after the first arrival, and those within a factor of 2.
    settled: u64,
    close: u64,
    /// Changes told while settled, after which the difficulty was neither sought nor new.
    changes: u32,
    bucket: Bucket,
    /// Rates of whole ten minutes while settled, as parts of the wanted one.
    pub(crate) rates: Vec<f64>,
    pub(crate) shares: u64,
    pub(crate) connections: u32,
    /// Refused shares of the present tip: to a change, or to a mistake.
    pub(crate) refused: u32,
    /// Shares for a tip that was gone.
    pub(crate) late: u32,
    /// Accepted shares whose credit is not the difficulty that the miner worked at.
    pub(crate) miscredited: u32,
    credited: f64,
    work: f64,
    pub(crate) most_in_a_second: u32,
    second: (u64, u32),
}

#[derive(Default)]
struct Bucket {
    begin: u64,
    shares: u32,
    spoilt: bool,
}

impl Stats {
    pub(crate) fn new(rules: &PortRules) -> Self {
        let (target_s, variance, bounds) = match &rules.var_diff {
            Some(rules) => {
                let bounds = (rules.min.as_f64(), rules.max.as_f64());
                (rules.target_time, rules.variance_percent.max(30.0), bounds)
            }
            None => (15.0, 30.0, (0.0, f64::MAX)),
        };
        Self {
            target_s,
            band: (1.0 / (1.0 + variance / 100.0), 1.0 / (1.0 - variance / 100.0)),
            bounds,
            speed: 0.0,
            difficulty: 0.0,
            at: 0,
            search: Some(Found::default()),
            begin: 0,
            found: Vec::new(),
            settled: 0,
            close: 0,
            changes: 0,
            bucket: Bucket::default(),
            rates: Vec::new(),
            shares: 0,
            connections: 0,
            refused: 0,
            late: 0,
            miscredited: 0,
            credited: 0.0,
            work: 0.0,
            most_in_a_second: 0,
            second: (0, 0),
        }
    }

    /// Expected rate, as a part of the wanted one. At a bound the bound is what is wanted.
    fn rate(&self) -> f64 {
        let wanted = (self.speed * self.target_s).clamp(self.bounds.0, self.bounds.1);
        if self.difficulty > 0.0 { wanted / self.difficulty } else { 0.0 }
    }

    /// Accounts for the time since the last event.
    fn pass(&mut self, now: u64) {
        while now >= self.bucket.begin + BUCKET_MS {
            let Bucket { begin, shares, spoilt } = std::mem::take(&mut self.bucket);
            if !spoilt && self.search.is_none() && self.speed > 0.0 {
                let wanted = BUCKET_MS as f64 / 1000.0 / self.target_s;
                let wanted = wanted
                    * (self.speed * self.target_s
                        / (self.speed * self.target_s).clamp(self.bounds.0, self.bounds.1));
                self.rates.push(f64::from(shares) / wanted);
            }
            self.bucket.begin = begin + BUCKET_MS;
        }
        let ms = now - self.at;
        if self.search.is_none() && self.speed > 0.0 && self.difficulty > 0.0 {
            self.settled += ms;
            if (0.5..=2.0).contains(&self.rate()) {
                self.close += ms;
            }
            self.work += self.speed * ms as f64 / 1000.0;
        }
        self.at = now;
    }

    fn look(&mut self, now: u64) {
        let rate = self.rate();
        let Some(search) = &mut self.search else { return };
        search.ms = now - self.begin;
        if (0.5..=2.0).contains(&rate) {
            search.near_ms.get_or_insert(search.ms);
        }
        if (self.band.0..=self.band.1).contains(&rate) {
            self.found.extend(self.search.take());
            self.bucket.spoilt = true;
        }
    }

    pub(crate) fn speed(&mut self, now: u64, speed: f64) {
        self.pass(now);
        let jump = speed / self.speed.max(1e-300);
        if speed > 0.0 && !(1.0 / JUMP..=JUMP).contains(&jump) && now > 0 {
            self.search = Some(Found::default());
            self.begin = now;
        }
        self.bucket.spoilt |= (speed == 0.0) != (self.speed == 0.0);
        self.speed = speed;
        self.look(now);
    }

    /// The miner begins work of a difficulty; 0 when it has no connection.
    pub(crate) fn works_at(&mut self, now: u64, difficulty: f64) {
        self.pass(now);
        self.difficulty = difficulty;
        self.look(now);
    }

    pub(crate) fn told(&mut self, now: u64, lines: usize) {
        self.pass(now);
        if self.search.is_none() {
            self.changes += u32::try_from(lines).expect("few");
        }
    }

    pub(crate) fn share(
        &mut self,
        now: u64,
        verdict: Result<f64, Reject>,
        meant: f64,
        current: bool,
    ) {
        self.pass(now);
        if now / 1000 != self.second.0 {
            self.second = (now / 1000, 0);
        }
        self.second.1 += 1;
        self.most_in_a_second = self.most_in_a_second.max(self.second.1);
        match verdict {
            Ok(credit) => {
                self.shares += 1;
                self.bucket.shares += 1;
                if let Some(search) = &mut self.search {
                    search.shares += 1;
                } else {
                    self.credited += credit;
                }
                if (credit / meant - 1.0).abs() > 1e-12 {
                    self.miscredited += 1;
                }
            }
            Err(Reject::Stale) if !current => self.late += 1,
            Err(_) => self.refused += 1,
        }
    }

    pub(crate) fn finish(&mut self, now: u64) {
        self.pass(now);
    }

    /// Changes in an hour of settled mining.
    pub(crate) fn changes_an_hour(&self) -> f64 {
        f64::from(self.changes) / (self.settled as f64 / 3.6e6).max(1e-9)
    }

    /// The part of settled time in which the expected rate was within a factor of 2.
    pub(crate) fn close(&self) -> f64 {
        self.close as f64 / (self.settled as f64).max(1.0)
    }

    /// Credited work over work done, while settled.
    pub(crate) fn credit(&self) -> f64 {
        self.credited / self.work.max(1e-300)
    }

    /// Whether a search never ended.
    pub(crate) fn is_lost(&self) -> bool {
        self.found.is_empty()
    }
}
