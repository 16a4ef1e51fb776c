//! What a share earns, by the port that it came through.

use super::coin::Coin;
use crate::chain::Work;
use crate::config::{Port, RewardScheme};
use crate::rewards::Scheme;
use crate::stratum::Unit;

impl Coin {
    /// What a share earns on one of the pool's ports. A port that was taken out of the
    /// configuration meanwhile earned as the pool's others do.
    pub(crate) fn scheme(&self, port: u16, work: &Work) -> Scheme {
        let ports = &self.pool.ports;
        let shared = |port: &&Port| port.scheme != RewardScheme::Solo;
        let port = ports.get(&port).or_else(|| ports.values().find(shared));
        match port.map_or(RewardScheme::Solo, |port| port.scheme) {
            RewardScheme::Prop => Scheme::Prop,
            RewardScheme::Solo => Scheme::Solo,
            RewardScheme::Pplns { window } => {
                let shift = work.plan.algorithm.multiplier_shift();
                let network = work.target.difficulty() * f64::from(shift).exp2();
                let window = self.unit.weight_of(network * window);
                if window == Unit::MOST && !self.told_of_window.replace(true) {
                    log::error!(
                        "{}: the window of `pplnsWindow` is more work than can be counted beside \
                         the smallest difficulty of the pool's ports: it is cut short. Raise `diff` \
                         or `minDiff` of the port that has it; the ledger keeps its unit until it \
                         is made anew",
                        self.id()
                    );
                }
                Scheme::Pplns { window }
            }
        }
    }
}
