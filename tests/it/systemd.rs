//! systemd, played by the test: sockets that it hands over, and what it is told. The real one is in
//! `scripts/test-package`.

use crate::harness::{
    ADDRESS, Client, Pool, Romp, Stub, alone, free_port, is_alive, seconds, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use nix::sys::socket::sockopt::PassCred;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt};
use serde_json::json;
use std::io::IoSliceMut;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;

const EASY: f64 = 1e-9;

/// Who listens at `NOTIFY_SOCKET`.
pub(crate) struct Listener {
    socket: UnixDatagram,
    /// Each message so far.
    pub(crate) heard: Vec<Heard>,
    /// How many of them a test has waited for.
    passed: usize,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) text: String,
    /// Address of the socket that came with it.
    socket: Option<SocketAddr>,
    /// The process that has sent it, by the kernel.
    pub(crate) from: i32,
}

impl Heard {
    /// Whether it has that line.
    pub(crate) fn has(&self, line: &str) -> bool {
        self.text.lines().any(|it| it == line)
    }
}

impl Listener {
    pub(crate) fn new(romp: &Romp) -> Self {
        let socket = UnixDatagram::bind(romp.path().join("notify")).expect("a socket");
        setsockopt(&socket, PassCred, &true).expect("the senders' names");
        socket.set_nonblocking(true).expect("a mode");
        Self { socket, heard: Vec::new(), passed: 0 }
    }

    pub(crate) fn hear(&mut self) {
        loop {
            let mut bytes = [0; 4096];
            let mut space = nix::cmsg_space!([RawFd; 4], UnixCredentials);
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
            let fd = self.socket.as_raw_fd();
            let Ok(message) = recvmsg::<()>(fd, &mut parts, Some(&mut space), flags) else {
                return;
            };
            let (mut socket, mut from) = (None, 0);
            for control in message.cmsgs().expect("whole messages") {
                match control {
                    ControlMessageOwned::ScmRights(fds) => {
                        assert_eq!(fds.len(), 1);
                        socket = Some(address_of(fds[0]));
                        nix::unistd::close(fds[0]).expect("close");
                    }
                    ControlMessageOwned::ScmCredentials(sender) => from = sender.pid(),
                    _ => {}
                }
            }
            let length = message.bytes;
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            self.heard.push(Heard { text, socket, from });
        }
    }

    /// Waits for a message with these lines, from the last one on that was waited for.
    pub(crate) fn wait(&mut self, lines: &[&str]) -> String {
        wait_for(&format!("{lines:?}"), seconds(40), || {
            self.hear();
            let fits = |heard: &Heard| lines.iter().all(|line| heard.has(line));
            let at = (self.passed..self.heard.len()).find(|&at| fits(&self.heard[at]))?;
            self.passed = at + 1;
            Some(self.heard[at].text.clone())
        })
    }

    fn count(&self, line: &str) -> usize {
        self.heard.iter().filter(|heard| heard.has(line)).count()
    }
}

/// The local address of a descriptor that is a listening TCP socket.
fn address_of(fd: RawFd) -> SocketAddr {
    // Through /proc, so that nothing here is unsafe: a second handle on the same socket.
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).expect("a descriptor");
    let inode = link.to_string_lossy().replace(|letter: char| !letter.is_ascii_digit(), "");
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("the kernel's table");
    let row = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row = row.into_iter().find(|row| row[9] == inode).expect("an IPv4 TCP socket");
    assert_eq!(row[3], "0A", "it listens");
    let (ip, port) = row[1].split_once(':').expect("an address");
    let ip = u32::from_str_radix(ip, 16).expect("hex").swap_bytes();
    (ip.to_be_bytes(), u16::from_str_radix(port, 16).expect("hex")).into()
}

