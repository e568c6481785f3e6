//! A full disk that is drained: the log and the pages share it, and what frees room goes on.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{A, B};
use crate::wal::{Step, Wal, WalOptions};
use crate::{Durability, EngineLog, EngineOptions, Lsn, PageRef, PageStore, SimDisk, Waiter};

const SIZES: EngineOptions = EngineOptions { file_bytes: 256 << 10, purge_bytes: 1 << 20 };
const DISK_BYTES: u64 = 4 << 20;

struct Running {
    disk: SimDisk,
    pages: Arc<PageStore>,
    wal: Wal,
    /// What the listener heard.
    heard: Arc<Mutex<Vec<bool>>>,
    next: u64,
}

impl Running {
    fn start(disk: &SimDisk) -> Self {
        let log = EngineLog::open(Arc::new(disk.clone()), Path::new("/data/log"), SIZES).unwrap();
        let shared: Arc<dyn crate::Disk> = Arc::new(disk.clone());
        let pages = PageStore::open(shared, Path::new("/data/pages"), Durability::Fsync).unwrap();
        let pages = Arc::new(pages);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let on_full = {
            let heard = Arc::clone(&heard);
            move |is_full| heard.lock().push(is_full)
        };
        let options = WalOptions {
            pages: Some(Arc::clone(&pages)),
            reserve: Some(Arc::clone(log.reserve())),
            on_full: Some(Box::new(on_full)),
            ..WalOptions::default()
        };
        let wal = Wal::open(Arc::new(log), options).unwrap();
        let next = 1;
        Self { disk: disk.clone(), pages, wal, heard, next }
    }

    fn fresh() -> Self {
        let disk = SimDisk::new(1);
        disk.set_capacity(DISK_BYTES);
        let running = Self::start(&disk);
        running.pages.finish_recovery();
        running
    }

    /// Appends a record with a body of its own.
    fn publish(&mut self, len: usize) -> (PageRef, Lsn) {
        let body = Bytes::from(vec![self.next as u8; len]);
        let page = self.pages.reserve(&body);
        let lsn = self.wal.append_with(A, self.next, b"published", [(page, body)]);
        self.next += 1;
        (page, lsn)
    }

    /// Publishes until the listener hears that the disk is full.
    fn fill(&mut self, len: usize) -> Vec<PageRef> {
        let mut pages = Vec::new();
        while self.heard.lock().is_empty() {
            let (page, lsn) = self.publish(len);
            assert_eq!((self.wal.step(), self.wal.durable()), (Step::Wrote, lsn));
            pages.push(page);
        }
        pages
    }

    /// Appends that the page is not needed any more.
    fn settle(&mut self, page: PageRef) -> Lsn {
        let lsn = self.wal.append(A, self.next, b"settled");
        self.next += 1;
        self.pages.release(page, lsn);
        lsn
    }
}

#[test]
fn what_is_settled_on_a_full_disk_makes_room_for_what_comes() {
    let mut node = Running::fresh();
    let pages = node.fill(100_000);
    assert_eq!(*node.heard.lock(), [true], "while what it tells of is written");
    node.wal.purge().unwrap();
    assert!(node.wal.is_full(), "all of it is needed");

    for page in pages {
        let lsn = node.settle(page);
        assert_eq!((node.wal.step(), node.wal.durable()), (Step::Wrote, lsn));
    }
    node.wal.purge().unwrap();
    assert_eq!((node.wal.is_full(), &node.heard.lock()[..]), (false, &[true, false][..]));
    node.heard.lock().clear();
    assert!(node.fill(100_000).len() > 10, "as much room as before");
}

#[test]
fn small_records_give_their_room_back_although_the_log_is_short() {
    let mut node = Running::fresh();
    let mut last = Lsn(0);
    while node.heard.lock().is_empty() {
        last = node.wal.append(B, node.next, &[7; 9000]);
        node.next += 1;
        assert_eq!((node.wal.step(), node.wal.durable()), (Step::Wrote, last));
    }
    node.wal.compact(B, node.next);
    let lsn = node.wal.append(B, node.next, b"all consumed");
    assert_eq!((node.wal.step(), node.wal.durable()), (Step::Wrote, lsn));
    for _ in 0..2 {
        node.wal.purge().unwrap();
    }
    assert_eq!(*node.heard.lock(), [true, false]);
    assert!(last < lsn && node.disk.used_bytes() < DISK_BYTES / 2, "{}", node.disk.used_bytes());
}

#[test]
fn more_than_the_reserve_waits_until_somebody_makes_room() {
    let mut node = Running::fresh();
    let pages = node.fill(100_000);
    let (_, confirmed) = (node.publish(1 << 20), node.wal.durable());
    assert_eq!((node.wal.step(), node.wal.durable()), (Step::Full, confirmed));
    node.wal.purge().unwrap();
    assert_eq!((node.wal.step(), node.wal.is_full()), (Step::Full, true));
    assert_eq!(pages.iter().filter(|&&page| node.pages.verify(page).is_err()).count(), 0);
    node.disk.set_capacity(2 * DISK_BYTES);
    assert_eq!((node.wal.step(), node.wal.durable()), (Step::Wrote, node.wal.last()));
    node.wal.purge().unwrap();
    assert_eq!(*node.heard.lock(), [true, false]);
}

#[test]
fn a_start_on_a_full_disk_says_so() {
    let mut node = Running::fresh();
    let pages = node.fill(100_000);
    let Running { disk, wal, pages: store, .. } = node;
    disk.kill();
    drop((wal, store));
    let node = Running::start(&disk);
    pages.iter().for_each(|&page| node.pages.mark_used(page));
    node.pages.finish_recovery();
    assert_eq!(*node.heard.lock(), [true]);
    assert_eq!(pages.iter().filter(|&&page| node.pages.verify(page).is_err()).count(), 0);
}

/// Remembers how far the log was when it was told.
#[derive(Default)]
struct Told(Mutex<Vec<Lsn>>);

impl Waiter for Told {
    fn handle_durable(&self, durable: Lsn) {
        self.0.lock().push(durable);
    }

    fn handle_failure(&self, error: &crate::Error) {
        panic!("{error}");
    }
}

#[test]
fn what_is_durable_is_told_while_the_rest_waits_for_room() {
    let mut node = Running::fresh();
    node.fill(100_000);
    let durable = node.wal.durable();
    node.publish(1 << 20);
    assert_eq!(node.wal.step(), Step::Full);
    let told = Arc::new(Told::default());
    node.wal.notify_when(durable, Arc::clone(&told) as Arc<dyn Waiter>);
    assert_eq!((node.wal.step(), &told.0.lock()[..]), (Step::Full, &[durable][..]));
}

#[test]
fn bodies_that_are_written_are_not_written_again_with_each_attempt() {
    let node = Running::fresh();
    node.disk.set_capacity(64 << 20);
    let bodies: Vec<_> = (0..40).map(|_| Bytes::from(vec![7; 1 << 20])).collect();
    let pages: Vec<_> = bodies.iter().map(|body| node.pages.reserve(body)).collect();
    node.disk.set_capacity(node.disk.used_bytes() + (20 << 20));
    node.wal.append_with(B, 1, b"many", pages.iter().copied().zip(bodies));
    assert_eq!(node.wal.step(), Step::Full);
    let written = node.disk.written_bytes();
    assert_eq!(node.wal.step(), Step::Full);
    let again = node.disk.written_bytes() - written;
    assert!(again <= 4 << 20, "{again} bytes written again");
}
