//! The log on disk: what survives closing, killing, cutting and damaging it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{EngineLog, EngineOptions};
use crate::{Batch, Error, Flush, GroupId, Log, MemoryLog};

const A: GroupId = GroupId(2);
const B: GroupId = GroupId(4);

fn open(dir: &Path) -> EngineLog {
    EngineLog::open(dir, EngineOptions::default()).unwrap()
}

/// Small enough that a test turns files over.
fn open_small(dir: &Path) -> EngineLog {
    EngineLog::open(dir, EngineOptions { file_bytes: 64 << 10, purge_bytes: 256 << 10 }).unwrap()
}

fn append(log: &EngineLog, group: GroupId, index: u64, bytes: &[u8]) {
    let mut batch = Batch::default();
    batch.append(group, index, bytes.to_vec());
    log.write(&mut batch, Flush::Sync).unwrap();
}

fn entries(log: &EngineLog, group: GroupId) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    log.fetch(group, 0..u64::MAX, usize::MAX, &mut |index, bytes| {
        found.push((index, bytes.to_vec()));
    })
    .unwrap();
    found
}

fn indexes(log: &EngineLog, group: GroupId) -> Vec<u64> {
    entries(log, group).into_iter().map(|(index, _)| index).collect()
}

fn last_file(dir: &Path) -> PathBuf {
    super::files::list(dir, super::files::APPENDED).unwrap().pop().unwrap().1
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path());
    append(&log, A, 1, b"one");
    append(&log, A, 2, b"");
    append(&log, B, 70, &[9; 300_000]);
    let mut batch = Batch::default();
    batch.put(A, b"vote", b"me".to_vec());
    log.write(&mut batch, Flush::Sync).unwrap();
    drop(log);

    let log = open(dir.path());
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
    let dir = TempDir::new().unwrap();
    let log = open(dir.path());
    for index in 1..=5 {
        append(&log, A, index, b"old");
    }
    append(&log, A, 3, b"new");
    assert_eq!(log.span(A), Some((1, 3)));
    drop(log);
    assert_eq!(entries(&open(dir.path()), A)[2], (3, b"new".to_vec()));
}

#[test]
fn a_hole_or_a_compacted_index_is_refused_without_effect() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path());
    append(&log, A, 5, b"five");
    for index in [4, 7] {
        let mut batch = Batch::default();
        batch.append(A, index, b"x".to_vec());
        let refused = log.write(&mut batch, Flush::Sync);
        assert_eq!(refused, Err(Error::Gap { group: A, index, first: 5, last: 5 }));
    }
    append(&log, A, 6, b"six");
    assert_eq!(indexes(&log, A), [5, 6]);
}

#[test]
fn a_removed_group_can_be_used_again_from_any_index() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path());
    append(&log, A, 40, b"old");
    let mut batch = Batch::default();
    batch.remove(A);
    batch.append(A, 1, b"new".to_vec());
    log.write(&mut batch, Flush::Sync).unwrap();
    assert_eq!(entries(&log, A), [(1, b"new".to_vec())]);
    drop(log);
    let log = open(dir.path());
    assert_eq!(entries(&log, A), [(1, b"new".to_vec())]);
    let mut batch = Batch::default();
    batch.remove(A);
    log.write(&mut batch, Flush::Sync).unwrap();
    drop(log);
    assert_eq!(open(dir.path()).groups(), []);
}

