//! Mail through an SMTP server.

use super::event::Event;
use super::hook::excerpt;
use super::target::Failure;
use crate::chain::sha256d;
use crate::config::{self, MailTls};
use crate::stratum::shown;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message, SmtpTransport, Transport};
use std::fmt::{self, Write as _};
use std::time::{Duration, UNIX_EPOCH};

/// How long the server may take for each answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Letters of a subject.
const LONGEST: usize = 150;

/// A mail server's client. Made after the fork.
pub(super) struct Mailer {
    mail: config::Mail,
    title: String,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer({}:{})", self.mail.host, self.mail.port)
    }
}

impl Mailer {
    /// `title`: the pool's, for subjects.
    pub(super) fn new(mail: config::Mail, title: &str) -> Self {
        Self { mail, title: shown(title) }
    }

    /// Sends an event; what the server said.
    pub(super) fn send(&self, event: &Event) -> Result<String, Failure> {
        let message = self.message(event).map_err(Failure::words)?;
        let answer = self.transport().map_err(Failure::words)?.send(&message);
        let answer = answer.map_err(|error| {
            let mut words = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(reason) = cause {
                let _ = write!(words, ": {reason}");
                cause = reason.source();
            }
            // A message that a filter does not let pass stays refused; a login may be mended.
            let login = error.status().is_some_and(|code| code.to_string().starts_with("53"));
            let is_refused = error.is_permanent() && !login;
            Failure { is_refused, ..Failure::words(excerpt(&words)) }
        })?;
        let said = answer.message().collect::<Vec<_>>().join(" ");
        Ok(excerpt(&format!("{} {said}", answer.code())))
    }

    /// Of the sender's address: as whom romp greets, and whose its message ids are.
    fn domain(&self) -> &str {
        self.mail.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }

    fn transport(&self) -> Result<SmtpTransport, String> {
        let mail = &self.mail;
        let host = mail.host.trim_matches(['[', ']']);
        let mut builder = SmtpTransport::builder_dangerous(host)
            .port(mail.port)
            .timeout(Some(PATIENCE))
            .hello_name(ClientId::Domain(self.domain().to_owned()))
            .tls(match mail.tls {
                MailTls::None => Tls::None,
                MailTls::Starttls => Tls::Required(self.parameters(host)?),
                MailTls::Tls => Tls::Wrapper(self.parameters(host)?),
            });
        if let Some((user, password)) = &mail.login {
            let password = password.expose().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }

    fn parameters(&self, host: &str) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(file) = &self.mail.ca_file {
            let wrong = |why: String| format!("{}: {why}", file.display());
            let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            let certificate =
                Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map_err(|error| error.to_string())
    }

    fn message(&self, event: &Event) -> Result<Message, String> {
        let mailbox = |text: &str| {
            let address = text.parse::<Address>().map_err(|error| format!("{text}: {error}"))?;
            Ok::<_, String>(Mailbox::new(None, address))
        };
        let (from, domain) = (&self.mail.from, self.domain());
        // The same in every repetition: mail programs drop repeats.
        let id: String = sha256d(event.id.as_bytes()).to_string().chars().take(40).collect();
        let mut builder = Message::builder()
            .from(mailbox(from)?)
            .date(UNIX_EPOCH + Duration::from_secs(event.time))
            .message_id(Some(format!("<{id}@{domain}>")))
            .subject(subject(&self.title, event));
        for to in &self.mail.to {
            builder = builder.to(mailbox(to)?);
        }
        let mut message = builder
            .header(ContentType::TEXT_PLAIN)
            .body(self.body(event))
            .map_err(|error| error.to_string())?;
        for (name, value) in [
            // No answer of a machine to a machine (RFC 3834).
            ("Auto-Submitted", "auto-generated"),
            ("X-Romp-Event", event.event.name()),
            ("X-Romp-Delivery", &event.id),
        ] {
            let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|e| e.to_string())?;
            message.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
        }
        Ok(message)
    }

    fn body(&self, event: &Event) -> String {
        let mut body = format!("{}\n\n", event.text);
        for (key, value) in &event.data {
            let value = match value {
                serde_json::Value::String(text) => shown(text),
                other => shown(&other.to_string()),
            };
            let _ = writeln!(body, "{key}: {value}");
        }
        let _ = write!(body, "\n-- \n{}, {}\n", self.title, event.id);
        body
    }
}

/// `[TITLE] COIN: what happened`, on one line.
fn subject(title: &str, event: &Event) -> String {
    let subject = format!("[{title}] {}", event.text);
    let mut short: String = subject.chars().take(LONGEST).collect();
    if short.len() < subject.len() {
        short.push('\u{2026}');
    }
    // Texts are made of shown names; this is for those that will be.
    short.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::EventKind;
    use proptest::prelude::*;

    fn mailer(title: &str) -> Mailer {
        let mail = config::Mail {
            host: "127.0.0.1".to_owned(),
            port: 25,
            tls: MailTls::None,
            ca_file: None,
            login: None,
            from: "pool@pool.example".to_owned(),
            to: vec!["ops@pool.example".to_owned()],
            events: Vec::new(),
        };
        Mailer::new(mail, title)
    }

    fn headers(message: &[u8]) -> Vec<String> {
        let text = String::from_utf8(message.to_vec()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        lines.map(|line| line.split(':').next().unwrap().to_ascii_lowercase()).collect()
    }

    #[test]
    fn a_mail_says_what_happened_and_has_one_id() {
        let event = Event::new(EventKind::BlockFound, "c", "x", 0, "c: block 7 found".to_owned());
        let message = mailer("My pool").message(&event).unwrap().formatted();
        let text = String::from_utf8(message.clone()).unwrap();
        assert!(text.contains("Subject: [My pool] c: block 7 found\r\n"), "{text}");
        assert!(text.contains("Date: Thu, 01 Jan 1970"), "{text}");
        assert!(text.contains("X-Romp-Delivery: block-found:c:x\r\n"), "{text}");
        assert_eq!(mailer("My pool").message(&event).unwrap().formatted(), message);
    }

    proptest! {
        /// Whatever a title, a text or a name is, the mail has the same headers.
        #[test]
        fn nothing_adds_a_header(title in any::<String>(), text in any::<String>(), name in any::<String>()) {
            let plain = Event::new(EventKind::BlockFound, "c", "x", 0, String::new());
            let wanted = headers(&mailer("t").message(&plain).unwrap().formatted());
            let event = Event::new(EventKind::BlockFound, "c", &name, 0, text + "\r\nBcc: x@y");
            let event = event.with("worker", name);
            let sent = mailer(&title).message(&event).unwrap().formatted();
            prop_assert_eq!(headers(&sent), wanted);
        }
    }
}
