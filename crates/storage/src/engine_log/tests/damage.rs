//! What damage costs, and what is told of it.

use super::super::block::{Builder, END_LEN, HEADER_LEN, Header};
use super::super::mark::Mark;
use super::*;

/// Each entry in a block of its own.
fn write_entries(log: &EngineLog, group: GroupId, range: std::ops::RangeInclusive<u64>) {
    for index in range {
        append(log, group, index, &[index as u8; 100]);
    }
}

/// The entries of a group that can be read, and the indexes of those that cannot.
fn salvage(log: &EngineLog, group: GroupId) -> (Vec<u64>, Vec<u64>) {
    let (mut read, mut corrupt) = (Vec::new(), Vec::new());
    let Some((mut next, last)) = log.span(group) else { return (read, corrupt) };
    while next <= last {
        let outcome = log.fetch(group, next..last + 1, usize::MAX, &mut |index, bytes| {
            assert_eq!(bytes, vec![index as u8; bytes.len()]);
            read.push(index);
        });
        match outcome {
            Ok(()) => break,
            Err(Error::Corrupt { group: of, index, .. }) => {
                assert_eq!(of, group);
                corrupt.push(index);
                next = index + 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    (read, corrupt)
}

/// The bytes of the entries of a group.
fn contents(log: &EngineLog, group: GroupId) -> Vec<Vec<u8>> {
    entries(log, group).into_iter().map(|(_, bytes)| bytes).collect()
}

/// A block without steps, by somebody who has to guess the mark.
fn forged(header: Header, offset: u64) -> Vec<u8> {
    let mut builder = Builder::default();
    builder.start();
    builder.finish(header, Mark::default(), offset).unwrap().to_vec()
}

#[test]
fn a_log_cut_anywhere_keeps_every_entry_before_the_cut() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    let file = last_file(&disk);
    let mut ends = Vec::new();
    for index in 1..=6 {
        append(&log, A, index, &vec![index as u8; 20 * index as usize]);
        ends.push(disk.read(&file).len() - END_LEN);
    }
    disk.kill();
    drop(log);
    let image = disk.read(&file);
    for cut in 0..image.len() {
        overwrite(&disk, &file, &image[..cut]);
        let log = open(&disk);
        let whole = ends.iter().filter(|&&end| end <= cut).count() as u64;
        assert_eq!(indexes(&log, A), (1..=whole).collect::<Vec<_>>(), "cut at {cut}");
        // Between two blocks nothing tells that there was more.
        let is_seen = cut > 0 && !ends.contains(&cut) && cut < ends[5];
        assert_eq!(!log.damage().is_empty(), is_seen, "cut at {cut}: {:?}", log.damage());
        append(&log, A, whole + 1, b"goes on");
        drop(log);
        assert_eq!(open(&disk).span(A), Some((1, whole + 1)), "cut at {cut}");
    }
}

#[test]
fn a_damaged_byte_in_the_middle_costs_its_entry_and_is_reported() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    let file = last_file(&disk);
    write_entries(&log, A, 1..=2);
    let start = disk.read(&file).len() - 16;
    write_entries(&log, A, 3..=3);
    let end = disk.read(&file).len() - 16;
    write_entries(&log, A, 4..=5);
    drop(log);
    for at in start..end {
        disk.rot(&file, at as u64, 0x10);
        let log = open(&disk);
        assert_eq!(salvage(&log, A), (vec![1, 2, 4, 5], vec![3]), "byte {at}");
        let [Damage { file: found, offset, len, what }] = log.damage() else {
            panic!("byte {at}: {:?}", log.damage());
        };
        assert_eq!(found, &file);
        assert!((*offset..offset + len).contains(&(at as u64)), "byte {at}");
        assert!(matches!(what, Damaged::Entry | Damaged::Block));
        append(&log, A, 6, b"goes on");
        drop(log);
        disk.rot(&file, at as u64, 0x10);
        // What the try above has added.
        let log = open(&disk);
        let mut batch = Batch::default();
        batch.append(A, 5, vec![5; 100]);
        log.write(&mut batch, Flush::Sync).unwrap();
    }
}

#[test]
fn damage_costs_one_entry_of_a_block_not_its_neighbours() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    let mut batch = Batch::default();
    for index in 1..=3 {
        batch.append(A, index, vec![index as u8; 1000]);
        batch.append(B, index, vec![index as u8; 1000]);
    }
    log.write(&mut batch, Flush::Sync).unwrap();
    drop(log);
    // In the second entry of the first group.
    disk.rot(&last_file(&disk), 2500, 1);
    let log = open(&disk);
    assert_eq!(salvage(&log, A), (vec![1, 3], vec![2]));
    assert_eq!(salvage(&log, B), (vec![1, 2, 3], vec![]));
    assert_eq!(log.damage().len(), 1);
    assert_eq!((log.damage()[0].what, log.damage()[0].len), (Damaged::Entry, 1000));
}

