//! Connections of browsers: how many, how long they may take, how much they may send.

use super::guard::network;
use super::routes::{Peer, Site, router};
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower_service::Service;

/// Connections at once.
const MOST: usize = 4096;
/// Of them from one address that is no trusted proxy.
const MOST_OF_ONE: usize = 128;
/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// Within which a head must have come; also between two requests.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// How long an answer may stay unread on its way.
const UNREAD: Duration = Duration::from_secs(30);

/// Serves for ever.
pub(super) fn run(site: &Arc<Site>, socket: TcpListener) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(8)
        .thread_name("site-ask")
        .build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve(site, socket)));
    if let Err(error) = served {
        log::error!("the web site cannot serve: {error}");
    }
}

/// Connections by address.
type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A connection that is counted as long as this lives.
struct Counted(Counts, IpAddr);

impl Counted {
    /// `None`: the address has too many.
    fn new(counts: &Counts, address: IpAddr, most: usize) -> Option<Self> {
        let mut map = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = map.entry(address).or_default();
        (*count < most).then(|| {
            *count += 1;
            Self(counts.clone(), address)
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = map.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                map.remove(&self.1);
            }
        }
    }
}

async fn serve(site: &Arc<Site>, socket: TcpListener) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let router = router(site.clone());
    let room = Arc::new(Semaphore::new(MOST));
    let counts = Counts::default();
    loop {
        let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                log::debug!("web site: accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        let most = if site.config.limits.is_proxy(&address) { MOST } else { MOST_OF_ONE };
        let Some(counted) = Counted::new(&counts, network(address), most) else { continue };
        let router = router.clone();
        tokio::spawn(async move {
            let _held = (permit, counted);
            // Browsers leave in the middle of an answer every day, and whoever likes may fill a log.
            let _ = answer(stream, address, router).await;
        });
    }
}

async fn answer(
    stream: TcpStream,
    address: IpAddr,
    router: axum::Router,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let socket = socket2::SockRef::from(&stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(UNREAD))?;
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(address));
        router.clone().call(request.map(Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}
