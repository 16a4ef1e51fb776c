//! What the new master finds when it begins: the old one's lock, sockets, shared memory.

use super::{PROTOCOL, VARIABLE, Will, Word};
use crate::ipc::board::{Board, FILES};
use crate::ipc::{Channel, Received};
use crate::sys::{descriptors, failpoint};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the old one may take to give everything.
const PATIENCE: Duration = Duration::from_secs(10);

/// All that a master begins with that goes on for another one.
#[derive(Debug)]
pub struct Estate {
    pub(in super::super) channel: Channel<Word>,
    pub(in super::super) will: Will,
    pub(in super::super) lock: File,
    pub(in super::super) control: UnixListener,
    pub(in super::super) board: Arc<Board>,
    /// Listening.
    pub(in super::super) sockets: Vec<OwnedFd>,
}

/// The estate of the master that has started this process to go on for it; `None`: nobody has. Call
/// it before this process starts anything.
///
/// # Errors
/// In words for the operator: the other one does not give what this one understands.
pub fn inherit() -> Result<Option<Estate>, String> {
    if std::env::var_os(VARIABLE).is_none() {
        return Ok(None);
    }
    let Some(socket) = descriptors::take_input().map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    failpoint::point("successor-begins");
    let mut channel: Channel<Word> = Channel::from(socket);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let hello = Word::Hello { protocol: PROTOCOL, version };
    channel.send(&hello, &[]).map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (word, fds) = next(&mut channel, deadline)?;
        match word {
            Word::Hello { protocol: PROTOCOL, .. } => {}
            Word::Hello { protocol, version } => {
                return Err(format!(
                    "romp {version} gives by protocol {protocol}, this one takes over by protocol \
                     {PROTOCOL}: stop that one and start this one"
                ));
            }
            Word::Estate(will) => return open(channel, *will, fds).map(Some),
            _ => return Err("the old master says something else than what it leaves".to_owned()),
        }
    }
}

fn next(channel: &mut Channel<Word>, deadline: Instant) -> Result<(Word, Vec<OwnedFd>), String> {
    loop {
        match channel.receive().map_err(|error| error.to_string())? {
            Received::Message(word, fds) => return Ok((*word, fds)),
            Received::Nothing if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Received::Nothing => return Err("the old master says nothing".to_owned()),
            Received::Closed => return Err("the old master has gone".to_owned()),
        }
    }
}

fn open(channel: Channel<Word>, will: Will, fds: Vec<OwnedFd>) -> Result<Estate, String> {
    let mut fds = fds.into_iter();
    let mut one = || fds.next().ok_or("the old master leaves too little");
    let (lock, control) = (File::from(one()?), UnixListener::from(one()?));
    let files: Vec<OwnedFd> = (0..FILES).map(|_| one()).collect::<Result<_, _>>()?;
    let files = files.try_into().map_err(|_| "the old master leaves too little")?;
    let attached = Board::attach(files, will.keys);
    let board = attached.map_err(|error: io::Error| format!("the old master's board: {error}"))?;
    Ok(Estate { channel, will, lock, control, board, sockets: fds.collect() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_of_any_time_can_be_read() {
        // Its shape is for ever: whoever speaks another protocol must understand that much.
        let text = r#"{"hello":{"protocol":7,"version":"9.9.9","more":true}}"#;
        let word: Word = serde_json::from_str(text).unwrap();
        assert!(matches!(word, Word::Hello { protocol: 7, version } if version == "9.9.9"));
    }

    #[test]
    fn too_little_is_no_estate() {
        let (ours, _theirs) = Channel::pair().unwrap();
        let will = Will {
            pid: 1,
            version: String::new(),
            generation: 1,
            reloads: 0,
            data_dir: "/".into(),
            keys: [0; 16],
            lanes: Vec::new(),
            bans: serde_json::Value::Null,
        };
        let file = File::open("/dev/null").unwrap();
        let fds = vec![file.try_clone().unwrap().into(), file.into()];
        assert!(open(ours, will, fds).unwrap_err().contains("too little"));
    }
}
