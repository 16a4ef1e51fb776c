//! The fleet over hours, in microseconds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::super::roles::wanted;
use super::*;
use crate::sys::signals::SIGTERM;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SHUTDOWN: u64 = 10_000;
const TEMPLATES: usize = 240;
const BOOKKEEPER: usize = 241;

/// A fleet whose children tick every turn unless they hang.
struct World {
    fleet: Fleet,
    now: u64,
    next_pid: u32,
    hung: BTreeSet<usize>,
}

impl World {
    fn new() -> Self {
        Self {
            fleet: Fleet::new((0..=u8::MAX).collect(), 1000),
            now: 1000,
            next_pid: 100,
            hung: BTreeSet::new(),
        }
    }

    /// One turn; starts are performed.
    fn turn(&mut self, workers: usize, stop: Stop) -> Vec<Effect> {
        let (now, hung) = (self.now, self.hung.clone());
        let tick = |row| if hung.contains(&row) { 0 } else { now };
        let effects =
            self.fleet.plan(&wanted(workers, false, false, false), stop, SHUTDOWN, now, tick);
        for effect in &effects {
            if let Effect::Start { row } = effect {
                let serves = Kind::of(self.fleet.slot(*row).unwrap().role).serves_miners;
                let lane = serves.then(|| self.fleet.take_lane().unwrap());
                self.fleet.started(*row, self.next_pid, lane, now);
                self.next_pid += 1;
            }
        }
        effects
    }

    fn pid(&self, row: usize) -> u32 {
        self.fleet.slot(row).unwrap().child.as_ref().unwrap().pid
    }

    fn die(&mut self, row: usize, how: Ended) -> Farewell {
        self.fleet.ended(self.pid(row), how, self.now).unwrap()
    }

    fn living(&self) -> usize {
        self.fleet.children().count()
    }
}

