//! `romp blocknotify HOST:PORT PASSWORD COIN HASH`: runs inside the coin daemon at every block, so
//! it takes milliseconds, and a second at most when the pool is down or does not answer.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's output.

use super::{DONE, FAILED, NOT_RUNNING, USAGE};
use crate::net::helper;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

/// How long all of it may take.
const DEADLINE: Duration = Duration::from_secs(1);
/// Longest answer.
const ANSWER: u64 = 1024;

/// Sends NOMP's early form of the notice and prints the answer: 0 taken, 1 refused, 3 no pool.
#[must_use]
pub fn run(host_port: &str, password: &str, coin: &str, hash: &str) -> u8 {
    if host_port.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        eprintln!("`{host_port}` is not HOST:PORT, e.g. 127.0.0.1:8117");
        return USAGE;
    }
    let line = serde_json::json!({ "password": password, "coin": coin, "hash": hash });
    let line = format!("{line}\n");
    let (tell, told) = mpsc::channel();
    let address = host_port.to_owned();
    // In a thread: a name server that does not answer must not hold the daemon up.
    let asked = helper::spawn("blocknotify", move || {
        let _ = tell.send(ask(&address, &line));
    });
    let answer = match asked {
        Ok(_) => {
            told.recv_timeout(DEADLINE).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) if answer == "Pool workers notified" => {
            println!("{answer}");
            DONE
        }
        Ok(answer) if answer.is_empty() => {
            println!("refused: no answer (after five wrong passwords there is none for a minute)");
            FAILED
        }
        Ok(answer) => {
            println!("{}", crate::sys::log::escape(&answer));
            FAILED
        }
        Err(error) => {
            eprintln!("no pool at {host_port}: {error}");
            NOT_RUNNING
        }
    }
}

fn ask(address: &str, line: &str) -> io::Result<String> {
    let mut last = io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, DEADLINE) {
            Ok(stream) => return talk(stream, line),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn talk(mut stream: TcpStream, line: &str) -> io::Result<String> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut answer = String::new();
    // Whoever is not listened to is cut off: that is no answer, but there is a pool.
    let heard = stream
        .write_all(line.as_bytes())
        .and_then(|()| (&mut stream).take(ANSWER).read_to_string(&mut answer));
    match heard {
        Ok(_) => {}
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            ) => {}
        Err(error) => return Err(error),
    }
    Ok(answer.trim_end().to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A pool that answers one visitor so.
    fn pool(answer: &'static str) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = [0; 1024];
            let length = stream.read(&mut line).unwrap();
            tell.send(String::from_utf8_lossy(line.get(..length).unwrap()).into_owned()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        (address, told)
    }

    #[test]
    fn the_exit_code_says_what_happened() {
        for (answer, code) in [
            ("Pool workers notified\n", DONE),
            ("refused: wrong password\n", FAILED),
            ("unknown coin `x`\n", FAILED),
            ("", FAILED),
        ] {
            let (address, told) = pool(answer);
            assert_eq!(run(&address, "pass\"word", "$(x)", "00ff"), code, "{answer}");
            let line = told.recv().unwrap();
            assert_eq!(
                line,
                "{\"coin\":\"$(x)\",\"hash\":\"00ff\",\"password\":\"pass\\\"word\"}\n"
            );
        }
    }

    #[test]
    fn a_pool_that_is_down_is_told_apart() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        assert_eq!(run(&free, "p", "c", "h"), NOT_RUNNING);
        assert_eq!(run("localhost", "p", "c", "h"), USAGE);
        // Connects (the kernel does) but never answers.
        let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(run(&deaf.local_addr().unwrap().to_string(), "p", "c", "h"), NOT_RUNNING);
    }
}