#[test]
fn a_log_cut_anywhere_keeps_every_entry_before_the_cut() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path());
    let file = last_file(dir.path());
    // Where the file ended after each synced entry.
    let mut ends = Vec::new();
    for index in 1..=20 {
        append(&log, A, index, &vec![index as u8; 20 * index as usize]);
        let block = fs::read(&file).unwrap();
        ends.push(block.iter().rposition(|&byte| byte != 0).unwrap() + 1);
    }
    let image = TempDir::new().unwrap();
    copy_dir(dir.path(), &image.path().join("log"));
    let len = *ends.last().unwrap();
    for cut in (0..=len).step_by(17) {
        let work = TempDir::new().unwrap();
        copy_dir(&image.path().join("log"), work.path());
        let file = last_file(work.path());
        fs::OpenOptions::new().write(true).open(file).unwrap().set_len(cut as u64).unwrap();
        let log = open(work.path());
        // A checksum may end in zeros, which the end found above does not count.
        let whole = ends.iter().filter(|&&end| end + 4 <= cut).count() as u64;
        let found = entries(&log, A);
        assert!(found.len() as u64 >= whole, "cut at {cut}: {} of {whole}", found.len());
        for (at, (index, bytes)) in found.iter().enumerate() {
            assert_eq!(*index, at as u64 + 1);
            assert_eq!(*bytes, vec![*index as u8; 20 * *index as usize]);
        }
        let next = found.len() as u64 + 1;
        append(&log, A, next, b"goes on");
        drop(log);
        assert_eq!(entries(&open(work.path()), A).len() as u64, next);
    }
}

#[test]
fn a_damaged_byte_in_the_last_block_costs_that_block_only() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path());
    append(&log, A, 1, &[1; 100]);
    append(&log, A, 2, &[2; 100]);
    let start = fs::read(last_file(dir.path())).unwrap();
    let start = start.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    append(&log, A, 3, &[3; 100]);
    let image = fs::read(last_file(dir.path())).unwrap();
    let end = image.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    for at in start..end {
        let work = TempDir::new().unwrap();
        copy_dir(dir.path(), work.path());
        let mut bytes = image.clone();
        bytes[at] ^= 0x10;
        fs::write(last_file(work.path()), &bytes).unwrap();
        let log = open(work.path());
        let found = indexes(&log, A);
        assert_eq!(found, [1, 2], "byte {at}");
        append(&log, A, 3, b"goes on");
        assert_eq!(entries(&log, A)[1], (2, vec![2; 100]));
    }
}

#[test]
fn a_file_of_noise_is_an_error_or_an_empty_log_but_no_panic() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()));
    let file = last_file(dir.path());
    let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
    for len in [0, 1, 16, 69, 70, 100, 5000] {
        let bytes: Vec<u8> = (0..len)
            .map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (noise >> 56) as u8
            })
            .collect();
        fs::write(&file, bytes).unwrap();
        if let Ok(log) = EngineLog::open(dir.path(), EngineOptions::default()) {
            append(&log, A, 1, b"goes on");
        }
        fs::write(&file, []).unwrap();
    }
}

#[test]
fn compaction_frees_files_when_purged() {
    let dir = TempDir::new().unwrap();
    let log = open_small(dir.path());
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
    log.purge().unwrap();
    assert!(log.disk_bytes() * 3 < full, "{} of {full} bytes", log.disk_bytes());
    assert_eq!(indexes(&log, A), [200]);
    assert_eq!(entries(&log, B), [(1, b"slow group".to_vec())]);
    drop(log);
    let log = open_small(dir.path());
    assert_eq!(indexes(&log, A), [200]);
    assert_eq!(entries(&log, B), [(1, b"slow group".to_vec())]);
}

#[test]
fn files_kept_for_reuse_are_found_again_after_a_kill() {
    let dir = TempDir::new().unwrap();
    let log = open_small(dir.path());
    let mut batch = Batch::default();
    let mut index = 0;
    for _ in 0..3 {
        for _ in 0..60 {
            index += 1;
            append(&log, A, index, &[index as u8; 8 << 10]);
        }
        batch.compact(A, index);
        log.write(&mut batch, Flush::Sync).unwrap();
        log.purge().unwrap();
    }
    let killed = TempDir::new().unwrap();
    copy_dir(dir.path(), killed.path());
    let count = |suffix| super::files::list(killed.path(), suffix).unwrap().len();
    let before = count(".raftlog");
    let log = open_small(killed.path());
    let reserved = count(".raftlog.reserved");
    assert!(reserved > 0 && count(".raftlog") + reserved + 1 >= before);
    assert_eq!(indexes(&log, A), [index]);
    // Written over what is left in reused files.
    for more in index + 1..=index + 30 {
        append(&log, A, more, &[more as u8; 8 << 10]);
    }
    assert!(count(".raftlog.reserved") < reserved);
    let killed_again = TempDir::new().unwrap();
    copy_dir(killed.path(), killed_again.path());
    let log = open_small(killed_again.path());
    for (index, bytes) in entries(&log, A) {
        assert_eq!(bytes, vec![index as u8; 8 << 10]);
    }
    assert_eq!(log.span(A), Some((index, index + 30)));
    batch.compact(A, index + 30);
    log.write(&mut batch, Flush::Sync).unwrap();
    log.purge().unwrap();
    drop(log);
    // Closed in order, they are kept as well.
    drop(open_small(killed_again.path()));
    assert!(!super::files::list(killed_again.path(), ".raftlog.reserved").unwrap().is_empty());
}

