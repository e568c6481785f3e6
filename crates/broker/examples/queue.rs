//! What a message costs in a queue, in nanoseconds: `cargo run --release -p broker --example queue`.
//!
//! One thread, one queue, one consumer (or four), 64 messages per turn; the mailbox looks at every
//! delivery.
//! Then the memory of a deep backlog, and the time to rebuild it from its journal.

use std::sync::Arc;
use std::time::Instant;

use broker::{
    Batch, Consumer, ConsumerId, ConsumerKey, Effects, Event, Intake, Mailbox, Queue, QueueRef,
    Settle,
};
use field_table::FieldTable;
use message::{Incoming, MessageRef};
use stdx::Timestamp;
use topology::{QueueId, QueueKind, QueueRecord, QueueSettings};

const TURN: usize = 64;
const STRETCHES: usize = 300;
const STRETCH_TURNS: usize = 100;
const NOW: Timestamp = Timestamp(1_000_000);

struct NoMailbox;

impl Mailbox for NoMailbox {
    fn deliver(&self, _: ConsumerKey, _: &QueueRef, batch: &Batch<'_>) -> Intake {
        Intake { taken: batch.len(), is_full: false }
    }
    fn deliver_reply(&self, _: ConsumerKey, _: &MessageRef<'_>) -> bool {
        false
    }
    fn post(&self, _: Event) {}
    fn wake(&self) {}
}

fn queue(is_durable: bool) -> Queue {
    Queue::new(record(is_durable), QueueSettings::default().into(), NOW)
}

fn record(is_durable: bool) -> Arc<QueueRecord> {
    Arc::new(QueueRecord {
        id: QueueId(1),
        vhost: "/".into(),
        name: "q".into(),
        kind: QueueKind::Classic,
        durable: is_durable,
        auto_delete: false,
        owner: None,
        arguments: Arc::new(FieldTable::default()),
    })
}

fn consume(queue: &mut Queue, id: u64, is_no_ack: bool, fx: &mut Effects) {
    let consumer = Consumer {
        id: ConsumerId(id),
        mailbox: Arc::new(NoMailbox),
        key: ConsumerKey { channel: 1, slot: 0 },
        channel: 1,
        tag: "c".into(),
        is_no_ack,
        prefetch: 0,
        priority: 0,
        is_exclusive: false,
        timeout_ms: 1_800_000,
        arguments: FieldTable::default(),
    };
    queue.add_consumer(NOW, consumer, fx).expect("nobody is exclusive");
}

fn incoming(body: &[u8], is_persistent: bool) -> Incoming<'_> {
    let message = MessageRef {
        exchange: b"",
        routing_key: b"hello",
        properties: &[0x10, 0, 2],
        body,
        image: None,
    };
    Incoming { message, is_persistent, priority: None, ttl_ms: None, history: Default::default() }
}

/// Nanoseconds per message in the best stretch of 100 turns (others may use the machine), and
/// bytes of journal per message.
fn pass_through(
    body_len: usize,
    is_persistent: bool,
    is_no_ack: bool,
    consumers: u64,
) -> (f64, f64) {
    let body = vec![b'x'; body_len];
    let batch = [incoming(&body, is_persistent); TURN];
    let (mut queue, mut fx) = (queue(is_persistent), Effects::default());
    for id in 1..=consumers {
        consume(&mut queue, id, is_no_ack, &mut fx);
    }
    let (mut tickets, mut looked_at) = (Vec::new(), 0);
    let (mut best, mut journaled) = (f64::MAX, 0);
    for _ in 0..STRETCHES {
        let start = Instant::now();
        for _ in 0..STRETCH_TURNS {
            queue.publish(NOW, &batch, &mut fx);
            while let Some(batch) = queue.next_batch(NOW, &mut fx) {
                let len = batch.len();
                for delivery in batch.iter() {
                    looked_at += usize::from(delivery.message.body[body_len - 1]);
                    tickets.push(delivery.ticket);
                }
                queue.commit_batch(NOW, len, false, &mut fx);
            }
            queue.take_journal(&mut fx);
            journaled += fx.journal.len();
            fx.clear();
            if !is_no_ack {
                let settled =
                    queue.settle(NOW, Some(ConsumerId(1)), &tickets, Settle::Ack, &mut fx);
                assert_eq!(settled, tickets.len());
                queue.take_journal(&mut fx);
                journaled += fx.journal.len();
                fx.clear();
            }
            tickets.clear();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (STRETCH_TURNS * TURN) as f64);
    }
    let messages = STRETCHES * STRETCH_TURNS * TURN;
    assert_eq!(looked_at, messages * usize::from(b'x'));
    assert_eq!(queue.counts().ready + queue.counts().unacked, 0);
    (best, journaled as f64 / messages as f64)
}

