//! Breaks a running pool at random and checks the books; driven by `scripts/chaos`.
//!
//! The real binary works with a pair of real litecoind and SQLite or Redis, under a load of miners
//! that remember what they were told. Afterwards everything that was acknowledged must be in the
//! journals and in the ledger, once, and nothing else but what was in flight when a connection
//! ended; every block that was found must be recorded; no process may be left, and no process may
//! have grown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a campaign fails by panicking, and tells what it does on stdout"
)]

mod books;
mod diary;
mod faults;
#[path = "../it/harness/mod.rs"]
mod harness;
mod load;
mod options;
mod random;
mod reckoning;
mod scene;
mod stores;
mod vandals;
mod vitals;

use load::Load;
use options::Options;
use scene::Scene;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use vandals::Vandals;
use vitals::Vitals;

/// How long miners may take until each has had a share accepted.
const SERVED: Duration = Duration::from_secs(90);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("campaign") {
        println!("nothing is broken without being asked for: see scripts/chaos --help");
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = arguments.collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{}", options::HELP);
        return ExitCode::SUCCESS;
    }
    match Options::read(arguments) {
        Ok(options) => campaign(options),
        Err(words) => {
            eprintln!("scripts/chaos: {words} (see --help)");
            ExitCode::from(2)
        }
    }
}

fn campaign(options: Options) -> ExitCode {
    println!(
        "chaos: {} for {:?}, seed {}; log {}",
        options.store_name(),
        options.length,
        options.seed,
        options.log.display()
    );
    let (length, rate) = (options.length, options.rate);
    let mut scene = Scene::start(options);
    let mut vitals = Vitals::default();
    let mut random = scene.random.fork();
    vitals.alone(&scene.processes());
    let load = Load::start(&scene.shared, rate, &mut random);
    scene.all_served(SERVED);
    let processes = scene.processes();
    vitals.warm(&processes);
    scene.shared.restless.store(true, Ordering::Relaxed);
    let vandals = Vandals::start(&scene.shared, scene.romp.notify_port, &mut random);

    scene.diary.note("faults begin");
    let start = Instant::now();
    let (mut next, mut look) = (start, start);
    while start.elapsed() < length {
        scene.turn();
        let now = Instant::now();
        if next <= now {
            scene.fault();
            next = now + scene.random.time(150, 3000);
        }
        if look <= now {
            let processes = scene.processes();
            vitals.look(&processes);
            look = now + Duration::from_secs(1);
        }
        let (time, sent) = (scene.diary.elapsed(), scene.shared.sent.load(Ordering::Relaxed));
        let (accepted, faults) =
            (scene.shared.served().iter().sum::<u64>(), scene.diary.counts.values().sum::<u64>());
        scene.diary.progress(|| {
            let time = time.as_secs();
            format!("{time:5} s: {faults} faults, {sent} shares sent, {accepted} accepted")
        });
        std::thread::sleep(Duration::from_millis(10));
    }
    scene.calm();
    scene.all_served(SERVED);
    let report = load.finish();
    vandals.finish();
    scene.reckon(&report, vitals)
}
