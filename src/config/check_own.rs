//! The operator's own files of the web site: `website.folder`.

use super::diagnostics::{nearest, shown};
use super::values::{Judge, Keys};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Svg,
    Png,
}

/// Every name that is known, what it is, and how large it may be, bytes.
const FILES: [(&str, Form, u64); 6] = [
    ("logo.svg", Form::Svg, 256 << 10),
    ("logo.png", Form::Png, 512 << 10),
    ("style.css", Form::Text, 256 << 10),
    ("home.md", Form::Text, 64 << 10),
    ("getting_started.md", Form::Text, 64 << 10),
    ("footer.md", Form::Text, 64 << 10),
];
/// Entries of the folder that are looked at.
const MOST: usize = 100;
const PATH: [&str; 2] = ["website", "folder"];

/// The operator's own files by name.
pub type OwnFiles = BTreeMap<&'static str, Vec<u8>>;

/// Reads the folder; what is wrong with it is an error.
pub(super) fn read(folder: &Path, keys: &Keys<'_>, judge: &mut Judge<'_>) -> OwnFiles {
    let mut files = OwnFiles::new();
    let mut wrong = |title: String, hint: &str| judge.report.error(&keys.at(&PATH), &title, hint);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let title = format!("the folder {} cannot be read", folder.display());
            wrong(title, &error.to_string());
            return files;
        }
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    // Hidden files are those of editors and version control.
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).take(MOST).collect();
    names.sort();
    for name in names {
        let path = folder.join(&name);
        let Some((name, form, most)) = FILES.into_iter().find(|(known, ..)| *known == name) else {
            let known = FILES.map(|(known, ..)| known);
            let hint = match nearest(&name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}; move others elsewhere", known.join(", ")),
            };
            wrong(format!("{}: no such page or file", shown(&path.to_string_lossy())), &hint);
            continue;
        };
        match content(&path, form, most) {
            Ok(content) => drop(files.insert(name, content)),
            Err(words) => wrong(format!("{} cannot be used", path.display()), &words),
        }
    }
    if files.contains_key("logo.svg") && files.contains_key("logo.png") {
        let title = format!("{} has logo.svg and logo.png", folder.display());
        wrong(title, "leave one of them");
    }
    files
}

fn content(path: &Path, form: Form, most: u64) -> Result<Vec<u8>, String> {
    // A pipe would be read for ever.
    if !path.metadata().map_err(|error| error.to_string())?.is_file() {
        return Err("it is no file".to_owned());
    }
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(most + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
    if content.len() as u64 > most {
        return Err(format!("it must have at most {} KiB", most >> 10));
    }
    if form == Form::Png {
        return match content.starts_with(b"\x89PNG\r\n\x1a\n") {
            true => Ok(content),
            false => Err("it is no PNG image".to_owned()),
        };
    }
    let text = std::str::from_utf8(&content)
        .map_err(|error| format!("it is not UTF-8: see byte {}", error.valid_up_to()))?;
    if form == Form::Svg && !text.contains("<svg") {
        return Err("it is no SVG image".to_owned());
    }
    Ok(content)
}
