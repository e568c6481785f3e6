//! Which reads of a file entries cost, one after the other.

use std::io;
use std::ops::Range;

use parking_lot::Mutex;

use super::*;

const FILE: u32 = 7;

/// A file of ascending bytes that notes what is read.
struct Noted {
    bytes: Vec<u8>,
    /// Reads that touch these bytes fail.
    broken: Range<u64>,
    reads: Mutex<Vec<(u64, u64)>>,
}

impl Noted {
    fn new(len: usize) -> Self {
        let bytes = (0..len).map(|at| (at % 251) as u8).collect();
        Self { bytes, broken: 0..0, reads: Mutex::default() }
    }

    /// Where the reads since the last call began and ended.
    fn reads(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut *self.reads.lock())
    }

    /// Asks for entries in turn, says which of them came, and fails if one came with other bytes.
    fn ask(&self, ahead: &mut Ahead, entries: &[(u64, u32)]) -> Vec<bool> {
        let ask = |&(offset, len): &(u64, u32)| {
            let place = Place::new(FILE, offset, len, 0);
            let found = ahead.get(self, self.bytes.len() as u64, place);
            let expected = self.bytes.get(offset as usize..place.end() as usize);
            assert!(found.is_none() || found == expected, "at {offset}");
            found.is_some()
        };
        entries.iter().map(ask).collect()
    }
}

impl DiskFile for Noted {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let range = offset..offset + bytes.len() as u64;
        self.reads.lock().push((range.start, range.end));
        if range.start < self.broken.end && self.broken.start < range.end {
            return Err(io::Error::other("a bad sector"));
        }
        let found = self.bytes.get(range.start as usize..range.end as usize);
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(bytes.len())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        unreachable!("it is only read")
    }

    fn sync(&self) -> io::Result<()> {
        unreachable!("it is only read")
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        unreachable!("it is only read")
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        unreachable!("it is only read")
    }

    fn punch_hole(&self, _: u64, _: u64) -> io::Result<()> {
        unreachable!("it is only read")
    }

    fn will_need(&self, _: u64, _: u64) {}
}

const WINDOW: u64 = AHEAD_BYTES as u64;

#[test]
fn neighbours_come_from_one_read() {
    let file = Noted::new(4 * AHEAD_BYTES);
    let mut ahead = Ahead::default();
    let entries: Vec<(u64, u32)> = (0..100).map(|number| (1000 + 120 * number, 100)).collect();
    let came = file.ask(&mut ahead, &entries);
    assert_eq!(came.iter().filter(|came| !**came).count(), 1, "the first one alone");
    assert_eq!(file.reads(), [(1120, 1120 + WINDOW)]);
}

#[test]
fn entries_far_apart_are_read_on_their_own() {
    let file = Noted::new(16 * AHEAD_BYTES);
    let mut ahead = Ahead::default();
    let entries: Vec<(u64, u32)> =
        (0..50).map(|number| ((200 + GAP_BYTES_MAX) * number, 100)).collect();
    assert!(file.ask(&mut ahead, &entries).iter().all(|came| !came));
    let backwards: Vec<(u64, u32)> = (0..50).rev().map(|number| (100 * number, 100)).collect();
    assert!(file.ask(&mut ahead, &backwards).iter().all(|came| !came));
    assert_eq!(file.reads(), []);
}

#[test]
fn a_neighbour_in_another_file_is_none() {
    let file = Noted::new(AHEAD_BYTES);
    let mut ahead = Ahead::default();
    file.ask(&mut ahead, &[(0, 10), (10, 10)]);
    assert_eq!(file.reads(), [(10, WINDOW)]);
    for offset in [20, 30] {
        let elsewhere = Place::new(FILE + 1, offset, 10, 0);
        let found = ahead.get(&file, WINDOW, elsewhere).map(<[u8]>::to_vec);
        assert_eq!(found, (offset == 30).then(|| file.bytes[30..40].to_vec()));
    }
    assert_eq!(file.reads(), [(30, WINDOW)]);
}

#[test]
fn what_reaches_over_the_end_of_a_read_begins_another() {
    let file = Noted::new(4 * AHEAD_BYTES);
    let mut ahead = Ahead::default();
    let last = 10 + WINDOW - 50;
    let came = file.ask(&mut ahead, &[(0, 10), (10, 10), (last - 100, 100), (last, 100)]);
    assert_eq!(came, [false, true, true, true]);
    assert_eq!(file.reads(), [(10, 10 + WINDOW), (last, last + WINDOW)]);
}

#[test]
fn nothing_is_read_behind_what_is_written() {
    let file = Noted::new(300);
    let mut ahead = Ahead::default();
    assert_eq!(file.ask(&mut ahead, &[(0, 100), (100, 100), (200, 100)]), [false, true, true]);
    assert_eq!(file.reads(), [(100, 300)]);
    // An index that a damaged file does not bear out.
    assert_eq!(file.ask(&mut ahead, &[(280, 100), (380, 100)]), [false, false]);
}

#[test]
fn a_long_entry_is_read_on_its_own() {
    let file = Noted::new(4 * AHEAD_BYTES);
    let mut ahead = Ahead::default();
    let long = ENTRY_BYTES_MAX as u32 + 1;
    let came = file.ask(&mut ahead, &[(0, 10), (10, long), (10 + u64::from(long), 10)]);
    assert_eq!(came, [false, false, true]);
    assert_eq!(file.reads().len(), 1);
}

#[test]
fn what_cannot_be_read_costs_only_itself() {
    let mut file = Noted::new(4 * AHEAD_BYTES);
    file.broken = 1000..1001;
    let mut ahead = Ahead::default();
    assert_eq!(file.ask(&mut ahead, &[(0, 10), (10, 10), (20, 10)]), [false; 3]);
    assert_eq!(file.reads(), [(10, 10 + WINDOW)]);
    assert_eq!(file.ask(&mut ahead, &[(1001, 10), (1011, 10)]), [true, true]);
    assert_eq!(file.reads(), [(1001, 1001 + WINDOW)]);
}
