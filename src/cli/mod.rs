//! The command line: `romp [-C DIR] COMMAND`.
//!
//! Exit codes: 0 done, 1 failed, 2 not understood, 3 the pool is not running, 78 the
//! configuration is wrong.

pub mod audit;
pub mod bans;
pub mod bench;
pub mod blocknotify;
pub mod blocks;
pub mod book;
pub mod check;
pub mod doctor;
pub mod history;
pub mod import;
mod manual;
pub mod notify;
pub mod password;
mod payouts;
pub mod pow;
pub mod rebuild;
mod resolve;
pub mod run;
pub mod schema;
pub mod shares;
pub mod status;
mod thresholds;

use crate::miner;
use crate::pow::Algorithm;
use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Done.
pub const DONE: u8 = 0;
/// Failed.
pub const FAILED: u8 = 1;
/// The command line was not understood.
pub const USAGE: u8 = 2;
/// The pool is not running.
pub const NOT_RUNNING: u8 = 3;
/// The configuration is wrong.
pub const CONFIGURATION: u8 = 78;

/// romp, the Rust Open Mining Portal: a mining-pool server.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    /// Folder with config.json, coins/ and pool_configs/
    #[arg(short = 'C', value_name = "DIR", default_value = ".", global = true)]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server in the foreground
    Run,
    /// Check the configuration: exit code 0 when it is right, 78 when not
    Check,
    /// Examine the coin daemons: do address, algorithm and blocks fit them? Exit code 0 when all is
    /// well, 1 when a daemon could not be examined, 78 when something has to be corrected
    Doctor {
        /// Only that coin, as its pool names it
        coin: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the configuration files, or the description of the API
    Schema {
        /// Only that of one kind of file: config, coin or pool; or api: OpenAPI of `/api/v1`
        kind: Option<String>,
    },
    /// Read a password and print its hash, for the Admin Center
    Password,
    /// Show how the running pool is
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show, add and lift bans of the running pool
    Bans {
        #[command(subcommand)]
        action: Option<bans::Action>,
        /// As JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Show the accepted shares of a coin from its ledger; works while the pool is down
    Shares {
        /// Coin, as its pool names it
        coin: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the found blocks of a coin from its ledger; works while the pool is down
    Blocks {
        /// Coin, as its pool names it
        coin: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show hash rate, shares and refused shares of a coin over time; works while the pool is down
    History {
        /// Coin, as its pool names it
        coin: String,
        /// Only the workers of that address, each for itself
        address: Option<String>,
        /// How far back
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=87_600))]
        hours: u32,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a coin's book up, and compare it with the chain: exit code 0 when all of it agrees
    Audit {
        /// Coin, as its pool names it
        coin: String,
        /// Without asking daemon and wallet
        #[arg(long)]
        offline: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what an address is owed and has been paid
    Balance {
        /// Coin, as its pool names it
        coin: String,
        /// Address
        address: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the payouts of a coin, and set addresses aside
    Payouts {
        /// Coin, as its pool names it
        coin: String,
        #[command(subcommand)]
        action: Option<book::Action>,
        /// As JSON
        #[arg(long, global = true)]
        json: bool,
    },
    /// Show who had which part of a credited block, computed again
    Verify {
        /// Coin, as its pool names it
        coin: String,
        /// Hash of the block
        block: String,
        /// Only that address
        address: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring balances and pending blocks from NOMP or MPOS into a coin's book: a dry run without
    /// --apply. Exit code 1 when something is refused
    Import {
        #[command(subcommand)]
        from: import::From,
    },
    /// Try and show how the operator is told what happens
    Notify {
        #[command(subcommand)]
        action: notify::Action,
    },
    /// Empty a coin's ledger and fill it anew, exactly, from journals and checkpoint; also while
    /// the pool runs
    Rebuild {
        /// Coin, as its pool names it
        coin: String,
        /// Also when journals are deleted that no checkpoint covers
        #[arg(long)]
        accept_loss: bool,
    },
    /// Tell a pool that a coin has a new block: for the daemon's `blocknotify=`
    Blocknotify {
        /// Where the pool listens, e.g. 127.0.0.1:8117
        #[arg(value_name = "HOST:PORT")]
        pool: String,
        /// Password of `blockNotifyListener`
        #[arg(allow_hyphen_values = true)]
        password: String,
        /// Coin, as its pool names it
        coin: String,
        /// Hash of the block: `%s` in the daemon's configuration
        hash: String,
    },
    /// Write man pages and shell completions into a folder, for packages
    #[command(hide = true)]
    Manual {
        /// Folder
        folder: PathBuf,
    },
    /// Show the proof of work of one block header, and its difficulty
    Pow(pow::Options),
    /// Measure how fast this machine is
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Mine with the processor, to try a pool
    Miner {
        /// Proof of work
        #[arg(short, value_parser = PossibleValuesParser::new(algorithms()))]
        algorithm: String,
        #[command(flatten)]
        n: pow::ChosenN,
        /// Threads
        #[arg(short, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        threads: u16,
        /// Pool, e.g. stratum+tcp://127.0.0.1:3032, or stratum+ssl://pool.example:3033 with TLS
        #[arg(short = 'o', value_name = "URL")]
        url: String,
        /// Worker name: address, or address.rig
        #[arg(short)]
        user: String,
        /// Worker password
        #[arg(short, default_value = "x")]
        password: String,
        /// End after so many seconds
        #[arg(long)]
        seconds: Option<u64>,
        #[command(flatten)]
        tls: MinerTls,
    },
}

/// TLS of the built-in miner.
#[derive(Debug, Args)]
struct MinerTls {
    /// TLS, whatever the address says; a certificate that browsers would believe is wanted
    #[arg(long)]
    tls: bool,
    /// TLS; a certificate of this PEM file, or one that they have signed, is wanted
    #[arg(long, value_name = "FILE", conflicts_with = "tls_insecure")]
    tls_ca: Option<PathBuf>,
    /// TLS; any certificate will do
    #[arg(long)]
    tls_insecure: bool,
}

impl MinerTls {
    fn trust(self) -> Option<miner::Trust> {
        match self.tls_ca {
            Some(file) => Some(miner::Trust::File(file)),
            None if self.tls_insecure => Some(miner::Trust::Any),
            None => self.tls.then_some(miner::Trust::Web),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Proofs of work a second, of each algorithm on one core
    Pow {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

fn algorithms() -> Vec<&'static str> {
    Algorithm::ALL.into_iter().map(Algorithm::name).collect()
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { dir, command } = Arguments::parse();
    if !matches!(command, Command::Run | Command::Miner { .. }) {
        crate::sys::signals::end_with_the_pipe();
    }
    ExitCode::from(match command {
        Command::Run => run::run(&dir),
        Command::Check => check::run(&dir),
        Command::Doctor { coin, json } => doctor::run(&dir, coin.as_deref(), json),
        Command::Schema { kind } => schema::run(kind.as_deref()),
        Command::Password => password::run(),
        Command::Status { json } => status::run(&dir, json),
        Command::Bans { action, json } => {
            bans::run(&dir, &action.unwrap_or(bans::Action::List), json)
        }
        Command::Shares { coin, json } => shares::run(&dir, &coin, json),
        Command::Blocks { coin, json } => blocks::run(&dir, &coin, json),
        Command::History { coin, address, hours, json } => {
            history::run(&dir, &coin, address.as_deref(), hours, json)
        }
        Command::Audit { coin, offline, json } => audit::run(&dir, &coin, offline, json),
        Command::Balance { coin, address, json } => book::balance(&dir, &coin, &address, json),
        Command::Payouts { coin, action, json } => {
            book::payouts(&dir, &coin, &action.unwrap_or(book::Action::List { all: false }), json)
        }
        Command::Verify { coin, block, address, json } => {
            book::verify(&dir, &coin, &block, address.as_deref(), json)
        }
        Command::Import { from } => import::run(&dir, &from),
        Command::Notify { action } => notify::run(&dir, &action),
        Command::Rebuild { coin, accept_loss } => rebuild::run(&dir, &coin, accept_loss),
        Command::Manual { folder } => manual::run(Arguments::command(), &folder),
        Command::Pow(options) => pow::run(&options),
        Command::Bench { what: Bench::Pow { json } } => bench::pow(json),
        Command::Blocknotify { pool, password, coin, hash } => {
            blocknotify::run(&pool, &password, &coin, &hash)
        }
        Command::Miner { algorithm, n, threads, url, user, password, seconds, tls } => {
            let algorithm = match n.of(&algorithm) {
                Ok(algorithm) => algorithm,
                Err(error) => return ExitCode::from(pow::refuse(&error)),
            };
            let threads = usize::from(threads);
            let tls = tls.trust();
            miner::run(miner::Options { algorithm, threads, url, tls, user, password, seconds })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (line, understood) in [
            ("romp run", true),
            ("romp -C /srv/pool status --json", true),
            ("romp doctor", true),
            ("romp doctor litecoin --json", true),
            ("romp doctor litecoin bitcoin", false),
            ("romp blocknotify localhost:8117 test litecoin 00ff", true),
            ("romp pow x11 00ff", true),
            ("romp pow scrypt-n 00ff --n 2048 --json", true),
            ("romp pow scrypt-jane 00ff --n-factor 300", false),
            ("romp miner -a scrypt-n --n 2048 -o stratum+tcp://h:1 -u a", true),
            ("romp pow md5 00ff", false),
            ("romp bench pow --json", true),
            ("romp bench", false),
            ("romp password", true),
            ("romp password hunter2", false),
            ("romp manual", false),
            ("romp manual /tmp/manual", true),
            ("romp miner -a scrypt -t 2 -o stratum+tcp://h:1 -u a.b -p x --seconds 5", true),
            ("romp", false),
            ("romp frobnicate", false),
            ("romp status --port abc", false),
            ("romp shares", false),
            ("romp history litecoin", true),
            ("romp history litecoin L --hours 720 --json", true),
            ("romp history litecoin --hours 0", false),
            ("romp bans", true),
            ("romp bans add 192.0.2.7 --for 10m --reason why", true),
            ("romp bans remove 192.0.2.0/24 --json", true),
            ("romp bans add", false),
            ("romp audit litecoin --offline --json", true),
            ("romp balance litecoin", false),
            ("romp payouts litecoin --json", true),
            ("romp payouts litecoin hold L --reason why", true),
            ("romp payouts litecoin begin --without-old", true),
            ("romp payouts litecoin adopt", true),
            ("romp payouts litecoin retry", true),
            ("romp payouts litecoin void", false),
            ("romp payouts litecoin void 00ff", true),
            ("romp payouts litecoin assign ?x L", true),
            ("romp verify litecoin 00ff L", true),
            ("romp import nomp litecoin --redis 127.0.0.1:6379/1 --balances-in coins", true),
            ("romp import nomp litecoin", false),
            ("romp import nomp litecoin --redis h:1 --balances-in euros", false),
            ("romp import mpos litecoin --apply --json", true),
            ("romp import mpos litecoin --mysql h:1", false),
            ("romp import mpos litecoin --mysql h:1 --user u --database d", true),
            ("romp notify", false),
            ("romp notify test", true),
            ("romp notify test --event block-found --event daemon-up --to 2", true),
            ("romp notify test --to mail", true),
            ("romp notify test --event nothing", false),
            ("romp notify list --json", true),
            ("romp bans add 192.0.2.7 --for 10w", false),
            ("romp miner -a md5 -o x -u y", false),
            ("romp miner -a scrypt -t 0 -o x -u y", false),
        ] {
            assert_eq!(Arguments::try_parse_from(line.split(' ')).is_ok(), understood, "{line}");
        }
    }
}
