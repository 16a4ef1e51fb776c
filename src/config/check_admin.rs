//! The Admin Center: `website.adminCenter` of `config.json`.

use super::Secret;
use super::limits::{holds, network, networks};
use super::phc;
use super::raw::{RawAdmin, RawSecret};
use super::values::{Judge, Keys};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Shortest token, letters.
const TOKEN: usize = 32;
/// The password in NOMP's example of a configuration.
const NOMPS: &str = "password";
/// Who may come where nothing is said: this machine and private networks.
const PRIVATE: [&str; 7] = [
    "127.0.0.0/8",
    "::1",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
    "fe80::/10",
];
const CENTER: [&str; 2] = ["website", "adminCenter"];

/// The Admin Center. It has a password, a token, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    /// `password`: the argon2id hash that the operator's password has.
    pub password: Option<Secret>,
    /// `token`: what scripts send, at least 32 letters.
    pub token: Option<Secret>,
    /// `allow` (default loopback and private networks): who may come.
    pub allow: Vec<IpNet>,
}

impl Admin {
    /// Whether that address may come.
    #[must_use]
    pub fn admits(&self, address: &IpAddr) -> bool {
        holds(&self.allow, address)
    }
}

/// The Admin Center; `None` when it is off. `plain`: the site speaks plain HTTP beyond this
/// machine.
pub(super) fn admin(
    raw: &RawAdmin,
    plain: bool,
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<Admin> {
    if raw.enabled != Some(true) {
        return None;
    }
    let mut read = |key: &str, raw: &Option<RawSecret>| {
        let [site, center] = CENTER;
        raw.as_ref().and_then(|raw| judge.secret(keys, &[site, center, key], raw))
    };
    let (password, token) = (read("password", &raw.password), read("token", &raw.token));
    let [site, center] = CENTER;
    let place = [site, center, "password"];
    if password.as_ref().is_some_and(|password| password.expose() == NOMPS) {
        // NOMP's files work as they are, and nobody is let in by a password that all know.
        let title = "the admin center stays off: its password is that of NOMP's example";
        let hint = "run `romp password` and write here what it prints";
        judge.report.warning(&keys.at(&place), title, hint);
        return None;
    }
    if let Some(password) = &password
        && let Err(why) = phc::check(password.expose())
    {
        let title = format!("`{site}.{center}.password` is {why}");
        let hint = "run `romp password` and write what it prints here; never the password itself";
        judge.report.error(&keys.at(&place), &title, hint);
    }
    if let Some(token) = &token {
        let text = token.expose();
        if text.len() < TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let title = format!("`{site}.{center}.token` is too easily guessed");
            let hint = "must be 32 letters or more, no spaces: `openssl rand -hex 32` makes one";
            judge.report.error(&keys.at(&[site, center, "token"]), &title, hint);
        }
    }
    if raw.password.is_none() && raw.token.is_none() {
        let title = "the Admin Center has neither a password nor a token";
        let hint = "add `\"password\"`: what `romp password` prints; or a `\"token\"` for scripts";
        judge.report.error(&keys.key(&CENTER), title, hint);
    }
    if plain {
        let title = "passwords for the Admin Center travel in clear";
        let hint =
            "add `website.tls`, or let `website.host` be 127.0.0.1 with a TLS proxy before it";
        judge.report.warning(&keys.key(&CENTER), title, hint);
    }
    let allow = match &raw.allow {
        None => PRIVATE.iter().filter_map(|text| network(text).ok()).collect(),
        Some(written) => {
            let wide = "nearly everybody may try to log in";
            networks(written, keys, &[site, center, "allow"], wide, judge)
        }
    };
    Some(Admin { password, token, allow })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_come_where_nothing_is_said() {
        let allow = PRIVATE.iter().map(|text| network(text).unwrap()).collect();
        let admin = Admin { password: None, token: None, allow };
        for (address, admitted) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("192.168.7.7", true),
            ("fd00::7", true),
            ("203.0.113.7", false),
            ("172.32.0.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(admin.admits(&address.parse().unwrap()), admitted, "{address}");
        }
    }
}
