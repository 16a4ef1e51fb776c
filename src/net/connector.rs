//! TLS from the client's side, over a socket that blocks, read by one thread and written by
//! another.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those that browsers believe.
    Web,
    /// Those in a PEM file, and what they have signed.
    File(PathBuf),
    /// Any: nobody listens in, but who the other side is, is not known.
    Any,
}

/// What connections are made with.
#[derive(Debug, Clone)]
pub struct Connector(Arc<ClientConfig>);

impl Connector {
    /// Reads what is trusted.
    ///
    /// # Errors
    /// In words, with the file.
    pub fn new(trust: &Trust) -> Result<Self, String> {
        let provider = Arc::new(default_provider());
        let verifier = Arc::new(Verifier::new(trust, &provider)?);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Shakes hands over a socket with deadlines.
    ///
    /// # Errors
    /// When the other side speaks no TLS, or is not believed.
    pub fn connect(&self, host: &str, socket: TcpStream) -> io::Result<Secure> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut session =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        let mut stream = &socket;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        let session = Arc::new(Mutex::new(session));
        Ok(Secure { socket: Arc::new(socket), session })
    }
}

/// A TLS connection. Clones are the same; one may read while another writes.
#[derive(Debug, Clone)]
pub struct Secure {
    socket: Arc<TcpStream>,
    session: Arc<Mutex<ClientConnection>>,
}

impl Secure {
    /// The socket itself.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn session(&self) -> MutexGuard<'_, ClientConnection> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, session: &mut ClientConnection) -> io::Result<()> {
        while session.wants_write() {
            session.write_tls(&mut &*self.socket)?;
        }
        Ok(())
    }
}

impl Read for Secure {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut records = [0; 4096];
        loop {
            match self.session().reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Many end without a word of TLS. A line that was cut off has no end.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            // Without the lock: who writes does not wait for what is yet to come.
            let count = (&*self.socket).read(&mut records)?;
            let mut came = records.get(..count).unwrap_or_default();
            let mut session = self.session();
            loop {
                session.read_tls(&mut came)?;
                session.process_new_packets().map_err(io::Error::other)?;
                if came.is_empty() {
                    break;
                }
            }
            self.send(&mut session)?;
        }
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut session = self.session();
        let count = session.writer().write(bytes)?;
        self.send(&mut session)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send(&mut self.session())
    }
}

/// Believes the certificates of a file themselves, whatever name or use they are made for (those
/// that somebody signed himself often have neither), and else what the roots have signed.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    own: Vec<CertificateDer<'static>>,
    /// `None`: any is believed.
    roots: Option<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    fn new(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let mut own = Vec::new();
        match trust {
            Trust::Any => {}
            Trust::Web => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Trust::File(path) => {
                own = certificates(path)?;
                for certificate in &own {
                    roots
                        .add(certificate.clone())
                        .map_err(|error| format!("{}: {error}", path.display()))?;
                }
            }
        }
        let provider = Arc::clone(provider);
        let build = |roots| {
            let roots = Arc::new(roots);
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()
        };
        let roots = match trust {
            Trust::Any => None,
            _ => Some(build(roots).map_err(|error| error.to_string())?),
        };
        Ok(Self { provider, own, roots })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("{}: no certificate in it (PEM is read)", path.display()))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.roots {
            Some(roots) if !self.own.contains(end_entity) => {
                roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use std::time::Duration;

    #[test]
    fn who_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = authority.self_signed(&key).unwrap();
        std::fs::write(&file, root.pem()).unwrap();
        let issuer = Issuer::new(authority, key);
        let params = CertificateParams::new(vec!["pool.example".to_owned()]).unwrap();
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        let stranger = rcgen::generate_simple_self_signed(vec!["pool.example".to_owned()]).unwrap();

        let believes = |trust: &Trust, certificate: &CertificateDer<'_>, name: &str| {
            let verifier = Verifier::new(trust, &Arc::new(default_provider())).unwrap();
            let name = ServerName::try_from(name).unwrap();
            let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
            verifier.verify_server_cert(certificate, &[], &name, &[], now).is_ok()
        };
        let own = Trust::File(file.clone());
        assert!(believes(&own, leaf.der(), "pool.example"));
        assert!(!believes(&own, leaf.der(), "other.example"), "another name");
        assert!(believes(&own, root.der(), "10.0.0.1"), "in the file itself");
        assert!(!believes(&own, stranger.cert.der(), "pool.example"));
        assert!(!believes(&Trust::Web, leaf.der(), "pool.example"));
        assert!(believes(&Trust::Any, stranger.cert.der(), "other.example"));

        std::fs::write(&file, "no certificate").unwrap();
        assert!(Connector::new(&own).unwrap_err().contains("ca.pem: no certificate"));
        std::fs::remove_file(&file).unwrap();
        assert!(Connector::new(&own).is_err());
    }
}
