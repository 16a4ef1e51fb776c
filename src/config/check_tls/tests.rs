//! Certificates that are good, old, foreign or none.
#![allow(clippy::unwrap_used)]

use super::super::load;
use super::super::tests::over_base;
use super::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// A certificate until a year, and its key.
fn certificate(year: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["pool.example".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// What is said of a site with these files.
fn said(cert: &str, key: &str) -> (bool, String) {
    let config = r#"{"website": {"enabled": true, "port": 8443,
  "tls": {"cert": "cert.pem", "key": "key.pem", "redirectPort": 8080}}}"#;
    let dir = over_base(&[("config.json", config), ("cert.pem", cert), ("key.pem", key)]);
    let loaded = load(dir.path());
    let tls = loaded.config.as_ref().and_then(|config| config.website.clone()?.tls);
    assert!(tls.is_none_or(|tls| tls.certificate.certified().is_ok()));
    (loaded.config.is_some(), loaded.errors.join("\n") + &loaded.warnings.join("\n"))
}

#[test]
fn a_pair_is_taken_and_anything_else_is_told_with_its_place() {
    let ((cert, key), (other, foreign)) = (certificate(2090), certificate(2090));
    let (fine, words) = said(&cert, &key);
    assert!(fine && !words.contains("expire") && !words.contains("PRIVATE"), "{words}");
    assert!(said(&format!("{cert}{other}"), &key).0, "a chain");
    for (cert, key, wanted) in [
        (cert.as_str(), foreign.as_str(), "the key is not that of the certificate"),
        (&cert, &cert, "there is no private key in it"),
        (&key, &key, "there is no certificate in it"),
        ("", &key, "there is no certificate in it"),
        (&cert.replace("MII", "###"), &key, "cert.pem: "),
        (&cert, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "the key is encrypted"),
    ] {
        let (fine, words) = said(cert, key);
        assert!(!fine && words.contains(wanted), "{wanted}: {words}");
        assert!(words.contains("config.json:2:"), "{words}");
        let secret = foreign.lines().nth(1).unwrap();
        assert!(!words.contains(secret), "{words}");
    }
}

#[test]
fn a_certificate_near_its_end_is_warned_of() {
    let (cert, key) = certificate(2021);
    let (fine, words) = said(&cert, &key);
    assert!(fine && words.contains("has expired"), "{words}");
    let day = 86_400;
    assert_eq!(judged((0, 100 * day), 0), None);
    assert_eq!(judged((0, 100 * day), 86 * day), None);
    let words = judged((0, 100 * day), 87 * day + 1);
    assert_eq!(words.as_deref(), Some("the certificate expires in 12 days"));
    assert!(judged((5, 100 * day), 4).is_some());
}
