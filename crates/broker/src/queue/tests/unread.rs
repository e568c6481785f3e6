//! Pages that are damaged, and pages that the device does not read.

use std::sync::Arc;

use topology::{DelayedRetry, QueueId, QueueRecord, QueueSettings, QuorumSettings, RetryKind};

use super::harness::{Harness, Outgoing, Seen, consumer, record};
use crate::queue::Settle;

fn declare(settings: QueueSettings) -> Harness {
    Harness::new(record(settings, true, false))
}

fn quorum() -> QueueSettings {
    QueueSettings { quorum: Some(Box::default()), ..QueueSettings::default() }
}

fn publish(harness: &mut Harness, numbers: std::ops::Range<usize>) {
    publish_of(harness, numbers, 50);
}

/// Messages of about 100 bytes, ten of which fill a chunk, with `len` of 50.
fn publish_of(harness: &mut Harness, numbers: std::ops::Range<usize>, len: usize) {
    for number in numbers {
        let body = format!("{number:04}{}", "x".repeat(len)).into_bytes();
        let outgoing =
            Outgoing { body, priority: None, ttl_ms: None, is_persistent: true, failures: 0 };
        harness.publish(&[outgoing]);
    }
}

fn number_of(body: &[u8]) -> usize {
    String::from_utf8_lossy(&body[..4]).parse().expect("bodies begin with a number")
}

fn delivered(harness: &mut Harness) -> Vec<usize> {
    let numbers = harness.seen.drain(..).filter_map(|seen| match seen {
        Seen::Delivered { body, .. } | Seen::Got { body, .. } => Some(number_of(&body)),
        _ => None,
    });
    numbers.collect()
}

/// Settles all deliveries.
fn settle_all(harness: &mut Harness, how: Settle) {
    let all = (0..harness.unacked.len()).collect();
    harness.settle(all, how);
}

fn all(range: std::ops::Range<usize>) -> Vec<usize> {
    range.collect()
}

#[test]
fn a_page_that_cannot_be_read_now_is_read_later() {
    let mut harness = declare(QueueSettings::default());
    publish(&mut harness, 0..200);
    harness.page_all_out();
    let before = (harness.queue.counts(), harness.log.len());
    harness.pages.set_unreadable(true);
    harness.get(false);
    harness.tick(0);
    harness.get(false);
    assert_eq!(harness.seen, [Seen::GotNothing, Seen::Damaged { lost: 0 }, Seen::GotNothing]);
    let reads = harness.pages.reads();
    for _ in 0..5 {
        harness.tick(1000);
    }
    assert!(harness.pages.reads() <= reads + 5, "once a second is enough");
    assert_eq!((harness.queue.counts(), harness.log.len()), before);
    harness.pages.set_unreadable(false);
    harness.seen.clear();
    harness.tick(1000);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), all(0..200));
}

#[test]
fn a_consumer_gets_its_messages_as_soon_as_the_disk_reads_again() {
    let mut harness = declare(QueueSettings::default());
    publish(&mut harness, 0..30);
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    publish(&mut harness, 30..40);
    assert_eq!(delivered(&mut harness), all(0..0));
    harness.pages.set_unreadable(false);
    harness.tick(0);
    harness.tick(1000);
    assert_eq!(delivered(&mut harness), all(0..40));
}

#[test]
fn what_is_acknowledged_on_a_page_that_cannot_be_read_is_gone_once_it_can() {
    let mut harness = declare(QueueSettings::default());
    publish(&mut harness, 0..40);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    settle_all(&mut harness, Settle::Ack);
    harness.tick(0);
    assert!(0 < harness.queue.counts().unacked);
    harness.pages.set_unreadable(false);
    harness.tick(1000);
    let counts = harness.queue.counts();
    assert_eq!((counts.ready, counts.unacked, counts.persistent), (0, 0, 0));
    harness.recover(harness.log.len(), false);
    assert_eq!(harness.queue.counts().ready, 0);
}

