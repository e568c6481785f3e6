//! Journals of replicated queues over a log in memory, which a power cut shortens.

use std::collections::BTreeMap;
use std::sync::Arc;

use consensus::{Error, NodeId, Record};
use storage::{Durability, GroupId, MemoryLog, Step, Wal};
use topology::QueueId;

use super::{QuorumJournal, group_of, queue_of};

const ORDERS: QueueId = QueueId(7);
const INVOICES: QueueId = QueueId(8);

/// The journal between two starts, and what it recovered.
struct Running {
    wal: Arc<Wal>,
    journal: QuorumJournal,
    found: BTreeMap<u64, Vec<(u64, String)>>,
    damaged: Vec<(u64, Error)>,
}

impl Running {
    fn start(log: &Arc<MemoryLog>) -> Self {
        Self::start_with(log, Durability::Fsync)
    }

    fn start_with(log: &Arc<MemoryLog>, durability: Durability) -> Self {
        let wal = Arc::new(Wal::open(log.clone(), durability).unwrap());
        let journal = QuorumJournal::new(NodeId(1), wal.clone());
        let (mut found, mut damaged) = (BTreeMap::<u64, Vec<_>>::new(), Vec::new());
        let lost = wal.replay_all(&mut |group, index, record| {
            let queue = queue_of(group).expect("there are no others");
            match journal.recover(queue, index, record) {
                Ok(None) => {}
                Ok(Some((number, entry))) => {
                    let entry = String::from_utf8(entry.to_vec()).unwrap();
                    found.entry(queue.0).or_default().push((number, entry));
                }
                Err(error) => damaged.push((index, error)),
            }
        });
        assert_eq!(lost, Ok(Vec::new()));
        Self { wal, journal, found, damaged }
    }

    fn append(&self, queue: QueueId, number: u64, entry: &str) {
        self.journal.append(queue, number, entry.as_bytes(), []);
    }

    /// Lets the write-ahead log write and sync what it has.
    fn sync(&self) {
        while self.wal.step() == Step::Wrote {}
    }

    /// The entries recovered, as `number=entry`.
    fn found(&self, queue: QueueId) -> Vec<String> {
        let entries = self.found.get(&queue.0).into_iter().flatten();
        entries.map(|(number, entry)| format!("{number}={entry}")).collect()
    }

    /// All records of a queue's group in the log, as `index/term kind`.
    fn records(&self, queue: QueueId) -> Vec<String> {
        let mut records = Vec::new();
        self.wal
            .replay(group_of(queue), &mut |index, record| {
                let Record { term, data } = Record::parse(record).unwrap();
                let kind = if data.is_some() { "entry" } else { "blank" };
                records.push(format!("{index}/{term} {kind}"));
            })
            .unwrap();
        records
    }

    fn is_idle(&self, queue: QueueId) -> bool {
        let log = self.journal.known_log_of(queue).unwrap();
        let log = log.lock();
        !log.is_pending() && !log.is_watched
    }
}

#[test]
fn groups_of_replicated_queues_are_told_from_those_of_classic_ones() {
    assert_eq!(queue_of(group_of(ORDERS)), Some(ORDERS));
    assert_eq!(queue_of(GroupId(ORDERS.0)), None);
    assert!(group_of(ORDERS) < GroupId::MAX);
}

#[test]
fn entries_come_back_under_the_queues_own_numbers() {
    let log = Arc::new(MemoryLog::new());
    let node = Running::start(&log);
    node.append(ORDERS, 1, "a");
    node.append(INVOICES, 1, "x");
    node.append(ORDERS, 2, "b");
    node.sync();
    let node = Running::start(&log);
    assert_eq!(node.found(ORDERS), ["1=a", "2=b"]);
    node.append(ORDERS, 3, "c");
    node.sync();
    let node = Running::start(&log);
    assert_eq!(node.found(ORDERS), ["1=a", "2=b", "3=c"]);
    assert_eq!(node.found(INVOICES), ["1=x"]);
    assert_eq!(
        node.records(ORDERS),
        ["1/1 blank", "2/1 entry", "3/1 entry", "4/2 blank", "5/2 entry"]
    );
    assert_eq!(node.records(INVOICES), ["1/1 blank", "2/1 entry"]);
}

