//! Groups over a log in memory, which counts syncs and can lose its unsynced tail.

use std::path::Path;
use std::sync::Arc;

use protobuf::Message as _;
use raft::eraftpb::{ConfState, HardState, Message};
use storage::{Batch, EngineLog, EngineOptions, Flush, GroupId, Log, MemoryLog, RealDisk, SimDisk};
use tempfile::TempDir;

use super::{Committed, Group, NodeId};
use crate::Error;

const META: GroupId = GroupId(0);
const ME: NodeId = NodeId(1);

/// What came out: entries as `index context data`, snapshots as `index = data`.
fn poll<L: Log>(group: &mut Group<L>) -> Vec<String> {
    poll_with_messages(group).0
}

fn poll_with_messages<L: Log>(group: &mut Group<L>) -> (Vec<String>, Vec<Message>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut out = Vec::new();
    let messages = group
        .poll(&mut |committed| {
            out.push(match committed {
                Committed::Entry { index, context, data } => {
                    format!("{index} {} {}", text(context), text(data))
                }
                Committed::Snapshot { index, data } => format!("{index} = {}", text(data)),
            });
        })
        .unwrap();
    (out, messages)
}

fn open<L: Log>(log: L) -> Group<L> {
    Group::open(log, META, ME).unwrap()
}

fn propose<L: Log>(group: &mut Group<L>, data: &str) {
    group.propose(b"ctx".to_vec(), data.as_bytes().to_vec()).unwrap();
}

#[test]
fn a_group_of_one_leads_at_once_and_commits_what_is_proposed() {
    let mut group = open(MemoryLog::new());
    assert!(group.is_leader());
    assert_eq!(group.leader(), Some(ME));
    let (out, messages) = poll_with_messages(&mut group);
    assert_eq!((out.len(), messages.len()), (0, 0));
    propose(&mut group, "a");
    propose(&mut group, "b");
    let (out, messages) = poll_with_messages(&mut group);
    assert_eq!(out, ["2 ctx a", "3 ctx b"]);
    assert_eq!(messages, []);
    assert_eq!(group.applied(), 3);
    assert_eq!(poll(&mut group), [""; 0]);
    assert!(!group.has_ready());
}

#[test]
fn time_does_not_unseat_a_leader_that_is_alone() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    poll(&mut group);
    let syncs = log.syncs();
    for _ in 0..1000 {
        group.tick();
        assert_eq!(poll_with_messages(&mut group), (Vec::new(), Vec::new()));
    }
    assert!(group.is_leader());
    assert_eq!((group.term(), log.syncs()), (1, syncs));
}

#[test]
fn a_restart_hands_out_the_same_again() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    propose(&mut group, "a");
    propose(&mut group, "b");
    let first = poll(&mut group);
    drop(group);
    log.crash(0);
    let mut group = open(Arc::clone(&log));
    assert!(group.is_leader());
    assert_eq!(group.term(), 2);
    assert_eq!(poll(&mut group), first);
    propose(&mut group, "c");
    assert_eq!(poll(&mut group), ["5 ctx c"]);
}

#[test]
fn a_power_cut_takes_only_what_was_not_handed_out() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    propose(&mut group, "a");
    assert_eq!(poll(&mut group), ["2 ctx a"]);
    propose(&mut group, "never polled");
    drop(group);
    log.crash(0);
    assert_eq!(poll(&mut open(log)), ["2 ctx a"]);
}

#[test]
fn a_thousand_proposals_in_one_poll_share_one_sync() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    poll(&mut group);
    for count in [1, 1000] {
        let before = log.syncs();
        for _ in 0..count {
            propose(&mut group, "x");
        }
        assert_eq!(poll(&mut group).len(), count);
        assert_eq!(log.syncs() - before, 1);
    }
}

