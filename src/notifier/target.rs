//! Whom messages go to, and how a message is sent.

use super::event::Event;
use super::hook::Hook;
use super::mail::Mailer;
use crate::chain::sha256d;
use crate::config::{Config, EventKind};
use std::time::Duration;

/// Somebody who is told.
#[derive(Debug)]
pub struct Target {
    /// Its name in the outbox: the same as long as it goes to the same place.
    pub name: String,
    /// How it is called to the operator: `webhook 1 (https://host)`, `mail (host:port)`.
    pub label: String,
    /// What it is told of.
    pub events: Vec<EventKind>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Hook(Hook),
    Mail(Mailer),
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In words, without secrets.
    pub words: String,
    /// How long the other side wants to be left alone.
    pub wait: Duration,
    /// It wants nothing more, ever (HTTP 410).
    pub is_gone: bool,
    /// It is this message that it does not take.
    pub is_refused: bool,
}

impl Failure {
    pub(super) fn words(words: String) -> Self {
        Self { words, wait: Duration::ZERO, is_gone: false, is_refused: false }
    }
}

impl Target {
    /// Sends an event at `now`, unix seconds: what was answered.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn send(&self, event: &Event, now: u64) -> Result<String, Failure> {
        match &self.way {
            Way::Hook(hook) => hook.send(event, now),
            Way::Mail(mailer) => mailer.send(event),
        }
    }
}

/// Everybody who is told, webhooks first, in the operator's order.
#[must_use]
pub fn targets(config: &Config) -> Vec<Target> {
    let Some(notifications) = &config.notifications else { return Vec::new() };
    let title = config.website.as_ref().map_or("romp", |site| site.title.as_str());
    let hooks = notifications.webhooks.iter().enumerate().map(|(index, hook)| {
        let digest = sha256d(hook.url.expose().as_bytes()).to_string();
        Target {
            name: format!("webhook {}", digest.chars().take(16).collect::<String>()),
            label: format!("webhook {} ({})", index + 1, hook.site),
            events: hook.events.clone(),
            way: Way::Hook(Hook::new(hook.clone())),
        }
    });
    let mail = notifications.mail.iter().map(|mail| Target {
        name: "mail".to_owned(),
        label: format!("mail ({}:{})", mail.host, mail.port),
        events: mail.events.clone(),
        way: Way::Mail(Mailer::new(mail.clone(), title)),
    });
    hooks.chain(mail).collect()
}