#[test]
fn waits_double_up_to_a_minute() {
    let waits: Vec<u64> = (0..10).map(back_off).collect();
    assert_eq!(waits, [0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
    assert_eq!(back_off(u32::MAX), 60_000);
}

#[test]
fn the_fleet_fills_and_refills_at_once() {
    let mut world = World::new();
    assert_eq!(world.turn(4, Stop::No).len(), 6);
    assert_eq!(world.turn(4, Stop::No), []);
    world.now += 60_000;
    world.fleet.awake_since = 0;
    world.turn(4, Stop::No);
    assert_eq!(world.die(2, Ended::Signal(9)), Farewell::Again(0));
    assert_eq!(world.turn(4, Stop::No), [Effect::Start { row: 2 }]);
    assert_eq!(world.fleet.slot(2).unwrap().restarts, 1);
}

#[test]
fn what_keeps_dying_waits() {
    let mut world = World::new();
    world.turn(1, Stop::No);
    let mut starts = 0;
    for _ in 0..600 {
        // One minute in steps of 100 ms, dying at every start.
        if world.fleet.slot(0).unwrap().child.is_some() {
            world.die(0, Ended::Signal(6));
        }
        world.now += 100;
        starts += world.turn(1, Stop::No).len();
    }
    assert!((5..=8).contains(&starts), "{starts}");
    // A start that holds forgives.
    world.now += 60_000;
    world.turn(1, Stop::No);
    world.now += YOUNG;
    assert_eq!(world.die(0, Ended::Signal(9)), Farewell::Again(0));
}

#[test]
fn a_refused_configuration_is_not_tried_again_until_it_changes() {
    let mut world = World::new();
    world.turn(1, Stop::No);
    assert_eq!(world.die(0, Ended::Exit(78)), Farewell::Refused);
    world.now += 3_600_000;
    assert_eq!(world.turn(1, Stop::No), []);
    assert!(!world.fleet.is_hopeless());
    for row in [TEMPLATES, BOOKKEEPER] {
        world.die(row, Ended::Exit(78));
    }
    assert!(world.fleet.is_hopeless());
    world.fleet.reconfigured(world.now);
    assert_eq!(world.turn(1, Stop::No).len(), 3);
}

#[test]
fn a_hung_child_is_reported_then_killed_then_replaced() {
    let mut world = World::new();
    world.turn(2, Stop::No);
    world.hung.insert(1);
    let pid = world.pid(1);
    let mut seen = Vec::new();
    for _ in 0..400 {
        world.now += 100;
        seen.extend(world.turn(2, Stop::No).into_iter().map(|effect| (world.now - 1000, effect)));
    }
    let (row, hung) = (1, |silent| Effect::KillHung { pid, row: 1, silent });
    assert_eq!(
        seen,
        [(10_000, Effect::ReportHung { pid, row, silent: 10_000 }), (30_000, hung(30_000))]
    );
    assert_eq!(world.die(1, Ended::Signal(9)), Farewell::Planned);
    assert_eq!(world.turn(2, Stop::No), [Effect::Start { row: 1 }]);
}

#[test]
fn a_machine_that_slept_kills_nobody() {
    let mut world = World::new();
    world.turn(2, Stop::No);
    world.hung.extend([0, 1, TEMPLATES, BOOKKEEPER]);
    world.now += 3_600_000;
    assert_eq!(world.turn(2, Stop::No), []);
}

#[test]
fn a_stop_ends_who_serves_miners_first() {
    let mut world = World::new();
    world.turn(2, Stop::No);
    let (one, two) = (world.pid(0), world.pid(1));
    assert_eq!(world.turn(2, Stop::Graceful), [Effect::Terminate(one), Effect::Terminate(two)]);
    world.die(0, Ended::Exit(0));
    assert_eq!(world.turn(2, Stop::Graceful), []);
    world.now += SHUTDOWN;
    assert_eq!(world.turn(2, Stop::Graceful), [Effect::Kill(two)]);
    assert_eq!(world.turn(2, Stop::Graceful), [], "killed once");
    world.die(1, Ended::Signal(9));
    assert_eq!(world.turn(2, Stop::Graceful).len(), 2, "then the others");
    // A second signal is faster.
    assert_eq!(
        world.turn(2, Stop::Fast),
        [Effect::Quit(world.pid(TEMPLATES)), Effect::Quit(world.pid(BOOKKEEPER))]
    );
}

#[test]
fn a_stop_during_a_reload_still_books_the_last_shares() {
    let mut world = World::new();
    world.turn(1, Stop::No);
    world.fleet.reconfigured(world.now);
    let (worker, book) = (world.pid(0), world.pid(BOOKKEEPER));
    assert!(world.turn(1, Stop::No).contains(&Effect::Terminate(book)));
    assert_eq!(world.turn(1, Stop::Graceful), [Effect::Terminate(worker)]);
    world.die(TEMPLATES, Ended::Exit(0));
    world.die(BOOKKEEPER, Ended::Exit(0));
    world.die(0, Ended::Exit(0));
    assert!(!world.fleet.has_ended(Stop::Graceful) && world.fleet.has_ended(Stop::Fast));
    assert_eq!(world.turn(1, Stop::Graceful), [Effect::Start { row: BOOKKEEPER }]);
    assert_eq!(world.turn(1, Stop::Graceful), [Effect::Terminate(world.pid(BOOKKEEPER))]);
    world.die(BOOKKEEPER, Ended::Exit(0));
    assert!(world.fleet.has_ended(Stop::Graceful));
    assert_eq!(world.turn(1, Stop::Graceful), []);
}

#[test]
fn a_stop_does_not_wait_for_books_that_cannot_be_kept() {
    let mut world = World::new();
    world.turn(1, Stop::No);
    world.turn(1, Stop::Graceful);
    world.die(0, Ended::Exit(0));
    world.die(TEMPLATES, Ended::Exit(0));
    for _ in 0..2 {
        assert!(!world.fleet.has_ended(Stop::Graceful));
        world.die(BOOKKEEPER, Ended::Signal(6));
        world.turn(1, Stop::Graceful);
    }
    assert!(world.fleet.has_ended(Stop::Graceful));
}

#[test]
fn fewer_workers_give_their_miners_away_and_are_not_replaced() {
    let mut world = World::new();
    world.turn(3, Stop::No);
    (0..3).for_each(|row| world.fleet.ready(row));
    let last = world.pid(2);
    assert_eq!(world.turn(2, Stop::No), [Effect::Leave { row: 2 }]);
    assert_eq!(world.turn(2, Stop::No), [], "told once");
    assert_eq!(world.fleet.serving().count(), 2);
    // One more comes before it has left: in a row of its own.
    assert_eq!(world.turn(3, Stop::No), [Effect::Start { row: 3 }]);
    world.now += LEAVING + SHUTDOWN;
    assert_eq!(world.turn(3, Stop::No), [Effect::Kill(last)], "it had its time");
    assert_eq!(world.die(2, Ended::Signal(9)), Farewell::Planned);
    assert_eq!(world.turn(3, Stop::No), []);
    assert_eq!(world.living(), 5);
}

#[test]
fn who_dies_while_it_leaves_has_not_left() {
    for (how, farewell) in [
        (Ended::Exit(0), Farewell::Planned),
        (Ended::Signal(SIGTERM), Farewell::Planned),
        (Ended::Signal(11), Farewell::Fell),
        (Ended::Signal(SIGKILL), Farewell::Fell),
    ] {
        let mut world = World::new();
        world.turn(2, Stop::No);
        (0..2).for_each(|row| world.fleet.ready(row));
        assert_eq!(world.turn(1, Stop::No), [Effect::Leave { row: 1 }]);
        assert_eq!(world.die(1, how), farewell);
        assert_eq!(world.turn(1, Stop::No), [], "not started again");
    }
}

#[test]
fn who_leaves_stops_with_the_others() {
    let mut world = World::new();
    world.turn(2, Stop::No);
    (0..2).for_each(|row| world.fleet.ready(row));
    world.turn(1, Stop::No);
    let all = [Effect::Terminate(world.pid(0)), Effect::Terminate(world.pid(1))];
    assert_eq!(world.turn(1, Stop::Graceful), all);
    world.now += SHUTDOWN;
    assert_eq!(world.turn(1, Stop::Graceful).len(), 2, "killed in time, all of them");
}

#[test]
fn who_could_not_begin_yet_has_nobody_to_give_away() {
    let mut world = World::new();
    world.turn(2, Stop::No);
    assert_eq!(world.turn(1, Stop::No), [Effect::Terminate(world.pid(1))]);
}

#[test]
fn heirs_take_the_place_of_the_old_ones_when_all_are_ready() {
    let mut world = World::new();
    world.turn(2, Stop::No);
    (0..2).for_each(|row| world.fleet.ready(row));
    assert!(world.fleet.begin_heirs(3));
    let starts: Vec<_> = (2..5).map(|row| Effect::Start { row }).collect();
    assert_eq!(world.turn(2, Stop::No), starts);
    world.fleet.ready(2);
    world.fleet.ready(4);
    assert!(!world.fleet.heirs_are_ready());
    assert_eq!(world.fleet.serving().count(), 2, "heirs do not count yet");
    world.fleet.ready(3);
    assert!(world.fleet.heirs_are_ready() && world.fleet.is_heir(4));
    assert_eq!(world.fleet.enthrone(), [2, 3, 4]);
    assert_eq!(world.turn(3, Stop::No), [Effect::Leave { row: 0 }, Effect::Leave { row: 1 }]);
    world.die(0, Ended::Exit(0));
    world.die(1, Ended::Exit(0));
    assert_eq!(world.turn(3, Stop::No), []);
    // The next ones have the rows that are free again.
    assert!(world.fleet.begin_heirs(2));
    assert_eq!(world.turn(3, Stop::No), [Effect::Start { row: 0 }, Effect::Start { row: 1 }]);
}

#[test]
fn heirs_that_are_not_to_be_leave_no_trace() {
    let mut world = World::new();
    world.turn(2, Stop::No);
    (0..2).for_each(|row| world.fleet.ready(row));
    assert!(world.fleet.begin_heirs(2));
    world.turn(2, Stop::No);
    let (one, two) = (world.pid(2), world.pid(3));
    assert_eq!(world.die(2, Ended::Signal(11)), Farewell::Again(0));
    assert_eq!(world.fleet.disinherit(world.now), [two]);
    assert_eq!(world.turn(2, Stop::No), [], "{one} is not started again");
    assert_eq!(world.die(3, Ended::Signal(9)), Farewell::Planned);
    world.turn(2, Stop::No);
    assert_eq!((world.living(), world.fleet.slots().len()), (4, 4));
    assert!(!world.fleet.begin_heirs(239), "two rows of 240 are in use");
    assert!(world.fleet.begin_heirs(238));
}

#[test]
fn a_new_configuration_replaces_who_serves_no_miners() {
    let mut world = World::new();
    world.turn(2, Stop::No);
    let (templates, bookkeeper) = (world.pid(TEMPLATES), world.pid(BOOKKEEPER));
    world.fleet.reconfigured(world.now);
    assert_eq!(
        world.turn(2, Stop::No),
        [Effect::Terminate(templates), Effect::Terminate(bookkeeper)]
    );
    world.die(TEMPLATES, Ended::Exit(0));
    assert_eq!(world.turn(2, Stop::No), [Effect::Start { row: TEMPLATES }]);
}

#[test]
fn a_freed_lane_goes_to_the_end_of_the_queue() {
    let mut fleet = Fleet::new((0..=u8::MAX).collect(), 0);
    assert_eq!(fleet.take_lane(), Some(0));
    fleet.free_lane(0);
    let next: Vec<u8> = (0..256).map(|_| fleet.take_lane().unwrap()).collect();
    assert_eq!((next[0], next[255]), (1, 0));
    assert_eq!(fleet.take_lane(), None);
}

proptest! {
    /// Whatever dies and whatever is wanted: lanes of living workers differ, and the fleet comes
    /// to what is wanted.
    #[test]
    fn the_fleet_converges(steps in proptest::collection::vec((1_usize..20, 0_usize..125, 0_i32..4, 0_u64..20_000), 1..60)) {
        let mut world = World::new();
        let mut workers = 1;
        for (count, row, code, wait) in steps {
            workers = count;
            world.turn(workers, Stop::No);
            if world.fleet.slot(row).is_some_and(|slot| slot.child.is_some()) {
                world.die(row, Ended::Exit(code));
            }
            let lanes: Vec<u8> = world.fleet.children().filter_map(|(_, child)| child.lane).collect();
            prop_assert_eq!(lanes.iter().collect::<BTreeSet<_>>().len(), lanes.len());
            world.now += wait;
        }
        for _ in 0..3 {
            world.now += 61_000;
            world.turn(workers, Stop::No);
            let ending: Vec<usize> = world.fleet.children()
                .filter(|(_, child)| child.ending.is_some()).map(|(slot, _)| slot.row).collect();
            for row in ending {
                world.die(row, Ended::Exit(0));
            }
        }
        prop_assert_eq!(world.living(), workers + 2);
    }
}
