//! The lines on how new blocks were noticed.

use super::{number, text};
use crate::sys::log::escape;
use serde_json::Value;
use std::fmt::Write as _;

/// `notices: zmq 12 (first 11, +0 ms), ...`: the last lag and, in brackets, the median.
pub(super) fn table(out: &mut String, of: &Value) {
    let Some(sources) = of.get("notices_by").and_then(Value::as_object) else { return };
    if sources.is_empty() {
        return;
    }
    let each: Vec<String> = sources.iter().map(|(source, notice)| one(source, notice)).collect();
    let _ = write!(out, "  notices: {}", each.join(", "));
    if let Some(lag) = of.get("notice_to_work").filter(|lag| lag.is_object()) {
        let _ = write!(
            out,
            "\n  first notice to last worker {} ms (median {})",
            number(lag, "last"),
            number(lag, "median")
        );
    }
    let _ = writeln!(out);
    for (source, notice) in sources {
        if let Some(problem) = notice.get("problem").and_then(Value::as_str) {
            let _ = writeln!(out, "  no notices by {}: {}", escape(source), escape(problem));
        }
    }
}

fn one(source: &str, notice: &Value) -> String {
    let mut words =
        format!("{} {} (first {}", escape(source), text(notice, "blocks"), text(notice, "first"));
    if let Some(lag) = notice.get("lag").filter(|lag| lag.is_object()) {
        let (last, median) = (number(lag, "last"), number(lag, "median"));
        let _ = write!(words, ", +{last} ms, median +{median} ms");
    }
    if number(notice, "missed") > 0 {
        let _ = write!(words, ", missed {}", number(notice, "missed"));
    }
    words.push(')');
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_each_source_and_what_is_wrong() {
        let of = json!({
            "notices_by": {
                "p2p": {"blocks": 0, "first": 0, "lag": null, "missed": 0,
                    "problem": "127.0.0.1:9333: it does not answer"},
                "zmq": {"blocks": 12, "first": 11, "lag": {"last": 2, "median": 0}, "missed": 1,
                    "problem": null},
            },
            "notice_to_work": {"last": 9, "median": 7},
        });
        let mut out = String::new();
        table(&mut out, &of);
        assert_eq!(
            out,
            "  notices: p2p 0 (first 0), zmq 12 (first 11, +2 ms, median +0 ms, missed 1)\n  \
             first notice to last worker 9 ms (median 7)\n  no notices by p2p: 127.0.0.1:9333: it does \
             not answer\n"
        );
        let mut out = String::new();
        table(&mut out, &json!({"notices_by": null}));
        assert_eq!(out, "");
    }
}
