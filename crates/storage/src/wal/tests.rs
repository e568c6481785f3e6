//! The write-ahead log over a log in memory (power cuts, failures) and over one on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;

use super::{Durability, Lsn, Waiter, Wal};
use crate::{EngineLog, EngineOptions, Error, GroupId, Log, MemoryLog, RealDisk};

mod attachments;
mod damage;
mod drain;
mod room;

const A: GroupId = GroupId(1);
const B: GroupId = GroupId(2);

/// A wal whose writer runs.
struct Running {
    wal: Arc<Wal>,
    writer: thread::JoinHandle<Result<(), Error>>,
}

impl Running {
    fn over(log: &Arc<impl Log + 'static>) -> Self {
        Self::with(log, Durability::Fsync)
    }

    fn with(log: &Arc<impl Log + 'static>, durability: Durability) -> Self {
        let log = Arc::clone(log) as Arc<dyn Log>;
        let wal = Arc::new(Wal::open(log, durability).unwrap());
        let writer = thread::spawn({
            let wal = Arc::clone(&wal);
            move || wal.run()
        });
        Self { wal, writer }
    }

    fn sync(&self) {
        self.wait_for(self.wal.last()).unwrap();
    }

    fn wait_for(&self, lsn: Lsn) -> Result<Lsn, Error> {
        let told = Arc::new(Told::default());
        self.wal.notify_when(lsn, Arc::<Told>::clone(&told) as Arc<dyn Waiter>);
        told.wait()
    }

    fn close(self) -> Result<(), Error> {
        self.wal.close();
        self.writer.join().unwrap()
    }
}

#[derive(Default)]
struct Told {
    outcome: Mutex<Option<Result<Lsn, Error>>>,
    changed: Condvar,
}

impl Told {
    fn wait(&self) -> Result<Lsn, Error> {
        let mut outcome = self.outcome.lock();
        while outcome.is_none() {
            self.changed.wait(&mut outcome);
        }
        outcome.take().unwrap()
    }

    fn tell(&self, outcome: Result<Lsn, Error>) {
        assert_eq!(*self.outcome.lock(), None, "told twice");
        *self.outcome.lock() = Some(outcome);
        self.changed.notify_one();
    }
}

impl Waiter for Told {
    fn handle_durable(&self, durable: Lsn) {
        self.tell(Ok(durable));
    }

    fn handle_failure(&self, error: &Error) {
        self.tell(Err(error.clone()));
    }
}

fn replay(log: &Arc<impl Log + 'static>, group: GroupId) -> Vec<(u64, String)> {
    let log = Arc::clone(log) as Arc<dyn Log>;
    let wal = Wal::open(log, Durability::Fsync).unwrap();
    let mut found = Vec::new();
    wal.replay(group, &mut |index, record| {
        found.push((index, String::from_utf8(record.to_vec()).unwrap()));
    })
    .unwrap();
    found
}

fn records(found: &[(u64, String)]) -> Vec<(u64, &str)> {
    found.iter().map(|(index, record)| (*index, record.as_str())).collect()
}

#[test]
fn durable_records_survive_a_power_cut_and_others_need_not() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::over(&log);
    assert_eq!(running.wal.append(A, 1, b"one"), Lsn(1));
    assert_eq!(running.wal.append(B, 10, b"ten"), Lsn(2));
    assert_eq!(running.wal.append(A, 2, b"two"), Lsn(3));
    assert_eq!(running.wait_for(Lsn(3)), Ok(Lsn(3)));
    assert_eq!((running.wal.durable(), running.wal.pending_bytes()), (Lsn(3), 0));
    running.close().unwrap();
    log.crash(0);
    assert_eq!(records(&replay(&log, A)), [(1, "one"), (2, "two")]);
    assert_eq!(records(&replay(&log, B)), [(10, "ten")]);
    assert_eq!(replay(&log, GroupId(3)), []);
}

#[test]
fn closing_writes_what_was_appended() {
    let log = Arc::new(MemoryLog::new());
    let wal = Wal::open(Arc::clone(&log) as Arc<dyn Log>, Durability::Fsync).unwrap();
    wal.append(A, 1, b"one");
    assert_eq!((wal.durable(), wal.pending_bytes()), (Lsn(0), 3));
    wal.close();
    wal.run().unwrap();
    assert_eq!((wal.durable(), wal.pending_bytes()), (Lsn(1), 0));
    assert_eq!(wal.groups(), [A]);
}

#[test]
fn appends_before_one_turn_share_its_sync() {
    let log = Arc::new(MemoryLog::new());
    let wal = Wal::open(Arc::clone(&log) as Arc<dyn Log>, Durability::Fsync).unwrap();
    let syncs_before = log.syncs();
    for index in 1..=50_000 {
        wal.append(GroupId(1 + index % 7), index / 7, b"thirty bytes of a small record");
    }
    wal.close();
    wal.run().unwrap();
    assert_eq!((wal.durable(), log.syncs()), (Lsn(50_000), syncs_before + 1));
}