fn resident_kb() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).map_or(0, |n| n * 4)
}

fn backlog(messages: usize, body_len: usize) {
    let body = vec![b'x'; body_len];
    let batch = [incoming(&body, true); TURN];
    let (mut queue, mut fx, mut log) = (queue(true), Effects::default(), Vec::new());
    for _ in 0..messages / TURN {
        queue.publish(NOW, &batch, &mut fx);
        queue.take_journal(&mut fx);
        log.push((fx.journal_index, fx.journal.clone()));
        fx.clear();
    }
    let memory = queue.counts().memory;
    let log_bytes: usize = log.iter().map(|(_, entry)| entry.len()).sum();
    drop(queue);
    let start = Instant::now();
    let mut recovery = Queue::recover(record(true), QueueSettings::default().into(), NOW);
    for (index, entry) in &log {
        recovery.entry(*index, entry).expect("just written");
    }
    let mut queue = recovery.finish(false, &mut fx);
    let rebuilt = start.elapsed();
    let per = |bytes: usize| bytes as f64 / messages as f64;
    println!(
        "{messages} ready messages of {body_len} B: {:.1} B each in memory, {:.1} B in the journal, \
         rebuilt in {rebuilt:.2?}, resident {} MB",
        per(memory),
        per(log_bytes),
        resident_kb() / 1024,
    );
    consume(&mut queue, 1, true, &mut fx);
    let start = Instant::now();
    let mut drained = 0;
    while let Some(batch) = queue.next_batch(NOW, &mut fx) {
        let len = batch.len();
        queue.commit_batch(NOW, len, false, &mut fx);
        queue.take_journal(&mut fx);
        fx.clear();
        drained += len;
    }
    println!("  drained at {:.0} ns each", start.elapsed().as_nanos() as f64 / drained as f64);
}

fn many_queues(queues: usize, messages: usize) {
    let body = [b'x'; 12];
    let batch = [incoming(&body, false); TURN];
    let mut fx = Effects::default();
    let before = resident_kb();
    let record = record(false);
    let settings = Arc::new(QueueSettings::default());
    let empty_queue = |_| Queue::new(record.clone(), settings.clone(), NOW);
    let mut all: Vec<Queue> = (0..queues).map(empty_queue).collect();
    let empty = resident_kb();
    for _ in 0..messages / TURN {
        for queue in &mut all {
            queue.publish(NOW, &batch, &mut fx);
        }
    }
    let full = resident_kb();
    println!(
        "{queues} queues: {} B each when empty, {} B with {} messages of 12 B",
        (empty - before) * 1024 / queues,
        (full - before) * 1024 / queues,
        messages / TURN * TURN,
    );
}

/// With the argument `pass` only the first part.
fn main() {
    println!("size of an empty queue: {} B", size_of::<Queue>());
    for body_len in [12, 1024] {
        for is_persistent in [false, true] {
            for is_no_ack in [true, false] {
                let (ns, journaled) = pass_through(body_len, is_persistent, is_no_ack, 1);
                println!(
                    "{body_len:4} B, {}, {}: {ns:6.1} ns, {journaled:.1} B of journal",
                    if is_persistent { "persistent" } else { "transient " },
                    if is_no_ack { "no-ack" } else { "ack   " },
                );
            }
        }
    }
    let (ns, _) = pass_through(12, false, true, 4);
    println!("  12 B, transient , no-ack, 4 consumers taking turns: {ns:.1} ns");
    if std::env::args().nth(1).as_deref() == Some("pass") {
        return;
    }
    many_queues(10_000, 1000);
    backlog(10_000_000, 12);
    backlog(1_000_000, 1024);
}
