//! Found blocks: to the vault first, then to every daemon at once, and what they say to the
//! journal. A found block is never lost: what cannot be done now is tried again.

use super::coin::Coin;
use super::desk::{Desk, News, Reporter};
use super::jobs::Posted;
use super::judge::Prepared;
use crate::chain::Hash;
use crate::config::Daemon;
use crate::journal::vault::{self, Candidate};
use crate::journal::{Answer, BlockFound, Outcome, Record, Verdict};
use crate::rewards::Scheme;
use crate::{daemon, sys};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a daemon may take to answer to a block.
const DEADLINE: Duration = Duration::from_secs(30);
/// Blocks that are submitted at the same time. More come only on test chains where nearly every
/// share is a block; daemons refuse calls when more than 16 wait.
const AT_ONCE: usize = 8;
/// Milliseconds between attempts to begin a submission.
const RETRY_MS: u64 = 1000;

/// A block on its way to the daemons.
#[derive(Debug)]
pub(crate) struct Submission {
    candidate: Arc<Candidate>,
    /// Its file; `None` when the vault could not take it.
    path: Option<PathBuf>,
    /// Answers that have come.
    answers: Vec<Answer>,
    /// Daemons that were asked; 0: not begun.
    asked: usize,
    /// Monotonic milliseconds before which beginning is not tried again.
    not_before: u64,
    /// The others were told of an acceptance.
    told: bool,
}

/// What the loop has to do about an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The first daemon has accepted this block: tell the others.
    pub(crate) accepted: Option<(Hash, u64)>,
}

/// Takes a candidate in, by the id that the coin knows it by: block, vault, records. Its submission
/// begins with [`begin`], after the turn's commit.
pub(crate) fn take(
    coin: &mut Coin,
    posted: &Posted,
    (share, id): (&Prepared, Hash),
    (worker, scheme): (&str, Scheme),
    unix: u64,
) {
    let work = &posted.work;
    if !coin.is_new_find(&id) {
        return;
    }
    let body = match sys::memfd::contents(posted.body.as_fd()) {
        Ok(body) => body,
        Err(error) => {
            log::error!(
                "{}: block {} at height {} is lost: its transactions cannot be read: {error}",
                coin.id(),
                id,
                work.height
            );
            return;
        }
    };
    let coinbase = share.coinbase(work);
    let found = BlockFound {
        time: unix,
        hash: id,
        height: work.height,
        previous: work.previous,
        coinbase_txid: work.plan.coinbase_id(&coinbase),
        coinbase_value: work.coinbase_value,
        pool_value: work.pool_value,
        worker: worker.to_owned(),
        difficulty: work.target.difficulty(),
        stale: coin.jobs.latest().is_some_and(|it| it.posted.work.previous != work.previous),
        scheme,
    };
    let block = work.block(&share.header, &coinbase, &body);
    let candidate = Candidate { coin: coin.id().to_owned(), found: found.clone(), block };
    let path = vault::store(coin.data_dir(), &candidate);
    let path = path.inspect_err(|error| {
        log::error!(
            "{}: block {} cannot be put into the vault in {}: {error}; it is submitted all the same",
            coin.id(),
            id,
            coin.data_dir().display()
        );
    });
    coin.record(Record::Block(Box::new(found)));
    coin.submissions.push(Submission {
        candidate: Arc::new(candidate),
        path: path.ok(),
        answers: Vec::new(),
        asked: 0,
        not_before: 0,
        told: false,
    });
}

