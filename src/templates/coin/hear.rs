//! What tells a coin's thread of new blocks, and what it does about it.

use super::Coin;
use crate::chain::Template;
use crate::sys::clock;
use crate::templates::Notice;
use crate::templates::listen::Told;
use crate::templates::longpoll::Answer;
use crate::templates::tally::Source;

impl Coin {
    /// Somebody says that there is a new block.
    pub(super) fn notice(&mut self, notice: Notice) {
        self.notices.tally.told(notice.at, notice.source, notice.hash);
        self.refresh.notice(clock::monotonic_ms(), notice.hash);
    }

    /// A listener told something.
    pub(super) fn told(&mut self, source: Source, daemon: usize, told: Told) {
        match told {
            Told::Block(hash, at) => self.notice(Notice { source, hash: Some(hash), at }),
            Told::Missed(count) => self.notices.tally.missed(source, count),
            Told::Up => {
                self.notices.up(&self.pool.coin.id, source, daemon);
                // Blocks that came while nobody listened.
                self.probe(daemon, clock::monotonic_ms(), true);
            }
            Told::Down(why) => self.notices.down(&self.pool.coin.id, source, daemon, why),
        }
    }

    /// A long poll was answered.
    pub(super) fn long_polled(&mut self, daemon: usize, answer: Answer) {
        let now = clock::monotonic_ms();
        let Some(polls) = self.lines.get_mut(daemon).and_then(|line| line.long_poll.as_mut())
        else {
            return;
        };
        match answer {
            Answer::Waiting => self.notices.polling(daemon),
            Answer::Failed(why) => {
                polls.pace.failed(now);
                let coin = self.pool.coin.id.as_str();
                self.notices.down(coin, Source::LongPoll, daemon, why);
            }
            Answer::Template(template) => {
                if polls.answered(now, &template) {
                    let (source, hash) = (Source::LongPoll, Some(template.previous));
                    self.notice(Notice { source, hash, at: now });
                }
                // Another daemon's template is only a notice, as is one too many this second, and
                // miners get new transactions no sooner than `jobRebroadcastTimeout` says.
                if self.judge.chosen() == Some(daemon)
                    && self.refresh.is_due(now, &template.previous)
                {
                    self.refresh.asked(now);
                    self.answered(daemon, now, Ok(*template));
                }
            }
        }
    }

    /// Keeps what the daemon's next long poll is asked with.
    pub(super) fn remember_poll(&mut self, daemon: usize, template: &Template) {
        if let Some(polls) = self.lines.get_mut(daemon).and_then(|line| line.long_poll.as_mut()) {
            polls.remember(template);
        }
    }

    /// Lets the daemon wait for a block, if it is time.
    pub(super) fn long_poll(&mut self, daemon: usize, now: u64) {
        if let Some(plan) = &self.plan
            && let Some(polls) = self.lines.get_mut(daemon).and_then(|line| line.long_poll.as_mut())
        {
            polls.ask(now, plan);
        }
    }
}
