//! A log's files with anything in them: it opens or says why not, what can be read is read, and it
//! goes on. Checksums are off, so that every byte counts.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use leveret_fuzz::damage;
use libfuzzer_sys::fuzz_target;
use storage::{Batch, Disk, EngineLog, EngineOptions, Flush, GroupId, Log, Open, SimDisk};

const DIR: &str = "/log";
/// So small that a handful of entries makes several files.
const SMALL: EngineOptions = EngineOptions { file_bytes: 256, purge_bytes: 1024 };

/// A log with all kinds of steps, and freed files.
static FILES: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let disk = SimDisk::new(1);
    let log = open(&disk).expect("an empty directory");
    for index in 1..=24 {
        let mut batch = Batch::default();
        batch.append(GroupId(1), index, vec![index as u8; 40]);
        batch.append(GroupId(2), index, vec![index as u8; 10]);
        batch.put(GroupId(3), b"key", vec![index as u8; 3]);
        if index % 6 == 0 {
            batch.compact(GroupId(1), index - 2);
            batch.remove(GroupId(4));
            batch.append(GroupId(4), index, Vec::new());
        }
        log.write(&mut batch, Flush::Sync).expect("a sound disk");
        log.purge().expect("a sound disk");
    }
    drop(log);
    disk.files().into_iter().map(|(path, _)| (path.clone(), disk.read(&path))).collect()
});

fn open(disk: &SimDisk) -> Result<EngineLog, storage::Error> {
    EngineLog::open(Arc::new(disk.clone()), Path::new(DIR), SMALL)
}

fn read_all(log: &EngineLog) {
    for group in log.groups() {
        let Some((first, last)) = log.span(group) else { continue };
        for index in (first..=last).take(1000) {
            drop(log.fetch(group, index..index.saturating_add(1), 0, &mut |_, _| {}));
        }
    }
}

fuzz_target!(|script: &[u8]| {
    let disk = SimDisk::new(1);
    let (paths, mut pieces): (Vec<_>, Vec<_>) = FILES.iter().cloned().unzip();
    // The last file is the one that most depends on.
    let count = pieces.len();
    damage(&mut pieces, script);
    if pieces.len() != count {
        return;
    }
    for (path, bytes) in paths.iter().zip(&pieces) {
        let file = disk.open(path, Open::CreateEmpty).expect("a sound disk");
        file.write_at(0, bytes).expect("a sound disk");
        file.sync().expect("a sound disk");
    }
    disk.sync_dir(Path::new(DIR)).expect("a sound disk");
    let inspected = storage::inspect(&disk, Path::new(DIR), &mut |_, _| {});
    let Ok(log) = open(&disk) else { return };
    inspected.expect("what opens can be looked at");
    read_all(&log);
    let mut batch = Batch::default();
    batch.append(GroupId(77), 1, b"goes on".to_vec());
    log.write(&mut batch, Flush::Sync).expect("a sound disk");
    log.purge().expect("a sound disk");
    drop(log);
    let log = open(&disk).expect("it was opened before");
    assert_eq!(log.span(GroupId(77)), Some((1, 1)));
});
