//! Pages that records name: on the disk before the record.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{A, B, records, replay};
use crate::wal::{Step, Wal, WalOptions};
use crate::{Durability, Error, Log, Lsn, MemoryLog, PageRef, PageStore, SimDisk};

const BODY: &[u8] = b"a body that is too large for the log";

/// A log whose attachments lie on a disk of their own.
struct Setup {
    disk: SimDisk,
    log: Arc<MemoryLog>,
    pages: Arc<PageStore>,
    wal: Wal,
}

fn pages_on(disk: &SimDisk, used: &[PageRef]) -> Arc<PageStore> {
    let pages =
        PageStore::open(Arc::new(disk.clone()), Path::new("/pages"), Durability::Fsync).unwrap();
    for &page in used {
        pages.mark_used(page);
    }
    pages.finish_recovery();
    Arc::new(pages)
}

fn set_up() -> Setup {
    let disk = SimDisk::new(1);
    let log = Arc::new(MemoryLog::new());
    let pages = pages_on(&disk, &[]);
    let options = WalOptions { pages: Some(Arc::clone(&pages)), ..WalOptions::default() };
    let wal = Wal::open(Arc::clone(&log) as Arc<dyn Log>, options).unwrap();
    Setup { disk, log, pages, wal }
}

fn attach(setup: &Setup, index: u64) -> (PageRef, Lsn) {
    let page = setup.pages.reserve(BODY);
    let attachments = [(page, Bytes::from_static(BODY))];
    (page, setup.wal.append_with(A, index, b"names it", attachments))
}

#[test]
fn a_durable_record_finds_its_pages_after_a_power_cut() {
    for seed in 0..50 {
        let setup = set_up();
        let (page, lsn) = attach(&setup, 1);
        setup.wal.append(B, 1, b"names nothing");
        assert_eq!(setup.wal.pending_bytes(), 8 + 13 + BODY.len() as u64);
        assert_eq!(setup.wal.step(), Step::Wrote);
        assert!(setup.wal.durable() >= lsn);
        assert_eq!(setup.wal.pending_bytes(), 0);
        setup.disk.power_cut(seed);
        setup.log.crash(0);
        assert_eq!(records(&replay(&setup.log, A)), [(1, "names it")]);
        let mut found = Vec::new();
        pages_on(&setup.disk, &[page]).read(page, &mut found).unwrap();
        assert_eq!(found, BODY);
    }
}

#[test]
fn a_page_that_cannot_be_synced_keeps_its_record_out_of_the_log() {
    let setup = set_up();
    setup.disk.fail_sync(1);
    attach(&setup, 1);
    assert_eq!(setup.wal.step(), Step::Wrote);
    assert!(matches!(setup.wal.failure(), Some(Error::Io(_))), "{:?}", setup.wal.failure());
    assert_eq!(setup.wal.durable(), Lsn(0));
    assert_eq!(replay(&setup.log, A), []);
}

#[test]
fn records_without_pages_do_not_touch_the_store() {
    let setup = set_up();
    setup.disk.fail_sync(1);
    setup.disk.fail_write(1);
    setup.wal.append(A, 1, b"names nothing");
    assert_eq!(setup.wal.step(), Step::Wrote);
    assert_eq!((setup.wal.durable(), setup.wal.failure()), (Lsn(1), None));
}

#[test]
fn a_page_is_free_when_the_record_that_gave_it_up_is_durable() {
    let setup = set_up();
    let (page, _) = attach(&setup, 1);
    setup.wal.step();
    let settled = setup.wal.append(A, 2, b"settled");
    setup.pages.release(page, settled);
    assert_eq!(setup.pages.free_bytes(), 0);
    setup.wal.step();
    assert_eq!((setup.pages.used_bytes(), setup.pages.free_bytes()), (0, 4096));
}

