//! A reward split over work, exactly.

use super::Amount;
use ethnum::U256;
use std::collections::BTreeMap;

/// Parts per million in the whole.
const WHOLE: u64 = 1_000_000;

/// Splits `reward` in proportion to work; the parts sum to `reward` to the unit.
///
/// Each part is rounded down, and the units that are left go one each to the largest remainders,
/// equal ones in the order of their keys (largest remainder method). `None` when there is no work:
/// nobody could have the reward.
#[must_use]
pub fn split<K: Ord + Clone>(
    reward: Amount,
    work: &BTreeMap<K, u128>,
) -> Option<BTreeMap<K, Amount>> {
    let total: U256 = work.values().map(|&weight| U256::from(weight)).sum();
    if total == U256::ZERO {
        return None;
    }
    let mut parts = BTreeMap::new();
    let mut remainders = Vec::with_capacity(work.len());
    let mut left = reward.0;
    for (key, &weight) in work {
        let exact = U256::from(reward.0) * U256::from(weight);
        // At most the reward, so it fits.
        let part = (exact / total).as_u64();
        left -= part;
        parts.insert(key.clone(), Amount(part));
        remainders.push((exact % total, key));
    }
    // The sort is stable: equal remainders stay in the order of their keys.
    remainders.sort_by_key(|&(remainder, _)| std::cmp::Reverse(remainder));
    // Fewer units are left than there are remainders above zero.
    for (_, key) in remainders.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        if let Some(part) = parts.get_mut(key) {
            part.0 += 1;
        }
    }
    Some(parts)
}

/// The fee of `ppm` parts per million, rounded down, and what is left of the reward.
#[must_use]
pub fn fee(reward: Amount, ppm: u32) -> (Amount, Amount) {
    let part = u128::from(reward.0) * u128::from(ppm) / u128::from(WHOLE);
    let part = u64::try_from(part).unwrap_or(u64::MAX).min(reward.0);
    (Amount(part), Amount(reward.0 - part))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(reward: u64, work: &[(&str, u128)]) -> Vec<u64> {
        let work = work.iter().map(|&(name, weight)| (name, weight)).collect();
        split(Amount(reward), &work).unwrap().into_values().map(|amount| amount.0).collect()
    }

    #[test]
    fn remainders_decide_about_the_last_units() {
        assert_eq!(parts(1_250_000_000, &[("a", 32), ("b", 96)]), [312_500_000, 937_500_000]);
        assert_eq!(parts(10, &[("a", 1), ("b", 1), ("c", 1)]), [4, 3, 3]);
        assert_eq!(parts(10, &[("a", 1), ("b", 2), ("c", 4)]), [1, 3, 6]);
        assert_eq!(parts(1, &[("a", 1), ("b", u128::MAX)]), [0, 1]);
        assert_eq!(parts(7, &[("a", 0), ("b", 5)]), [0, 7]);
        assert_eq!(split::<&str>(Amount(5), &BTreeMap::new()), None);
        assert_eq!(split(Amount(5), &BTreeMap::from([("a", 0)])), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nobody_is_off_by_a_unit(
            reward: u64,
            work in proptest::collection::btree_map(0_u16..500, 0_u128..1 << 100, 1..60),
        ) {
            let total: U256 = work.values().map(|&weight| U256::from(weight)).sum();
            let Some(parts) = split(Amount(reward), &work) else {
                prop_assert_eq!(total, U256::ZERO);
                return Ok(());
            };
            let sum: u128 = parts.values().map(|part| u128::from(part.0)).sum();
            prop_assert_eq!(sum, u128::from(reward));
            for (key, part) in &parts {
                let exact = U256::from(reward) * U256::from(work[key]);
                let floor = (exact / total).as_u64();
                prop_assert!(part.0 == floor || (part.0 == floor + 1 && exact % total > U256::ZERO));
            }
        }

        #[test]
        fn fee_and_rest_are_the_reward(reward: u64, ppm in 0_u32..=1_000_000) {
            let (fee, rest) = fee(Amount(reward), ppm);
            prop_assert_eq!(u128::from(fee.0) + u128::from(rest.0), u128::from(reward));
            prop_assert_eq!(u128::from(fee.0), u128::from(reward) * u128::from(ppm) / 1_000_000);
        }
    }
}
