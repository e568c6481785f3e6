//! More to drop than a turn may: it takes several, and nobody receives what must go.

use topology::QueueSettings;

use super::harness::{Harness, Outgoing, Seen, consumer, record};
use crate::queue::Settle;
use crate::queue::publish::DROPS_PER_TURN_MAX as MAX;

fn declare(has_dlx: bool, max_length: Option<u64>) -> Harness {
    let dead_letter_exchange = has_dlx.then(|| "dlx".into());
    let settings = QueueSettings { dead_letter_exchange, max_length, ..QueueSettings::default() };
    Harness::new(record(settings, true, false))
}

fn outgoing(body: usize, ttl_ms: Option<u64>) -> Outgoing {
    let body = body.to_string().into_bytes();
    Outgoing { body, priority: None, ttl_ms, is_persistent: true, failures: 0 }
}

/// Publishes `count` messages that live 10 ms and one that stays.
fn publish_before_one_that_stays(harness: &mut Harness, count: usize) {
    let mut batch: Vec<Outgoing> = (0..count).map(|body| outgoing(body, Some(10))).collect();
    batch.push(outgoing(count, None));
    harness.publish(&batch);
}

/// Takes what was seen: how many died, and the rest.
fn deaths(harness: &mut Harness) -> (usize, Vec<Seen>) {
    let (dead, rest): (Vec<Seen>, Vec<Seen>) =
        harness.seen.drain(..).partition(|seen| matches!(seen, Seen::Dead { .. }));
    (dead.len(), rest)
}

fn is_due(harness: &Harness) -> bool {
    harness.queue.poll_timeout().is_some_and(|at| at <= harness.now)
}

fn got(body: usize) -> Seen {
    let body = body.to_string().into_bytes();
    Seen::Got { body, is_redelivered: false, attempts: None, remaining: 0 }
}

#[test]
fn expired_messages_are_dead_lettered_a_turn_at_a_time_and_never_delivered() {
    let mut harness = declare(true, None);
    let count = 2 * MAX + MAX / 2;
    publish_before_one_that_stays(&mut harness, count);
    harness.tick(20);
    assert_eq!(deaths(&mut harness), (MAX, vec![]));
    assert!(is_due(&harness));
    harness.get(false);
    assert_eq!(deaths(&mut harness), (MAX, vec![Seen::GotNothing]));
    assert!(is_due(&harness));
    harness.consume(consumer(1)).expect("nobody is exclusive");
    let body = count.to_string().into_bytes();
    let last =
        Seen::Delivered { to: 1, body, is_redelivered: false, attempts: None, is_no_ack: false };
    assert_eq!(deaths(&mut harness), (MAX / 2, vec![last]));
    assert_eq!(harness.queue.poll_timeout(), None);
    assert_eq!(harness.limbo.len(), count);
}

#[test]
fn a_consumer_waits_until_what_is_expired_is_gone() {
    let mut harness = declare(true, None);
    publish_before_one_that_stays(&mut harness, MAX + 1);
    harness.now = harness.now.plus_ms(20);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(deaths(&mut harness), (MAX, vec![]));
    assert!(is_due(&harness));
    harness.tick(0);
    let (dead, delivered) = deaths(&mut harness);
    assert_eq!((dead, delivered.len()), (1, 1));
    assert_eq!(harness.queue.poll_timeout(), None);
}

#[test]
fn a_crash_between_the_turns_loses_no_dead_letter() {
    let mut harness = declare(true, None);
    publish_before_one_that_stays(&mut harness, 2 * MAX);
    harness.tick(20);
    assert_eq!(deaths(&mut harness), (MAX, vec![]));
    harness.forget();
    // That turn dropped the other half, whose copies are not published yet.
    assert_eq!(deaths(&mut harness), (MAX, vec![]));
    harness.recover(harness.log.len(), false);
    assert_eq!(deaths(&mut harness), (MAX, vec![]));
    harness.get(false);
    assert_eq!(deaths(&mut harness), (0, vec![got(2 * MAX)]));
}

#[test]
fn without_dead_letters_a_get_finds_what_is_behind_the_expired() {
    let mut harness = declare(false, None);
    publish_before_one_that_stays(&mut harness, 3 * MAX);
    harness.tick(20);
    assert_eq!(harness.queue.counts().ready as usize, 2 * MAX + 1);
    assert!(is_due(&harness));
    harness.get(false);
    assert_eq!(harness.seen, [got(3 * MAX)]);
    assert_eq!(harness.queue.poll_timeout(), None);
}

#[test]
fn a_purge_leaves_nothing_to_come_back_for() {
    let mut harness = declare(true, None);
    publish_before_one_that_stays(&mut harness, 2 * MAX);
    harness.tick(20);
    harness.purge();
    harness.tick(0);
    assert_eq!(deaths(&mut harness), (MAX, vec![]));
    assert_eq!(harness.queue.poll_timeout(), None);
}

#[test]
fn a_queue_of_limited_length_drops_what_came_back_a_turn_at_a_time() {
    let mut harness = declare(true, Some(2));
    harness.consume(consumer(1)).expect("nobody is exclusive");
    let count = 2 * MAX + 3;
    let batch: Vec<Outgoing> = (0..count).map(|body| outgoing(body, None)).collect();
    harness.publish(&batch);
    assert_eq!(harness.unacked.len(), count);
    harness.cancel(1);
    harness.seen.clear();
    harness.settle((0..count).collect(), Settle::Requeue);
    assert_eq!(deaths(&mut harness), (MAX, vec![]));
    assert!(is_due(&harness));
    // What is published meanwhile waits like the rest, and drops its share.
    harness.publish(&[outgoing(count, None)]);
    assert_eq!(deaths(&mut harness), (MAX, vec![]));
    assert!(is_due(&harness));
    harness.consume(consumer(2)).expect("nobody is exclusive");
    let (dead, delivered) = deaths(&mut harness);
    assert_eq!((dead, delivered.len()), (2, 2));
    assert_eq!(harness.queue.poll_timeout(), None);
}

#[test]
fn what_is_rejected_dies_a_turn_at_a_time_by_the_weight_of_its_bodies() {
    let mut harness = declare(true, None);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    let body = vec![b'x'; 64 * 1024];
    let batch: Vec<Outgoing> =
        (0..500).map(|_| Outgoing { body: body.clone(), ..outgoing(0, None) }).collect();
    harness.publish(&batch);
    harness.seen.clear();
    // Each counts for 17: itself, and its body.
    assert_eq!(
        harness.settle((0..500).collect(), Settle::Reject),
        500usize.div_ceil(MAX.div_ceil(17))
    );
    assert_eq!(deaths(&mut harness).0, 500);
    assert!(harness.unacked.is_empty());
}
