//! Chunks that cannot be read: skipped, reported, and no obstacle.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{A, B};
use crate::wal::chunk::Header;
use crate::wal::{Lost, Step, Wal};
use crate::{Batch, Durability, Error, Flush, GroupId, Log, MemoryLog};

/// A log that lost entries: of some it says so, others it does not know any more.
#[derive(Default)]
struct DamagedLog {
    log: MemoryLog,
    corrupt: Mutex<BTreeSet<(GroupId, u64)>>,
    missing: Mutex<BTreeSet<(GroupId, u64)>>,
}

impl Log for DamagedLog {
    fn write(&self, batch: &mut Batch, flush: Flush) -> Result<(), Error> {
        self.log.write(batch, flush)
    }

    fn fetch(
        &self,
        group: GroupId,
        range: Range<u64>,
        bytes_max: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        let corrupt = self.corrupt.lock();
        if let Some(&(_, index)) = corrupt.range((group, range.start)..(group, range.end)).next() {
            let reason = "rotten".to_owned();
            return Err(Error::Corrupt { group, index, reason, place: None });
        }
        let missing = self.missing.lock().clone();
        self.log.fetch(group, range, bytes_max, &mut |index, bytes| {
            if !missing.contains(&(group, index)) {
                visit(index, bytes);
            }
        })
    }

    fn span(&self, group: GroupId) -> Option<(u64, u64)> {
        self.log.span(group)
    }

    fn get(&self, group: GroupId, key: &[u8]) -> Option<Vec<u8>> {
        self.log.get(group, key)
    }

    fn groups(&self) -> Vec<GroupId> {
        self.log.groups()
    }

    fn purge(&self) -> Result<Vec<GroupId>, Error> {
        self.log.purge()
    }

    fn pack(&self, left_max: u64, moved_max: u64) -> Result<Vec<GroupId>, Error> {
        self.log.pack(left_max, moved_max)
    }
}

/// Six chunks of two records in A, one chunk in B.
fn six_chunks() -> Arc<DamagedLog> {
    let log = Arc::new(DamagedLog::default());
    let wal = open(&log);
    for chunk in 0..6 {
        wal.append(A, 10 + 2 * chunk, b"even");
        wal.append(A, 11 + 2 * chunk, b"odd");
        if chunk == 3 {
            wal.append(B, 1, b"other");
        }
        assert_eq!(wal.step(), Step::Wrote);
    }
    log
}

fn open(log: &Arc<DamagedLog>) -> Wal {
    Wal::open(Arc::clone(log) as Arc<dyn Log>, Durability::Fsync).unwrap()
}

/// The indexes of the records of A, by both ways of replaying, and what is lost.
fn replay(wal: &Wal) -> (Vec<u64>, Vec<(u64, Option<u64>)>) {
    let mut found = Vec::new();
    let lost = wal.replay(A, &mut |index, _| found.push(index)).unwrap();
    let mut all = Vec::new();
    let lost_of_all = wal
        .replay_all(&mut |group, index, _| {
            if group == A {
                all.push(index);
            } else {
                assert_eq!(group, B);
            }
        })
        .unwrap();
    assert_eq!((&all, &lost_of_all), (&found, &lost));
    assert!(lost.iter().all(|lost| lost.group == A && !lost.reason.is_empty()));
    (found, lost.into_iter().map(|Lost { first, end, .. }| (first, end)).collect())
}

fn rot(log: &DamagedLog, chunks: &[u64]) {
    log.corrupt.lock().extend(chunks.iter().map(|&chunk| (A.of_wal(), chunk)));
}

#[test]
fn damage_costs_only_what_lies_in_it() {
    let log = six_chunks();
    rot(&log, &[3]);
    let (found, lost) = replay(&open(&log));
    assert_eq!(found, [10, 11, 12, 13, 16, 17, 18, 19, 20, 21]);
    assert_eq!(lost, [(14, Some(16))]);
}

#[test]
fn neighbours_are_one_loss_and_others_their_own() {
    let log = six_chunks();
    rot(&log, &[1, 3, 4]);
    let (found, lost) = replay(&open(&log));
    assert_eq!(found, [12, 13, 18, 19, 20, 21]);
    assert_eq!(lost, [(0, Some(12)), (14, Some(18))]);
}

#[test]
fn what_the_log_forgot_counts_as_damage() {
    let log = six_chunks();
    log.missing.lock().extend([(A.of_wal(), 2), (A.of_wal(), 5)]);
    let (found, lost) = replay(&open(&log));
    assert_eq!(found, [10, 11, 14, 15, 16, 17, 20, 21]);
    assert_eq!(lost, [(12, Some(14)), (18, Some(20))]);
}

