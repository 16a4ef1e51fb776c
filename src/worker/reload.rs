//! A new configuration in place: ports come and go, rules change, miners stay.

use super::accept::Gate;
use super::coin::Coin;
use super::members::Members;
use super::{Now, Worker};
use crate::config::{Config, Pool, PortTls};
use crate::ipc::Listener;
use crate::net::stream::Offer;
use crate::net::tls::Acceptor;
use crate::stratum::Session;
use crate::sys;
use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

impl Worker {
    /// Opens the gates of sockets whose ports the configuration has.
    pub(super) fn open_gates(&mut self, listeners: Vec<Listener>) -> io::Result<()> {
        for Listener { port, socket } in listeners {
            let found = self.coins.iter().find_map(|(id, coin)| {
                let settings = coin.pool.ports.get(&port)?;
                let offer = offer(self.acceptor.as_ref(), settings.tls);
                Some((id.clone(), (coin.rules(settings), offer)))
            });
            let Some((coin, terms)) = found else { continue };
            let gate = Gate::open(self.poll.registry(), socket, port, coin, terms)?;
            self.gates.insert(port, gate);
        }
        Ok(())
    }

    /// Takes a new configuration over. One that cannot be read changes nothing.
    pub(super) fn configure(
        &mut self,
        generation: u32,
        new_ports: &[u16],
        fds: Vec<OwnedFd>,
        now: Now,
    ) {
        let mut fds = fds.into_iter();
        let config = fds
            .next()
            .ok_or_else(|| "it did not come along".to_owned())
            .and_then(|fd| sys::memfd::contents(fd.as_fd()).map_err(|error| error.to_string()))
            .and_then(|json| {
                serde_json::from_slice::<Config>(&json).map_err(|error| error.to_string())
            });
        let config = match config {
            Ok(config) => Arc::new(config),
            Err(error) => {
                log::error!("the new configuration cannot be taken over: {error}");
                return;
            }
        };
        let listeners = new_ports
            .iter()
            .zip(fds)
            .map(|(port, fd)| Listener { port: *port, socket: TcpListener::from(fd) })
            .collect();
        self.generation = generation;
        sys::log::start(&config.logging, &format!("WRK-{:02}", self.slot));
        self.take_over(config, now);
        if let Err(error) = self.open_gates(listeners) {
            log::error!("a new port cannot be listened on: {error}");
        }
        log::debug!("configuration {generation} is in use");
    }

    /// Changes everything but the sockets that newcomers come from.
    pub(super) fn take_over(&mut self, config: Arc<Config>, now: Now) {
        self.change_coins(&config, now);
        if self.config.tls != config.tls {
            match acceptor(&config) {
                Ok(acceptor) => self.acceptor = acceptor,
                Err(error) => log::error!("the new certificate cannot be used: {error}"),
            }
        }
        self.config = config;
        self.change_gates(now);
    }

