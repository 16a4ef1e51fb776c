//! Targets: the 256-bit number that a hash must not exceed.

use super::Hash;
use ethnum::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A proof-of-work target. A hash meets it when, read as a little-endian number, it is not larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target(pub U256);

impl Target {
    /// The target of difficulty 1: 0xffff · 2^208.
    pub const DIFFICULTY_1: Self = Self(U256::from_words(0xffff_u128 << 80, 0));

    /// From the compact form (`nBits`); `None` when negative or overflowing (Bitcoin's
    /// `arith_uint256::SetCompact`).
    #[must_use]
    pub fn from_compact(bits: u32) -> Option<Self> {
        let size = bits >> 24;
        let mantissa = bits & 0x7f_ffff;
        if size <= 3 {
            let value = mantissa >> (8 * (3 - size));
            let negative = value != 0 && bits & 0x80_0000 != 0;
            return (!negative).then(|| Self(U256::from(value)));
        }
        if mantissa == 0 {
            return Some(Self(U256::ZERO));
        }
        let negative = bits & 0x80_0000 != 0;
        let overflow =
            size > 34 || (mantissa > 0xff && size > 33) || (mantissa > 0xffff && size > 32);
        (!negative && !overflow).then(|| Self(U256::from(mantissa) << (8 * (size - 3))))
    }

    /// The hardest target that the hash (bytes in internal order) meets.
    #[must_use]
    pub fn met_by(hash: &Hash) -> Self {
        Self(U256::from_le_bytes(hash.0))
    }

    /// Whether the hash (bytes in internal order) is not above the target.
    #[must_use]
    pub fn is_met_by(&self, hash: &Hash) -> bool {
        Self::met_by(hash) <= *self
    }

    /// `DIFFICULTY_1 / self`, the difficulty as daemons print it. For display only.
    #[must_use]
    pub fn difficulty(&self) -> f64 {
        Self::DIFFICULTY_1.0.as_f64() / self.0.max(U256::ONE).as_f64()
    }
}

/// As 64 hex digits, most significant first.
impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hash(self.0.to_le_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Hash::deserialize(deserializer).map(|hash| Self(U256::from_le_bytes(hash.0)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bits: u32) -> Option<String> {
        Target::from_compact(bits).map(|target| format!("{:x}", target.0))
    }

    #[test]
    fn compact_form_is_read_as_bitcoin_reads_it() {
        // Bitcoin Core, src/test/arith_uint256_tests.cpp, "bignum_SetCompact".
        for zero in [0, 0x0012_3456, 0x0100_3456, 0x0200_0056, 0x0300_0000, 0x0400_0000] {
            assert_eq!(hex(zero).as_deref(), Some("0"), "{zero:08x}");
        }
        for zero in [0x0092_3456, 0x0180_3456, 0x0280_0056, 0x0380_0000, 0x0480_0000] {
            assert_eq!(hex(zero).as_deref(), Some("0"), "{zero:08x}");
        }
        assert_eq!(hex(0x0112_3456).as_deref(), Some("12"));
        assert_eq!(hex(0x0200_8000).as_deref(), Some("80"));
        assert_eq!(hex(0x0500_9234).as_deref(), Some("92340000"));
        assert_eq!(hex(0x2012_3456), Some(format!("123456{}", "0".repeat(58))));
        for (name, bits) in [
            ("negative", 0x01fe_dcba),
            ("negative", 0x0492_3456),
            ("overflow", 0xff12_3456),
            ("overflow", 0x2300_0001),
            ("overflow", 0x2200_0100),
            ("overflow", 0x2101_0000),
        ] {
            assert_eq!(hex(bits), None, "{name} {bits:08x}");
        }
        assert!(hex(0x2200_00ff).is_some() && hex(0x2100_ffff).is_some());
    }

    #[test]
    fn difficulty_is_what_daemons_print() {
        assert_eq!(Target::from_compact(0x1d00_ffff), Some(Target::DIFFICULTY_1));
        for (bits, difficulty) in
            [(0x1d00_ffff, 1.0), (0x1e0f_fff0, 0.000_244_141), (0x1b04_04cb, 16_307.420_938_524)]
        {
            let found = Target::from_compact(bits).unwrap().difficulty();
            assert!((found - difficulty).abs() < 1e-8, "{bits:08x}: {found}");
        }
    }

    #[test]
    fn a_hash_equal_to_the_target_meets_it() {
        let target = Target(U256::from(5_u32) << 200);
        assert!(target.is_met_by(&Hash(target.0.to_le_bytes())));
        assert!(!target.is_met_by(&Hash((target.0 + 1).to_le_bytes())));
    }

    proptest! {
        #[test]
        fn never_panics_and_serialises_exactly(bits: u32) {
            if let Some(target) = Target::from_compact(bits) {
                let json = serde_json::to_string(&target).unwrap();
                prop_assert_eq!(serde_json::from_str::<Target>(&json).unwrap(), target);
            }
        }
    }
}
