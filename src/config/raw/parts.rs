//! Pieces that several files share: secrets, daemons, Redis servers, the number of workers.

use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// A password: the text itself, or where it is.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected a text, {\"file\": \"path\"} or {\"env\": \"NAME\"}"
)]
pub(in crate::config) enum RawSecret {
    /// The password itself.
    Inline(String),
    /// A file with the password; relative to the configuration folder.
    File {
        /// Path of the file.
        file: String,
    },
    /// An environment variable with the password.
    Env {
        /// Name of the variable.
        env: String,
    },
}

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A coin daemon's RPC server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawDaemon {
    /// Host name or address; default 127.0.0.1.
    pub(in crate::config) host: Option<String>,
    /// RPC port.
    pub(in crate::config) port: Option<u16>,
    /// RPC user.
    pub(in crate::config) user: Option<String>,
    /// RPC password.
    pub(in crate::config) password: Option<RawSecret>,
    /// Its -zmqpubhashblock, such as tcp://127.0.0.1:28332.
    pub(in crate::config) zmq: Option<String>,
}

/// A Redis server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawRedis {
    /// Host name, address, or path of a Unix socket; default 127.0.0.1.
    pub(in crate::config) host: Option<String>,
    /// Port; default 6379.
    pub(in crate::config) port: Option<u16>,
    /// Password, if the server wants one.
    pub(in crate::config) password: Option<RawSecret>,
    /// Database number; default 0.
    pub(in crate::config) database: Option<u32>,
}

/// How many workers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected \"auto\" or a whole number of workers")]
pub(in crate::config) enum RawForks {
    /// A number.
    Count(i64),
    /// "auto": one per core.
    Word(String),
}

/// Whether a port speaks TLS.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected true, false or \"only\"")]
pub(in crate::config) enum RawPortTls {
    /// To miners who begin with it.
    Switch(bool),
    /// "only": to all.
    Word(String),
}
