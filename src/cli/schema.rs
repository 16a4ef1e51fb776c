//! `romp schema [config|coin|pool|api]`: JSON Schemas for editors, and the description of the API.

use std::io::Write;

/// Prints the schema of one kind of file, or of all three under their names, or the description of
/// the web site's API. 0, or 2 for a kind that does not exist.
#[must_use]
pub fn run(kind: Option<&str>) -> u8 {
    let all = crate::config::schema();
    let wanted = match kind {
        None => Some(&all),
        Some("api") => Some(crate::website::api_description()),
        Some(kind) => all.get(kind),
    };
    let Some(schema) = wanted else {
        let known = "config, coin and pool";
        let _ =
            writeln!(std::io::stderr(), "error: no such kind of file; there are {known}, and api");
        return 2;
    };
    let Ok(text) = serde_json::to_string_pretty(schema) else { return 1 };
    // `romp schema | head` closes the pipe early; that is no failure.
    let _ = writeln!(std::io::stdout(), "{text}");
    0
}
