//! How miners are paid: `paymentProcessing`, and the early `shareProcessing.internal`.

use super::check_pool::{INTERNAL, early_wins};
use super::checked::{Daemon, Payments};
use super::raw::RawPool;
use super::values::{Judge, Keys, Scale, scaled};
use crate::rewards::Amount;

/// Less than that many units cannot be paid: nodes do not relay such outputs.
const DUST: u64 = 10_000;
/// `minimumPayment` where nothing is said: 0.01 coins.
const MINIMUM: Amount = Amount(1_000_000);

/// The payments of a pool; `None` when nobody is paid.
pub(super) fn payments(
    raw: &RawPool,
    keys: &Keys<'_>,
    first: Option<&Daemon>,
    judge: &mut Judge<'_>,
) -> Option<Payments> {
    let late = raw.payment_processing.as_ref();
    let internal = raw.share_processing.as_ref().and_then(|s| s.internal.as_ref());
    let is_early = internal.is_some()
        && (late.is_none() || early_wins(keys, INTERNAL[0], "paymentProcessing"));
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
    // As written, since a float would not be exact.
    let mut coins = |key, value: Option<f64>, default, title| {
        let path = path(key);
        if value.is_none() {
            return Some(default);
        }
        let amount = keys.written(&path).and_then(|text| scaled(text, 8)).map(Amount);
        if amount.is_none() {
            let hint = "must be a number of coins with at most 8 decimals";
            judge.report.error(&keys.at(&path), title, hint);
        }
        amount
    };
    let minimum = coins("minimumPayment", minimum, MINIMUM, "no amount to pay");
    let reserve = coins("minimumReserve", reserve, Amount(0), "no amount to keep");
    let at = path("minimumPayment");
    if minimum.is_some_and(|minimum| minimum.0 < DUST) {
        let hint = "must be at least 0.0001 coins: nodes do not relay smaller outputs";
        judge.report.error(&keys.at(&at), "no amount to pay", hint);
    }
    let bounds = 1.0..=31.0 * 86_400.0;
    let at = path("paymentInterval");
    let interval = judge.duration(keys, &at, interval, 600.0, &bounds, Scale::Seconds);
    if enabled != Some(true) {
        return None;
    }
    let wallet = match daemon {
        Some(raw) => judge.daemon(keys, &path("daemon"), raw)?,
        None => first?.clone(),
    };
    let kept = internal.filter(|early| early.fee_receive_address.is_none());
    let fee = kept.and_then(|_| keys.written(&[INTERNAL[0], INTERNAL[1], "feePercent"]));
    // What is no exact fee was told with the recipients.
    let fee_ppm = fee.and_then(|text| scaled(text, 6)).and_then(|ppm| u32::try_from(ppm).ok());
    Some(Payments {
        wallet,
        interval,
        minimum: minimum?,
        reserve: reserve?,
        fee_ppm: fee_ppm.unwrap_or(0).min(999_999),
    })
}
