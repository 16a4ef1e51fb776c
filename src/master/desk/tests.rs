//! The desk over real sockets on the loopback: whole lines, half lines, no lines.

#![allow(clippy::unwrap_used)]

use super::super::ports;
use super::*;
use mio::{Events, Poll};
use std::net::TcpStream as Client;
use std::time::{Duration, Instant};

struct World {
    poll: Poll,
    desk: Desk,
    guard: Guard,
    address: SocketAddr,
}

fn world() -> World {
    let poll = Poll::new().unwrap();
    let mut desk = Desk::new(Token(1));
    let listener = ports::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let setting = NotifyListener { address, password: None };
    desk.open_notify(poll.registry(), setting, listener).unwrap();
    World { poll, desk, guard: Guard::default(), address }
}

impl World {
    /// Turns until a line is heard or `until` holds.
    fn turns(&mut self, now: u64, until: impl Fn(&Desk) -> bool) -> Vec<(usize, Vec<u8>)> {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let heard = self.desk.turn(self.poll.registry(), &self.guard, now);
            if !heard.is_empty() || until(&self.desk) {
                return heard.into_iter().map(|(key, _, line)| (key, line)).collect();
            }
            assert!(Instant::now() < end, "nothing happened");
            let mut events = Events::with_capacity(8);
            self.poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
        }
    }
}

#[test]
fn a_line_is_answered_once_and_the_visitor_leaves() {
    let mut world = world();
    let cases = [(&b"{}\nmore"[..], false), (b"{}", true), (b"{}\r\n", false), (b" {}", false)];
    for (sent, closed) in cases {
        let mut client = Client::connect(world.address).unwrap();
        client.write_all(sent).unwrap();
        if closed {
            client.shutdown(Shutdown::Write).unwrap();
        }
        let heard = world.turns(0, |_| false);
        let (key, line) = heard.first().unwrap();
        assert_eq!(line, b"{}");
        world.desk.answer(world.poll.registry(), *key, "done");
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "done\n");
        assert!(world.desk.visitors.is_empty());
    }
}

#[test]
fn too_long_too_late_and_too_many_are_shown_out() {
    let mut world = world();
    let mut long = Client::connect(world.address).unwrap();
    world.turns(0, |desk| desk.visitors.len() == 1);
    long.write_all(&[b'x'; 3000]).unwrap();
    world.turns(0, |desk| desk.visitors.is_empty());
    let half = Client::connect(world.address).unwrap();
    world.turns(0, |desk| desk.visitors.len() == 1);
    assert_eq!(world.desk.deadline(), Some(VISIT));
    world.turns(VISIT, |desk| desk.visitors.is_empty());
    drop(half);
}

#[test]
fn a_crowd_of_silent_visitors_keeps_nobody_out() {
    let mut world = world();
    let enter = || Client::connect(world.address).unwrap();
    let crowd: Vec<Client> = (0..MOST_VISITORS).map(|_| enter()).collect();
    let (mut half, mut honest) = (enter(), enter());
    half.write_all(b"{\"coin\":").unwrap();
    honest.write_all(b"{}\n").unwrap();
    let heard = world.turns(0, |_| false);
    assert_eq!(heard.first().unwrap().1, b"{}");
    assert_eq!(world.desk.visitors.len(), MOST_VISITORS);
    world.desk.answer(world.poll.registry(), heard.first().unwrap().0, "done");
    half.write_all(b"1}").unwrap();
    assert_eq!(world.turns(0, |_| false).first().unwrap().1, b"{\"coin\":1}");
    drop((crowd, half, honest));
    world.turns(0, |desk| desk.visitors.is_empty());
}

#[test]
fn who_lied_is_not_let_in() {
    let mut world = world();
    for _ in 0..5 {
        world.guard.wrong("127.0.0.1".parse().unwrap(), 0);
    }
    let mut client = Client::connect(world.address).unwrap();
    world.desk.turn(world.poll.registry(), &world.guard, 0);
    assert!(world.desk.visitors.is_empty());
    assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn doors_follow_the_configuration() {
    let mut world = world();
    let password = Some(Secret::new("new".to_owned()));
    world.desk.reconfigure(&[NotifyListener { address: world.address, password }]);
    assert_eq!(world.desk.notify_addresses(), [world.address]);
    world.desk.reconfigure(&[]);
    assert!(world.desk.notify_addresses().is_empty());
    assert!(Client::connect(world.address).is_err());
}
