//! A pool file checked, with both of NOMP's schemas brought to one meaning.

use super::check_portal::Ports;
use super::checked::{Banning, Coin, Daemon, Pool, Redis, RewardScheme, Store};
use super::diagnostics::shown;
use super::raw::{RawBanning, RawPool};
use super::values::{Judge, Keys, Scale};
use super::{
    check_fee, check_mpos, check_notice, check_payments, check_ports, check_rewards, check_scheme,
    notes,
};
use crate::stratum::Unit;
use std::time::Duration;

/// Bits that ASICs roll (BIP 310's usual mask).
const VERSION_MASK: u32 = 0x1fff_e000;
/// A coinbase script holds 100 bytes; height, extranonces and `coinbaseaux` need most of them.
const MOST_TAG: usize = 20;
/// NOMP's names for what decides `txRefreshInterval` and the like.
pub(super) const INTERNAL: [&str; 2] = ["shareProcessing", "internal"];

/// What a pool is checked with.
pub(super) struct Around<'a> {
    /// The coin it mines; `None` when its file is missing or wrong, which was reported.
    pub(super) coin: Option<Coin>,
    /// The portal's Redis server.
    pub(super) redis: Option<&'a Redis>,
    /// The portal has a certificate for miners.
    pub(super) has_certificate: bool,
}

/// Checks a pool. `None` when an error leaves no pool.
pub(super) fn check(
    raw: &RawPool,
    keys: &Keys<'_>,
    file: &str,
    around: Around<'_>,
    ports: &mut Ports,
    judge: &mut Judge<'_>,
) -> Option<Pool> {
    notes::pool(raw, keys, judge);
    let coin = around.coin;
    let address = check_rewards::address(raw, keys, coin.as_ref(), judge);
    let fee = check_fee::fee(raw, keys, coin.as_ref(), judge);
    let recipients = check_rewards::recipients(raw, keys, coin.as_ref(), &fee, judge);
    let scheme = check_scheme::pool(raw, keys, judge);
    let pool_ports = check_ports::ports(raw, keys, file, (ports, scheme), judge);
    if !around.has_certificate {
        check_ports::needs_certificate(&pool_ports, keys, judge);
    }
    let daemons = daemons(raw, keys, judge);
    let first = daemons.as_deref().and_then(<[Daemon]>::first);
    let payments = check_payments::payments(raw, keys, coin.as_ref(), first, &fee, judge);
    let smallest = pool_ports
        .values()
        .flat_map(|port| [Some(port.diff), port.var_diff.as_ref().map(|rules| rules.min_diff)])
        .flatten()
        .fold(f64::INFINITY, f64::min);
    let unit = Unit::for_smallest(if smallest.is_finite() { smallest } else { 8.0 });
    let times = times(raw, keys, judge);
    let p2p = check_notice::p2p(raw, keys, coin.as_ref(), daemons.as_deref(), judge);
    let validate = validate_username(raw, keys);
    let multiplier = coin.as_ref().map_or(1.0, |coin| coin.mpos_multiplier);
    let mpos = check_mpos::mpos(raw, keys, validate, multiplier, judge);
    // As in NOMP, whose payments find nothing then: the same work must not be paid twice.
    if mpos.is_some() && payments.as_ref().is_some_and(|(is_on, _)| *is_on) {
        let title = "the pool pays nobody: MPOS does";
        judge.report.warning(&keys.key(&[]), title, "switch one of the two off");
    }
    if mpos.is_some() && pool_ports.values().any(|port| port.scheme != RewardScheme::Prop) {
        let hint = "MPOS splits rewards as its own configuration says";
        judge.report.warning(&keys.key(&[]), "`rewardScheme` has no effect on MPOS", hint);
    }
    let (payments, idle_payments) = match payments.filter(|_| mpos.is_none()) {
        Some((true, payments)) => (Some(payments), None),
        Some((false, payments)) => (None, Some(payments)),
        None => (None, None),
    };
    Some(Pool {
        file: file.to_owned(),
        recipients,
        store: store(raw, keys, around.redis, judge),
        block_refresh: times.block_refresh,
        job_refresh: times.job_refresh,
        stale_work: times.stale_work,
        connection_timeout: times.connection,
        daemon_timeout: times.daemon,
        p2p,
        long_poll: raw.long_poll.unwrap_or(true),
        // Names of an MPOS database are no addresses.
        validate_username: validate && mpos.is_none(),
        mpos,
        banning: raw.banning.as_ref().and_then(|raw| banning(raw, keys, judge)),
        proxy_protocol: raw.tcp_proxy_protocol.unwrap_or(false),
        extranonce2_size: extranonce2_size(raw, keys, judge),
        version_mask: version_mask(raw.version_mask.as_deref(), keys, judge)
            .unwrap_or(VERSION_MASK)
            & coin.as_ref().map_or(u32::MAX, |coin| coin.version_mask),
        tag: tag(raw, keys, judge),
        payments,
        idle_payments,
        doctor: raw.doctor.unwrap_or(true),
        ports: pool_ports,
        unit,
        address: address?,
        daemons: daemons?,
        coin: coin?,
    })
}

