//! What is said when a book or a history cannot be read.

use super::*;
use crate::website::forwarded::Peer;
use crate::website::routes::{Site, router};
use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use tower_service::Service;

#[test]
fn browsers_are_told_by_a_page_and_programs_by_json() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("history")).unwrap();
    std::fs::write(dir.path().join("history/litecoin.sqlite"), "no database").unwrap();
    let website = Some(settings([15, 86_400, 300]));
    let config = Config { data_dir: dir.path().to_owned(), website, ..config() };
    let site = Arc::new(Site::new(Arc::new(config), "").unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for (path, kind) in [
        ("/miner/abc", "text/html; charset=utf-8"),
        ("/api/v1/pools/litecoin/miners/abc", "application/json"),
    ] {
        let peer = Peer { address: [192, 0, 2, 1].into(), tls: false };
        let request = Request::get(path).extension(peer).body(Body::empty()).unwrap();
        let answer = runtime.block_on(router(site.clone()).call(request)).unwrap();
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(answer.headers()[CONTENT_TYPE], kind, "{path}");
    }
}
