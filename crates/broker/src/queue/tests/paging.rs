//! Messages that leave memory and come back.

use topology::QueueSettings;

use super::harness::{Harness, LogStep, Outgoing, Seen, consumer, entries, record};
use crate::queue::Settle;

fn declare() -> Harness {
    Harness::new(record(QueueSettings::default(), true, false))
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

fn delivered(harness: &mut Harness) -> Vec<usize> {
    let delivered = harness.seen.drain(..).filter_map(|seen| match seen {
        Seen::Delivered { body, .. } => Some(number_of(&body)),
        _ => None,
    });
    delivered.collect()
}

fn settle_all_but(harness: &mut Harness, kept: impl Fn(usize) -> bool) {
    let unacked = harness.unacked.iter().enumerate();
    let gone = unacked.filter(|(_, (_, body, _))| !kept(number_of(body)));
    let gone = gone.map(|(at, _)| at).collect();
    harness.settle(gone, Settle::Ack);
}

#[test]
fn a_backlog_on_pages_takes_no_memory_and_comes_back_in_order() {
    let mut harness = declare();
    publish(&mut harness, 0..200);
    harness.page_all_out();
    assert_eq!(harness.queue.resident(), 0);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_journal_that_names_pages_moves_on_with_no_more_than_it_wrote() {
    let mut harness = declare();
    publish(&mut harness, 0..201);
    harness.page_all_out();
    let written: usize = entries(&harness.log).values().map(Vec::len).sum();
    let moved = harness.queue.journal_bytes();
    assert!(0 < moved && moved <= written as u64, "{moved} of {written}");
}

#[test]
fn messages_that_leave_a_few_at_a_time_come_together_on_few_pages() {
    let mut harness = declare();
    for number in 0..50 {
        publish(&mut harness, 2 * number..2 * number + 2);
        harness.page_all_out();
    }
    assert!(harness.queue.pages().count() < 35, "{} pages", harness.queue.pages().count());
    harness.recover(harness.log.len(), false);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), (0..100).collect::<Vec<_>>());
}

#[test]
fn publishing_and_looking_read_nothing() {
    let mut harness = declare();
    publish(&mut harness, 0..100);
    harness.publish(&[outgoing(100, Some(1000))]);
    harness.page_all_out();
    publish(&mut harness, 101..200);
    harness.tick(500);
    assert_eq!(harness.queue.counts().ready, 200);
    assert_eq!(harness.queue.poll_timeout(), None);
    assert_eq!(harness.pages.reads(), 0);
}

#[test]
fn a_purge_reads_nothing_and_gives_all_room_back() {
    let mut harness = declare();
    publish(&mut harness, 0..200);
    harness.page_all_out();
    assert_eq!(harness.purge(), 200);
    assert_eq!(harness.pages.reads(), 0);
    assert_eq!(harness.queue.pages().count(), 0);
    harness.recover(harness.log.len(), false);
    harness.get(false);
    assert_eq!(harness.seen, [Seen::GotNothing]);
    assert_eq!(harness.pages.blocks(), [0u32; 0]);
}

#[test]
fn a_restart_reads_only_pages_that_something_was_taken_from() {
    let mut harness = declare();
    publish(&mut harness, 0..200);
    harness.page_all_out();
    for _ in 0..11 {
        harness.get(true);
    }
    harness.seen.clear();
    let before = harness.pages.reads();
    harness.recover(harness.log.len(), false);
    assert_eq!(harness.pages.reads() - before, 1);
    assert_eq!(harness.queue.resident(), 0);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), (11..200).collect::<Vec<_>>());
}

#[test]
fn scattered_acknowledgements_keep_little_in_memory() {
    let mut harness = declare();
    publish(&mut harness, 0..400);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    harness.page_all_out();
    settle_all_but(&mut harness, |number| number % 9 != 0);
    assert!(harness.queue.resident() < 5 * 1024, "{} bytes", harness.queue.resident());
}

#[test]
fn the_room_of_what_is_consumed_comes_back_around_the_one_that_is_not() {
    let mut harness = declare();
    publish(&mut harness, 0..400);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    harness.page_all_out();
    settle_all_but(&mut harness, |number| number == 200);
    harness.page_all_out();
    let used = harness.queue.pages().map(|page| page.len).sum::<u32>();
    assert!(used < 200, "{used} bytes of pages for one message");
}

