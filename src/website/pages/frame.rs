//! What stands around every page.

use super::super::own::Served;
use super::super::reply::Kind;
use super::super::routes::Site;
use super::super::snapshot::Snapshot;
use super::super::text::{ago, shown, utc};
use axum::http::HeaderMap;
use axum::response::Response;
use std::sync::LazyLock;

const STYLE: &str = include_str!("../html/style.css");
const ICON: &str = include_str!("../html/icon.svg");
const SCRIPT: &str = include_str!("../html/live.js");

/// Under a name with its hash, so that nobody sees an old one.
static STYLE_FILE: LazyLock<Served> =
    LazyLock::new(|| Served::new(Kind::Css, ("style", "css"), STYLE.into()));
static ICON_FILE: LazyLock<Served> =
    LazyLock::new(|| Served::new(Kind::Svg, ("icon", "svg"), ICON.into()));
static SCRIPT_FILE: LazyLock<Served> =
    LazyLock::new(|| Served::new(Kind::Script, ("live", "js"), SCRIPT.into()));

/// Pages of the menu.
const PAGES: [(&str, &str); 5] = [
    ("/", "Home"),
    ("/getting_started", "Getting started"),
    ("/stats", "Pools"),
    ("/workers", "Workers"),
    ("/api", "API"),
];

/// Where the style is.
pub(in super::super) fn style_path() -> &'static str {
    &STYLE_FILE.path
}

/// The style.
pub(in super::super) async fn style(headers: HeaderMap) -> Response {
    STYLE_FILE.send(&headers)
}

/// Where the sign in a browser's tab is.
pub(in super::super) fn icon_path() -> &'static str {
    &ICON_FILE.path
}

/// The sign in a browser's tab.
pub(in super::super) async fn icon(headers: HeaderMap) -> Response {
    ICON_FILE.send(&headers)
}

/// Where the script is.
pub(in super::super) fn script_path() -> &'static str {
    &SCRIPT_FILE.path
}

/// The script.
pub(in super::super) async fn script(headers: HeaderMap) -> Response {
    SCRIPT_FILE.send(&headers)
}

/// What stands around a page.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) heading: String,
    pub(super) path: &'static str,
    pub(super) pages: &'static [(&'static str, &'static str)],
    pub(super) style: &'static str,
    pub(super) icon: &'static str,
    pub(super) script: &'static str,
    pub(super) own_style: Option<String>,
    pub(super) logo: Option<String>,
    /// HTML.
    pub(super) footer: String,
    pub(super) troubles: Vec<String>,
    pub(super) age: String,
    /// Where the script finds what is within `main`; empty: it does not change.
    pub(super) part: String,
    /// Of which snapshot it is, unix ms.
    pub(super) at: u64,
}

impl Frame {
    /// Around a page of the latest numbers. `path`: which entry of the menu it is.
    pub(super) fn new(site: &Site, path: &'static str, heading: &str, now: u64) -> Self {
        Self::of(site, &site.now(), path, heading, now)
    }

    /// Around a page of a snapshot.
    pub(super) fn of(
        site: &Site,
        snapshot: &Snapshot,
        path: &'static str,
        heading: &str,
        now: u64,
    ) -> Self {
        let mut troubles = Vec::new();
        if snapshot.master.trouble.is_some() {
            troubles.push(match snapshot.master.at {
                0 => "The server does not answer the web site.".to_owned(),
                at => format!(
                    "The server does not answer the web site: what it said is from {}.",
                    ago(at, now)
                ),
            });
        }
        let part = match path {
            "/" => "/get_page?id=home",
            "/stats" => "/get_page?id=stats",
            "/workers" => "/get_page?id=workers",
            _ => "",
        };
        Self {
            title: shown(&site.settings.title),
            heading: heading.to_owned(),
            path,
            pages: &PAGES,
            style: style_path(),
            icon: icon_path(),
            script: script_path(),
            own_style: site.own.style.as_ref().map(|style| style.path.clone()),
            logo: site.own.logo.as_ref().map(|logo| logo.path.clone()),
            footer: site.own.footer.clone(),
            troubles,
            age: match snapshot.at {
                0 => "The first numbers come in a moment.".to_owned(),
                // Not how long ago: a page that did not change keeps its tag.
                at => format!("Numbers of {}.", utc(at / 1000)),
            },
            part: part.to_owned(),
            at: snapshot.at,
        }
    }
}
