//! A Redis server of the test's own.

use super::{Process, free_port, seconds, wait_until};
use nix::sys::signal::Signal;
use std::net::TcpStream;
use std::path::Path;
use tempfile::TempDir;

/// A running `redis-server` with append-only file, on loopback.
pub(crate) struct Redis {
    pub(crate) port: u16,
    process: Option<Process>,
    dir: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut redis = Self { port: free_port(), process: None, dir };
        redis.run();
        redis
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Its process id while it runs.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("redis was started").signal(signal);
    }

    /// Starts it on the files that are there.
    pub(crate) fn run(&mut self) {
        let port = self.port.to_string();
        let folder = self.dir.path().display().to_string();
        let args = [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--dir",
            &folder,
        ];
        let output = self.dir.path().join("output");
        self.process = Some(Process::start("redis-server", &args, &output));
        wait_until("redis-server to listen", seconds(20), || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }
}
