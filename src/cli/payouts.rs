//! What an operator does to payouts beside the process that pays.

#![allow(clippy::print_stderr)] // a command prints

use super::shares::print;
use super::{DONE, FAILED};
use crate::config::Pool;
use crate::ledger::book::{Book, BookError};
use crate::ledger::open_for_reading;
use crate::sys::clock::unix_ms;
use std::path::Path;

/// Makes this machine's book the one that pays.
pub(super) fn adopt(pool: &Pool, data_dir: &Path) -> Result<u8, BookError> {
    let id = &pool.coin.id;
    let mut book = Book::open_for_operator(data_dir, id)?;
    let stored = open_for_reading(pool, data_dir)
        .and_then(|tally| tally.map_or(Ok(None), |mut tally| tally.claimed()));
    let stored = match stored {
        Ok(stored) => stored,
        Err(error) => {
            eprintln!("error: the ledger of {id} cannot be read: {error}");
            return Ok(FAILED);
        }
    };
    let own = book.adopt(stored, unix_ms())?;
    match stored {
        Some(other) if other.book != own.book => print(&format!(
            "{id}: this book pays from now on, with fence {}; another one, with fence {}, pays \
             nobody any more",
            own.fence, other.fence
        )),
        Some(other) => print(&format!(
            "{id}: this book pays from now on, with fence {}; copies of it that knew fence {} pay \
             nobody any more",
            own.fence, other.fence
        )),
        None => print(&format!("{id}: this book pays from now on, with fence {}", own.fence)),
    }
    Ok(DONE)
}
