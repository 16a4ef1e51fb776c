//! Sha1coin's: SHA-1 of every stretch of the header's SHA-1 in base64, added up.

use super::parts::sha1;
use crate::chain::{Hash, Header};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Characters of base64 that hold whole bits of SHA-1 only.
const CHARACTERS: usize = 26;

/// Characters of a stretch.
const STRETCH: usize = 12;

/// The stretches start at each of the characters and go around the end. The result stands behind
/// 12 zeros.
pub(super) fn hash(header: &Header) -> Hash {
    let digest = sha1(header);
    let digits = |triple: &[u8]| {
        let [a, b, c] = [0, 1, 2].map(|i| u32::from(triple.get(i).copied().unwrap_or(0)));
        let bits = a << 16 | b << 8 | c;
        [18, 12, 6, 0].map(|by| usize::from((bits >> by) as u8 & 63))
    };
    let text = digest.chunks(3).flat_map(digits).take(CHARACTERS);
    let mut characters = [0; CHARACTERS + STRETCH - 1];
    for (place, digit) in characters.iter_mut().zip(text) {
        *place = BASE64.get(digit).copied().unwrap_or_default();
    }
    let (start, end) = characters.split_at_mut(CHARACTERS);
    end.copy_from_slice(start.split_at(STRETCH - 1).0);
    let mut hash = [0; 32];
    for stretch in characters.windows(STRETCH) {
        for (byte, other) in hash.iter_mut().skip(12).zip(sha1(stretch)) {
            *byte ^= other;
        }
    }
    Hash(hash)
}
