//! What the operator is told of a coin: `CoinStatus` for `status`, and lines in the log.

use super::notices::Notices;
use crate::daemon::choice::{Judge, Standing};
use crate::ipc::{CoinStatus, DaemonStatus, TipState};
use crate::special;
use crate::sys::clock;

/// At least so often, changed or not.
const EVERY_MS: u64 = 2_000;
/// How often download progress is logged.
const PROGRESS_MS: u64 = 10_000;
/// How often it is said that no daemon is fresh.
const NAG_MS: u64 = 60_000;
/// A coin without a fresh daemon for less than this is not worth a line.
const BLINK_MS: u64 = 3_000;

/// What is shown as it is.
#[derive(Clone, Copy)]
pub(super) struct Numbers<'a> {
    /// Unix milliseconds of the last work.
    pub(super) work_at: Option<u64>,
    /// Network difficulty.
    pub(super) difficulty: Option<f64>,
    /// How new tips were noticed.
    pub(super) notices: &'a Notices,
}

/// Tells of one coin.
#[derive(Debug)]
pub(super) struct Teller {
    coin: String,
    last: Option<(CoinStatus, u64)>,
    /// Since when no daemon has been fresh, monotonic and unix; none before the first one was.
    gone: Option<(u64, u64)>,
    was_fresh: bool,
    nagged: Option<u64>,
    progress: Option<u64>,
    standings: Vec<Standing>,
}

impl Teller {
    pub(super) fn new(coin: &str) -> Self {
        Self {
            coin: coin.to_owned(),
            last: None,
            gone: None,
            was_fresh: false,
            nagged: None,
            progress: None,
            standings: Vec::new(),
        }
    }

    /// The coin's status when it has to be sent: on change, and every 2 s.
    pub(super) fn status(
        &mut self,
        judge: &Judge,
        addresses: &[&str],
        now: u64,
        problem: Option<&str>,
        Numbers { work_at, difficulty, notices }: Numbers<'_>,
    ) -> Option<CoinStatus> {
        let standings: Vec<Standing> =
            (0..addresses.len()).map(|daemon| judge.standing(daemon, now)).collect();
        self.log_changes(&standings, addresses);
        let working = judge.chosen().and_then(|daemon| standings.get(daemon)).is_some_and(|it| {
            problem.is_none() && matches!(it, Standing::Fresh | Standing::Behind { .. })
        });
        self.was_fresh |= work_at.is_some();
        let state = self.state(working, &standings, now);
        // Why there is no plan is said where it is found out.
        if problem.is_none() {
            self.log_state(&state, &standings, addresses, now);
        }
        let daemons = standings.iter().zip(addresses).enumerate();
        let top = judge.top(now);
        let status = CoinStatus {
            coin: self.coin.clone(),
            state,
            height: top.map(|top| top.height),
            tip: top.map(|top| top.tip),
            difficulty,
            work_at,
            daemons: daemons
                .map(|(index, (standing, address))| {
                    let chosen = judge.chosen() == Some(index);
                    DaemonStatus {
                        address: (*address).to_owned(),
                        fresh: *standing == Standing::Fresh,
                        chosen,
                        height: judge.seen(index).map(|seen| seen.height),
                        problem: words(standing)
                            .or_else(|| problem.filter(|_| chosen).map(str::to_owned)),
                        latency: judge.latency(index),
                    }
                })
                .collect(),
            noticed: notices.tally.firsts(),
            notices: notices.tally.show(),
            notice_to_work: notices.spread.show(),
        };
        let unchanged = self.last.as_ref().is_some_and(|(last, at)| {
            now.saturating_sub(*at) < EVERY_MS && essence(last) == essence(&status)
        });
        if unchanged {
            return None;
        }
        self.last = Some((status.clone(), now));
        Some(status)
    }

    fn state(&mut self, working: bool, standings: &[Standing], now: u64) -> TipState {
        if working {
            self.gone = None;
            return TipState::Fresh;
        }
        if self.was_fresh {
            let (_, since) = *self.gone.get_or_insert_with(|| (now, clock::unix_ms()));
            return TipState::Stale { since };
        }
        // The one that is furthest.
        let furthest = standings.iter().filter_map(|standing| match standing {
            Standing::Syncing { blocks, headers } => Some((*blocks, *headers)),
            _ => None,
        });
        match furthest.max() {
            Some((blocks, headers)) => TipState::Syncing { blocks, headers },
            None => TipState::Waiting,
        }
    }

