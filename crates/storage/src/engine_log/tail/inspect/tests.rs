use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{LogInspection, inspect};
use crate::engine_log::files;
use crate::{Batch, EngineLog, EngineOptions, Flush, GroupId, Log};

const A: GroupId = GroupId(2);

/// A closed log of ten entries in files of 4 KiB or a little more.
fn log() -> TempDir {
    let dir = TempDir::new().unwrap();
    let options = EngineOptions { file_bytes: 4 << 10, purge_bytes: 1 << 20 };
    let log = EngineLog::open(&dir.path().join("log"), options).unwrap();
    for index in 1..=10 {
        let mut batch = Batch::default();
        batch.append(A, index, vec![index as u8; 1500]);
        log.write(&mut batch, Flush::Sync).unwrap();
    }
    dir
}

fn look(dir: &Path) -> LogInspection {
    inspect(&dir.join("log"), &mut |_, _| {}).unwrap()
}

fn appended(dir: &Path) -> Vec<PathBuf> {
    let files = files::live(&dir.join("log"), files::APPENDED).unwrap();
    files.into_iter().map(|(_, path)| path).collect()
}

/// Flips a bit in the middle of the first stretch of `octet`s.
fn damage_entry(file: &Path, octet: u8) {
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.windows(64).position(|window| window == [octet; 64]).expect("it is in here");
    bytes[at + 32] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Names, lengths and bytes of all files.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn a_closed_log_is_whole() {
    let dir = log();
    let found = look(dir.path());
    assert!(found.files > 3, "{found:?}");
    assert_eq!((found.faults, found.tails), (vec![], vec![]));
}

#[test]
fn damage_in_the_middle_is_found_with_its_place_and_what_follows_is_read() {
    let dir = log();
    let first = appended(dir.path()).remove(0);
    damage_entry(&first, 1);
    let found = look(dir.path());
    let [fault] = found.faults.as_slice() else { panic!("{found:?}") };
    assert_eq!((&fault.file, fault.offset), (&first, super::FILE_HEADER_LEN));
    assert!((1500..1700).contains(&fault.len), "{fault:?}");
    assert_eq!(found.tails, vec![]);
}

#[test]
fn the_end_of_the_last_file_is_told_apart_from_damage() {
    let dir = log();
    let last = appended(dir.path()).pop().expect("a file");
    damage_entry(&last, 10);
    let found = look(dir.path());
    assert_eq!(found.faults, vec![]);
    let [tail] = found.tails.as_slice() else { panic!("{found:?}") };
    assert_eq!(&tail.file, &last);
}

#[test]
fn a_file_without_its_header_is_damaged() {
    let dir = log();
    let first = appended(dir.path()).remove(0);
    let mut bytes = fs::read(&first).unwrap();
    bytes[0] = 0;
    fs::write(&first, bytes).unwrap();
    let found = look(dir.path());
    assert_eq!(found.faults[0].what, "the file's header is damaged");
}

#[test]
fn a_shadow_shows_the_log_and_what_is_written_to_it_stays_in_it() {
    let dir = log();
    let before = contents(dir.path());
    let shadow = TempDir::new().unwrap();
    {
        let log = EngineLog::open_shadow(&dir.path().join("log"), shadow.path()).unwrap();
        assert_eq!(log.span(A), Some((1, 10)));
        let mut read = Vec::new();
        log.fetch(A, 1..11, usize::MAX, &mut |index, bytes| read.push((index, bytes.to_vec())))
            .unwrap();
        assert!(read.iter().all(|(index, bytes)| *bytes == vec![*index as u8; 1500]));
        for index in 11..=40 {
            let mut batch = Batch::default();
            batch.append(A, index, vec![0; 1500]);
            log.write(&mut batch, Flush::Sync).unwrap();
        }
        log.purge().unwrap();
    }
    assert_eq!(contents(dir.path()), before);
}
