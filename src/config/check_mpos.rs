//! `mposMode` and its early spelling `shareProcessing.mpos`, brought to one meaning.

use super::check_pool::early_wins;
use super::checked::{Mpos, MposAuth};
use super::raw::{RawMpos, RawPool};
use super::secret::Secret;
use super::values::{Judge, Keys};

const EARLY: [&str; 2] = ["shareProcessing", "mpos"];
const LATE: [&str; 1] = ["mposMode"];

/// The pool's MPOS database, when MPOS mode is on. `validate`: `validateWorkerUsername`;
/// `multiplier`: the coin's `mposDiffMultiplier`.
pub(super) fn mpos(
    raw: &RawPool,
    keys: &Keys<'_>,
    validate: bool,
    multiplier: f64,
    judge: &mut Judge<'_>,
) -> Option<Mpos> {
    let early = raw.share_processing.as_ref().and_then(|early| early.mpos.as_ref());
    let early = early.map(|raw| (raw, &EARLY[..]));
    let late = raw.mpos_mode.as_ref().map(|raw| (raw, &LATE[..]));
    let (raw, path) = match early_wins(keys, EARLY[0], LATE[0]) {
        true => early.or(late),
        false => late.or(early),
    }?;
    let at = |key: &'static str| [path, &[key]].concat();
    // Looked at also while it is off: an operator prepares it before.
    let auth = auth(raw, path.len() == EARLY.len(), validate);
    if auth.is_none() {
        let hint = "must be \"password\", \"worker\" or \"none\"";
        judge.report.error(&keys.at(&at("stratumAuth")), "unknown way to authorise", hint);
    }
    if raw.enabled != Some(true) {
        return None;
    }
    let host = raw.host.as_deref().unwrap_or("127.0.0.1");
    let host = match host.starts_with('/') {
        true => host.to_owned(),
        false => judge.host(keys, &at("host"), host),
    };
    let port = judge.port(keys, &at("port"), raw.port.unwrap_or(3306));
    let mut needed = |key: &'static str, value: &Option<String>| {
        let value = value.clone().unwrap_or_default();
        if value.is_empty() {
            let hint = format!("add `\"{key}\": ...`");
            let title = format!("the MPOS database has no `{key}`");
            judge.report.error(&keys.at(&at(key)), &title, &hint);
        }
        value
    };
    let user = needed("user", &raw.user);
    let database = needed("database", &raw.database);
    let password = match &raw.password {
        Some(raw) => judge.secret(keys, &at("password"), raw)?,
        None => Secret::new(String::new()),
    };
    let auto_create = raw.auto_create_worker.unwrap_or(false);
    Some(Mpos { host, port, user, password, database, auth: auth?, auto_create, multiplier })
}

/// Whom to let in. Early files say it with one word (default: password); later ones with
/// `validateWorkerUsername`, `checkPassword` and `autoCreateWorker`. A word counts everywhere.
fn auth(raw: &RawMpos, early: bool, validate: bool) -> Option<MposAuth> {
    match raw.stratum_auth.as_deref() {
        Some("none") => Some(MposAuth::None),
        Some("worker") => Some(MposAuth::Worker),
        Some("password") => Some(MposAuth::Password),
        Some(_) => None,
        None if early => Some(MposAuth::Password),
        None if !validate && raw.auto_create_worker != Some(true) => Some(MposAuth::None),
        None if raw.check_password == Some(true) => Some(MposAuth::Password),
        None => Some(MposAuth::Worker),
    }
}