#[test]
fn a_missing_file_costs_what_was_in_it() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    for index in 1..=40 {
        append(&log, A, index, &[index as u8; 8 << 10]);
    }
    drop(log);
    let gone = log_files(&disk)[1].clone();
    disk.remove(&gone).unwrap();
    let log = open(&disk);
    let (read, corrupt) = salvage(&log, A);
    assert_eq!((read[0], read.len() + corrupt.len()), (1, 40));
    assert_eq!(corrupt, (9..=16).collect::<Vec<_>>());
    let missing = Damage { file: gone, offset: 0, len: 0, what: Damaged::MissingFile };
    assert_eq!(log.damage(), [missing]);
}

#[test]
fn a_file_cut_short_in_the_middle_of_the_log_is_reported() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    for index in 1..=40 {
        append(&log, A, index, &[index as u8; 8 << 10]);
    }
    drop(log);
    let cut = &log_files(&disk)[1];
    let blocks = disk.read(cut);
    // Between two blocks, and within one.
    for keep in [2 * (blocks.len() - 16) / 8, 20_000] {
        overwrite(&disk, cut, &blocks[..keep]);
        let log = open(&disk);
        let (read, corrupt) = salvage(&log, A);
        assert_eq!((read.len(), corrupt), (34, (11..=16).collect()), "{keep} bytes kept");
        assert!(!log.damage().is_empty());
    }
}

/// A power cut may keep a later write and lose an earlier one. Neither was promised.
#[test]
fn a_torn_tail_is_cut_and_told_once() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    write_entries(&log, A, 1..=1);
    let file = last_file(&disk);
    let torn = disk.read(&file).len() as u64 - 16;
    for index in 2..=3 {
        let mut batch = Batch::default();
        batch.append(A, index, vec![index as u8; 100]);
        log.write(&mut batch, Flush::Write).unwrap();
    }
    disk.kill();
    drop(log);
    disk.rot(&file, torn, 1);
    let log = open(&disk);
    assert_eq!(indexes(&log, A), [1]);
    assert_eq!((log.damage()[0].offset, log.damage()[0].what), (torn, Damaged::Tail { blocks: 1 }));
    drop(log);
    let log = open(&disk);
    assert_eq!((indexes(&log, A), log.damage()), (vec![1], &[][..]));
}

#[test]
fn a_file_of_noise_costs_what_was_in_it_and_the_log_goes_on() {
    for len in [1, 16, 51, 52, 64, 5000] {
        let disk = SimDisk::new(1);
        drop(open(&disk));
        let mut draw = Draw(len);
        let noise: Vec<u8> = (0..len).map(|_| draw.below(256) as u8).collect();
        overwrite(&disk, &last_file(&disk), &noise);
        let log = open(&disk);
        assert_eq!(log.damage().len(), 1);
        append(&log, A, 1, b"goes on");
        drop(log);
        assert_eq!(indexes(&open(&disk), A), [1]);
    }
}

/// The outer block's header is what tells its length: without it, its payload is searched.
#[test]
fn an_entry_that_holds_a_block_is_not_taken_for_one() {
    for at in 0..HEADER_LEN as u64 {
        let disk = SimDisk::new(1);
        let log = open(&disk);
        append(&log, A, 1, b"forged");
        append(&log, A, 2, b"more");
        let file = last_file(&disk);
        let blocks = disk.read(&file);
        let outer = blocks.len() as u64 - END_LEN as u64;
        append(&log, B, 1, &blocks);
        append(&log, A, 3, b"after");
        disk.kill();
        drop(log);
        disk.rot(&file, outer + at, 1);
        let log = open(&disk);
        assert_eq!(contents(&log, A), [&b"forged"[..], b"more", b"after"], "byte {at}");
        assert_eq!(log.damage().len(), 1, "byte {at}");
        assert_eq!((log.damage()[0].offset, log.damage()[0].what), (outer, Damaged::Block));
    }
}

