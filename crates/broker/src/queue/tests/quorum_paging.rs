//! Messages of quorum queues that leave memory, wherever they are in the order, and come back.

use topology::{DelayedRetry, QueueSettings, QuorumSettings, RetryKind};

use super::harness::{Harness, Outgoing, Seen, consumer, record};
use crate::queue::Settle;

fn declare_with(quorum: QuorumSettings) -> Harness {
    let settings = QueueSettings { quorum: Some(Box::new(quorum)), ..QueueSettings::default() };
    Harness::new(record(settings, true, false))
}

fn declare() -> Harness {
    declare_with(QuorumSettings::default())
}

fn outgoing(number: usize, ttl_ms: Option<u64>) -> Outgoing {
    let body = format!("{number:04}{}", "x".repeat(50)).into_bytes();
    Outgoing { body, priority: None, ttl_ms, is_persistent: true, failures: 0 }
}

/// Publishes messages of about 100 bytes, ten of which fill a chunk.
fn publish(harness: &mut Harness, numbers: std::ops::Range<usize>) {
    for number in numbers {
        harness.publish(&[outgoing(number, None)]);
    }
}

fn number_of(body: &[u8]) -> usize {
    String::from_utf8_lossy(&body[..4]).parse().expect("bodies begin with a number")
}

fn got(harness: &mut Harness) -> Vec<usize> {
    let got = harness.seen.drain(..).filter_map(|seen| match seen {
        Seen::Delivered { body, .. } | Seen::Got { body, .. } => Some(number_of(&body)),
        _ => None,
    });
    got.collect()
}

/// Gets `count` messages and settles them all.
fn get_and_settle(harness: &mut Harness, count: usize, how: Settle) {
    (0..count).for_each(|_| harness.get(false));
    harness.settle((0..count).collect(), how);
    harness.seen.clear();
}

fn drain(harness: &mut Harness) -> Vec<usize> {
    harness.seen.clear();
    while harness.queue.counts().ready != 0 {
        harness.get(true);
    }
    got(harness)
}

#[test]
fn a_backlog_takes_no_memory_and_is_not_read_at_a_start() {
    let mut harness = declare();
    publish(&mut harness, 0..200);
    let before = harness.queue.counts();
    harness.page_all_out();
    assert_eq!(harness.queue.resident(), 0);
    harness.recover(harness.log.len(), false);
    assert_eq!((harness.queue.resident(), harness.pages.reads()), (0, 0));
    let after = harness.queue.counts();
    assert_eq!((after.ready, after.ready_bytes), (before.ready, before.ready_bytes));
    assert_eq!(drain(&mut harness), (0..200).collect::<Vec<_>>());
}

#[test]
fn the_log_lets_go_of_what_is_on_pages() {
    let mut harness = declare();
    publish(&mut harness, 0..200);
    harness.page_all_out();
    publish(&mut harness, 200..210);
    let kept = super::harness::entries(&harness.log);
    let bytes = kept.values().map(Vec::len).sum::<usize>();
    assert!(bytes < 4000, "{bytes} bytes of log");
}

#[test]
fn what_came_back_leaves_memory_and_stays_in_front() {
    let mut harness = declare();
    publish(&mut harness, 0..200);
    get_and_settle(&mut harness, 50, Settle::RequeueFailed);
    harness.page_all_out();
    assert_eq!(harness.queue.resident(), 0);
    get_and_settle(&mut harness, 20, Settle::Requeue);
    harness.page_all_out();
    let order: Vec<usize> = (20..50).chain(0..20).chain(50..200).collect();
    harness.recover(harness.log.len(), false);
    // Five or six chunks, some of which stay at hand.
    assert!(harness.queue.resident() < 4 * 1024, "{} bytes", harness.queue.resident());
    assert_eq!(drain(&mut harness), order);
}

#[test]
fn a_start_reads_only_pages_with_messages_that_came_back() {
    let mut harness = declare();
    publish(&mut harness, 0..400);
    get_and_settle(&mut harness, 1, Settle::RequeueFailed);
    harness.page_all_out();
    let before = harness.pages.reads();
    harness.recover(harness.log.len(), false);
    assert_eq!(harness.pages.reads() - before, 1);
}

#[test]
fn pages_full_of_what_waits_are_passed_over() {
    let retry = DelayedRetry { kind: RetryKind::All, min_ms: 1000, max_ms: 1000 };
    let quorum = QuorumSettings { delayed_retry: Some(retry), ..QuorumSettings::default() };
    let mut harness = declare_with(quorum);
    publish(&mut harness, 0..200);
    get_and_settle(&mut harness, 150, Settle::RequeueFailed);
    harness.page_all_out();
    harness.recover(harness.log.len(), false);
    harness.page_all_out();
    assert_eq!((harness.queue.counts().ready, harness.queue.counts().delayed), (50, 150));
    let before = harness.pages.reads();
    harness.get(true);
    assert_eq!((got(&mut harness), harness.pages.reads() - before), (vec![150], 1));
    harness.tick(1000);
    assert_eq!(drain(&mut harness), (0..150).chain(151..200).collect::<Vec<_>>());
}

