//! Bitcoin Cash's addresses (cashaddr): a prefix, a colon, and base 32 with a checksum of 40 bits.
//! The prefix may be left out, as wallets do; then that of the network counts.

use super::{OP_EQUAL, OP_HASH256, pubkey_hash_script, script_hash_script};
use bech32::Fe32;

/// Digits of the checksum.
const CHECKSUM: usize = 8;
/// Longest text that is tried: a long prefix, 64 bytes of hash.
const LONGEST: usize = 150;

/// What the version byte says in its upper bits. The second ones tell that the wallet knows
/// tokens; the script is the same (CHIP-2022-02).
const PUBKEY_HASH: [u8; 2] = [0, 2];
const SCRIPT_HASH: [u8; 2] = [1, 3];

/// The script of an address, and whether the text names another prefix than `prefix`.
pub(super) fn script(address: &str, prefix: &str) -> Option<(Vec<u8>, bool)> {
    if address.len() > LONGEST {
        return None;
    }
    // One letter case only, as in bech32.
    let lower = address.to_ascii_lowercase();
    if lower != address && address.to_ascii_uppercase() != address {
        return None;
    }
    let (named, digits) = lower.rsplit_once(':').unwrap_or((prefix, &lower));
    let values: Vec<u8> = digits
        .chars()
        .map(|digit| Fe32::from_char(digit).ok().map(Fe32::to_u8))
        .collect::<Option<_>>()?;
    let data = values.get(..values.len().checked_sub(CHECKSUM)?)?;
    if polymod(named, &values) != 0 {
        return None;
    }
    let bytes = regroup(data)?;
    let (version, hash) = bytes.split_first()?;
    let kind = version >> 3;
    // Bit 7 is reserved; bits 0 to 2 are the hash's length: 0 for 20 bytes, 3 for 32.
    let script = match (version & 7, hash.len()) {
        (0, 20) if PUBKEY_HASH.contains(&kind) => pubkey_hash_script(hash.try_into().ok()?),
        (0, 20) if SCRIPT_HASH.contains(&kind) => script_hash_script(hash.try_into().ok()?),
        (3, 32) if SCRIPT_HASH.contains(&kind) => [&[OP_HASH256, 32], hash, &[OP_EQUAL]].concat(),
        _ => return None,
    };
    Some((script, named != prefix))
}

/// The address of a hash, with its prefix: 20 bytes of a key or of a script, or 32 of a script.
pub(super) fn encode(hash: &[u8], is_script: bool, prefix: &str) -> Option<String> {
    let size = match hash.len() {
        20 => 0,
        32 => 3,
        _ => return None,
    };
    let version = u8::from(is_script) << 3 | size;
    let mut values = digits(version, hash);
    let length = values.len();
    values.resize(length + CHECKSUM, 0);
    let sum = polymod(prefix, &values);
    for (place, value) in values.iter_mut().skip(length).enumerate() {
        *value = low_bits(sum >> (5 * (CHECKSUM - 1 - place)));
    }
    let digits = values.into_iter().map(|value| Fe32::try_from(value).ok().map(Fe32::to_char));
    Some(format!("{prefix}:{}", digits.collect::<Option<String>>()?))
}

/// The BCH code over the prefix's low bits, a zero and the digits; 0 when the checksum is right.
fn polymod(prefix: &str, values: &[u8]) -> u64 {
    const GENERATOR: [u64; 5] =
        [0x98_f2bc_8e61, 0x79_b76d_99e2, 0xf3_3e5f_b3c4, 0xae_2eab_e2a8, 0x1e_4f43_e470];
    let prefix = prefix.bytes().map(|letter| letter & 31);
    let all = prefix.chain([0]).chain(values.iter().copied());
    let sum = all.fold(1_u64, |sum, value| {
        let top = sum >> 35;
        let next = (sum & 0x07_ffff_ffff) << 5 ^ u64::from(value);
        let chosen = GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
        chosen.fold(next, |next, (_, generator)| next ^ generator)
    });
    sum ^ 1
}

/// A byte of version and a hash as digits of five bits, filled up with zeros.
fn digits(version: u8, hash: &[u8]) -> Vec<u8> {
    let (mut values, mut held, mut bits) = (Vec::with_capacity(56 + CHECKSUM), 0_u32, 0);
    for byte in std::iter::once(version).chain(hash.iter().copied()) {
        held = (held << 8 | u32::from(byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            values.push(low_bits((held >> bits).into()));
        }
    }
    if bits > 0 {
        values.push(low_bits((held << (5 - bits)).into()));
    }
    values
}

/// Digits of five bits as bytes; `None` when more is left over than the zeros that fill up.
fn regroup(values: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::with_capacity(33), 0_u32, 0);
    for value in values {
        held = (held << 5 | u32::from(*value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    (bits < 5 && held & ((1 << bits) - 1) == 0).then_some(bytes)
}

fn low_bits(value: u64) -> u8 {
    u8::try_from(value & 31).unwrap_or_default()
}
