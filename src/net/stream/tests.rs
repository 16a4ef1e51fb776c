//! The stream against a client in memory, however bytes are cut and whenever the socket is full.

use super::*;
use proptest::prelude::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use std::sync::OnceLock;

/// A socket that gives and takes so many bytes at a time, and nothing every other time.
#[derive(Debug, Default)]
struct Pipe {
    input: Vec<u8>,
    output: Vec<u8>,
    ended: bool,
    cut: usize,
    blocks: bool,
    full: bool,
}

impl Pipe {
    /// How many bytes of `most` go now.
    fn step(&mut self, most: usize) -> io::Result<usize> {
        self.blocks = !self.blocks;
        match self.blocks || self.full {
            true => Err(ErrorKind::WouldBlock.into()),
            false => Ok(self.cut.min(most)),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return if self.ended { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let full = std::mem::take(&mut self.full);
        let count = self.step(bytes.len().min(self.input.len()));
        self.full = full;
        let count = count?;
        bytes[..count].copy_from_slice(&self.input[..count]);
        self.input.drain(..count);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.step(bytes.len())?;
        self.output.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn acceptor() -> &'static (Acceptor, CertificateDer<'static>) {
    static MADE: OnceLock<(Acceptor, CertificateDer<'static>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let chain = vec![cert.der().clone()];
        let certified = rustls::sign::CertifiedKey::from_der(chain, key, &provider).unwrap();
        (Acceptor::new(certified).unwrap(), cert.der().clone())
    })
}

fn client(version: &'static SupportedProtocolVersion) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(acceptor().1.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

fn stream(offer: &Offer, cut: usize) -> Stream<Pipe> {
    Stream::new(Pipe { cut, ..Pipe::default() }, offer)
}

/// Reads all there is now; whether the end was seen.
fn hear(stream: &mut Stream<Pipe>, room: usize, heard: &mut Vec<u8>) -> bool {
    let mut bytes = vec![0; room];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(count) => heard.extend_from_slice(&bytes[..count]),
            // The pipe blocks now and then with more in it: an event would come.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if stream.socket.input.is_empty() && !stream.has_more() {
                    return false;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Says something to the client, as the outbox does.
fn say(stream: &mut Stream<Pipe>, mut text: &[u8]) {
    while !text.is_empty() {
        match stream.write(text) {
            Ok(count) => text = &text[count..],
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

/// Carries what each side has ready to the other, until both are quiet.
fn carry(
    client: &mut ClientConnection,
    stream: &mut Stream<Pipe>,
    room: usize,
    heard: &mut Vec<u8>,
    told: &mut Vec<u8>,
) {
    loop {
        while client.wants_write() {
            client.write_tls(&mut stream.socket.input).unwrap();
        }
        hear(stream, room, heard);
        while stream.flush().is_err() {}
        let output = std::mem::take(&mut stream.socket.output);
        let mut rest = output.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().unwrap();
            let _ = client.reader().read_to_end(told);
        }
        if output.is_empty() && !client.wants_write() {
            return;
        }
    }
}

fn talk(version: &'static SupportedProtocolVersion, cut: usize, room: usize, lines: usize) {
    let mut client = client(version);
    let mut stream = stream(&Offer::Tls(acceptor().0.clone()), cut);
    let (mut heard, mut told) = (Vec::new(), Vec::new());
    assert!(!stream.is_open() && !stream.is_plain());
    assert!(stream.write(b"x").is_err(), "nothing is said before the handshake is done");
    carry(&mut client, &mut stream, room, &mut heard, &mut told);
    assert!(stream.is_open() && !client.is_handshaking());
    let question = b"{\"id\":1}\n".repeat(lines);
    let answer = b"{\"id\":1,\"result\":true}\n".repeat(lines);
    client.writer().write_all(&question).unwrap();
    carry(&mut client, &mut stream, room, &mut heard, &mut told);
    assert_eq!(heard, question);
    say(&mut stream, &answer);
    carry(&mut client, &mut stream, room, &mut heard, &mut told);
    assert_eq!(told, answer);
    client.send_close_notify();
    while client.wants_write() {
        client.write_tls(&mut stream.socket.input).unwrap();
    }
    assert!(hear(&mut stream, room, &mut heard), "the end");
    // And what is said after the other side's end arrives.
    say(&mut stream, b"bye\n");
    assert!(!stream.socket.output.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn all_arrives_however_it_is_cut(cut in 1_usize..2000, room in 1_usize..5000, lines in 1_usize..1000) {
        talk(&rustls::version::TLS13, cut, room, lines);
        talk(&rustls::version::TLS12, cut, room, lines);
    }
}

#[test]
fn byte_by_byte() {
    talk(&rustls::version::TLS13, 1, 7, 20);
    talk(&rustls::version::TLS12, 1, 1, 20);
}

#[test]
fn the_first_byte_decides() {
    let both = Offer::Both(acceptor().0.clone());
    let mut heard = Vec::new();
    let mut plain = stream(&both, 3);
    plain.socket.input = b"{\"id\":1}\n".to_vec();
    hear(&mut plain, 64, &mut heard);
    assert!(plain.is_plain() && heard == b"{\"id\":1}\n");
    // What was read behind a header is the first byte, too.
    let mut client = client(&rustls::version::TLS13);
    let mut proxied = stream(&both, 1000);
    client.write_tls(&mut proxied.socket.input).unwrap();
    let mut bytes = [0; 100];
    let count = loop {
        if let Ok(count) = proxied.read_raw(&mut bytes) {
            break count;
        }
    };
    proxied.give_back(&bytes[..count]);
    assert!(proxied.has_more());
    let mut told = Vec::new();
    carry(&mut client, &mut proxied, 64, &mut heard, &mut told);
    assert!(proxied.is_open() && !proxied.is_plain());
    let mut wrong = stream(&Offer::Tls(acceptor().0.clone()), 9);
    wrong.socket.input = b"{}\n".to_vec();
    wrong.socket.blocks = true;
    assert_eq!(wrong.read(&mut bytes).unwrap_err().kind(), NOT_TLS);
    assert!(wrong.is_plain(), "so that it can be told why");
}

#[test]
fn a_broken_handshake_is_told_and_a_cut_one_is_an_end() {
    let offer = Offer::Tls(acceptor().0.clone());
    let mut broken = stream(&offer, 1000);
    broken.socket.input = b"\x16\x03\x01\x00\x05hello".to_vec();
    let error = loop {
        match broken.read(&mut [0; 64]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => break other.unwrap_err(),
        }
    };
    assert_eq!(error.kind(), BROKEN_TLS);
    let mut cut = stream(&offer, 1000);
    cut.socket.input = b"\x16\x03\x01\x00".to_vec();
    cut.socket.ended = true;
    assert!(hear(&mut cut, 64, &mut Vec::new()));
}

/// Whoever counts what waits counts what is encrypted and not sent, too.
#[test]
fn what_the_socket_does_not_take_is_told_as_waiting() {
    let mut client = client(&rustls::version::TLS13);
    let mut stream = stream(&Offer::Tls(acceptor().0.clone()), 5000);
    let (mut heard, mut told) = (Vec::new(), Vec::new());
    carry(&mut client, &mut stream, 64, &mut heard, &mut told);
    stream.socket.full = true;
    let text = vec![b'x'; 100_000];
    for _ in 0..100 {
        assert_eq!(stream.write(&text).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    assert_eq!(stream.taken, WRITE, "no more is encrypted than that");
    stream.socket.full = false;
    say(&mut stream, &text);
    carry(&mut client, &mut stream, 64, &mut heard, &mut told);
    assert!(told == text, "nothing lost, nothing twice");
}

#[test]
fn who_is_refused_is_told_in_the_way_he_understands() {
    let said = |offer: &Offer, back: &[u8]| {
        let mut stream = stream(offer, 1000);
        stream.socket.blocks = true;
        stream.give_back(back);
        stream.refuse(b"no\n");
        stream.socket.output
    };
    let acceptor = &acceptor().0;
    assert_eq!(said(&Offer::Plain, b""), b"no\n");
    assert_eq!(said(&Offer::Both(acceptor.clone()), b""), b"no\n");
    assert_eq!(said(&Offer::Both(acceptor.clone()), &[RECORD]), DENIED);
    assert_eq!(said(&Offer::Tls(acceptor.clone()), b""), DENIED);
}
