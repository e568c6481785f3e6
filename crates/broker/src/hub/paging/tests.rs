//! The pager, played by hand.

use std::sync::Arc;

use field_table::FieldTable;
use message::{Incoming, MessageRef};
use stdx::Timestamp;
use topology::{Command, ConnectionId, DeclareQueue};

use crate::hub::tests::{Witness, getter};
use crate::testing::{MemoryJournal, MemoryPages, broker_with_pages};
use crate::{Broker, BrokerConfig, PageJob, PageRef, QueueRef};

const NOW: Timestamp = Timestamp(1000);
const RESIDENT_MAX: u64 = 64 * 1024;

fn start() -> (Arc<Broker>, Arc<MemoryPages>, Arc<MemoryJournal>) {
    let config = BrokerConfig { resident_max: RESIDENT_MAX, ..BrokerConfig::default() };
    let (journal, pages) = (Arc::default(), Arc::default());
    (broker_with_pages(config, Arc::clone(&journal), Arc::clone(&pages)), pages, journal)
}

fn declare(broker: &Broker, name: &str) -> QueueRef {
    let command = DeclareQueue {
        vhost: "/".to_owned(),
        name: name.to_owned(),
        is_server_named: false,
        durable: true,
        auto_delete: false,
        owner: None,
        arguments: FieldTable::default(),
    };
    broker.propose_with(Command::DeclareQueue(command), Box::new(|done| drop(done.expect("new"))));
    let topology = broker.topology();
    let id = topology.vhost("/").and_then(|it| it.queue(name)).expect("just declared").id;
    broker.queue(id).expect("just declared")
}

fn publish(broker: &Broker, queue: &QueueRef, numbers: std::ops::Range<u32>) {
    publish_sized(broker, queue, numbers, 100);
}

fn publish_sized(broker: &Broker, queue: &QueueRef, numbers: std::ops::Range<u32>, len: usize) {
    let mut turn = broker.begin(NOW);
    for number in numbers {
        let mut body = vec![b'x'; len];
        body[..4].copy_from_slice(&number.to_le_bytes());
        let (exchange, routing_key, properties): (&[u8], _, _) = (b"", b"q", &[0, 0]);
        let message = MessageRef { exchange, routing_key, properties, body: &body, image: None };
        let incoming = Incoming {
            message,
            is_persistent: true,
            priority: None,
            ttl_ms: None,
            history: Default::default(),
        };
        broker.publish(&mut turn, queue, &[incoming]);
    }
    broker.finish(turn);
}

fn get_all(broker: &Broker, queue: &QueueRef) -> Vec<u32> {
    let mut turn = broker.begin(NOW);
    let number_of = |body: &[u8]| u32::from_le_bytes(*body.first_chunk().expect("four bytes"));
    let take = |turn: &mut _| {
        broker.get(turn, queue, None, |got| got.map(|got| number_of(got.delivery.message.body))).0
    };
    let numbers = std::iter::from_fn(|| take(&mut turn)).collect();
    broker.finish(turn);
    numbers
}

/// Works until there is nothing more to do; returns how many pages were written.
fn run_pager(broker: &Broker) -> usize {
    let mut written = 0;
    while broker.wants_paging() {
        let mut jobs = Vec::new();
        if broker.collect_pages(NOW, 16 * 1024, &mut jobs) == 0 && jobs.is_empty() {
            break;
        }
        written += jobs.len();
        broker.paged_out(NOW, jobs);
    }
    written
}

#[test]
fn many_small_queues_stay_within_the_limit_together() {
    let (broker, pages, _) = start();
    let queues: Vec<QueueRef> = (0..50).map(|n| declare(&broker, &format!("q{n}"))).collect();
    for round in 0..10 {
        for queue in &queues {
            publish(&broker, queue, round * 10..round * 10 + 10);
        }
        run_pager(&broker);
        assert!(broker.resident_bytes() <= RESIDENT_MAX, "{}", broker.resident_bytes());
    }
    assert!(!broker.is_paging_behind());
    for queue in &queues {
        assert_eq!(get_all(&broker, queue), (0..100).collect::<Vec<_>>());
    }
    assert_eq!(pages.blocks(), [0u32; 0]);
    run_pager(&broker);
}

