//! What the operator wrote: `config.json`, `coins/*.json`, `pool_configs/*.json`.
//!
//! Two stages: `raw` mirrors the files with every key of both NOMP schemas, [`checked`] is what the
//! program sees. Every error names file, line and column, and all are reported at once.

mod check_admin;
mod check_coin;
mod check_fee;
mod check_mpos;
mod check_notice;
mod check_notifications;
mod check_own;
mod check_payments;
mod check_pool;
mod check_portal;
mod check_ports;
mod check_rewards;
mod check_scheme;
mod check_tls;
mod check_website;
pub mod checked;
mod decode;
mod diagnostics;
mod document;
pub mod limits;
mod load;
mod mask;
mod nftables;
mod notes;
mod notifications;
pub mod phc;
mod places;
mod raw;
mod secret;
#[cfg(test)]
mod tests;
mod values;

pub use check_admin::Admin;
pub use check_own::OwnFiles;
pub use check_payments::DUST;
pub use check_tls::{Certificate, Tls};
pub use check_website::Website;
pub use checked::{Banning, Coin, Config, Daemon, Forks, Logging, NotifyListener, Pool, Port};
pub use checked::{
    Endpoint, FeeAccount, LogLevel, Mpos, MposAuth, P2p, Payments, PortTls, Redis, RewardRecipient,
    RewardScheme, Store, VarDiff,
};
pub use limits::Limits;
pub use nftables::Nftables;
pub use notifications::{EventKind, HookFormat, Mail, MailTls, Notifications, Webhook};
pub use places::{Key, Places};
pub use secret::Secret;

use std::path::Path;
use values::Secrets;

/// What reading a configuration gives: the configuration when there is no error, and all that is
/// to be said about it, ready to print.
#[derive(Debug)]
pub struct Loaded {
    /// `None` when any file has an error.
    pub config: Option<Config>,
    /// Errors, rendered with file:line:column and a snippet. Empty when `config` is there.
    pub errors: Vec<String>,
    /// Warnings and notes (keys without effect yet), rendered likewise.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// All that is to be said, warnings first.
    #[must_use]
    pub fn findings(&self) -> String {
        let mut text = String::new();
        for finding in self.warnings.iter().chain(&self.errors) {
            text.push_str(finding);
            text.push_str("\n\n");
        }
        match self.errors.len() {
            0 => {}
            1 => text.push_str("the configuration has 1 error\n"),
            many => text.push_str(&format!("the configuration has {many} errors\n")),
        }
        text
    }
}

/// Reads and checks the configuration of a folder (`config.json`, `coins/`, `pool_configs/`).
#[must_use]
pub fn load(dir: &Path) -> Loaded {
    load::load(dir, false, Secrets::Needed)
}

/// As [`load`], for whoever asks the running pool or reads what it wrote: secrets that are not to
/// be had here, in the operator's shell, are no error, and empty or left out.
#[must_use]
pub fn load_sparing_secrets(dir: &Path) -> Loaded {
    load::load(dir, false, Secrets::Spared)
}

/// As [`load`], with colours in the messages: for a terminal.
#[must_use]
pub fn load_coloured(dir: &Path) -> Loaded {
    load::load(dir, true, Secrets::Needed)
}

/// JSON Schemas of the three kinds of file: `{"config": ..., "coin": ..., "pool": ...}`.
#[must_use]
pub fn schema() -> serde_json::Value {
    serde_json::json!({
        "config": schemars::schema_for!(raw::RawPortal),
        "coin": schemars::schema_for!(raw::RawCoin),
        "pool": schemars::schema_for!(raw::RawPool),
    })
}
