//! How many connections an address has over all workers, and how fast they come; and how many an
//! account has.
//!
//! All workers accept from one socket, so that none knows of more than its part. Each writes a
//! table of its own on a shared page, and asks all tables. The tables are count-min sketches: two
//! rows of cells, an address has one cell in each, and the smaller one counts. Other addresses may
//! share a cell, so a count may be too high by what falls there by chance (20,000 connections of
//! as many addresses: 4 on average), never too low, and two workers that accept at the same moment
//! may let one too many in. The key of the hash is drawn before the first fork: nobody outside can
//! make addresses collide.

use crate::sys::random;
use crate::sys::shared::Shared;
use siphasher::sip::SipHasher13;
use std::array;
use std::hash::{Hash, Hasher};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

/// Cells of a row.
const CELLS: usize = 4096;
/// Rows.
const ROWS: usize = 2;
/// Milliseconds of a window over which newcomers are counted.
const WINDOW_MS: u64 = 10_000;
/// Most newcomers of one window that a cell can hold.
const MOST: u32 = 0x3ff;
/// Limits of newcomers above this would never be reached: what a cell holds, and some for the part
/// of a window that has passed.
pub const MOST_CAME: u32 = 1000;

/// One worker's counts.
#[derive(Debug)]
#[repr(C, align(64))]
struct Table {
    /// Connections that are here.
    here: [[AtomicU16; CELLS]; ROWS],
    /// Newcomers: number of the window (12 bits), count of the one before (10), of this one (10).
    came: [[AtomicU32; CELLS]; ROWS],
    /// Connections that mine for an account. Apart: a farm of thousands must not count for others'
    /// addresses.
    accounts: [[AtomicU16; CELLS]; ROWS],
}

impl Default for Table {
    fn default() -> Self {
        Self {
            here: array::from_fn(|_| array::from_fn(|_| AtomicU16::default())),
            came: array::from_fn(|_| array::from_fn(|_| AtomicU32::default())),
            accounts: array::from_fn(|_| array::from_fn(|_| AtomicU16::default())),
        }
    }
}

/// A key of SipHash-1-3.
pub type Keys = [u8; 16];

/// All workers' tables.
#[derive(Debug)]
pub struct Crowd {
    tables: Shared<Table>,
    keys: Keys,
}

/// A set of addresses that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    /// An IPv4 address, or an IPv6 /64: what one customer has.
    Address(u128),
    /// An IPv6 /48: what one site has.
    Site(u128),
}

impl Group {
    fn address(address: &IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(u128::from(address.to_bits())),
            // Below 2^32 stands no /64.
            IpAddr::V6(address) => Self::Address(address.to_bits() >> 64 << 64),
        }
    }

    fn site(address: &IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(Self::Site(address.to_bits() >> 80 << 80)),
        }
    }

    /// All that an address counts for.
    fn of(address: &IpAddr) -> impl Iterator<Item = Self> + use<> {
        std::iter::once(Self::address(address)).chain(Self::site(address))
    }
}

impl Crowd {
    pub(super) fn new(slots: usize) -> io::Result<Self> {
        Ok(Self { tables: Shared::new("crowd", slots)?, keys: random::bytes()? })
    }

    pub(super) fn attach(file: OwnedFd, slots: usize, keys: Keys) -> io::Result<Self> {
        Ok(Self { tables: Shared::attach(file, slots)?, keys })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.tables.as_fd()
    }

    /// What the hash is keyed with, for whoever attaches it.
    #[must_use]
    pub const fn keys(&self) -> Keys {
        self.keys
    }

