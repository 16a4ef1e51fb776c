//! Memory files: large content that several processes read, sealed so that nobody can change it.

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// Largest content accepted by [`contents`]: a block body is at most 4 MB for the coins we know,
/// a block with MWEB or a large-block coin up to 32 MB.
pub const LARGEST: u64 = 64 << 20;

/// A memory file with these bytes, sealed against every change. `name` shows in `/proc`.
///
/// # Errors
/// When the operating system refuses (descriptors or memory exhausted).
pub fn sealed(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create(name, flags)?);
    file.write_all(bytes)?;
    let seals = SealFlag::F_SEAL_SEAL
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// An empty memory file to be written.
///
/// # Errors
/// When the operating system refuses.
pub fn empty(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?))
}

/// The whole contents. Does not move the file's position, which all its readers share.
///
/// # Errors
/// When it cannot be read, or is larger than [`LARGEST`].
pub fn contents(fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let file = File::from(fd.try_clone_to_owned()?);
    let length = file.metadata()?.len();
    if length > LARGEST {
        return Err(io::Error::other(format!("a memory file of {length} bytes")));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn contents_come_back_and_cannot_be_changed() {
        let fd = sealed("test", b"block body").unwrap();
        assert_eq!(contents(fd.as_fd()).unwrap(), b"block body");
        assert_eq!(contents(fd.as_fd()).unwrap(), b"block body", "the position does not matter");
        let mut file = File::from(fd);
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(3).is_err());
        assert!(contents(sealed("empty", b"").unwrap().as_fd()).unwrap().is_empty());
    }
}
