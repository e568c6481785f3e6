//! A disk without room: everything waits, nothing is lost.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{A, B, records, replay};
use crate::wal::{Step, Wal, WalOptions};
use crate::{Batch, Durability, Error, Flush, GroupId, Log, Lsn, MemoryLog, PageStore, SimDisk};

/// A log on a disk that is full now and then.
#[derive(Default)]
struct FullLog {
    log: MemoryLog,
    is_full: AtomicBool,
}

impl FullLog {
    fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }
}

impl Log for FullLog {
    fn write(&self, batch: &mut Batch, flush: Flush) -> Result<(), Error> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(Error::Full("not a byte".to_owned()));
        }
        self.log.write(batch, flush)
    }

    fn fetch(
        &self,
        group: GroupId,
        range: Range<u64>,
        bytes_max: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        self.log.fetch(group, range, bytes_max, visit)
    }

    fn span(&self, group: GroupId) -> Option<(u64, u64)> {
        self.log.span(group)
    }

    fn get(&self, group: GroupId, key: &[u8]) -> Option<Vec<u8>> {
        self.log.get(group, key)
    }

    fn groups(&self) -> Vec<GroupId> {
        self.log.groups()
    }

    fn purge(&self) -> Result<Vec<GroupId>, Error> {
        self.log.purge()
    }

    fn pack(&self, left_max: u64, moved_max: u64) -> Result<Vec<GroupId>, Error> {
        self.log.pack(left_max, moved_max)
    }
}

/// What the listener heard.
type Heard = Arc<Mutex<Vec<bool>>>;

fn listening(pages: Option<Arc<PageStore>>) -> (WalOptions, Heard) {
    let heard = Heard::default();
    let on_full = {
        let heard = Arc::clone(&heard);
        move |is_full| heard.lock().push(is_full)
    };
    (WalOptions { pages, on_full: Some(Box::new(on_full)), ..WalOptions::default() }, heard)
}

#[test]
fn a_full_log_takes_everything_once_there_is_room() {
    let log = Arc::new(FullLog::default());
    let (options, heard) = listening(None);
    let wal = Wal::open(Arc::clone(&log) as Arc<dyn Log>, options).unwrap();
    wal.append(A, 1, b"before");
    assert_eq!(wal.step(), Step::Wrote);
    log.set_full(true);
    // More than one segment.
    for index in 2..=100 {
        wal.append(A, index, &[b'x'; 10_000]);
    }
    assert_eq!((wal.step(), wal.step()), (Step::Full, Step::Full));
    wal.append(B, 1, b"meanwhile");
    assert_eq!(wal.step(), Step::Full);
    assert_eq!((wal.durable(), wal.failure()), (Lsn(1), None));
    assert_eq!(wal.pending_bytes(), 99 * 10_000 + 9);
    assert_eq!(*heard.lock(), [true]);
    log.set_full(false);
    assert_eq!((wal.step(), wal.durable()), (Step::Wrote, Lsn(100)));
    assert_eq!((wal.step(), wal.durable()), (Step::Wrote, Lsn(101)));
    assert_eq!((wal.step(), wal.pending_bytes()), (Step::Idle, 0));
    assert_eq!(*heard.lock(), [true, false]);
    log.log.crash(0);
    assert_eq!(replay(&log, A).len(), 100);
    assert_eq!(records(&replay(&log, B)), [(1, "meanwhile")]);
}

#[test]
fn pages_without_room_hold_their_records_back() {
    let disk = SimDisk::new(1);
    let pages =
        PageStore::open(Arc::new(disk.clone()), Path::new("/pages"), Durability::Fsync).unwrap();
    pages.finish_recovery();
    let pages = Arc::new(pages);
    let log = Arc::new(MemoryLog::new());
    let (options, heard) = listening(Some(Arc::clone(&pages)));
    let wal = Wal::open(Arc::clone(&log) as Arc<dyn Log>, options).unwrap();

    let body = Bytes::from(vec![7; 3 << 20]);
    let page = pages.reserve(&body);
    disk.set_capacity(1 << 20);
    wal.append_with(A, 1, b"large", [(page, body.clone())]);
    assert_eq!((wal.step(), wal.durable()), (Step::Full, Lsn(0)));
    assert_eq!(wal.pending_bytes(), (3 << 20) + 5);
    disk.set_capacity(4 << 20);
    assert_eq!((wal.step(), wal.durable()), (Step::Wrote, Lsn(1)));
    assert_eq!(*heard.lock(), [true, false]);
    let mut found = Vec::new();
    pages.read(page, &mut found).unwrap();
    assert!(found == body);
}

#[test]
fn free_pages_give_their_room_to_the_log() {
    let disk = SimDisk::new(1);
    let pages =
        PageStore::open(Arc::new(disk.clone()), Path::new("/pages"), Durability::Fsync).unwrap();
    pages.finish_recovery();
    let pages = Arc::new(pages);
    let bytes = vec![7; 1 << 20];
    let page = pages.reserve(&bytes);
    pages.write(&[(page, &bytes)]).unwrap();
    pages.release(page, Lsn(0));
    assert_eq!(disk.used_bytes(), 1 << 20);

    let log = Arc::new(FullLog::default());
    let (options, _) = listening(Some(pages));
    let wal = Wal::open(Arc::clone(&log) as Arc<dyn Log>, options).unwrap();
    log.set_full(true);
    wal.append(A, 1, b"one");
    assert_eq!((wal.step(), disk.used_bytes()), (Step::Full, 0));
}

#[test]
fn closing_does_not_wait_for_room() {
    let log = Arc::new(FullLog::default());
    let wal = Arc::new(Wal::open(Arc::clone(&log) as Arc<dyn Log>, Durability::Fsync).unwrap());
    log.set_full(true);
    wal.append(A, 1, b"never confirmed");
    assert_eq!(wal.step(), Step::Full);
    let writer = thread::spawn({
        let wal = Arc::clone(&wal);
        move || wal.run()
    });
    wal.close();
    assert_eq!(writer.join().unwrap(), Err(Error::Full("not a byte".to_owned())));
    assert_eq!(wal.durable(), Lsn(0));
}

#[test]
fn a_step_does_what_there_is_to_do() {
    let log = Arc::new(MemoryLog::new());
    let wal = Wal::open(Arc::clone(&log) as Arc<dyn Log>, Durability::Fsync).unwrap();
    assert_eq!(wal.step(), Step::Idle);
    wal.append(A, 1, b"one");
    assert_eq!((wal.step(), wal.step()), (Step::Wrote, Step::Idle));
    wal.append(A, 2, b"two");
    wal.close();
    assert_eq!((wal.step(), wal.step()), (Step::Wrote, Step::Closed));
    assert_eq!(records(&replay(&log, A)), [(1, "one"), (2, "two")]);
}
