//! What the operator made of the site: logo, style, texts. Markdown becomes HTML here; HTML in it
//! is shown as text.

use super::reply::{Kind, Prepared};
use crate::config::OwnFiles;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use std::hash::{DefaultHasher, Hash, Hasher};

/// An image may be opened by itself: then nothing in it runs, and nothing is loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// A file that is served under a name with its hash.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) path: String,
    file: Prepared,
}

impl Served {
    /// `ends`: what stands before and after the hash.
    pub(super) fn new(kind: Kind, ends: (&str, &str), content: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        let path = format!("/static/{}-{:016x}.{}", ends.0, hasher.finish(), ends.1);
        Self { path, file: Prepared::new(kind, content) }
    }

    /// The file.
    pub(super) fn send(&self, headers: &HeaderMap) -> Response {
        self.file.send(headers)
    }
}

/// The operator's own.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) logo: Option<Served>,
    pub(super) style: Option<Served>,
    /// HTML above the pools of the first page.
    pub(super) home: String,
    /// HTML above Getting Started.
    pub(super) getting_started: String,
    /// HTML at the end of every page.
    pub(super) footer: String,
}

impl Own {
    /// From the files of the operator's folder.
    pub(super) fn new(files: &OwnFiles) -> Self {
        let of = |name: &str| files.get(name).cloned();
        let text = |name: &str| match files.get(name) {
            Some(text) => written(&String::from_utf8_lossy(text)),
            None => String::new(),
        };
        let svg = of("logo.svg").map(|file| Served::new(Kind::Svg, ("logo", "svg"), file));
        let png = of("logo.png").map(|file| Served::new(Kind::Png, ("logo", "png"), file));
        Self {
            logo: svg.or(png),
            style: of("style.css").map(|file| Served::new(Kind::Css, ("own", "css"), file)),
            home: text("home.md"),
            getting_started: text("getting_started.md"),
            footer: text("footer.md"),
        }
    }

    /// The file of a path, if it is the operator's.
    pub(super) fn file(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        if let Some(style) = self.style.as_ref().filter(|style| style.path == path) {
            return Some(style.send(headers));
        }
        let logo = self.logo.as_ref().filter(|logo| logo.path == path)?;
        let mut response = logo.send(headers);
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        Some(response)
    }
}

/// Whether a link of a text may stand: to the web, to a mail program, or within the site.
fn is_fine(link: &str) -> bool {
    let plain = link.bytes().all(|byte| byte > b' ' && byte != b'\\');
    let lower = link.to_ascii_lowercase();
    let known = ["https://", "http://", "mailto:"].iter().any(|begin| lower.starts_with(begin));
    let before = link.split(['/', '?', '#']).next().unwrap_or_default();
    plain && (known || (!before.contains(':') && !link.starts_with("//")))
}

/// Markdown as HTML that does no more than text can.
fn written(markdown: &str) -> String {
    // Links that may not stand: their words stay.
    let mut dropped = Vec::new();
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let events = events.filter_map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Some(Event::Text(html)),
        // What is in it is the text that stands for it.
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link { link_type, dest_url, id, .. }) => {
            let fine = is_fine(&dest_url);
            dropped.push(!fine);
            let title = CowStr::Borrowed("");
            fine.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link) => {
            (dropped.pop() == Some(false)).then_some(Event::End(TagEnd::Link))
        }
        // The page has its heading, and alignment would be a style.
        Event::Start(Tag::Heading { level, .. }) => {
            let (id, classes, attrs) = (None, Vec::new(), Vec::new());
            Some(Event::Start(Tag::Heading { level: below(level), id, classes, attrs }))
        }
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(below(level)))),
        Event::Start(Tag::Table(columns)) => {
            let columns = vec![pulldown_cmark::Alignment::None; columns.len()];
            Some(Event::Start(Tag::Table(columns)))
        }
        other => Some(other),
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

const fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_text_and_runs_nothing() {
        let text = "# Hello\n\n<script>alert(1)</script>\n\nA <b onclick=x>b</b> \
                    [bad](javascript:alert(1)) [tab](java&#9;script:alert(1)) \
                    [data](DATA:text/html,x) [other](//evil.example) [fine](https://a.example/?x=1) \
                    [here](/stats#x) ![image](https://evil.example/x.png) <https://b.example>\n\n\
                    | a | b |\n|:-|-:|\n| 1 | 2 |\n";
        let html = written(text);
        for bad in ["<script", "<b ", "<img", "javascript:", "evil.example", "DATA:", "style="] {
            let found = html.replace("&lt;", "");
            assert!(!found.contains(bad), "{bad} in {html}");
        }
        for fine in [
            "<h2>Hello</h2>",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "<a href=\"https://a.example/?x=1\">fine</a>",
            "<a href=\"/stats#x\">here</a>",
            "<a href=\"https://b.example\">",
            "bad",
            "image",
            "<td>2</td>",
        ] {
            assert!(html.contains(fine), "{fine} in {html}");
        }
    }

    #[test]
    fn a_logo_is_shut_in_and_named_by_what_it_is() {
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
        let files = [("logo.svg", svg.as_bytes().to_vec())].into();
        let own = Own::new(&files);
        let path = own.logo.as_ref().map(|logo| logo.path.clone()).unwrap_or_default();
        assert!(path.starts_with("/static/logo-") && path.ends_with(".svg"), "{path}");
        let sent = own.file(&path, &HeaderMap::new()).map(|sent| sent.headers().clone());
        let policy = sent.as_ref().and_then(|headers| headers.get(CONTENT_SECURITY_POLICY));
        assert_eq!(policy, Some(&HeaderValue::from_static(POLICY)));
        assert!(own.file("/static/logo-0.svg", &HeaderMap::new()).is_none());
        let other = Own::new(&[("logo.svg", b"<svg/>".to_vec())].into());
        assert_ne!(other.logo.map(|logo| logo.path), Some(path));
    }
}
