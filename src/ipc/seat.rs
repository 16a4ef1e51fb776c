//! All that a child keeps from the master.

use super::Channel;
use super::board::Board;
use crate::config::Config;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a child does. One row a role; a further role (profit) is a further row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves miners.
    Worker,
    /// Asks the daemons.
    Templates,
    /// Adds journals to the tally.
    Bookkeeper,
    /// Owns the book, and pays.
    Payments,
    /// Serves the web site.
    Website,
    /// Tells the operator.
    Notifier,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Worker,
        Self::Templates,
        Self::Bookkeeper,
        Self::Payments,
        Self::Website,
        Self::Notifier,
    ];

    /// Its number on the board; 0 is no role.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Worker => 1,
            Self::Templates => 2,
            Self::Bookkeeper => 3,
            Self::Payments => 4,
            Self::Website => 5,
            Self::Notifier => 6,
        }
    }

    /// Its name, as in `status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Templates => "templates",
            Self::Bookkeeper => "bookkeeper",
            Self::Payments => "payments",
            Self::Website => "website",
            Self::Notifier => "notifier",
        }
    }
}

/// A listening socket, bound by the master, non-blocking: a stratum port, shared by all workers,
/// or the web site's.
#[derive(Debug)]
pub struct Listener {
    /// Port it is bound to.
    pub port: u16,
    /// The socket.
    pub socket: std::net::TcpListener,
}

/// All that a child keeps from the master.
#[derive(Debug)]
pub struct Seat {
    /// What to do.
    pub role: Role,
    /// Row on the board, stable over respawns.
    pub slot: usize,
    /// First byte of job ids, unique among living workers. 0 for other roles.
    pub lane: u8,
    /// Generation of the configuration.
    pub generation: u32,
    /// The way to the master.
    pub channel: Channel,
    /// The shared page.
    pub board: Arc<Board>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Listening sockets: those of the stratum ports for workers, the web site's for `website`.
    pub listeners: Vec<Listener>,
    /// Whether newcomers are taken at once; otherwise when the master says so.
    pub opens: bool,
    /// What the last `website` asked the master to remember; empty for other roles.
    pub remembered: String,
}
