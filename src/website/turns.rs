//! Whose turn it is at the ledgers and books: a few questions at once, and of one visitor one, so that
//! nobody's slow questions keep others waiting.

use super::guard::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns that are given.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    /// The one turn of each network that has it, or waits for it.
    own: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

/// A turn. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _one: OwnedSemaphorePermit,
    _own: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// So many at once.
    pub(super) fn new(most: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(most)), own: Mutex::default() }
    }

    /// Waits for a turn. `whose`: the visitor; `None`: one that is many.
    pub(super) async fn take(&self, whose: Option<IpAddr>) -> Option<Turn> {
        // Whoever waits for his own does not wait among the others.
        let own = match whose {
            Some(address) => Some(self.of(network(address)).acquire_owned().await.ok()?),
            None => None,
        };
        let one = self.all.clone().acquire_owned().await.ok()?;
        Some(Turn { _one: one, _own: own })
    }

    fn of(&self, network: IpAddr) -> Arc<Semaphore> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = own.get(&network).and_then(Weak::upgrade) {
            return known;
        }
        own.retain(|_, known| known.strong_count() > 0);
        let new = Arc::new(Semaphore::new(1));
        own.insert(network, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// A turn, if there is one now.
    fn now(turns: &Turns, whose: Option<&str>) -> Option<Turn> {
        let whose = whose.map(|address| address.parse().unwrap());
        match pin!(turns.take(whose)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => turn,
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_visitor_has_one_turn_and_leaves_the_other_to_others() {
        let turns = Turns::new(2);
        let greedy = now(&turns, Some("2001:db8::1"));
        assert!(greedy.is_some());
        for address in ["2001:db8::1", "2001:db8::2"] {
            assert!(now(&turns, Some(address)).is_none(), "{address} is of the same /64");
        }
        let other = now(&turns, Some("2001:db8:0:1::1"));
        assert!(other.is_some());
        assert!(now(&turns, Some("192.0.2.1")).is_none(), "there are two");
        drop(greedy);
        assert!(now(&turns, Some("2001:db8::2")).is_some());
        drop(other);
        let proxy = [now(&turns, None), now(&turns, None)];
        assert!(proxy.iter().all(Option::is_some) && now(&turns, None).is_none());
    }

    #[test]
    fn who_waits_for_his_own_turn_does_not_wait_among_the_others() {
        let turns = Turns::new(2);
        let mut context = Context::from_waker(Waker::noop());
        let one = "192.0.2.1".parse().ok();
        let held = now(&turns, Some("192.0.2.1"));
        let mut waiting: Vec<_> = (0..9).map(|_| Box::pin(turns.take(one))).collect();
        for turn in &mut waiting {
            assert!(turn.as_mut().poll(&mut context).is_pending());
        }
        assert!(now(&turns, Some("192.0.2.2")).is_some());
        drop(held);
        assert!(waiting.first_mut().unwrap().as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let turns = Turns::new(2);
        for number in 0..1000_u32 {
            let whose = IpAddr::from(number.to_be_bytes()).to_string();
            assert!(now(&turns, Some(&whose)).is_some());
        }
        assert_eq!(turns.own.lock().unwrap().len(), 1);
    }
}
