//! The pool's fee: `feePercent` with `feeReceiveAddress` and `feeWithdrawalThreshold`, in
//! `paymentProcessing` or in the early `shareProcessing.internal`.

use super::check_payments::{self, DUST};
use super::check_pool::{INTERNAL, early_wins};
use super::check_rewards::{check_address, parts};
use super::checked::{Coin, FeeAccount, RewardRecipient};
use super::raw::RawPool;
use super::values::{Judge, Keys, coins};
use crate::rewards::Amount;

/// A fee above that many parts per million is asked about: `0.5` may be meant as 0.5 %.
const LARGE: u32 = 100_000;

/// What the pool takes of each reward, and where it goes.
#[derive(Debug, Default)]
pub(super) struct Fee {
    ppm: u32,
    /// `feeReceiveAddress`.
    address: Option<String>,
    /// `feeWithdrawalThreshold`.
    threshold: Option<Amount>,
    /// The coinbase pays it.
    in_coinbase: bool,
}

impl Fee {
    /// The fee as a recipient of the coinbase.
    pub(super) fn recipient(&self) -> Option<RewardRecipient> {
        let destination = self.address.clone().filter(|_| self.in_coinbase)?;
        Some(RewardRecipient { destination, ppm: self.ppm })
    }

    /// What is taken off each reward when it is credited, parts per million.
    pub(super) fn taken(&self) -> u32 {
        if self.in_coinbase { 0 } else { self.ppm }
    }

    /// The account that it is credited to; `None`: it stays in the wallet.
    pub(super) fn account(&self, minimum: Amount) -> Option<FeeAccount> {
        let address = self.address.clone().filter(|_| self.taken() > 0)?;
        Some(FeeAccount { address, threshold: self.threshold.unwrap_or(minimum) })
    }
}