#[test]
fn after_a_failed_sync_nothing_is_taken_for_safe() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path());
    append(&log, A, 1, b"safe");
    // What the disk does when fdatasync fails; the engine itself sees a success.
    log.health.fail("fdatasync: gone".to_owned());
    let mut batch = Batch::default();
    batch.append(A, 2, b"lost".to_vec());
    let gone = Error::Io("fdatasync: gone".to_owned());
    assert_eq!(log.write(&mut batch, Flush::Sync), Err(gone.clone()));
    assert_eq!(log.purge(), Err(gone));
    drop(log);
    assert_eq!(indexes(&open(dir.path()), A), [1]);
}

#[test]
fn a_directory_belongs_to_one_log_at_a_time() {
    let dir = TempDir::new().unwrap();
    let _log = open(dir.path());
    let second = EngineLog::open(dir.path(), EngineOptions::default());
    assert!(matches!(second, Err(Error::Open { .. })));
}

/// Every answer of the log on disk must be that of the log in memory, over files turned over,
/// purged, rewritten, reused and opened again.
#[test]
fn the_log_on_disk_answers_like_the_one_in_memory() {
    for seed in 1..=6_u64 {
        let dir = TempDir::new().unwrap();
        let mut log = open_small(dir.path());
        let model = MemoryLog::new();
        let mut chance = seed;
        let mut draw = |below: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
            (chance >> 33) % below
        };
        for step in 0..1500 {
            let group = GroupId(draw(5));
            let span = model.span(group);
            let mut batch = Batch::default();
            match draw(20) {
                0 => batch.remove(group),
                1 => batch.put(group, &[b'a' + draw(3) as u8], vec![step as u8; draw(50) as usize]),
                2..5 => {
                    if let Some((first, last)) = span {
                        batch.compact(group, first + draw(last - first + 2));
                    }
                }
                5 => {
                    // A conflicting tail.
                    let at = span.map_or(1, |(first, last)| first + draw(last - first + 1));
                    batch.append(group, at, vec![step as u8; 10]);
                }
                6 => {
                    log.purge().unwrap();
                }
                7 if draw(10) == 0 => {
                    drop(log);
                    log = open_small(dir.path());
                }
                _ => {
                    let next = span.map_or(1 + draw(9), |(_, last)| last + 1);
                    for index in next..=next + draw(4) {
                        batch.append(group, index, vec![step as u8; draw(6000) as usize]);
                    }
                }
            }
            log.write(&mut batch.clone(), Flush::Write).unwrap();
            model.write(&mut batch, Flush::Write).unwrap();
            if step % 50 == 0 {
                assert_same(&log, &model, &format!("seed {seed}, step {step}"));
            }
        }
        drop(log);
        assert_same(&open_small(dir.path()), &model, &format!("seed {seed}, reopened"));
    }
}

fn assert_same(log: &EngineLog, model: &MemoryLog, at: &str) {
    for group in (0..5).map(GroupId) {
        assert_eq!(log.span(group), model.span(group), "{at}, {group:?}");
        let mut expected = Vec::new();
        model
            .fetch(group, 0..u64::MAX, usize::MAX, &mut |index, bytes| {
                expected.push((index, bytes.to_vec()));
            })
            .unwrap();
        assert!(entries(log, group) == expected, "{at}, {group:?}");
        for key in [b"a", b"b", b"c"] {
            assert_eq!(log.get(group, key), model.get(group, key), "{at}, {group:?}");
        }
    }
}
