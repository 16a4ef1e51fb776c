//! Who is paid by a block: the pool's address and the fee recipients.

use super::check_fee::Fee;
use super::checked::{Coin, RewardRecipient};
use super::diagnostics::shown;
use super::raw::RawPool;
use super::values::{Judge, Keys, scaled};
use crate::chain::address::{AddressError, Rules, script};

/// Parts per million in the whole.
const WHOLE: u64 = 1_000_000;
/// Letters of the longest address that any network has (bech32).
const MOST_ADDRESS: usize = 90;

/// The pool's address.
pub(super) fn address(
    raw: &RawPool,
    keys: &Keys<'_>,
    coin: Option<&Coin>,
    judge: &mut Judge<'_>,
) -> Option<String> {
    let Some(address) = &raw.address else {
        if !keys.has(&["address"]) {
            let hint = "add `\"address\"`: block rewards go to it";
            judge.report.error(&keys.at(&[]), "the pool has no address", hint);
        }
        return None;
    };
    check_address(address, coin, keys, &["address"], judge);
    Some(address.clone())
}

/// `rewardRecipients`, and a fee that the coinbase pays.
pub(super) fn recipients(
    raw: &RawPool,
    keys: &Keys<'_>,
    coin: Option<&Coin>,
    fee: &Fee,
    judge: &mut Judge<'_>,
) -> Vec<RewardRecipient> {
    let mut recipients = Vec::new();
    for (destination, &percent) in raw.reward_recipients.iter().flatten() {
        let path = ["rewardRecipients", destination.as_str()];
        let key_hash = destination.len() == 40 && crate::chain::hex_decode(destination).is_some();
        if !key_hash {
            check_address(destination, coin, keys, &path, judge);
        }
        if raw.address.as_ref() == Some(destination) {
            let hint = "leave it out: the rest goes there anyway";
            judge.report.error(&keys.key(&path), "this is the pool's own address", hint);
        }
        // Percent to parts per million is a shift by 4 decimals.
        let hint = "must be percent, such as 1.5, with at most 4 decimals";
        if let Some(ppm) = parts(percent, 4, hint, keys, &path, judge) {
            recipients.push(RewardRecipient { destination: destination.clone(), ppm });
        }
    }
    recipients.extend(fee.recipient());
    let sum: u64 = recipients.iter().map(|recipient| u64::from(recipient.ppm)).sum();
    if sum >= WHOLE {
        let path =
            if raw.reward_recipients.is_some() { "rewardRecipients" } else { "shareProcessing" };
        let hint = "the sum must be below 100 %";
        judge.report.error(&keys.key(&[path]), "nothing of a block is left for miners", hint);
    }
    recipients.retain(|recipient| recipient.ppm > 0);
    recipients
}

/// A share of the reward in parts per million, exactly as written.
pub(super) fn parts(
    value: f64,
    shift: usize,
    hint: &str,
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) -> Option<u32> {
    let exact = keys.written(path).and_then(|text| scaled(text, shift));
    let ppm = exact.and_then(|ppm| u32::try_from(ppm).ok());
    if ppm.is_none() {
        let title = match value < 0.0 {
            true => "a negative share of the reward",
            false => "no exact share of the reward",
        };
        judge.report.error(&keys.at(path), title, hint);
    }
    ppm
}

pub(super) fn check_address(
    address: &str,
    coin: Option<&Coin>,
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) {
    let place = keys.key(path);
    // CashAddr and others have a colon; the daemon judges them.
    let plain = address.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':');
    if address.is_empty() || address.len() > MOST_ADDRESS || !plain {
        let title = format!("`{}` is not an address", shown(address));
        judge.report.error(&place, &title, "write the address and nothing else");
    } else if let Some(coin) = coin.filter(|coin| !fits_some_network(address, coin)) {
        let title = format!("`{}` is not an address of {}", shown(address), coin.name);
        let hint = "it fits none of the coin's networks";
        judge.report.error(&place, &title, hint);
    }
}

/// Whether the address fits one of the networks that the coin file tells about, or it tells of
/// none. Which network the daemon is on is not known yet.
fn fits_some_network(address: &str, coin: &Coin) -> bool {
    let told = || coin.addresses.iter().filter(|(_, rules)| **rules != Rules::default());
    told().next().is_none()
        || told().any(|(network, rules)| {
            matches!(script(address, rules, *network), Ok(_) | Err(AddressError::NoRules(_)))
        })
}
