//! What the Admin Center asks of others: the master, the books, the configuration's files. All of it
//! waits, and is done on threads that may.

use super::super::routes::Site;
use super::{Center, Whole, view};
use crate::config;
use crate::ipc::control;
use crate::sys::clock::unix_ms;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a question may wait for its turn.
const TURN: Duration = Duration::from_secs(5);
/// How often, and how many times, is looked whether a reload is done.
const LOOKS: (Duration, u32) = (Duration::from_millis(50), 100);

/// What a check of the configuration's files says.
pub(super) struct Checked {
    /// Whether they can be used.
    pub(super) fine: bool,
    /// As `romp check` says it.
    pub(super) findings: String,
    pub(super) summary: String,
}

/// What came of a reload.
pub(super) enum Reloaded {
    /// The check found errors: it was not tried.
    Refused(Checked),
    /// `reloaded` of the master's status, and the generation.
    Tried(Value, u64),
}

impl Center {
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let busy = || "busy; try again".to_owned();
        let permit = tokio::time::timeout(TURN, self.asking.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(busy()) };
        let asked = tokio::task::spawn_blocking(move || {
            let _held = permit;
            question()
        });
        asked.await.map_err(|_| busy())
    }

    /// What the master answers to a command; its refusal is an error.
    pub(super) async fn command(&self, site: &Arc<Site>, command: Value) -> Result<Value, String> {
        let socket = control::socket(&site.config.data_dir);
        let answer = self.ask(move || control::command(&socket, &command)).await?;
        let answer = answer.map_err(|error| format!("the master does not answer: {error}"))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer),
        }
    }

    /// All that is shown.
    pub(super) async fn whole(&self, site: &Arc<Site>) -> Result<Whole, String> {
        let status = self.command(site, json!({ "command": "status" })).await?;
        let bans = self.command(site, json!({ "command": "bans" })).await?;
        let config = site.config.clone();
        let books = self.ask(move || {
            let paying = config.pools.iter().filter(|(_, pool)| pool.payments.is_some());
            let books = paying.map(|(id, pool)| {
                let symbol = &pool.coin.symbol;
                (id.clone(), view::waiting(&config, id, symbol, unix_ms()))
            });
            books.collect()
        });
        Ok(Whole { status, bans, books: books.await? })
    }

    /// Reads the configuration's files and says what is wrong with them. What they say is dropped.
    pub(super) async fn check(&self, site: &Arc<Site>) -> Result<Checked, String> {
        let dir = site.config.dir.clone();
        self.ask(move || {
            let loaded = config::load(&dir);
            Checked {
                fine: loaded.config.is_some(),
                findings: loaded.findings(),
                summary: match &loaded.config {
                    Some(config) => config.summary(),
                    None => "The configuration cannot be used.".to_owned(),
                },
            }
        })
        .await
    }

    /// Has the master reload, unless the files have errors, and waits for what comes of it.
    pub(super) async fn reload(&self, site: &Arc<Site>) -> Result<Reloaded, String> {
        let checked = self.check(site).await?;
        if !checked.fine {
            return Ok(Reloaded::Refused(checked));
        }
        let asked = self.command(site, json!({ "command": "reload" })).await?;
        let before = asked.get("reloads").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let (pause, looks) = LOOKS;
        for _ in 0..looks {
            tokio::time::sleep(pause).await;
            let status = self.command(site, json!({ "command": "status" })).await?;
            let outcome = status.get("reloaded").cloned().unwrap_or_default();
            if outcome.get("count").and_then(Value::as_u64).is_some_and(|count| count > before) {
                let generation = status.get("generation").and_then(Value::as_u64).unwrap_or(0);
                return Ok(Reloaded::Tried(outcome, generation));
            }
        }
        Err("the master has not reloaded yet; its log says why".to_owned())
    }
}