#[test]
fn recovery_begins_at_the_snapshot() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    assert_eq!(group.snapshot(), Ok(None));
    propose(&mut group, "a");
    propose(&mut group, "b");
    assert_eq!(poll(&mut group), ["2 ctx a", "3 ctx b"]);
    group.save_snapshot(2, b"state after a").unwrap();
    propose(&mut group, "c");
    poll(&mut group);
    drop(group);
    log.crash(0);

    let mut group = open(Arc::clone(&log));
    assert_eq!(group.snapshot(), Ok(Some((2, b"state after a".to_vec()))));
    assert_eq!(group.applied(), 2);
    assert_eq!(poll(&mut group), ["3 ctx b", "4 ctx c"]);
    group.save_snapshot(group.applied(), b"state after c").unwrap();
    drop(group);
    log.crash(0);

    let mut group = open(Arc::clone(&log));
    assert_eq!(group.snapshot(), Ok(Some((5, b"state after c".to_vec()))));
    assert_eq!(poll(&mut group), [""; 0]);
    propose(&mut group, "d");
    assert_eq!(poll(&mut group), ["7 ctx d"]);
}

#[test]
fn a_snapshot_may_be_large_empty_repeated_or_too_early() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    propose(&mut group, "a");
    poll(&mut group);
    let large = vec![7; (5 << 20) + 3];
    group.save_snapshot(2, &large).unwrap();
    assert_eq!(group.snapshot(), Ok(Some((2, large.clone()))));
    group.save_snapshot(2, b"ignored").unwrap();
    assert_eq!(open(Arc::clone(&log)).snapshot(), Ok(Some((2, large))));
    propose(&mut group, "b");
    poll(&mut group);
    group.save_snapshot(3, b"").unwrap();
    assert_eq!(group.snapshot(), Ok(Some((3, Vec::new()))));
    let early = group.save_snapshot(4, b"");
    assert_eq!(early, Err(Error::Raft("entry 4 is not applied yet".to_owned())));
}

#[test]
fn a_cut_between_the_writes_of_a_snapshot_leaves_the_old_one() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    propose(&mut group, "a");
    poll(&mut group);
    group.save_snapshot(2, b"old").unwrap();
    // Slices of a newer one that never got its record.
    let slices = GroupId(1).unshared();
    let (_, last) = log.span(slices).unwrap();
    let mut batch = Batch::default();
    batch.append(slices, last + 1, b"orphan".to_vec());
    log.write(&mut batch, Flush::Sync).unwrap();
    drop(group);
    let mut group = open(Arc::clone(&log));
    assert_eq!(group.snapshot(), Ok(Some((2, b"old".to_vec()))));
    propose(&mut group, "b");
    poll(&mut group);
    group.save_snapshot(4, b"new").unwrap();
    assert_eq!(open(log).snapshot(), Ok(Some((4, b"new".to_vec()))));
}

#[test]
fn a_failed_device_hands_nothing_out() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    poll(&mut group);
    propose(&mut group, "a");
    log.fail("gone");
    let outcome = group.poll(&mut |_| panic!("it is not stable"));
    assert_eq!(outcome, Err(Error::Log(storage::Error::Io("gone".to_owned()))));
}

#[test]
fn long_logs_are_read_back_in_steps() {
    let dir = TempDir::new().unwrap();
    let log = || EngineLog::open(Arc::new(RealDisk), dir.path(), EngineOptions::default()).unwrap();
    let mut group = open(log());
    poll(&mut group);
    // More than the entries kept in memory.
    for at in 0..300 {
        propose(&mut group, &format!("{at} {}", "x".repeat(20_000)));
        assert_eq!(poll(&mut group).len(), 1);
    }
    drop(group);
    let mut group = open(log());
    let out = poll(&mut group);
    assert_eq!(out.len(), 300);
    for (at, entry) in out.iter().enumerate() {
        assert!(entry.starts_with(&format!("{} ctx {at} x", at + 2)), "{}", &entry[..20]);
    }
}

#[test]
fn damage_to_the_log_of_a_lone_voter_costs_only_itself() {
    let disk = Arc::new(SimDisk::new(1));
    let dir = Path::new("/log");
    let log = || EngineLog::open(disk.clone(), dir, EngineOptions::default()).unwrap();
    let mut group = open(log());
    poll(&mut group);
    for data in ["first", "second", "third"] {
        propose(&mut group, data);
        poll(&mut group);
    }
    drop(group);
    let file = dir.join("0000000001.log");
    let bytes = disk.read(&file);
    let at = bytes.windows(6).position(|bytes| bytes == b"second").unwrap();
    disk.rot(&file, at as u64, 1);
    let mut group = open(log());
    let found = poll(&mut group);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("first") && found[1].contains("third"), "{found:?}");
    assert_eq!(group.lost(), [3]);
    propose(&mut group, "fourth");
    assert_eq!(poll(&mut group).len(), 1);
    group.save_snapshot(group.applied(), b"without the second").unwrap();
    drop(group);
    let mut group = open(log());
    poll(&mut group);
    assert_eq!(group.lost(), [0; 0]);
}

