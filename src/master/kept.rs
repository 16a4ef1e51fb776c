//! What the master keeps for children that come later: the last work of each coin, living bans,
//! how each coin is doing.

use crate::ipc::{CoinStatus, Message};
use crate::net::bans::Bans;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

/// The last work of a coin.
#[derive(Debug)]
pub(crate) struct KeptWork {
    /// `Message::Work`.
    pub(crate) message: Message,
    /// The block's body.
    pub(crate) body: OwnedFd,
}

impl KeptWork {
    /// The same once more; `None`: no descriptor is left.
    pub(crate) fn again(&self) -> Option<Self> {
        Some(Self { message: self.message.clone(), body: self.body.try_clone().ok()? })
    }
}

/// All that is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// By coin id.
    pub(crate) works: BTreeMap<String, KeptWork>,
    /// By coin id.
    pub(crate) coins: BTreeMap<String, CoinStatus>,
    /// By coin id, and by `""` for what is of no coin: what parts of it wait for.
    pub(crate) troubles: BTreeMap<String, BTreeMap<String, String>>,
    /// Living bans, and those that ended not long ago.
    pub(crate) bans: Bans,
    /// What the web site wants its next process to know.
    pub(crate) remembered: String,
}

impl Kept {
    /// Forgets coins that are no more, after a reload, and what was waited for: the processes that
    /// say so are new.
    pub(crate) fn keep_only(&mut self, is_coin: impl Fn(&str) -> bool) {
        self.works.retain(|coin, _| is_coin(coin));
        self.coins.retain(|coin, _| is_coin(coin));
        self.troubles.clear();
    }
}