/// What a client who knows the format can write: everything but the log's mark.
#[test]
fn a_header_in_an_entry_cannot_tell_which_files_count() {
    for (number, synced, first_file) in [(u64::MAX - 1, 1 << 60, 1 << 31), (9, 0, 0), (9, 9, 1)] {
        let disk = SimDisk::new(1);
        let log = open(&disk);
        append(&log, A, 1, b"one");
        let file = last_file(&disk);
        let outer = disk.read(&file).len() as u64 - END_LEN as u64;
        let header = Header { number, synced, file: 1, first_file, ..Header::default() };
        let offset = outer + HEADER_LEN as u64;
        append(&log, B, 1, &forged(header, offset));
        append(&log, A, 2, b"two");
        append(&log, A, 3, b"three");
        disk.kill();
        drop(log);
        disk.rot(&file, outer, 1);
        let log = open(&disk);
        assert_eq!(contents(&log, A), [&b"one"[..], b"two", b"three"]);
    }
}

#[test]
fn each_log_has_a_mark_of_its_own_and_survives_damage_to_it() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, A, 1, b"one");
    drop(log);
    let mark = files::mark_path(Path::new(DIR));
    let [first, other] = [&disk, &SimDisk::new(2)].map(|disk| {
        drop(open(disk));
        disk.read(&mark)
    });
    assert_ne!(first, other);
    for at in [0, 4100] {
        disk.rot(&mark, at, 1);
        assert_eq!(indexes(&open(&disk), A), [1]);
    }
    disk.rot(&mark, 8192, 1);
    let refused = EngineLog::open(Arc::new(disk.clone()), Path::new(DIR), SMALL).err();
    assert!(refused.is_some_and(|error| error.to_string().contains("mark: it is damaged")));
    overwrite(&disk, &mark, &first);
    assert_eq!(indexes(&open(&disk), A), [1]);
}

#[test]
fn damage_that_is_moved_stays_damage() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    write_entries(&log, A, 1..=5);
    for index in 1..=60 {
        append(&log, B, index, &[index as u8; 8 << 10]);
    }
    drop(log);
    // In the third entry.
    disk.rot(&log_files(&disk)[0], 400, 1);
    let log = open(&disk);
    assert_eq!(salvage(&log, A), (vec![1, 2, 4, 5], vec![3]));
    let mut batch = Batch::default();
    batch.compact(B, 60);
    log.write(&mut batch, Flush::Sync).unwrap();
    log.purge().unwrap();
    assert!(!log_files(&disk).contains(&PathBuf::from(DIR).join("0000000001.log")));
    assert_eq!(salvage(&log, A), (vec![1, 2, 4, 5], vec![3]));
    drop(log);
    let log = open(&disk);
    assert_eq!(log.damage(), []);
    assert_eq!(salvage(&log, A), (vec![1, 2, 4, 5], vec![3]));
}

#[test]
fn a_read_that_fails_once_costs_nothing() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    write_entries(&log, A, 1..=5);
    disk.fail_read(1);
    let failed = log.fetch(A, 3..4, usize::MAX, &mut |_, _| {});
    assert_eq!(failed, Ok(()), "read once more");
    drop(log);
    disk.fail_read(1);
    let log = open(&disk);
    assert_eq!(salvage(&log, A), (vec![1, 2, 3, 4, 5], vec![]));
}

/// No torn write leaves a sector that the device does not read: what is in it may come back.
#[test]
fn a_log_that_the_device_does_not_read_is_not_opened_nor_cut() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    write_entries(&log, A, 1..=100);
    let file = last_file(&disk);
    let image = disk.read(&file);
    disk.kill();
    drop(log);
    // A sector in the middle, and the last one.
    for sector in [4096, image.len() as u64 / 4096 * 4096] {
        disk.make_unreadable(&file, sector..sector + 512);
        let refused = EngineLog::open(Arc::new(disk.clone()), Path::new(DIR), SMALL).err();
        let text = refused.expect("nobody knows what is in it").to_string();
        let offset = format!("does not read {} at ", file.display());
        assert!(text.contains(&offset) && text.ends_with("nothing was changed"), "{text}");
        let found = inspect(&disk, Path::new(DIR), &mut |_, _| {}).unwrap();
        assert_eq!(found.faults.len(), 1, "{found:?}");
        assert_eq!((found.faults[0].what, found.tails), (Damaged::Unread, Vec::new()));
        disk.mend();
        assert_eq!(disk.read(&file), image);
    }
    assert_eq!(indexes(&open(&disk), A), (1..=100).collect::<Vec<_>>());
}

