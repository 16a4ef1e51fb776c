//! Between the processes: messages on Unix sockets (events) and a shared page (levels).

pub mod board;
mod channel;
pub mod control;
pub mod crowd;
pub mod histogram;
mod message;
pub mod roster;
mod seat;
mod troubles;
mod watch;

pub use channel::{Channel, ChannelError, Received};
pub use message::{
    CoinStatus, DaemonStatus, Lag, MOST_REMEMBERED, Message, NoticeStatus, TipState,
};
pub use seat::{Listener, Role, Seat};
pub use troubles::Troubles;
pub use watch::{Turn, Watch};