/// The state after each entry, as text: what a snapshot of it holds.
fn replayed(group: &mut Group<EngineLog>) -> String {
    let mut state = match group.snapshot().unwrap() {
        Some((_, bytes)) => String::from_utf8(bytes).unwrap(),
        None => String::new(),
    };
    for entry in poll(group) {
        state.push_str(entry.rsplit(' ').next().unwrap());
    }
    state
}

#[test]
fn a_damaged_snapshot_costs_nothing() {
    let dir = Path::new("/log");
    for snapshots in 1..=3 {
        let disk = Arc::new(SimDisk::new(1));
        let log = || EngineLog::open(disk.clone(), dir, EngineOptions::default()).unwrap();
        let mut group = open(log());
        let mut state = String::new();
        poll(&mut group);
        for number in 1..=snapshots {
            propose(&mut group, &format!("<e{number}>"));
            poll(&mut group);
            state.push_str(&format!("<e{number}>"));
            let snapshot = group.applied();
            propose(&mut group, &format!("<f{number}>"));
            poll(&mut group);
            group.save_snapshot(snapshot, state.as_bytes()).unwrap();
            state.push_str(&format!("<f{number}>"));
        }
        drop(group);
        let file = dir.join("0000000001.log");
        let newest = state.strip_suffix(&format!("<f{snapshots}>")).unwrap();
        let bytes = disk.read(&file);
        let at = bytes.windows(newest.len()).rposition(|bytes| bytes == newest.as_bytes());
        disk.rot(&file, at.unwrap() as u64, 1);
        for _ in 0..2 {
            let mut group = open(log());
            assert_eq!(replayed(&mut group), state, "{snapshots} snapshots");
            assert_eq!(group.lost(), [0; 0]);
        }
    }
}

#[test]
fn damaged_state_is_an_error() {
    let entries = META.unshared();
    for (key, value) in [("hard", "\u{7f}"), ("snapshot", "short"), ("conf", "\u{7f}")] {
        let log = MemoryLog::new();
        let mut batch = Batch::default();
        batch.put(entries, key.as_bytes(), value.as_bytes().to_vec());
        log.write(&mut batch, Flush::Sync).unwrap();
        let outcome = Group::open(log, META, ME).map(|_| ());
        assert!(matches!(outcome, Err(Error::Damaged(_))), "{key}: {outcome:?}");
    }
    // Committed further than the log goes.
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    propose(&mut group, "a");
    poll(&mut group);
    propose(&mut group, "b");
    poll(&mut group);
    drop(group);
    let keys = log.get(entries, b"hard").unwrap();
    let mut batch = Batch::default();
    batch.remove(entries);
    batch.put(entries, b"hard", keys);
    log.write(&mut batch, Flush::Sync).unwrap();
    assert!(matches!(Group::open(log, META, ME).map(|_| ()), Err(Error::Damaged(_))));
}

#[test]
fn the_write_ahead_log_and_groups_do_not_share_a_log_group() {
    let log = Arc::new(MemoryLog::new());
    let mut group = open(Arc::clone(&log));
    propose(&mut group, "a");
    poll(&mut group);
    group.save_snapshot(2, b"state").unwrap();
    let wal = storage::Wal::open(Arc::clone(&log) as Arc<dyn Log>, storage::Durability::Fsync);
    let wal = wal.unwrap();
    assert_eq!(wal.groups(), []);
    for wal_group in 1..=3 {
        wal.append(GroupId(wal_group), 1, b"record");
    }
    wal.close();
    wal.run().unwrap();
    drop(group);
    assert_eq!(open(log).snapshot(), Ok(Some((2, b"state".to_vec()))));
}

/// Three members whose messages are carried by hand.
struct Cluster {
    members: Vec<Group<Arc<MemoryLog>>>,
    logs: Vec<Arc<MemoryLog>>,
    out: Vec<Vec<String>>,
    cut_off: Option<u64>,
}

