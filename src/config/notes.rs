//! Notes on settings whose feature is still to come: said only when something asks for it.

use super::raw::{RawPool, RawPortal};
use super::values::{Judge, Keys};

const HINT: &str = "accepted, without effect yet";

/// Notes on `config.json`.
pub(super) fn portal(raw: &RawPortal, keys: &Keys<'_>, judge: &mut Judge<'_>) {
    let mut note = |asked: Option<bool>, path: &[&str], what: &str| {
        if asked == Some(true) {
            judge.report.note(&keys.key(path), what, HINT);
        }
    };
    let redis = raw.redis_block_notify_listener.as_ref().and_then(|r| r.enabled);
    let what = "block notices over Redis are still to come; use blockNotifyListener or cliPort";
    note(redis, &["redisBlockNotifyListener"], what);
    for (name, ports) in raw.switching.iter().flatten() {
        note(ports.enabled, &["switching", name], "switching ports are still to come");
    }
    let proxy = raw.proxy.as_ref().and_then(|proxy| proxy.get("enabled")?.as_bool());
    note(proxy, &["proxy"], "switching ports are still to come");
    let profit = raw.profit_switch.as_ref().and_then(|p| p.enabled);
    note(profit, &["profitSwitch"], "profit switching is still to come");
}

/// Notes on a pool.
pub(super) fn pool(raw: &RawPool, keys: &Keys<'_>, judge: &mut Judge<'_>) {
    let mut note = |asked: Option<bool>, path: &[&str], what: &str| {
        if asked == Some(true) {
            judge.report.note(&keys.key(path), what, HINT);
        }
    };
    let early = raw.share_processing.as_ref();
    let internal = early.and_then(|s| s.internal.as_ref());
    let collect = internal.and_then(|it| it.fee_collect_account.as_ref()).map(|_| true);
    let fees = "fees stay in the wallet, or are paid to `feeReceiveAddress`";
    note(collect, &["shareProcessing", "internal", "feeCollectAccount"], fees);
    let hashes = "nothing reads the hashes of shares yet";
    note(raw.emit_invalid_block_hashes, &["emitInvalidBlockHashes"], hashes);
    let number = "extranonces are numbered by `instanceId` in config.json";
    note(raw.instance_id.map(|_| true), &["instanceId"], number);
    note(raw.api.as_ref().map(|_| true), &["api"], "`api` is for programs that embed NOMP");
}
