//! `SIGUSR2`: another binary goes on with this pool. The old master starts it as its child and gives
//! it all that there is over a pair of sockets; its workers give theirs the miners; when the new one
//! serves with everything, the old one leaves. Until then nothing is lost by going back.
//!
//! | the old one (`predecessor`) | the new one (`successor`) |
//! |---|---|
//! | starts it; `hello` | `hello`: both speak the same protocol |
//! | `estate`: lock, sockets, shared memory, bans, lanes; works, as they come | reads the configuration, forks workers that take nobody yet; `ready` |
//! | `commit`; its workers leave, its other children end | its workers take newcomers, and the miners who come (`take-over`) |
//! | `yours`: nobody else of mine works any more | starts the other children; all serve: `taken-over` |
//! | tells systemd; `reign`; ends when its last worker has left | is the master |
//!
//! Whoever of the two dies on the way: the other has the lock, the listening sockets, the board and
//! the roster, and the miners of the dead one's workers become its own (`strangers`).

mod begin;
mod estate;
mod predecessor;
mod strangers;
mod successor;

pub(super) use begin::Begin;
pub use estate::{Estate, inherit};
use predecessor::Successor;
pub(super) use strangers::Strangers;
use successor::Predecessor;

use super::{Master, home};
use crate::config::Config;
use crate::ipc::Message;
use crate::ipc::roster::Ticket;
use crate::pow::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The protocol between two binaries: these messages, [`Message`], what workers say when they pass
/// miners, what is noted on the roster, and the shape of the board. To be counted up with each change
/// of one of them that the other side would not understand.
pub(super) const PROTOCOL: u32 = 1;
/// The environment variable that says that standard input is the predecessor.
pub(super) const VARIABLE: &str = "ROMP_SUCCESSION";
/// How the line begins that says that an upgrade has failed.
pub(super) const NOT_REPLACED: &str = "binary not replaced";
/// Milliseconds for each step of the other one. Loading, forking and the roles' first words take
/// some hundred.
pub(super) const STEP_MS: u64 = 30_000;

/// What the two masters say to each other.
#[derive(Debug, Serialize, Deserialize)]
// Not tagged within: works and sessions have numbers that serde does not keep aside.
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    /// Both, first; its shape never changes.
    Hello {
        protocol: u32,
        /// Of romp, for the log.
        version: String,
    },
    /// The old one. Descriptors: `estate::Descriptors`.
    Estate(Box<Will>),
    /// Both: a child's message that the other one's children or the other one must know. Descriptors:
    /// its own.
    Relay(Box<Message>),
    /// The new one: its workers could begin.
    Ready { goods: Goods },
    /// The old one: take newcomers.
    Commit,
    /// The old one: a worker of this process id gives miners. Descriptor: an end of a pair to it.
    TakeOver { giver: u32 },
    /// Both: miners of a worker that died; the other one owns their rows. Descriptors of the old
    /// one: their sockets; the new one says this of those whose sockets it does not have.
    Orphans { tickets: Vec<Ticket> },
    /// The new one, until it reigns: its miners. Descriptors: their sockets, in case of its death.
    Holds { tickets: Vec<Ticket> },
    /// The old one: its other children have ended.
    Yours { bans: Value, remembered: String },
    /// The new one: everything serves.
    TakenOver,
    /// The old one: the last word. `reload`, `upgrade`: it was asked to meanwhile.
    Reign { reload: bool, upgrade: bool },
}

/// What a predecessor leaves, beside descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Will {
    pub(super) pid: u32,
    pub(super) version: String,
    pub(super) generation: u32,
    pub(super) reloads: u64,
    pub(super) data_dir: PathBuf,
    pub(super) keys: crate::ipc::crowd::Keys,
    /// Free ones, then those of living workers.
    pub(super) lanes: Vec<u8>,
    pub(super) bans: Value,
}

/// What miners of a port need: where it is the same in two processes they can go on as if nothing
/// had happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ware {
    coin: String,
    algorithm: Algorithm,
    extranonce2_size: u8,
}

/// By port.
pub(super) type Goods = BTreeMap<u16, Ware>;

/// What the ports of a configuration have.
pub(super) fn goods(config: &Config) -> Goods {
    let mut goods = Goods::new();
    for (id, pool) in &config.pools {
        for port in pool.ports.keys() {
            let ware = Ware {
                coin: id.clone(),
                algorithm: pool.coin.algorithm,
                extranonce2_size: pool.extranonce2_size,
            };
            goods.insert(*port, ware);
        }
    }
    goods
}

