use std::cell::Cell;
use std::io::Read;

use config::{LogPeriod, LogSchedule};
use flate2::read::GzDecoder;
use jiff::civil::date;

use super::*;

thread_local! {
    static NOW: Cell<DateTime> = const { Cell::new(DateTime::constant(2026, 11, 21, 12, 0, 0, 0)) };
}

fn open(dir: &Path, rotation: LogRotation) -> RotatingFile {
    RotatingFile::open(dir.join("a.log"), rotation, || NOW.get()).expect("it opens")
}

/// The files of a directory and what is in them.
fn files(dir: &Path) -> String {
    let mut names: Vec<_> = fs::read_dir(dir).expect("a directory").flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    let show = |entry: &fs::DirEntry| {
        let mut text = String::new();
        let file = File::open(entry.path()).expect("readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        let read = match name.ends_with(".gz") {
            true => GzDecoder::new(file).read_to_string(&mut text),
            false => { file }.read_to_string(&mut text),
        };
        read.expect("text");
        format!("{name}: {}", text.replace('\n', " ").trim_end())
    };
    names.iter().map(show).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_file_that_is_too_large_is_put_aside_and_the_oldest_is_forgotten() {
    let dir = tempfile::tempdir().expect("a directory");
    let rotation = LogRotation { size: Some(5), count: 2, ..LogRotation::default() };
    let mut log = open(dir.path(), rotation);
    log.write_all(b"1\n2\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: 1 2");
    // The line that is too much goes where the others are.
    log.write_all(b"3\n4\n5\n6\n7\n8\n9\n10\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: 10\na.log.0: 7 8 9\na.log.1: 4 5 6");
}

#[test]
fn without_a_count_nothing_is_kept_and_a_smaller_one_deletes_the_rest() {
    let dir = tempfile::tempdir().expect("a directory");
    let rotation = |count| LogRotation { size: Some(1), count, ..LogRotation::default() };
    let mut log = open(dir.path(), rotation(3));
    log.write_all(b"1\n2\n3\n4\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: \na.log.0: 4\na.log.1: 3\na.log.2: 2");
    drop(open(dir.path(), rotation(1)));
    assert_eq!(files(dir.path()), "a.log: \na.log.0: 4");
    let mut log = open(dir.path(), rotation(0));
    log.write_all(b"5\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: ");
}

#[test]
fn archives_are_compressed() {
    let dir = tempfile::tempdir().expect("a directory");
    let rotation =
        LogRotation { size: Some(1), count: 2, is_compressed: true, ..LogRotation::default() };
    let mut log = open(dir.path(), rotation);
    log.write_all(b"1\n2\n3\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: \na.log.0.gz: 3\na.log.1.gz: 2");
}

#[test]
fn a_file_rotates_when_its_time_has_come() {
    let dir = tempfile::tempdir().expect("a directory");
    let daily = LogSchedule { every: LogPeriod::Day, hour: 4, minute: 0 };
    let rotation = LogRotation { schedule: Some(daily), count: 1, ..LogRotation::default() };
    let mut log = open(dir.path(), rotation);
    log.write_all(b"noon\n").expect("written");
    NOW.set(date(2026, 11, 22).at(3, 59, 59, 0));
    log.write_all(b"night\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: noon night");
    NOW.set(date(2026, 11, 22).at(4, 0, 0, 0));
    log.write_all(b"morning\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: \na.log.0: noon night morning");
    log.write_all(b"later\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: later\na.log.0: noon night morning");
}

#[test]
fn a_file_that_somebody_moved_is_made_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut log = open(dir.path(), LogRotation::default());
    log.write_all(b"1\n").expect("written");
    fs::rename(dir.path().join("a.log"), dir.path().join("b.log")).expect("moved");
    log.write_all(b"2\n").expect("written");
    assert_eq!(files(dir.path()), "a.log: 2\nb.log: 1");
}