#[test]
fn a_removal_has_a_position_that_becomes_durable() {
    let setup = set_up();
    let (page, _) = attach(&setup, 1);
    setup.wal.step();
    let removed = setup.wal.remove(A);
    setup.pages.release(page, removed);
    assert_eq!(setup.wal.step(), Step::Idle, "it waits for company");
    assert_eq!(setup.pages.free_bytes(), 0);
    setup.wal.append(B, 1, b"company");
    assert_eq!(setup.wal.step(), Step::Wrote);
    assert_eq!((setup.wal.durable(), setup.pages.free_bytes()), (Lsn(3), 4096));
}

/// A queue of one body a record: `+` names a page, `-` the record whose page is not needed any more.
struct Bodies {
    setup: Setup,
    /// Index and page of the bodies that are there.
    live: Vec<(u64, PageRef)>,
    next: u64,
}

fn body(index: u64) -> Vec<u8> {
    vec![index as u8; 1 + (index as usize * 1237) % 20_000]
}

impl Bodies {
    fn put(&mut self) {
        let bytes = Bytes::from(body(self.next));
        let page = self.setup.pages.reserve(&bytes);
        let record = format!("+{},{},{}", page.block, page.len, page.check);
        self.setup.wal.append_with(A, self.next, record.as_bytes(), [(page, bytes)]);
        self.live.push((self.next, page));
        self.next += 1;
    }

    fn take(&mut self, nth: usize) {
        if self.live.is_empty() {
            return;
        }
        let (index, page) = self.live.remove(nth % self.live.len());
        let lsn = self.setup.wal.append(A, self.next, format!("-{index}").as_bytes());
        self.setup.pages.release(page, lsn);
        self.next += 1;
        let first = self.live.first().map_or(self.next, |&(index, _)| index);
        self.setup.wal.compact(A, first);
    }

    /// What the log says after a power cut, and that all of it is there.
    fn recover(disk: SimDisk, log: Arc<MemoryLog>) -> Self {
        let pages = PageStore::open(Arc::new(disk.clone()), Path::new("/pages"), Durability::Fsync);
        let pages = Arc::new(pages.unwrap());
        let options = WalOptions { pages: Some(Arc::clone(&pages)), ..WalOptions::default() };
        let wal = Wal::open(Arc::clone(&log) as Arc<dyn Log>, options).unwrap();
        let mut live = Vec::new();
        let mut next = 1;
        let lost = wal.replay(A, &mut |index, record| {
            next = index + 1;
            let record = std::str::from_utf8(record).unwrap();
            if let Some(ended) = record.strip_prefix('-') {
                live.retain(|(index, _)| *index != ended.parse::<u64>().unwrap());
            } else {
                let mut numbers = record[1..].split(',').map(|number| number.parse().unwrap());
                let mut number = || numbers.next().unwrap();
                live.push((index, PageRef { block: number(), len: number(), check: number() }));
            }
        });
        assert_eq!(lost, Ok(Vec::new()));
        live.iter().for_each(|&(_, page)| pages.mark_used(page));
        pages.finish_recovery();
        for &(index, page) in &live {
            let mut found = Vec::new();
            pages.read(page, &mut found).unwrap();
            assert!(found == body(index), "record {index}");
        }
        Self { setup: Setup { disk, log, pages, wal }, live, next }
    }
}

#[test]
fn whatever_the_log_names_after_a_power_cut_is_there() {
    for seed in 1..=200_u64 {
        let mut chance = seed;
        let mut draw = |below: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
            (chance >> 33) % below
        };
        let mut bodies = Bodies::recover(SimDisk::new(seed), Arc::new(MemoryLog::new()));
        for _ in 0..6 {
            for _ in 0..draw(40) {
                match draw(10) {
                    0..4 => bodies.put(),
                    4..7 => bodies.take(draw(100) as usize),
                    7 => bodies.setup.pages.trim(draw(10) * 4096).unwrap(),
                    _ => drop(bodies.setup.wal.step()),
                }
            }
            let Setup { disk, log, .. } = bodies.setup;
            disk.power_cut(draw(1 << 30));
            log.crash(draw(2) as usize);
            bodies = Bodies::recover(disk, log);
        }
    }
}