#[test]
fn without_fsync_written_is_durable() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::with(&log, Durability::Os);
    running.wal.append(A, 1, b"one");
    running.sync();
    running.close().unwrap();
    assert_eq!(log.syncs(), 0);
    assert_eq!(records(&replay(&log, A)), [(1, "one")]);
}

#[test]
fn what_a_killed_process_left_survives_a_power_cut_after_the_start() {
    let log = Arc::new(MemoryLog::new());
    let killed = Running::with(&log, Durability::Os);
    killed.wal.append(A, 1, b"one");
    killed.sync();
    killed.close().unwrap();
    drop(Wal::open(Arc::clone(&log) as Arc<dyn Log>, Durability::Fsync).unwrap());
    log.crash(0);
    assert_eq!(records(&replay(&log, A)), [(1, "one")]);
}

#[test]
fn interleaved_groups_of_any_size_keep_their_order() {
    let dir = TempDir::new().unwrap();
    let log = Arc::new(
        EngineLog::open(Arc::new(RealDisk), dir.path(), EngineOptions::default()).unwrap(),
    );
    let running = Running::over(&log);
    let record = |group: u64, index: u64| {
        let len = match (group * 31 + index * 17) % 97 {
            0 => 700_000,
            1..10 => 20_000,
            len => len as usize,
        };
        format!("{group}/{index} ").repeat(len / 5 + 1)
    };
    for index in 0..300 {
        for group in 1..=5 {
            running.wal.append(GroupId(group), index, record(group, index).as_bytes());
        }
        if index % 50 == 0 {
            running.sync();
        }
    }
    running.close().unwrap();
    drop(log);
    let log = Arc::new(
        EngineLog::open(Arc::new(RealDisk), dir.path(), EngineOptions::default()).unwrap(),
    );
    for group in 1..=5 {
        let found = replay(&log, GroupId(group));
        assert_eq!(found.len(), 300);
        for (at, (index, found)) in found.iter().enumerate() {
            assert_eq!((*index, found), (at as u64, &record(group, *index)));
        }
    }
}

#[test]
fn producers_on_many_threads_are_told_when_theirs_is_durable() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::over(&log);
    thread::scope(|scope| {
        for group in 1..=4 {
            let running = &running;
            scope.spawn(move || {
                for index in 1..=500 {
                    let lsn = running.wal.append(GroupId(group), index, b"record");
                    if index % 10 == 0 {
                        assert!(running.wait_for(lsn).unwrap() >= lsn);
                    }
                }
            });
        }
    });
    running.close().unwrap();
    log.crash(0);
    for group in 1..=4 {
        assert_eq!(replay(&log, GroupId(group)).len(), 500);
    }
}

#[test]
fn compacted_records_are_not_replayed_and_the_rest_is() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::over(&log);
    for index in 1..=10 {
        running.wal.append(A, index, index.to_string().as_bytes());
        running.sync();
    }
    running.wal.compact(A, 8);
    running.wal.append(B, 1, b"carries it");
    running.sync();
    running.close().unwrap();
    assert_eq!(records(&replay(&log, A)), [(8, "8"), (9, "9"), (10, "10")]);
    // Chunks 8, 9, 10 and the one that carries the floor.
    assert_eq!(log.span(A.of_wal()), Some((8, 11)));

    let running = Running::over(&log);
    running.wal.replay(A, &mut |_, _| {}).unwrap();
    running.wal.compact(A, 11);
    running.wal.append(A, 11, b"11");
    running.wal.compact(A, 12);
    running.wal.append(B, 2, b"carries it");
    running.sync();
    running.close().unwrap();
    assert_eq!(replay(&log, A), []);

    let running = Running::over(&log);
    running.wal.append(A, 12, b"12");
    running.sync();
    running.close().unwrap();
    assert_eq!(records(&replay(&log, A)), [(12, "12")]);
}

#[test]
fn a_removed_group_starts_again_from_any_index() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::over(&log);
    running.wal.append(A, 5, b"old");
    running.sync();
    running.wal.append(A, 6, b"older");
    running.wal.remove(A);
    running.wal.append(A, 1, b"new");
    running.sync();
    assert_eq!(records(&replay(&log, A)), [(1, "new")]);
    running.wal.remove(A);
    running.wal.append(B, 1, b"carries it");
    running.sync();
    assert_eq!(running.wal.groups(), [B]);
    running.close().unwrap();
    assert_eq!(replay(&log, A), []);
}

