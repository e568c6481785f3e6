//! A disk without room.

use super::*;

/// Writes until there is no room; returns the index that found none.
fn fill(log: &EngineLog, group: GroupId, len: usize) -> u64 {
    let mut index = log.span(group).map_or(1, |(_, last)| last + 1);
    loop {
        match try_append(log, group, index, &vec![index as u8; len]) {
            Ok(()) => index += 1,
            Err(Error::Full(_)) => return index,
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_write_that_finds_no_room_can_be_repeated_once_there_is_some() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, A, 1, b"before");
    disk.set_capacity(disk.used_bytes());
    let mut batch = Batch::default();
    batch.append(A, 2, vec![2; 10_000]);
    let written = batch.clone();
    assert!(matches!(log.write(&mut batch, Flush::Sync), Err(Error::Full(_))));
    assert_eq!(batch, written, "the batch is the caller's still");
    assert_eq!(log.span(A), Some((1, 1)));
    disk.set_capacity(u64::MAX);
    log.write(&mut batch, Flush::Sync).unwrap();
    assert_eq!(indexes(&log, A), [1, 2]);
    disk.power_cut(1);
    drop(log);
    let log = open(&disk);
    assert_eq!((indexes(&log, A), log.damage()), (vec![1, 2], &[][..]));
}

#[test]
fn a_refused_write_leaves_nothing_behind() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let log = open(&disk);
        disk.set_capacity(disk.used_bytes() + 4096 * (seed % 20));
        let refused = fill(&log, A, 5000);
        disk.kill();
        drop(log);
        disk.set_capacity(u64::MAX);
        let log = open(&disk);
        assert_eq!(log.span(A), (refused > 1).then(|| (1, refused - 1)), "seed {seed}");
        assert_eq!(log.damage(), [], "seed {seed}");
    }
}

#[test]
fn room_can_be_made_when_there_is_none() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, B, 1, &[7; 20_000]);
    disk.set_capacity(disk.used_bytes() + (400 << 10));
    let refused = fill(&log, A, 9000);
    let mut batch = Batch::default();
    batch.compact(A, refused - 1);
    log.write(&mut batch, Flush::Sync).unwrap();
    log.purge().unwrap();
    assert!(log.disk_bytes() <= SMALL.purge_bytes);
    append(&log, A, refused, b"there is room");
    assert_eq!(entries(&log, B), [(1, vec![7; 20_000])]);
    disk.power_cut(1);
    drop(log);
    let log = open(&disk);
    assert_eq!(indexes(&log, A), [refused - 1, refused]);
    assert_eq!(entries(&log, B), [(1, vec![7; 20_000])]);
}

#[test]
fn a_log_opens_on_a_full_disk() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, A, 1, b"one");
    drop(log);
    disk.set_capacity(0);
    let log = open(&disk);
    assert_eq!(indexes(&log, A), [1]);
    disk.set_capacity(u64::MAX);
    append(&log, A, 2, &[2; 100_000]);
}
