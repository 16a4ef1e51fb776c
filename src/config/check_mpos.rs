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
    let (raw, path) = section(raw, keys)?;
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
        Some(raw) => judge.password(keys, &at("password"), raw)?,
        None => Secret::new(String::new()),
    };
    let auto_create = raw.auto_create_worker.unwrap_or(false);
    Some(Mpos { host, port, user, password, database, auth: auth?, auto_create, multiplier })
}

/// Whether MPOS mode is on.
pub(super) fn is_on(raw: &RawPool, keys: &Keys<'_>) -> bool {
    section(raw, keys).is_some_and(|(raw, _)| raw.enabled == Some(true))
}

/// The section that counts, and where it is.
fn section<'a>(
    raw: &'a RawPool,
    keys: &Keys<'_>,
) -> Option<(&'a RawMpos, &'static [&'static str])> {
    let early = raw.share_processing.as_ref().and_then(|early| early.mpos.as_ref());
    let early = early.map(|raw| (raw, &EARLY[..]));
    let late = raw.mpos_mode.as_ref().map(|raw| (raw, &LATE[..]));
    match early_wins(keys, EARLY[0], LATE[0]) {
        true => early.or(late),
        false => late.or(early),
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::tests::over_base;
    use super::*;
    use crate::config::load;

    /// The base pool with more keys: its MPOS settings and whether it checks addresses.
    fn pool(keys: &str) -> Result<(Option<Mpos>, bool), String> {
        checked(keys).map(|pool| (pool.mpos, pool.validate_username))
    }

    fn pays(keys: &str) -> bool {
        checked(keys).unwrap().payments.is_some()
    }

    fn checked(keys: &str) -> Result<crate::config::Pool, String> {
        let base = include_str!("../../tests/configs/base/pool_configs/litecoin.json");
        let text = base.replacen('{', &format!("{{{keys},"), 1);
        let loaded = load(over_base(&[("pool_configs/litecoin.json", &text)]).path());
        let config = loaded.config.ok_or_else(|| loaded.errors.join("\n"))?;
        Ok(config.pools.into_values().next().unwrap())
    }

    fn auth(keys: &str) -> (MposAuth, bool) {
        let (mpos, validates) = pool(keys).unwrap();
        assert!(!validates, "names need not be addresses");
        let mpos = mpos.unwrap();
        (mpos.auth, mpos.auto_create)
    }

    const LOGIN: &str = r#""enabled": true, "user": "me", "password": "x", "database": "ltc""#;

    #[test]
    fn later_files_say_whom_to_let_in_with_three_keys() {
        let late = |checks: &str, more: &str| {
            auth(&format!(r#""validateWorkerUsername": {checks}, "mposMode": {{{LOGIN}{more}}}"#))
        };
        let (password, create) = (r#", "checkPassword": true"#, r#", "autoCreateWorker": true"#);
        assert_eq!(late("true", ""), (MposAuth::Worker, false));
        assert_eq!(late("true", password), (MposAuth::Password, false));
        assert_eq!(late("false", ""), (MposAuth::None, false));
        assert_eq!(late("false", password), (MposAuth::None, false));
        assert_eq!(late("false", create), (MposAuth::Worker, true));
    }

    #[test]
    fn early_files_say_it_with_a_word() {
        let early =
            |more: &str| auth(&format!(r#""shareProcessing": {{"mpos": {{{LOGIN}{more}}}}}"#));
        assert_eq!(early(""), (MposAuth::Password, false));
        assert_eq!(early(r#", "stratumAuth": "none""#), (MposAuth::None, false));
        assert_eq!(early(r#", "stratumAuth": "worker""#), (MposAuth::Worker, false));
        let wrong = r#""shareProcessing": {"mpos": {"stratumAuth": "nobody"}}"#;
        assert!(pool(wrong).unwrap_err().contains("unknown way to authorise"));
    }

    #[test]
    fn off_is_off_and_what_is_missing_is_told() {
        assert_eq!(pool(r#""mposMode": {"enabled": false}"#), Ok((None, true)));
        let both = format!(r#""paymentProcessing": {{"enabled": true}}, "mposMode": {{{LOGIN}}}"#);
        assert!(pays(r#""paymentProcessing": {"enabled": true}"#) && !pays(&both));
        let errors = pool(r#""mposMode": {"enabled": true}"#).unwrap_err();
        assert!(
            errors.contains("has no `user`") && errors.contains("has no `database`"),
            "{errors}"
        );
        let (mpos, _) =
            pool(&format!(r#""mposMode": {{{LOGIN}, "host": "/run/mysqld.sock"}}"#)).unwrap();
        let mpos = mpos.unwrap();
        assert_eq!((mpos.host.as_str(), mpos.port), ("/run/mysqld.sock", 3306));
        assert!(!format!("{mpos:?}").contains("\"x\""));
    }
}
