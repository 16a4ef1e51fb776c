//! Decimal numbers as Redis, JavaScript and MySQL write them, exactly. Pure.

use crate::rewards::Amount;
use crate::stratum::{Unit, Weight};
use ethnum::U256;

/// Most digits that count: 10^70 has 233 bits.
const MOST_DIGITS: usize = 70;
/// Digits of an exponent; more is no number of coins or shares.
const MOST_EXPONENT: usize = 6;
/// Powers of ten that fit 256 bits.
const MOST_POWER: u32 = 77;
/// Decimals of a coin.
const COIN: u32 = 8;
/// Decimals of the smallest unit to which what is dropped is counted.
pub(super) const DROPPED: u32 = 18;

/// A decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: U256,
    /// Power of ten that the digits are multiplied with.
    exponent: i32,
}

/// Why a text is no number that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecimalError {
    #[error("it is not a number")]
    Syntax,
    #[error("it is too long or too large")]
    Size,
    #[error("it is negative")]
    Negative,
}

/// Money that is a whole number of units, and what was below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rounded {
    pub(super) amount: Amount,
    /// In 10^-18 of the smallest unit, rounded down.
    pub(super) dropped: u128,
}

impl Decimal {
    /// Reads `12`, `-0.5`, `.5`, `1e-7`, `1.25E+3`.
    pub(super) fn parse(text: &str) -> Result<Self, DecimalError> {
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            None => (text, 0),
            Some((mantissa, power)) => (mantissa, exponent(power)?),
        };
        let negative = mantissa.starts_with('-');
        let plain = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(DecimalError::Syntax);
        }
        let kept = all.trim_end_matches('0');
        let zeros = all.len() - kept.len();
        let kept = kept.trim_start_matches('0');
        if kept.is_empty() {
            return Ok(Self { negative: false, digits: U256::ZERO, exponent: 0 });
        }
        if kept.len() > MOST_DIGITS {
            return Err(DecimalError::Size);
        }
        let ten = U256::from(10_u8);
        let digits = kept.bytes().fold(U256::ZERO, |sum, byte| sum * ten + U256::from(byte - b'0'));
        let moved = i64::try_from(zeros).ok().zip(i64::try_from(fraction.len()).ok());
        let exponent = moved.and_then(|(up, down)| i32::try_from(power + up - down).ok());
        Ok(Self { negative, digits, exponent: exponent.ok_or(DecimalError::Size)? })
    }

    /// As money, counted in coins or in the smallest unit, rounded down. What is negative and less
    /// than a unit is the noise of sums of floats: nothing.
    pub(super) fn money(self, in_coins: bool) -> Result<Rounded, DecimalError> {
        let places = if in_coins { COIN } else { 0 };
        let shift = self.exponent.saturating_add_unsigned(places);
        let power = shift.unsigned_abs();
        let (whole, dropped) = if shift >= 0 {
            let whole = ten_to(power).and_then(|ten| self.digits.checked_mul(ten));
            (whole.ok_or(DecimalError::Size)?, U256::ZERO)
        } else {
            match ten_to(power) {
                Some(ten) => (self.digits / ten, fraction(self.digits % ten, power)),
                None => (U256::ZERO, U256::ZERO),
            }
        };
        let whole = u64::try_from(whole).map_err(|_| DecimalError::Size)?;
        // The book's own numbers have 63 bits.
        let whole = i64::try_from(whole).map_err(|_| DecimalError::Size)?.unsigned_abs();
        match self.negative {
            true if whole > 0 => Err(DecimalError::Negative),
            true => Ok(Rounded::default()),
            false => Ok(Rounded { amount: Amount(whole), dropped: dropped.as_u128() }),
        }
    }

    /// As work: a difficulty in a coin's unit, the nearest whole number, halves up, and at least 1
    /// if there is any.
    pub(super) fn weight(self, unit: Unit) -> Result<Weight, DecimalError> {
        if self.digits == U256::ZERO {
            return Ok(0);
        }
        if self.negative {
            return Err(DecimalError::Negative);
        }
        let power = ten_to(self.exponent.unsigned_abs());
        let (above, below) = match (power, self.exponent >= 0) {
            (Some(ten), true) => {
                (self.digits.checked_mul(ten).ok_or(DecimalError::Size)?, U256::ONE)
            }
            (Some(ten), false) => (self.digits, ten),
            (None, true) => return Err(DecimalError::Size),
            (None, false) => return Ok(1),
        };
        let bits = u32::from(unit.0.unsigned_abs());
        let (above, below) = if unit.0 < 0 {
            (shifted(above, bits).ok_or(DecimalError::Size)?, below)
        } else {
            match shifted(below, bits) {
                Some(below) => (above, below),
                // A weight of 2^256 times what fits 256 bits.
                None => return Ok(1),
            }
        };
        let (whole, rest) = (above / below, above % below);
        let nearest = if rest >= below - rest { whole.saturating_add(U256::ONE) } else { whole };
        let nearest = i64::try_from(nearest).map_err(|_| DecimalError::Size)?;
        Ok(nearest.unsigned_abs().max(1))
    }
}

