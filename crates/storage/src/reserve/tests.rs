//! Taken, given up, taken again.

use super::*;
use crate::SimDisk;

const PATH: &str = "/data/reserve";

fn open(disk: &SimDisk, bytes: u64) -> Reserve {
    Reserve::open(Arc::new(disk.clone()), Path::new(PATH), bytes).unwrap()
}

fn full() -> Result<(), Error> {
    Err(Error::Full("not a byte".to_owned()))
}

#[test]
fn room_is_set_aside_until_a_write_finds_none() {
    let disk = SimDisk::new(1);
    let reserve = open(&disk, 64 << 10);
    assert_eq!((reserve.is_there(), disk.used_bytes()), (true, 64 << 10));
    assert_eq!(reserve.or_give_up(|| Ok(())), Ok(()));
    assert!(reserve.is_there(), "nobody needed it");

    let mut outcomes = [full(), Ok(())].into_iter();
    assert_eq!(reserve.or_give_up(|| outcomes.next().unwrap()), Ok(()));
    assert_eq!((reserve.is_there(), disk.used_bytes()), (false, 0));
    let mut tries = 0;
    let outcome = reserve.or_give_up(|| {
        tries += 1;
        full()
    });
    assert_eq!((outcome, tries), (full(), 1), "there is nothing more to give up");
}

#[test]
fn it_is_taken_again_when_there_is_as_much_room() {
    let disk = SimDisk::new(1);
    let reserve = open(&disk, 64 << 10);
    assert!(reserve.give_up());
    disk.set_capacity(60 << 10);
    assert!(!reserve.take());
    assert_eq!((reserve.is_there(), disk.used_bytes()), (false, 0), "a part of it is none");
    disk.set_capacity(64 << 10);
    assert!(reserve.take());
    assert_eq!((reserve.is_there(), disk.used_bytes()), (true, 64 << 10));
}

#[test]
fn a_small_disk_gives_an_eighth() {
    let disk = SimDisk::new(1);
    disk.set_capacity(256 << 10);
    assert_eq!(open(&disk, 64 << 10).bytes(), 32 << 10);
}
