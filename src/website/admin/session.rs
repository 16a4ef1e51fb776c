//! Who is logged in. Pure: times and random ids come in, and nothing that a browser sends becomes
//! an id.
//!
//! Only hashes of ids are kept, here and by the master over a reload: who reads them cannot use
//! them.

use crate::chain::{hex_array, hex_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How long (ms) a session lives without being used.
pub(super) const IDLE: u64 = 30 * 60_000;
/// How long (ms) a session lives at most.
pub(super) const LONGEST: u64 = 12 * 3_600_000;
/// Sessions at once: beyond, the one that was not used for longest ends.
const MOST: usize = 16;

/// An id: 256 random bits, in the cookie as hexadecimal digits.
pub(super) type Id = [u8; 32];

/// One who is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// Hash of its id.
    hash: Id,
    /// Unix ms of the login.
    began: u64,
    /// Unix ms of its last request.
    seen: u64,
}

impl Session {
    fn lives(&self, now: u64) -> bool {
        now.saturating_sub(self.began) < LONGEST && now.saturating_sub(self.seen) < IDLE
    }
}

/// Everybody who is logged in.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sessions {
    /// Hash of what they logged in with: with another password they are nobody.
    creed: Id,
    list: Vec<Session>,
}

/// The hash of some parts.
fn hash(parts: &[&[u8]]) -> Id {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The id in a cookie; `None` when it is none.
pub(super) fn id(text: &str) -> Option<Id> {
    hex_array(text)
}

/// What a form of that session carries.
pub(super) fn csrf(id: &Id) -> String {
    hex_encode(&hash(&[b"form", id]))
}

/// Whether two texts are equal, in a time that does not say how far.
pub(super) fn is_equal(one: &str, other: &str) -> bool {
    hash(&[one.as_bytes()]).ct_eq(&hash(&[other.as_bytes()])).into()
}

impl Sessions {
    /// Nobody, for a password of that hash.
    pub(super) fn new(password: &str) -> Self {
        Self { creed: hash(&[b"password", password.as_bytes()]), list: Vec::new() }
    }

    /// Those that the last process knew, if the password is the same.
    pub(super) fn recall(password: &str, remembered: &str, now: u64) -> Self {
        let none = Self::new(password);
        let known = serde_json::from_str::<Self>(remembered).ok();
        let mut sessions = known.filter(|known| known.creed == none.creed).unwrap_or(none);
        sessions.list.truncate(MOST);
        sessions.list.retain(|session| session.lives(now));
        sessions
    }

    /// What the next process has to know.
    pub(super) fn remember(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A login under a new id.
    pub(super) fn begin(&mut self, id: &Id, now: u64) {
        self.list.retain(|session| session.lives(now));
        if self.list.len() >= MOST
            && let Some(oldest) = self.list.iter().map(|session| session.seen).min()
        {
            self.list.retain(|session| session.seen != oldest);
        }
        self.list.push(Session { hash: hash(&[b"id", id]), began: now, seen: now });
    }

    /// Whether that id is logged in; it is used now.
    pub(super) fn knows(&mut self, id: &Id, now: u64) -> bool {
        let hash = hash(&[b"id", id]);
        self.list.retain(|session| session.lives(now));
        let found = self.list.iter_mut().find(|session| session.hash.ct_eq(&hash).into());
        found.map(|session| session.seen = now).is_some()
    }

    /// A logout.
    pub(super) fn end(&mut self, id: &Id) {
        let hash = hash(&[b"id", id]);
        self.list.retain(|session| session.hash != hash);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_by_themselves_and_by_logout() {
        let mut sessions = Sessions::new("hash");
        let (one, two) = ([1; 32], [2; 32]);
        sessions.begin(&one, 1000);
        assert!(sessions.knows(&one, 1000 + IDLE - 1) && !sessions.knows(&two, 1000));
        assert!(sessions.knows(&one, 1000 + 2 * IDLE - 2), "it was used");
        assert!(!sessions.knows(&one, 1000 + 3 * IDLE - 2), "it was not");
        sessions.begin(&one, 0);
        sessions.begin(&two, 0);
        for now in (0..LONGEST).step_by(60_000) {
            assert!(sessions.knows(&one, now));
        }
        assert!(!sessions.knows(&one, LONGEST), "however often it is used");
        sessions.begin(&one, LONGEST);
        sessions.end(&one);
        assert!(!sessions.knows(&one, LONGEST));
    }

    #[test]
    fn there_are_never_many() {
        let mut sessions = Sessions::new("hash");
        for number in 0..100 {
            sessions.begin(&[number; 32], u64::from(number));
        }
        assert_eq!(sessions.list.len(), MOST);
        assert!(sessions.knows(&[99; 32], 100) && !sessions.knows(&[0; 32], 100));
    }

    #[test]
    fn the_next_process_knows_them_and_another_password_ends_them() {
        let mut sessions = Sessions::new("hash");
        sessions.begin(&[1; 32], 1000);
        let text = sessions.remember();
        assert!(text.len() < crate::ipc::MOST_REMEMBERED / MOST);
        assert!(Sessions::recall("hash", &text, 2000).knows(&[1; 32], 2000));
        assert!(!Sessions::recall("hash", &text, 1000 + IDLE).knows(&[1; 32], 2000));
        assert!(!Sessions::recall("other", &text, 2000).knows(&[1; 32], 2000));
        assert_eq!(Sessions::recall("hash", "nonsense", 0), Sessions::new("hash"));
    }

    #[test]
    fn ids_and_form_tokens_are_bound_to_each_other() {
        assert_eq!(id(&hex_encode(&[7; 32])), Some([7; 32]));
        assert!(id("07").is_none() && id("").is_none() && id(&"x".repeat(64)).is_none());
        assert_ne!(csrf(&[1; 32]), csrf(&[2; 32]));
        assert!(is_equal(&csrf(&[1; 32]), &csrf(&[1; 32])) && !is_equal("", "x"));
    }
}