#[test]
fn one_sync_commits_the_entries_of_all_queues() {
    let log = Arc::new(MemoryLog::new());
    let node = Running::start(&log);
    for queue in 1..=100 {
        node.append(QueueId(queue), 1, "a");
        node.append(QueueId(queue), 2, "b");
    }
    let before = log.syncs();
    node.sync();
    assert_eq!(log.syncs(), before + 1);
    assert!((1..=100).all(|queue| node.is_idle(QueueId(queue))));
    node.append(QueueId(1), 3, "c");
    assert!(!node.is_idle(QueueId(1)));
    node.sync();
    assert!(node.is_idle(QueueId(1)));
}

#[test]
fn entries_that_are_not_needed_go_once_they_are_committed() {
    let log = Arc::new(MemoryLog::new());
    for first in [1, 3, 5] {
        let node = Running::start(&log);
        node.append(ORDERS, first, "a");
        node.append(ORDERS, first + 1, "b");
        node.sync();
    }
    let node = Running::start(&log);
    node.append(ORDERS, 7, "c");
    node.journal.compact(ORDERS, 8);
    node.journal.compact(ORDERS, 4);
    node.append(INVOICES, 1, "carries the compaction");
    node.sync();
    assert_eq!(Running::start(&log).found(ORDERS)[0], "6=b");
    node.append(INVOICES, 2, "carries the rest");
    node.sync();
    let node = Running::start(&log);
    assert_eq!(node.found(ORDERS), ["7=c"]);
    assert_eq!(node.records(ORDERS), ["11/4 entry"]);
    // Before there is a member again, too; the last one stays whatever happens.
    node.journal.compact(ORDERS, 8);
    node.append(ORDERS, 8, "d");
    node.sync();
    assert_eq!(Running::start(&log).found(ORDERS), ["7=c", "8=d"]);
}

#[test]
fn a_cleared_log_keeps_its_term_and_its_place() {
    let log = Arc::new(MemoryLog::new());
    let node = Running::start(&log);
    node.journal.clear(ORDERS);
    node.append(ORDERS, 1, "a");
    node.append(ORDERS, 2, "b");
    node.journal.clear(ORDERS);
    node.journal.clear(ORDERS);
    node.sync();
    node.append(ORDERS, 3, "c");
    node.sync();
    assert_eq!(node.records(ORDERS), ["4/1 blank", "5/1 entry"]);
    node.journal.clear(ORDERS);
    node.sync();
    node.append(INVOICES, 1, "carries the compaction");
    node.sync();
    let node = Running::start(&log);
    assert_eq!(node.found(ORDERS), [""; 0]);
    // Who finds nothing counts from 1 again.
    node.append(ORDERS, 1, "d");
    node.append(ORDERS, 2, "e");
    node.journal.compact(ORDERS, 2);
    node.sync();
    node.append(ORDERS, 3, "f");
    node.sync();
    let node = Running::start(&log);
    assert_eq!(node.found(ORDERS), ["2=e", "3=f"]);
    assert_eq!(node.records(ORDERS), ["9/2 entry", "10/2 entry"]);
}

#[test]
fn a_removed_queue_leaves_nothing() {
    let log = Arc::new(MemoryLog::new());
    let node = Running::start(&log);
    node.append(ORDERS, 1, "a");
    node.sync();
    node.append(ORDERS, 2, "b");
    node.journal.compact(ORDERS, 2);
    node.journal.remove(ORDERS);
    node.append(INVOICES, 1, "x");
    node.sync();
    assert!(node.journal.known_log_of(ORDERS).is_none());
    assert_eq!(node.wal.groups(), [group_of(INVOICES)]);
}

#[test]
fn a_damaged_record_costs_itself() {
    let log = Arc::new(MemoryLog::new());
    let node = Running::start(&log);
    node.append(ORDERS, 1, "a");
    node.wal.append(group_of(ORDERS), 3, b"no record");
    node.sync();
    let node = Running::start(&log);
    assert_eq!(node.found(ORDERS), ["1=a"]);
    assert_eq!(node.damaged, [(3, Error::Damaged("no record is of kind 110".to_owned()))]);
    node.append(ORDERS, 2, "b");
    node.sync();
    assert_eq!(Running::start(&log).found(ORDERS), ["1=a", "2=b"]);
}