#[test]
fn a_failed_write_is_final_and_everyone_is_told() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::over(&log);
    running.wal.append(A, 1, b"safe");
    running.sync();
    log.fail("the device is gone");
    let lost = running.wal.append(A, 2, b"lost");
    let gone = Error::Io("the device is gone".to_owned());
    assert_eq!(running.wait_for(lost), Err(gone.clone()));
    assert_eq!(running.wal.failure(), Some(&gone));
    assert_eq!(running.wal.durable(), Lsn(1));
    let later = running.wal.append(A, 3, b"too late");
    assert_eq!(running.wait_for(later), Err(gone.clone()));
    assert_eq!(running.wal.durable(), Lsn(1));
    assert_eq!(running.close(), Err(gone));
    log.crash(0);
    assert_eq!(records(&replay(&log, A)), [(1, "safe")]);
}

#[test]
fn a_hole_in_a_group_stops_the_log() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::over(&log);
    running.wal.append(A, 1, b"one");
    let lsn = running.wal.append(A, 3, b"three");
    assert_eq!(running.wait_for(lsn), Err(Error::Gap { group: A, index: 3, first: 0, last: 1 }));
    assert!(running.close().is_err());
}

#[test]
fn a_waiter_for_the_past_is_told_at_once() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::over(&log);
    assert_eq!(running.wait_for(Lsn(0)), Ok(Lsn(0)));
    running.wal.append(A, 1, b"one");
    running.sync();
    assert_eq!(running.wait_for(Lsn(1)), Ok(Lsn(1)));
    running.close().unwrap();
}

#[test]
fn removals_without_a_record_are_written_after_a_while() {
    let log = Arc::new(MemoryLog::new());
    let running = Running::over(&log);
    let groups = 1..=2000;
    for group in groups.clone() {
        running.wal.append(GroupId(group), 1, b"one");
    }
    running.sync();
    for group in groups {
        running.wal.remove(GroupId(group));
    }
    running.sync();
    running.close().unwrap();
    let wal = Wal::open(log, Durability::Fsync).unwrap();
    assert_eq!(wal.groups(), []);
}

/// Random appends, compactions and removals over restarts, replayed both ways.
#[test]
fn replays_agree_with_a_model() {
    for seed in 1..=5_u64 {
        let dir = TempDir::new().unwrap();
        let small = EngineOptions { file_bytes: 64 << 10, purge_bytes: 256 << 10 };
        let mut model: BTreeMap<u64, (u64, Vec<Vec<u8>>)> = BTreeMap::new();
        let mut chance = seed;
        let mut draw = |below: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
            (chance >> 33) % below
        };
        for restart in 0..5 {
            let log = Arc::new(EngineLog::open(Arc::new(RealDisk), dir.path(), small).unwrap());
            let running = Running::over(&log);
            check_replay(&running.wal, &model, &format!("seed {seed}, restart {restart}"));
            for step in 0..600 {
                let id = 1 + draw(8);
                let group = GroupId(id);
                match draw(24) {
                    0 => {
                        running.wal.remove(group);
                        model.remove(&id);
                    }
                    1..3 => {
                        if let Some((first, records)) = model.get_mut(&id) {
                            let dropped = draw(records.len() as u64 + 1);
                            *first += dropped;
                            records.drain(..dropped as usize);
                            running.wal.compact(group, *first);
                        }
                    }
                    3 => running.sync(),
                    4 => {
                        running.wal.purge().unwrap();
                    }
                    _ => {
                        let (first, records) = model.entry(id).or_insert((step, Vec::new()));
                        let record = vec![step as u8; draw(900) as usize];
                        running.wal.append(group, *first + records.len() as u64, &record);
                        records.push(record);
                    }
                }
            }
            // The last steps ride with an append.
            running.wal.append(GroupId(99), 1, b"");
            running.wal.remove(GroupId(99));
            running.sync();
            running.close().unwrap();
        }
    }
}

fn check_replay(wal: &Wal, model: &BTreeMap<u64, (u64, Vec<Vec<u8>>)>, at: &str) {
    let expected: BTreeMap<u64, Vec<(u64, Vec<u8>)>> = model
        .iter()
        .filter(|(_, (_, records))| !records.is_empty())
        .map(|(id, (first, records))| (*id, (*first..).zip(records.iter().cloned()).collect()))
        .collect();
    let mut all: BTreeMap<u64, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    wal.replay_all(&mut |group, index, record| {
        all.entry(group.0).or_default().push((index, record.to_vec()));
    })
    .unwrap();
    all.remove(&99);
    assert!(all == expected, "{at}");
    for (id, expected) in expected {
        let mut found = Vec::new();
        wal.replay(GroupId(id), &mut |index, record| found.push((index, record.to_vec()))).unwrap();
        assert!(found == expected, "{at}, group {id}");
    }
}