#[test]
fn what_is_rejected_on_a_page_that_cannot_be_read_is_dead_lettered_once_it_can() {
    let settings =
        QueueSettings { dead_letter_exchange: Some("dlx".into()), ..QueueSettings::default() };
    let mut harness = declare(settings);
    publish(&mut harness, 0..20);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    settle_all(&mut harness, Settle::Reject);
    harness.tick(0);
    harness.pages.set_unreadable(false);
    harness.tick(1000);
    let dead = harness.seen.iter().filter(|seen| matches!(seen, Seen::Dead { .. })).count();
    assert_eq!((dead, harness.queue.counts().unacked), (20, 0));
    harness.forget();
    harness.recover(harness.log.len(), false);
    assert_eq!(harness.queue.counts().ready, 0);
}

#[test]
fn large_bodies_that_cannot_be_read_now_are_read_later() {
    let settings =
        QueueSettings { dead_letter_exchange: Some("dlx".into()), ..QueueSettings::default() };
    let mut harness = declare(settings);
    publish_of(&mut harness, 0..6, 300_000);
    harness.page_all_out();
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), all(0..6));
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    settle_all(&mut harness, Settle::Reject);
    harness.tick(0);
    assert_eq!(harness.seen, [Seen::Damaged { lost: 0 }]);
    harness.pages.set_unreadable(false);
    harness.tick(1000);
    let dead = harness.seen.iter().filter(|seen| matches!(seen, Seen::Dead { .. })).count();
    assert_eq!((dead, harness.queue.counts().unacked), (6, 0));
}

#[test]
fn a_limit_waits_for_a_page_that_cannot_be_read() {
    let settings = QueueSettings { max_length: Some(20), ..QueueSettings::default() };
    let mut harness = declare(settings);
    publish(&mut harness, 0..20);
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    publish(&mut harness, 20..25);
    harness.tick(0);
    assert_eq!(harness.queue.counts().ready, 25);
    harness.pages.set_unreadable(false);
    harness.tick(1000);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), all(5..25));
}

#[test]
fn a_restart_that_cannot_read_a_page_brings_nothing_settled_back() {
    let mut harness = declare(QueueSettings::default());
    publish(&mut harness, 0..40);
    harness.page_all_out();
    harness.consume(consumer(1)).expect("nobody is exclusive");
    delivered(&mut harness);
    let odd = harness.unacked.iter().enumerate();
    let odd = odd.filter(|(_, (_, body, _))| number_of(body) % 2 == 1).map(|(at, _)| at).collect();
    harness.settle(odd, Settle::Ack);
    harness.pages.set_unreadable(true);
    harness.recover(harness.log.len(), false);
    harness.get(false);
    assert_eq!(delivered(&mut harness), all(0..0));
    harness.pages.set_unreadable(false);
    harness.tick(0);
    harness.tick(1000);
    let counts = harness.queue.counts();
    assert_eq!((counts.ready, counts.persistent), (20, 20));
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), (0..40).step_by(2).collect::<Vec<_>>());
    settle_all(&mut harness, Settle::Ack);
    harness.recover(harness.log.len(), false);
    assert_eq!(harness.queue.counts().ready, 0);
}

/// Settles those deliveries whose numbers are as wanted.
fn settle_those(harness: &mut Harness, how: Settle, is_wanted: impl Fn(usize) -> bool) {
    let found = harness.unacked.iter().enumerate();
    let found = found.filter(|(_, (_, body, _))| is_wanted(number_of(body))).map(|(at, _)| at);
    let found = found.collect();
    harness.settle(found, how);
}

/// What is ready, in order, once a start is through.
fn ready(harness: &mut Harness) -> Vec<usize> {
    harness.tick(0);
    harness.ready().iter().map(|(body, _)| number_of(body)).collect()
}

fn even(range: std::ops::Range<usize>) -> Vec<usize> {
    range.filter(|number| number.is_multiple_of(2)).collect()
}

/// Forty messages on pages that cannot be read, all with a consumer; the odd ones were settled.
fn half_settled(settings: QueueSettings, how: Settle) -> Harness {
    let mut harness = declare(settings);
    publish(&mut harness, 0..40);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    settle_those(&mut harness, how, |number| number % 2 == 1);
    harness
}