    /// New coins come, changed ones change, removed ones go with their miners.
    fn change_coins(&mut self, config: &Config, now: Now) {
        let gone: Vec<String> = self
            .coins
            .iter()
            .filter(|(id, coin)| {
                config.pools.get(*id).is_none_or(|pool| is_other_coin(&coin.pool, pool))
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.send_away(&id, "this pool has been closed", "the pool was removed");
            // What it still has to record or to submit is done before it is forgotten.
            self.coins.values_mut().for_each(Coin::hurry);
            self.commit(now);
            self.submit_blocks(now);
            self.flush(now);
            if let Some(coin) = self.coins.get_mut(&id) {
                // Without ports it serves nobody; it goes when its found blocks are answered.
                coin.pool.ports.clear();
            }
            self.forget_closed_coins();
        }
        for (id, pool) in &config.pools {
            if let Some(coin) = self.coins.get_mut(id) {
                if coin.pool.mpos != pool.mpos {
                    coin.members = Members::default();
                }
                coin.pool = pool.clone();
                coin.limits = config.limits.session;
                coin.most_rigs = config.limits.rigs;
                continue;
            }
            match Coin::new(pool.clone(), config, self.slot, now.mono) {
                Ok(coin) => drop(self.coins.insert(id.clone(), coin)),
                Err(error) => log::error!("{id}: the new pool cannot be served: {error}"),
            }
        }
    }

    /// Forgets removed pools whose found blocks all have their answer, written down.
    pub(super) fn forget_closed_coins(&mut self) {
        self.coins.retain(|_, coin| !coin.pool.ports.is_empty() || coin.is_busy());
    }

    /// Ports that stay get their new rules, removed ones close with their miners.
    fn change_gates(&mut self, now: Now) {
        let mut wanted: BTreeMap<u16, _> = BTreeMap::new();
        for (id, coin) in &self.coins {
            for (port, settings) in &coin.pool.ports {
                wanted.insert(*port, (id.clone(), coin.rules(settings), settings.tls));
            }
        }
        let mut goodbye = Vec::new();
        Session::message("this port of the pool has been closed or changed", &mut goodbye);
        let ports: Vec<u16> = self.gates.keys().copied().collect();
        for port in ports {
            let keys: Vec<usize> = self
                .miners
                .iter()
                .filter(|(_, miner)| miner.port == port)
                .map(|(key, _)| key)
                .collect();
            let Some(gate) = self.gates.get_mut(&port) else { continue };
            let kept = wanted.remove(&port);
            let stays = kept.as_ref().is_some_and(|(coin, rules, _)| {
                *coin == gate.coin && rules.extranonce2_size == gate.rules.extranonce2_size
            });
            let changed = kept.as_ref().is_some_and(|(_, rules, _)| *rules != gate.rules);
            let closed = kept.is_none();
            if closed {
                gate.shut(self.poll.registry());
            }
            if let Some((coin, rules, tls)) = kept {
                gate.coin = coin;
                gate.rules = rules;
                // For newcomers; who is here goes on as he began.
                gate.offer = offer(self.acceptor.as_ref(), tls);
            }
            if !stays {
                // The coin, or the work that fits the session, is another one.
                for key in keys {
                    if let Some(miner) = self.miners.get_mut(key) {
                        miner.outbox.push(&goodbye, now.mono);
                        miner.close("its port was closed or changed");
                        self.touched.push(key);
                    }
                }
                self.flush(now);
            } else if changed {
                for key in keys {
                    self.change_rules(key, now);
                }
            }
            if closed {
                self.gates.remove(&port);
            }
        }
    }

    fn change_rules(&mut self, key: usize, now: Now) {
        self.with_miner(key, now, |miner, room| {
            let mut out = Vec::new();
            let actions = miner.session.change_rules(room.rules, now.mono);
            let _no_submits = room.perform(miner, actions, &mut out);
            miner.outbox.push(&out, now.mono);
        });
        self.touched.push(key);
    }
}

/// What miners' TLS is accepted with, if there is a certificate.
pub(super) fn acceptor(config: &Config) -> Result<Option<Acceptor>, String> {
    config.tls.as_ref().map(|tls| Acceptor::new(tls.certified()?)).transpose()
}

/// What a port speaks. A checked configuration has a certificate where one is needed.
fn offer(acceptor: Option<&Acceptor>, tls: PortTls) -> Offer {
    match (acceptor, tls) {
        (None, _) | (_, PortTls::Off) => Offer::Plain,
        (Some(acceptor), PortTls::Both) => Offer::Both(acceptor.clone()),
        (Some(acceptor), PortTls::Only) => Offer::Tls(acceptor.clone()),
    }
}

/// Whether a pool under the same name mines something else: nothing of the old one fits.
fn is_other_coin(old: &Pool, new: &Pool) -> bool {
    old.coin.algorithm != new.coin.algorithm
}
