//! A tally whose calls fail as told.

use super::*;
use crate::ledger::checkpoint::{Closed, Sums};
use crate::ledger::{Claim, Claimed};

/// Asked before each call, by its name: 0: nothing; 1: it fails, undone; 2: done, the answer lost.
type Fault = Box<dyn FnMut(&'static str) -> u8 + Send>;

pub(super) struct Faulty {
    inner: Box<dyn Tally>,
    fault: Fault,
}

impl Faulty {
    pub(super) fn around(
        inner: Box<dyn Tally>,
        fault: impl FnMut(&'static str) -> u8 + Send + 'static,
    ) -> Box<dyn Tally> {
        Box::new(Self { inner, fault: Box::new(fault) })
    }

    fn call<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut dyn Tally) -> Result<T, TallyError>,
    ) -> Result<T, TallyError> {
        let error = || TallyError::Unavailable { place: "test".into(), words: name.into() };
        match (self.fault)(name) {
            0 => work(&mut *self.inner),
            1 => Err(error()),
            _ => work(&mut *self.inner).and(Err(error())),
        }
    }
}

impl Tally for Faulty {
    fn unit(&mut self) -> Result<Option<Unit>, TallyError> {
        self.call("unit", |tally| tally.unit())
    }
    fn positions(&mut self) -> Result<BTreeMap<String, u64>, TallyError> {
        self.call("positions", |tally| tally.positions())
    }
    fn apply(&mut self, batch: &Batch) -> Result<Applied, TallyError> {
        self.call("apply", |tally| tally.apply(batch))
    }
    fn forget(&mut self, instance: u16, streams: &[String]) -> Result<u64, TallyError> {
        self.call("forget", |tally| tally.forget(instance, streams))
    }
    fn forgotten(&mut self, instance: u16) -> Result<u64, TallyError> {
        self.call("forgotten", |tally| tally.forgotten(instance))
    }
    fn trim(&mut self, oldest_minute: u64) -> Result<(), TallyError> {
        self.call("trim", |tally| tally.trim(oldest_minute))
    }
    fn overview(&mut self, blocks: u32) -> Result<Overview, TallyError> {
        self.call("overview", |tally| tally.overview(blocks))
    }
    fn round(&mut self, block: &Hash) -> Result<BTreeMap<String, Weight>, TallyError> {
        self.call("round", |tally| tally.round(block))
    }
    fn sums(&mut self) -> Result<Sums, TallyError> {
        self.call("sums", |tally| tally.sums())
    }
    fn restore(
        &mut self,
        sums: &Sums,
        rounds: &mut dyn Iterator<Item = Result<Closed, TallyError>>,
    ) -> Result<bool, TallyError> {
        self.call("restore", |tally| tally.restore(sums, rounds))
    }
    fn claim(&mut self, claim: Claim) -> Result<Claimed, TallyError> {
        self.call("claim", |tally| tally.claim(claim))
    }
    fn claimed(&mut self) -> Result<Option<Claim>, TallyError> {
        self.call("claimed", |tally| tally.claimed())
    }
}
