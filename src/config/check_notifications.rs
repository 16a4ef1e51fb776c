//! Checks `notifications` of `config.json`.

use super::diagnostics::{nearest, shown};
use super::notifications::{EventKind, HookFormat, Mail, MailTls, Notifications, Webhook};
use super::raw::{RawMail, RawNotifications, RawPortal, RawWebhook};
use super::values::{Judge, Keys, Scale};
use std::net::IpAddr;

const NAME: &str = "notifications";
/// A shorter key is guessed by trying.
const SHORT_SECRET: usize = 16;

/// Messages to the operator; `None` when nobody is told.
pub(super) fn notifications(
    raw: &RawPortal,
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<Notifications> {
    let raw: &RawNotifications = raw.notifications.as_ref()?;
    let mut seconds = |key: &str, value, default| {
        judge.duration(keys, &[NAME, key], value, default, &(1.0..=86_400.0), Scale::Seconds)
    };
    let daemon_down_after = seconds("daemonDownAfter", raw.daemon_down_after, 30.0);
    let ledger_behind_after = seconds("ledgerBehindAfter", raw.ledger_behind_after, 60.0);
    let mut webhooks: Vec<Webhook> = Vec::new();
    for (index, hook) in raw.webhooks.iter().flatten().enumerate() {
        let index = index.to_string();
        let path = [NAME, "webhooks", &index];
        let Some(hook) = webhook(hook, &path, keys, judge) else { continue };
        if webhooks.iter().any(|other| other.url == hook.url) {
            let hint = "each is served once; put their `events` together";
            judge.report.error(&keys.at(&path), "a webhook is there twice", hint);
        }
        webhooks.push(hook);
    }
    let mail = raw.mail.as_ref().and_then(|raw| mail(raw, keys, judge));
    if webhooks.is_empty() && mail.is_none() {
        return None;
    }
    Some(Notifications { webhooks, mail, daemon_down_after, ledger_behind_after })
}

fn webhook(
    raw: &RawWebhook,
    path: &[&str],
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<Webhook> {
    let below = |key| [path, &[key]].concat();
    let Some(url) = &raw.url else {
        if !keys.has(&below("url")) {
            judge.report.error(&keys.at(path), "a webhook without `url`", "add it: https://...");
        }
        return None;
    };
    let url = judge.secret(keys, &below("url"), url)?;
    let Some(Site { site, host, encrypted }) = Site::of(url.expose()) else {
        let hint = "must be https://host/path in ASCII, without spaces";
        judge.report.error(&keys.at(&below("url")), "`url` is no address of a webhook", hint);
        return None;
    };
    if !encrypted && !is_loopback(&host) {
        let hint = "everybody on the way reads and changes what is told; use https://";
        judge.report.warning(&keys.at(&below("url")), "a webhook without encryption", hint);
    }
    let format = word(
        raw.format.as_deref(),
        HookFormat::Romp,
        HookFormat::ALL.map(|it| (it.name(), it)),
        keys,
        &below("format"),
        judge,
    );
    let secret = match &raw.secret {
        Some(raw) => Some(judge.secret(keys, &below("secret"), raw)?),
        None => None,
    };
    match secret.as_ref().map(|secret| secret.expose().len()) {
        None if format == HookFormat::Romp && !keys.has(&below("secret")) => {
            let hint = "add `secret`: a random text that the receiver knows, too";
            judge.report.error(&keys.at(path), "a webhook that is not signed", hint);
        }
        Some(0) => {
            let hint = "everybody could sign with it; choose a random text";
            judge.report.error(&keys.at(&below("secret")), "an empty `secret`", hint);
        }
        Some(1..SHORT_SECRET) => {
            let hint = format!("choose a random one of {SHORT_SECRET} letters or more");
            judge.report.warning(&keys.at(&below("secret")), "a short `secret`", &hint);
        }
        _ => {}
    }
    let events = events(raw.events.as_deref(), keys, &below("events"), judge);
    Some(Webhook { url, site, secret, events, format })
}

fn mail(raw: &RawMail, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Option<Mail> {
    let path = |key| [NAME, "mail", key];
    let mut missing = Vec::new();
    for (key, absent) in [
        ("host", raw.host.is_none()),
        ("from", raw.from.is_none()),
        ("to", raw.to.as_ref().is_none_or(Vec::is_empty)),
    ] {
        if absent && (key == "to" || !keys.has(&path(key))) {
            missing.push(format!("`{key}`"));
        }
    }
    if !missing.is_empty() {
        let hint = format!("add {}", missing.join(", "));
        judge.report.error(&keys.at(&[NAME, "mail"]), "`mail` is not complete", &hint);
    }
    let host = judge.host(keys, &path("host"), raw.host.as_deref()?);
    let ways = MailTls::ALL.map(|it| (it.name(), it));
    let tls = word(raw.tls.as_deref(), MailTls::Starttls, ways, keys, &path("tls"), judge);
    if tls == MailTls::None && raw.allow_unencrypted != Some(true) && !is_loopback(&host) {
        let hint = "everybody on the way reads mail and password; use \"starttls\" or \"tls\", or \
                    say `\"allowUnencrypted\": true`";
        judge.report.error(&keys.at(&path("tls")), "mail without encryption", hint);
    }
    let port = judge.port(keys, &path("port"), raw.port.unwrap_or(tls.port()));
    let password = match &raw.password {
        Some(raw) => Some(judge.secret(keys, &path("password"), raw)?),
        None => None,
    };
    let login = match (&raw.user, password) {
        (Some(user), Some(password)) => Some((user.clone(), password)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            let hint = "a login has both; leave both out for a server that wants none";
            let title = "`user` and `password` go together";
            judge.report.error(&keys.at(&[NAME, "mail"]), title, hint);
            None
        }
    };
    let mut address = |text: &str, place: &[&str]| {
        if !is_address(text) {
            let title = format!("`{}` is no mail address", shown(text));
            judge.report.error(&keys.at(place), &title, "must be name@domain, and no more");
        }
        text.to_owned()
    };
    let from = address(raw.from.as_deref()?, &path("from"));
    let to = raw.to.iter().flatten().enumerate();
    let to = to.map(|(n, text)| address(text, &[NAME, "mail", "to", &n.to_string()])).collect();
    let ca_file = raw.ca_file.as_ref().map(|file| judge.dir.join(file));
    if let Some(file) = ca_file.as_ref().filter(|file| !file.is_file()) {
        let title = format!("there is no {}", file.display());
        judge.report.error(&keys.at(&path("caFile")), &title, "a PEM file with certificates");
    }
    let events = events(raw.events.as_deref(), keys, &path("events"), judge);
    Some(Mail { host, port, tls, ca_file, login, from, to, events })
}

/// One of some words.
fn word<T: Copy, const N: usize>(
    text: Option<&str>,
    default: T,
    words: [(&'static str, T); N],
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) -> T {
    let Some(text) = text else { return default };
    if let Some((_, value)) = words.iter().find(|(name, _)| *name == text) {
        return *value;
    }
    let title = format!("unknown `{}`: `{}`", path.last().unwrap_or(&""), shown(text));
    let names = words.map(|(name, _)| name);
    judge.report.error(&keys.at(path), &title, &hint(text, &names));
    default
}

fn hint(text: &str, names: &[&'static str]) -> String {
    match nearest(text, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("must be one of: {}", names.join(", ")),
    }
}

/// Kinds of events; all where nothing is written.
fn events(
    written: Option<&[String]>,
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) -> Vec<EventKind> {
    let Some(written) = written else { return EventKind::ALL.to_vec() };
    let mut kinds = Vec::new();
    for (index, text) in written.iter().enumerate() {
        match EventKind::from_name(text) {
            Some(kind) if kinds.contains(&kind) => {}
            Some(kind) => kinds.push(kind),
            None => {
                let title = format!("unknown event `{}`", shown(text));
                let at = keys.at(&[path, &[&index.to_string()]].concat());
                judge.report.error(&at, &title, &hint(text, &EventKind::ALL.map(EventKind::name)));
            }
        }
    }
    if written.is_empty() {
        let hint = "leave `events` out for everything";
        judge.report.warning(&keys.at(path), "it is told of nothing", hint);
    }
    kinds
}

/// What is before the path of a URL.
struct Site {
    /// Scheme, host and port.
    site: String,
    host: String,
    encrypted: bool,
}

impl Site {
    fn of(url: &str) -> Option<Self> {
        if url.len() > 2048 || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        let encrypted = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (address, None),
        };
        let bare = host.trim_matches(['[', ']']);
        let fine = |letter: char| letter.is_ascii_alphanumeric() || ".-_:".contains(letter);
        let sound = !bare.is_empty() && bare.chars().all(fine);
        let port_is_sound = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let site = format!("{scheme}://{address}");
        (sound && port_is_sound).then(|| Self { site, host: bare.to_owned(), encrypted })
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A bare mail address in ASCII: nothing that could become another header or another recipient.
fn is_address(text: &str) -> bool {
    let fine =
        |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(letter);
    let of_domain = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
    let dots = |part: &str| part.split('.').all(|piece| !piece.is_empty());
    text.split_once('@').is_some_and(|(name, domain)| {
        text.len() <= 254
            && name.len() <= 64
            && name.chars().all(fine)
            && domain.chars().all(of_domain)
            && dots(name)
            && dots(domain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_shown_of_a_url_is_its_site() {
        for (url, site) in [
            ("https://hooks.example/a/SECRET?x=1", Some("https://hooks.example")),
            ("http://me:pw@127.0.0.1:8080/", Some("http://127.0.0.1:8080")),
            ("https://[::1]:9/x", Some("https://[::1]:9")),
            ("https://[::1]", Some("https://[::1]")),
            ("ftp://x/", None),
            ("https:///x", None),
            ("https://a b/", None),
            ("https://h:0/", None),
            ("https://h:99999/", None),
            ("hooks.example", None),
            ("https://h/\r\nX: y", None),
        ] {
            assert_eq!(Site::of(url).map(|it| it.site).as_deref(), site, "{url}");
        }
        assert!(is_loopback("127.0.0.9") && is_loopback("[::1]") && !is_loopback("10.0.0.1"));
    }

    #[test]
    fn an_address_is_one_recipient_and_nothing_more() {
        for (text, sound) in [
            ("ops@pool.example", true),
            ("a.b+c@localhost", true),
            ("a@b,c@d", false),
            ("a@b\r\nBcc: c@d", false),
            ("Ops <a@b>", false),
            ("a@", false),
            ("@b", false),
            ("a..b@c", false),
            ("a b@c", false),
            ("\u{e9}@c", false),
        ] {
            assert_eq!(is_address(text), sound, "{text:?}");
        }
    }
}
