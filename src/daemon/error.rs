//! Why a call to a daemon gave nothing usable, in words for the operator.

use std::time::Duration;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("daemon {daemon}, {method}: {fault}")]
pub struct CallError {
    /// `host:port` of the daemon.
    pub daemon: String,
    /// The RPC method.
    pub method: String,
    /// What went wrong.
    pub fault: Fault,
}

/// What went wrong with a call. No variant ever holds user name or password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection, or it broke before the answer was complete.
    #[error("cannot be reached ({0}); is it running, and are `host` and `port` right?")]
    Unreachable(String),
    /// No complete answer within the deadline.
    #[error("no answer within {} ms; it hangs or is overloaded", .0.as_millis())]
    Timeout(Duration),
    /// HTTP 401 or 403.
    #[error("{}", auth_words(*.0))]
    Auth(u16),
    /// Another HTTP status without a JSON-RPC error in its body.
    #[error("answered with HTTP {}", http_words(*.0, .1))]
    Http(u16, String),
    /// An answer that is no JSON-RPC reply to this call.
    #[error("the answer is not usable: {0}; is that really the RPC port of the coin's daemon?")]
    Garbage(String),
    /// The daemon's own error.
    #[error("{}", rpc_words(*.code, .message))]
    Rpc {
        /// JSON-RPC code, e.g. -10 while syncing.
        code: i64,
        /// The daemon's words.
        message: String,
    },
}

fn auth_words(status: u16) -> &'static str {
    match status {
        401 => {
            "it refuses user name and password (HTTP 401); compare `user` and `password` in the \
             pool's file with rpcuser and rpcpassword (or rpcauth) in the daemon's"
        }
        _ => {
            "it forbids the call (HTTP 403); allow this host with rpcallowip, and the method with \
             rpcwhitelist if the daemon has one"
        }
    }
}

fn http_words(status: u16, excerpt: &str) -> String {
    let advice = match status {
        500 | 503 if excerpt.contains("Work queue depth exceeded") => {
            "; too many callers: raise rpcworkqueue and rpcthreads in the daemon's configuration"
        }
        404 => "; is that really the RPC port of the coin's daemon?",
        _ => "",
    };
    match excerpt {
        "" => format!("{status} and an empty body{advice}"),
        text => format!("{status}: {text}{advice}"),
    }
}

fn rpc_words(code: i64, message: &str) -> String {
    let advice = match code {
        -9 => "; it has no peers: give it some (addnode=), it makes no templates without",
        -10 => "; a private chain (regtest) leaves this state with its next block: mine one",
        -28 => "; it is starting up",
        -32601 => "; it does not know this call",
        _ => "",
    };
    format!("error {code}: {message}{advice}")
}

impl CallError {
    /// The JSON-RPC code, when the daemon itself answered with an error.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        match self.fault {
            Fault::Rpc { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the daemon does not know the method (code -32601).
    #[must_use]
    pub fn is_unknown_method(&self) -> bool {
        self.code() == Some(-32601)
    }

    /// Whether the daemon is there but not ready: no peers (-9), syncing (-10), starting (-28).
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        matches!(self.code(), Some(-9 | -10 | -28))
    }
}
