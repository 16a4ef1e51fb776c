//! Room on disk.

use nix::sys::statvfs::statvfs;
use std::path::Path;

/// Below this a warning is due, bytes: 1 GB. A busy pool writes as much in hours, and a full disk
/// refuses shares.
pub const LITTLE: u64 = 1_000_000_000;

/// Bytes that a process without privileges may still write below a folder; `None` when the folder
/// is not there.
#[must_use]
pub fn free(folder: &Path) -> Option<u64> {
    let facts = statvfs(folder).ok()?;
    Some(facts.blocks_available().saturating_mul(facts.fragment_size()))
}

/// A warning when there is little room below a folder, or above it while it is not made.
#[must_use]
pub fn warning(folder: &Path) -> Option<String> {
    warn_of(folder, folder.ancestors().find_map(free)?)
}

fn warn_of(folder: &Path, free: u64) -> Option<String> {
    (free < LITTLE).then(|| {
        format!(
            "{}: only {} MB are free on its disk. When it is full, shares are refused and miners \
             go elsewhere: make room",
            folder.display(),
            free / 1_000_000
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_told_and_much_is_not() {
        let folder = Path::new("/srv/pool/data");
        let words = warn_of(folder, LITTLE - 1).unwrap();
        assert!(words.contains("/srv/pool/data") && words.contains("999 MB"), "{words}");
        assert_eq!(warn_of(folder, LITTLE), None);
        assert!(free(Path::new("/")).unwrap() > 0);
        assert_eq!(free(Path::new("/does/not/exist")), None);
    }
}
