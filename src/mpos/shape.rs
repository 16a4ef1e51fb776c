//! What fits a column: texts are cut, and characters that its character set lacks are replaced, so
//! that no name can hold up the shares behind it. Pure.

/// A text column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Most characters.
    pub(super) most: usize,
    /// What it can hold.
    pub(super) letters: Letters,
}

/// What a character set can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// `utf8mb4`: everything.
    All,
    /// `utf8`, `utf8mb3`, `ucs2`: nothing above U+FFFF.
    Basic,
    /// Anything else: ASCII is safe.
    Ascii,
}

impl Letters {
    /// By the server's name of a character set.
    pub(super) fn of(charset: &str) -> Self {
        match charset {
            "utf8mb4" | "utf16" | "utf32" | "utf16le" => Self::All,
            "utf8" | "utf8mb3" | "ucs2" => Self::Basic,
            _ => Self::Ascii,
        }
    }

    fn has(self, letter: char) -> bool {
        match self {
            Self::All => true,
            Self::Basic => u32::from(letter) <= 0xffff,
            Self::Ascii => letter.is_ascii(),
        }
    }
}

impl Column {
    /// The text as the column holds it.
    pub(super) fn fit(&self, text: &str) -> String {
        let kept = text.chars().take(self.most);
        kept.map(|letter| if self.letters.has(letter) { letter } else { '?' }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_strange_letters_replaced() {
        let column = |letters| Column { most: 4, letters };
        assert_eq!(column(Letters::All).fit("a\u{1f600}b'cd"), "a\u{1f600}b'");
        assert_eq!(column(Letters::Basic).fit("\u{e9}\u{1f600}"), "\u{e9}?");
        assert_eq!(column(Letters::Ascii).fit("\u{e9}x"), "?x");
        assert_eq!(Letters::of("utf8mb3"), Letters::Basic);
        assert_eq!(Letters::of("latin1"), Letters::Ascii);
    }
}