/// `-7`, `+3`, `12`.
fn exponent(text: &str) -> Result<i64, DecimalError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::Syntax);
    }
    if digits.trim_start_matches('0').len() > MOST_EXPONENT {
        return Err(DecimalError::Size);
    }
    text.parse().map_err(|_| DecimalError::Size)
}

fn ten_to(power: u32) -> Option<U256> {
    (power <= MOST_POWER).then(|| U256::from(10_u8).pow(power))
}

/// `rest / 10^power` in 10^-18, rounded down. `rest` is less than 10^70.
fn fraction(rest: U256, power: u32) -> U256 {
    match power.checked_sub(DROPPED) {
        Some(more) => rest / U256::from(10_u8).pow(more),
        None => rest * U256::from(10_u8).pow(DROPPED - power),
    }
}

fn shifted(value: U256, bits: u32) -> Option<U256> {
    (value.leading_zeros() >= bits).then(|| value << bits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn coins(text: &str) -> Result<u64, DecimalError> {
        Decimal::parse(text)?.money(true).map(|money| money.amount.0)
    }

    #[test]
    fn what_redis_and_javascript_write_is_read_exactly() {
        for (text, units) in [
            ("0", 0),
            ("-0", 0),
            ("-0.00000000000000001", 0),
            ("12.5", 1_250_000_000),
            (".5", 50_000_000),
            ("1e-7", 10),
            ("1.25E+3", 125_000_000_000),
            ("3.62500000000000000", 362_500_000),
            ("0.12500000999999999", 12_500_000),
            ("90071992.54740993", 9_007_199_254_740_993),
            ("1e-400000", 0),
            ("0.000000000000000000000000000000000000000000000000000000000000000000000000001", 0),
        ] {
            assert_eq!(coins(text), Ok(units), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "-", "NaN", "-nan", "Infinity", "inf", "0x10", "1_0", "1,5", " 1"] {
            assert_eq!(coins(text), Err(DecimalError::Syntax), "{text}");
        }
        for text in ["e5", "1e", "1e+", "1e1.5", "1e--1", "1-", "--1", "٣"] {
            assert_eq!(coins(text), Err(DecimalError::Syntax), "{text}");
        }
        for text in ["1e300", "1e999999999999", "99999999999999999999", "92233720368.54775808"] {
            assert_eq!(coins(text), Err(DecimalError::Size), "{text}");
        }
        assert_eq!(coins(&"7".repeat(71)), Err(DecimalError::Size));
        assert_eq!(coins("-0.00000001"), Err(DecimalError::Negative));
        assert_eq!(coins("-5"), Err(DecimalError::Negative));
    }

    #[test]
    fn what_is_below_a_unit_is_counted() {
        let dropped = |text| Decimal::parse(text).unwrap().money(true).unwrap().dropped;
        assert_eq!(dropped("0.000000015"), 500_000_000_000_000_000);
        assert_eq!(dropped("0.12500000999999999"), 999_999_999_000_000_000);
        // Ten digits more than are counted.
        assert_eq!(dropped("0.000000001234567890123456789012345"), 123_456_789_012_345_678);
        assert_eq!(dropped("7"), 0);
    }

    #[test]
    fn work_is_the_nearest_weight_and_never_lost() {
        let weight = |text, unit| Decimal::parse(text).unwrap().weight(Unit(unit));
        assert_eq!(weight("32", -10), Ok(32 << 10));
        assert_eq!(weight("7.25", -2), Ok(29));
        assert_eq!(weight("0.5", 0), Ok(1));
        assert_eq!(weight("2.5", 0), Ok(3));
        assert_eq!(weight("2.49999", 0), Ok(2));
        assert_eq!(weight("1e-30", 0), Ok(1));
        assert_eq!(weight("1e-300", -100), Ok(1));
        assert_eq!(weight("4096", 10), Ok(4));
        assert_eq!(weight("0", -20), Ok(0));
        assert_eq!(weight("1", 127), Ok(1));
        assert_eq!(weight("1e60", -100), Err(DecimalError::Size));
        assert_eq!(weight("-3", 0), Err(DecimalError::Negative));
    }

    proptest! {
        /// Whole units and eight decimals, however the point is moved and however many zeros.
        #[test]
        fn any_amount_is_read_back(
            units in 0..=i64::MAX.unsigned_abs(), moved in 0_usize..20, zeros in 0_usize..9,
        ) {
            let text = format!("{}{}", Amount(units), "0".repeat(zeros));
            prop_assert_eq!(coins(&text), Ok(units));
            prop_assert_eq!(coins(&format!("{units}e-8")), Ok(units));
            let digits = units.to_string();
            let power = i64::try_from(moved + digits.len()).unwrap() - 8;
            let text = format!("000.{}{digits}e{power}", "0".repeat(moved));
            prop_assert_eq!(coins(&text), Ok(units));
            let plain = Decimal::parse(&units.to_string()).and_then(|it| it.money(false));
            prop_assert_eq!(plain.map(|money| money.amount.0), Ok(units));
        }

        /// The whole is never above the number, and what was dropped is the rest.
        #[test]
        fn nothing_is_added_or_lost(units in 0_u64..1 << 60, below in 0_u64..1_000_000_000) {
            let text = format!("{}{below:09}", Amount(units));
            let money = Decimal::parse(&text).unwrap().money(true).unwrap();
            prop_assert_eq!(money.amount.0, units);
            prop_assert_eq!(money.dropped, u128::from(below) * 1_000_000_000);
        }

        /// |weight · 2^unit − number| is at most half a unit.
        #[test]
        fn the_nearest_weight_is_near(units in 1_u64..1 << 50, unit in -26_i8..=0) {
            let weight = Decimal::parse(&Amount(units).to_string()).unwrap().weight(Unit(unit));
            let weight = u128::from(weight.unwrap());
            let exact = u128::from(units) << unit.unsigned_abs();
            let (low, high) = ((2 * weight).saturating_sub(1), 2 * weight + 1);
            let fits = low * 100_000_000 <= 2 * exact && 2 * exact < high * 100_000_000;
            prop_assert!(fits || weight == 1, "{} {}", weight, exact);
        }

        #[test]
        fn no_text_panics(text: String, unit: i8) {
            if let Ok(number) = Decimal::parse(&text) {
                let _ = (number.money(true), number.money(false), number.weight(Unit(unit)));
            }
        }

        #[test]
        fn no_number_panics(text in "-?[0-9]{0,90}\\.?[0-9]{0,90}(e-?[0-9]{1,7})?", unit: i8) {
            if let Ok(number) = Decimal::parse(&text) {
                let _ = (number.money(true), number.money(false), number.weight(Unit(unit)));
            }
        }
    }
}
