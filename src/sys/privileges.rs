//! Becoming an ordinary user after the ports are bound, with no way back.

use nix::sys::prctl;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{
    Gid, Group, Uid, User, chown, geteuid, getuid, initgroups, setgid, setgroups, setuid,
};
use std::ffi::CString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The user and group to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name, for messages.
    pub name: String,
    uid: Uid,
    gid: Gid,
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Finds the user and the group (default: the user's) by name.
///
/// # Errors
/// Says which name is unknown.
pub fn find(user: &str, group: Option<&str>) -> io::Result<Identity> {
    let entry = User::from_name(user)?
        .ok_or_else(|| io::Error::other(format!("`user`: there is no user `{user}`")))?;
    let gid = match group {
        None => entry.gid,
        Some(group) => {
            Group::from_name(group)?
                .ok_or_else(|| io::Error::other(format!("`group`: there is no group `{group}`")))?
                .gid
        }
    };
    Ok(Identity { name: user.to_owned(), uid: entry.uid, gid })
}

impl Identity {
    /// Whether this process already is that user.
    #[must_use]
    pub fn is_current(&self) -> bool {
        getuid() == self.uid && geteuid() == self.uid
    }

    /// Gives a folder and all in it to the user. Symbolic links are neither followed nor changed.
    ///
    /// # Errors
    /// With the path that could not be changed.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        let named = |error| io::Error::other(format!("{}: {error}", path.display()));
        let metadata = path.symlink_metadata().map_err(named)?;
        if metadata.is_symlink() {
            return Ok(());
        }
        if metadata.uid() != self.uid.as_raw() || metadata.gid() != self.gid.as_raw() {
            chown(path, Some(self.uid), Some(self.gid)).map_err(|e| named(e.into()))?;
        }
        if metadata.is_dir() {
            for entry in path.read_dir().map_err(named)? {
                self.own(&entry.map_err(named)?.path())?;
            }
        }
        Ok(())
    }

    /// Becomes the user for good: groups, group, user, then proof that root is out of reach.
    ///
    /// # Errors
    /// When any step fails; the process must then end.
    pub fn become_for_good(&self) -> io::Result<()> {
        let name = CString::new(self.name.as_str()).map_err(io::Error::other)?;
        if self.uid.is_root() {
            return Err(io::Error::other("`user` must not be root"));
        }
        setgroups(&[])?;
        initgroups(&name, self.gid)?;
        setgid(self.gid)?;
        setuid(self.uid)?;
        if setuid(Uid::from_raw(0)).is_ok() || geteuid() != self.uid || getuid() != self.uid {
            return Err(io::Error::other("privileges came back after they were dropped"));
        }
        Ok(())
    }
}

/// What every process does, whoever it runs as: no new privileges through setuid programs, no
/// memory dumps (they would hold passwords), and files that others cannot read.
///
/// # Errors
/// When the operating system refuses.
pub fn harden() -> io::Result<()> {
    prctl::set_no_new_privs()?;
    prctl::set_dumpable(false)?;
    umask(Mode::from_bits_truncate(0o027));
    Ok(())
}
