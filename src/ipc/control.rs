//! The master's control socket, from the side of those who ask: `romp status` and the web site.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the master may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The control socket of a pool.
#[must_use]
pub fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("romp.sock")
}

/// What a running pool answers to a command.
///
/// # Errors
/// When it is not running, or does not answer.
pub fn command(socket: &Path, command: &Value) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{command}\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other("the master does not answer"),
        _ => error,
    })?;
    serde_json::from_slice(&answer).map_err(io::Error::other)
}
