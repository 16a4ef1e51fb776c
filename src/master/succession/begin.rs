//! What a master begins with: nothing but its configuration, or what another one leaves.

use super::super::fleet::Fleet;
use super::super::passed::Sockets;
use super::super::{Error, bans, home};
use super::{Estate, Predecessor, Succession};
use crate::config::Config;
use crate::ipc::board::Board;
use crate::net::bans::Bans;
use crate::sys::systemd::HandedOver;
use mio::Registry;
use std::fs::File;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

/// What a master begins with.
#[derive(Debug)]
pub(in super::super) struct Begin {
    pub(in super::super) lock: File,
    pub(in super::super) bans: Bans,
    pub(in super::super) board: Arc<Board>,
    pub(in super::super) fleet: Fleet,
    pub(in super::super) sockets: Sockets,
    pub(in super::super) control: Option<UnixListener>,
    pub(in super::super) generation: u32,
    pub(in super::super) succession: Succession,
}

impl Begin {
    /// Locks `dataDir`, and reads what an earlier master left there.
    pub(in super::super) fn anew(
        config: &Config,
        handed_over: HandedOver,
        now: u64,
    ) -> Result<Self, Error> {
        let has_banning = config.pools.values().any(|pool| pool.banning.is_some());
        Ok(Self {
            lock: home::enter(&config.data_dir).map_err(Error::Words)?,
            bans: bans::load(&config.data_dir, has_banning),
            board: Board::new().map_err(|error| Error::Os("shared memory", error))?,
            fleet: Fleet::new((0..=u8::MAX).collect(), now),
            sockets: Sockets::of_systemd(handed_over),
            control: None,
            generation: 1,
            succession: Succession::None,
        })
    }

    /// Goes on with what a living master leaves.
    pub(in super::super) fn with(
        estate: Estate,
        config: &Config,
        registry: &Registry,
        now: u64,
    ) -> Result<Self, Error> {
        let Estate { channel, mut will, lock, control, board, sockets } = estate;
        if will.data_dir != config.data_dir {
            return Err(Error::Words(format!(
                "dataDir was {} and is {} now: that needs a stop and a start",
                will.data_dir.display(),
                config.data_dir.display()
            )));
        }
        let bans = bans::read(will.bans.take());
        let predecessor = Predecessor::new(channel, &will, registry);
        let predecessor = predecessor.map_err(|error| Error::Os("epoll", error))?;
        Ok(Self {
            lock,
            bans,
            board,
            fleet: Fleet::new(will.lanes.into(), now),
            sockets: Sockets::of_predecessor(sockets),
            control: Some(control),
            generation: will.generation.saturating_add(1),
            succession: Succession::From(Box::new(predecessor)),
        })
    }
}
