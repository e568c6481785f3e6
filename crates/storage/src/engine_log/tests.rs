//! The log on disk: what survives closing, killing, cutting and damaging it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::{Damage, Damaged, EngineLog, EngineOptions, files, inspect};
use crate::{Batch, Disk, Error, Flush, GroupId, Log, MemoryLog, Open, RealDisk, SimDisk};

mod damage;
mod faults;
mod room;

const A: GroupId = GroupId(2);
const B: GroupId = GroupId(4);
const DIR: &str = "/data/log";
/// Small enough that a test turns files over.
const SMALL: EngineOptions = EngineOptions { file_bytes: 64 << 10, purge_bytes: 256 << 10 };

fn open_on(disk: &SimDisk, options: EngineOptions) -> EngineLog {
    EngineLog::open(Arc::new(disk.clone()), Path::new(DIR), options).unwrap()
}

fn open(disk: &SimDisk) -> EngineLog {
    open_on(disk, SMALL)
}

fn try_append(log: &EngineLog, group: GroupId, index: u64, bytes: &[u8]) -> Result<(), Error> {
    let mut batch = Batch::default();
    batch.append(group, index, bytes.to_vec());
    log.write(&mut batch, Flush::Sync)
}

fn append(log: &EngineLog, group: GroupId, index: u64, bytes: &[u8]) {
    try_append(log, group, index, bytes).unwrap();
}

fn try_entries(log: &impl Log, group: GroupId) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let mut found = Vec::new();
    log.fetch(group, 0..u64::MAX, usize::MAX, &mut |index, bytes| {
        found.push((index, bytes.to_vec()));
    })?;
    Ok(found)
}

fn entries(log: &EngineLog, group: GroupId) -> Vec<(u64, Vec<u8>)> {
    try_entries(log, group).unwrap()
}

fn indexes(log: &EngineLog, group: GroupId) -> Vec<u64> {
    entries(log, group).into_iter().map(|(index, _)| index).collect()
}

/// The log's files and how many bytes of blocks they hold, oldest first.
fn log_files(disk: &SimDisk) -> Vec<PathBuf> {
    let found = files::list(disk, Path::new(DIR)).unwrap();
    found.logs.into_iter().map(|file| files::log_path(Path::new(DIR), file)).collect()
}

fn last_file(disk: &SimDisk) -> PathBuf {
    log_files(disk).pop().unwrap()
}

/// Replaces a file's bytes.
fn overwrite(disk: &SimDisk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, Open::CreateEmpty).unwrap();
    file.write_at(0, bytes).unwrap();
    file.sync().unwrap();
}

/// Fails unless two logs answer alike.
fn assert_same(log: &EngineLog, model: &MemoryLog, at: &str) {
    if let Err(difference) = compare(log, model) {
        panic!("{at}: {difference}");
    }
}

fn compare(log: &EngineLog, model: &MemoryLog) -> Result<(), String> {
    for group in (0..5).map(GroupId) {
        let spans = (log.span(group), model.span(group));
        if spans.0 != spans.1 {
            return Err(format!("{group:?} holds {:?} instead of {:?}", spans.0, spans.1));
        }
        if try_entries(log, group) != try_entries(model, group) {
            return Err(format!("{group:?} holds other bytes"));
        }
        for key in [b"a", b"b", b"c"] {
            if log.get(group, key) != model.get(group, key) {
                return Err(format!("{group:?} has another value of {key:?}"));
            }
        }
    }
    Ok(())
}

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// A batch that `model` takes: appends above all, of up to `bytes_max` bytes each.
    fn batch(&mut self, model: &MemoryLog, bytes_max: u64) -> Batch {
        let mut batch = Batch::default();
        let group = GroupId(self.below(5));
        let span = model.span(group);
        let fill = self.below(256) as u8;
        match self.below(20) {
            0 => batch.remove(group),
            1 => {
                batch.put(group, &[b'a' + self.below(3) as u8], vec![fill; self.below(50) as usize])
            }
            2..5 => {
                if let Some((first, last)) = span {
                    batch.compact(group, first + self.below(last - first + 2));
                }
            }
            5 => {
                // A conflicting tail.
                let at = span.map_or(1, |(first, last)| first + self.below(last - first + 1));
                batch.append(group, at, vec![fill; 10]);
            }
            _ => {
                let next = span.map_or(1 + self.below(9), |(_, last)| last + 1);
                for index in next..=next + self.below(4) {
                    batch.append(group, index, vec![fill; self.below(bytes_max) as usize]);
                }
            }
        }
        batch
    }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let open = || {
        let options = EngineOptions::default();
        EngineLog::open(Arc::new(RealDisk), &dir.path().join("log"), options).unwrap()
    };
    let log = open();
    append(&log, A, 1, b"one");
    append(&log, A, 2, b"");
    append(&log, B, 70, &[9; 300_000]);
    let mut batch = Batch::default();
    batch.put(A, b"vote", b"me".to_vec());
    log.write(&mut batch, Flush::Sync).unwrap();
    assert!(batch.is_empty());
    drop(log);

    let log = open();
    assert_eq!(log.damage(), []);
    assert_eq!(entries(&log, A), [(1, b"one".to_vec()), (2, Vec::new())]);
    assert_eq!(entries(&log, B), [(70, vec![9; 300_000])]);
    assert_eq!(log.get(A, b"vote"), Some(b"me".to_vec()));
    assert_eq!(log.get(A, b"term"), None);
    assert_eq!(log.span(B), Some((70, 70)));
    assert_eq!(log.span(GroupId(6)), None);
    let mut groups = log.groups();
    groups.sort_unstable();
    assert_eq!(groups, [A, B]);
}

