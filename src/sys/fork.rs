//! Making, signalling and reaping child processes: the one place with `fork`.

#![allow(unsafe_code)] // fork(2): children keep the binary, the configuration and the board.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};
use std::fmt;
use std::io;

/// Which side of the fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The parent, and the child's process id.
    Parent(u32),
    /// The child. Every signal is blocked until it makes its own [`super::signals::Signals`].
    Child,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "killed by {}", signal.as_str()),
                Err(_) => write!(f, "killed by signal {number}"),
            },
        }
    }
}

/// Threads of this process.
///
/// # Errors
/// When `/proc` is not mounted.
pub fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Forks. Signals are blocked across it and stay blocked in the child, so that none is handled by
/// the parent's handlers in the child.
///
/// # Errors
/// When the process has more than one thread (the child would have locks that nobody releases),
/// when `/proc` is not mounted, or when the operating system refuses.
pub fn fork() -> io::Result<Forked> {
    match threads() {
        Ok(1) => {}
        Ok(count) => return Err(io::Error::other(format!("fork with {count} threads"))),
        Err(error) => {
            return Err(io::Error::other(format!("cannot count my threads: /proc: {error}")));
        }
    }
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: this process has one thread, so that no lock is held by a thread which the child
    // lacks; the child may therefore go on as an ordinary process.
    let forked = unsafe { nix::unistd::fork() };
    match forked {
        Ok(ForkResult::Child) => Ok(Forked::Child),
        Ok(ForkResult::Parent { child }) => {
            before.thread_set_mask()?;
            Ok(Forked::Parent(u32::try_from(child.as_raw()).unwrap_or_default()))
        }
        Err(error) => {
            before.thread_set_mask()?;
            Err(error.into())
        }
    }
}

/// Waits for one child's end.
///
/// # Errors
/// When there is no such child.
pub fn wait(pid: u32) -> io::Result<Ended> {
    let pid = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(Ended::Exit(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(Ended::Signal(signal as i32)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// In a child: the kernel kills it when its parent dies.
///
/// # Errors
/// When the operating system refuses.
pub fn die_with_parent() -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?)
}

/// Sends a signal to a process. One that is already gone is no error.
pub fn signal(pid: u32, number: i32) {
    let (Ok(pid), Ok(signal)) = (i32::try_from(pid), Signal::try_from(number)) else { return };
    // 0 and negative ids mean groups of processes, this one among them.
    if pid > 0 {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Whether there is such a process that has not ended, whoever its parent is.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let Some(number) = i32::try_from(pid).ok().filter(|number| *number > 0) else { return false };
    if kill(Pid::from_raw(number), None) == Err(Errno::ESRCH) {
        return false;
    }
    // One that has ended and that nobody has reaped. Where the kernel shows no others (`hidepid`)
    // it counts as alive until it is.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.ok().and_then(|text| super::holder::stat(&text)).is_none_or(|(_, state)| state != 'Z')
}

/// Collects one ended child, if there is one.
#[must_use]
pub fn reap() -> Option<(u32, Ended)> {
    loop {
        let (pid, ended) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, Ended::Exit(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Ended::Signal(signal as i32)),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return None,
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(_) => return None,
        };
        return Some((u32::try_from(pid.as_raw()).unwrap_or_default(), ended));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn refuses_with_several_threads() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv());
        let error = fork().unwrap_err().to_string();
        assert!(error.contains("threads"), "{error}");
        drop(stop);
        let _ = other.join();
    }

    #[test]
    fn ends_are_words() {
        assert_eq!(Ended::Exit(78).to_string(), "exit code 78");
        assert_eq!(Ended::Signal(9).to_string(), "killed by SIGKILL");
        assert_eq!(Ended::Signal(-1).to_string(), "killed by signal -1");
    }
}