#[test]
fn a_malformed_chunk_is_skipped() {
    let log = six_chunks();
    let mut batch = Batch::default();
    batch.append(A.of_wal(), 7, b"not a chunk".to_vec());
    log.write(&mut batch, Flush::Sync).unwrap();
    let wal = open(&log);
    let (found, lost) = replay(&wal);
    assert_eq!(found, (10..22).collect::<Vec<_>>());
    assert_eq!(lost, [(22, None)]);
}

#[test]
fn appends_go_on_after_a_chunk_that_makes_no_sense() {
    let cut_short = Header { floor: 0, first: 22, count: 3 };
    let out_of_order = Header { floor: 0, first: 12, count: 1 };
    let beyond_its_end = Header { floor: 99, first: 22, count: 1 };
    for (header, next) in [(cut_short, 23), (out_of_order, 22), (beyond_its_end, 22)] {
        let log = six_chunks();
        let one_record = [&header.encode()[..], &[1, 0, 0, 0, b'x']].concat();
        let mut batch = Batch::default();
        batch.append(A.of_wal(), 7, one_record);
        log.write(&mut batch, Flush::Sync).unwrap();
        let wal = open(&log);
        let (found, lost) = replay(&wal);
        assert_eq!(found, (10..next).collect::<Vec<_>>(), "{header:?}");
        assert_eq!(lost, [(next, None)], "{header:?}");
        let lsn = wal.append(A, next, b"goes on");
        wal.step();
        assert_eq!((wal.durable(), wal.failure()), (lsn, None), "{header:?}");
        let (found, lost) = replay(&open(&log));
        assert_eq!((found, lost), ((10..=next).collect(), vec![]), "{header:?}");
    }
}

#[test]
fn a_chunk_without_records_says_nothing_of_those_to_come() {
    let log = six_chunks();
    let mut batch = Batch::default();
    let far_off = Header { floor: 12, first: 1000, count: 0 };
    batch.append(A.of_wal(), 7, far_off.encode());
    log.write(&mut batch, Flush::Sync).unwrap();
    let wal = open(&log);
    assert_eq!(replay(&wal), ((12..22).collect(), vec![]));
    wal.append(A, 22, b"goes on");
    wal.step();
    assert_eq!(wal.failure(), None);
    assert_eq!(replay(&open(&log)), ((12..=22).collect(), vec![]));
}

#[test]
fn appends_go_on_after_a_gap_and_after_a_damaged_end() {
    for (damaged, next) in [([3, 4], 22), ([5, 6], 18), ([5, 6], 40)] {
        let log = six_chunks();
        rot(&log, &damaged);
        let wal = open(&log);
        wal.replay(A, &mut |_, _| {}).unwrap();
        let lsn = wal.append(A, next, b"goes on");
        wal.step();
        assert_eq!((wal.durable(), wal.failure()), (lsn, None), "{damaged:?}");
        wal.append(A, next + 1, b"and on");
        wal.compact(A, next);
        wal.append(B, 2, b"company");
        wal.step();
        assert_eq!(wal.failure(), None);
        let (found, lost) = replay(&open(&log));
        assert_eq!((found, lost), (vec![next, next + 1], vec![]), "{damaged:?}");
    }
}

#[test]
fn a_writer_that_meets_damage_first_goes_on_as_well() {
    let log = six_chunks();
    rot(&log, &[6]);
    let wal = open(&log);
    // Nobody replayed the group.
    wal.append(A, 20, b"goes on");
    wal.step();
    assert_eq!(wal.failure(), None);
    let (found, lost) = replay(&open(&log));
    assert_eq!(found, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    assert_eq!(lost, [], "the damaged chunk ends where the next begins");
}

#[test]
fn the_floor_is_the_newest_that_can_be_read() {
    let log = six_chunks();
    let wal = open(&log);
    wal.compact(A, 15);
    wal.append(A, 22, b"even");
    wal.step();
    wal.compact(A, 17);
    wal.append(A, 23, b"odd");
    wal.step();
    let (_, last) = log.span(A.of_wal()).unwrap();
    rot(&log, &[last]);
    let (found, lost) = replay(&open(&log));
    assert_eq!(found, (16..23).collect::<Vec<_>>(), "15 lay in a chunk that is gone");
    assert_eq!(lost, [(23, None)]);
}

#[test]
fn a_group_of_nothing_but_damage_can_be_used() {
    let log = six_chunks();
    rot(&log, &[1, 2, 3, 4, 5, 6]);
    let wal = open(&log);
    let (found, lost) = replay(&wal);
    assert_eq!((found, lost), (vec![], vec![(0, None)]));
    let lsn = wal.append(A, 7, b"anew");
    wal.step();
    assert_eq!(wal.durable(), lsn);
}
