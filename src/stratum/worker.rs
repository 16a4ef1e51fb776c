//! `mining.authorize`: worker names, and the options that miners write into the password.

use super::request::{self, Param, Request};
use super::session::bad_params;
use super::{Action, Authorize, Cause, Difficulty, PortRules, Session, reply};

/// Most names of one connection, being checked or authorised: proxies bring several.
const NAMES: usize = 64;
/// Longest name, bytes: what a journal record holds.
const NAME_BYTES: usize = 255;
/// Longest password that is looked at, bytes.
const PASSWORD_BYTES: usize = 255;
/// Refused names after which a connection is closed.
const REFUSALS: u8 = 10;

/// A worker's name as it counts: trimmed, and without the percent-encoding that some firmware
/// applies to what the user typed.
pub(super) fn clean_name(raw: &str) -> String {
    let raw = raw.trim();
    percent_decoded(raw).map_or_else(|| raw.to_owned(), |name| name.trim().to_owned())
}

/// The text without percent-encoding; `None` when it is not sound percent-encoding of text.
fn percent_decoded(raw: &str) -> Option<String> {
    if !raw.contains('%') {
        return None;
    }
    let mut pieces = raw.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2)?;
        let [byte] = crate::chain::hex_array::<1>(code)?;
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// `d=` of a password: the difficulty that the miner asks for. Options stand between commas,
/// semicolons, ampersands or spaces; what is no option of ours (`x`) is passed over.
fn asked_difficulty(password: &str) -> Option<f64> {
    password.split([',', ';', '&', ' ']).find_map(|option| {
        let (key, value) = option.split_once('=')?;
        let wanted = key.trim().eq_ignore_ascii_case("d").then(|| request::number(value))??;
        (wanted > 0.0).then_some(wanted)
    })
}

/// The beginning of a text, at most so many bytes.
fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

fn refuse(id: &str, words: &str, out: &mut Vec<u8>) {
    reply::answer(out, id, "false", &format!("[24,{},null]", reply::quoted(words)));
}

impl Session {
    /// `mining.authorize`.
    pub(super) fn authorize(
        &mut self,
        request: &Request<'_>,
        params: &[Param<'_>],
        rules: &PortRules,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        let Some(name) = params.first().and_then(Param::text) else {
            return bad_params(request.id, out);
        };
        let password = match params.get(1) {
            Some(Param::Text(text)) => beginning(text, PASSWORD_BYTES),
            Some(Param::Number(text)) => text,
            _ => "",
        };
        let name = clean_name(name);
        if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
            return self.refuse_name(request.id, "Invalid worker name", out);
        }
        if self.names.contains(&name) {
            reply::result(out, request.id, "true");
            return self.options(password, rules);
        }
        if self.names.len() + usize::from(self.pending) >= NAMES {
            // Not counted as refused: the names that are in must not lose their connection.
            refuse(request.id, "Too many workers on this connection", out);
            return Vec::new();
        }
        self.pending += 1;
        let (id, password) = (request.id.to_owned(), password.to_owned());
        vec![Action::Authorize(Authorize { id, name, password })]
    }

    /// The verdict on an [`Action::Authorize`]; `Err` says why not, for the miner to read.
    pub fn authorized(
        &mut self,
        request: &Authorize,
        verdict: Result<(), String>,
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        self.pending = self.pending.saturating_sub(1);
        if let Err(words) = verdict {
            return self.refuse_name(&request.id, beginning(&words, 200), out);
        }
        if self.names.is_empty() {
            self.vardiff.authorized(now);
            self.last_share = now;
        }
        if !self.names.contains(&request.name) {
            self.names.push(request.name.clone());
        }
        reply::result(out, &request.id, "true");
        let actions = self.options(&request.password, rules);
        match self.remembered.take() {
            Some(start) if self.asked.is_none() && self.suggested.is_none() => {
                let actions = self.want(start.difficulty, rules);
                self.vardiff.go_on(start.measured_at(self.difficulty));
                actions
            }
            _ => actions,
        }
    }

    fn options(&mut self, password: &str, rules: &PortRules) -> Vec<Action> {
        let asked = asked_difficulty(password);
        match asked.map(|wanted| Difficulty::nearest(wanted, rules.unit)) {
            Some(wanted) if self.asked != Some(wanted) => {
                self.asked = Some(wanted);
                self.want(wanted, rules)
            }
            _ => Vec::new(),
        }
    }

    fn refuse_name(&mut self, id: &str, words: &str, out: &mut Vec<u8>) -> Vec<Action> {
        refuse(id, words, out);
        self.refused = self.refused.saturating_add(1);
        if self.refused < REFUSALS {
            return Vec::new();
        }
        vec![Action::Close(Cause::RefusedNames)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_decoded() {
        assert_eq!(clean_name(" addr.rig "), "addr.rig");
        assert_eq!(clean_name("addr%2Erig%20"), "addr.rig");
        assert_eq!(clean_name("50%"), "50%");
        assert_eq!(clean_name("a%zz"), "a%zz");
        assert_eq!(clean_name("a%ff"), "a%ff");
        assert_eq!(clean_name("a%\u{e9}\u{e9}"), "a%\u{e9}\u{e9}");
    }

    #[test]
    fn passwords_carry_a_difficulty() {
        assert_eq!(asked_difficulty("d=1234"), Some(1234.0));
        assert_eq!(asked_difficulty("x, D=0.01;y"), Some(0.01));
        assert_eq!(asked_difficulty("d=1024,d=2"), Some(1024.0));
        for password in ["", "x", "d", "d=", "d=x", "d=-1", "d=0", "d=inf", "id=5", "d=1e999"] {
            assert_eq!(asked_difficulty(password), None, "{password}");
        }
    }

    #[test]
    fn beginnings_end_between_characters() {
        assert_eq!(beginning("abc", 2), "ab");
        assert_eq!(beginning("a\u{20ac}", 2), "a");
        assert_eq!(beginning("abc", 9), "abc");
    }
}
