//! The three kinds of file as written: every key of both NOMP schemas and ours, all optional.
//!
//! What is missing, or out of range, is judged by the `check_*` modules, so that one run reports
//! everything. The doc comments here are the descriptions in `romp schema`.

mod coin;
mod limits;
mod notifications;
mod parts;
mod pool;
mod portal;

pub(super) use coin::{RawBytes, RawCoin, RawFlag};
pub(super) use limits::{RawLimits, RawNftables};
pub(super) use notifications::{RawMail, RawNotifications, RawWebhook};
pub(super) use parts::{RawDaemon, RawForks, RawPortTls, RawRedis, RawSecret};
pub(super) use pool::{RawBanning, RawMpos, RawPool, RawVarDiff};
pub(super) use portal::{RawAdmin, RawCertificate, RawPortal, RawTls};
