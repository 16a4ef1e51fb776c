//! What programs say in short, said so that a miner knows what to do.

/// A daemon's and the templates' state.
pub(super) fn state(name: Option<&str>) -> (&'static str, &'static str) {
    match name {
        Some("fresh") => ("mining", "good"),
        Some("syncing") => ("the daemon is catching up with the chain", "warn"),
        Some("stale") => ("no usable daemon now", "bad"),
        Some("unattended") => ("mining, without news of the chain", "warn"),
        Some("waiting") => ("waiting for a daemon", "warn"),
        _ => ("unknown", "warn"),
    }
}
