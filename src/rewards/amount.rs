//! An amount of money in a coin's smallest unit. Never a float.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount in the coin's smallest unit ("satoshi"), 10^-8 of a coin.
///
/// `u64` holds Dogecoin's whole supply (1.4e19); sums of many amounts go through `u128`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Amount(pub u64);

/// Why a decimal text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The text is not a plain decimal number (digits, one optional point).
    #[error("`{0}` is not a decimal amount")]
    Syntax(String),
    /// More than eight digits follow the point.
    #[error("`{0}` has more than 8 decimals")]
    Precision(String),
    /// The amount does not fit 64 bits.
    #[error("`{0}` is too large for an amount")]
    Overflow(String),
}

/// Smallest units in one coin.
const UNITS_PER_COIN: u64 = 100_000_000;

impl Amount {
    /// Parses a decimal number of coins ("0.001", "12", "50.00000000") exactly.
    ///
    /// # Errors
    /// [`AmountError`] when the text is not a non-negative decimal of at most 8 decimals.
    pub fn from_coins(text: &str) -> Result<Self, AmountError> {
        let syntax = || AmountError::Syntax(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
            return Err(syntax());
        }
        let trimmed = fraction.trim_end_matches('0');
        if trimmed.len() > 8 {
            return Err(AmountError::Precision(text.to_owned()));
        }
        let overflow = || AmountError::Overflow(text.to_owned());
        let number = |part: &str| match part {
            "" => Ok(0_u64),
            digits => digits.parse::<u64>().map_err(|_| overflow()),
        };
        let units = number(&format!("{trimmed:0<8}"))?;
        let whole = number(whole)?.checked_mul(UNITS_PER_COIN).ok_or_else(overflow)?;
        whole.checked_add(units).map(Self).ok_or_else(overflow)
    }

    /// The sum, or `None` past 64 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

/// Prints coins with all eight decimals: `12.50000000`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08}", self.0 / UNITS_PER_COIN, self.0 % UNITS_PER_COIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_not_an_exact_amount() {
        for text in ["", ".", "-1", "+1", "1e8", "0.123456789", "NaN", " 1", "1.2.3", "0x1"] {
            assert!(Amount::from_coins(text).is_err(), "{text}");
        }
        assert!(Amount::from_coins("184467440737.09551616").is_err());
    }

    #[test]
    fn keeps_what_a_float_would_lose() {
        assert_eq!(Amount::from_coins("90071992.54740993"), Ok(Amount(9_007_199_254_740_993)));
        assert_eq!(Amount::from_coins("0.001"), Ok(Amount(100_000)));
        assert_eq!(Amount::from_coins("50.000000000"), Ok(Amount(5_000_000_000)));
    }

    proptest! {
        #[test]
        fn prints_and_parses_back(units: u64) {
            prop_assert_eq!(Amount::from_coins(&Amount(units).to_string()), Ok(Amount(units)));
        }
    }
}
