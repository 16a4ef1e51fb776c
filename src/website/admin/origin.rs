//! Whether a form was sent from this site's own page. Pure.

use axum::http::HeaderMap;

/// Whether a browser says that the request comes from a page of this site, whose name for the
/// visitor is `host`. Browsers send `Origin` with every POST; one that says nothing is no browser,
/// and scripts have a way of their own.
pub(super) fn is_own(headers: &HeaderMap, host: Option<&str>, secure: bool) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let fetch = text("sec-fetch-site");
    if fetch.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match (text("origin"), host) {
        (Some(origin), Some(host)) => {
            let origin = origin.to_ascii_lowercase();
            let Some((scheme, named)) = origin.split_once("://") else { return false };
            // A proxy may speak TLS without saying so.
            let fits = scheme == "https" || (scheme == "http" && !secure);
            let bare = |name: &str| {
                let port = if scheme == "https" { ":443" } else { ":80" };
                name.strip_suffix(port).unwrap_or(name).to_owned()
            };
            fits && bare(named) == bare(host)
        }
        (Some(_), None) => false,
        (None, _) => fetch.is_some(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_this_sites_pages_send_forms() {
        let own = |origin: Option<&str>, fetch: Option<&str>, secure: bool| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("origin", origin), ("sec-fetch-site", fetch)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            is_own(&headers, Some("pool.example:8443"), secure)
        };
        assert!(own(Some("https://pool.example:8443"), Some("same-origin"), true));
        assert!(own(Some("http://Pool.example:8443"), None, false));
        assert!(own(Some("https://pool.example:8443"), None, false), "behind a proxy");
        assert!(own(None, Some("same-origin"), true));
        for (origin, fetch) in [
            (None, None),
            (Some("null"), None),
            (Some("null"), Some("same-origin")),
            (Some("https://evil.example"), None),
            (Some("https://evil.example"), Some("cross-site")),
            (Some("https://pool.example:8443"), Some("same-site")),
            (Some("https://pool.example"), None),
            (Some("https://pool.example:8443.evil.example"), None),
            (Some("http://pool.example:8443"), None),
            (None, Some("none")),
        ] {
            assert!(!own(origin, fetch, true), "{origin:?} {fetch:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("origin", "https://pool.example".parse().unwrap());
        assert!(is_own(&headers, Some("pool.example:443"), true));
        assert!(!is_own(&headers, None, true));
    }
}
