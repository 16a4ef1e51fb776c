//! Connections of browsers: how many, how long they may take, how much they may send.

use super::forwarded::Peer;
use super::guard::network;
use super::pace::Paced;
use super::routes::{Site, router};
use super::tls;
use axum::Router;
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
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

/// How long answers that have begun may take when the process is to end.
pub(super) const LAST: Duration = Duration::from_secs(2);

/// What is spoken at a socket.
#[derive(Clone)]
enum Way {
    /// Plain HTTP.
    Plain(Router),
    /// HTTP in TLS.
    Tls(Router, TlsAcceptor),
}

/// Serves until the site is to end. The plain port that sends browsers to the TLS one comes second.
pub(super) fn run(site: &Arc<Site>, sockets: Vec<(u16, TcpListener)>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(8)
        .thread_name("site-ask")
        .build();
    let served = runtime.and_then(|runtime| {
        let served = runtime.block_on(serve(site, sockets));
        // A question to a disk that stands still is nobody's any more.
        runtime.shutdown_background();
        served
    });
    if let Err(error) = served {
        log::error!("the web site cannot serve: {error}");
    }
}

/// Connections, or listeners, by network.
pub(super) type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// One that is counted as long as this lives.
pub(super) struct Counted(Counts, IpAddr);

impl Counted {
    /// `None`: the address has so many already.
    pub(super) fn new(counts: &Counts, address: IpAddr, most: usize) -> Option<Self> {
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

async fn serve(site: &Arc<Site>, sockets: Vec<(u16, TcpListener)>) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(MOST));
    let counts = Counts::default();
    for (port, socket) in sockets {
        socket.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(socket)?;
        let main = site.settings.address.port();
        let way = match &site.settings.tls {
            Some(tls) if port == main => {
                Way::Tls(router(site.clone()), tls::acceptor(tls).map_err(io::Error::other)?)
            }
            Some(_) => Way::Plain(tls::redirect(main)),
            None => Way::Plain(router(site.clone())),
        };
        tokio::spawn(welcome(site.clone(), listener, way, room.clone(), counts.clone()));
    }
    let mut ending = site.ending.subscribe();
    let _ = ending.wait_for(|ending| *ending).await;
    let most = u32::try_from(MOST).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(LAST, room.acquire_many(most)).await;
    Ok(())
}

/// Lets connections in until the site is to end.
async fn welcome(
    site: Arc<Site>,
    listener: tokio::net::TcpListener,
    way: Way,
    room: Arc<Semaphore>,
    counts: Counts,
) {
    let mut ending = site.ending.subscribe();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|ending| *ending) => return,
        };
        let (stream, peer) = match accepted {
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
        let (way, ending) = (way.clone(), ending.clone());
        tokio::spawn(async move {
            let _held = (permit, counted);
            // Browsers leave in the middle of an answer every day, and whoever likes may fill a log.
            let _ = answer(stream, address, way, ending).await;
        });
    }
}

/// Why a connection ended.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

async fn answer(
    stream: TcpStream,
    address: IpAddr,
    way: Way,
    ending: watch::Receiver<bool>,
) -> Result<(), Trouble> {
    let socket = socket2::SockRef::from(&stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(UNREAD))?;
    match way {
        Way::Plain(router) => {
            let peer = Peer { address, tls: false };
            converse(Paced::new(stream), peer, router, ending).await
        }
        Way::Tls(router, acceptor) => match tls::shake_hands(stream, &acceptor).await? {
            Some(stream) => converse(stream, Peer { address, tls: true }, router, ending).await,
            None => Ok(()),
        },
    }
}

/// Answers requests until the other side leaves, or the site ends.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    mut ending: watch::Receiver<bool>,
) -> Result<(), Trouble> {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().call(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        _ = ending.wait_for(|ending| *ending) => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}
