//! `scripts/bench`: a load of miners and a daemon stub against the real release binary.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used
)]

mod clients;
#[path = "../../tests/it/harness/http.rs"]
mod http;
mod mixed;
mod moving;
mod report;
mod rounds;
mod scenarios;
mod server;
mod site;
mod slow;
mod stub;
mod tls;

use report::Report;
use scenarios::Bench;
use std::path::PathBuf;

const USAGE: &str = "usage: scripts/bench [--quick] [--redis] [--only NAME,...] [--binary ROMP] \
                     [--out FOLDER]\nscenarios: shares scrypt x11 mixed miners workers coins growth latency \
                     memory block connect idle rounds \
                     site slow tls moving";

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` must not load the machine; only `cargo bench` says so.
    let Some(place) = arguments.iter().position(|argument| argument == "--bench") else { return };
    arguments.remove(place);
    let command = format!("scripts/bench {}", arguments.join(" "));
    let (mut quick, mut redis, mut only) = (false, false, None);
    let mut binary = PathBuf::from(env!("CARGO_BIN_EXE_romp"));
    let mut out = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().unwrap_or_else(|| end());
        match argument.as_str() {
            "--quick" => quick = true,
            "--redis" => redis = true,
            "--only" => only = Some(value()),
            "--binary" => binary = value().into(),
            "--out" => out = value().into(),
            _ => end(),
        }
    }
    let machine = report::machine();
    println!("{machine}{}", if quick { ", quick" } else { "" });
    let mut bench = Bench::new(binary, quick, redis, Report::default());
    for (name, run) in scenarios::ALL {
        if only.as_ref().is_none_or(|only| only.split(',').any(|wanted| wanted == name)) {
            run(&mut bench);
        }
    }
    bench.report.save(&out, &machine, command.trim());
}

fn end() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2)
}
