//! The lines that the pool writes. Keys in NOMP's order; always both `result` and `error`.

use super::{Difficulty, Reject};
use crate::chain::hex_encode;

/// Text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Answers with a result (raw JSON). An empty id is never answered.
pub(super) fn result(out: &mut Vec<u8>, id: &str, result: &str) {
    answer(out, id, result, "null");
}

/// Answers with an error; the result is `null`.
pub(super) fn error(out: &mut Vec<u8>, id: &str, code: u8, words: &str) {
    answer(out, id, "null", &format!("[{code},{},null]", quoted(words)));
}

/// Refuses a share.
pub(super) fn reject(out: &mut Vec<u8>, id: &str, reject: Reject) {
    error(out, id, reject.code(), reject.words());
}

/// Answers with both fields as raw JSON.
pub(super) fn answer(out: &mut Vec<u8>, id: &str, result: &str, error: &str) {
    if !id.is_empty() {
        for part in ["{\"id\":", id, ",\"result\":", result, ",\"error\":", error] {
            out.extend_from_slice(part.as_bytes());
        }
        line(out, "}");
    }
}

/// Tells something unasked; the parameters are raw JSON.
pub(super) fn notification(out: &mut Vec<u8>, method: &str, params: &str) {
    line(out, &format!("{{\"id\":null,\"method\":\"{method}\",\"params\":[{params}]}}"));
}

/// `mining.set_difficulty`, in plain decimals: some miners know no exponents.
pub(super) fn set_difficulty(out: &mut Vec<u8>, difficulty: Difficulty) {
    notification(out, "mining.set_difficulty", &difficulty.as_f64().to_string());
}

/// `mining.set_extranonce`.
pub(super) fn set_extranonce(out: &mut Vec<u8>, extranonce1: [u8; 4], extranonce2_size: u8) {
    let params = format!("\"{}\",{extranonce2_size}", hex_encode(&extranonce1));
    notification(out, "mining.set_extranonce", &params);
}

/// `mining.set_version_mask` (BIP 310).
pub(super) fn set_version_mask(out: &mut Vec<u8>, mask: u32) {
    notification(out, "mining.set_version_mask", &format!("\"{mask:08x}\""));
}

fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stratum::Unit;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn null_ids_are_not_answered() {
        assert_eq!(text(|out| result(out, "", "true")), "");
        assert_eq!(text(|out| error(out, "", 20, "no")), "");
    }

    #[test]
    fn difficulties_are_plain_decimals() {
        let told = |difficulty: f64, unit: i8| {
            text(|out| set_difficulty(out, Difficulty::nearest(difficulty, Unit(unit))))
        };
        let line = |number: &str| {
            format!("{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{number}]}}\n")
        };
        assert_eq!(told(1024.0, -10), line("1024"));
        assert_eq!(told(0.5, -10), line("0.5"));
        assert_eq!(told(2f64.powi(-30), -40), line("0.0000000009313225746154785"));
        assert_eq!(told(1e15, 0), line("1000000000000000"));
    }

    #[test]
    fn words_are_escaped() {
        assert_eq!(
            text(|out| error(out, "\"a\"", 24, "say \"no\"\n")),
            "{\"id\":\"a\",\"result\":null,\"error\":[24,\"say \\\"no\\\"\\n\",null]}\n"
        );
    }
}
