//! Getting Started: for the coin, the hardware, the port and the address that a visitor chose, what
//! to write where.

use super::super::forwarded::Asker;
use super::super::routes::Site;
use super::super::text::{host_of, shown};
use super::frame::Frame;
use super::page_or_part;
use super::ports::{ENCRYPTED, PortView};
use super::view::{self, PoolView};
use crate::config::PortTls;
use crate::sys::clock::unix_ms;
use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

/// Hardware by its name in links, and in words.
const HARDWARE: [(&str, &str); 4] = [
    ("asic", "ASIC"),
    ("gpu", "Graphics card"),
    ("cpu", "Processor"),
    ("proxy", "Rented hash power, proxy"),
];
/// What stands for the visitor's address until it is known.
const ADDRESS: &str = "ADDRESS";
/// Longest address that is taken into a command.
const LONGEST: usize = 128;

/// What cpuminer-opt and ccminer call an algorithm; empty: they do not know it.
const CALLED: [(&str, &str, &str); 29] = [
    ("allium", "allium", "allium"),
    ("blake", "blakecoin", "blakecoin"),
    ("c11", "c11", "c11"),
    ("fresh", "", "fresh"),
    ("fugue", "", "fugue256"),
    ("groestl", "groestl", "groestl"),
    ("groestlmyriad", "myr-gr", "myr-gr"),
    ("keccak", "keccak", "keccak"),
    ("lyra2re", "lyra2re", "lyra2"),
    ("lyra2rev2", "lyra2rev2", "lyra2v2"),
    ("lyra2rev3", "lyra2rev3", "lyra2v3"),
    ("lyra2z", "lyra2z", "lyra2z"),
    ("minotaurx", "minotaurx", ""),
    ("neoscrypt", "neoscrypt", "neoscrypt"),
    ("nist5", "nist5", "nist5"),
    ("quark", "quark", "quark"),
    ("qubit", "qubit", "qubit"),
    ("shavite3", "shavite3", ""),
    ("skein", "skein", "skein"),
    ("whirlpoolx", "whirlpoolx", ""),
    ("x11", "x11", "x11"),
    ("x13", "x13", "x13"),
    ("x14", "x14", "x14"),
    ("x15", "x15", "x15"),
    ("x16r", "x16r", "x16r"),
    ("x16rt", "x16rt", ""),
    ("x16rv2", "x16rv2", ""),
    ("x17", "x17", "x17"),
    ("yescrypt", "yescrypt", ""),
];

/// What the visitor chose.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Chosen {
    coin: String,
    hardware: String,
    port: String,
    address: String,
    part: String,
}

/// A choice, and where it leads.
struct Choice {
    name: String,
    link: String,
    chosen: bool,
}

/// A program's command line.
struct Command {
    program: &'static str,
    line: String,
}

/// The chosen port.
struct Picked {
    pool: PoolView,
    port: PortView,
    ports: Vec<(PortView, Choice)>,
    url: String,
    /// The same with TLS, where that is a choice.
    encrypted: Option<String>,
    /// Whether any of the ports speaks TLS.
    has_tls: bool,
    user: String,
    commands: Vec<Command>,
}

#[derive(Template)]
#[template(path = "getting_started.html")]
struct GettingStarted {
    frame: Frame,
    words: String,
    host: String,
    address: String,
    coins: Vec<Choice>,
    hardware: Vec<Choice>,
    hardware_id: &'static str,
    picked: Option<Picked>,
}

/// `/getting_started`.
pub(in super::super) async fn getting_started(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    Query(chosen): Query<Chosen>,
    headers: HeaderMap,
) -> Response {
    page(&site, &asker, &headers, &chosen, !chosen.part.is_empty())
}

/// The page, or what is within its `main`.
pub(super) fn page(
    site: &Site,
    asker: &Asker,
    headers: &HeaderMap,
    chosen: &Chosen,
    part: bool,
) -> Response {
    let now = unix_ms();
    let snapshot = site.now();
    let frame = Frame::new(site, "/getting_started", "Getting started", now);
    let host = site.settings.stratum_host.clone().unwrap_or_else(|| visited(asker));
    let address = chosen.address.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b':';
    let fine = address.len() <= LONGEST && address.bytes().all(plain);
    let address = if fine && !address.is_empty() { address } else { ADDRESS };
    let hardware = HARDWARE.into_iter().map(|(id, _)| id).find(|id| *id == chosen.hardware);
    let hardware_id = hardware.unwrap_or("asic");
    let pools = &site.config.pools;
    let first = pools.first_key_value();
    let pool = pools.get_key_value(&chosen.coin).or(first);
    let picked = pool.and_then(|(id, pool)| {
        let view = view::terms(&snapshot, id, pool);
        let asked = view.ports.iter().find(|port| port.port.to_string() == chosen.port);
        let shared = view.ports.iter().find(|port| !port.is_solo);
        let port = asked.or(shared).or(view.ports.first())?.clone();
        let ports = view.ports.iter().map(|one| {
            let choice = Choice {
                name: one.port.to_string(),
                link: link(id, hardware_id, Some(one.port), address),
                chosen: one.port == port.port,
            };
            (one.clone(), choice)
        });
        let (url, user) =
            (format!("{}://{host}:{}", port.protocol(), port.port), format!("{address}.rig1"));
        let is_choice = port.tls == PortTls::Both;
        let encrypted = is_choice.then(|| format!("{}://{host}:{}", ENCRYPTED, port.port));
        let has_tls = view.ports.iter().any(|port| port.tls != PortTls::Off);
        let commands = commands(&view.algorithm, hardware_id, &url, &user);
        let ports = ports.collect();
        Some(Picked { ports, port, url, encrypted, has_tls, user, commands, pool: view })
    });
    let coin = picked.as_ref().map(|picked| picked.pool.id.clone()).unwrap_or_default();
    let coins = pools.iter().map(|(id, pool)| Choice {
        name: shown(&pool.coin.name),
        link: link(id, hardware_id, None, address),
        chosen: *id == coin,
    });
    let hardware = HARDWARE.into_iter().map(|(id, name)| Choice {
        name: name.to_owned(),
        link: link(&coin, id, picked.as_ref().map(|picked| picked.port.port), address),
        chosen: id == hardware_id,
    });
    let template = GettingStarted {
        frame,
        words: site.own.getting_started.clone(),
        host,
        address: if address == ADDRESS { String::new() } else { address.to_owned() },
        coins: coins.collect(),
        hardware: hardware.collect(),
        hardware_id,
        picked,
    };
    page_or_part(headers, part, &template)
}