#[test]
fn what_is_acknowledged_on_a_page_that_cannot_be_read_does_not_come_back_after_a_crash() {
    for settings in [QueueSettings::default(), quorum()] {
        let mut harness = half_settled(settings, Settle::Ack);
        harness.recover(harness.log.len(), false);
        assert_eq!(ready(&mut harness).len(), 0, "it is not read yet");
        harness.recover(harness.log.len(), false);
        harness.pages.set_unreadable(false);
        harness.recover(harness.log.len(), false);
        assert_eq!(ready(&mut harness), even(0..40));
        let counts = harness.queue.counts();
        assert_eq!((counts.ready, counts.persistent), (20, 20));
        harness.recover(harness.log.len(), false);
        assert_eq!(ready(&mut harness), even(0..40), "it is settled once");
    }
}

#[test]
fn what_is_acknowledged_on_a_page_that_cannot_be_read_is_counted_out_of_it_once() {
    for settings in [QueueSettings::default(), quorum()] {
        let mut harness = half_settled(settings, Settle::Ack);
        harness.pages.set_unreadable(false);
        harness.tick(0);
        harness.tick(1000);
        harness.recover(harness.log.len(), false);
        assert_eq!(ready(&mut harness), even(0..40));
        harness.consume(consumer(2)).expect("nobody is exclusive");
        settle_all(&mut harness, Settle::Ack);
        harness.seen.clear();
        harness.recover(harness.log.len(), false);
        assert_eq!((ready(&mut harness), &harness.seen[..]), (all(0..0), &[][..]));
    }
}

#[test]
fn a_journal_that_moves_on_says_again_what_was_acknowledged_on_an_unread_page() {
    let mut harness = half_settled(QueueSettings::default(), Settle::Ack);
    while harness.queue.move_journal_on(true) && harness.log.len() < 1000 {
        harness.tick(0);
    }
    harness.recover(harness.log.len(), false);
    while harness.queue.move_journal_on(true) && harness.log.len() < 1000 {
        harness.tick(0);
    }
    harness.pages.set_unreadable(false);
    harness.recover(harness.log.len(), false);
    assert_eq!(ready(&mut harness), even(0..40));
}

#[test]
fn transient_messages_acknowledged_on_an_unread_page_take_nothing_along() {
    let mut harness = declare(QueueSettings::default());
    for number in 0..40 {
        let is_persistent = number % 2 == 0;
        let body = format!("{number:04}{}", "x".repeat(50)).into_bytes();
        let outgoing = Outgoing { body, priority: None, ttl_ms: None, is_persistent, failures: 0 };
        harness.publish(&[outgoing]);
    }
    harness.consume(consumer(1)).expect("nobody is exclusive");
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    settle_those(&mut harness, Settle::Ack, |number| number % 2 == 1);
    harness.pages.set_unreadable(false);
    harness.recover(harness.log.len(), false);
    assert_eq!(ready(&mut harness), even(0..40));
}

#[test]
fn what_is_rejected_for_good_on_a_page_that_cannot_be_read_does_not_come_back_after_a_crash() {
    let mut harness = half_settled(QueueSettings::default(), Settle::Reject);
    harness.pages.set_unreadable(false);
    harness.recover(harness.log.len(), false);
    assert_eq!(ready(&mut harness), even(0..40));
}

#[test]
fn a_dead_letter_that_was_published_does_not_come_back_from_an_unread_page() {
    let settings =
        QueueSettings { dead_letter_exchange: Some("dlx".into()), ..QueueSettings::default() };
    let mut harness = declare(settings);
    publish(&mut harness, 0..20);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    settle_all(&mut harness, Settle::Reject);
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    harness.forget();
    harness.pages.set_unreadable(false);
    harness.recover(harness.log.len(), false);
    assert_eq!(ready(&mut harness), all(0..0));
}

#[test]
fn what_an_unread_page_had_settled_before_a_start_is_counted_out_of_it_once() {
    let mut harness = declare(QueueSettings::default());
    publish(&mut harness, 0..40);
    harness.page_all_out();
    harness.consume(consumer(1)).expect("nobody is exclusive");
    settle_those(&mut harness, Settle::Ack, |number| number % 4 != 0);
    harness.pages.set_unreadable(true);
    harness.recover(harness.log.len(), false);
    harness.pages.set_unreadable(false);
    harness.tick(0);
    harness.tick(1000);
    harness.recover(harness.log.len(), false);
    assert_eq!(ready(&mut harness), (0..40).step_by(4).collect::<Vec<_>>());
}

