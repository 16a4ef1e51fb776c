//! What a campaign is told on the command line.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// What `scripts/chaos --help` prints.
pub(crate) const HELP: &str = "\
Breaks a running pool at random for some minutes, and then checks the books.

    scripts/chaos [options]

  --minutes N      how long things are broken, fractions allowed (default 1)
  --store STORE    sqlite or redis: where the ledger is (default sqlite)
  --seed S         of the random numbers; the same seed chooses the same actions (default: the time)
  --clients C      miners (default 200)
  --rate R         shares a second that they send together (default 200)
  --workers W      worker processes (default 3)
  --log FILE       where the actions are written (default target/chaos/STORE-SEED.log)
  --release        builds and breaks the release binary

The pool, two litecoind that it works with and a third that keeps the chain, and redis-server run
in a temporary folder on free loopback ports. Exit code 0: every promise was kept. 1: one was not;
the difference is printed, and the pool's folder is kept beside the log.
";

/// Where the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Redis,
}

/// One campaign.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) length: Duration,
    pub(crate) store: Store,
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) rate: f64,
    pub(crate) workers: u16,
    pub(crate) log: PathBuf,
}

impl Options {
    /// Reads the arguments; `Err` is what to tell the caller.
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs());
        let mut options = Self {
            length: Duration::from_secs(60),
            store: Store::Sqlite,
            seed: now,
            clients: 200,
            rate: 200.0,
            workers: 3,
            log: PathBuf::new(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let wrong = || format!("{name} {value}: not understood");
            match name.as_str() {
                "--minutes" => {
                    let minutes: f64 = value.parse().map_err(|_| wrong())?;
                    let seconds = minutes * 60.0;
                    options.length = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
                }
                "--store" if value == "sqlite" => options.store = Store::Sqlite,
                "--store" if value == "redis" => options.store = Store::Redis,
                "--seed" => options.seed = value.parse().map_err(|_| wrong())?,
                "--clients" => options.clients = value.parse().map_err(|_| wrong())?,
                "--rate" => options.rate = value.parse().map_err(|_| wrong())?,
                "--workers" => options.workers = value.parse().map_err(|_| wrong())?,
                "--log" => options.log = value.into(),
                _ => return Err(wrong()),
            }
        }
        if options.clients == 0 || options.workers < 2 || !(0.1..1e5).contains(&options.rate) {
            return Err("at least one client, two workers and 0.1 shares a second".to_owned());
        }
        if options.log.as_os_str().is_empty() {
            let name = format!("{}-{}.log", options.store_name(), options.seed);
            let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
            options.log = target.parent().unwrap_or(&target).join("chaos").join(name);
        }
        Ok(options)
    }

    pub(crate) fn store_name(&self) -> &'static str {
        match self.store {
            Store::Sqlite => "sqlite",
            Store::Redis => "redis",
        }
    }
}
