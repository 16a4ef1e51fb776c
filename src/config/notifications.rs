//! What the operator is told of, and how: `notifications` of `config.json`, checked.

use super::Secret;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Messages to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// `webhooks`.
    pub webhooks: Vec<Webhook>,
    /// `mail`.
    pub mail: Option<Mail>,
    /// `daemonDownAfter` (default 30 s).
    pub daemon_down_after: Duration,
    /// `ledgerBehindAfter` (default 60 s).
    pub ledger_behind_after: Duration,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// `url`. A secret: those of chat services are their own password.
    pub url: Secret,
    /// Scheme, host and port of the URL: what may be shown.
    pub site: String,
    /// `secret`: key of the signature.
    pub secret: Option<Secret>,
    /// `events` (default all).
    pub events: Vec<EventKind>,
    /// `format`.
    pub format: HookFormat,
}

/// How a webhook's body is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookFormat {
    /// JSON with all there is to know.
    Romp,
    /// `{"content": ...}`.
    Discord,
    /// `{"text": ...}`.
    Slack,
    /// Plain text.
    Ntfy,
}

impl HookFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Romp, Self::Discord, Self::Slack, Self::Ntfy];

    /// Its name in `config.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Romp => "romp",
            Self::Discord => "discord",
            Self::Slack => "slack",
            Self::Ntfy => "ntfy",
        }
    }
}

/// Mail through an SMTP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// `host`.
    pub host: String,
    /// `port` (default 587; 465 with `tls`; 25 without encryption).
    pub port: u16,
    /// `tls`.
    pub tls: MailTls,
    /// `caFile`.
    pub ca_file: Option<PathBuf>,
    /// `user` and `password`.
    pub login: Option<(String, Secret)>,
    /// `from`.
    pub from: String,
    /// `to`, at least one.
    pub to: Vec<String>,
    /// `events` (default all).
    pub events: Vec<EventKind>,
}

/// How the way to an SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// By STARTTLS; without it nothing is sent.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all.
    None,
}

impl MailTls {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Starttls, Self::Tls, Self::None];

    /// Its name in `config.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }

    /// The usual port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// What the operator can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A block was found, and a daemon took it.
    BlockFound,
    /// A block's reward was credited.
    BlockMatured,
    /// A block is not in the chain, or was refused.
    BlockOrphaned,
    /// A payout was taken by a daemon.
    PayoutSent,
    /// Money is set aside, a payout came to nothing, or payments wait.
    PayoutHeld,
    /// A daemon gives no work.
    DaemonDown,
    /// It does again.
    DaemonUp,
    /// A coin cannot be mined.
    PoolDown,
    /// It can again.
    PoolUp,
    /// A worker, or another process of the pool, has died.
    ProcessDied,
    /// A ledger is behind, or away.
    LedgerBehind,
    /// It has caught up.
    LedgerCaughtUp,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::BlockFound,
        Self::BlockMatured,
        Self::BlockOrphaned,
        Self::PayoutSent,
        Self::PayoutHeld,
        Self::DaemonDown,
        Self::DaemonUp,
        Self::PoolDown,
        Self::PoolUp,
        Self::ProcessDied,
        Self::LedgerBehind,
        Self::LedgerCaughtUp,
    ];

    /// Its name in `config.json` and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlockFound => "block-found",
            Self::BlockMatured => "block-matured",
            Self::BlockOrphaned => "block-orphaned",
            Self::PayoutSent => "payout-sent",
            Self::PayoutHeld => "payout-held",
            Self::DaemonDown => "daemon-down",
            Self::DaemonUp => "daemon-up",
            Self::PoolDown => "pool-down",
            Self::PoolUp => "pool-up",
            Self::ProcessDied => "process-died",
            Self::LedgerBehind => "ledger-behind",
            Self::LedgerCaughtUp => "ledger-caught-up",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