#[test]
fn a_purge_leaves_delayed_messages_that_cannot_be_read() {
    let retry = DelayedRetry { kind: RetryKind::All, min_ms: 5000, max_ms: 5000 };
    let quorum = QuorumSettings { delayed_retry: Some(retry), ..QuorumSettings::default() };
    let mut harness =
        declare(QueueSettings { quorum: Some(Box::new(quorum)), ..QueueSettings::default() });
    publish(&mut harness, 0..20);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    settle_all(&mut harness, Settle::Requeue);
    harness.page_all_out();
    harness.pages.set_unreadable(true);
    assert_eq!((harness.purge(), harness.queue.counts().delayed), (0, 20));
    harness.pages.set_unreadable(false);
    harness.tick(0);
    harness.tick(1000);
    assert_eq!((harness.purge(), harness.queue.counts().delayed), (20, 0));
}

/// The journal's entry of a turn that finds damage is about the end of the turn.
#[test]
fn what_is_taken_in_the_turn_that_finds_damage_does_not_come_back() {
    for is_clean in [false, true] {
        let mut harness = declare(QueueSettings::default());
        publish(&mut harness, 0..20);
        harness.page_all_out();
        let block = harness.pages.blocks()[0];
        harness.pages.damage(block, 40);
        harness.get(true);
        assert_eq!(delivered(&mut harness), [1]);
        harness.tick(0);
        harness.recover(harness.log.len(), is_clean);
        harness.consume(consumer(1)).expect("nobody is exclusive");
        assert_eq!(delivered(&mut harness), all(2..20));
        settle_all(&mut harness, Settle::Ack);
        assert_eq!(harness.queue.counts().persistent, 0);
        harness.recover(harness.log.len(), is_clean);
        assert_eq!(harness.queue.counts().ready, 0);
    }
}

#[test]
fn a_page_that_loses_its_last_messages_to_damage_is_not_looked_for_again() {
    let mut harness = declare(QueueSettings::default());
    publish(&mut harness, 0..20);
    harness.page_all_out();
    let block = harness.pages.blocks()[0];
    harness.pages.damage(block, 40);
    let mut no_ack = consumer(1);
    no_ack.is_no_ack = true;
    harness.consume(no_ack).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), all(1..20));
    harness.recover(harness.log.len(), false);
    let counts = harness.queue.counts();
    assert_eq!((counts.ready, harness.seen.len()), (0, 0), "{:?}", harness.seen);
}

#[test]
fn damage_that_a_restart_finds_is_known_to_the_next_one() {
    let mut harness = declare(QueueSettings::default());
    publish(&mut harness, 0..40);
    harness.page_all_out();
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), all(0..40));
    let even = harness.unacked.iter().enumerate();
    let even = even.filter(|(_, (_, body, _))| number_of(body).is_multiple_of(2)).map(|(at, _)| at);
    harness.settle(even.collect(), Settle::Ack);
    // Of each page a byte in the middle.
    for block in harness.pages.blocks() {
        harness.pages.damage(block, harness.pages.bytes_of(block).len() / 2);
    }
    harness.recover(harness.log.len(), false);
    let damaged = |seen: &Seen| matches!(seen, Seen::Damaged { lost: 1 });
    assert!(!harness.seen.is_empty() && harness.seen.iter().all(damaged), "{:?}", harness.seen);
    harness.tick(0);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    let left = delivered(&mut harness);
    settle_all(&mut harness, Settle::Ack);
    harness.recover(harness.log.len(), false);
    assert_eq!((harness.queue.counts().ready, &harness.seen[..]), (0, &[][..]), "after {left:?}");
}

/// By a lost record of the journal, a queue may look for a page whose room is another queue's.
#[test]
fn messages_of_another_queue_are_not_taken_for_ones_own() {
    let (other, settings) = record(QueueSettings::default(), true, false);
    let other = QueueRecord { id: QueueId(2), ..(*other).clone() };
    let other = Harness::new((Arc::new(other), settings));
    let mut harnesses = [declare(QueueSettings::default()), other];
    for harness in &mut harnesses {
        publish(harness, 0..100);
        harness.page_all_out();
    }
    let [mut harness, other] = harnesses;
    for block in harness.pages.blocks() {
        harness.pages.overwrite(block, &other.pages.bytes_of(block));
    }
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), all(0..0));
    assert_eq!(harness.queue.counts().ready, 0);
}
