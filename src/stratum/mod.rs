//! Stratum v1 as miners speak it, without sockets: requests, replies, the session, vardiff.
//!
//! Pure: `now` comes in, effects go out. Nothing here knows the journal, the daemons or mio.

mod difficulty;
mod reject;

pub use difficulty::{Difficulty, Unit, Weight};
pub use reject::Reject;
