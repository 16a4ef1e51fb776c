//! Plumbing for sockets on mio: lines in, bytes out, helper threads with a waker.

pub mod bans;
pub mod connector;
pub mod dial;
pub mod helper;
pub mod lines;
pub mod outbox;
pub mod proxy;
pub mod stream;
pub mod tls;