fn link(coin: &str, hardware: &str, port: Option<u16>, address: &str) -> String {
    let mut link = format!("/getting_started?coin={coin}&hardware={hardware}");
    if let Some(port) = port {
        link.push_str(&format!("&port={port}"));
    }
    if address != ADDRESS {
        link.push_str(&format!("&address={address}"));
    }
    link
}

/// Known miners of an algorithm, and what to start them with.
fn commands(algorithm: &str, hardware: &str, url: &str, user: &str) -> Vec<Command> {
    // What is before `-o`: options differ, the rest does not.
    let known: &[(&str, &str)] = match (algorithm, hardware) {
        ("scrypt", "cpu") => &[
            ("cpuminer (minerd)", "minerd -a scrypt"),
            ("cpuminer-opt, cpuminer-multi", "cpuminer -a scrypt"),
        ],
        ("sha256", "cpu") => &[
            ("cpuminer (minerd)", "minerd -a sha256d"),
            ("cpuminer-opt, cpuminer-multi", "cpuminer -a sha256d"),
        ],
        ("scrypt", "gpu") => &[
            ("ccminer (NVIDIA)", "ccminer -a scrypt"),
            ("sgminer (AMD)", "sgminer --algorithm scrypt"),
            ("cgminer 3.7", "cgminer --scrypt"),
        ],
        ("sha256", "gpu") => &[
            ("ccminer (NVIDIA)", "ccminer -a sha256d"),
            ("bfgminer (OpenCL)", "bfgminer -S opencl:auto"),
        ],
        ("scrypt", "asic") => &[
            ("cgminer, with USB miners", "cgminer --scrypt"),
            ("bfgminer, with USB miners", "bfgminer --scrypt"),
        ],
        ("sha256", "asic") => {
            &[("cgminer, with USB miners", "cgminer"), ("bfgminer, with USB miners", "bfgminer")]
        }
        _ => &[],
    };
    let mut programs: Vec<(&'static str, String)> =
        known.iter().map(|(program, begin)| (*program, (*begin).to_owned())).collect();
    let called = CALLED.into_iter().find(|it| it.0 == algorithm);
    match (hardware, called) {
        ("cpu", Some((_, name, _))) if !name.is_empty() => {
            programs.push(("cpuminer-opt", format!("cpuminer -a {name}")));
        }
        ("gpu", Some((_, _, name))) if !name.is_empty() => {
            programs.push(("ccminer (NVIDIA)", format!("ccminer -a {name}")));
        }
        _ => {}
    }
    if hardware == "cpu" && known.is_empty() {
        programs.push(("romp, for a first try", format!("romp miner -a {algorithm}")));
    }
    let command =
        |(program, begin)| Command { program, line: format!("{begin} -o {url} -u {user} -p x") };
    programs.into_iter().map(command).collect()
}

/// The name by which the visitor came, without its port.
fn visited(asker: &Asker) -> String {
    asker.host.as_deref().and_then(host_of).unwrap_or_else(|| "POOL".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pow::Algorithm;

    #[test]
    fn every_algorithm_has_a_command_and_the_usual_ones_for_all_that_runs_programs() {
        for algorithm in Algorithm::ALL {
            let name = algorithm.name();
            for hardware in ["cpu", "gpu", "asic"] {
                let all = commands(name, hardware, "stratum+tcp://x:1", "A.rig1");
                let usual = ["sha256", "scrypt"].contains(&name);
                assert!(!all.is_empty() || hardware != "cpu" && !usual, "{name} {hardware}");
                for command in all {
                    assert!(command.line.ends_with(" -o stratum+tcp://x:1 -u A.rig1 -p x"));
                }
            }
        }
        for (name, ..) in CALLED {
            assert!(Algorithm::from_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_visitors_name_for_the_pool_is_taken_when_it_is_one() {
        for (host, name) in [
            ("pool.example:81", "pool.example"),
            ("[::1]:80", "[::1]"),
            ("a\"><b", "POOL"),
            ("", "POOL"),
        ] {
            let asker =
                Asker { address: [192, 0, 2, 1].into(), secure: false, host: Some(host.into()) };
            assert_eq!(visited(&asker), name);
        }
    }
}
