//! Bans: charges of workers wait a moment for somebody who vouches, then hold everywhere, longer
//! each time. Kept over a restart in a small file. Operators see, add and lift them.

use super::Master;
use super::nftables::Nftables;
use crate::config::limits::{network, widest};
use crate::ipc::Message;
use crate::net::bans::{Ban, Bans};
use crate::sys::clock::unix_ms;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Milliseconds for which a charge waits. Workers answer within a turn, 50 ms.
const VOUCH_MS: u64 = 500;
/// Charges that wait at a time; more are left to be made again.
const MOST_CHARGES: usize = 10_000;
/// Milliseconds for which a ban that is over is remembered: whoever comes again within them is
/// banned twice as long.
const MEMORY_MS: u64 = 24 * 3_600_000;
/// Least milliseconds between two writes of the file.
const SAVE_MS: u64 = 5000;
/// Bans in the file, those that end last: 1 MB, written in some milliseconds.
const MOST_SAVED: usize = 10_000;
/// Letters of a reason.
const REASON: usize = 200;

/// A charge that waits.
#[derive(Debug)]
struct Charge {
    /// Monotonic milliseconds.
    due: u64,
    time: u64,
    most: u64,
    reason: String,
}

/// Charges, and the file.
#[derive(Debug, Default)]
pub(super) struct Court {
    charges: BTreeMap<IpNet, Charge>,
    /// What is in the file is out of date.
    changed: bool,
    saved_at: u64,
    failed: bool,
    /// The kernel, which is told of bans if it is wanted.
    pub(super) nftables: Nftables,
}

/// A ban in the file and in `romp bans`.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    network: IpNet,
    /// Unix milliseconds; absent: until it is lifted.
    until: Option<u64>,
    offences: u32,
    reason: String,
}

impl Entry {
    fn new((network, ban): (&IpNet, &Ban)) -> Self {
        let until = (ban.until < u64::MAX).then_some(ban.until);
        let Ban { offences, reason, .. } = ban.clone();
        Self { network: *network, until, offences, reason }
    }

    fn ban(self) -> (IpNet, Ban) {
        let Self { network, until, offences, reason } = self;
        (network.trunc(), Ban { until: until.unwrap_or(u64::MAX), offences, reason })
    }
}

/// Bans in words for another master, and what one understands of them.
pub(super) fn written(bans: &Bans) -> Value {
    json!(bans.all().map(Entry::new).collect::<Vec<_>>())
}

/// See [`written`].
pub(super) fn read(written: Value) -> Bans {
    let entries: Vec<Entry> = serde_json::from_value(written).unwrap_or_default();
    collected(entries.into_iter())
}

fn collected(entries: impl Iterator<Item = Entry>) -> Bans {
    let mut bans = Bans::new(MEMORY_MS);
    for (network, ban) in entries.map(Entry::ban) {
        bans.add(network, ban);
    }
    bans
}

impl Court {
    /// A ban was spoken or lifted.
    fn has_changed(&mut self, network: IpNet) {
        self.changed = true;
        self.nftables.has_changed(network);
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("bans.json")
}

/// What an earlier master left, without the bans of workers when there is no banning any more.
pub(super) fn load(data_dir: &Path, has_banning: bool) -> Bans {
    let mut bans = Bans::new(MEMORY_MS);
    let path = file(data_dir);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return bans,
        Err(error) => {
            log::warn!("{}: {error}; bans of before are forgotten", path.display());
            return bans;
        }
    };
    match serde_json::from_slice::<Vec<Entry>>(&text) {
        Ok(entries) => {
            let kept = entries.into_iter().filter(|entry| has_banning || entry.offences == 0);
            bans = collected(kept.take(MOST_SAVED));
            bans.expire(unix_ms());
        }
        Err(error) => {
            log::warn!("{}: {error}; bans of before are forgotten", path.display());
        }
    }
    bans
}

fn save(data_dir: &Path, bans: &Bans) -> io::Result<()> {
    let entries: Vec<Entry> = bans.all().take(MOST_SAVED).map(Entry::new).collect();
    let (path, new) = (file(data_dir), data_dir.join("bans.json.new"));
    // A power cut may cost the last bans: nothing waits for the disk here.
    fs::write(&new, serde_json::to_vec(&entries).map_err(io::Error::other)?)?;
    fs::rename(new, path)
}

impl Master {
    /// A worker's charge: the others are asked.
    pub(super) fn charged(
        &mut self,
        row: usize,
        network: IpNet,
        (time, most): (u64, u64),
        reason: String,
        now: u64,
    ) {
        let address = network.addr();
        // Half of the witnesses are another master's: it is charged again if it goes on.
        if !self.succession.has_all_miners() {
            return;
        }
        let is_banned = self.kept.bans.find(&address, unix_ms()).is_some();
        let is_waiting = self.court.charges.contains_key(&network);
        if is_banned || is_waiting || self.court.charges.len() >= MOST_CHARGES {
            return;
        }
        let message = Message::Charge { network, time, most, reason: reason.clone() };
        self.send_to_workers(&message, &[], Some(row));
        let due = now.saturating_add(VOUCH_MS);
        self.court.charges.insert(network, Charge { due, time, most, reason });
    }

    /// A worker vouches: the charge falls.
    pub(super) fn vouched(&mut self, network: &IpNet) {
        if self.court.charges.remove(network).is_some() {
            log::debug!("{network}: not banned: others there mine well");
        }
    }