#[test]
fn what_the_device_does_not_read_is_not_given_up_to_free_a_file() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    write_entries(&log, A, 1..=5);
    for index in 1..=60 {
        append(&log, B, index, &[index as u8; 8 << 10]);
    }
    let oldest = log_files(&disk)[0].clone();
    disk.make_unreadable(&oldest, 0..512);
    assert!(matches!(try_entries(&log, A), Err(Error::Io(_))));
    let mut batch = Batch::default();
    batch.compact(B, 60);
    log.write(&mut batch, Flush::Sync).unwrap();
    assert_eq!(log.purge(), Ok(vec![A]));
    disk.mend();
    assert_eq!(log.purge(), Ok(Vec::new()));
    assert!(!log_files(&disk).contains(&oldest));
    assert_eq!(salvage(&log, A), (vec![1, 2, 3, 4, 5], vec![]));
}

#[test]
fn a_file_that_the_device_does_not_read_is_freed_once_its_entries_are_written_again() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    // Of one group a part cannot be read, of the other nothing is the matter.
    let mut batch = Batch::default();
    batch.append(A, 1, vec![1; 100]);
    batch.append(A, 2, vec![2; 8 << 10]);
    batch.append(GroupId(7), 1, vec![7; 100]);
    log.write(&mut batch, Flush::Sync).unwrap();
    for index in 1..=60 {
        append(&log, B, index, &[index as u8; 8 << 10]);
    }
    let oldest = log_files(&disk)[0].clone();
    disk.make_unreadable(&oldest, 4096..4608);
    let mut batch = Batch::default();
    batch.compact(B, 60);
    log.write(&mut batch, Flush::Sync).unwrap();
    assert_eq!(log.purge(), Ok(vec![A]));
    assert!(log_files(&disk).contains(&oldest));
    // Whoever wrote it has it in memory.
    let mut batch = Batch::default();
    batch.append(A, 3, vec![2; 8 << 10]);
    batch.compact(A, 3);
    log.write(&mut batch, Flush::Sync).unwrap();
    assert_eq!(log.purge(), Ok(Vec::new()));
    assert!(!log_files(&disk).contains(&oldest));
    drop(log);
    let log = open(&disk);
    assert_eq!((indexes(&log, A), indexes(&log, GroupId(7))), (vec![3], vec![1]));
}

#[test]
fn a_log_is_opened_though_the_device_does_not_read_what_nobody_needs() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, A, 1, &[1; 16 << 10]);
    append(&log, A, 2, &[2; 16 << 10]);
    let file = last_file(&disk);
    disk.make_unreadable(&file, 8192..8704);
    disk.kill();
    drop(log);
    EngineLog::open(Arc::new(disk.clone()), Path::new(DIR), SMALL).err().expect("it is needed");
    disk.mend();
    let log = open(&disk);
    let mut batch = Batch::default();
    batch.compact(A, 2);
    log.write(&mut batch, Flush::Sync).unwrap();
    drop(log);
    disk.make_unreadable(&file, 8192..8704);
    let log = open(&disk);
    assert_eq!(log.damage().iter().map(|it| it.what).collect::<Vec<_>>(), [Damaged::UnreadEntry]);
    assert_eq!(indexes(&log, A), [2]);
}

/// After a clean stop everything is known to have been written: whatever byte rots, it is told, and
/// costs one write's entries at most.
#[test]
fn rot_anywhere_is_told_and_costs_one_block() {
    for seed in 0..300 {
        let disk = SimDisk::new(seed);
        let log = open(&disk);
        let mut draw = Draw(seed);
        let mut written: Vec<(GroupId, u64, usize)> = Vec::new();
        let mut next = [1; 4];
        for block in 0..60 {
            let mut batch = Batch::default();
            for _ in 0..=draw.below(4) {
                let group = draw.below(4) as usize;
                let index = next[group];
                next[group] += 1;
                let len = draw.below(4000) as usize;
                batch.append(GroupId(group as u64), index, vec![index as u8; len]);
                written.push((GroupId(group as u64), index, block));
            }
            let flush = if draw.below(2) == 0 { Flush::Write } else { Flush::Sync };
            log.write(&mut batch, flush).unwrap();
        }
        drop(log);
        let files = log_files(&disk);
        let file = &files[draw.below(files.len() as u64) as usize];
        let at = draw.below(disk.read(file).len() as u64);
        disk.rot(file, at, 1 << draw.below(8));

        let log = open(&disk);
        assert!(!log.damage().is_empty(), "seed {seed}");
        assert!(log.damage().iter().all(|damage| damage.file == *file), "seed {seed}");
        let read: Vec<_> = (0..4).map(|group| salvage(&log, GroupId(group)).0).collect();
        written.retain(|(group, index, _)| !read[group.0 as usize].contains(index));
        written.dedup_by_key(|(.., block)| *block);
        assert!(written.len() <= 1, "seed {seed}: lost {written:?}");
    }
}
