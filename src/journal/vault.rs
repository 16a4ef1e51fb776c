//! The vault: found blocks on disk before they are submitted.
//!
//! `vault/<coin>/<hash>.json` while the daemons' answer is open; then `accepted/`, `rejected/` or,
//! for a block that lost against another one, `known/` below it. A file can be submitted by hand: its `block` is the argument of `submitblock`.

use super::{BlockFound, Verdict};
use crate::chain::Hash;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A found block with its bytes: enough to submit it by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Coin id.
    pub coin: String,
    /// What the ledger is told.
    pub found: BlockFound,
    /// The whole block, as for `submitblock`.
    #[serde(with = "crate::chain::hex_bytes")]
    pub block: Vec<u8>,
}

/// The folder of a coin's open candidates.
#[must_use]
pub fn folder(data_dir: &Path, coin: &str) -> PathBuf {
    data_dir.join("vault").join(coin)
}

fn file_name(hash: &Hash) -> String {
    format!("{hash}.json")
}

/// Puts a block into the vault: whole or not at all, and safe from the death of this process.
/// [`sync`] makes it safe from a power cut too.
///
/// # Errors
/// When it cannot be written; the block should be submitted all the same.
pub fn store(data_dir: &Path, candidate: &Candidate) -> io::Result<PathBuf> {
    let folder = folder(data_dir, &candidate.coin);
    super::make_folder(&folder)?;
    let name = file_name(&candidate.found.hash);
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    let path = folder.join(name);
    let json = serde_json::to_vec(candidate)?;
    let written = super::create(&temporary)
        .and_then(|mut file| file.write_all(&json))
        .and_then(|()| std::fs::rename(&temporary, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.map(|()| path)
}

/// Makes a file and its name safe from a power cut. Blocks: call it from a helper.
///
/// # Errors
/// When the disk says so.
pub fn sync(path: &Path) -> io::Result<()> {
    match File::open(path) {
        // Settled, and so moved, in the meantime: the daemons have it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?.sync_all()?,
    }
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The blocks whose answer is still open. A file that cannot be read is named in the log and left
/// where it is; it does not hide the others.
///
/// # Errors
/// When the folder cannot be read.
pub fn pending(data_dir: &Path, coin: &str) -> io::Result<Vec<Candidate>> {
    let entries = match std::fs::read_dir(folder(data_dir, coin)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let read = std::fs::read(&path)
            .and_then(|json| serde_json::from_slice(&json).map_err(io::Error::from));
        match read {
            Ok(candidate) => found.push(candidate),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {} // settled meanwhile
            Err(error) => log::error!(
                "{coin}: {}: this found block cannot be read: {error}; look whether the chain has \
                 it, then move the file away",
                path.display()
            ),
        }
    }
    found.sort_by_key(|candidate: &Candidate| candidate.found.time);
    Ok(found)
}

/// Files a block by the answer of the daemons: accepted and rejected ones move to the folder of
/// that name, unknown ones stay. Repeating it changes nothing; an acceptance is never taken back.
///
/// # Errors
/// When the file is not there, or cannot be moved.
pub fn settle(data_dir: &Path, coin: &str, hash: &Hash, verdict: Verdict) -> io::Result<()> {
    let folder = folder(data_dir, coin);
    let name = file_name(hash);
    let accepted = folder.join("accepted").join(&name);
    let rejected = folder.join("rejected").join(&name);
    let open = folder.join(&name);
    let (target, other) = match verdict {
        Verdict::Unknown => return Ok(()),
        Verdict::Accepted => (accepted, rejected),
        Verdict::Rejected => (rejected, accepted),
    };
    if let Some(parent) = target.parent() {
        super::make_folder(parent)?;
    }
    match std::fs::rename(&open, &target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if target.exists() || (verdict == Verdict::Rejected && other.exists()) {
                Ok(())
            } else if verdict == Verdict::Accepted {
                std::fs::rename(&other, &target)
            } else {
                Err(error)
            }
        }
        moved => moved,
    }
}

/// Puts a block aside, into the folder `known`, that the daemons have but not in their chain.
/// Repeating it changes nothing.
///
/// # Errors
/// When the file is not there, or cannot be moved.
pub fn shelve(data_dir: &Path, coin: &str, hash: &Hash) -> io::Result<()> {
    let folder = folder(data_dir, coin);
    let name = file_name(hash);
    let target = folder.join("known").join(&name);
    super::make_folder(&folder.join("known"))?;
    match std::fs::rename(folder.join(name), &target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && target.exists() => Ok(()),
        moved => moved,
    }
}