#[test]
fn a_follower_overwrites_a_conflicting_tail() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    for index in 1..=5 {
        append(&log, A, index, b"old");
    }
    append(&log, A, 3, b"new");
    assert_eq!(log.span(A), Some((1, 3)));
    drop(log);
    assert_eq!(entries(&open(&disk), A)[2], (3, b"new".to_vec()));
}

#[test]
fn a_hole_or_a_compacted_index_is_refused_without_effect() {
    let log = open(&SimDisk::new(1));
    append(&log, A, 5, b"five");
    for index in [4, 7] {
        let refused = try_append(&log, A, index, b"x");
        assert_eq!(refused, Err(Error::Gap { group: A, index, first: 5, last: 5 }));
    }
    append(&log, A, 6, b"six");
    assert_eq!(indexes(&log, A), [5, 6]);
}

#[test]
fn a_removed_group_can_be_used_again_from_any_index() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, A, 40, b"old");
    let mut batch = Batch::default();
    batch.remove(A);
    batch.append(A, 1, b"new".to_vec());
    log.write(&mut batch, Flush::Sync).unwrap();
    assert_eq!(entries(&log, A), [(1, b"new".to_vec())]);
    drop(log);
    let log = open(&disk);
    assert_eq!(entries(&log, A), [(1, b"new".to_vec())]);
    let mut batch = Batch::default();
    batch.remove(A);
    log.write(&mut batch, Flush::Sync).unwrap();
    drop(log);
    assert_eq!(open(&disk).groups(), []);
}

#[test]
fn a_fetch_stops_at_its_budget() {
    let log = open(&SimDisk::new(1));
    for index in 1..=4 {
        append(&log, A, index, &[7; 100]);
    }
    let fetched = |range, bytes_max| {
        let mut found = Vec::new();
        log.fetch(A, range, bytes_max, &mut |index, _| found.push(index)).unwrap();
        found
    };
    assert_eq!(fetched(2..9, 0), [2]);
    assert_eq!(fetched(1..9, 101), [1, 2]);
    assert_eq!(fetched(0..3, usize::MAX), [1, 2]);
    assert_eq!(fetched(9..12, usize::MAX), []);
}

#[test]
fn compaction_frees_files_when_purged() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, B, 1, b"slow group");
    for index in 1..=200 {
        append(&log, A, index, &[7; 8 << 10]);
    }
    let full = log.disk_bytes();
    let held_back = log.purge().unwrap();
    assert_eq!(held_back, [A]);
    assert_eq!(indexes(&log, A).len(), 200);
    let mut batch = Batch::default();
    batch.compact(A, 200);
    log.write(&mut batch, Flush::Write).unwrap();
    assert_eq!(log.purge().unwrap(), []);
    assert!(log.disk_bytes() * 3 < full, "{} of {full} bytes", log.disk_bytes());
    assert_eq!(indexes(&log, A), [200]);
    assert_eq!(entries(&log, B), [(1, b"slow group".to_vec())]);
    drop(log);
    let log = open(&disk);
    assert_eq!(indexes(&log, A), [200]);
    assert_eq!(entries(&log, B), [(1, b"slow group".to_vec())]);
}

#[test]
fn a_packed_log_is_one_small_file() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, B, 1, b"slow group");
    for index in 1..=200 {
        append(&log, A, index, &[7; 8 << 10]);
    }
    let full = log.disk_bytes();
    let mut needed_by = log.pack(SMALL.file_bytes, SMALL.file_bytes).unwrap();
    needed_by.sort_unstable();
    assert_eq!((needed_by, log.disk_bytes()), (vec![A, B], full), "they are to compact first");
    let mut batch = Batch::default();
    batch.compact(A, 200);
    log.write(&mut batch, Flush::Write).unwrap();
    assert_eq!(log.pack(SMALL.file_bytes, SMALL.file_bytes).unwrap(), []);
    assert_eq!(log_files(&disk).len(), 1);
    drop(log);
    let handle = disk.open(&last_file(&disk), Open::Read).unwrap();
    assert!(handle.len().unwrap() < 10 << 10, "a start reads no more");
    let log = open(&disk);
    assert_eq!(indexes(&log, A), [200]);
    assert_eq!(entries(&log, B), [(1, b"slow group".to_vec())]);
}

