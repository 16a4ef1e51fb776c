//! A child process that ends with the test, also when the test is killed.

use super::wait_for;
use nix::sys::signal::{Signal, kill as send};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running program; its output goes to a file.
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
    exited: Option<ExitStatus>,
}

impl Process {
    /// Starts a program whose stdout and stderr go to `output` (appended).
    ///
    /// `setpriv --pdeathsig` (util-linux) makes the kernel kill it when this test dies.
    pub(crate) fn start<S: AsRef<OsStr>>(program: S, args: &[&str], output: &Path) -> Self {
        let log = File::options().create(true).append(true).open(output).expect("output file");
        let child = system("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program.as_ref())
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.as_ref().display()));
        Self { child, output: output.to_owned(), exited: None }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// The exit status, if it ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.exited.is_none() {
            self.exited = self.child.try_wait().expect("wait");
        }
        self.exited
    }

    /// Waits until it ended.
    pub(crate) fn wait(&mut self, what: &str, deadline: Duration) -> ExitStatus {
        wait_for(what, deadline, || self.ended())
    }

    /// All that it has printed.
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            let printed = self.printed();
            let from = printed.char_indices().rev().nth(6000).map_or(0, |(at, _)| at);
            eprintln!("--- {} ---\n{}", self.output.display(), &printed[from..]);
        }
    }
}

/// A program of the system, also of those that ordinary users do not find.
pub(crate) fn system(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// Signals a process; one that is gone already is no error.
pub(crate) fn kill(pid: i32, signal: Signal) {
    assert!(pid > 1, "{pid} is no process to signal");
    send(Pid::from_raw(pid), signal).ok();
}

/// Whether a process runs (a zombie does not).
pub(crate) fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(") ").map(|(_, rest)| !rest.starts_with(['Z', 'X'])))
        .unwrap_or(false)
}
