//! How shares earn: `rewardScheme` of a pool and of its ports, and `pplnsWindow`.

use super::checked::RewardScheme;
use super::raw::RawPool;
use super::values::{Judge, Keys};

/// `pplnsWindow` where nothing is said: work that finds two blocks on the average.
const WINDOW: f64 = 2.0;

/// The scheme of ports that name none.
pub(super) fn pool(raw: &RawPool, keys: &Keys<'_>, judge: &mut Judge<'_>) -> RewardScheme {
    let bounds = 0.01..=1000.0;
    let window = judge.number(keys, &["pplnsWindow"], raw.pplns_window, WINDOW, &bounds);
    let path = ["rewardScheme"];
    let scheme = match raw.reward_scheme.as_deref() {
        None | Some("prop") => RewardScheme::Prop,
        Some("pplns") => RewardScheme::Pplns { window },
        Some("solo") => RewardScheme::Solo,
        Some(_) => {
            let hint = "must be \"prop\", \"pplns\" or \"solo\"";
            judge.report.error(&keys.at(&path), "unknown reward scheme", hint);
            RewardScheme::Prop
        }
    };
    if raw.pplns_window.is_some() && !matches!(scheme, RewardScheme::Pplns { .. }) {
        let hint = "add `\"rewardScheme\": \"pplns\"`, or take it out";
        judge.report.warning(&keys.key(&["pplnsWindow"]), "`pplnsWindow` has no effect", hint);
    }
    scheme
}

/// The scheme of the port at `path`: its pool's, or solo. Ports that share a round or a window
/// cannot split it in two ways.
pub(super) fn port(
    written: Option<&str>,
    of_pool: RewardScheme,
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) -> RewardScheme {
    match written {
        None => of_pool,
        Some("solo") => RewardScheme::Solo,
        Some(name) if name == of_pool.name() => of_pool,
        Some(_) => {
            let title = "a port's reward scheme is \"solo\", or that of its pool";
            let hint = format!("the pool's `rewardScheme` is \"{}\"", of_pool.name());
            let at = keys.at(&[path, &["rewardScheme"]].concat());
            judge.report.error(&at, title, &hint);
            of_pool
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::over_base;
    use super::*;
    use crate::config::load;

    /// The schemes of the base pool's ports, with more keys and more for its first port.
    fn schemes(keys: &str, port: &str) -> Result<(Vec<RewardScheme>, Vec<String>), String> {
        let base = include_str!("../../tests/configs/base/pool_configs/litecoin.json");
        let text = base.replacen('{', &format!("{{{keys}"), 1);
        let text = text.replacen("\"diff\":", &format!("{port}\"diff\":"), 1);
        let loaded = load(over_base(&[("pool_configs/litecoin.json", &text)]).path());
        let config = loaded.config.ok_or_else(|| loaded.errors.join("\n"))?;
        let pool = config.pools.into_values().next().unwrap();
        Ok((pool.ports.into_values().map(|port| port.scheme).collect(), loaded.warnings))
    }

    #[test]
    fn ports_have_their_pools_scheme_or_are_solo() {
        let first = |keys: &str, port: &str| *schemes(keys, port).unwrap().0.first().unwrap();
        let pplns = r#""rewardScheme": "pplns", "#;
        let window = RewardScheme::Pplns { window: 2.0 };
        assert_eq!(first("", ""), RewardScheme::Prop);
        assert_eq!(first(pplns, ""), window);
        assert_eq!(first(pplns, r#""rewardScheme": "pplns", "#), window);
        assert_eq!(first(pplns, r#""rewardScheme": "solo", "#), RewardScheme::Solo);
        assert_eq!(first(r#""rewardScheme": "solo", "#, ""), RewardScheme::Solo);
        let half = r#""rewardScheme": "pplns", "pplnsWindow": 0.5, "#;
        assert_eq!(first(half, ""), RewardScheme::Pplns { window: 0.5 });
        assert!(schemes("", r#""rewardScheme": "pplns", "#).unwrap_err().contains("\"solo\", or"));
        assert!(schemes(r#""rewardScheme": "pps", "#, "").unwrap_err().contains("\"pplns\" or"));
        assert!(schemes(r#""pplnsWindow": 0, "#, "").unwrap_err().contains("pplnsWindow"));
        let (_, warnings) = schemes(r#""pplnsWindow": 3, "#, "").unwrap();
        assert!(warnings.iter().any(|words| words.contains("no effect")), "{warnings:?}");
    }
}
