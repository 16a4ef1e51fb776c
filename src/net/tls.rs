//! What servers of TLS have in common: how a certificate is offered.

use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::sync::Arc;

/// First byte of every TLS connection: a record of a handshake.
pub const RECORD: u8 = 0x16;

/// TLS 1.2 and 1.3 with a certificate, for clients that need none.
///
/// # Errors
/// In words. None where the certificate was checked.
pub fn server(certified: CertifiedKey) -> Result<ServerConfig, String> {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let resolver = Arc::new(SingleCertAndKey::from(certified));
    Ok(config.with_no_client_auth().with_cert_resolver(resolver))
}

/// What miners' connections are accepted with. Clones are the same.
#[derive(Debug, Clone)]
pub struct Acceptor(pub(super) Arc<ServerConfig>);

impl Acceptor {
    /// With a certificate. Sessions are resumed by tickets that only this acceptor can read, so
    /// thousands of miners that come back cost no signature each, and nothing is kept of them.
    ///
    /// # Errors
    /// In words. None where the certificate was checked.
    pub fn new(certified: CertifiedKey) -> Result<Self, String> {
        let mut config = server(certified)?;
        config.ticketer = Ticketer::new().map_err(|error| error.to_string())?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 1;
        Ok(Self(Arc::new(config)))
    }
}