/// The fee of a pool. The section that has `feePercent` counts as a whole, the later one first.
pub(super) fn fee(
    raw: &RawPool,
    keys: &Keys<'_>,
    coin: Option<&Coin>,
    judge: &mut Judge<'_>,
) -> Fee {
    let late = raw.payment_processing.as_ref().map(|it| {
        (it.fee_percent, it.fee_receive_address.as_ref(), it.fee_withdrawal_threshold.is_some())
    });
    let early = raw.share_processing.as_ref().and_then(|it| it.internal.as_ref()).map(|it| {
        (it.fee_percent, it.fee_receive_address.as_ref(), it.fee_withdrawal_threshold.is_some())
    });
    let has_fee = |section: &Option<(Option<f64>, _, _)>| {
        section.as_ref().is_some_and(|(percent, ..)| percent.is_some())
    };
    let is_early =
        has_fee(&early) && (!has_fee(&late) || early_wins(keys, INTERNAL[0], "paymentProcessing"));
    let is_early = is_early || (late.is_none() && early.is_some());
    let section = if is_early { INTERNAL.to_vec() } else { vec!["paymentProcessing"] };
    let path = |key| [section.as_slice(), &[key]].concat();
    let Some((percent, address, has_threshold)) = (if is_early { early } else { late }) else {
        return Fee::default();
    };
    let at = path("feeWithdrawalThreshold");
    let threshold = match has_threshold {
        true => coins(keys, &at, "no amount to collect fees up to", judge),
        false => None,
    };
    if threshold.is_some_and(|threshold| threshold.0 < DUST) {
        let hint = "must be at least 0.0001 coins: nodes do not relay smaller outputs";
        judge.report.error(&keys.at(&at), "no amount to collect fees up to", hint);
    }
    if let Some(address) = address {
        check_address(address, coin, keys, &path("feeReceiveAddress"), judge);
    }
    let at = path("feePercent");
    let Some(percent) = percent else {
        for key in ["feeReceiveAddress", "feeWithdrawalThreshold"] {
            if keys.has(&path(key)) {
                let hint = "without effect until there is one";
                judge.report.note(&keys.key(&path(key)), "there is no `feePercent`", hint);
            }
        }
        return Fee::default();
    };
    if percent >= 1.0 {
        let hint = "a fraction: 0.02 is 2 %";
        judge.report.error(&keys.at(&at), "the fee takes the whole block", hint);
        return Fee::default();
    }
    let hint = "must be a fraction, such as 0.02 for 2 %, with at most 6 decimals";
    let Some(ppm) = parts(percent, 6, hint, keys, &at, judge) else { return Fee::default() };
    if ppm > LARGE {
        let title = format!("a fee of {} %", f64::from(ppm) / 10_000.0);
        judge.report.warning(&keys.at(&at), &title, "a fraction: 0.02 is 2 %");
    }
    if address.is_none() && ppm > 0 {
        let title = "there is no `feeReceiveAddress`";
        let hint = "the fee stays in the pool's wallet when miners are paid";
        judge.report.note(&keys.key(&at), title, hint);
    }
    // Without payments nobody keeps a book that an account could be in.
    let in_coinbase =
        is_early && address.is_some() && (threshold.is_none() || !check_payments::is_on(raw, keys));
    if !in_coinbase && ppm > 0 && address.is_some() && address == raw.address.as_ref() {
        let hint = "leave it out: the fee stays in the wallet then";
        let place = keys.at(&path("feeReceiveAddress"));
        judge.report.error(&place, "this is the pool's own address", hint);
    }
    Fee { ppm, address: address.cloned(), threshold, in_coinbase }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::tests::over_base;
    use crate::config::{Payments, Pool, load};
    use crate::rewards::Amount;

    const THEIRS: &str = "LZz44iyF4zLCXJTU8RxztyyJZBntdS6fvv";

    /// The base pool with more keys; or what was said about them.
    fn pool(keys: &str) -> Result<(Pool, String), String> {
        let base = include_str!("../../tests/configs/base/pool_configs/litecoin.json");
        let text = base.replacen('{', &format!("{{{keys},"), 1);
        let loaded = load(over_base(&[("pool_configs/litecoin.json", &text)]).path());
        let config = loaded.config.ok_or_else(|| loaded.errors.join("\n"))?;
        Ok((config.pools.into_values().next().unwrap(), loaded.warnings.join("\n")))
    }

    fn late(fee: &str) -> Payments {
        let keys = format!(r#""paymentProcessing": {{"enabled": true, {fee}}}"#);
        let (pool, _) = pool(&keys).unwrap();
        assert_eq!(pool.recipients, []);
        pool.payments.unwrap()
    }

    #[test]
    fn a_fee_stays_goes_to_an_account_or_is_in_the_coinbase() {
        let kept = late(r#""feePercent": 0.015"#);
        assert_eq!((kept.fee_ppm, kept.fee_account), (15_000, None));
        let with_address = format!(r#""feePercent": 0.02, "feeReceiveAddress": "{THEIRS}""#);
        let account = late(&format!(r#"{with_address}, "minimumPayment": 0.5"#)).fee_account;
        let account = account.unwrap();
        assert_eq!((account.address.as_str(), account.threshold), (THEIRS, Amount(50_000_000)));
        let threshold = r#""feeWithdrawalThreshold": 1.00000001"#;
        let account = late(&format!("{with_address}, {threshold}")).fee_account.unwrap();
        assert_eq!(account.threshold, Amount(100_000_001));

        // The early section: a coinbase recipient, unless there is a threshold and a book.
        let early = |enabled: bool, fee: &str| {
            let section = format!(r#"{{"internal": {{"enabled": {enabled}, {fee}}}}}"#);
            pool(&format!(r#""shareProcessing": {section}"#)).unwrap().0
        };
        let with_both = format!("{with_address}, {threshold}");
        for (enabled, fee, recipients, account) in [
            (true, with_address.as_str(), 1, false),
            (true, &with_both, 0, true),
            (false, &with_both, 1, false),
        ] {
            let pool = early(enabled, fee);
            assert_eq!(pool.recipients.len(), recipients, "{enabled} {fee}");
            let payments = pool.payments;
            assert_eq!(payments.is_some(), enabled);
            let has = payments.is_some_and(|it| it.fee_account.is_some() && it.fee_ppm == 20_000);
            assert_eq!(has, account, "{enabled} {fee}");
        }
    }

    #[test]
    fn the_later_section_counts_and_what_has_no_effect_is_told() {
        let both = format!(
            r#""paymentProcessing": {{"enabled": true, "feePercent": 0.01}},
               "shareProcessing": {{"internal": {{"feePercent": 0.02, "feeReceiveAddress": "{THEIRS}"}}}}"#
        );
        let (pool_of_both, _) = pool(&both).unwrap();
        let payments = pool_of_both.payments.unwrap();
        assert_eq!((payments.fee_ppm, pool_of_both.recipients.len()), (10_000, 0));
        let told = |fee: &str| {
            pool(&format!(r#""paymentProcessing": {{"enabled": true, {fee}}}"#)).unwrap().1
        };
        let address = format!(r#""feeReceiveAddress": "{THEIRS}""#);
        assert!(told(&address).contains("there is no `feePercent`"));
        assert!(told(r#""feePercent": 0.5"#).contains("a fee of 50 %"));
    }
}