#[test]
fn a_purge_reads_no_page_that_nobody_had_a_message_of() {
    let mut harness = declare();
    publish(&mut harness, 0..200);
    get_and_settle(&mut harness, 1, Settle::Requeue);
    harness.page_all_out();
    let before = harness.pages.reads();
    assert_eq!(harness.purge(), 200);
    assert_eq!(harness.pages.reads() - before, 1);
    let counts = harness.queue.counts();
    assert_eq!((counts.ready, counts.ready_bytes, counts.persistent), (0, 0, 0));
    assert_eq!(harness.queue.pages().count(), 0);
}

#[test]
fn a_purge_counts_what_came_back_once() {
    let mut harness = declare();
    publish(&mut harness, 0..40);
    get_and_settle(&mut harness, 10, Settle::Requeue);
    // A start puts the cursor before messages that are in front.
    harness.recover(harness.log.len(), false);
    harness.page_all_out();
    assert_eq!(harness.purge(), 40);
    let counts = harness.queue.counts();
    assert_eq!((counts.ready, counts.ready_bytes, counts.persistent), (0, 0, 0));
    publish(&mut harness, 40..50);
    assert_eq!(drain(&mut harness), (40..50).collect::<Vec<_>>());
}

#[test]
fn small_chunks_with_messages_that_came_back_are_not_joined() {
    let mut harness = declare();
    publish(&mut harness, 0..6);
    get_and_settle(&mut harness, 5, Settle::Requeue);
    harness.recover(harness.log.len(), false);
    harness.page_all_out();
    assert_eq!(drain(&mut harness), (0..6).collect::<Vec<_>>());
}

#[test]
fn heads_on_pages_expire_in_time() {
    let mut harness = declare();
    publish(&mut harness, 0..30);
    harness.publish(&[Outgoing { priority: Some(1), ..outgoing(30, Some(100)) }]);
    harness.page_all_out();
    harness.recover(harness.log.len(), false);
    harness.tick(99);
    assert_eq!(harness.queue.counts().ready, 31);
    harness.tick(1);
    assert_eq!(harness.queue.counts().ready, 30);
}

#[test]
fn who_takes_too_long_loses_messages_on_pages_too() {
    let mut harness = declare();
    publish(&mut harness, 0..100);
    let mut who = consumer(1);
    (who.prefetch, who.timeout_ms) = (60, 1000);
    harness.consume(who).expect("nobody is exclusive");
    harness.page_all_out();
    harness.seen.clear();
    harness.tick(1000);
    assert_eq!(harness.seen, [Seen::TimedOut(1)]);
    assert_eq!(harness.queue.counts().ready, 100);
    harness.cancel(1);
    assert_eq!(drain(&mut harness), (0..100).collect::<Vec<_>>());
}

/// A queue with messages that came back, wait, are out, out again, and dead; then all pages go bad.
#[test]
fn a_damaged_page_takes_its_messages_from_everywhere() {
    let retry = DelayedRetry { kind: RetryKind::Failed, min_ms: 1000, max_ms: 1000 };
    let quorum = QuorumSettings {
        delayed_retry: Some(retry),
        dead_letters_at_least_once: true,
        ..QuorumSettings::default()
    };
    let settings = QueueSettings {
        quorum: Some(Box::new(quorum)),
        dead_letter_exchange: Some("dlx".into()),
        ..QueueSettings::default()
    };
    let mut harness = Harness::new(record(settings, true, false));
    publish(&mut harness, 0..8);
    get_and_settle(&mut harness, 1, Settle::Reject);
    get_and_settle(&mut harness, 1, Settle::RequeueFailed);
    get_and_settle(&mut harness, 2, Settle::Requeue);
    // 2 is out again, and 4 for the first time.
    let mut who = consumer(1);
    (who.prefetch, who.timeout_ms) = (1, 500);
    harness.consume(who).expect("nobody is exclusive");
    harness.get(false);
    harness.get(false);
    harness.page_all_out();
    let counts = harness.queue.counts();
    let seen = (counts.ready, counts.unacked, counts.delayed, counts.dead);
    assert_eq!(seen, (3, 3, 1, 1));
    harness.pages.keep_only(&[]);
    harness.seen.clear();
    harness.tick(500);
    harness.tick(500);
    while harness.queue.counts().ready != 0 {
        harness.get(false);
    }
    harness.settle(vec![0], Settle::Ack);
    harness.settle((0..2).collect(), Settle::Ack);
    let dead = harness.on_their_way[0].0.clone();
    harness.answer(&dead, true);
    let counts = harness.queue.counts();
    assert_eq!((counts.ready, counts.unacked, counts.delayed, counts.dead), (0, 0, 0, 0));
    assert_eq!((counts.ready_bytes, counts.unacked_bytes), (0, 0));
    assert_eq!((counts.persistent, counts.persistent_bytes), (0, 0));
    let lost =
        harness.seen.iter().map(|it| if let Seen::Damaged { lost } = it { *lost } else { 0 });
    assert_eq!(lost.sum::<u64>(), 8);
    assert_eq!(harness.queue.poll_timeout(), None, "nothing is waited for");
    // Life goes on.
    harness.cancel(1);
    harness.publish(&[outgoing(9, None)]);
    assert_eq!(drain(&mut harness), [9]);
}
