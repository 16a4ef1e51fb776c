//! Stratum v1 as miners speak it, without sockets: requests, replies, the session, vardiff.
//!
//! Pure: `now` comes in, effects go out. Nothing here knows the journal, the daemons or mio.
//! Times are monotonic milliseconds. A shell feeds [`Session::receive`] with lines, performs the
//! [`Action`]s, and sends whatever bytes were appended to `out`.

mod bucket;
mod cause;
mod configure;
mod difficulty;
mod essence;
mod foreign;
mod issue;
mod issued;
mod job;
mod name;
mod plain;
mod reject;
mod reply;
mod request;
mod rules;
mod seen;
mod session;
mod shown;
mod start;
mod submit;
mod suggest;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod transcripts;
mod vardiff;
mod worker;

pub use bucket::{Bucket, Rate};
pub use cause::Cause;
pub use difficulty::{Difficulty, Unit, Weight};
pub use essence::Stamp;
pub use foreign::TLS;
pub use job::{JobId, notify_line};
pub use name::address_part;
pub use reject::Reject;
pub use rules::{PortRules, SessionLimits, VarDiffRules};
pub use seen::{Inserted, Seen};
pub use session::{Action, Authorize, Session};
pub use shown::{is_unruly, shown, tame};
pub use start::Start;
pub use submit::{Extranonce2, Submit};
