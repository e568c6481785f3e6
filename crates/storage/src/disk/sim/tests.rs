//! What the disk in memory keeps, loses and refuses.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::SimDisk;
use crate::{Disk, DiskFile, Open};

const DIR: &str = "/data";
const FILE: &str = "/data/f";

fn create(disk: &SimDisk) -> Arc<dyn DiskFile> {
    let file = disk.open(Path::new(FILE), Open::Create).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file
}

/// What cuts by different seeds leave of a file after `write`.
fn images(write: impl Fn(&SimDisk)) -> BTreeSet<Vec<u8>> {
    (0..200)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            write(&disk);
            disk.power_cut(seed);
            disk.read(Path::new(FILE))
        })
        .collect()
}

#[test]
fn what_was_synced_survives_every_cut() {
    let left = images(|disk| {
        let file = create(disk);
        file.write_at(0, &[1; 5000]).unwrap();
        file.sync().unwrap();
    });
    assert_eq!(left, [vec![1; 5000]].into());
}

#[test]
fn unsynced_writes_are_kept_lost_torn_and_reordered() {
    let left = images(|disk| {
        let file = create(disk);
        file.write_at(0, &[0; 1536]).unwrap();
        file.sync().unwrap();
        file.write_at(0, &[1; 1024]).unwrap();
        file.write_at(1024, &[2; 512]).unwrap();
    });
    let sectors = |image: &Vec<u8>| [image[0], image[512], image[1024]];
    let left: BTreeSet<_> = left.iter().map(sectors).collect();
    let all = [0, 1].into_iter().flat_map(|a| [0, 1].map(|b| (a, b)));
    let all: BTreeSet<_> = all.flat_map(|(a, b)| [0, 2].map(|c| [a, b, c])).collect();
    assert_eq!(left, all);
}

#[test]
fn a_name_needs_its_directory_synced() {
    let left = images(|disk| {
        let file = disk.open(Path::new(FILE), Open::Create).unwrap();
        file.write_at(0, b"x").unwrap();
        file.sync().unwrap();
    });
    assert_eq!(left, [b"".to_vec(), b"x".to_vec()].into());
}

#[test]
fn a_renamed_file_is_found_by_one_of_its_names() {
    let other = Path::new("/data/g");
    let mut found = BTreeSet::new();
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        create(&disk).write_at(0, b"x").unwrap();
        disk.rename(Path::new(FILE), other).unwrap();
        disk.power_cut(seed);
        let names: Vec<_> = disk.files().into_iter().map(|(path, _)| path).collect();
        assert_eq!(names.len(), 1, "seed {seed}");
        found.extend(names);
    }
    assert_eq!(found, [FILE.into(), other.into()].into());
}

#[test]
fn a_kill_keeps_what_was_written_and_ends_the_handles() {
    let disk = SimDisk::new(1);
    let file = create(&disk);
    file.write_at(3, b"abc").unwrap();
    disk.kill();
    assert_eq!(disk.read(Path::new(FILE)), b"\0\0\0abc");
    file.write_at(0, b"x").unwrap_err();
    file.sync().unwrap_err();
}

#[test]
fn a_full_disk_takes_what_fits_and_more_once_there_is_room() {
    let disk = SimDisk::new(1);
    let file = create(&disk);
    disk.set_capacity(8192);
    let full = file.write_at(0, &[7; 10_000]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert_eq!(disk.read(Path::new(FILE)), [7; 8192]);
    file.write_at(0, &[8; 8192]).unwrap();
    disk.set_capacity(3 * 4096);
    assert_eq!(disk.total_bytes(Path::new(DIR)).unwrap(), 3 * 4096);
    file.write_at(8192, &[9; 10]).unwrap();
    disk.remove(Path::new(FILE)).unwrap();
    assert_eq!(disk.used_bytes(), 0);
}

#[test]
fn room_that_was_allocated_is_there_when_the_disk_is_full() {
    let disk = SimDisk::new(1);
    let file = create(&disk);
    file.allocate(8192).unwrap();
    disk.set_capacity(8192);
    assert_eq!(file.allocate(8193).unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_at(0, &[1; 8192]).unwrap();
    file.punch_hole(0, 4096).unwrap();
    assert_eq!(disk.used_bytes(), 4096);
    assert_eq!(disk.read(Path::new(FILE))[4095..4097], [0, 1]);
}

#[test]
fn no_sync_helps_after_one_that_failed() {
    let left = images(|disk| {
        let file = create(disk);
        file.write_at(0, b"x").unwrap();
        disk.fail_sync(1);
        file.sync().unwrap_err();
        file.sync().unwrap();
        assert_eq!(disk.read(Path::new(FILE)), b"x", "as long as the power is on");
    });
    assert_eq!(left, [b"".to_vec(), b"x".to_vec()].into());
}

#[test]
fn the_nth_write_fails() {
    let disk = SimDisk::new(1);
    let file = create(&disk);
    disk.fail_write(2);
    file.write_at(0, b"a").unwrap();
    file.write_at(1, b"b").unwrap_err();
    file.write_at(1, b"b").unwrap();
    disk.fail_read(1);
    file.read_at(0, &mut [0]).unwrap_err();
    file.read_at(0, &mut [0]).unwrap();
}

#[test]
fn rot_stays() {
    let disk = SimDisk::new(1);
    let file = create(&disk);
    file.write_at(0, &[0b11]).unwrap();
    file.sync().unwrap();
    disk.rot(Path::new(FILE), 0, 0b01);
    disk.rot(Path::new(FILE), 900, 0xFF);
    disk.power_cut(9);
    assert_eq!(disk.read(Path::new(FILE)), [0b10]);
}

#[test]
fn a_directory_has_one_owner_at_a_time() {
    let disk = SimDisk::new(1);
    let held = disk.lock_dir(Path::new(DIR)).unwrap();
    assert!(disk.lock_dir(Path::new(DIR)).is_err());
    drop(held);
    let held = disk.lock_dir(Path::new(DIR)).unwrap();
    disk.kill();
    let next = disk.lock_dir(Path::new(DIR)).unwrap();
    drop(held);
    assert!(disk.lock_dir(Path::new(DIR)).is_err(), "the dead owner gives nothing back");
    drop(next);
}
