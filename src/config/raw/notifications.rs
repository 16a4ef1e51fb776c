//! `notifications` of `config.json` as written.

use super::parts::RawSecret;
use schemars::JsonSchema;
use serde::Deserialize;

/// Messages to the operator.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawNotifications {
    /// Where to post messages.
    pub(in crate::config) webhooks: Option<Vec<RawWebhook>>,
    /// Mail.
    pub(in crate::config) mail: Option<RawMail>,
    /// Seconds that a daemon is not fresh, or a pool not ready, before it is told; default 30.
    pub(in crate::config) daemon_down_after: Option<f64>,
    /// Seconds that a ledger is behind, or away, before it is told; default 60.
    pub(in crate::config) ledger_behind_after: Option<f64>,
}

/// A webhook.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawWebhook {
    /// Its address, https://...
    pub(in crate::config) url: Option<RawSecret>,
    /// Key of the signature; required for the format romp.
    pub(in crate::config) secret: Option<RawSecret>,
    /// What it is told of; default everything.
    pub(in crate::config) events: Option<Vec<String>>,
    /// "romp", "discord", "slack" or "ntfy"; default romp.
    pub(in crate::config) format: Option<String>,
}

/// Mail through an SMTP server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawMail {
    /// Host name of the SMTP server.
    pub(in crate::config) host: Option<String>,
    /// Its port; default 587, with tls 465, without encryption 25.
    pub(in crate::config) port: Option<u16>,
    /// "starttls", "tls" or "none"; default starttls.
    pub(in crate::config) tls: Option<String>,
    /// Allow "none" to another machine, for everybody on the way to read; default false.
    pub(in crate::config) allow_unencrypted: Option<bool>,
    /// PEM file with certificates that are trusted beside the usual ones.
    pub(in crate::config) ca_file: Option<String>,
    /// User to log in as; default nobody.
    pub(in crate::config) user: Option<String>,
    /// The user's password.
    pub(in crate::config) password: Option<RawSecret>,
    /// Address that mail comes from.
    pub(in crate::config) from: Option<String>,
    /// Addresses that it goes to.
    pub(in crate::config) to: Option<Vec<String>>,
    /// What is told by mail; default everything.
    pub(in crate::config) events: Option<Vec<String>>,
}
