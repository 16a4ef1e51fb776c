//! A Redis server of the test's own.

use super::{Process, free_port, seconds, wait_until};
use std::net::TcpStream;
use tempfile::TempDir;

/// A running `redis-server` with append-only file, on loopback.
pub(crate) struct Redis {
    pub(crate) port: u16,
    _process: Process,
    _dir: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let port = free_port();
        let text = port.to_string();
        let folder = dir.path().display().to_string();
        let args = [
            "--port",
            &text,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--dir",
            &folder,
        ];
        let process = Process::start("redis-server", &args, &dir.path().join("output"));
        wait_until("redis-server to listen", seconds(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { port, _process: process, _dir: dir }
    }
}