    /// Bans whom nobody has vouched for; forgets ended bans; saves.
    pub(super) fn judge(&mut self, now: u64) {
        if !self.succession.is_master() {
            return;
        }
        let unix = unix_ms();
        self.kept.bans.expire(unix);
        let charges = &mut self.court.charges;
        let due: Vec<(IpNet, Charge)> = charges.extract_if(.., |_, it| it.due <= now).collect();
        for (network, charge) in due {
            let Charge { time, most, reason, .. } = charge;
            let banned = self.kept.bans.offend(network, time, most, reason.clone(), unix);
            let Some(ban) = banned else { continue };
            let (until, offences) = (ban.until, ban.offences);
            log::warn!(
                "{network}: banned for {} s: {reason} (ban number {offences} within a day); `romp \
                 bans remove {network}` lifts it",
                until.saturating_sub(unix) / 1000
            );
            self.send_to_workers(&Message::Ban { network, until }, &[], None);
            self.court.has_changed(network);
        }
        self.tell_nftables(now);
        if self.court.changed && now.saturating_sub(self.court.saved_at) >= SAVE_MS {
            self.court.saved_at = now;
            self.save_bans();
        }
    }

    /// Writes the file, if something has changed.
    pub(super) fn save_bans(&mut self) {
        if !std::mem::take(&mut self.court.changed) {
            return;
        }
        let saved = save(&self.config.data_dir, &self.kept.bans);
        if let Err(error) = &saved
            && !self.court.failed
        {
            let path = file(&self.config.data_dir);
            log::warn!("{}: {error}; bans will not outlive this run", path.display());
        }
        self.court.failed = saved.is_err();
    }

    /// There is no banning any more: what workers banned is lifted.
    pub(super) fn lift_workers_bans(&mut self) {
        self.court.charges.clear();
        let theirs = self.kept.bans.all().filter(|(_, ban)| ban.offences > 0);
        let theirs: Vec<IpNet> = theirs.map(|(network, _)| *network).collect();
        for network in theirs {
            self.lift(&network);
        }
    }

    pub(super) fn lift(&mut self, network: &IpNet) -> bool {
        for line in self.lines.values_mut() {
            line.bans.retain(|(waiting, _)| waiting != network);
        }
        let known = self.kept.bans.remove(network);
        if known {
            self.court.has_changed(*network);
            self.send_to_workers(&Message::Unban { network: *network }, &[], None);
        }
        known
    }

    /// `romp bans list`.
    pub(super) fn list_bans(&self) -> Value {
        let bans: Vec<Entry> = self.kept.bans.living(unix_ms()).map(Entry::new).collect();
        json!({ "bans": bans, "nftables": self.show_nftables() })
    }

    /// `romp bans add`.
    pub(super) fn add_ban(&mut self, text: &str, seconds: Option<u64>, reason: &str) -> Value {
        let network = match network(text).and_then(|network| self.may_be_banned(network)) {
            Ok(network) => network,
            Err(why) => return json!({ "error": format!("`{text}` {why}") }),
        };
        let time = seconds.map(|seconds| seconds.saturating_mul(1000));
        let until = time.map_or(u64::MAX, |time| unix_ms().saturating_add(time));
        let reason: String = reason.chars().take(REASON).collect();
        // The new one counts, also when it is shorter.
        self.lift(&network);
        self.kept.bans.add(network, Ban { until, offences: 0, reason });
        self.court.has_changed(network);
        self.send_to_workers(&Message::Ban { network, until }, &[], None);
        log::warn!("{network}: banned by the operator");
        json!({ "network": network })
    }

    fn may_be_banned(&self, network: IpNet) -> Result<IpNet, String> {
        let widest = widest(&network);
        if network.prefix_len() < widest {
            return Err(format!("is more than /{widest}: too wide to be meant"));
        }
        if self.config.limits.is_exempt_network(&network) {
            return Err(
                "is never banned: it is loopback, a trusted proxy, or in `limits.allow` of \
                        config.json"
                    .to_owned(),
            );
        }
        Ok(network)
    }

    /// `romp bans remove`.
    pub(super) fn remove_ban(&mut self, text: &str) -> Value {
        let network = match network(text) {
            Ok(network) => network,
            Err(why) => return json!({ "error": format!("`{text}` {why}") }),
        };
        if self.lift(&network) {
            log::warn!("{network}: the ban is lifted by the operator");
            return json!({ "network": network });
        }
        let wider = self.kept.bans.find(&network.addr(), unix_ms());
        let hint = wider.map_or_else(String::new, |(wider, _)| format!("; {wider} is"));
        json!({ "error": format!("{network} is not banned{hint}") })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn bans_outlive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let ban = |until, offences| Ban { until, offences, reason: "why".to_owned() };
        let later = unix_ms() + 60_000;
        let mut bans = load(dir.path(), true);
        bans.add(net("192.0.2.1/32"), ban(later, 3));
        bans.add(net("192.0.2.2/32"), ban(unix_ms() - 1000, 2));
        bans.add(net("192.0.2.3/32"), ban(1, 1));
        bans.add(net("2001:db8::/32"), ban(u64::MAX, 0));
        save(dir.path(), &bans).unwrap();
        let again = load(dir.path(), true);
        let all: Vec<_> = again.all().map(|(network, ban)| (*network, ban.clone())).collect();
        assert_eq!(all.len(), 3, "what ended within the day is remembered: {all:?}");
        assert_eq!(all[0], (net("2001:db8::/32"), ban(u64::MAX, 0)));
        assert_eq!(all[1], (net("192.0.2.1/32"), ban(later, 3)));
        assert_eq!(load(dir.path(), false).all().count(), 1, "without banning the operator's only");
        fs::write(file(dir.path()), b"[{\"network\":").unwrap();
        assert_eq!(load(dir.path(), true).all().count(), 0);
    }
}