#[test]
fn pages_that_are_mostly_empty_become_small() {
    let mut harness = declare();
    publish(&mut harness, 0..400);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    harness.page_all_out();
    let before = harness.queue.pages().map(|page| page.len).sum::<u32>();
    settle_all_but(&mut harness, |number| number % 10 == 0);
    harness.page_all_out();
    let after = harness.queue.pages().map(|page| page.len).sum::<u32>();
    assert!(after < before / 4, "{after} bytes of pages, {before} before");
    harness.recover(harness.log.len(), false);
    harness.seen.clear();
    harness.consume(consumer(2)).expect("nobody is exclusive");
    assert_eq!(delivered(&mut harness), (0..400).step_by(10).collect::<Vec<_>>());
}

#[test]
fn a_damaged_page_loses_the_damaged_message_only() {
    let mut harness = declare();
    publish(&mut harness, 0..20);
    harness.page_all_out();
    let block = harness.pages.blocks()[0];
    // A byte in the first record's body.
    harness.pages.damage(block, 40);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert!(harness.seen.contains(&Seen::Damaged { lost: 1 }), "{:?}", harness.seen);
    assert_eq!(delivered(&mut harness), (1..20).collect::<Vec<_>>());
    let counts = harness.queue.counts();
    assert_eq!((counts.ready, counts.unacked, counts.persistent), (0, 19, 19));
    // What is left of it goes to a page of its own, which is whole.
    harness.page_all_out();
    settle_all_but(&mut harness, |number| number == 5);
    harness.recover(harness.log.len(), false);
    harness.get(false);
    assert!(
        matches!(&harness.seen[..], [Seen::Got { body, .. }] if number_of(body) == 5),
        "{:?}",
        harness.seen
    );
}

#[test]
fn a_length_that_leads_out_of_its_page_costs_one_message_even_unseen_by_the_checksum() {
    let mut harness = declare();
    publish(&mut harness, 0..20);
    harness.page_all_out();
    harness.pages.set_gullible();
    // The highest byte of the first body's length.
    harness.pages.damage(harness.pages.blocks()[0], 27);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    assert!(harness.seen.contains(&Seen::Damaged { lost: 1 }), "{:?}", harness.seen);
    assert_eq!(delivered(&mut harness), (1..20).collect::<Vec<_>>());
}

#[test]
fn a_page_that_is_gone_loses_its_messages_and_no_others() {
    let mut harness = declare();
    publish(&mut harness, 0..40);
    harness.page_all_out();
    let pages: Vec<_> = harness.queue.pages().collect();
    harness.pages.keep_only(&pages[1..]);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    let left = delivered(&mut harness);
    let first = left[0];
    assert!(0 < first && left == (first..40).collect::<Vec<_>>(), "{left:?}");
    assert_eq!(harness.queue.counts().unacked, left.len() as u64);
    settle_all_but(&mut harness, |_| false);
    let counts = harness.queue.counts();
    assert_eq!((counts.unacked_bytes, counts.persistent, counts.persistent_bytes), (0, 0, 0));
}

#[test]
fn old_entries_of_the_log_go_when_the_log_wants_it() {
    let mut harness = declare();
    // More pages than one turn looks at.
    publish(&mut harness, 0..400);
    harness.page_all_out();
    publish(&mut harness, 400..410);
    let before = harness.log.len();
    while harness.queue.move_journal_on(harness.log.len() == before) {
        harness.tick(0);
    }
    let compacted = harness.log[before..].iter().filter_map(|step| match step {
        LogStep::Compact(to) => Some(*to),
        _ => None,
    });
    let older = entries(&harness.log[..before]);
    let last = older.keys().next_back().expect("it was written to");
    assert!(compacted.max().is_some_and(|to| *last < to), "{:?}", &harness.log[before..]);
    harness.recover(harness.log.len(), false);
    assert_eq!(harness.queue.counts().ready, 410);
}

#[test]
fn a_drained_queue_leaves_the_log_when_that_wants_it() {
    let mut harness = declare();
    publish(&mut harness, 0..3);
    harness.consume(consumer(1)).expect("nobody is exclusive");
    settle_all_but(&mut harness, |_| false);
    assert_eq!(harness.log.last().map(|step| matches!(step, LogStep::Clear)), Some(false));
    assert!(!harness.queue.move_journal_on(true));
    harness.tick(0);
    assert!(matches!(harness.log.last(), Some(LogStep::Clear)), "{:?}", harness.log);
}
