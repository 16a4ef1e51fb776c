//! A text that must not be seen: passwords and tokens.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A secret. `Debug` shows `***`; there is no `Display`. It serialises in clear, because a
/// configuration travels from master to children through a sealed memory file; nothing else
/// serialises a configuration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: only where it is sent to the one who asks for it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Daemon, Redis};

    #[test]
    fn no_debug_output_shows_a_secret() {
        let secret = || Secret::new("hunter2".to_owned());
        assert_eq!(format!("{:?}", secret()), "***");
        let daemon = Daemon {
            host: "127.0.0.1".to_owned(),
            port: 1,
            user: "me".to_owned(),
            password: secret(),
            zmq: None,
        };
        let redis =
            Redis { host: "127.0.0.1".to_owned(), port: 1, database: 0, password: Some(secret()) };
        let shown = format!("{daemon:?} {redis:?}");
        assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
    }
}