#[test]
fn a_log_that_failed_commits_nothing_more() {
    let log = Arc::new(MemoryLog::new());
    let node = Running::start(&log);
    node.append(ORDERS, 1, "a");
    node.sync();
    log.fail("the device is gone");
    node.append(ORDERS, 2, "b");
    node.sync();
    node.append(ORDERS, 3, "c");
    node.sync();
    assert!(!node.is_idle(ORDERS));
    log.crash(0);
    assert_eq!(Running::start(&log).found(ORDERS), ["1=a"]);
}

/// A queue's journal as its owner knows it.
#[derive(Default)]
struct Model {
    /// Everything that may be found.
    entries: BTreeMap<u64, String>,
    last: u64,
    /// What is needed and was synced must be found.
    synced: u64,
    keep_from: u64,
}

impl Model {
    fn check(&self, found: &[(u64, String)], at: &str) {
        let numbers: Vec<u64> = found.iter().map(|(number, _)| *number).collect();
        assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{at}: {numbers:?}");
        for (number, entry) in found {
            assert_eq!(self.entries.get(number), Some(entry), "{at}");
        }
        for number in self.keep_from.max(1)..=self.synced {
            assert!(numbers.contains(&number), "{at}: {number} is not among {numbers:?}");
        }
    }

    fn restart(&mut self, found: &[(u64, String)]) {
        self.entries = found.iter().cloned().collect();
        self.last = found.last().map_or(0, |(number, _)| *number);
        self.synced = 0;
        self.keep_from = found.first().map_or(1, |(number, _)| *number);
    }
}

/// Random appends, compactions, clearings, syncs and power cuts, with and without real syncs.
#[test]
fn what_was_durable_and_is_needed_survives_every_power_cut() {
    for seed in 1..=300_u64 {
        let mut chance = seed;
        let mut draw = |below: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
            (chance >> 33) % below
        };
        let is_synced = seed % 2 == 0;
        let durability = if is_synced { Durability::Fsync } else { Durability::Os };
        let log = Arc::new(MemoryLog::new());
        let mut models: Vec<Model> = (0..3).map(|_| Model::default()).collect();
        for restart in 0..6 {
            let node = Running::start_with(&log, durability);
            let at = format!("seed {seed}, restart {restart}");
            assert_eq!(node.damaged, [], "{at}");
            for (queue, model) in (1..).zip(&mut models) {
                let found = node.found.get(&queue).cloned().unwrap_or_default();
                model.check(&found, &format!("{at}, queue {queue}"));
                model.restart(&found);
            }
            for step in 0..draw(60) {
                let queue = QueueId(1 + draw(3));
                let model = &mut models[queue.0 as usize - 1];
                match draw(12) {
                    0 => {
                        node.journal.clear(queue);
                        model.keep_from = model.last + 1;
                    }
                    1..3 => {
                        let keep_from = model.keep_from;
                        model.keep_from += draw(model.last + 2 - keep_from.min(model.last + 1));
                        node.journal.compact(queue, model.keep_from);
                    }
                    3..5 => {
                        node.sync();
                        if is_synced {
                            models.iter_mut().for_each(|model| model.synced = model.last);
                        }
                    }
                    _ => {
                        model.last += 1;
                        let entry = format!("{restart}.{step}");
                        node.append(queue, model.last, &entry);
                        model.entries.insert(model.last, entry);
                    }
                }
            }
            log.crash(draw(20) as usize);
        }
    }
}

#[test]
fn a_journal_with_entries_that_were_not_synced_goes_with_its_node() {
    let node = Running::start(&Arc::default());
    node.append(ORDERS, 1, "never written");
    let wal = Arc::downgrade(&node.wal);
    drop(node);
    assert!(wal.upgrade().is_none(), "who waits for the log must not keep it");
}
