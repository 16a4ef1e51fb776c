//! What comes from helper threads.

use super::desk::News;
use super::jobs::Posted;
use super::orders::is_of_use;
use super::{Now, Worker};
use super::{candidate, fallback};
use crate::chain::{Hash, Work};
use crate::ipc::{ChannelError, Message};
use crate::journal::Answer;
use crate::sys::clock::ms;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Worker {
    /// Takes what helpers found out.
    pub(super) fn hear_helpers(&mut self, now: Now) {
        while let Some(news) = self.desk.next() {
            match news {
                News::Synced { ticket, failed } => self.synced(ticket, &failed, now),
                News::Answered { coin, hash, answers } => self.answered(&coin, &hash, answers, now),
                News::Template { coin, result } => self.take_template(&coin, result, now),
                News::Address { coin, address, valid } => {
                    self.addresses.end(&coin, &address, valid, now.mono);
                    self.hear_waiting(now);
                }
                News::Members { coin, answers } => {
                    if let Some(coin) = self.coins.get_mut(&coin) {
                        coin.members.answered(answers, now.mono);
                    }
                    self.hear_waiting(now);
                }
            }
        }
    }

    /// A daemon answered to a block.
    fn answered(&mut self, id: &str, hash: &Hash, answers: Vec<Answer>, now: Now) {
        let wait = ms(self.config.template_fallback);
        let Some(coin) = self.coins.get_mut(id) else { return };
        let told = candidate::answered(coin, hash, answers, now.unix);
        let Some((hash, height)) = told.accepted else { return };
        let known = coin.jobs.latest().map(|latest| latest.posted.work.previous);
        if known != Some(hash) {
            coin.fallback.expect(now.mono, wait);
        }
        if let Some(cell) = self.cell(id) {
            cell.blocks.fetch_add(1, Ordering::Relaxed);
        }
        let message = Message::BlockFound { coin: id.to_owned(), hash, height };
        self.tell_master(&message, now);
    }

    /// Sends the master a message. A stopped one takes none: miners are served without it, and
    /// what it would have told the others they find out a little later.
    pub(super) fn tell_master(&mut self, message: &Message, now: Now) {
        if self.orphaned {
            return;
        }
        let sent = self.channel.send(message, &[]);
        let deaf = matches!(sent, Err(ChannelError::Full(_)));
        if deaf != std::mem::replace(&mut self.master_is_deaf, deaf) {
            match deaf {
                true => {
                    log::error!("the master reads no messages (is it stopped?): going on alone")
                }
                false => log::warn!("the master reads messages again"),
            }
        }
        if let Err(error) = sent
            && !deaf
        {
            log::error!("the way to the master is broken: {error}; this worker ends");
            self.orphan(now);
        }
    }

    /// Asks daemons for work where the templates process has not brought it.
    pub(super) fn ask_daemons(&mut self, now: Now) {
        let alone = !self.templates_is_alive(now);
        for (id, coin) in &mut self.coins {
            let Some(latest) = coin.jobs.latest() else { continue };
            let age = now.mono.saturating_sub(coin.work_at);
            let too_old = alone && age > ms(coin.pool.job_refresh).saturating_mul(2);
            if !coin.fallback.begin(now.mono, too_old) {
                continue;
            }
            let (pool, latest) = (coin.pool.clone(), Arc::clone(&latest.posted));
            let asked = self.desk.run("template", move |reporter| {
                let result = fallback::work(&pool, &latest.work);
                reporter.tell(News::Template { coin: pool.coin.id, result });
            });
            if let Err(error) = asked
                && coin.fallback.answered(now.mono, false)
            {
                log::error!("{id}: no daemon can be asked for work: no thread: {error}");
            }
        }
    }

    fn templates_is_alive(&self, now: Now) -> bool {
        /// Milliseconds: its turns are at most 100 apart.
        const ALIVE_MS: u64 = 3000;
        self.board.rows().any(|(_, row)| {
            row.role.load(Ordering::Relaxed) == crate::ipc::Role::Templates.number()
                && now.mono.saturating_sub(row.tick.load(Ordering::Relaxed)) <= ALIVE_MS
        })
    }

    /// A daemon's own template.
    fn take_template(&mut self, id: &str, result: Result<(Box<Work>, OwnedFd), String>, now: Now) {
        let Some(coin) = self.coins.get_mut(id) else { return };
        let (work, body) = match result {
            Ok(got) => got,
            Err(error) => {
                let first = coin.fallback.answered(now.mono, false);
                let level = if first { log::Level::Warn } else { log::Level::Debug };
                log::log!(
                    level,
                    "{id}: no work came for a new block, and no daemon has any: {error}; asking \
                     again each second"
                );
                return;
            }
        };
        let _first_failure = coin.fallback.answered(now.mono, true);
        let age = now.mono.saturating_sub(coin.work_at);
        let overdue = age > ms(coin.pool.job_refresh);
        let Some(latest) = coin.jobs.latest() else { return };
        let new_tip = work.previous != latest.posted.work.previous;
        if !is_of_use(&work, &latest.posted.work) || !(new_tip || overdue) {
            return;
        }
        coin.own_work_at = Some(now.mono);
        if let Some(cell) = self.cell(id) {
            cell.fallbacks.fetch_add(1, Ordering::Relaxed);
        }
        log::warn!(
            "{id}: the templates process brought no work in time; this worker took a daemon's, \
             height {}",
            work.height
        );
        self.post(Posted { work: *work, body }, None, now);
    }
}