#[test]
fn what_a_bug_left_of_a_turn_is_carried_out_with_pages_at_hand() {
    let (broker, ..) = start();
    let queue = declare(&broker, "q");
    publish(&broker, &queue, 0..2000);
    run_pager(&broker);
    let witness = Arc::new(Witness::default());
    let bug = std::panic::AssertUnwindSafe(|| {
        let mut turn = broker.begin(NOW);
        turn.touched.push(witness.clone());
        panic!("a bug, for the test");
    });
    std::panic::catch_unwind(bug).expect_err("it does panic");
    broker.handle_crashes();
    assert_eq!(witness.wakes(), 1);
    // The turn is used again, and others are.
    assert_eq!(get_all(&broker, &queue), (0..2000).collect::<Vec<_>>());
}

#[test]
fn whoever_waits_for_the_pager_twice_is_woken_once() {
    let (broker, ..) = start();
    let queue = declare(&broker, "q");
    publish(&broker, &queue, 0..2000);
    assert!(broker.is_paging_behind());
    let waiters = [1, 2].map(|id| (ConnectionId(id), Arc::new(Witness::default())));
    for (id, mailbox) in waiters.iter().chain(&waiters) {
        broker.wait_for_paging(*id, mailbox.clone());
    }
    run_pager(&broker);
    assert_eq!(waiters.map(|(_, mailbox)| mailbox.wakes()), [1, 1]);
}

#[test]
fn nothing_leaves_memory_while_there_is_room() {
    let (broker, _, _) = start();
    let queue = declare(&broker, "q");
    publish(&broker, &queue, 0..10);
    assert!(!broker.wants_paging());
    assert_eq!(run_pager(&broker), 0);
    assert!(0 < broker.resident_bytes());
    get_all(&broker, &queue);
    assert!(broker.resident_bytes() < 4096);
}

#[test]
fn a_deleted_queue_gives_its_pages_back_and_those_under_way() {
    let (broker, pages, _) = start();
    let queue = declare(&broker, "q");
    publish(&broker, &queue, 0..1000);
    assert!(0 < run_pager(&broker));
    publish(&broker, &queue, 0..1000);
    let mut jobs: Vec<PageJob> = Vec::new();
    broker.collect_pages(NOW, usize::MAX, &mut jobs);
    let delete = Command::DeleteQueues(vec![queue.record.id]);
    broker.propose_with(delete, Box::new(|done| drop(done.expect("it is there"))));
    assert_eq!(broker.resident_bytes(), 0);
    assert_eq!(pages.blocks().len(), jobs.len());
    broker.paged_out(NOW, jobs);
    assert_eq!(pages.blocks(), [0u32; 0]);
}

