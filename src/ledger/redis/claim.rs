//! The claim in Redis: a key of its own, which stays when the tally is cleared or filled anew.

use super::{Redis, unavailable};
use crate::ledger::{Claim, Claimed, TallyError};
use redis::Script;

const SCRIPT: &str = include_str!("../claim.lua");

impl Redis {
    pub(super) fn make_claim(&mut self, claim: Claim) -> Result<Claimed, TallyError> {
        let script = Script::new(SCRIPT);
        let mut call = script.key(self.key("claim"));
        call.arg(claim.book).arg(claim.fence).arg(claim.number);
        let reply: Vec<String> =
            call.invoke(&mut self.connection).map_err(|error| unavailable(&self.place, &error))?;
        match &reply[..] {
            [word] if word == "ours" => Ok(Claimed::Ours),
            [word, rest @ ..] if word == "theirs" => self.read_claim(rest).map(Claimed::Theirs),
            _ => Err(self.claim_damaged()),
        }
    }

    pub(super) fn stored_claim(&mut self) -> Result<Option<Claim>, TallyError> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.key("claim")).arg(&["book", "fence", "number"]);
        let texts: Vec<Option<String>> = self.call(&command)?;
        if texts.iter().all(Option::is_none) {
            return Ok(None);
        }
        let texts: Vec<String> = texts.into_iter().map(Option::unwrap_or_default).collect();
        self.read_claim(&texts).map(Some)
    }

    fn read_claim(&self, texts: &[String]) -> Result<Claim, TallyError> {
        let number = |text: &String| text.parse().ok();
        let read = match texts {
            [book, fence, count] => number(book).zip(number(fence)).zip(number(count)),
            _ => None,
        };
        let ((book, fence), number) = read.ok_or_else(|| self.claim_damaged())?;
        Ok(Claim { book, fence, number })
    }

    fn claim_damaged(&self) -> TallyError {
        self.damaged(format!(
            "key `{}` is no claim of a book: delete it when one machine alone pays the coin",
            self.key("claim")
        ))
    }
}
