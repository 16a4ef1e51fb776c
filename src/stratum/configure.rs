//! `mining.configure` (BIP 310): extensions that a miner asks for before it subscribes.

use super::request::{Param, Request};
use super::session::bad_params;
use super::submit::hex_u32;
use super::{Action, Difficulty, PortRules, Session, reply};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Most extensions and most options of one request.
const MOST: usize = 16;
/// Longest name of an extension that is echoed, bytes.
const CODE_BYTES: usize = 64;

type Options<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The extensions' names and their options; `None` when they are not in the form of BIP 310.
fn read<'a>(params: &[Param<'a>]) -> Option<(Vec<String>, Options<'a>)> {
    let codes: Vec<String> = match params.first() {
        Some(Param::Nested(raw)) => serde_json::from_str(raw.get()).ok()?,
        _ => return None,
    };
    let options: Options<'a> = match params.get(1) {
        Some(Param::Nested(raw)) => serde_json::from_str(raw.get()).ok()?,
        _ => Options::new(),
    };
    let sound = codes.len() <= MOST
        && options.len() <= MOST
        && codes.iter().all(|code| code.len() <= CODE_BYTES);
    sound.then_some((codes, options))
}

/// A number of options as Antminer (a number) or others (hex text) write it.
fn bits(raw: Option<&&RawValue>) -> u32 {
    match raw.and_then(|raw| Param::read(raw)) {
        Some(Param::Number(text)) => text.parse().unwrap_or(u32::MAX),
        Some(Param::Text(text)) => hex_u32(&text, 1..=8).unwrap_or(u32::MAX),
        _ => 0,
    }
}

impl Session {
    /// `mining.configure`: every extension that is named gets its answer.
    pub(super) fn configure(
        &mut self,
        request: &Request<'_>,
        params: &[Param<'_>],
        rules: &PortRules,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        let Some((mut codes, options)) = read(params) else {
            return bad_params(request.id, out);
        };
        let mut seen = std::collections::BTreeSet::new();
        codes.retain(|code| seen.insert(code.clone()));
        let mut actions = Vec::new();
        let mut fields = Vec::new();
        for code in &codes {
            let granted = match code.as_str() {
                "version-rolling" => {
                    let granted = self.roll(&options, rules);
                    if granted {
                        let mask = self.version_mask;
                        fields.push(format!("\"version-rolling.mask\":\"{mask:08x}\""));
                    }
                    granted
                }
                "minimum-difficulty" => {
                    let value = options.get("minimum-difficulty.value");
                    let value = value.and_then(|raw| Param::read(raw)?.number());
                    let value = value.filter(|&value| value > 0.0);
                    if let Some(value) = value {
                        self.minimum = Some(Difficulty::nearest(value, rules.unit));
                        actions = self.want(self.difficulty, rules);
                    }
                    value.is_some()
                }
                "subscribe-extranonce" => {
                    self.knows_extranonce = true;
                    true
                }
                "info" => true,
                _ => false,
            };
            fields.push(format!("{}:{granted}", reply::quoted(code)));
        }
        reply::result(out, request.id, &format!("{{{}}}", fields.join(",")));
        actions
    }

    /// Version rolling: the bits that both sides allow; refused when too few are left.
    fn roll(&mut self, options: &Options<'_>, rules: &PortRules) -> bool {
        let wanted = match options.get("version-rolling.mask").map(|raw| Param::read(raw)) {
            None => Some(u32::MAX),
            Some(Some(Param::Text(mask))) => hex_u32(&mask, 8..=8),
            Some(_) => None,
        };
        let mask = wanted.unwrap_or(0) & rules.version_mask;
        let fewest = bits(options.get("version-rolling.min-bit-count")).max(1);
        let granted = mask.count_ones() >= fewest;
        self.wanted_mask = if granted { wanted.unwrap_or(0) } else { 0 };
        self.version_mask = if granted { mask } else { 0 };
        self.tell_mask = false;
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_counts_come_as_numbers_or_hex() {
        let raw = |text: &str| RawValue::from_string(text.to_owned());
        for (text, count) in [("2", 2), ("\"2\"", 2), ("\"0000000a\"", 10), ("99", 99)] {
            assert!(raw(text).is_ok_and(|raw| bits(Some(&&*raw)) == count), "{text}");
        }
        assert!(raw("-1").is_ok_and(|raw| bits(Some(&&*raw)) == u32::MAX));
        assert_eq!(bits(None), 0);
    }
}
