//! How miners are paid: `paymentProcessing`, and the early `shareProcessing.internal`.

use super::check_fee::Fee;
use super::check_mpos;
use super::check_pool::{INTERNAL, early_wins};
use super::check_rewards::check_address;
use super::checked::{Coin, Daemon, Payments};
use super::raw::RawPool;
use super::values::{Judge, Keys, Scale, coins};
use crate::rewards::Amount;
use std::collections::BTreeMap;

/// Less than that many units cannot be paid: nodes do not relay such outputs.
pub const DUST: u64 = 10_000;
/// `minimumPayment` where nothing is said: 0.01 coins.
const MINIMUM: Amount = Amount(1_000_000);

/// The payments of a pool; `None` when nobody is paid.
pub(super) fn payments(
    raw: &RawPool,
    keys: &Keys<'_>,
    coin: Option<&Coin>,
    first: Option<&Daemon>,
    fee: &Fee,
    judge: &mut Judge<'_>,
) -> Option<Payments> {
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
    if enabled != Some(true) {
        return None;
    }
    let wallet = match daemon {
        Some(raw) => judge.daemon(keys, &path("daemon"), raw)?,
        None => first?.clone(),
    };
    Some(Payments {
        wallet,
        interval,
        minimum: minimum?,
        reserve: reserve?,
        fee_ppm: fee.taken(),
        fee_account,
        minimums,
    })
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