impl Cluster {
    fn new() -> Self {
        let conf = ConfState { voters: vec![1, 2, 3], ..Default::default() };
        let logs: Vec<_> = (0..3).map(|_| Arc::new(MemoryLog::new())).collect();
        let members = (1..).zip(&logs).map(|(id, log)| {
            let mut batch = Batch::default();
            batch.put(META.unshared(), b"conf", conf.write_to_bytes().unwrap());
            log.write(&mut batch, Flush::Sync).unwrap();
            Group::open(Arc::clone(log), META, NodeId(id)).unwrap()
        });
        Self { members: members.collect(), logs, out: vec![Vec::new(); 3], cut_off: None }
    }

    /// Carries messages until nobody has any.
    fn settle(&mut self) {
        loop {
            let mut sent = Vec::new();
            for (member, out) in self.members.iter_mut().zip(&mut self.out) {
                let (committed, messages) = poll_with_messages(member);
                out.extend(committed);
                sent.extend(messages);
            }
            if sent.is_empty() {
                return;
            }
            for message in sent {
                if self.cut_off.is_none_or(|id| id != message.from && id != message.to) {
                    // A message that comes too late is refused and does no harm.
                    let _ = self.members[message.to as usize - 1].step(message);
                }
            }
        }
    }

    fn tick(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.members.iter_mut().for_each(Group::tick);
            self.settle();
        }
    }
}

#[test]
fn members_agree_and_one_that_was_away_gets_the_snapshot() {
    let mut cluster = Cluster::new();
    assert!(cluster.members.iter().all(|member| !member.is_leader()));
    assert_eq!(cluster.members[0].propose(Vec::new(), b"x".to_vec()), Err(Error::NotLeader));
    // The lowest id has the shortest timeout.
    cluster.tick(12);
    assert!(cluster.members[0].is_leader());
    propose(&mut cluster.members[0], "a");
    cluster.settle();
    assert!(cluster.out.iter().all(|out| *out == ["2 ctx a"]), "{:?}", cluster.out);

    cluster.cut_off = Some(3);
    for _ in 0..2000 {
        propose(&mut cluster.members[0], "b");
    }
    cluster.settle();
    assert_eq!(cluster.out[1].len(), 2001);
    let applied = cluster.members[0].applied();
    cluster.members[0].save_snapshot(applied, b"everything").unwrap();

    cluster.cut_off = None;
    cluster.tick(30);
    assert_eq!(cluster.out[2], ["2 ctx a".to_owned(), format!("{applied} = everything")]);
    let leader = cluster.members.iter().position(Group::is_leader).unwrap();
    propose(&mut cluster.members[leader], "c");
    cluster.settle();
    let last = cluster.out[2].last().unwrap().clone();
    assert!(last.ends_with(" ctx c") && cluster.out.iter().all(|out| out.last() == Some(&last)));
}

/// A group over a log on a disk with hardly any room, and next to nothing set aside.
fn on_a_full_disk(disk: &SimDisk) -> Group<Arc<EngineLog>> {
    disk.set_capacity(12 << 10);
    let sizes = EngineOptions { file_bytes: 64 << 10, purge_bytes: 1 << 20 };
    let log = EngineLog::open(Arc::new(disk.clone()), Path::new("/data/log"), sizes).unwrap();
    disk.set_capacity(64 << 10);
    open(Arc::new(log))
}

fn no_room<L: Log>(group: &mut Group<L>) {
    let polled = group.poll(&mut |_| panic!("nothing is written"));
    assert!(polled.is_err_and(|error| error.is_full()));
    assert!(group.waits_for_room());
}

#[test]
fn what_finds_no_room_is_agreed_on_once_there_is_some() {
    let disk = SimDisk::new(1);
    let mut group = on_a_full_disk(&disk);
    assert_eq!(poll(&mut group), [""; 0]);
    propose(&mut group, "before");
    assert_eq!(poll(&mut group), ["2 ctx before"]);
    propose(&mut group, &"x".repeat(100_000));
    propose(&mut group, "behind it");
    no_room(&mut group);
    no_room(&mut group);
    let refused = group.propose(b"ctx".to_vec(), b"meanwhile".to_vec());
    assert_eq!(refused, Err(Error::Waiting));
    group.tick();

    disk.set_capacity(1 << 20);
    let agreed = poll(&mut group);
    assert_eq!(agreed.len(), 2);
    assert_eq!(agreed[1], "4 ctx behind it");
    assert!(!group.waits_for_room() && group.is_leader());
    propose(&mut group, "after");
    assert_eq!(poll(&mut group), ["5 ctx after"]);
    disk.power_cut(1);
    drop(group);
    let mut group = on_a_full_disk(&disk);
    disk.set_capacity(u64::MAX);
    assert_eq!(poll(&mut group).len(), 4);
}

