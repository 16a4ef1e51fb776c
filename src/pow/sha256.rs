//! SHA-256 twice: the proof of work of Bitcoin and its kin.

use crate::chain::{Hash, Header, sha256d};

pub(super) fn hash(header: &Header) -> Hash {
    sha256d(header)
}
