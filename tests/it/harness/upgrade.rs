//! A server whose binary is replaced while it runs.

use super::romp::BINARY;
use super::{Romp, is_alive, is_mine, seconds, system, take_orphans, wait_for};
use nix::sys::signal::Signal;
use std::path::Path;
use std::process::ExitStatus;

impl Romp {
    /// With a binary of its own: `romp` in its folder. Nothing runs yet.
    pub(crate) fn with_own_binary(mut self) -> Self {
        take_orphans();
        self.install(Path::new(BINARY));
        self.program = self.path().join("romp").display().to_string();
        self
    }

    /// Puts a file in the place of its binary, as a package does.
    pub(crate) fn install(&self, file: &Path) {
        let (new, place) = (self.path().join("romp.new"), self.path().join("romp"));
        // By another process: who begins one just now must not have it open for writing, or nobody
        // can execute it.
        let made = system("install").args(["-m", "755"]).arg(file).arg(&new).status();
        assert!(made.expect("install (coreutils)").success(), "{}", file.display());
        std::fs::rename(&new, &place).expect("in place");
    }

    /// Puts words in its place, such as a script.
    pub(crate) fn install_text(&self, text: &str) {
        let file = self.path().join("text");
        std::fs::write(&file, text).expect("written");
        self.install(&file);
    }

    /// The master by the lock of `dataDir`.
    pub(crate) fn master(&self) -> Option<i32> {
        std::fs::read_to_string(self.path().join("data/romp.lock")).ok()?.trim().parse().ok()
    }

    /// Sends USR2, waits until the old master has ended well, and goes on with the new one.
    pub(crate) fn upgrade(&mut self) {
        self.process().signal(Signal::SIGUSR2);
        let status = self.follow();
        assert!(status.success(), "the old master ends with {status}");
    }

    /// Waits until the master has ended, and goes on with the one that has replaced it. How the old
    /// one ended.
    pub(crate) fn follow(&mut self) -> ExitStatus {
        let before = self.process().pid();
        let status = self.process().wait("the old master to end", seconds(90));
        // Or the one after the next, once that one has ended, too.
        let next = wait_for("the new master's pid in the lock", seconds(60), || {
            self.master().filter(|&pid| pid != before && is_alive(pid) && is_mine(pid))
        });
        self.process().adopt(next);
        status
    }
}
