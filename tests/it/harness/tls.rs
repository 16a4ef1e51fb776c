//! Certificates, and a client of TLS that is none of the pool's code.

use super::seconds;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Puts a new certificate in place, as `cert.pem` and `key.pem`: it and its key, PEM.
pub(crate) fn certificate(dir: &Path) -> (String, String) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("made");
    let (cert, key) = (cert.pem(), signing_key.serialize_pem());
    std::fs::write(dir.join("cert.pem"), &cert).expect("written");
    std::fs::write(dir.join("key.pem"), &key).expect("written");
    (cert, key)
}

/// A connection over TLS.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A TLS connection to the port that believes that certificate alone; `None` when it has another.
pub(crate) fn tls(port: u16, cert: &str) -> Option<Tls> {
    tls_over(TcpStream::connect(("127.0.0.1", port)).ok()?, cert)
}

/// The same over a connection that is there.
pub(crate) fn tls_over(mut stream: TcpStream, cert: &str) -> Option<Tls> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cert.as_bytes()).ok()?).ok()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    stream.set_read_timeout(Some(seconds(20))).ok()?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).ok()?;
    }
    Some(StreamOwned::new(connection, stream))
}

/// A port on which plain bytes go through a TLS connection, for one client.
pub(crate) fn through_tls(mut far: Tls) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let own = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let (mut plain, _) = listener.accept().expect("the client");
        let moment = Some(Duration::from_millis(2));
        plain.set_read_timeout(moment).expect("a deadline");
        far.sock.set_read_timeout(moment).expect("a deadline");
        let mut bytes = [0; 16 << 10];
        // Whoever ends, ends both.
        while pass(&mut plain, &mut far, &mut bytes) && pass(&mut far, &mut plain, &mut bytes) {}
    });
    own
}

fn pass(from: &mut impl Read, to: &mut impl Write, bytes: &mut [u8]) -> bool {
    match from.read(bytes) {
        Ok(0) => false,
        Ok(count) => to.write_all(&bytes[..count]).and_then(|()| to.flush()).is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
