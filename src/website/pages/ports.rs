//! Stratum ports, as the pages show them.

use super::super::text::difficulty;
use crate::config::{Pool, Port, PortTls};

/// A stratum port.
#[derive(Debug, Clone)]
pub(super) struct PortView {
    pub(super) port: u16,
    pub(super) difficulty: String,
    /// Whether it suits itself to the miner.
    pub(super) is_variable: bool,
    pub(super) scheme: &'static str,
    pub(super) is_solo: bool,
    pub(super) tls: PortTls,
}

impl PortView {
    /// What miners' addresses of it begin with.
    pub(super) fn protocol(&self) -> &'static str {
        if self.tls == PortTls::Only { ENCRYPTED } else { "stratum+tcp" }
    }

    /// Whether it speaks TLS, in a word.
    pub(super) fn encryption(&self) -> &'static str {
        match self.tls {
            PortTls::Off => "no",
            PortTls::Both => "if you like",
            PortTls::Only => "always",
        }
    }
}

/// What most miners' addresses begin with for TLS.
pub(super) const ENCRYPTED: &str = "stratum+ssl";

/// A pool's ports.
pub(super) fn ports(pool: &Pool) -> Vec<PortView> {
    let one = |(port, rules): (&u16, &Port)| PortView {
        port: *port,
        difficulty: match &rules.var_diff {
            Some(var) => format!(
                "{}, then {} to {} as fits",
                difficulty(rules.diff),
                difficulty(var.min_diff),
                difficulty(var.max_diff)
            ),
            None => difficulty(rules.diff),
        },
        is_variable: rules.var_diff.is_some(),
        is_solo: rules.scheme.name() == "solo",
        scheme: match rules.scheme.name() {
            "prop" => "by work in the round (PROP)",
            "pplns" => "by the last work (PPLNS)",
            _ => "the finder's (solo)",
        },
        tls: rules.tls,
    };
    pool.ports.iter().map(one).collect()
}
