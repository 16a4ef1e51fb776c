//! Gates: which coin and which rules stand behind each port, and whether newcomers are let in.

use super::accept::Gate;
use super::{Now, Worker};
use crate::config::{Config, PortTls};
use crate::ipc::Listener;
use crate::net::stream::Offer;
use crate::net::tls::Acceptor;
use std::io;
use std::sync::atomic::Ordering;

impl Worker {
    /// Makes the gates of sockets whose ports the configuration has, and opens them if told so.
    pub(super) fn make_gates(&mut self, listeners: Vec<Listener>, opens: bool) -> io::Result<()> {
        for Listener { port, socket } in listeners {
            let found = self.coins.iter().find_map(|(id, coin)| {
                let settings = coin.pool.ports.get(&port)?;
                let offer = offer(self.acceptor.as_ref(), settings.tls);
                Some((id.clone(), (coin.rules(settings), offer)))
            });
            let Some((coin, terms)) = found else { continue };
            self.gates.insert(port, Gate::new(socket, coin, terms)?);
        }
        if opens { self.open_gates() } else { Ok(()) }
    }

    fn open_gates(&mut self) -> io::Result<()> {
        for (port, gate) in &mut self.gates {
            gate.open(self.poll.registry(), *port)?;
        }
        if let Some(row) = self.board.row(self.slot) {
            row.is_open.store(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The master's word that newcomers are let in.
    pub(super) fn let_in(&mut self, now: Now) {
        if self.stop.is_some() || self.leaving.is_some() {
            return;
        }
        if let Err(error) = self.open_gates() {
            log::error!("newcomers cannot be let in: {error}; this worker ends");
            self.begin_stop(now);
        }
    }

    /// Lets nobody in any more. Miners keep what they have.
    pub(super) fn shut_gates(&mut self) {
        for gate in self.gates.values_mut() {
            gate.shut(self.poll.registry());
        }
        if let Some(row) = self.board.row(self.slot) {
            row.is_open.store(0, Ordering::Relaxed);
        }
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
