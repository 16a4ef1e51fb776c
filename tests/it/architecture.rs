//! Keeps ARCHITECTURE.md true: who may name whom, where `unsafe` and threads may stand, how a file
//! opens and how long it may be. Every finding has its file and line.

mod source;

use source::{Token, code, named_after, tokens, without_tests};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// No file is longer: it should be read in one sitting.
const MOST_LINES: usize = 400;

/// What one module may name.
#[derive(Debug, Default)]
struct Rights {
    modules: BTreeSet<String>,
    packages: BTreeSet<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The words in backquotes of a table cell.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Rows of the table below a heading of ARCHITECTURE.md, without its head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let (_, below) = text.split_once(heading).unwrap_or_else(|| panic!("no `{heading}`"));
    below
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

fn rights() -> BTreeMap<String, Rights> {
    let row = |cells: Vec<String>| {
        let [module, modules, packages] = &cells[..] else { panic!("three cells: {cells:?}") };
        let rights = Rights { modules: quoted(modules), packages: quoted(packages) };
        (quoted(module).into_iter().next().expect("a module in the first cell"), rights)
    };
    table("### Who may name whom").into_iter().map(row).collect()
}

/// Files that may be longer than [`MOST_LINES`], or hold what others may not, with the reason.
fn exceptions(heading: &str) -> BTreeSet<String> {
    table(heading).into_iter().flat_map(|cells| quoted(&cells[0])).collect()
}

/// Packages of `[dependencies]`, as they are written in code.
fn packages() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let (_, section) = text.split_once("[dependencies]\n").expect("dependencies");
    section
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim().replace('-', "_")))
        .collect()
}

/// All source files without tests: the path and the code, comments and strings blanked.
fn product() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut tests = BTreeSet::new();
    for (path, text) in sources() {
        let (code, declared) = without_tests(&code(&text));
        let folder = if path.ends_with("mod.rs") || path.ends_with("lib.rs") {
            path.parent().expect("in src").to_owned()
        } else {
            path.with_extension("")
        };
        for name in declared {
            tests.insert(folder.join(format!("{name}.rs")));
            tests.insert(folder.join(name));
        }
        files.push((path, code));
    }
    files.retain(|(path, _)| {
        !path.ends_with("tests.rs") && !path.ancestors().any(|path| tests.contains(path))
    });
    files
}

