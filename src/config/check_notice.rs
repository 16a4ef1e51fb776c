//! Where daemons tell of new blocks: `p2p` of a pool, `zmq` of a daemon.

use super::check_coin;
use super::checked::{Coin, Daemon, Endpoint, P2p};
use super::raw::RawPool;
use super::values::{Judge, Keys};

/// `p2p`. `None` when it is off, or lacks what cannot be guessed, which is reported.
pub(super) fn p2p(
    raw: &RawPool,
    keys: &Keys<'_>,
    coin: Option<&Coin>,
    daemons: Option<&[Daemon]>,
    judge: &mut Judge<'_>,
) -> Option<P2p> {
    let raw = raw.p2p.as_ref()?;
    let path = |key| ["p2p", key];
    let magic = raw.magic.as_deref();
    let magic = magic.map(|text| check_coin::magic(text, keys, &path("magic"), judge));
    let host = raw.host.as_deref().map(|host| judge.host(keys, &path("host"), host));
    let port = raw.port.map(|port| judge.port(keys, &path("port"), port));
    if !raw.enabled.unwrap_or(false) {
        return None;
    }
    if port.is_none() && !keys.has(&path("port")) {
        let hint = "add `\"port\"`: the daemon's `port`, not its `rpcport`; 9333 for Litecoin";
        judge.report.error(&keys.at(&["p2p"]), "the peer has no port", hint);
    }
    let known = coin.is_none_or(|coin| !coin.magic.is_empty());
    if raw.magic.is_none() && !known {
        let title = "neither the coin file nor `p2p` has the network's message start";
        let hint = "blocks are not told by the peer; add `magic` here, or `networks` to the coin";
        judge.report.warning(&keys.at(&["p2p"]), title, hint);
    }
    let port = port?;
    let twin = |daemon: &&Daemon| {
        daemon.port == port && host.as_ref().is_none_or(|host| *host == daemon.host)
    };
    if daemons.into_iter().flatten().any(|daemon| twin(&daemon)) {
        let hint = "must be the daemon's `port`, where its peers connect";
        judge.report.warning(&keys.at(&path("port")), "this is the daemon's RPC port", hint);
    }
    let first = daemons.and_then(|daemons| daemons.first()).map(|daemon| daemon.host.clone());
    let host = host.or(first)?;
    Some(P2p {
        peer: Endpoint { host: bare(&host), port },
        magic: magic.flatten(),
        version: raw.protocol_version,
        transactions: raw.disable_transactions == Some(false),
    })
}

/// `tcp://host:port`, as daemons write it.
pub(super) fn endpoint(
    text: &str,
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) -> Option<Endpoint> {
    let parts = text.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':'));
    let port = parts.and_then(|(_, port)| port.parse::<u16>().ok()).filter(|&port| port > 0);
    let (Some((host, _)), Some(port)) = (parts, port) else {
        let title = format!("`{}` is no address of a publisher", path.join("."));
        let hint = "must be as in the daemon's `zmqpubhashblock`: \"tcp://127.0.0.1:28332\"";
        judge.report.error(&keys.at(path), &title, hint);
        return None;
    };
    let host = judge.host(keys, path, host);
    Some(Endpoint { host: bare(&host), port })
}

/// A host without the brackets that IPv6 addresses wear before a port.
fn bare(host: &str) -> String {
    host.trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
#[path = "check_notice/tests.rs"]
mod tests;
