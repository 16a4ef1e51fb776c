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
