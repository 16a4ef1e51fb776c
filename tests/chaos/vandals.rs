//! Visitors that mean no good: garbage, half lines, nobody reading, floods.

use crate::harness::{ADDRESS, NOTIFY_PASSWORD};
use crate::load::Shared;
use crate::random::Random;
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections of one flood.
const FLOOD: usize = 120;

/// Their threads.
#[derive(Debug)]
pub(crate) struct Vandals(Vec<JoinHandle<()>>);

impl Vandals {
    pub(crate) fn start(shared: &Arc<Shared>, notify: u16, random: &mut Random) -> Self {
        let start = |_| {
            let (shared, mut random) = (Arc::clone(shared), random.fork());
            std::thread::spawn(move || {
                while !shared.stop.load(Ordering::Relaxed) {
                    // Whatever becomes of it: refused, reset, banned.
                    visit(shared.port.load(Ordering::Relaxed), notify, &mut random).ok();
                    std::thread::sleep(random.time(20, 1500));
                }
            })
        };
        Self((0..3).map(start).collect())
    }

    pub(crate) fn finish(self) {
        for thread in self.0 {
            thread.join().expect("a vandal's thread");
        }
    }
}

fn connect(port: u16, random: &mut Random) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let [low, high, ..] = random.next().to_le_bytes();
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 200, high, low.max(1)), 0)).into())?;
    let pool = SocketAddr::from(([127, 0, 0, 1], port));
    socket.connect_timeout(&pool.into(), Duration::from_secs(1))?;
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    Ok(socket.into())
}

fn visit(port: u16, notify: u16, random: &mut Random) -> std::io::Result<()> {
    if random.once_in(6) {
        let mut stream = connect(notify, random)?;
        let hash: String = random.bytes(32).iter().map(|byte| format!("{byte:02x}")).collect();
        let password = if random.once_in(2) { NOTIFY_PASSWORD } else { "guess" };
        let line = json!({"password": password, "coin": "litecoin", "hash": hash});
        return stream.write_all(format!("{line}\n").as_bytes());
    }
    let mut stream = connect(port, random)?;
    match random.below(8) {
        0 => {
            let count = 1 + random.below(4000);
            stream.write_all(&random.bytes(count))?;
        }
        1 => stream.write_all(b"{\"id\":1,\"method\":\"mining.subs")?,
        2 => stream.write_all(&vec![b'a'; 40_000])?,
        3 => {
            // Subscribes, asks for much and reads nothing.
            let line = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";
            for _ in 0..200 {
                stream.write_all(line)?;
            }
            std::thread::sleep(random.time(100, 1000));
        }
        4 => {
            // Bad shares until it is shown out.
            let user = format!("{ADDRESS}.vandal");
            let hello = json!({"id": 1, "method": "mining.subscribe", "params": ["vandal"]});
            let name = json!({"id": 2, "method": "mining.authorize", "params": [user, "x"]});
            stream.write_all(format!("{hello}\n{name}\n").as_bytes())?;
            for id in 3..60 {
                let nonce = format!("{:08x}", random.next() as u32);
                let params = json!([user, "1", "00000000", "5f000000", nonce]);
                let submit = json!({"id": id, "method": "mining.submit", "params": params});
                stream.write_all(format!("{submit}\n").as_bytes())?;
            }
            let _read = stream.read(&mut [0; 4096])?;
        }
        5 => {
            stream.shutdown(Shutdown::Write)?;
            let _read = stream.read(&mut [0; 64])?;
        }
        6 => {
            let crowd: Vec<_> = (0..FLOOD).map_while(|_| connect(port, random).ok()).collect();
            std::thread::sleep(random.time(50, 1500));
            drop(crowd);
        }
        _ => stream.write_all(b"GET / HTTP/1.1\r\nHost: pool\r\n\r\n")?,
    }
    Ok(())
}