    fn cells<'a, T>(
        &self,
        rows: &'a [[T; CELLS]; ROWS],
        group: Group,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        cells_of(rows, self.key(&group))
    }

    /// The key of whatever is counted; the same in all processes of this pool, and only there.
    pub fn key(&self, what: &impl Hash) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.keys);
        what.hash(&mut hasher);
        hasher.finish()
    }

    /// For the slot's owner: a connection mines for the account of that key.
    pub fn enter_account(&self, slot: usize, key: u64) {
        let Some(table) = self.tables.as_slice().get(slot) else { return };
        for cell in cells_of(&table.accounts, key) {
            cell.store(cell.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        }
    }

    /// For the slot's owner: it does no more.
    pub fn leave_account(&self, slot: usize, key: u64) {
        let Some(table) = self.tables.as_slice().get(slot) else { return };
        for cell in cells_of(&table.accounts, key) {
            cell.store(cell.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        }
    }

    /// Connections that mine for the account of that key.
    pub fn account(&self, key: u64) -> u32 {
        self.sum(|table| &table.accounts, key)
    }

    /// For the slot's owner: a connection is here, as a newcomer of `now` (monotonic ms).
    pub fn enter(&self, slot: usize, address: &IpAddr, now: u64) {
        let Some(table) = self.tables.as_slice().get(slot) else { return };
        self.move_in(slot, address);
        for group in Group::of(address) {
            for cell in self.cells(&table.came, group) {
                let (before, this) = counts(cell.load(Ordering::Relaxed), now);
                let number = window(now) << 20;
                cell.store(number | before << 10 | (this + 1).min(MOST), Ordering::Relaxed);
            }
        }
    }

    /// For the slot's owner: a connection of another slot goes on here.
    pub fn move_in(&self, slot: usize, address: &IpAddr) {
        let Some(table) = self.tables.as_slice().get(slot) else { return };
        for cell in Group::of(address).flat_map(|group| self.cells(&table.here, group)) {
            cell.store(cell.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        }
    }

    /// For the slot's owner: a connection that entered is gone.
    pub fn leave(&self, slot: usize, address: &IpAddr) {
        let Some(table) = self.tables.as_slice().get(slot) else { return };
        for cell in Group::of(address).flat_map(|group| self.cells(&table.here, group)) {
            cell.store(cell.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        }
    }

    /// Forgets everything of a slot: its owner is new, or dead.
    pub fn clear(&self, slot: usize) {
        let Some(table) = self.tables.as_slice().get(slot) else { return };
        table.here.iter().flatten().for_each(|cell| cell.store(0, Ordering::Relaxed));
        table.came.iter().flatten().for_each(|cell| cell.store(0, Ordering::Relaxed));
        table.accounts.iter().flatten().for_each(|cell| cell.store(0, Ordering::Relaxed));
    }

    /// Connections of the address's IPv4 address or IPv6 /64, and of its IPv6 /48 (else 0).
    pub fn here(&self, address: &IpAddr) -> (u32, u32) {
        let site = Group::site(address).map_or(0, |site| self.count(site));
        (self.count(Group::address(address)), site)
    }

    fn count(&self, group: Group) -> u32 {
        self.sum(|table| &table.here, self.key(&group))
    }

    fn sum(&self, rows: fn(&Table) -> &[[AtomicU16; CELLS]; ROWS], key: u64) -> u32 {
        let tables = self.tables.as_slice().iter();
        tables
            .map(|table| {
                let cells = cells_of(rows(table), key);
                cells.map(|cell| u32::from(cell.load(Ordering::Relaxed))).min().unwrap_or(0)
            })
            .sum()
    }

    /// Newcomers within the last ten seconds of what [`Crowd::here`] counts. Of the window that
    /// has passed as much is counted as ten seconds still reach into it.
    pub fn came(&self, address: &IpAddr, now: u64) -> (u32, u32) {
        let site = Group::site(address).map_or(0, |site| self.arrivals(site, now));
        (self.arrivals(Group::address(address), now), site)
    }

    fn arrivals(&self, group: Group, now: u64) -> u32 {
        let reach = u32::try_from(WINDOW_MS - now % WINDOW_MS).unwrap_or(0);
        let tables = self.tables.as_slice().iter();
        tables
            .map(|table| {
                let cells = self.cells(&table.came, group).map(|cell| {
                    let (before, this) = counts(cell.load(Ordering::Relaxed), now);
                    this + before * reach / 10_000
                });
                cells.min().unwrap_or(0)
            })
            .sum()
    }
}

/// The cells of a key, one in each row.
fn cells_of<T>(rows: &[[T; CELLS]; ROWS], key: u64) -> impl Iterator<Item = &T> {
    let place = |bits: u64| usize::try_from(bits % CELLS as u64).unwrap_or(0);
    let places: [usize; ROWS] = [place(key), place(key >> 32)];
    rows.iter().zip(places).filter_map(|(row, place)| row.get(place))
}

/// The number of a moment's window, 12 bits: it comes again after eleven hours.
fn window(now: u64) -> u32 {
    u32::try_from(now / WINDOW_MS % 0x1000).unwrap_or(0)
}

/// What a cell says at a moment: newcomers of the window before and of this one.
fn counts(cell: u32, now: u64) -> (u32, u32) {
    let (number, before, this) = (cell >> 20, cell >> 10 & MOST, cell & MOST);
    match window(now).wrapping_sub(number) & 0xfff {
        0 => (before, this),
        1 => (this, 0),
        _ => (0, 0),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn connections_are_counted_over_all_slots_by_what_one_customer_has() {
        let crowd = Crowd::new(4).unwrap();
        crowd.enter(0, &ip("192.0.2.1"), 0);
        crowd.enter(3, &ip("::ffff:192.0.2.1"), 0);
        crowd.enter(1, &ip("2001:db8:1:2::1"), 0);
        crowd.enter(2, &ip("2001:db8:1:2::ffff"), 0);
        crowd.enter(2, &ip("2001:db8:1:3::1"), 0);
        assert_eq!(crowd.here(&ip("192.0.2.1")), (2, 0));
        assert_eq!(crowd.here(&ip("2001:db8:1:2::7")), (2, 3));
        crowd.leave(0, &ip("192.0.2.1"));
        crowd.clear(2);
        assert_eq!(crowd.here(&ip("192.0.2.1")), (1, 0));
        assert_eq!(crowd.here(&ip("2001:db8:1:2::7")), (1, 1));
    }

    #[test]
    fn accounts_are_counted_over_all_slots_and_apart_from_addresses() {
        let crowd = Crowd::new(3).unwrap();
        let (one, other) = (crowd.key(&("bitcoin", "one")), crowd.key(&("litecoin", "one")));
        (0..3).for_each(|slot| crowd.enter_account(slot, one));
        crowd.enter(0, &ip("192.0.2.1"), 0);
        assert_eq!((crowd.account(one), crowd.account(other)), (3, 0));
        assert_eq!(crowd.here(&ip("192.0.2.1")), (1, 0));
        crowd.leave_account(1, one);
        crowd.clear(2);
        assert_eq!(crowd.account(one), 1);
    }

    #[test]
    fn strangers_hardly_count_for_each_other() {
        let crowd = Crowd::new(1).unwrap();
        for number in 0..20_000_u32 {
            crowd.enter(0, &IpAddr::from(number.to_be_bytes()), 0);
        }
        let too_much: u32 = (0..1000_u32)
            .map(|number| crowd.here(&IpAddr::from((number + (10 << 24)).to_be_bytes())).0)
            .sum();
        assert!(too_much < 8000, "{too_much} for 1000 addresses that have none");
        (0..20_000_u32).for_each(|number| crowd.leave(0, &IpAddr::from(number.to_be_bytes())));
        assert_eq!(crowd.here(&ip("0.0.0.5")), (0, 0), "what came has left");
    }

    #[test]
    fn newcomers_are_forgotten_as_time_goes() {
        let crowd = Crowd::new(2).unwrap();
        let address = ip("192.0.2.1");
        (0..100).for_each(|_| crowd.enter(0, &address, 1_009_000));
        (0..100).for_each(|_| crowd.enter(1, &address, 1_009_999));
        assert_eq!(crowd.came(&address, 1_009_999), (200, 0));
        assert_eq!(crowd.came(&address, 1_010_000), (200, 0));
        assert_eq!(crowd.came(&address, 1_015_000), (100, 0));
        assert_eq!(crowd.came(&address, 1_020_000), (0, 0));
        (0..5000).for_each(|_| crowd.enter(0, &address, 1_020_000));
        assert_eq!(crowd.came(&address, 1_020_000), (MOST, 0), "full, not overflown");
        for number in 0..50 {
            crowd.enter(0, &ip(&format!("2001:db8:1:{number}::1")), 1_020_000);
        }
        assert_eq!(crowd.came(&ip("2001:db8:1:7::2"), 1_020_000), (1, 50), "by /64, and by /48");
    }
}
