//! Journals of classic and of replicated queues side by side in one log.

use std::sync::Arc;

use broker::Journal as _;
use consensus::NodeId;
use storage::{Batch, Durability, Flush, GroupId, Log as _, Lost, MemoryLog, Step, Wal};
use topology::{AddVhost, Command, DeclareQueue, Event, QueueId, QueueKind, QueueRecord, State};

use super::{WalJournal, queue_of};
use crate::quorum;

/// A classic queue and a quorum queue.
fn records() -> [QueueRecord; 2] {
    let mut state = State::default();
    let mut events = Vec::new();
    let vhost = AddVhost { name: "/".to_owned(), ..AddVhost::default() };
    state.apply(1, &Command::AddVhost(vhost), &mut events).unwrap();
    for (index, name) in [(2, "classic"), (3, "quorum")] {
        let queue = DeclareQueue {
            vhost: "/".to_owned(),
            name: name.to_owned(),
            is_server_named: false,
            durable: true,
            auto_delete: false,
            owner: None,
            arguments: Default::default(),
        };
        state.apply(index, &Command::DeclareQueue(queue), &mut events).unwrap();
    }
    let mut created = events.into_iter().filter_map(|event| match event {
        Event::QueueCreated(record) => Some((*record).clone()),
        _ => None,
    });
    let (classic, quorum) = (created.next().unwrap(), created.next().unwrap());
    [classic, QueueRecord { kind: QueueKind::Quorum, ..quorum }]
}

struct Running {
    wal: Arc<Wal>,
    journal: WalJournal,
    /// What the replay handed out, as `queue number=entry`.
    found: Vec<String>,
    lost: Vec<Lost>,
}

impl Running {
    fn start(log: &Arc<MemoryLog>) -> Self {
        let wal = Arc::new(Wal::open(log.clone(), Durability::Fsync).unwrap());
        let journal = WalJournal::new(NodeId(1), wal.clone());
        let mut found = Vec::new();
        let lost = journal.replay(&mut |QueueId(queue), number, entry| {
            found.push(format!("{queue} {number}={}", std::str::from_utf8(entry).unwrap()));
        });
        found.sort();
        Self { wal, journal, found, lost: lost.unwrap() }
    }

    fn sync(&self) {
        while self.wal.step() == Step::Wrote {}
        assert_eq!(self.wal.durable(), self.wal.last());
    }
}

#[test]
fn queues_of_both_kinds_get_their_own_entries_back() {
    let [classic, quorum] = records();
    let log = Arc::new(MemoryLog::new());
    for start in 0..3 {
        let node = Running::start(&log);
        for number in [2 * start + 1, 2 * start + 2] {
            node.journal.append(&classic, number, format!("c{number}").as_bytes(), &[]);
            let lsn = node.journal.append(&quorum, number, format!("q{number}").as_bytes(), &[]);
            assert!(node.journal.durable() < lsn);
        }
        node.journal.compact(&classic, 4);
        node.journal.compact(&quorum, 4);
        node.sync();
    }
    let node = Running::start(&log);
    let (c, q) = (classic.id.0, quorum.id.0);
    let of = |queue: u64, kind: &str, numbers: &[u64]| -> Vec<String> {
        numbers.iter().map(|number| format!("{queue} {number}={kind}{number}")).collect()
    };
    assert_eq!(node.found, [of(c, "c", &[4, 5, 6]), of(q, "q", &[4, 5, 6])].concat());
    for queue in [&classic, &quorum] {
        node.journal.clear(queue);
        node.journal.append(queue, 7, b"7", &[]);
    }
    node.sync();
    node.journal.append(&classic, 8, b"8", &[]);
    node.sync();
    assert_eq!(
        Running::start(&log).found,
        [format!("{c} 7=7"), format!("{c} 8=8"), format!("{q} 7=7")]
    );
}

#[test]
fn logs_of_queues_that_are_gone_are_dropped_whatever_they_hold() {
    let [classic, quorum] = records();
    let log = Arc::new(MemoryLog::new());
    let node = Running::start(&log);
    node.journal.append(&classic, 1, b"c", &[]);
    node.journal.append(&quorum, 1, b"q", &[]);
    node.journal.clear(&quorum);
    node.sync();
    let node = Running::start(&log);
    node.journal.remove_orphans(|queue| queue == classic.id);
    node.journal.append(&classic, 2, b"carries the removal", &[]);
    node.sync();
    assert_eq!(node.wal.groups(), [GroupId(classic.id.0)]);
    node.journal.remove_orphans(|_| false);
    node.journal.append(&quorum, 1, b"carries the removal", &[]);
    node.sync();
    assert_eq!(node.wal.groups(), [quorum::group_of(quorum.id)]);
    assert_eq!(queue_of(node.wal.groups()[0]), quorum.id);
    node.journal.remove(&quorum);
    node.journal.append(&classic, 1, b"carries the removal", &[]);
    node.sync();
    assert_eq!(node.wal.groups(), [GroupId(classic.id.0)]);
}

#[test]
fn a_replicated_queue_goes_on_behind_what_cannot_be_read() {
    let [_, quorum] = records();
    let log = Arc::new(MemoryLog::new());
    let node = Running::start(&log);
    node.journal.append(&quorum, 1, b"before", &[]);
    node.sync();
    let group = GroupId(quorum::group_of(quorum.id).0 << 1 | 1);
    let (_, last) = log.span(group).unwrap();
    let mut batch = Batch::default();
    batch.append(group, last + 1, b"no chunk".to_vec());
    log.write(&mut batch, Flush::Sync).unwrap();

    let node = Running::start(&log);
    assert_eq!(node.lost.len(), 1);
    assert_eq!((node.lost[0].first, node.lost[0].end), (3, None));
    node.journal.append(&quorum, 2, b"behind", &[]);
    node.sync();
    let node = Running::start(&log);
    let id = quorum.id.0;
    assert_eq!(node.found, [format!("{id} 1=before"), format!("{id} 2=behind")]);
    assert_eq!((node.lost[0].first, node.lost[0].end), (3, Some(4)));
}
