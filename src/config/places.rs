//! Where a setting is written, for findings that come after the files were checked: what a daemon
//! says may contradict them.

use super::checked::{Config, Pool};
use super::diagnostics::Report;
use super::document::Document;
use super::values::Keys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A setting that somebody has to correct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// Of the pool's file, or of `defaultPoolConfigs`: the keys on the way to it.
    Pool(Vec<String>),
    /// Of the coin's file.
    Coin(Vec<String>),
}

impl Key {
    /// A setting of the pool's file.
    #[must_use]
    pub fn pool(path: &[&str]) -> Self {
        Self::Pool(path.iter().map(ToString::to_string).collect())
    }

    /// A setting of the coin's file.
    #[must_use]
    pub fn coin(path: &[&str]) -> Self {
        Self::Coin(path.iter().map(ToString::to_string).collect())
    }
}

struct Files {
    pool: Document,
    coin: Option<Document>,
}

/// The files of a configuration, read once more for their places alone.
pub struct Places {
    portal: Option<Document>,
    files: BTreeMap<String, Files>,
}

impl Places {
    /// Reads the files of a folder. What cannot be read has no places.
    #[must_use]
    pub fn read(dir: &Path, config: &Config) -> Self {
        let mut report = Report::default();
        let portal = Document::open(dir, "config.json", &mut report);
        let mut files = BTreeMap::new();
        for (id, pool) in &config.pools {
            if let Some(document) = Document::open(dir, &pool.file, &mut report) {
                let keys = Keys::with_defaults(&document, portal.as_ref());
                let coin = keys.written(&["coin"]).map(|name| format!("coins/{name}"));
                let coin = coin.and_then(|name| Document::open(dir, &name, &mut report));
                files.insert(id.clone(), Files { pool: document, coin });
            }
        }
        Self { portal, files }
    }

    /// `file:line:column` of a setting of that pool, or of the nearest part above it that is
    /// written; the file's name alone when the place is not known.
    #[must_use]
    pub fn of(&self, pool: &Pool, key: &Key) -> String {
        let files = self.files.get(&pool.coin.id);
        let place = match (files, key) {
            (Some(files), Key::Pool(path)) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                Some(Keys::with_defaults(&files.pool, self.portal.as_ref()).at(&path))
            }
            (Some(Files { coin: Some(coin), .. }), Key::Coin(path)) => Some(coin.place(path)),
            _ => None,
        };
        match place {
            Some(place) => {
                let (line, column) = place.document.line_and_column(place.range.start);
                format!("{}:{line}:{column}", place.document.name)
            }
            None => pool.file.clone(),
        }
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.files.keys()).finish()
    }
}
