//! What a Redis server's refusals mean, and what to do.

use crate::ledger::TallyError;
use redis::RedisError;

/// An error of the server or the way to it, with advice.
pub(super) fn unavailable(place: &str, error: &RedisError) -> TallyError {
    let words = error.to_string();
    let place = place.to_owned();
    if words.contains("WRONGTYPE") {
        return TallyError::Damaged { place, words };
    }
    match advice(&words).or_else(|| error.code().and_then(advice)) {
        Some(advice) => TallyError::Unavailable { place, words: format!("{words}: {advice}") },
        None if error.is_timeout() => {
            let words = format!("{words}: it did not answer in time; the connection is given up");
            TallyError::Unavailable { place, words }
        }
        None => TallyError::Unavailable { place, words },
    }
}

/// What to do about an error, by the word that Redis begins it with.
fn advice(words: &str) -> Option<&'static str> {
    const ADVICE: [(&str, &str); 11] = [
        ("OOM", "its memory is full: raise `maxmemory`, or give it a machine with more"),
        (
            "READONLY",
            "it is a replica: let `redis` in the pool file name the server that it follows",
        ),
        (
            "MISCONF",
            "it cannot save to its disk and so takes nothing: make room there (its own log says \
             more)",
        ),
        ("LOADING", "it is still reading its files after a start"),
        (
            "BUSY",
            "somebody's script keeps it busy: `redis-cli SCRIPT KILL` ends one that only reads",
        ),
        (
            "NOAUTH",
            "it wants a password: set `password` beside `host` in `redis`, or the variable that it names",
        ),
        ("WRONGPASS", "it does not take the password of `redis` in the pool file"),
        (
            "NOPERM",
            "its access list forbids that: romp needs the keys `romp:*` and the commands \
             `+@hash +@sortedset +@keyspace +@scripting +@transaction +@connection +info`",
        ),
        ("MOVED", "it is part of a cluster that keeps this coin elsewhere: name that server"),
        ("MASTERDOWN", "it is a replica that has lost its master"),
        ("NOREPLICAS", "it has too few replicas to take writes (`min-replicas-to-write`)"),
    ];
    let begins = |word: &str| words.split(|c: char| !c.is_ascii_uppercase()).any(|it| it == word);
    ADVICE.iter().find(|(word, _)| begins(word)).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        for (error, word) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", "raise `maxmemory`"),
            ("READONLY You can't write against a read only replica.", "is a replica"),
            ("MISCONF Redis is configured to save RDB snapshots, but", "make room"),
            ("LOADING Redis is loading the dataset in memory", "after a start"),
            ("BUSY Redis is busy running a script.", "SCRIPT KILL"),
            ("NOAUTH Authentication required.", "`password`"),
            ("WRONGPASS invalid username-password pair or user is disabled.", "password"),
            ("NOPERM this user has no permissions to run the 'hset' command", "access list"),
            ("MOVED 3999 127.0.0.1:6381", "cluster"),
            ("MASTERDOWN Link with MASTER is down", "lost its master"),
            ("NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"),
        ] {
            assert!(advice(error).is_some_and(|said| said.contains(word)), "{error}");
        }
        assert_eq!(advice("connection refused"), None);
    }
}
