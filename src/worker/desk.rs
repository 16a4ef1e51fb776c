//! Where helper threads leave their news for the loop, which never waits for them.

use super::members::Member;
use crate::chain::{Hash, Work};
use crate::journal;
use crate::mpos::Answer;
use crate::net::helper;
use mio::Waker;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a helper found out.
#[derive(Debug)]
pub(crate) enum News {
    /// Journals are on the disk; the named coins' are not.
    Synced { ticket: u64, failed: Vec<String> },
    /// Daemons answered to a submitted block.
    Answered { coin: String, hash: Hash, answers: Vec<journal::Answer> },
    /// A daemon's template as work with its memory file, or why there is none.
    Template { coin: String, result: Result<(Box<Work>, OwnedFd), String> },
    /// Whether the daemons call a text an address; `None`: none could tell.
    Address { coin: String, address: String, valid: Option<bool> },
    /// What the MPOS database said about workers.
    Members { coin: String, answers: Vec<(Member, Answer)> },
}

/// Leaves news.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    news: Sender<News>,
    waker: Arc<Waker>,
}

impl Reporter {
    pub(crate) fn tell(&self, news: News) {
        // Either end may be gone while the worker stops: then nobody needs the news.
        let _ = self.news.send(news);
        let _ = self.waker.wake();
    }
}

/// Journals to be synced.
type Files = (u64, Vec<(String, File)>);

/// The loop's side.
#[derive(Debug)]
pub(crate) struct Desk {
    reporter: Reporter,
    inbox: Receiver<News>,
    syncs: Sender<Files>,
}

impl Desk {
    /// Also starts the thread that syncs journals.
    pub(crate) fn new(waker: Waker) -> io::Result<Self> {
        let (news, inbox) = channel();
        let reporter = Reporter { news, waker: Arc::new(waker) };
        let (syncs, to_sync) = channel::<Files>();
        let syncer = reporter.clone();
        helper::spawn("sync", move || {
            for (ticket, files) in to_sync {
                let failed = files.into_iter().filter_map(|(coin, file)| {
                    let error = file.sync_data().err()?;
                    log::error!(
                        "{coin}: the journal cannot be synced to the disk: {error}; a new file is \
                         begun, look after the disk of dataDir"
                    );
                    Some(coin)
                });
                syncer.tell(News::Synced { ticket, failed: failed.collect() });
            }
        })?;
        Ok(Self { reporter, inbox, syncs })
    }

    /// Runs something that blocks, in a thread of its own.
    pub(crate) fn run(
        &self,
        name: &str,
        job: impl FnOnce(&Reporter) + Send + 'static,
    ) -> io::Result<()> {
        let reporter = self.reporter.clone();
        helper::spawn(name, move || job(&reporter)).map(drop)
    }

    /// Has journals synced; [`News::Synced`] tells the end. `false`: the thread is gone.
    pub(crate) fn sync(&self, ticket: u64, files: Vec<(String, File)>) -> bool {
        self.syncs.send((ticket, files)).is_ok()
    }

    /// The next news, if there is any.
    pub(crate) fn next(&self) -> Option<News> {
        self.inbox.try_recv().ok()
    }
}