#[test]
fn systemd_hears_how_the_pool_is_and_keeps_its_sockets() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (stays, goes) = (free_port(), free_port());
    let pool = Pool::new("bitcoin", stays, json!({"diff": EASY}), stub.daemons());
    let both = json!({stays.to_string(): {"diff": EASY}, goes.to_string(): {"diff": EASY}});
    let pool = pool.with("ports", both);
    let mut romp = Romp::prepare(2, &[&pool]);
    let mut systemd = Listener::new(&romp);
    let notify = format!("NOTIFY_SOCKET={}", romp.path().join("notify").display());
    romp.run_by("env", &[&notify, "WATCHDOG_USEC=2000000"]);
    let pid = romp.process().pid();
    let ready = systemd.wait(&["READY=1", &format!("MAINPID={pid}")]);
    assert!(ready.contains("STATUS=2 workers, 0 miners, "), "{ready}");
    let mut client = Client::login(stays, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    systemd.wait(&["STATUS=2 workers, 1 miners, coin fresh"]);

    // Each socket came with its name, and is the one that listens.
    for (address, name) in [
        (format!("0.0.0.0:{stays}"), format!("FDNAME=0.0.0.0_{stays}")),
        (format!("0.0.0.0:{goes}"), format!("FDNAME=0.0.0.0_{goes}")),
        (format!("0.0.0.0:{}", romp.notify_port), format!("FDNAME=0.0.0.0_{}", romp.notify_port)),
    ] {
        let kept = systemd.heard.iter().find(|heard| heard.text.contains(&name));
        let kept = kept.unwrap_or_else(|| panic!("{name} in {:#?}", systemd.heard));
        assert!(kept.text.starts_with("FDSTORE=1\n"), "{kept:?}");
        assert_eq!(kept.socket.map(|it| it.to_string()), Some(address));
    }

    // A good configuration: the port that is gone is not kept any more.
    let one = json!({stays.to_string(): {"diff": EASY}});
    let pool = pool.with("ports", one);
    pool.write(romp.path());
    romp.process().signal(Signal::SIGHUP);
    let reloading = systemd.wait(&["RELOADING=1"]);
    let usec = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(usec.is_some_and(|usec| usec.parse::<u64>().is_ok_and(|usec| usec > 0)));
    systemd.wait(&["FDSTOREREMOVE=1", &format!("FDNAME=0.0.0.0_{goes}")]);
    systemd.wait(&["READY=1"]);

    // A broken one: ready again, with the reason.
    let file = romp.path().join("pool_configs/bitcoin.json");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("\"daemons\"", "\"demons\"")).unwrap();
    romp.process().signal(Signal::SIGHUP);
    systemd.wait(&["RELOADING=1"]);
    let ready = systemd.wait(&["READY=1"]);
    assert!(ready.contains("; configuration not changed: "), "{ready}");
    assert!(ready.contains("demons"), "{ready}");
    assert!(client.mine().expect("an answer").0);

    let beats = systemd.count("WATCHDOG=1");
    wait_until("the watchdog's next word", seconds(30), || {
        systemd.hear();
        systemd.count("WATCHDOG=1") > beats + 1
    });
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    let stopping = systemd.wait(&["STOPPING=1"]);
    assert!(stopping.contains("EXTEND_TIMEOUT_USEC="), "{stopping}");
    systemd.hear();
    assert_eq!(systemd.count("READY=1"), 3, "{:#?}", systemd.heard);
    // Only the master talks: nobody else is taken for it.
    assert_eq!(systemd.count(&format!("MAINPID={pid}")), 3);
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    let mut systemd = Listener::new(&romp);
    let notify = format!("NOTIFY_SOCKET={}", romp.path().join("notify").display());
    romp.run_by("env", &[&notify, "WATCHDOG_USEC=200000", "WATCHDOG_PID=1"]);
    systemd.wait(&["READY=1"]);
    romp.wait_ready(1);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    systemd.wait(&["STOPPING=1"]);
    assert_eq!(systemd.count("WATCHDOG=1"), 0);
}

#[test]
fn nobody_at_the_notify_socket_is_no_trouble() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1}), stub.daemons());
    for socket in ["/nowhere/notify", "@romp-nobody", "vsock:2:1234", "relative"] {
        let mut romp = Romp::prepare(1, &[&pool]);
        romp.run_by("env", &[&format!("NOTIFY_SOCKET={socket}"), "WATCHDOG_USEC=x"]);
        romp.wait_ready(1);
        wait_until("a word of it in the log", seconds(20), || {
            romp.output().contains("warning: systemd ")
        });
        assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    }
}

