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
    assert!(log.reserve().give_up(), "somebody else needed it");
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

#[test]
fn a_reserve_takes_what_finds_no_room() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    disk.set_capacity(disk.used_bytes());
    let refused = fill(&log, A, 5000);
    assert!(log.reserve().bytes() / 2 < 5000 * refused, "{refused} is the first");
    assert!(!log.reserve().is_there());
    disk.power_cut(1);
    drop(log);
    let log = open(&disk);
    assert_eq!(log.span(A), Some((1, refused - 1)));
    assert!(!log.reserve().is_there(), "there is no room for it");
}

#[test]
fn garbage_gives_its_room_back_while_the_disk_is_full_however_little_there_is_of_it() {
    let disk = SimDisk::new(1);
    let log = open_on(&disk, EngineOptions { purge_bytes: 1 << 30, ..SMALL });
    append(&log, B, 1, b"needed");
    disk.set_capacity(disk.used_bytes() + (200 << 10));
    let refused = fill(&log, A, 5000);
    log.purge().unwrap();
    assert!(!log.reserve().take(), "all of it is needed");
    assert_eq!(indexes(&log, A).len() as u64, refused - 1);

    let mut batch = Batch::default();
    batch.compact(A, refused);
    log.write(&mut batch, Flush::Sync).unwrap();
    log.purge().unwrap();
    assert!(log.disk_bytes() < SMALL.file_bytes / 16, "{} bytes", log.disk_bytes());
    assert!(log.reserve().take());
    let before = log_files(&disk);
    log.purge().unwrap();
    assert_eq!(log_files(&disk), before, "that was for the sake of the room");
    disk.power_cut(1);
    drop(log);
    let log = open(&disk);
    assert_eq!((log.damage(), entries(&log, B)), (&[][..], vec![(1, b"needed".to_vec())]));
}
