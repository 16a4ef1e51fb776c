//! A found block to every daemon at once, and what their answers mean.

use super::calls::submit_block;
use super::client::Client;
use super::error::{CallError, Fault};
use crate::chain::hex_encode;
use crate::config;
use crate::journal::{Answer, Verdict};
use crate::net::helper;
use serde_json::value::RawValue;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// First wait before a daemon that gave no answer is asked again; doubled each time.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Once one daemon has taken the block, how long the slower ones are waited for. They are still
/// being asked after that, only their words are not heard any more.
const GRACE: Duration = Duration::from_secs(3);

/// Submits a block to all daemons in parallel and waits for their answers, at most `deadline`.
/// A daemon that gives no answer is asked again until then. Blocks: call it in a helper thread.
#[must_use]
pub fn everywhere(daemons: &[config::Daemon], block: &[u8], deadline: Duration) -> Vec<Answer> {
    let end = Instant::now() + deadline;
    let hex: Arc<str> = hex_encode(block).into();
    let (sender, receiver) = mpsc::channel();
    let mut answers: Vec<Answer> = Vec::with_capacity(daemons.len());
    for (index, daemon) in daemons.iter().enumerate() {
        let client = Client::new(daemon, deadline);
        answers.push(Answer {
            daemon: client.address(),
            verdict: Verdict::Unknown,
            words: "no answer yet".to_owned(),
        });
        let (hex, sender) = (Arc::clone(&hex), sender.clone());
        let started = helper::spawn("submit", move || {
            let _ = sender.send((index, persist(&client, &hex, end)));
        });
        if let Err(error) = started
            && let Some(answer) = answers.last_mut()
        {
            answer.words = format!("no thread to ask it: {error}");
        }
    }
    drop(sender);
    let mut until = end;
    // Ends when every thread has reported: then the channel is closed.
    while let Ok((index, (verdict, words))) =
        receiver.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        if verdict == Verdict::Accepted {
            until = until.min(Instant::now() + GRACE);
        }
        if let Some(answer) = answers.get_mut(index) {
            answer.verdict = verdict;
            answer.words = words;
        }
    }
    answers
}

/// Asks one daemon until it says something or the time is over.
fn persist(client: &Client, hex: &str, end: Instant) -> (Verdict, String) {
    let mut pause = FIRST_RETRY;
    loop {
        let answer = submit_block(client, hex);
        let silent = answer.as_ref().is_err_and(is_silence);
        if !silent || Instant::now() + pause >= end {
            return classify(&answer);
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

/// Whether a daemon has said nothing about the block: asking again may help.
fn is_silence(error: &CallError) -> bool {
    match &error.fault {
        Fault::Rpc { code, .. } => matches!(code, -9 | -10 | -28),
        Fault::Unreachable(_) | Fault::Timeout(_) | Fault::Http(..) | Fault::Garbage(_) => true,
        // Asking again with a wrong password gets an address banned on some daemons.
        Fault::Auth(_) => false,
    }
}

/// What one daemon's answer to `submitblock` means, and its words.
#[must_use]
pub fn classify(answer: &Result<Box<RawValue>, CallError>) -> (Verdict, String) {
    match answer {
        Ok(result) => {
            let words = serde_json::from_str::<Option<String>>(result.get());
            match words {
                Ok(None) => (Verdict::Accepted, "null".to_owned()),
                Ok(Some(words)) => (classify_words(&words), words.chars().take(200).collect()),
                Err(_) => (Verdict::Unknown, result.get().chars().take(200).collect()),
            }
        }
        Err(error) => {
            let verdict = match error.code() {
                // Deserialisation, verification, and "block decode failed" as a misc error.
                Some(-22 | -25 | -1) => Verdict::Rejected,
                // -100: a proof-of-stake coin's daemon cannot sign it, as when its wallet is locked;
                // or it would not take it at all.
                Some(-100) if !is_unsigned(&error.fault.to_string().to_lowercase()) => {
                    Verdict::Rejected
                }
                _ => Verdict::Unknown,
            };
            (verdict, error.fault.to_string())
        }
    }
}

/// Whether a daemon says that it could not sign.
fn is_unsigned(words: &str) -> bool {
    words.contains("sign") || words.contains("locked")
}

/// BIP 22's words and those that daemons add.
fn classify_words(words: &str) -> Verdict {
    match words {
        "duplicate" => Verdict::Accepted,
        "duplicate-invalid" | "high-hash" | "rejected" => Verdict::Rejected,
        words if words.starts_with("bad-") || words.starts_with("time-too-") => Verdict::Rejected,
        _ => Verdict::Unknown,
    }
}

/// The verdict over all daemons: one that has the block is enough; refused only when every one
/// has refused; not known otherwise.
#[must_use]
pub fn overall(answers: &[Answer]) -> Verdict {
    let all = |verdict| answers.iter().all(|answer| answer.verdict == verdict);
    if answers.iter().any(|answer| answer.verdict == Verdict::Accepted) {
        Verdict::Accepted
    } else if !answers.is_empty() && all(Verdict::Rejected) {
        Verdict::Rejected
    } else {
        Verdict::Unknown
    }
}

#[cfg(test)]
#[path = "submit/tests.rs"]
mod tests;
