//! How miners are paid: `paymentProcessing`, and the early `shareProcessing.internal`.

use super::check_fee::Fee;
use super::check_mpos;
use super::check_pool::{INTERNAL, early_wins};
use super::check_rewards::check_address;
use super::checked::{Coin, Daemon, Payments, Pool};
use super::diagnostics::Report;
use super::raw::RawPool;
use super::values::{Judge, Keys, Scale, coins};
use crate::rewards::Amount;
use std::collections::BTreeMap;

/// Less than that many units cannot be paid: nodes do not relay such outputs.
pub const DUST: u64 = 10_000;
/// `minimumPayment` where nothing is said: 0.01 coins.
const MINIMUM: Amount = Amount(1_000_000);

impl Pool {
    /// `paymentProcessing` as it is written, enabled or not: what an operator's commands ask the
    /// wallet of. `None` also while MPOS pays.
    #[must_use]
    pub fn written_payments(&self) -> Option<&Payments> {
        self.payments.as_ref().or(self.idle_payments.as_ref())
    }
}

/// The payments of a pool, and whether they are enabled; `None` when nothing is written of them, or
/// no wallet that could be asked.
pub(super) fn payments(
    raw: &RawPool,
    keys: &Keys<'_>,
    coin: Option<&Coin>,
    first: Option<&Daemon>,
    fee: &Fee,
    judge: &mut Judge<'_>,
) -> Option<(bool, Payments)> {
    let late = raw.payment_processing.as_ref();
    let internal = raw.share_processing.as_ref().and_then(|s| s.internal.as_ref());
    let is_early = is_early(raw, keys);
    let section = if is_early { INTERNAL.to_vec() } else { vec!["paymentProcessing"] };
    let path = |key| [section.as_slice(), &[key]].concat();
    let (enabled, daemon, interval, minimum, reserve) = match (is_early, internal, late) {
        (true, Some(it), _) => {
            (it.enabled, &it.daemon, it.payment_interval, it.minimum_payment, it.minimum_reserve)
        }
        (_, _, Some(it)) => {
            (it.enabled, &it.daemon, it.payment_interval, it.minimum_payment, it.minimum_reserve)
        }
        _ => return None,
    };
    let mut amount = |key, value: Option<f64>, default, title| match value {
        None => Some(default),
        Some(_) => coins(keys, &path(key), title, judge),
    };
    let minimum = amount("minimumPayment", minimum, MINIMUM, "no amount to pay");
    let reserve = amount("minimumReserve", reserve, Amount(0), "no amount to keep");
    let at = path("minimumPayment");
    if minimum.is_some_and(|minimum| minimum.0 < DUST) {
        let hint = "must be at least 0.0001 coins: nodes do not relay smaller outputs";
        judge.report.error(&keys.at(&at), "no amount to pay", hint);
    }
    let bounds = 1.0..=31.0 * 86_400.0;
    let at = path("paymentInterval");
    let interval = judge.duration(keys, &at, interval, 600.0, &bounds, Scale::Seconds);
    let mut minimums = BTreeMap::new();
    for address in late.filter(|_| !is_early).iter().flat_map(|it| &it.minimum_payments).flatten() {
        let (address, path) = (address.0, ["paymentProcessing", "minimumPayments", address.0]);
        check_address(address, coin, keys, &path, judge);
        let title = "no amount to pay";
        let amount = coins(keys, &path, title, judge);
        if amount.is_some_and(|amount| amount.0 < DUST) {
            let hint = "must be at least 0.0001 coins: nodes do not relay smaller outputs";
            judge.report.error(&keys.at(&path), title, hint);
        }
        minimums.extend(amount.map(|amount| (address.clone(), amount)));
    }
    let fee_account = minimum.and_then(|minimum| fee.account(minimum));
    if let Some(account) = fee_account.as_ref().filter(|it| minimums.contains_key(&it.address)) {
        let path = ["paymentProcessing", "minimumPayments", &account.address];
        let hint = "set `feeWithdrawalThreshold` instead";
        judge.report.error(&keys.key(&path), "this is the address of the fee", hint);
    }
    let is_on = enabled == Some(true);
    let wallet = match daemon {
        Some(raw) if is_on => judge.daemon(keys, &path("daemon"), raw)?,
        // Nobody minds one that is not complete while it is not needed.
        Some(raw) => {
            let mut judge = Judge { report: &mut Report::new(false), ..*judge };
            judge.daemon(keys, &path("daemon"), raw)?
        }
        None => first?.clone(),
    };
    let payments = Payments {
        wallet,
        interval,
        minimum: minimum?,
        reserve: reserve?,
        fee_ppm: fee.taken(),
        fee_account,
        minimums,
    };
    Some((is_on, payments))
}

fn is_early(raw: &RawPool, keys: &Keys<'_>) -> bool {
    let internal = raw.share_processing.as_ref().and_then(|s| s.internal.as_ref());
    internal.is_some()
        && (raw.payment_processing.is_none() || early_wins(keys, INTERNAL[0], "paymentProcessing"))
}

/// Whether the pool pays its miners.
pub(super) fn is_on(raw: &RawPool, keys: &Keys<'_>) -> bool {
    let enabled = match is_early(raw, keys) {
        true => raw.share_processing.as_ref().and_then(|s| s.internal.as_ref()?.enabled),
        false => raw.payment_processing.as_ref().and_then(|it| it.enabled),
    };
    enabled == Some(true) && !check_mpos::is_on(raw, keys)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::over_base;
    use crate::config::{Pool, load};

    fn pool(section: &str) -> Result<Pool, String> {
        let base = include_str!("../../tests/configs/base/pool_configs/litecoin.json");
        let text = base.replacen('{', &format!("{{\"paymentProcessing\": {section},"), 1);
        let loaded = load(over_base(&[("pool_configs/litecoin.json", &text)]).path());
        let config = loaded.config.ok_or_else(|| loaded.errors.join("\n"))?;
        Ok(config.pools.into_values().next().unwrap())
    }

    #[test]
    fn payments_that_are_off_have_a_wallet_for_the_operator() {
        let daemon = r#""daemon": {"port": 19555, "user": "u", "password": "p"}"#;
        let on = pool(&format!(r#"{{"enabled": true, {daemon}}}"#)).unwrap();
        let off = pool(&format!(r#"{{"enabled": false, {daemon}}}"#)).unwrap();
        assert_eq!((off.payments.as_ref(), on.idle_payments.as_ref()), (None, None));
        assert_eq!(off.written_payments(), on.payments.as_ref());
        assert_eq!(on.written_payments().unwrap().wallet.port, 19555);
        // One that is not complete is nobody's trouble until it is needed.
        let part = r#""daemon": {"port": 19555}"#;
        assert!(pool(&format!(r#"{{"enabled": true, {part}}}"#)).is_err());
        let off = pool(&format!(r#"{{"enabled": false, {part}}}"#)).unwrap();
        assert_eq!(off.written_payments(), None);
    }
}
