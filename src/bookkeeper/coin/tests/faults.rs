//! A Redis that goes away in the middle of a call, and clocks that jump.

use super::*;
use crate::ledger::tests::Server;
use crate::net::helper;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Stands between a client and a server and cuts both ways after so many bytes in one direction.
struct Cutter {
    socket: PathBuf,
    /// Bytes left to the server, and from it; below 0: no more.
    left: Arc<[AtomicI64; 2]>,
    _dir: tempfile::TempDir,
}

const ENDLESS: i64 = i64::MAX / 2;

fn copy(mut from: UnixStream, mut to: UnixStream, left: &AtomicI64) {
    let mut bytes = [0; 4096];
    while let Ok(count) = from.read(&mut bytes) {
        let before = left.fetch_sub(count as i64, Ordering::SeqCst);
        let some = usize::try_from(before).unwrap_or(0).min(count);
        if count == 0 || to.write_all(&bytes[..some]).is_err() || some < count {
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}

impl Cutter {
    fn start(server: PathBuf) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let left = Arc::new([AtomicI64::new(ENDLESS), AtomicI64::new(ENDLESS)]);
        let counts = Arc::clone(&left);
        helper::spawn("cutter", move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(server) = UnixStream::connect(&server) else { return };
                let (client2, server2) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (up, down) = (Arc::clone(&counts), Arc::clone(&counts));
                helper::spawn("up", move || copy(client, server, &up[0])).unwrap();
                helper::spawn("down", move || copy(server2, client2, &down[1])).unwrap();
            }
        })
        .unwrap();
        Self { socket, left, _dir: dir }
    }

    fn set(&self, way: usize, bytes: i64) {
        self.left[way].store(bytes, Ordering::SeqCst);
    }
}

#[test]
fn cut_after_any_byte_of_the_exchange_each_share_counts_once() {
    let Some(server) = Server::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let cutter = Cutter::start(server.socket());
    let socket = cutter.socket.clone();
    let opener = move || crate::ledger::tests::redis_at(&socket, "litecoin");
    let mut coin =
        Coin::with("litecoin".to_owned(), dir.path().to_owned(), 1, UNIT, Box::new(opener));
    let mut one = writer(dir.path(), 0);
    write(&mut one, &[share(1, "a", 1)]);
    add_all(&mut coin);
    let (mut written, mut cut) = (1_u64, 0);
    // A call is about 700 bytes, its answer about 15.
    for (way, most) in [(0, 900), (1, 40)] {
        for bytes in 0..most {
            write(&mut one, &[share(2, "a", 1), share(2, "b", 1)]);
            written += 2;
            cutter.set(way, bytes);
            cut += u64::from(coin.turn(u64::MAX, 0).is_err());
            cutter.set(way, ENDLESS);
            add_all(&mut coin);
            assert_eq!(server.tally("litecoin").sums().unwrap().accepted, written, "{way} {bytes}");
        }
    }
    assert!(cut > 500, "only {cut} calls were cut");
    let round = server.tally("litecoin").sums().unwrap().round;
    assert_eq!(round.values().sum::<u64>(), written);
}

#[test]
fn clocks_that_jump_a_day_neither_stall_nor_lose() {
    const DAY: u64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (writer(dir.path(), 0), writer(dir.path(), 1));
    let mut coin = coin(dir.path());
    write(&mut one, &[share(1, "a", 1)]);
    write(&mut two, &[share(2, "b", 1)]);
    while coin.turn(START + 10, 0).unwrap() {}
    assert_eq!(overview(dir.path()).accepted, 2);
    // A day ahead: both workers' promises jump with it.
    write(&mut one, &[share(DAY, "a", 1)]);
    write(&mut two, &[share(DAY + 1, "b", 1)]);
    while coin.turn(START + DAY + 10, 1000).unwrap() {}
    assert_eq!(overview(dir.path()).accepted, 4);
    // And back: times of the living worker stand still, a new one has the true time, and its
    // promise holds the others' records back no longer than patience lasts.
    write(&mut one, &[share(5, "a", 1), block(6, 1), share(7, "a", 1)]);
    let mut three = writer(dir.path(), 2);
    write(&mut three, &[share(8, "c", 1)]);
    while coin.turn(START + 20, 2000).unwrap() {}
    while coin.turn(START + 30, 2000 + 2 * PATIENCE).unwrap() {}
    while coin.turn(START + 40, 2000 + 4 * PATIENCE).unwrap() {}
    let all = overview(dir.path());
    assert_eq!((all.accepted, all.blocks_found), (7, 1));
    // Nothing is taken for old because of a time from the future, or the other way round.
    coin.sweep(START, &|_| true).unwrap();
    coin.sweep(START + 10 * DAY, &|_| true).unwrap();
    assert_eq!(journal::streams(dir.path(), "litecoin").unwrap().len(), 3);
}
