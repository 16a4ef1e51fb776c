//! Webhooks: what is posted, its signature, and what the answer means.

use super::event::Event;
use super::target::Failure;
use crate::chain::hex_encode;
use crate::config::{HookFormat, Webhook};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::fmt;
use std::net::ToSocketAddrs;
use std::time::Duration;
use ureq::http::{Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// How long a whole delivery may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are looked at.
const ANSWER: u64 = 1024;
/// Letters of it that are shown.
const EXCERPT: usize = 200;
/// Letters of a chat message: Discord takes 2000, and one that is a mark there needs two.
const LONGEST: usize = 900;
/// Longest time that a webhook's own wish to be left alone is kept to.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// A webhook's client. Made after the fork: it holds sockets.
pub(super) struct Hook {
    webhook: Webhook,
    agent: ureq::Agent,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({})", self.webhook.site)
    }
}

/// Asks for addresses in this thread, which waits for nothing else. (ureq's own resolver starts a
/// thread for each request.)
#[derive(Debug)]
struct Here;

impl Resolver for Here {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(usual);
        let mut resolved = self.empty();
        // The array holds 16.
        (host, port).to_socket_addrs()?.take(16).for_each(|address| resolved.push(address));
        if resolved.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(resolved) }
    }
}

impl Hook {
    pub(super) fn new(webhook: Webhook) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("romp/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(PATIENCE))
            // Messages are rare: a connection that was kept is most likely closed.
            .max_idle_connections(0)
            .build();
        Self { webhook, agent: ureq::Agent::with_parts(config, DefaultConnector::default(), Here) }
    }

    /// Posts an event at `now`, unix seconds; what was answered.
    pub(super) fn send(&self, event: &Event, now: u64) -> Result<String, Failure> {
        let (media, body) = body(self.webhook.format, event);
        let mut request = self
            .agent
            .post(self.webhook.url.expose())
            .header("Content-Type", media)
            .header("X-Romp-Event", event.event.name())
            .header("X-Romp-Delivery", &event.id)
            .header("X-Romp-Timestamp", now.to_string());
        if let Some(secret) = &self.webhook.secret {
            let signature = signature(secret.expose(), now, &body);
            request = request.header("X-Romp-Signature", signature);
        }
        if self.webhook.format == HookFormat::Ntfy {
            request = request.header("Title", format!("romp: {}", event.event.name()));
        }
        match request.send(body) {
            Ok(response) => judge(response),
            Err(error) => Err(Failure::words(self.words(&error))),
        }
    }

    /// An error without the address, which is a secret.
    fn words(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::HostNotFound => "no such host".to_owned(),
            ureq::Error::ConnectionFailed => "connection failed".to_owned(),
            other => excerpt(&other.to_string().replace(self.webhook.url.expose(), "***")),
        }
    }
}

/// What an answer means.
fn judge(mut response: Response<ureq::Body>) -> Result<String, Failure> {
    let status = response.status();
    let said = response.body_mut().with_config().limit(ANSWER).lossy_utf8(true).read_to_string();
    let mut words = format!("HTTP {}", status.as_u16());
    if let Some(reason) = status.canonical_reason() {
        words.push(' ');
        words.push_str(reason);
    }
    if status.is_success() {
        return Ok(words);
    }
    match excerpt(&said.unwrap_or_default()) {
        said if said.is_empty() => {}
        said => words = format!("{words}: {said}"),
    }
    let wish = response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
    // Discord writes fractions.
    let wish = wish.and_then(|text| text.trim().parse::<f64>().ok());
    let wish = wish.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Err(Failure {
        words,
        wait: wish.unwrap_or_default().min(LONGEST_WISH),
        is_gone: status.as_u16() == 410,
        is_refused: matches!(status.as_u16(), 400 | 413 | 422),
    })
}

/// The beginning of a text on one line.
pub(super) fn excerpt(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    crate::stratum::shown(&text.trim().chars().take(EXCERPT).map(clean).collect::<String>())
}

/// `sha256=HEX` of HMAC-SHA256 over `TIMESTAMP.BODY`.
fn signature(secret: &str, now: u64, body: &str) -> String {
    // A key of any length will do (RFC 2104): this never fails.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(now.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("sha256={}", hex_encode(&mac.finalize().into_bytes()))
}

/// Media type and body of a message.
fn body(format: HookFormat, event: &Event) -> (&'static str, String) {
    const JSON: &str = "application/json";
    let text: String = event.text.chars().take(LONGEST).collect();
    match format {
        HookFormat::Romp => (JSON, event.json()),
        HookFormat::Discord => {
            let message = json!({
                "content": for_discord(&text), "allowed_mentions": {"parse": []},
            });
            (JSON, message.to_string())
        }
        HookFormat::Slack => {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let message = json!({
                "text": text, "mrkdwn": false, "link_names": false, "parse": "none",
                "unfurl_links": false,
            });
            (JSON, message.to_string())
        }
        HookFormat::Ntfy => ("text/plain; charset=utf-8", text),
    }
}

/// Without mentions and markup: a backslash before each mark, and nothing that calls everybody.
fn for_discord(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii_punctuation() && !".,:;'\"/?!%$-+=".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
        if letter == '@' {
            out.push('\u{200b}');
        }
    }
    // Addresses become no links.
    out.replace("://", ":\u{200b}//")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EventKind;

    /// Computed with Python: `hmac.new(b"key", b"1700000000." + body, "sha256").hexdigest()`.
    #[test]
    fn a_signature_is_what_others_compute() {
        let body = "{\"id\":\"block-found:litecoin:00ff\"}";
        assert_eq!(
            signature("a-secret-of-the-operator", 1_700_000_000, body),
            "sha256=1b6bba0716b72e41a05f5be92701600f4282e7c5bc3370ae8005974cf454b23f"
        );
    }

    #[test]
    fn no_format_lets_a_name_call_or_mark_anything() {
        let text = "found by @everyone <!channel> <@1> [x](https://evil) **b** `c` ||d||";
        let event = Event::new(EventKind::BlockFound, "c", "x", 0, text.to_owned());
        let (_, discord) = body(HookFormat::Discord, &event);
        for bad in ["@everyone", "<@1>", "](", "**b", " `c", "||", "https://"] {
            assert!(!discord.replace("\\\\", "\\").contains(bad), "{bad} in {discord}");
        }
        assert!(discord.contains("\"allowed_mentions\":{\"parse\":[]}"), "{discord}");
        let (_, slack) = body(HookFormat::Slack, &event);
        assert!(!slack.contains('<') && slack.contains("&lt;!channel&gt;"), "{slack}");
        let (media, ntfy) = body(HookFormat::Ntfy, &event);
        assert_eq!((media, ntfy.as_str()), ("text/plain; charset=utf-8", text));
        let long = Event::new(EventKind::BlockFound, "c", "x", 0, "*".repeat(10_000));
        assert!(body(HookFormat::Ntfy, &long).1.len() <= LONGEST);
    }
}
