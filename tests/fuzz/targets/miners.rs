//! What the targets of stratum share: ports, work, and the reading of what the pool wrote.

use romp::chain::Work;
use romp::stratum::{Difficulty, PortRules, Unit, VarDiffRules};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Unit of all difficulties here.
pub(crate) const UNIT: Unit = Unit(-10);

/// Three ports: with vardiff; fixed, without version rolling; narrow, with a longer extranonce2.
pub(crate) fn rules(which: u8) -> PortRules {
    let vardiff = |min: f64, max: f64| VarDiffRules {
        min: Difficulty::nearest(min, UNIT),
        max: Difficulty::nearest(max, UNIT),
        target_time: 15.0,
        retarget_time: 90.0,
        variance_percent: 30.0,
        x2_mode: which == 2,
    };
    PortRules {
        unit: UNIT,
        shift: 0,
        start: Difficulty::nearest(1024.0, UNIT),
        var_diff: match which {
            0 => Some(vardiff(8.0, 4096.0)),
            1 => None,
            _ => Some(vardiff(512.0, 600.0)),
        },
        extranonce2_size: if which == 2 { 8 } else { 4 },
        version_mask: if which == 1 { 0 } else { 0x1fff_e000 },
        connection_timeout_ms: 600_000,
        limits: romp::stratum::SessionLimits::default(),
    }
}

/// The lowest and the highest difficulty that a port may ever give.
pub(crate) fn bounds(rules: &PortRules) -> (u64, u64) {
    match &rules.var_diff {
        Some(var_diff) => (var_diff.min.weight, var_diff.max.weight),
        None => (rules.start.weight, 1 << 53),
    }
}

/// Work of the transcripts in tests/transcripts, for a port's extranonce2.
pub(crate) fn work(extranonce2_size: u8) -> Work {
    serde_json::from_value(serde_json::json!({
        "plan": {
            "coin": "litecoin", "network": "regtest", "algorithm": "sha256", "pool_script": "",
            "recipients": [], "tag": "/romp/", "extranonce2_size": extranonce2_size,
            "tx_message": null,
        },
        "height": 500,
        "previous": "0123456789abcdef00112233445566778899aabbccddeeff0f1e2d3c4b5a6978",
        "version": 2,
        "bits": 0x207f_ffff,
        "target": "7fffff0000000000000000000000000000000000000000000000000000000000",
        "time": 1_399_999_999,
        "min_time": 1_399_999_000,
        "coinbase_before": "0100",
        "coinbase_after": "00ff",
        "witness": false,
        "branch": ["11".repeat(32), format!("aa{}", "00".repeat(31))],
        "transactions": 0,
        "coinbase_value": 5_000_000_000_u64,
        "pool_value": 5_000_000_000_u64,
        "clean": false,
    }))
    .expect("work")
}

/// What the pool wrote, line by line: each must be a whole line that is a JSON object.
pub(crate) fn lines(out: &[u8]) -> Vec<Value> {
    assert!(out.is_empty() || out.ends_with(b"\n"), "half a line was written");
    let text = std::str::from_utf8(out).expect("the pool writes UTF-8");
    let read = |line: &str| {
        let value = read(line).unwrap_or_else(|| panic!("no JSON was written: {line}"));
        assert!(value.is_object(), "no object was written: {line}");
        value
    };
    text.lines().map(read).collect()
}

/// A text as JSON. What is JSON and has no value here (`1e999`, a lone surrogate) becomes a string
/// as it is written: the pool echoes ids, and never looks at their value.
pub(crate) fn read(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let text = raw.get();
    Some(match text.as_bytes().first()? {
        b'[' => {
            let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            list.into_iter().map(|raw| read(raw.get())).collect::<Option<Vec<Value>>>()?.into()
        }
        b'{' => {
            let map: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            let pairs = map.into_iter().map(|(key, raw)| Some((key, read(raw.get())?)));
            Value::Object(pairs.collect::<Option<_>>()?)
        }
        _ => Value::from(text),
    })
}

/// Whether a written line answers a request (and is not told unasked).
pub(crate) fn is_answer(line: &Value) -> bool {
    line.get("method").is_none()
}