/// Ports whose miners can go on as if nothing had happened: the same coin, and work that fits their
/// extranonce2.
pub(super) fn alike(before: &Goods, after: &Goods) -> Vec<u16> {
    let same = |(port, ware): &(&u16, &Ware)| after.get(port) == Some(*ware);
    before.iter().filter(same).map(|(port, _)| *port).collect()
}

/// Where this master is in a succession.
#[derive(Debug, Default)]
pub(super) enum Succession {
    #[default]
    None,
    /// Another one is to go on.
    To(Box<Successor>),
    /// This one goes on for another one.
    From(Box<Predecessor>),
}

impl Succession {
    /// Whether its fleet may change: this one alone is the master.
    pub(super) fn may_change(&self) -> bool {
        match self {
            Self::None => true,
            Self::To(_) => false,
            Self::From(predecessor) => predecessor.reigns(),
        }
    }

    /// Whether this one's workers serve miners and stay.
    pub(super) fn has_workers(&self) -> bool {
        match self {
            Self::To(successor) => successor.is_tried_only(),
            Self::None | Self::From(_) => true,
        }
    }

    /// Whether this one's workers take newcomers.
    pub(super) fn has_opened(&self) -> bool {
        match self {
            Self::From(predecessor) => predecessor.has_opened(),
            Self::None | Self::To(_) => true,
        }
    }

    /// Whether this one's other children work.
    pub(super) fn has_others(&self) -> bool {
        match self {
            Self::None => true,
            Self::To(successor) => successor.is_tried_only(),
            Self::From(predecessor) => predecessor.owns(),
        }
    }

    /// Whether this one is the master: it answers who comes to the desk, and bans and the control
    /// socket are its own to leave behind.
    pub(super) fn is_master(&self) -> bool {
        match self {
            Self::None => true,
            Self::To(successor) => successor.is_master(),
            Self::From(predecessor) => predecessor.owns(),
        }
    }

    /// Whether nearly all miners have a worker of this one: who is charged has its witnesses here.
    pub(super) fn has_all_miners(&self) -> bool {
        match self {
            Self::None => true,
            Self::To(successor) => successor.is_tried_only(),
            Self::From(predecessor) => predecessor.reigns(),
        }
    }

    /// Whether another one reigns and knows all that this one has to say.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::To(successor) if successor.knows_all())
    }

    /// Whether another one reigns.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::To(successor) if successor.reigns())
    }
}

impl Master {
    /// A turn's part of being succeeded, or of succeeding.
    pub(super) fn go_on_with_succession(&mut self, now: u64) {
        match &self.succession {
            Succession::None => self.begin_succession(now),
            Succession::To(_) => self.be_succeeded(now),
            Succession::From(_) => self.succeed(now),
        }
        self.bury_strangers();
    }

    /// Writes into the lock whose it is.
    fn sign_lock(&mut self) {
        if let Some(lock) = &mut self.lock
            && let Err(error) = home::sign(lock)
        {
            log::warn!("romp.lock: {error}; it names another process");
        }
    }
}

/// How this process was started, so that it can be started again.
#[derive(Debug)]
pub(super) struct Started {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Started {
    /// The program by the name that was used, so that whatever stands there later is meant; without
    /// a path in the name by what the kernel runs.
    pub(super) fn now() -> std::io::Result<Self> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let has_path = Path::new(&name).components().count() > 1;
        let program = match has_path {
            true => std::path::absolute(name)?,
            false => std::env::current_exe()?,
        };
        Ok(Self { program, arguments: arguments.collect() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ipc::board::Board;
    use std::fs::File;

    /// Who changes the shape of the board or of the roster counts the protocol up, and writes the new
    /// sizes here.
    #[test]
    fn another_shape_of_the_board_is_another_protocol() {
        let board = Board::new().unwrap();
        let size = |file: std::os::fd::BorrowedFd<'_>| {
            File::from(file.try_clone_to_owned().unwrap()).metadata().unwrap().len()
        };
        let (rows, crowd, roster) = (2_605_056, 16_777_216, 4_194_304);
        assert_eq!((PROTOCOL, board.files().map(size)), (1, [rows, crowd, roster, 536_870_912]));
    }
}
