//! Signals as a source of events for mio. Handlers only write to a pipe.

#![allow(unsafe_code)] // listed in the header of `sys`

use mio::{Interest, Registry, Token, event::Source};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal};
use signal_hook_mio::v1_0 as hook;
use std::io;

pub use signal_hook::consts::{
    SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
};

/// Signals that this process listens to. A child forked from a process with one makes its own;
/// signals that the parent listened to and the child does not are ignored there.
pub struct Signals {
    inner: hook::Signals,
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signals")
    }
}

impl Signals {
    /// Listens to these signals, and lets in what [`super::fork::fork`] has blocked. Call it in
    /// the main thread, after the parent's `Signals` (if any) have been dropped.
    ///
    /// # Errors
    /// When the operating system refuses, or a signal cannot be caught.
    pub fn new(signals: &[i32]) -> io::Result<Self> {
        let inner = hook::Signals::new(signals)?;
        SigSet::empty().thread_set_mask()?;
        Ok(Self { inner })
    }

    /// Signals since the last call, each once, in no order.
    pub fn pending(&mut self) -> Vec<i32> {
        self.inner.pending().collect()
    }
}

impl Source for Signals {
    fn register(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        self.inner.register(registry, token, what)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, what: Interest) -> io::Result<()> {
        self.inner.reregister(registry, token, what)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.inner.deregister(registry)
    }
}

/// Keeps signals waiting until [`Signals::new`] lets them in: what reloads or reopens must not
/// end a process that does not listen yet.
///
/// # Errors
/// When the operating system refuses.
pub fn hold(signals: &[i32]) -> io::Result<()> {
    let mut set = SigSet::empty();
    for &number in signals {
        set.add(Signal::try_from(number)?);
    }
    Ok(set.thread_block()?)
}

/// Lets the process end quietly when nobody reads its output any more, as commands in a pipe do
/// (`romp shares COIN | head`). Not for the server: its sockets may break.
pub fn end_with_the_pipe() {
    // SAFETY: the default action is no handler of ours, and no other thread runs yet.
    let set = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    if let Err(error) = set {
        log::debug!("SIGPIPE stays ignored: {error}");
    }
}

/// Makes a write beyond the limit on file sizes (`ulimit -f`) an error, as a full disk is, and not
/// the death of the process. For the server, before any thread; forked children keep it.
pub fn survive_large_files() {
    // SAFETY: ignoring is no handler of ours, and no other thread runs yet.
    let set = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
    if let Err(error) = set {
        log::debug!("SIGXFSZ ends the process: {error}");
    }
}

/// Runs `f` with every signal blocked, so that threads which it starts never take one.
///
/// # Errors
/// When the operating system refuses.
pub fn blocked<T>(f: impl FnOnce() -> T) -> io::Result<T> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let result = f();
    before.thread_set_mask()?;
    Ok(result)
}