/// Whether the early spelling of a setting counts: the pool's own file has it, and the later one,
/// if any, only comes from `defaultPoolConfigs`.
pub(super) fn early_wins(keys: &Keys<'_>, early: &str, late: &str) -> bool {
    keys.owns(early) && !keys.owns(late)
}

fn daemons(raw: &RawPool, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Option<Vec<Daemon>> {
    let written = raw.daemons.as_deref().unwrap_or_default();
    if written.is_empty() {
        if raw.daemons.is_none() && keys.has(&["daemons"]) {
            return None;
        }
        let hint = "add `\"daemons\": [{\"host\", \"port\", \"user\", \"password\"}]`";
        judge.report.error(&keys.at(&["daemons"]), "the pool has no daemon", hint);
        return None;
    }
    let mut daemons: Vec<Daemon> = Vec::new();
    let mut complete = true;
    for (index, raw) in written.iter().enumerate() {
        let index = index.to_string();
        let path = ["daemons", &index];
        let Some(daemon) = judge.daemon(keys, &path, raw) else {
            complete = false;
            continue;
        };
        if daemons.iter().any(|one| one.host == daemon.host && one.port == daemon.port) {
            let hint = "it counts once";
            judge.report.warning(&keys.at(&path), "this daemon is here twice", hint);
        } else {
            daemons.push(daemon);
        }
    }
    complete.then_some(daemons)
}

struct Times {
    block_refresh: Duration,
    job_refresh: Duration,
    stale_work: Duration,
    connection: Duration,
    daemon: Duration,
}

fn times(raw: &RawPool, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Times {
    let day = 86_400.0;
    let block_refresh = match raw.block_refresh_interval {
        // NOMP's way to switch polling off.
        Some(milliseconds) if milliseconds <= 0.0 => Duration::ZERO,
        value => judge.duration(
            keys,
            &["blockRefreshInterval"],
            value,
            1000.0,
            &(10.0..=3_600_000.0),
            Scale::Milliseconds,
        ),
    };
    let (early, late) = ("txRefreshInterval", "jobRebroadcastTimeout");
    let late_value = raw.job_rebroadcast_timeout;
    let early_counts = late_value.is_none() || early_wins(keys, early, late);
    let job_refresh = if raw.tx_refresh_interval.is_some() && early_counts {
        let bounds = 1000.0..=day * 1000.0;
        let value = raw.tx_refresh_interval;
        judge.duration(keys, &[early], value, 55_000.0, &bounds, Scale::Milliseconds)
    } else {
        judge.duration(keys, &[late], late_value, 55.0, &(1.0..=day), Scale::Seconds)
    };
    if raw.tx_refresh_interval.is_some() && !early_counts {
        let hint = "without effect: `jobRebroadcastTimeout` is set, too";
        judge.report.note(&keys.key(&[early]), "two settings for one thing", hint);
    }
    let mut seconds = |key: &str, value, default, bounds| {
        judge.duration(keys, &[key], value, default, &bounds, Scale::Seconds)
    };
    Times {
        block_refresh,
        job_refresh,
        stale_work: seconds("staleWorkTimeout", raw.stale_work_timeout, 120.0, 3.0..=day),
        connection: seconds("connectionTimeout", raw.connection_timeout, 600.0, 1.0..=1e7),
        daemon: seconds("daemonTimeout", raw.daemon_timeout, 5.0, 0.1..=300.0),
    }
}

fn store(raw: &RawPool, keys: &Keys<'_>, portal: Option<&Redis>, judge: &mut Judge<'_>) -> Store {
    let early = raw.share_processing.as_ref().and_then(|s| s.internal.as_ref()?.redis.as_ref());
    let early = early.map(|raw| ([INTERNAL[0], INTERNAL[1], "redis"].to_vec(), raw));
    let late = raw.redis.as_ref().map(|raw| (vec!["redis"], raw));
    let written = match early_wins(keys, INTERNAL[0], "redis") {
        true => early.or(late),
        false => late.or(early),
    };
    let redis = match written {
        Some((path, raw)) => judge.redis(keys, &path, raw),
        None => portal.cloned(),
    };
    redis.map_or(Store::Sqlite, Store::Redis)
}

fn validate_username(raw: &RawPool, keys: &Keys<'_>) -> bool {
    let early =
        raw.share_processing.as_ref().and_then(|s| s.internal.as_ref()?.validate_worker_address);
    let late = raw.validate_worker_username;
    let chosen = match early_wins(keys, INTERNAL[0], "validateWorkerUsername") {
        true => early.or(late),
        false => late.or(early),
    };
    chosen.unwrap_or(true)
}

fn banning(raw: &RawBanning, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Option<Banning> {
    let day = 86_400.0;
    let path = |key| ["banning", key];
    let mut seconds = |key, value, default, bounds| {
        judge.duration(keys, &path(key), value, default, &bounds, Scale::Seconds)
    };
    let time = seconds("time", raw.time, 600.0, 1.0..=365.0 * day);
    let purge_interval = seconds("purgeInterval", raw.purge_interval, 300.0, 1.0..=day);
    let max_time =
        seconds("maxTime", raw.max_time, day.max(time.as_secs_f64()), 1.0..=3650.0 * day);
    let percent =
        judge.number(keys, &path("invalidPercent"), raw.invalid_percent, 50.0, &(0.1..=100.0));
    let burst = raw.burst.unwrap_or(50);
    let check_threshold = raw.check_threshold.unwrap_or(500);
    if check_threshold == 0 {
        let hint = "must be at least 1";
        let title = "`banning.checkThreshold` is out of range";
        judge.report.error(&keys.at(&path("checkThreshold")), title, hint);
    }
    if max_time < time {
        let title = "`banning.maxTime` is shorter than `banning.time`";
        let hint = "no ban lasts longer than this, the first one neither";
        judge.report.warning(&keys.at(&path("maxTime")), title, hint);
    }
    raw.enabled.unwrap_or(false).then_some(Banning {
        time,
        invalid_percent: percent,
        check_threshold,
        purge_interval,
        max_time,
        burst,
    })
}

fn extranonce2_size(raw: &RawPool, keys: &Keys<'_>, judge: &mut Judge<'_>) -> u8 {
    let size = raw.extranonce2_size.unwrap_or(4);
    if !(4..=8).contains(&size) {
        let hint = "must be from 4 to 8";
        judge.report.error(&keys.at(&["extranonce2Size"]), "no size of an extranonce2", hint);
    }
    size
}

/// `versionMask` of a pool or a coin.
pub(super) fn version_mask(
    written: Option<&str>,
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<u32> {
    let text = written?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let hex = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mask = u32::from_str_radix(digits, 16).ok().filter(|_| hex && digits.len() <= 8);
    let place = keys.at(&["versionMask"]);
    match mask {
        None => {
            let hint = "must be up to 8 hex digits, such as 1fffe000";
            judge.report.error(&place, "no version mask", hint);
        }
        Some(mask) if mask & !VERSION_MASK != 0 => {
            let title = "the mask lets miners roll bits that nodes look at";
            let hint = "1fffe000 is what BIP 320 leaves free";
            judge.report.warning(&place, title, hint);
        }
        Some(_) => {}
    }
    mask
}

fn tag(raw: &RawPool, keys: &Keys<'_>, judge: &mut Judge<'_>) -> String {
    let tag = raw.pool_tag.as_deref().unwrap_or("/romp/");
    let plain = tag.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if tag.len() > MOST_TAG || !plain {
        let title = format!("`{}` does not fit the coinbase", shown(tag));
        let hint = format!("must be at most {MOST_TAG} printable ASCII letters");
        judge.report.error(&keys.at(&["poolTag"]), &title, &hint);
    }
    tag.to_owned()
}
