//! Who is a worker of the MPOS database: asked by a helper thread, remembered for a while.

use super::desk::{Desk, News, Reporter};
use super::memory::Memory;
use crate::config::{Mpos, MposAuth};
use crate::mpos::{Answer, Register};
use crate::stratum::Authorize;
use std::collections::HashSet;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Milliseconds for which an answer is believed.
const FRESH_MS: u64 = 60 * 1000;
/// Milliseconds for which a yes is believed while the database does not answer.
const YES_MS: u64 = 24 * 3600 * 1000;
/// Milliseconds between questions to a database that did not answer.
const AWAY_MS: u64 = 1000;
/// Answers that are kept.
const ANSWERS: usize = 20_000;
/// Questions that wait at most.
const WAITING: usize = 10_000;
/// Questions that are answered together.
const TOGETHER: usize = 256;

/// A name, and its password where that counts.
pub(crate) type Member = (String, String);

/// What is known about workers.
pub(crate) struct Members {
    answers: Memory<Member, Known>,
    asking: HashSet<Member>,
    /// The way to the helper thread, once there is one.
    clerk: Option<Sender<Member>>,
    /// Monotonic milliseconds before which the database is not asked again.
    away_until: u64,
}

#[derive(Clone)]
struct Known {
    verdict: Result<(), String>,
    /// Monotonic milliseconds until which it needs no second look.
    fresh_until: u64,
}

impl Default for Members {
    fn default() -> Self {
        Self { answers: Memory::new(ANSWERS), asking: HashSet::new(), clerk: None, away_until: 0 }
    }
}

// Passwords are among the keys.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("asking", &self.asking.len()).finish_non_exhaustive()
    }
}

impl Members {
    /// Whether a worker may mine; `None`: the database is asked, or does not answer.
    pub(crate) fn ask(
        &mut self,
        coin: &str,
        mpos: &Mpos,
        request: &Authorize,
        desk: &Desk,
        now: u64,
    ) -> Option<Result<(), String>> {
        let password = match mpos.auth {
            MposAuth::None => return Some(Ok(())),
            // A worker is made with its first password.
            MposAuth::Worker if !mpos.auto_create => String::new(),
            MposAuth::Worker | MposAuth::Password => request.password.clone(),
        };
        let member = (request.name.clone(), password);
        if let Some(verdict) = self.known(&member, now) {
            return Some(verdict);
        }
        let free = now >= self.away_until && self.asking.len() < WAITING;
        if !free || !self.asking.insert(member.clone()) {
            return None;
        }
        let rest = match &self.clerk {
            Some(clerk) => clerk.send(member).err().map(|error| error.0),
            None => Some(member),
        };
        // The first question, or the thread has ended.
        if let Some(member) = rest {
            self.clerk = hire(coin, mpos, desk);
            let sent = self.clerk.as_ref().is_some_and(|clerk| clerk.send(member.clone()).is_ok());
            if !sent {
                self.asking.remove(&member);
                self.away_until = now.saturating_add(AWAY_MS);
            }
        }
        None
    }

    /// A verdict that needs no question now.
    fn known(&self, member: &Member, now: u64) -> Option<Result<(), String>> {
        let known = self.answers.get(member, now)?;
        // While the database is away its last word stands, if it was a yes.
        let stands = known.fresh_until > now || (now < self.away_until && known.verdict.is_ok());
        stands.then(|| known.verdict.clone())
    }

    /// The database has answered, or has not.
    pub(crate) fn answered(&mut self, answers: Vec<(Member, Answer)>, now: u64) {
        for (member, answer) in answers {
            self.asking.remove(&member);
            let (verdict, keep) = match answer {
                Answer::Yes => (Ok(()), YES_MS),
                Answer::No(why) => (Err(why), FRESH_MS),
                Answer::Away => {
                    self.away_until = now.saturating_add(AWAY_MS);
                    continue;
                }
            };
            let fresh_until = now.saturating_add(FRESH_MS);
            self.answers.put(member, Known { verdict, fresh_until }, now.saturating_add(keep));
        }
    }
}

/// Starts the thread that asks. It ends when the sender is dropped.
fn hire(coin: &str, mpos: &Mpos, desk: &Desk) -> Option<Sender<Member>> {
    let (ask, asked) = channel();
    let (id, mpos) = (coin.to_owned(), mpos.clone());
    let hired = desk.run("mpos", move |reporter| clerk(&id, mpos, &asked, reporter));
    if let Err(error) = &hired {
        log::error!("{coin}: no thread to ask MPOS about workers: {error}");
    }
    hired.ok().map(|()| ask)
}

fn clerk(coin: &str, mpos: Mpos, asked: &Receiver<Member>, reporter: &Reporter) {
    let mut register = Register::new(mpos);
    let mut away = false;
    while let Ok(first) = asked.recv() {
        let rest = asked.try_iter().take(TOGETHER - 1);
        let members: Vec<Member> = std::iter::once(first).chain(rest).collect();
        let mut trouble = None;
        let mut answers = Vec::with_capacity(members.len());
        for member in members {
            // One failure is enough of waiting for those behind it.
            let answer = match &trouble {
                None => register.ask(&member.0, &member.1),
                Some(_) => Ok(Answer::Away),
            };
            answers.push((
                member,
                answer.unwrap_or_else(|error| {
                    trouble = Some(error);
                    Answer::Away
                }),
            ));
        }
        match (&trouble, away) {
            (Some(error), false) => log::error!(
                "{coin}: new workers cannot be looked up and are told to try again; known ones mine \
                 on: {error}"
            ),
            (None, true) => log::warn!("{coin}: MPOS answers about workers again"),
            _ => {}
        }
        away = trouble.is_some();
        reporter.tell(News::Members { coin: coin.to_owned(), answers });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> Member {
        ("bob.1".to_owned(), String::new())
    }

    #[test]
    fn an_answer_is_believed_for_a_minute() {
        let mut members = Members::default();
        assert_eq!(members.known(&bob(), 0), None);
        members.answered(vec![(bob(), Answer::Yes)], 0);
        assert_eq!(members.known(&bob(), FRESH_MS - 1), Some(Ok(())));
        assert_eq!(members.known(&bob(), FRESH_MS), None, "asked again");
        members.answered(vec![(bob(), Answer::No("gone".to_owned()))], FRESH_MS);
        assert_eq!(members.known(&bob(), FRESH_MS + 1), Some(Err("gone".to_owned())));
    }

    #[test]
    fn a_yes_stands_while_the_database_is_away_and_a_no_does_not() {
        let mut members = Members::default();
        let eve = ("eve.1".to_owned(), String::new());
        let no = Answer::No("no".to_owned());
        members.answered(vec![(bob(), Answer::Yes), (eve.clone(), no)], 0);
        let later = 10 * FRESH_MS;
        members.answered(vec![(bob(), Answer::Away), (eve.clone(), Answer::Away)], later);
        assert_eq!(members.known(&bob(), later + 1), Some(Ok(())));
        assert_eq!(members.known(&eve, later + 1), None, "told to try again");
        assert_eq!(members.known(&bob(), later + AWAY_MS), None, "asked again");
    }
}
