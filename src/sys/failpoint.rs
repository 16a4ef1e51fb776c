//! Places where a test lets a process die.
//!
//! A release has none of it: without `debug_assertions` the functions are empty. Otherwise, while
//! the environment variable `ROMP_FAIL_POINTS` names a folder, a process that comes to a point whose
//! name a file in it has removes the file and ends itself with `SIGKILL`.

/// The process ends here when a test wants it to.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    let Some(folder) = std::env::var_os("ROMP_FAIL_POINTS") else { return };
    // Removed first: the next process goes on.
    if std::fs::remove_file(std::path::Path::new(&folder).join(name)).is_ok() {
        log::warn!("the fail point {name} ends this process");
        nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL).ok();
        std::process::abort();
    }
}

/// Nothing: a release has no fail points.
#[cfg(not(debug_assertions))]
pub const fn point(_name: &str) {}

/// [`point`], if `holds`.
pub fn point_if(holds: bool, name: &str) {
    if holds {
        point(name);
    }
}
