//! Becoming an ordinary user after the ports are bound, with no way back.

use caps::{CapSet, Capability, CapsHashSet};
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::prctl;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{
    Gid, Group, Uid, User, fchownat, geteuid, getuid, initgroups, setgid, setgroups, setuid,
};
use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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

    /// Gives a file or folder to the user, not what is in it.
    ///
    /// # Errors
    /// With the path that could not be changed.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        self.give(path, false).map_err(|error| named(path, &error))
    }

    /// Gives a file, or a folder and all in it, to the user; what is missing is no error.
    ///
    /// The user may have been at work here before, and this is root: so symbolic links are neither
    /// followed nor changed at any step of the way down, and files with a second name elsewhere
    /// (hard links) are left alone.
    ///
    /// # Errors
    /// With the path that could not be changed.
    pub fn own_all(&self, path: &Path) -> io::Result<()> {
        match self.give(path, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|error| named(path, &error)),
        }
    }

    fn give(&self, path: &Path, deep: bool) -> io::Result<()> {
        // A handle on the thing itself, so that nobody can put another one in its place.
        let flags = (OFlag::O_PATH | OFlag::O_NOFOLLOW).bits();
        let handle = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let metadata = handle.metadata()?;
        let ours = metadata.uid() == self.uid.as_raw() && metadata.gid() == self.gid.as_raw();
        let linked = metadata.is_file() && metadata.nlink() > 1;
        if metadata.is_symlink() || linked {
            return Ok(());
        }
        if !ours {
            fchownat(&handle, "", Some(self.uid), Some(self.gid), AtFlags::AT_EMPTY_PATH)?;
        }
        if deep && metadata.is_dir() {
            let folder = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
            for entry in folder.read_dir()? {
                let name = entry?.file_name();
                match self.give(&folder.join(&name), true) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    result => result.map_err(|error| named(Path::new(&name), &error))?,
                }
            }
        }
        Ok(())
    }

    /// Becomes the user for good: groups, group, user, then proof that root is out of reach. May
    /// keep one capability, that of changing the firewall.
    ///
    /// # Errors
    /// When any step fails; the process must then end.
    pub fn become_for_good(&self, keeps_firewall: bool) -> io::Result<()> {
        let name = CString::new(self.name.as_str()).map_err(io::Error::other)?;
        if self.uid.is_root() {
            return Err(io::Error::other("`user` must not be root"));
        }
        setgroups(&[])?;
        initgroups(&name, self.gid)?;
        setgid(self.gid)?;
        prctl::set_keepcaps(keeps_firewall)?;
        setuid(self.uid)?;
        if keeps_firewall {
            let only = CapsHashSet::from([Capability::CAP_NET_ADMIN]);
            for set in [CapSet::Effective, CapSet::Permitted] {
                caps::set(None, set, &only).map_err(io::Error::other)?;
            }
            prctl::set_keepcaps(false)?;
        }
        if setuid(Uid::from_raw(0)).is_ok() || geteuid() != self.uid || getuid() != self.uid {
            return Err(io::Error::other("privileges came back after they were dropped"));
        }
        Ok(())
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Lets programs that this process starts change the firewall, if it may do so itself: whoever is
/// root need not be asked, others have `CAP_NET_ADMIN` or the program fails and says so.
pub fn lend_firewall() {
    let firewall = Capability::CAP_NET_ADMIN;
    let lent = [CapSet::Inheritable, CapSet::Ambient].map(|set| caps::raise(None, set, firewall));
    if let Some(error) = lent.into_iter().find_map(Result::err) {
        log::debug!("CAP_NET_ADMIN: {error}");
    }
}

/// In a child: it never changes the firewall, whatever happens in it.
///
/// # Errors
/// When the operating system refuses.
pub fn give_up_firewall() -> io::Result<()> {
    let firewall = Capability::CAP_NET_ADMIN;
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        if caps::has_cap(None, set, firewall).map_err(io::Error::other)? {
            caps::drop(None, set, firewall).map_err(io::Error::other)?;
        }
    }
    Ok(())
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_are_given_away_but_never_what_lies_behind_a_link() {
        let root = is_root();
        // Only root can give away; others check that their own files are left as they are.
        let id = if root { 12_345 } else { geteuid().as_raw() };
        let gid = if root { 12_345 } else { nix::unistd::getegid().as_raw() };
        let identity =
            Identity { name: "x".to_owned(), uid: Uid::from_raw(id), gid: Gid::from_raw(gid) };
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("data/journal/deep")).unwrap();
        fs::create_dir(at("elsewhere")).unwrap();
        for file in ["data/journal/deep/file", "elsewhere/file", "elsewhere/other"] {
            fs::write(at(file), "").unwrap();
        }
        symlink(at("elsewhere"), at("data/journal/link")).unwrap();
        fs::hard_link(at("elsewhere/other"), at("data/journal/second")).unwrap();
        identity.own_all(&at("data/journal")).unwrap();
        identity.own_all(&at("data/journal/link")).unwrap();
        identity.own_all(&at("data/missing")).unwrap();
        let owner = |name: &str| fs::symlink_metadata(at(name)).unwrap().uid();
        for given in ["data/journal", "data/journal/deep", "data/journal/deep/file"] {
            assert_eq!(owner(given), id, "{given}");
        }
        let before = geteuid().as_raw();
        for kept in ["data", "elsewhere", "elsewhere/file", "elsewhere/other"] {
            assert_eq!(owner(kept), before, "{kept}");
        }
        identity.own(&at("data")).unwrap();
        assert_eq!(owner("data"), id);
        assert!(identity.own(&at("data/missing")).unwrap_err().to_string().contains("missing"));
    }
}
