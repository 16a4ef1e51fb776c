//! What NOMP's Redis keys are called, and what its records say. Pure.

use crate::chain::Hash;
use std::collections::BTreeMap;

/// Longest name of a worker that is taken, bytes: as long as this pool's own may be.
pub(super) const LONGEST_NAME: usize = 255;
/// Characters of a foreign text that are shown.
const SHOWN: usize = 100;

/// How a version of NOMP names its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `litecoin:balances`, since May 2014; money in coins.
    Colon,
    /// `litecoin_balances`, before; money in the smallest unit.
    Underscore,
}

impl Style {
    /// Newest first.
    pub(super) const ALL: [Self; 2] = [Self::Colon, Self::Underscore];

    /// A key of a coin, as NOMP names that.
    pub(super) fn key(self, coin: &str, name: &str) -> String {
        let between = match self {
            Self::Colon => ':',
            Self::Underscore => '_',
        };
        format!("{coin}{between}{name}")
    }
}

/// Fields of a hash: a worker, and a number as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// By worker.
    pub good: BTreeMap<String, String>,
    /// Names that are none, with the reason.
    pub odd: Vec<(String, String)>,
}

impl Fields {
    /// Adds a field as it was read.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        let reason = match std::str::from_utf8(name) {
            Ok("") => "it has no name",
            Ok(text) if text.len() <= LONGEST_NAME => {
                self.good.insert(text.to_owned(), String::from_utf8_lossy(value).into_owned());
                return;
            }
            Ok(_) => "its name is longer than 255 bytes",
            Err(_) => "its name is not UTF-8",
        };
        self.odd.push((shown(&String::from_utf8_lossy(name)), reason.to_owned()));
    }
}

/// A member of `blocksPending`: `BLOCK:TRANSACTION:HEIGHT`, in some versions with more behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Hash of the block.
    pub hash: Hash,
    /// Id of its coinbase transaction, as NOMP had it.
    pub transaction: Hash,
    /// Height, which also names its round.
    pub height: u64,
}

impl Pending {
    /// Reads a member; else why it is none.
    pub(super) fn parse(member: &str) -> Result<Self, String> {
        let mut parts = member.split(':');
        let (block, transaction, height) = (parts.next(), parts.next(), parts.next());
        let hash = |part: Option<&str>| Hash::from_display(part.unwrap_or_default());
        let height = height.unwrap_or_default();
        // `parse` alone would take a plus.
        let digits = height.bytes().all(|byte| byte.is_ascii_digit());
        let height = height.parse().ok().filter(|_| digits);
        let (Some(hash), Some(transaction)) = (hash(block), hash(transaction)) else {
            return Err("it is not BLOCK:TRANSACTION:HEIGHT with two hashes".to_owned());
        };
        let height = height.filter(|&height| height <= u64::from(u32::MAX));
        let height = height.ok_or_else(|| "its height is no number of a block".to_owned())?;
        Ok(Self { hash, transaction, height })
    }
}

/// A foreign text, cut.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_have_two_spellings() {
        assert_eq!(Style::Colon.key("litecoin", "shares:round7"), "litecoin:shares:round7");
        assert_eq!(Style::Underscore.key("litecoin", "shares:round7"), "litecoin_shares:round7");
    }

    #[test]
    fn pending_blocks_of_every_version_are_read() {
        let (block, coinbase) = ("ab".repeat(32), "cd".repeat(32));
        for rest in ["7", "7:5000000000", "7:worker:1400000000000"] {
            let pending = Pending::parse(&format!("{block}:{coinbase}:{rest}")).unwrap();
            assert_eq!(pending.height, 7);
            assert_eq!(pending.hash.to_string(), block);
            assert_eq!(pending.transaction.to_string(), coinbase);
        }
        for member in [
            "",
            ":::",
            "undefined",
            &block,
            &format!("{block}:{coinbase}"),
            &format!("{block}:undefined:7"),
            &format!("{block}:{coinbase}:"),
            &format!("{block}:{coinbase}:-7"),
            &format!("{block}:{coinbase}:+7"),
            &format!("{block}:{coinbase}:7.5"),
            &format!("{block}:{coinbase}:NaN"),
            &format!("{block}:{coinbase}:99999999999"),
            &format!("{}:{coinbase}:7", &block[2..]),
        ] {
            assert!(Pending::parse(member).is_err(), "{member}");
        }
    }

    #[test]
    fn names_with_colons_are_names_and_others_are_odd() {
        let mut fields = Fields::default();
        fields.add(b"http://x:80", b"5");
        fields.add(b"", b"5");
        fields.add(&[0xff, b'a'], b"5");
        fields.add(&[b'x'; 256], b"5");
        fields.add(b"__proto__", &[0xff]);
        assert_eq!(fields.good.len(), 2);
        assert_eq!(fields.good["http://x:80"], "5");
        assert_eq!(fields.odd.len(), 3);
    }

    proptest! {
        #[test]
        fn no_member_panics(member: String) {
            let _ = Pending::parse(&member);
        }
    }
}