/// All source files, with paths relative to the root.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                found.push((path.strip_prefix(root()).expect("below").to_owned(), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The top-level module that a file belongs to.
fn module_of(path: &Path) -> String {
    let part = path.components().nth(1).expect("below src");
    part.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn every_edge_is_in_the_table() {
    let rights = rights();
    let packages = packages();
    let mut findings = Vec::new();
    for (path, code) in product() {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(right) = rights.get(&module) else {
            findings.push(format!("{}: module `{module}` is not in the table", path.display()));
            continue;
        };
        let tokens = tokens(&code);
        let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
        // Names reached through `super` from the file's own depth upwards are the crate's.
        let depth = path.components().count() - 2 + usize::from(!path.ends_with("mod.rs"));
        for at in 0..tokens.len() {
            let follows_path = at > 0 && (is(at - 1, "::") || is(at - 1, "."));
            if is(at, "crate") && is(at + 1, "::") && !follows_path {
                for name in named_after(&tokens, at + 2) {
                    let known = rights.contains_key(&name.text);
                    if known && name.text != module && !right.modules.contains(&name.text) {
                        findings.push(format!(
                            "{}:{}: `{module}` names module `{}`",
                            path.display(),
                            name.line,
                            name.text
                        ));
                    }
                }
            }
            if is(at, "super") && !follows_path {
                let mut after = at;
                let mut supers = 0;
                while is(after, "super") && is(after + 1, "::") {
                    (supers, after) = (supers + 1, after + 2);
                }
                if supers >= depth {
                    for name in named_after(&tokens, after) {
                        if rights.contains_key(&name.text)
                            && name.text != module
                            && !right.modules.contains(&name.text)
                            && !root()
                                .join("src")
                                .join(&module)
                                .join(format!("{}.rs", name.text))
                                .exists()
                            && !root().join("src").join(&module).join(&name.text).exists()
                        {
                            findings.push(format!(
                                "{}:{}: `{module}` names module `{}` through super",
                                path.display(),
                                name.line,
                                name.text
                            ));
                        }
                    }
                }
            }
            let token = &tokens[at];
            let names_package = is(at + 1, "::") && !follows_path
                || at > 0 && is(at - 1, "use") && (is(at + 1, ";") || is(at + 1, "as"));
            if names_package
                && packages.contains(&token.text)
                && !right.packages.contains(&token.text)
                // A module of the same name (`ledger::redis`) comes through a declared `mod`.
                && !declares(&tokens, &token.text)
            {
                findings.push(format!(
                    "{}:{}: `{module}` names package `{}`",
                    path.display(),
                    token.line,
                    token.text
                ));
            }
        }
    }
    assert!(findings.is_empty(), "not in the table of ARCHITECTURE.md:\n{}", findings.join("\n"));
}

fn declares(tokens: &[Token], name: &str) -> bool {
    tokens.windows(2).any(|pair| pair[0].text == "mod" && pair[1].text == name)
}

#[test]
fn the_table_has_no_module_or_package_that_does_not_exist() {
    let rights = rights();
    let packages = packages();
    let exists = |module: &str| {
        let src = root().join("src");
        src.join(module).is_dir() || src.join(format!("{module}.rs")).is_file()
    };
    for (module, right) in &rights {
        assert!(exists(module), "the table has `{module}`, the sources have not");
        for other in &right.modules {
            assert!(
                rights.contains_key(other),
                "`{module}` may name `{other}`, which is no module"
            );
        }
        for package in &right.packages {
            assert!(packages.contains(package), "`{package}` of `{module}` is not in Cargo.toml");
        }
    }
}

/// Layers below must never name what stands above: the table itself is checked.
#[test]
fn the_table_goes_downwards_only() {
    let rights = rights();
    let layers: Vec<BTreeSet<String>> =
        table("### Layers").into_iter().map(|cells| quoted(&cells[1])).collect();
    let layer = |module: &str| layers.iter().position(|layer| layer.contains(module));
    for (module, right) in &rights {
        let own = layer(module).unwrap_or_else(|| panic!("`{module}` is in no layer"));
        for other in &right.modules {
            let theirs = layer(other).expect("checked by its own row");
            // Layer 4, the processes, never name each other.
            let fine = if own == 3 { theirs < own } else { theirs <= own };
            assert!(fine, "`{module}` may not name `{other}`");
        }
    }
}

#[test]
fn unsafe_stands_in_sys_with_its_reason() {
    let mut findings = Vec::new();
    for (path, text) in sources() {
        let code = code(&text);
        let lines: Vec<&str> = text.lines().collect();
        for token in tokens(&code).iter().filter(|token| token.text == "unsafe") {
            let above = &lines[..token.line - 1];
            let reasoned = above
                .iter()
                .rev()
                .take_while(|line| {
                    let line = line.trim_start();
                    line.starts_with("//") || line.starts_with("#[")
                })
                .any(|line| line.contains("SAFETY:"));
            if module_of(&path) != "sys" {
                findings.push(format!("{}:{}: unsafe outside src/sys", path.display(), token.line));
            } else if !reasoned {
                findings.push(format!("{}:{}: unsafe without SAFETY", path.display(), token.line));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn threads_are_made_in_one_place() {
    let allowed = exceptions("### Where threads are made");
    let mut findings = Vec::new();
    for (path, code) in product() {
        let name = path.display().to_string();
        let tokens = tokens(&code);
        for window in tokens.windows(3) {
            let makes = window[0].text == "thread"
                && window[1].text == "::"
                && ["spawn", "Builder", "scope"].contains(&window[2].text.as_str());
            if makes && !allowed.contains(&name) {
                findings.push(format!("{name}:{}: a thread is made here", window[0].line));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_can_be_read_in_one_sitting() {
    let longer = exceptions("### Files longer than 400 lines");
    let mut findings = Vec::new();
    for (path, text) in sources() {
        let name = path.display().to_string();
        let opening = text.lines().find(|line| !line.starts_with("#![")).unwrap_or_default();
        if !opening.starts_with("//! ") {
            findings.push(format!("{name}:1: does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES && !longer.contains(&name) {
            findings.push(format!("{name}:{lines}: longer than {MOST_LINES} lines"));
        }
    }
    for name in longer {
        let lines = std::fs::read_to_string(root().join(&name)).map(|text| text.lines().count());
        assert!(lines.is_ok_and(|lines| lines > MOST_LINES), "{name} needs no exception any more");
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// Whoever starts the pool may have written anything into the environment: descriptors of another
/// program, a role, a lane. Children get all that they need in their seat; who goes on for another
/// master, from that, if there is one at standard input.
#[test]
fn the_environment_is_read_for_secrets_colours_and_who_started_this_only() {
    // A release has no fail points.
    let allowed = [
        "src/config/values.rs",
        "src/cli/check.rs",
        "src/master/succession/estate.rs",
        "src/sys/failpoint.rs",
        "src/sys/systemd.rs",
    ];
    let mut findings = Vec::new();
    for (path, code) in product() {
        let name = path.display().to_string();
        let tokens = tokens(&code);
        for window in tokens.windows(3) {
            let reads = window[0].text == "env"
                && window[1].text == "::"
                && ["var", "var_os", "vars", "vars_os"].contains(&window[2].text.as_str());
            if reads && !allowed.contains(&&*name) {
                findings.push(format!("{name}:{}: the environment is read", window[0].line));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
