//! Bitcoin's small encodings: compact sizes, script numbers, pushes.

/// Appends a compact size ("varint"): 1, 3, 5 or 9 bytes.
#[expect(clippy::cast_possible_truncation, reason = "each arm's range fits its width")]
pub(super) fn put_compact_size(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0xfc => out.push(value as u8),
        0xfd..=0xffff => {
            out.push(0xfd);
            out.extend_from_slice(&(value as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xfe);
            out.extend_from_slice(&(value as u32).to_le_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// Appends bytes after their length as a compact size.
pub(super) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_compact_size(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a compact size from the front of `bytes`; `None` when they end too early.
pub(super) fn take_compact_size(bytes: &mut &[u8]) -> Option<u64> {
    Some(match take::<1>(bytes)? {
        [0xfd] => u16::from_le_bytes(take(bytes)?).into(),
        [0xfe] => u32::from_le_bytes(take(bytes)?).into(),
        [0xff] => u64::from_le_bytes(take(bytes)?),
        [small] => small.into(),
    })
}

/// Takes `N` bytes from the front.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

/// Takes `count` bytes from the front.
pub(super) fn take_slice<'a>(bytes: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(count).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// The script that pushes a number, as BIP 34 wants a height: `OP_0`, `OP_1` ... `OP_16`, else the
/// shortest little-endian bytes (a zero byte is added when the top bit is set).
#[must_use]
pub(super) fn script_number(value: u64) -> Vec<u8> {
    match u8::try_from(value) {
        Ok(0) => return vec![0],
        Ok(small @ 1..=16) => return vec![0x50 + small],
        _ => {}
    }
    let used = 8 - value.leading_zeros() as usize / 8;
    let mut digits: Vec<u8> = value.to_le_bytes().into_iter().take(used).collect();
    if digits.last().is_some_and(|top| top & 0x80 != 0) {
        digits.push(0);
    }
    push(&digits)
}

/// The script that pushes at most 75 bytes: their count, then the bytes; what is longer is cut.
#[must_use]
pub(super) fn push(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 1);
    #[expect(clippy::cast_possible_truncation, reason = "at most 75")]
    out.push(bytes.len().min(75) as u8);
    out.extend(bytes.iter().take(75));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::hex_encode;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_pushed_as_nomp_pushes_them() {
        for (value, hex) in [
            (0, "00"),
            (1, "51"),
            (16, "60"),
            (17, "0111"),
            (127, "017f"),
            (128, "028000"),
            (255, "02ff00"),
            (256, "020001"),
            (500, "02f401"),
            (32_768, "03008000"),
            (8_388_608, "0400008000"),
            (1_400_000_000, "04004e7253"),
            (u64::MAX, "09ffffffffffffffff00"),
        ] {
            assert_eq!(hex_encode(&script_number(value)), hex, "{value}");
        }
    }

    #[test]
    fn compact_sizes_change_width_at_the_right_values() {
        for (value, hex) in [
            (0xfc, "fc"),
            (0xfd, "fdfd00"),
            (0xffff, "fdffff"),
            (0x1_0000, "fe00000100"),
            (0xffff_ffff, "feffffffff"),
            (0x1_0000_0000, "ff0000000001000000"),
        ] {
            let mut out = Vec::new();
            put_compact_size(&mut out, value);
            assert_eq!(hex_encode(&out), hex);
        }
        assert_eq!(take_compact_size(&mut [0xfd, 1].as_slice()), None);
    }

    proptest! {
        #[test]
        fn compact_sizes_read_back(value: u64) {
            let mut out = Vec::new();
            put_compact_size(&mut out, value);
            prop_assert_eq!(take_compact_size(&mut out.as_slice()), Some(value));
        }
    }
}