/// The socket stays open while the pool is away: who connects then is served by the next one.
#[test]
fn sockets_that_are_handed_over_are_used() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (port, other) = (free_port(), free_port());
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    let notify = romp.notify_port;
    let (port_text, other_text) = (format!("[::]:{port}"), format!("127.0.0.1:{other}"));
    let notify_text = format!("0.0.0.0:{notify}");
    romp.run_by(
        "systemd-socket-activate",
        &["-l", &port_text, "-l", &other_text, "-l", &notify_text, "--fdname=stratum:other:notify"],
    );
    // It listens on all three and starts nothing before somebody comes.
    let first = wait_for("systemd-socket-activate", seconds(20), || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    romp.wait_ready(1);
    let mut client = Client::login(port, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    drop(first);
    let output = romp.output();
    for address in [format!("0.0.0.0:{port}"), notify_text] {
        let words = format!("{address}: the socket handed over by systemd");
        assert!(output.contains(&words), "{words}");
    }
    let closed = format!("systemd handed over a socket on {other_text} (other), where no pool");
    assert!(output.contains(&closed), "{closed}");
    assert!(TcpStream::connect(("127.0.0.1", other)).is_err(), "it is closed");
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

/// What the environment says is believed only where the descriptors bear it out.
#[test]
fn forged_descriptors_change_nothing() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    // `exec` keeps the pid that the shell writes into LISTEN_PID.
    let mine = "LISTEN_PID=$$";
    for (environment, words) in [
        (format!("{mine} LISTEN_FDS=5"), "LISTEN_FDS: descriptor 3: "),
        (format!("{mine} LISTEN_FDS=9999999"), "LISTEN_FDS is no number of descriptors"),
        (format!("{mine} LISTEN_FDS=-1"), "LISTEN_FDS is no number of descriptors"),
        (format!("{mine} LISTEN_FDS=many"), "LISTEN_FDS is no number of descriptors"),
        ("LISTEN_PID=me LISTEN_FDS=1".to_owned(), "LISTEN_PID is no process id"),
        // Descriptors 3 and 4 are there, and are no sockets.
        (format!("exec 3</dev/null 4<.; {mine} LISTEN_FDS=2 LISTEN_FDNAMES=a:b"), "(b) is closed"),
        // Another's: not a word about them.
        ("exec 3</dev/null; LISTEN_PID=1 LISTEN_FDS=1".to_owned(), ""),
    ] {
        let mut romp = Romp::prepare(1, &[&pool]);
        let (set, environment) = environment.split_once("; ").unwrap_or(("", &environment));
        let script = format!("{set}\nexport {environment}\nexec \"$@\"");
        romp.run_by("sh", &["-c", &script, "sh"]);
        romp.wait_ready(1);
        assert!(romp.output().contains(words), "{words}");
        if words.is_empty() {
            let output = romp.output();
            assert!(!output.contains("LISTEN_") && !output.contains("systemd"), "{output}");
        }
        let mut client = Client::login(port, ADDRESS).expect("login");
        assert!(client.mine().expect("an answer").0);
        assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    }
}

/// As systemd does after a crash: it kept the socket, and hands it to the next process. Nobody is
/// refused meanwhile.
#[test]
fn a_port_that_systemd_keeps_is_never_closed() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    let kept = TcpListener::bind(("0.0.0.0", port)).expect("the port");
    let start = |romp: &mut Romp| {
        // A handle that children inherit, and bash puts where systemd would.
        let handle = nix::unistd::dup(&kept).expect("a second handle");
        let number = handle.as_raw_fd();
        let script =
            format!("exec 3<&{number} {number}<&-\nexport LISTEN_PID=$$ LISTEN_FDS=1\nexec \"$@\"");
        romp.run_by("bash", &["-c", &script, "bash"]);
    };
    start(&mut romp);
    romp.wait_ready(1);
    let mut client = Client::login(port, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    let children = romp.children();
    romp.process().signal(Signal::SIGKILL);
    romp.process().wait("the master's end", seconds(30));
    wait_until("its children to end", seconds(20), || children.iter().all(|&it| !is_alive(it)));
    let waiting = Client::connect(port).expect("nobody is refused");
    start(&mut romp);
    let mut client = waiting.logged_in(ADDRESS).expect("who has waited is served");
    assert!(client.mine().expect("an answer").0);
    romp.wait_ready(1);
    wait_until("both shares in the ledger", seconds(20), || romp.shares("bitcoin").0 == 2);
}
