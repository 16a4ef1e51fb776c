//! Each coin as its ledger, its history and its book have it.

use super::super::coin::CoinView;
use super::super::snapshot::Snapshot;
use super::family::Family;
use super::{seconds, yes};
use crate::ledger::book::{PayoutState, State};

/// A number of a coin at a moment, unix ms; `None`: it is not known.
type Look = fn(&CoinView, u64) -> Option<f64>;

/// Smallest units as coins.
#[expect(clippy::cast_precision_loss, reason = "for display")]
fn in_coins(amount: u128) -> f64 {
    amount as f64 / 1e8
}

/// What was read of ledgers, histories and books.
#[expect(clippy::cast_precision_loss, reason = "for display")]
pub(super) fn write(out: &mut String, snapshot: &Snapshot, now: u64) {
    let each: [(&str, &str, &str, Look); 17] = [
        ("romp_ledger_up", "gauge", "Whether the ledger can be read.", |coin, _| {
            Some(yes(coin.ledger.at > 0 && coin.ledger.trouble.is_none()))
        }),
        ("romp_ledger_age_seconds", "gauge", "Age of what the ledger said.", |coin, now| {
            (coin.ledger.at > 0).then(|| seconds(now.saturating_sub(coin.ledger.at)))
        }),
        ("romp_ledger_lag_seconds", "gauge", "How far it is behind the journals.", |coin, _| {
            Some(seconds(coin.ledger.value.as_ref()?.lag.ms.unwrap_or(0)))
        }),
        ("romp_ledger_lag_bytes", "gauge", "Bytes of journals that it lacks.", |coin, _| {
            Some(coin.ledger.value.as_ref()?.lag.bytes as f64)
        }),
        ("romp_history_up", "gauge", "Whether the history can be read.", |coin, _| {
            Some(yes(coin.history.at > 0 && coin.history.trouble.is_none()))
        }),
        ("romp_book_up", "gauge", "Whether the book can be read.", |coin, _| {
            let is_there = coin.book.value.as_ref().is_none_or(|book| book.is_some());
            is_there.then(|| yes(coin.book.at > 0 && coin.book.trouble.is_none()))
        }),
        ("romp_pool_hashrate", "gauge", "Hashes a second.", |coin, _| Some(coin.rate())),
        ("romp_pool_workers", "gauge", "Workers that mined within hashrateWindow.", |coin, _| {
            Some(coin.window()?.workers.len() as f64)
        }),
        ("romp_pool_blocks_pending", "gauge", "Blocks that are not settled.", |coin, _| {
            Some(coin.blocks().pending as f64)
        }),
        ("romp_payments_waiting", "gauge", "Payouts that are not confirmed.", |coin, _| {
            Some(coin.booked()?.totals.open as f64)
        }),
        (
            "romp_payments_oldest_waiting_seconds",
            "gauge",
            "Age of the oldest payout that is not confirmed; 0: there is none.",
            |coin, now| {
                let since = coin.booked()?.totals.open_since;
                Some(since.map_or(0.0, |since| seconds(now.saturating_sub(since))))
            },
        ),
        (
            "romp_payments_last_payout_timestamp_seconds",
            "gauge",
            "When the last payout was made, unix time.",
            |coin, _| {
                let made = |it: &&(crate::ledger::book::Payout, u64, u128)| {
                    it.0.state != PayoutState::Void
                };
                Some(seconds(coin.booked()?.payouts.iter().find(made)?.0.time))
            },
        ),
        ("romp_payments_owed_coins", "gauge", "Owed to accounts that can be paid.", |coin, _| {
            Some(in_coins(coin.booked()?.totals.owed))
        }),
        ("romp_payments_in_flight_coins", "gauge", "In payouts on their way.", |coin, _| {
            Some(in_coins(coin.booked()?.totals.in_flight))
        }),
        ("romp_payments_held_coins", "gauge", "Set aside: cannot be paid.", |coin, _| {
            Some(in_coins(coin.booked()?.totals.held))
        }),
        ("romp_payments_held_accounts", "gauge", "Accounts with money set aside.", |coin, _| {
            Some(coin.booked()?.totals.holders as f64)
        }),
        (
            "romp_payments_paid_coins_total",
            "counter",
            "Coins paid in confirmed payouts.",
            |it, _| Some(in_coins(it.booked()?.totals.paid)),
        ),
    ];
    for (name, kind, help, look) in each {
        let all = snapshot.coins.iter();
        Family::new(out, name, kind, help)
            .put_each(all.map(|(id, coin)| ([("coin", id.as_str())], look(coin, now))));
    }
    let help = "Blocks in the book, by state.";
    let mut family = Family::new(out, "romp_pool_blocks", "gauge", help);
    for (id, coin) in &snapshot.coins {
        let Some(book) = coin.booked() else { continue };
        for state in State::ALL {
            let count = book.counts.get(state.name()).copied().unwrap_or_default();
            family.put(&[("coin", id), ("state", state.name())], count as f64);
        }
    }
}
