//! A folder for the files of a target, in memory where the machine has that.

use std::path::Path;
use tempfile::TempDir;

/// A new folder, deleted with the value.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}
