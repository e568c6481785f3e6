//! The log in memory loses exactly what was not synced.

use super::MemoryLog;
use crate::{Batch, Error, Flush, GroupId, Log};

const A: GroupId = GroupId(2);

fn append(log: &MemoryLog, index: u64, flush: Flush) -> Result<(), Error> {
    let mut batch = Batch::default();
    batch.append(A, index, vec![index as u8]);
    batch.put(A, b"last", vec![index as u8]);
    log.write(&mut batch, flush)
}

#[test]
fn a_power_cut_takes_the_unsynced_tail() {
    let log = MemoryLog::new();
    append(&log, 1, Flush::Sync).unwrap();
    append(&log, 2, Flush::Write).unwrap();
    append(&log, 3, Flush::Write).unwrap();
    assert_eq!(log.span(A), Some((1, 3)));
    log.crash(1);
    assert_eq!(log.span(A), Some((1, 2)));
    assert_eq!(log.get(A, b"last"), Some(vec![2]));
    log.crash(0);
    assert_eq!(log.span(A), Some((1, 2)), "what one cut left is on the device");
    append(&log, 3, Flush::Write).unwrap();
    log.crash(0);
    assert_eq!(log.span(A), Some((1, 2)));
}

#[test]
fn a_sync_covers_the_writes_before_it() {
    let log = MemoryLog::new();
    append(&log, 1, Flush::Write).unwrap();
    append(&log, 2, Flush::Sync).unwrap();
    log.crash(0);
    assert_eq!(log.span(A), Some((1, 2)));
    assert_eq!((log.writes(), log.syncs()), (2, 1));
}

#[test]
fn entries_are_compacted_removed_and_overwritten() {
    let log = MemoryLog::new();
    for index in 1..=5 {
        append(&log, index, Flush::Sync).unwrap();
    }
    append(&log, 4, Flush::Sync).unwrap();
    let mut batch = Batch::default();
    batch.compact(A, 3);
    log.write(&mut batch, Flush::Sync).unwrap();
    assert_eq!(log.span(A), Some((3, 4)));
    assert_eq!(
        append(&log, 6, Flush::Sync),
        Err(Error::Gap { group: A, index: 6, first: 3, last: 4 })
    );
    let mut batch = Batch::default();
    batch.remove(A);
    batch.append(A, 9, vec![9]);
    log.write(&mut batch, Flush::Sync).unwrap();
    assert_eq!((log.span(A), log.get(A, b"last")), (Some((9, 9)), None));
}

#[test]
fn a_broken_device_refuses_until_the_restart() {
    let log = MemoryLog::new();
    log.fail("no such luck");
    assert_eq!(append(&log, 1, Flush::Sync), Err(Error::Io("no such luck".to_owned())));
    log.crash(0);
    append(&log, 1, Flush::Sync).unwrap();
}