#[test]
fn a_snapshot_without_room_leaves_everything_as_it_was() {
    let disk = SimDisk::new(1);
    let mut group = on_a_full_disk(&disk);
    poll(&mut group);
    propose(&mut group, "a");
    poll(&mut group);
    for _ in 0..2 {
        let refused = group.save_snapshot(2, &vec![7; 3 << 20]);
        assert!(refused.is_err_and(|error| error.is_full()));
        assert_eq!(group.snapshot(), Ok(None));
    }
    propose(&mut group, "b");
    assert_eq!(poll(&mut group), ["3 ctx b"]);
    disk.set_capacity(u64::MAX);
    group.save_snapshot(3, b"small").unwrap();
    assert_eq!(group.snapshot(), Ok(Some((3, b"small".to_vec()))));
    drop(group);
    disk.kill();
    let group = on_a_full_disk(&disk);
    assert_eq!(group.snapshot(), Ok(Some((3, b"small".to_vec()))));
}

#[test]
fn members_that_no_group_has_are_damage() {
    let twice = ConfState { voters: vec![1, 1], ..ConfState::default() };
    let joint = ConfState { voters: vec![1], auto_leave: true, ..ConfState::default() };
    for members in [twice, joint] {
        let log = MemoryLog::new();
        let mut batch = Batch::default();
        batch.put(META.unshared(), b"conf", members.write_to_bytes().unwrap());
        log.write(&mut batch, Flush::Sync).unwrap();
        assert!(matches!(Group::open(log, META, ME), Err(Error::Damaged(_))));
    }
}

/// A member's log with another text in place of some entries.
fn with_entries(log: &MemoryLog, replaced: &[u64], text: &[u8]) -> MemoryLog {
    let copy = MemoryLog::new();
    let mut batch = Batch::default();
    log.fetch(META.unshared(), 0..u64::MAX, usize::MAX, &mut |index, bytes| {
        let bytes = if replaced.contains(&index) { text } else { bytes };
        batch.append(META.unshared(), index, bytes.to_vec());
    })
    .unwrap();
    for key in [&b"hard"[..], b"conf"] {
        batch.put(META.unshared(), key, log.get(META.unshared(), key).unwrap());
    }
    copy.write(&mut batch, Flush::Sync).unwrap();
    copy
}

#[test]
fn one_of_several_members_that_has_lost_an_entry_says_so() {
    let mut cluster = Cluster::new();
    cluster.tick(12);
    // More than is kept in memory.
    let text = "x".repeat(60 << 10);
    for _ in 0..8 {
        propose(&mut cluster.members[0], &text);
        cluster.settle();
    }
    let log = Arc::clone(&cluster.logs[1]);
    let open_and_poll = |log: MemoryLog| -> Result<(), Error> {
        Group::open(log, META, NodeId(2))?.poll(&mut |_| {}).map(drop)
    };
    assert_eq!(open_and_poll(with_entries(&log, &[], b"")), Ok(()));
    for lost in 1..=9 {
        let outcome = open_and_poll(with_entries(&log, &[lost], b"no entry"));
        assert!(matches!(outcome, Err(Error::Damaged(_))), "entry {lost}: {outcome:?}");
    }
}

#[test]
fn numbers_that_no_group_gets_to_are_damage() {
    let beyond = HardState { term: u64::MAX, ..HardState::default() };
    let log = MemoryLog::new();
    let mut batch = Batch::default();
    batch.put(META.unshared(), b"hard", beyond.write_to_bytes().unwrap());
    log.write(&mut batch, Flush::Sync).unwrap();
    assert!(matches!(Group::open(log, META, ME), Err(Error::Damaged(_))));
}