/// A thousand slow groups fill the oldest file and hardly need more: it must not hold back what
/// lies behind it for ever.
#[test]
fn a_file_full_of_slow_groups_moves_once_most_of_the_log_is_garbage() {
    let log = open(&SimDisk::new(1));
    for group in 0..1000 {
        append(&log, GroupId(1000 + group), 1, &[1; 60]);
    }
    for index in 1..=200 {
        append(&log, A, index, &[7; 8 << 10]);
    }
    let mut batch = Batch::default();
    batch.compact(A, 200);
    log.write(&mut batch, Flush::Write).unwrap();
    assert_eq!(log.purge().unwrap(), []);
    assert!(log.disk_bytes() <= SMALL.purge_bytes + SMALL.file_bytes);
    assert_eq!(entries(&log, GroupId(1999)), [(1, vec![1; 60])]);
}

#[test]
fn freed_files_are_used_again_also_after_a_kill() {
    let disk = SimDisk::new(1);
    let spares = || files::list(&disk, Path::new(DIR)).unwrap().spares.len();
    let mut log = open(&disk);
    let mut index = 0;
    for _ in 0..3 {
        for _ in 0..60 {
            index += 1;
            append(&log, A, index, &[index as u8; 8 << 10]);
        }
        let mut batch = Batch::default();
        batch.compact(A, index);
        log.write(&mut batch, Flush::Sync).unwrap();
        log.purge().unwrap();
    }
    let before = spares();
    assert!(before > 0);
    disk.kill();
    drop(log);
    log = open(&disk);
    assert_eq!((spares(), log.damage()), (before, &[][..]));
    assert_eq!(indexes(&log, A), [index]);
    // Written over what is left in files used again.
    for more in index + 1..=index + 30 {
        append(&log, A, more, &[more as u8; 8 << 10]);
    }
    assert!(spares() < before);
    disk.kill();
    drop(log);
    log = open(&disk);
    assert_eq!(log.damage(), []);
    for (index, bytes) in entries(&log, A) {
        assert_eq!(bytes, vec![index as u8; 8 << 10]);
    }
    assert_eq!(log.span(A), Some((index, index + 30)));
}

#[test]
fn an_old_entry_that_moved_behind_many_newer_ones_takes_none_of_them_along() {
    let disk = SimDisk::new(1);
    let log = open(&disk);
    append(&log, A, 1, b"the first");
    for index in 1..=8 {
        append(&log, B, index, &[7; 8 << 10]);
    }
    let mut many = Batch::default();
    for index in 2..=3000 {
        many.append(A, index, vec![1; 20]);
    }
    log.write(&mut many, Flush::Sync).unwrap();
    for index in 9..=60 {
        append(&log, B, index, &[7; 8 << 10]);
    }
    let mut batch = Batch::default();
    batch.compact(B, 60);
    log.write(&mut batch, Flush::Sync).unwrap();
    log.purge().unwrap();
    drop(log);
    let log = open(&disk);
    assert_eq!(indexes(&log, A), (1..=3000).collect::<Vec<_>>());
    assert_eq!(log.damage(), []);
}

#[test]
fn a_directory_belongs_to_one_log_at_a_time() {
    let dir = TempDir::new().unwrap();
    let open = || EngineLog::open(Arc::new(RealDisk), dir.path(), SMALL);
    let log = open().unwrap();
    assert!(matches!(open(), Err(Error::Open { .. })));
    drop(log);
    open().unwrap();
}

#[test]
fn a_log_of_another_format_is_refused() {
    let disk = SimDisk::new(1);
    overwrite(&disk, &Path::new(DIR).join("0000000000000001.raftlog"), b"RAFT");
    let refused = EngineLog::open(Arc::new(disk), Path::new(DIR), SMALL);
    assert!(matches!(refused, Err(Error::Open { .. })));
}

/// Every answer of the log on disk must be that of the log in memory, over files turned over,
/// purged, used again and opened again.
#[test]
fn the_log_on_disk_answers_like_the_one_in_memory() {
    for seed in 1..=6 {
        let dir = TempDir::new().unwrap();
        let disk: Arc<dyn Disk> =
            if seed == 1 { Arc::new(RealDisk) } else { Arc::new(SimDisk::new(seed)) };
        let open = || EngineLog::open(Arc::clone(&disk), dir.path(), SMALL).unwrap();
        let mut log = open();
        let model = MemoryLog::new();
        let mut draw = Draw(seed);
        for step in 0..1500 {
            let mut batch = draw.batch(&model, 6000);
            log.write(&mut batch.clone(), Flush::Write).unwrap();
            model.write(&mut batch, Flush::Write).unwrap();
            if draw.below(20) == 0 {
                log.purge().unwrap();
            }
            if draw.below(100) == 0 {
                let bytes = draw.below(SMALL.purge_bytes);
                log.pack(draw.below(bytes + 1), bytes).unwrap();
            }
            if draw.below(200) == 0 {
                drop(log);
                log = open();
            }
            if step % 50 == 0 {
                assert_same(&log, &model, &format!("seed {seed}, step {step}"));
            }
        }
        drop(log);
        let log = open();
        assert_same(&log, &model, &format!("seed {seed}, reopened"));
        assert_eq!(log.damage(), [], "seed {seed}");
    }
}
