//! Certificates: `tls` of `config.json` for miners, `website.tls` for the web site.
//!
//! The files are read with the configuration: at the start, and anew at each reload.

use super::Secret;
use super::check_portal::Ports;
use super::diagnostics::Severity;
use super::raw::{RawCertificate, RawTls};
use super::values::{Judge, Keys};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes that a PEM file may have.
const MOST_BYTES: u64 = 1 << 20;
/// Seconds before its end from which on a certificate is warned of.
const SOON: i64 = 14 * 86_400;

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// What is in the file `cert`: the certificate and those that it is signed by, PEM.
    pub cert: String,
    /// What is in the file `key`: its private key, PEM.
    pub key: Secret,
}

/// TLS of the web site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Its certificate.
    #[serde(flatten)]
    pub certificate: Certificate,
    /// `redirectPort`: a plain port that sends browsers to the TLS one.
    pub redirect: Option<u16>,
}

impl Certificate {
    /// Certificate and key, ready to be used.
    ///
    /// # Errors
    /// In words. None where the configuration was checked.
    pub fn certified(&self) -> Result<CertifiedKey, String> {
        pair(chain(&self.cert)?, self.key.expose())
    }
}

/// The certificates of a PEM text.
fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match all {
        Ok(chain) if chain.is_empty() => Err("there is no certificate in it (PEM)".to_owned()),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("no PEM file: {error}")),
    }
}

/// A certificate and the key that belongs to it.
fn pair(chain: Vec<CertificateDer<'static>>, key: &str) -> Result<CertifiedKey, String> {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
        match key.contains("ENCRYPTED") {
            true => "the key is encrypted; `openssl pkey -in FILE` decrypts it".to_owned(),
            false => "there is no private key in it (PEM)".to_owned(),
        }
    })?;
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the key is not that of the certificate".to_owned(),
        other => format!("certificate and key cannot be used: {other}"),
    })
}

/// What is to be said of a certificate's time, from and until unix seconds.
fn judged((from, until): (i64, i64), now: i64) -> Option<String> {
    let day = 86_400;
    match until.saturating_sub(now) {
        _ if from > now => Some("the certificate is not valid yet".to_owned()),
        left if left < 0 => {
            Some("the certificate has expired: who looks at it refuses it".to_owned())
        }
        left if left < SOON => Some(format!("the certificate expires in {} days", left / day)),
        _ => None,
    }
}

/// From when until when a certificate is valid.
fn time_of(certificate: &CertificateDer<'_>) -> Result<(i64, i64), String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let validity = parsed.validity();
    Ok((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// TLS of the web site. `None`: an error is told.
pub(super) fn tls(
    raw: &RawTls,
    keys: &Keys<'_>,
    ports: &mut Ports,
    judge: &mut Judge<'_>,
) -> Option<Tls> {
    const TLS: [&str; 2] = ["website", "tls"];
    let [site, part] = TLS;
    let redirect = raw.redirect_port.map(|port| {
        let path = [site, part, "redirectPort"];
        let port = judge.port(keys, &path, port);
        ports.take(port, "config.json (`website.tls.redirectPort`)".to_owned(), keys, &path, judge);
        port
    });
    let certificate = certificate(raw.cert.as_deref(), raw.key.as_deref(), &TLS, keys, judge)?;
    Some(Tls { certificate, redirect })
}

/// The certificate for miners. `None`: an error is told.
pub(super) fn for_miners(
    raw: &RawCertificate,
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<Certificate> {
    certificate(raw.cert.as_deref(), raw.key.as_deref(), &["tls"], keys, judge)
}

/// The certificate at a path of `config.json`. `None`: an error is told.
fn certificate(
    cert: Option<&str>,
    key: Option<&str>,
    path: &[&str],
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<Certificate> {
    let (Some(cert), Some(key)) = (cert, key) else {
        let title = format!("`{}` is not complete", path.join("."));
        let hint = "needs `\"cert\"` and `\"key\"`: PEM files, relative to this folder";
        judge.report.error(&keys.at(path), &title, hint);
        return None;
    };
    let cert_path = [path, &["cert"]].concat();
    let key_path = [path, &["key"]].concat();
    let wrong = |judge: &mut Judge<'_>, path: &[&str], file: &str, why: &str| {
        let title = format!("`{}` cannot be used", path.join("."));
        let file = judge.dir.join(file);
        judge.report.error(&keys.at(path), &title, &format!("{}: {why}", file.display()));
    };
    let read_cert = read(&judge.dir.join(cert)).and_then(|(text, _)| Ok((chain(&text)?, text)));
    let read_key = read(&judge.dir.join(key));
    if let Err(why) = &read_cert {
        wrong(judge, &cert_path, cert, why);
    }
    if let Err(why) = &read_key {
        wrong(judge, &key_path, key, why);
    }
    let ((chain, cert_text), (key_text, open)) = (read_cert.ok()?, read_key.ok()?);
    if open {
        let why = "everybody on this machine may read it; `chmod o-r` it";
        judge.report.file(Severity::Warning, key, why);
    }
    let time = chain.first().map(time_of);
    if let Err(why) = pair(chain, &key_text) {
        wrong(judge, &key_path, key, &why);
        return None;
    }
    match time {
        Some(Ok(time)) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let hint = "renew it, then send SIGHUP to romp";
            if let Some(title) = judged(time, i64::try_from(now).unwrap_or(i64::MAX)) {
                judge.report.warning(&keys.at(&cert_path), &title, hint);
            }
        }
        Some(Err(why)) => wrong(judge, &cert_path, cert, &why),
        None => {}
    }
    Some(Certificate { cert: cert_text, key: Secret::new(key_text) })
}

/// A file's text, and whether everybody may read it.
fn read(path: &Path) -> Result<(String, bool), String> {
    let said = |error: std::io::Error| error.to_string();
    let metadata = std::fs::metadata(path).map_err(said)?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err("not a PEM file".to_owned());
    }
    let text = std::fs::read_to_string(path).map_err(said)?;
    Ok((text, metadata.permissions().mode() & 0o004 != 0))
}

#[cfg(test)]
mod tests;