/// Begins the submissions that have not begun, those for the present tip first.
pub(crate) fn begin(coin: &mut Coin, desk: &Desk, mono: u64) {
    let daemons = coin.pool.daemons.clone();
    let tip = coin.jobs.latest().map(|latest| latest.posted.work.previous);
    let under_way = coin.submissions.iter().filter(|submission| submission.asked > 0).count();
    let is_late = |submission: &&mut Submission| Some(submission.candidate.found.previous) != tip;
    let mut waiting: Vec<_> = coin
        .submissions
        .iter_mut()
        .filter(|submission| submission.asked == 0 && submission.not_before <= mono)
        .collect();
    waiting.sort_by_key(is_late);
    for submission in waiting.into_iter().take(AT_ONCE.saturating_sub(under_way)) {
        let (candidate, path) = (Arc::clone(&submission.candidate), submission.path.clone());
        let all = daemons.clone();
        let started = desk.run("submit", move |reporter| {
            if let Some(Err(error)) = path.as_deref().map(vault::sync) {
                log::error!("{}: the vault cannot be synced: {error}", candidate.coin);
            }
            submit(&candidate, all, reporter);
        });
        match started {
            Ok(()) => submission.asked = daemons.len().max(1),
            Err(error) => {
                submission.not_before = mono.saturating_add(RETRY_MS);
                let found = &submission.candidate.found;
                let place = submission.path.as_deref().map_or_else(
                    || "not in the vault".to_owned(),
                    |path| format!("kept in {}", path.display()),
                );
                log::error!(
                    "{}: block {} at height {} cannot be submitted yet: no thread: {error}; it is \
                     {place}",
                    submission.candidate.coin,
                    found.hash,
                    found.height
                );
            }
        }
    }
}

/// To each daemon in a thread of its own, so that the first acceptance is known at once.
fn submit(candidate: &Arc<Candidate>, daemons: Vec<Daemon>, reporter: &Reporter) {
    for daemon in daemons {
        let ask = {
            let (candidate, reporter) = (Arc::clone(candidate), reporter.clone());
            let daemon = [daemon];
            move || {
                let answers = daemon::submit::everywhere(&daemon, &candidate.block, DEADLINE);
                let (coin, hash) = (candidate.coin.clone(), candidate.found.hash);
                reporter.tell(News::Answered { coin, hash, answers });
            }
        };
        let again = ask.clone();
        if crate::net::helper::spawn("submit-one", ask).is_err() {
            again();
        }
    }
}

/// Takes an answer in. When it was the last: outcome to the journal, file to its place, a line to
/// the operator.
pub(crate) fn answered(coin: &mut Coin, hash: &Hash, answers: Vec<Answer>, unix: u64) -> Told {
    let mut told = Told::default();
    let place =
        coin.submissions.iter().position(|submission| submission.candidate.found.hash == *hash);
    let Some((place, submission)) =
        place.and_then(|place| Some((place, coin.submissions.get_mut(place)?)))
    else {
        return told;
    };
    // One daemon's silence counts as an answer too, or the outcome would never be written.
    let count = answers.len().max(1);
    submission.answers.extend(answers);
    submission.asked = submission.asked.saturating_sub(count);
    let verdict = daemon::submit::overall(&submission.answers);
    if verdict == Verdict::Accepted && !submission.told {
        submission.told = true;
        told.accepted = Some((*hash, submission.candidate.found.height));
    }
    if submission.asked > 0 {
        return told;
    }
    let submission = coin.submissions.swap_remove(place);
    report(&submission, verdict);
    if submission.path.is_some()
        && let Err(error) = vault::settle(coin.data_dir(), coin.id(), hash, verdict)
    {
        log::error!("{}: block {hash} cannot be filed in the vault: {error}", coin.id());
    }
    let outcome = Outcome { time: unix, hash: *hash, verdict, answers: submission.answers };
    coin.record(Record::Outcome(Box::new(outcome)));
    told
}

fn report(submission: &Submission, verdict: Verdict) {
    let found = &submission.candidate.found;
    let accepted = submission.answers.iter().filter(|it| it.verdict == Verdict::Accepted).count();
    let all = submission.answers.len();
    let (coin, height, hash) = (&submission.candidate.coin, found.height, found.hash);
    if verdict == Verdict::Accepted {
        crate::special!(
            "{coin}: block found: height {height} hash {hash} by {}, accepted by {accepted} of \
             {all} daemons",
            found.worker
        );
    }
    for answer in &submission.answers {
        if answer.verdict != Verdict::Accepted {
            log::warn!(
                "{coin}: block {height} {hash}: daemon {} said: {}",
                answer.daemon,
                answer.words
            );
        }
    }
    match verdict {
        Verdict::Accepted => {}
        Verdict::Rejected => log::error!(
            "{coin}: block {height} {hash} was refused by every daemon; it is kept in the vault"
        ),
        // Most often a sibling came first and the race is still open.
        Verdict::Unknown => log::warn!(
            "{coin}: block {height} {hash}: no daemon gave a clear answer; it stays in the vault \
             and is tried again"
        ),
    }
}