    fn log_changes(&mut self, standings: &[Standing], addresses: &[&str]) {
        for (index, (standing, address)) in standings.iter().zip(addresses).enumerate() {
            let before = self.standings.get(index);
            let same = before.is_some_and(|before| same_line(before, standing));
            match (standing, before) {
                _ if same => {}
                (Standing::Fresh, None | Some(Standing::Waiting)) => {
                    log::debug!("{}: daemon {address} is ready", self.coin);
                }
                // One block behind for a moment is how blocks travel.
                (Standing::Fresh, Some(Standing::Behind { by: 0..=2 })) => {}
                (Standing::Behind { by: 0..=2 }, _) => {}
                (Standing::Fresh, Some(_)) => {
                    special!("{}: daemon {address} is ready again", self.coin);
                }
                (standing, _) => {
                    if let Some(words) = words(standing) {
                        log::warn!("{}: daemon {address}: {words}", self.coin);
                    }
                }
            }
        }
        self.standings = standings.to_vec();
    }

    fn log_state(
        &mut self,
        state: &TipState,
        standings: &[Standing],
        addresses: &[&str],
        now: u64,
    ) {
        let due = |at: Option<u64>, every| at.is_none_or(|at| now.saturating_sub(at) >= every);
        match state {
            TipState::Syncing { blocks, headers } if due(self.progress, PROGRESS_MS) => {
                self.progress = Some(now);
                special!(
                    "{}: the daemon is downloading the chain, {} % ({blocks} of {headers} \
                     blocks); the pool starts by itself when it is done",
                    self.coin,
                    percent(*blocks, *headers)
                );
            }
            TipState::Stale { .. } => {
                let long = self.gone.is_some_and(|(at, _)| now.saturating_sub(at) >= BLINK_MS);
                if long && due(self.nagged, NAG_MS) {
                    self.nagged = Some(now);
                    let problems = problems(standings, addresses);
                    log::error!(
                        "{}: no daemon can give work, miners are sent away when what they have is \
                         too old. {problems}",
                        self.coin
                    );
                }
            }
            // The first moment belongs to the first answers.
            TipState::Waiting
                if due(self.nagged, NAG_MS)
                    && standings.iter().all(|standing| *standing != Standing::Waiting) =>
            {
                self.nagged = Some(now);
                let problems = problems(standings, addresses);
                log::error!("{}: waiting for a daemon. {problems}", self.coin);
            }
            TipState::Fresh if self.nagged.take().is_some() => {
                special!("{}: a daemon is there", self.coin);
            }
            _ => {}
        }
    }
}

/// What is wrong, in words; `None` when nothing is.
fn words(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Fresh | Standing::Waiting => None,
        Standing::Behind { by } => Some(format!("{by} blocks behind another daemon")),
        Standing::Syncing { blocks, headers } => Some(format!(
            "downloading the chain, {} % ({blocks} of {headers} blocks)",
            percent(*blocks, *headers)
        )),
        Standing::Failing(problem) => Some(problem.clone()),
    }
}

/// Two decimals, as NOMP shows it; never 100 before it is done.
fn percent(blocks: u64, headers: u64) -> String {
    let hundredths = u128::from(blocks) * 10_000 / u128::from(headers.max(1));
    let hundredths = hundredths.min(if blocks < headers { 9_999 } else { 10_000 });
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn problems(standings: &[Standing], addresses: &[&str]) -> String {
    let all = standings.iter().zip(addresses).map(|(standing, address)| {
        let fine = if *standing == Standing::Fresh { "ready" } else { "no answer yet" };
        let words = words(standing).unwrap_or_else(|| fine.to_owned());
        let end = if words.ends_with(['.', '?']) { "" } else { "." };
        format!("{address}: {words}{end}")
    });
    all.collect::<Vec<_>>().join(" ")
}

/// Whether the log has said it: numbers that run are not said again.
fn same_line(before: &Standing, now: &Standing) -> bool {
    match (before, now) {
        (Standing::Behind { .. }, Standing::Behind { .. })
        | (Standing::Syncing { .. }, Standing::Syncing { .. }) => true,
        (before, now) => before == now,
    }
}

/// What makes a status worth sending at once: all but latencies.
fn essence(status: &CoinStatus) -> CoinStatus {
    let mut status = status.clone();
    status.daemons.iter_mut().for_each(|daemon| daemon.latency = None);
    status
}

#[cfg(test)]
#[path = "status/tests.rs"]
mod tests;
