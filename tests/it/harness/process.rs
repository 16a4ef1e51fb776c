//! A child process that ends with the test, also when the test is killed.

use super::wait_for;
use nix::sys::signal::{Signal, kill as send};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running program; its output goes to a file.
pub(crate) struct Process {
    who: Who,
    output: PathBuf,
    exited: Option<ExitStatus>,
}

/// Whose it was when it began.
enum Who {
    /// The test's own child.
    Child(Child),
    /// A child of one that has ended; and who kills it when the test is killed.
    Adopted(Pid, Watch),
}

/// A shell that kills a process as soon as the test is gone.
struct Watch(Child);

impl Watch {
    fn over(pid: i32) -> Self {
        let shell = Command::new("sh")
            .args(["-c", "read -r _; kill -KILL \"$0\"", &pid.to_string()])
            // Nothing is ever written: it ends with this test.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        Self(shell)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.kill().ok();
        // Not `wait`, which would first end its input.
        while self.0.try_wait().is_ok_and(|status| status.is_none()) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// From now on processes whose parent ends become this one's children, so that they can be waited
/// for.
pub(crate) fn take_orphans() {
    nix::sys::prctl::set_child_subreaper(true).expect("prctl");
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
        Self { who: Who::Child(child), output: output.to_owned(), exited: None }
    }

    /// Goes on with a child of the process, which has ended. [`take_orphans`] was called before.
    pub(crate) fn adopt(&mut self, pid: i32) {
        assert!(self.ended().is_some(), "its parent lives");
        self.who = Who::Adopted(Pid::from_raw(pid), Watch::over(pid));
        self.exited = None;
    }

    pub(crate) fn pid(&self) -> i32 {
        match &self.who {
            Who::Child(child) => i32::try_from(child.id()).expect("a pid"),
            Who::Adopted(pid, _) => pid.as_raw(),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// The exit status, if it ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.exited.is_none() {
            self.exited = match &mut self.who {
                Who::Child(child) => child.try_wait().expect("wait"),
                Who::Adopted(pid, _) => match waitpid(*pid, Some(WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::StillAlive) => None,
                    Ok(WaitStatus::Exited(_, code)) => Some(ExitStatus::from_raw(code << 8)),
                    Ok(WaitStatus::Signaled(_, signal, _)) => {
                        Some(ExitStatus::from_raw(signal as i32))
                    }
                    other => panic!("{pid}: {other:?}"),
                },
            };
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
            kill(self.pid(), Signal::SIGKILL);
            while self.ended().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
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
    stat(pid).is_some_and(|(state, _)| !state.starts_with(['Z', 'X']))
}

/// Whether it is this process's child.
pub(crate) fn is_mine(pid: i32) -> bool {
    stat(pid).is_some_and(|(_, parent)| parent == nix::unistd::getpid().as_raw())
}

/// State and parent.
fn stat(pid: i32) -> Option<(String, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