#[test]
fn what_cannot_be_written_stays_in_memory() {
    let (broker, pages, _) = start();
    let queue = declare(&broker, "q");
    publish(&broker, &queue, 0..1000);
    let mut jobs: Vec<PageJob> = Vec::new();
    broker.collect_pages(NOW, usize::MAX, &mut jobs);
    broker.page_out_failed(NOW, jobs);
    assert_eq!(pages.blocks(), [0u32; 0]);
    assert!(broker.wants_paging());
    let mut jobs = Vec::new();
    broker.collect_pages(NOW, usize::MAX, &mut jobs);
    assert!(!jobs.is_empty(), "it is tried again");
    broker.page_out_failed(NOW, jobs);
    assert!(0 < run_pager(&broker), "until it can be written");
    assert!(!broker.wants_paging());
    assert_eq!(get_all(&broker, &queue), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_restart_names_the_pages_in_use() {
    let (broker, pages, journal) = start();
    let queue = declare(&broker, "q");
    publish(&broker, &queue, 0..1000);
    run_pager(&broker);
    let entries = journal.entries(queue.record.id);
    let config = BrokerConfig { resident_max: RESIDENT_MAX, ..BrokerConfig::default() };
    let again = broker_with_pages(config, Arc::default(), pages.clone());
    let queue = declare(&again, "q");
    let recovered = again.recover_queues::<()>(NOW, false, |visit| {
        entries.iter().for_each(|(index, entry)| visit(queue.record.id, *index, entry));
        Ok(())
    });
    let recovered = recovered.expect("the log can be read");
    let named: Vec<u32> = recovered.pages.iter().map(|page: &PageRef| page.block).collect();
    assert_eq!((recovered.messages, named), (1000, pages.blocks()));
    assert_eq!(get_all(&again, &queue), (0..1000).collect::<Vec<_>>());
    assert_eq!(pages.blocks(), [0u32; 0]);
}

#[test]
fn the_log_gets_rid_of_a_queue_that_holds_it_back() {
    let (broker, _, journal) = start();
    let queue = declare(&broker, "q");
    let id = queue.record.id;
    publish(&broker, &queue, 0..1000);
    let before = journal.entries(id).last().expect("it was written to").0;
    let mut jobs = Vec::new();
    broker.collect_pages_of(NOW, id, &mut jobs);
    broker.paged_out(NOW, jobs);
    let mut is_first = true;
    while broker.move_journal_on(NOW, id, is_first) {
        is_first = false;
    }
    publish(&broker, &queue, 1000..1001);
    let oldest = journal.entries(id).first().expect("something is live").0;
    assert!(before < oldest, "{oldest} is left, {before} was the last");
}

const LARGE: usize = 100_000;

/// One large persistent message for all of these queues, in a turn.
fn fan_out(broker: &Broker, queues: &[&QueueRef], number: u32, len: usize) {
    publish_large(broker, queues, number, len, true);
}

fn publish_large(
    broker: &Broker,
    queues: &[&QueueRef],
    number: u32,
    len: usize,
    is_persistent: bool,
) {
    let mut turn = broker.begin(NOW);
    let mut body = vec![b'x'; len];
    body[..4].copy_from_slice(&number.to_le_bytes());
    let (exchange, routing_key, properties): (&[u8], _, _) = (b"", b"q", &[0, 0]);
    let message = MessageRef { exchange, routing_key, properties, body: &body, image: None };
    let image = message.to_image();
    let message = image.as_ref();
    let history = Default::default();
    let incoming = Incoming { message, is_persistent, priority: None, ttl_ms: None, history };
    turn.set_fan_out(1 < queues.len());
    queues.iter().for_each(|queue| drop(broker.publish(&mut turn, queue, &[incoming])));
    broker.finish(turn);
}

fn journal_len(journal: &MemoryJournal, queue: &QueueRef) -> usize {
    journal.entries(queue.record.id).iter().map(|(_, entry)| entry.len()).sum()
}

#[test]
fn a_large_body_for_several_queues_is_stored_once() {
    let (broker, pages, journal) = start();
    let [first, second] = ["first", "second"].map(|name| declare(&broker, name));
    fan_out(&broker, &[&first, &second], 7, LARGE);
    assert_eq!(journal.attached(), [LARGE + 3]);
    assert_eq!(pages.bytes(), LARGE + 3);
    assert!(journal_len(&journal, &first) + journal_len(&journal, &second) < 200);
    assert_eq!(get_all(&broker, &first), [7]);
    assert_eq!(pages.blocks().len(), 1, "the other queue still has it");
    assert_eq!(get_all(&broker, &second), [7]);
    assert_eq!(pages.blocks(), [0u32; 0]);
}

#[test]
fn bodies_of_4_kib_are_stored_once_if_they_go_to_several_queues() {
    let (broker, pages, _) = start();
    let [first, second] = ["first", "second"].map(|name| declare(&broker, name));
    fan_out(&broker, &[&first], 1, 4096);
    assert_eq!(pages.blocks(), [0u32; 0]);
    fan_out(&broker, &[&first, &second], 2, 4096);
    assert_eq!(pages.references().len(), 2);
    assert_eq!((get_all(&broker, &first), get_all(&broker, &second)), (vec![1, 2], vec![2]));
    assert_eq!(pages.blocks(), [0u32; 0]);
}

#[test]
fn a_backlog_of_large_bodies_takes_little_memory_and_is_not_copied() {
    let (broker, pages, journal) = start();
    let [first, second] = ["first", "second"].map(|name| declare(&broker, name));
    for number in 0..50 {
        fan_out(&broker, &[&first, &second], number, LARGE);
    }
    run_pager(&broker);
    assert!(broker.resident_bytes() <= RESIDENT_MAX, "{}", broker.resident_bytes());
    assert!(pages.bytes() < 51 * LARGE, "{} bytes of pages", pages.bytes());
    assert_eq!(journal.attached().len(), 50);
    for queue in [&first, &second] {
        let mut turn = broker.begin(NOW);
        for _ in 0..50 {
            let (is_there, _) = broker.get(&mut turn, queue, Some(&getter()), |got| got.is_some());
            assert!(is_there);
            let bound = RESIDENT_MAX + 2 * LARGE as u64;
            assert!(broker.resident_bytes() <= bound, "one body is in memory at a time");
        }
        broker.finish(turn);
    }
}

#[test]
fn large_bodies_that_the_log_has_not_written_are_written_with_their_page() {
    let (broker, _, journal) = start();
    let queue = declare(&broker, "q");
    journal.hold();
    fan_out(&broker, &[&queue], 1, LARGE);
    let mut jobs = Vec::new();
    broker.collect_pages(NOW, usize::MAX, &mut jobs);
    let blobs = |jobs: &[PageJob]| jobs.iter().map(|job| job.blobs().len()).sum::<usize>();
    assert_eq!(blobs(&jobs), 1);
    broker.page_out_failed(NOW, jobs);
    journal.sync();
    let mut jobs = Vec::new();
    broker.collect_pages(NOW, usize::MAX, &mut jobs);
    assert_eq!((jobs.len(), blobs(&jobs)), (1, 0), "only its page, now that the log has it");
    broker.paged_out(NOW, jobs);
    assert_eq!(get_all(&broker, &queue), [1]);
}

#[test]
fn a_restart_counts_the_owners_of_a_large_body() {
    let (broker, pages, journal) = start();
    let [first, second] = ["first", "second"].map(|name| declare(&broker, name));
    (0..3).for_each(|number| fan_out(&broker, &[&first, &second], number, LARGE));
    assert_eq!(get_all(&broker, &second), [0, 1, 2]);
    fan_out(&broker, &[&first, &second], 3, LARGE);
    let before = pages.references();
    let config = BrokerConfig { resident_max: RESIDENT_MAX, ..BrokerConfig::default() };
    let again = broker_with_pages(config, Arc::default(), pages.clone());
    let queues = [(&first, "first"), (&second, "second")]
        .map(|(old, name)| (journal.entries(old.record.id), declare(&again, name)));
    let recovered = again.recover_queues::<()>(NOW, false, |visit| {
        for (entries, queue) in &queues {
            entries.iter().for_each(|(index, entry)| visit(queue.record.id, *index, entry));
        }
        Ok(())
    });
    let mut named = recovered.expect("the log can be read").pages;
    named.sort_unstable_by_key(|page| page.block);
    assert_eq!(named.iter().map(|page| page.block).collect::<Vec<_>>(), before);
    assert!(again.resident_bytes() < 8 * 1024, "{} bytes", again.resident_bytes());
    assert_eq!(get_all(&again, &queues[0].1), [0, 1, 2, 3]);
    assert_eq!(get_all(&again, &queues[1].1), [3]);
    assert_eq!(pages.blocks(), [0u32; 0]);
}

#[test]
fn a_damaged_large_body_is_lost_alone_and_reported() {
    let (broker, pages, _) = start();
    let queue = declare(&broker, "q");
    (0..3).for_each(|number| fan_out(&broker, &[&queue], number, LARGE));
    let blobs = pages.blocks();
    run_pager(&broker);
    pages.damage(blobs[1], 5000);
    assert_eq!(get_all(&broker, &queue), [0, 2]);
    let damaged = broker.take_damaged_pages();
    let found: Vec<_> = damaged.iter().map(|it| (it.damage.offset, it.lost)).collect();
    assert_eq!(found, [(u64::from(blobs[1]), 1)]);
    assert_eq!(broker.counts(&queue).persistent, 0);
    assert_eq!(pages.blocks(), [0u32; 0]);
}

#[test]
fn a_deleted_queue_gives_back_its_share_of_large_bodies() {
    let (broker, pages, _) = start();
    let [first, second] = ["first", "second"].map(|name| declare(&broker, name));
    (0..3).for_each(|number| fan_out(&broker, &[&first, &second], number, LARGE));
    run_pager(&broker);
    fan_out(&broker, &[&first, &second], 3, LARGE);
    let mut jobs = Vec::new();
    broker.collect_pages(NOW, usize::MAX, &mut jobs);
    let delete = Command::DeleteQueues(vec![first.record.id]);
    broker.propose_with(delete, Box::new(|done| drop(done.expect("it is there"))));
    broker.paged_out(NOW, jobs);
    assert_eq!(get_all(&broker, &second), [0, 1, 2, 3]);
    assert_eq!(pages.blocks(), [0u32; 0]);
}

#[test]
fn large_transient_bodies_leave_memory_without_a_copy() {
    let (broker, pages, journal) = start();
    let queue = declare(&broker, "q");
    publish_large(&broker, &[&queue], 0, LARGE, false);
    fan_out(&broker, &[&queue], 1, LARGE);
    publish_large(&broker, &[&queue], 2, LARGE, false);
    let mut jobs = Vec::new();
    broker.collect_pages(NOW, usize::MAX, &mut jobs);
    let copied: usize = jobs.iter().map(|job| job.bytes().len()).sum();
    let beside: usize = jobs.iter().flat_map(PageJob::blobs).map(|(_, bytes)| bytes.len()).sum();
    assert!(copied < 500, "{copied} bytes");
    assert_eq!((beside, journal.attached()), (2 * (LARGE + 3), vec![LARGE + 3]));
    broker.page_out_failed(NOW, jobs);
    assert_eq!(pages.references().len(), 1, "of the persistent one");
    publish_large(&broker, &[&queue], 3, LARGE, false);
    run_pager(&broker);
    assert!(broker.resident_bytes() < 1024, "{}", broker.resident_bytes());
    assert_eq!(get_all(&broker, &queue), [0, 1, 2, 3]);
    assert_eq!(pages.blocks(), [0u32; 0]);
}

#[test]
fn a_restart_finds_the_room_of_large_transient_bodies_free() {
    let (broker, pages, journal) = start();
    let queue = declare(&broker, "q");
    publish_large(&broker, &[&queue], 0, LARGE, false);
    let transient = {
        let mut jobs = Vec::new();
        broker.collect_pages(NOW, usize::MAX, &mut jobs);
        let blob = jobs[0].blobs()[0].0;
        broker.page_out_failed(NOW, jobs);
        blob.len
    };
    fan_out(&broker, &[&queue], 1, LARGE - 1);
    run_pager(&broker);
    let config = BrokerConfig { resident_max: RESIDENT_MAX, ..BrokerConfig::default() };
    let again = broker_with_pages(config, Arc::default(), pages);
    let (entries, queue) = (journal.entries(queue.record.id), declare(&again, "q"));
    let recovered = again.recover_queues::<()>(NOW, false, |visit| {
        entries.iter().for_each(|(index, entry)| visit(queue.record.id, *index, entry));
        Ok(())
    });
    let named = recovered.expect("the log can be read").pages;
    assert!(named.iter().all(|page| page.len != transient), "{named:?}");
    assert_eq!(get_all(&again, &queue), [1]);
}

/// Fills a queue, and leaves one in 16 of its messages on their pages.
fn scatter(broker: &Broker, queue: &QueueRef) {
    publish_sized(broker, queue, 0..4000, 4);
    let mut jobs = Vec::new();
    broker.collect_pages(NOW, usize::MAX, &mut jobs);
    broker.paged_out(NOW, jobs);
    let mut turn = broker.begin(NOW);
    for number in 0..4000 {
        let get = |got: Option<crate::Got<'_>>| got.map(|got| got.delivery.ticket);
        let ticket = broker.get(&mut turn, queue, Some(&getter()), get).0.expect("there are more");
        if number % 16 != 0 {
            broker.settle(&mut turn, queue, None, &[ticket], crate::Settle::Ack);
        }
    }
    broker.finish(turn);
}

#[test]
fn pages_that_are_mostly_empty_send_nobody_elses_messages_to_the_disk() {
    let (broker, pages, _) = start();
    let [scattered, hot] = ["scattered", "hot"].map(|name| declare(&broker, name));
    scatter(&broker, &scattered);
    publish(&broker, &hot, 0..10);
    let sparse = scattered.lock().sparse_pages();
    assert!(
        broker.wants_paging(),
        "{} pages, {sparse} sparse, {} bytes",
        pages.blocks().len(),
        broker.resident_bytes()
    );
    let mut jobs = Vec::new();
    broker.collect_pages(NOW, 16 * 1024, &mut jobs);
    assert!(!jobs.is_empty(), "what is left is written again");
    assert!(
        jobs.iter().all(|job| Arc::ptr_eq(&job.cell, &scattered)),
        "{}",
        broker.resident_bytes()
    );
}

#[test]
fn who_waits_for_a_queue_to_write_its_sparse_pages_holds_up_no_other() {
    let (broker, _, _) = start();
    let queue = declare(&broker, "q");
    scatter(&broker, &queue);
    let held = queue.lock();
    std::thread::scope(|scope| {
        let pager = scope.spawn(|| broker.collect_pages(NOW, 0, &mut Vec::new()));
        let listed = || {
            let listed = broker.paging.sparse.try_lock_for(std::time::Duration::from_secs(10));
            listed.map(|listed| listed.len())
        };
        let mut left = listed();
        while left.is_some_and(|len| 0 < len) {
            std::thread::yield_now();
            left = listed();
        }
        drop(held);
        pager.join().expect("it does not panic");
        assert_eq!(left, Some(0), "the list is free while the pager waits for the queue");
    });
}
