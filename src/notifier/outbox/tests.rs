//! The outbox keeps what it was given, in order, once.
#![allow(clippy::unwrap_used)]

use super::*;
use tempfile::TempDir;

fn event(n: usize) -> Event {
    Event::new(EventKind::BlockFound, "c", &n.to_string(), 1000, "words".to_owned())
}

fn targets() -> Vec<(String, Vec<EventKind>)> {
    let all = EventKind::ALL.to_vec();
    vec![("a".to_owned(), all), ("b".to_owned(), vec![EventKind::PayoutSent])]
}

#[test]
fn messages_leave_in_order_and_none_is_there_twice() {
    let dir = TempDir::new().unwrap();
    assert!(Outbox::open_for_reading(dir.path()).unwrap().is_none());
    let mut outbox = Outbox::open(dir.path()).unwrap();
    assert_eq!(outbox.seen::<Vec<u8>>("x").unwrap(), Vec::<u8>::new());
    let events = vec![event(1), event(2), event(1)];
    assert_eq!(outbox.record("x", &[7_u8], events, &targets(), 5).unwrap(), 2);
    drop(outbox);
    let mut outbox = Outbox::open(dir.path()).unwrap();
    assert_eq!(outbox.seen::<Vec<u8>>("x").unwrap(), [7]);
    assert_eq!(outbox.head("b", 9).unwrap(), Err(u64::MAX), "it was not asked for");
    let head = outbox.head("a", 9).unwrap().unwrap();
    assert_eq!((head.time, head.event), (5, Some(event(1))));
    outbox.failed("a", "HTTP 500", 1000, 10).unwrap();
    outbox.failed("a", "HTTP 501", 2000, 20).unwrap();
    assert_eq!(outbox.head("a", 1999).unwrap(), Err(2000));
    let standing = Outbox::open_for_reading(dir.path()).unwrap().unwrap().standing("a").unwrap();
    assert_eq!((standing.failures, standing.since, standing.waiting), (2, 10, 2));
    assert_eq!(standing.error, "HTTP 501");
    outbox.took("a", head.n, 2000).unwrap();
    assert_eq!(outbox.head("a", 2000).unwrap().unwrap().event, Some(event(2)));
    let standing = outbox.standing("a").unwrap();
    assert_eq!((standing.failures, standing.sent, standing.waiting), (0, 1, 1));
    assert_eq!(outbox.drop_of("a", None).unwrap(), 1);
    assert_eq!(outbox.standing("a").unwrap().dropped, 1);
    assert_eq!(outbox.keep_only(&["b".to_owned()]).unwrap(), ["a"]);
    assert_eq!(
        outbox.standing("a").unwrap(),
        Standing { name: "a".to_owned(), ..Standing::default() }
    );
}

#[test]
fn a_full_queue_loses_its_oldest() {
    let dir = TempDir::new().unwrap();
    let mut outbox = Outbox::open(dir.path()).unwrap();
    let most = usize::try_from(MOST).unwrap();
    outbox
        .change(|change| {
            for n in 0..most {
                let sql = "INSERT INTO message (target, id, event, time) VALUES ('a', ?1, '{}', 0)";
                change.prepare_cached(sql)?.execute([n.to_string()])?;
            }
            Ok(())
        })
        .unwrap();
    outbox.record("x", &0, vec![event(1), event(2)], &targets(), 5).unwrap();
    let standing = outbox.standing("a").unwrap();
    assert_eq!((standing.waiting, standing.dropped), (10_000, 2));
}
