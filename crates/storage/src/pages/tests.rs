//! The page store: room, owners, recovery, damage, power cuts.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::files::FILE_BYTES;
use super::{BLOCK_BYTES, FREE_KEPT_MAX, PageRef, PageStore};
use crate::{Disk, Durability, Error, Lsn, RealDisk, SimDisk};

const BLOCK: usize = BLOCK_BYTES as usize;

/// A store before recovery.
fn found(dir: &Path) -> PageStore {
    PageStore::open(Arc::new(RealDisk), dir, Durability::Fsync).unwrap()
}

/// A store in which the `used` pages are in use.
fn recovered(dir: &Path, used: &[PageRef]) -> PageStore {
    finish_recovery(found(dir), used)
}

/// The same on a disk of its own.
fn simulated(disk: &SimDisk, used: &[PageRef]) -> PageStore {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let store = PageStore::open(disk, Path::new("/pages"), Durability::Fsync).unwrap();
    finish_recovery(store, used)
}

fn finish_recovery(store: PageStore, used: &[PageRef]) -> PageStore {
    for &page in used {
        store.mark_used(page);
    }
    store.finish_recovery();
    store
}

fn put(store: &PageStore, bytes: &[u8]) -> PageRef {
    let page = store.reserve(bytes);
    store.write(&[(page, bytes)]).unwrap();
    page
}

fn get(store: &PageStore, page: PageRef) -> Vec<u8> {
    let mut out = b"before".to_vec();
    store.read(page, &mut out).unwrap();
    out.split_off(6)
}

#[test]
fn pages_of_any_size_are_read_back() {
    let dir = TempDir::new().unwrap();
    let store = recovered(dir.path(), &[]);
    let sizes = [0, 1, 4095, 4096, 4097, 65_536, 70_000, 262_143, 262_144, 3_000_001];
    let all: Vec<Vec<u8>> = sizes.iter().zip(1..).map(|(&len, fill)| vec![fill; len]).collect();
    let pages: Vec<_> = all.iter().map(|bytes| (store.reserve(bytes), bytes)).collect();
    store.write(&pages).unwrap();
    store.sync().unwrap();
    for (page, bytes) in pages {
        assert!(get(&store, page) == *bytes, "{page:?}");
    }
}

#[test]
fn a_page_may_lie_in_two_files() {
    let dir = TempDir::new().unwrap();
    let sparse = fs::File::create(dir.path().join("00000000.pages")).unwrap();
    sparse.set_len(FILE_BYTES - BLOCK_BYTES).unwrap();
    let store = found(dir.path());
    let bytes: Vec<u8> = (0..5 * BLOCK).map(|at| (at / 7) as u8).collect();
    let page = put(&store, &bytes);
    store.sync().unwrap();
    assert_eq!(u64::from(page.block) * BLOCK_BYTES, FILE_BYTES - BLOCK_BYTES);
    assert!(get(&store, page) == bytes);
    let store = recovered(dir.path(), &[page]);
    assert!(get(&store, page) == bytes);
    store.release(page, Lsn(0));
    store.trim(0).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn room_is_used_again_once_the_release_is_durable() {
    let dir = TempDir::new().unwrap();
    let store = recovered(dir.path(), &[]);
    let first = put(&store, &[1; BLOCK]);
    store.release(first, Lsn(7));
    assert_ne!(put(&store, &[2; BLOCK]).block, first.block);
    store.handle_durable(Lsn(6));
    assert_ne!(put(&store, &[3; BLOCK]).block, first.block);
    assert_eq!(get(&store, first), [1; BLOCK]);
    store.handle_durable(Lsn(7));
    assert_eq!(put(&store, &[4; BLOCK]).block, first.block);
}

#[test]
fn a_release_for_a_durable_position_is_carried_out_at_once() {
    let dir = TempDir::new().unwrap();
    let store = recovered(dir.path(), &[]);
    let page = put(&store, &[1; BLOCK]);
    store.handle_durable(Lsn(7));
    store.release(page, Lsn(7));
    assert_eq!((store.used_bytes(), store.free_bytes()), (0, BLOCK_BYTES));
}

#[test]
fn a_shared_page_is_free_when_its_last_owner_is_gone() {
    let dir = TempDir::new().unwrap();
    let store = recovered(dir.path(), &[]);
    let page = put(&store, b"for three queues");
    store.retain(page);
    store.retain(page);
    store.release(page, Lsn(0));
    store.release(page, Lsn(0));
    assert_eq!(store.used_bytes(), BLOCK_BYTES);
    store.release(page, Lsn(0));
    assert_eq!(store.used_bytes(), 0);
}

#[test]
fn what_nobody_names_after_a_restart_is_free() {
    let dir = TempDir::new().unwrap();
    let store = recovered(dir.path(), &[]);
    let pages: Vec<_> = (0..10).map(|fill| put(&store, &[fill; 3 * BLOCK])).collect();
    drop(store);
    // The sixth has two owners.
    let store = recovered(dir.path(), &[pages[2], pages[5], pages[5]]);
    assert_eq!((store.used_bytes(), store.free_bytes()), (6 * BLOCK_BYTES, 24 * BLOCK_BYTES));
    for fill in 100..108 {
        put(&store, &[fill; 3 * BLOCK]);
    }
    assert_eq!(store.free_bytes(), 0, "the room of the others is used first");
    assert_eq!(get(&store, pages[2]), [2; 3 * BLOCK]);
    store.release(pages[5], Lsn(0));
    assert_eq!(get(&store, pages[5]), [5; 3 * BLOCK]);
    store.release(pages[5], Lsn(0));
    assert_eq!(store.free_bytes(), 3 * BLOCK_BYTES);
}

#[test]
fn pages_made_during_recovery_do_not_touch_what_was_found() {
    let dir = TempDir::new().unwrap();
    let old = put(&recovered(dir.path(), &[]), b"old");
    let store = found(dir.path());
    let new = put(&store, b"new");
    store.release(old, Lsn(0));
    let newer = put(&store, b"newer");
    store.mark_used(old);
    assert_eq!(get(&store, old), b"old");
    store.finish_recovery();
    assert_eq!(store.free_bytes(), BLOCK_BYTES, "released in the meantime");
    assert_eq!((get(&store, new), get(&store, newer)), (b"new".to_vec(), b"newer".to_vec()));
}

#[test]
fn what_a_start_finds_dead_may_be_released_or_left_out() {
    let dir = TempDir::new().unwrap();
    let store = recovered(dir.path(), &[]);
    let (dead, live) = (put(&store, b"dead"), put(&store, b"live"));
    let store = found(dir.path());
    store.mark_used(live);
    store.release(dead, Lsn(0));
    store.finish_recovery();
    assert_eq!((store.used_bytes(), store.free_bytes()), (BLOCK_BYTES, BLOCK_BYTES));
    assert_eq!(get(&store, live), b"live");
}

#[test]
fn what_a_start_finds_dead_behind_the_end_frees_nothing() {
    let dir = TempDir::new().unwrap();
    let store = found(dir.path());
    // A power cut may leave records that name pages, and not the pages.
    let inside = PageRef { block: 2, len: 100, check: 1 };
    let behind = PageRef { block: 2000, len: 100, check: 2 };
    let new = put(&store, &[7; 4 * BLOCK]);
    store.release(inside, Lsn(0));
    store.release(behind, Lsn(0));
    store.finish_recovery();
    assert_eq!((store.used_bytes(), store.free_bytes()), (4 * BLOCK_BYTES, 0));
    store.release(new, Lsn(0));
    assert_eq!((store.used_bytes(), store.free_bytes()), (0, 4 * BLOCK_BYTES));
}

#[test]
fn names_that_contradict_each_other_free_nothing() {
    let dir = TempDir::new().unwrap();
    let bytes = vec![9; 3 * BLOCK];
    let page = put(&recovered(dir.path(), &[]), &bytes);
    // A damaged log may bring names back that ended long ago.
    let stale = PageRef { len: 100, check: 1, ..page };
    let inside = PageRef { block: page.block + 1, len: 5000, check: 2 };
    let beyond = PageRef { block: 5_000_000, len: 1, check: 3 };
    let nonsense = PageRef { block: u32::MAX - 1, len: u32::MAX, check: 4 };
    let store = recovered(dir.path(), &[inside, beyond, page, stale, nonsense]);
    for wrong in [stale, inside, beyond, nonsense] {
        store.read(wrong, &mut Vec::new()).unwrap_err();
        store.release(wrong, Lsn(0));
    }
    assert_eq!((store.used_bytes(), store.free_bytes()), (3 * BLOCK_BYTES, 0));
    assert_eq!(get(&store, page), bytes);
}

#[test]
fn damage_names_file_and_offset() {
    let dir = TempDir::new().unwrap();
    let store = recovered(dir.path(), &[]);
    put(&store, &[1; BLOCK]);
    let page = put(&store, b"as it was written");
    let path = dir.path().join("00000000.pages");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"IS", BLOCK_BYTES + 3).unwrap();
    let mut out = Vec::new();
    let damage = store.read(page, &mut out).unwrap_err();
    assert_eq!(
        damage.to_string(),
        format!("page of 17 bytes at 4096 in {}: the checksum differs", path.display())
    );
    assert_eq!(out, b"as IS was written");
    assert_eq!((damage.file, damage.offset, damage.len), (path.clone(), BLOCK_BYTES, 17));

    file.set_len(BLOCK_BYTES).unwrap();
    out.clear();
    let damage = store.read(page, &mut out).unwrap_err();
    assert_eq!((damage.file, damage.offset, out), (path, BLOCK_BYTES, Vec::new()));
}

#[test]
fn free_room_goes_back_to_the_file_system() {
    let dir = TempDir::new().unwrap();
    let store = recovered(dir.path(), &[]);
    let pages: Vec<_> = (0..100).map(|fill| put(&store, &[fill; 16 * BLOCK])).collect();
    let file = fs::File::open(dir.path().join("00000000.pages")).unwrap();
    let len = || file.metadata().unwrap().len() / BLOCK_BYTES;
    assert_eq!(len(), 1600);
    for &page in &pages[10..] {
        store.release(page, Lsn(0));
    }
    store.trim(FREE_KEPT_MAX).unwrap();
    assert_eq!((len(), store.free_bytes()), (1600, 1440 * BLOCK_BYTES), "little enough to keep");
    store.trim(100 * BLOCK_BYTES).unwrap();
    assert_eq!((len(), store.free_bytes()), (260, 100 * BLOCK_BYTES));
    store.release(pages[3], Lsn(0));
    store.trim(0).unwrap();
    assert_eq!((len(), store.free_bytes()), (160, 0), "a hole, and nothing behind the last page");
    let again = put(&store, &[200; 16 * BLOCK]);
    assert_eq!(again.block, pages[3].block, "holes are filled before the file grows");
    assert_eq!(get(&store, pages[9]), [9; 16 * BLOCK]);
}

#[test]
fn a_space_without_end_is_refused() {
    let dir = TempDir::new().unwrap();
    let last = u32::try_from((BLOCK_BYTES << 32) / FILE_BYTES - 1).unwrap();
    let file = fs::File::create(dir.path().join(format!("{last:08}.pages"))).unwrap();
    file.set_len(FILE_BYTES - 2 * BLOCK_BYTES).unwrap();
    let store = found(dir.path());
    let fits = put(&store, b"fits");
    let page = store.reserve(&[1; 2 * BLOCK]);
    let outcome = store.write(&[(page, [1; 2 * BLOCK])]);
    assert!(matches!(outcome, Err(Error::Io(_))), "{outcome:?}");
    store.read(page, &mut Vec::new()).unwrap_err();
    store.release(page, Lsn(0));
    assert_eq!(get(&store, fits), b"fits");
}

#[test]
fn a_full_disk_can_be_tried_again() {
    let disk = SimDisk::new(1);
    let store = simulated(&disk, &[]);
    let before = put(&store, &[1; BLOCK]);
    disk.set_capacity(3 * BLOCK_BYTES);
    let bytes = [2; 8 * BLOCK];
    let page = store.reserve(&bytes);
    for _ in 0..2 {
        let outcome = store.write(&[(page, bytes)]);
        assert!(matches!(outcome, Err(Error::Full(_))), "{outcome:?}");
    }
    store.sync().unwrap();
    assert_eq!(get(&store, before), [1; BLOCK]);
    disk.set_capacity(9 * BLOCK_BYTES);
    store.write(&[(page, bytes)]).unwrap();
    store.sync().unwrap();
    disk.power_cut(1);
    assert_eq!(get(&simulated(&disk, &[page]), page), bytes);
}

#[test]
fn a_file_that_a_killed_process_made_survives_a_power_cut() {
    for seed in 0..20 {
        let disk = SimDisk::new(1);
        let store = simulated(&disk, &[]);
        let first = put(&store, b"in a file that is removed");
        store.sync().unwrap();
        store.release(first, Lsn(0));
        store.trim(0).unwrap();
        let named = put(&store, b"by a log that was not synced either");
        disk.kill();
        let store = simulated(&disk, &[named]);
        let page = put(&store, b"in the file that is there");
        store.sync().unwrap();
        disk.power_cut(seed);
        let store = simulated(&disk, &[named, page]);
        assert_eq!(get(&store, page), b"in the file that is there");
        assert_eq!(get(&store, named), b"by a log that was not synced either");
    }
}

#[test]
fn a_failed_sync_is_final() {
    let disk = SimDisk::new(1);
    let store = simulated(&disk, &[]);
    let page = put(&store, b"who knows");
    disk.fail_sync(1);
    let failure = store.sync().unwrap_err();
    assert!(matches!(failure, Error::Io(_)), "{failure:?}");
    assert_eq!((store.sync(), store.failure()), (Err(failure.clone()), Some(&failure)));
    assert_eq!(store.write(&[(page, b"who knows")]), Err(failure));
}

#[test]
fn a_failed_write_is_final() {
    let disk = SimDisk::new(1);
    let store = simulated(&disk, &[]);
    let page = store.reserve(b"lost");
    disk.fail_write(1);
    let failure = store.write(&[(page, b"lost")]).unwrap_err();
    assert!(matches!(failure, Error::Io(_)), "{failure:?}");
    assert_eq!(store.sync(), Err(failure));
}

#[test]
fn a_failed_read_is_of_that_page_and_says_nothing_of_what_is_there() {
    let disk = SimDisk::new(1);
    let store = simulated(&disk, &[]);
    let (one, two) = (put(&store, b"one"), put(&store, b"two"));
    disk.fail_read(1);
    let damage = store.read(two, &mut Vec::new()).unwrap_err();
    assert_eq!((damage.file.as_path(), damage.offset), (Path::new("/pages/00000000.pages"), 4096));
    assert!(!damage.is_lost, "{damage}");
    assert_eq!((get(&store, one), get(&store, two)), (b"one".to_vec(), b"two".to_vec()));
}

#[test]
fn rot_costs_the_page_it_is_in() {
    let disk = SimDisk::new(1);
    let store = simulated(&disk, &[]);
    let pages: Vec<_> = (0..9).map(|fill| put(&store, &[fill; 2 * BLOCK])).collect();
    store.sync().unwrap();
    disk.rot(Path::new("/pages/00000000.pages"), 9 * BLOCK_BYTES + 17, 0x40);
    for (nth, &page) in pages.iter().enumerate() {
        assert_eq!(store.read(page, &mut Vec::new()).is_err(), nth == 4, "{nth}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put { len: usize },
    PutOnFullDisk { len: usize },
    Share { nth: usize },
    Release { nth: usize, after: u64 },
    Durable { ahead: u64 },
    Trim { keep: u64 },
    PowerCut { seed: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..40_000_usize).prop_map(|len| Step::Put { len }),
        1 => (0..40_000_usize).prop_map(|len| Step::PutOnFullDisk { len }),
        1 => any::<usize>().prop_map(|nth| Step::Share { nth }),
        8 => (any::<usize>(), 0..4_u64).prop_map(|(nth, after)| Step::Release { nth, after }),
        3 => (1..4_u64).prop_map(|ahead| Step::Durable { ahead }),
        1 => (0..20_u64).prop_map(|blocks| Step::Trim { keep: blocks * BLOCK_BYTES }),
        1 => any::<u64>().prop_map(|seed| Step::PowerCut { seed }),
    ]
}

/// What the log says, and what it still says after a power cut.
struct Model {
    disk: SimDisk,
    store: PageStore,
    /// Pages and their owners, with their content.
    live: BTreeMap<PageRef, (usize, Vec<u8>)>,
    /// Releases that are not durable yet.
    ending: Vec<(u64, PageRef, Vec<u8>)>,
    durable: u64,
    fills: u8,
}

impl Model {
    fn new() -> Self {
        let disk = SimDisk::new(1);
        let store = simulated(&disk, &[]);
        let (live, ending) = (BTreeMap::new(), Vec::new());
        Self { disk, store, live, ending, durable: 0, fills: 0 }
    }

    fn nth(&self, nth: usize) -> Option<PageRef> {
        (!self.live.is_empty()).then(|| *self.live.keys().nth(nth % self.live.len()).unwrap())
    }

    fn put(&mut self, len: usize) {
        self.fills = self.fills.wrapping_add(1);
        let bytes = vec![self.fills; len];
        let page = self.store.reserve(&bytes);
        match self.store.write(&[(page, &bytes)]) {
            Ok(()) => {
                self.store.sync().unwrap();
                assert!(self.live.insert(page, (1, bytes)).is_none(), "{page:?} is taken");
            }
            Err(Error::Full(_)) => self.store.release(page, Lsn(0)),
            Err(error) => panic!("{error}"),
        }
    }

    fn release(&mut self, page: PageRef, after: u64) {
        self.store.release(page, Lsn(after));
        let (owners, bytes) = self.live.get_mut(&page).unwrap();
        self.ending.push((after, page, bytes.clone()));
        *owners -= 1;
        if *owners == 0 {
            self.live.remove(&page);
        }
    }

    /// The log's tail is lost: releases that were not durable have not happened.
    fn power_cut(&mut self, seed: u64) {
        self.disk.power_cut(seed);
        for (_, page, bytes) in std::mem::take(&mut self.ending) {
            self.live.entry(page).or_insert((0, bytes)).0 += 1;
        }
        let names: Vec<_> = self
            .live
            .iter()
            .flat_map(|(&page, &(owners, _))| std::iter::repeat_n(page, owners))
            .collect();
        self.store = simulated(&self.disk, &names);
        self.store.handle_durable(Lsn(self.durable));
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Put { len } => self.put(len),
            Step::PutOnFullDisk { len } => {
                self.disk.set_capacity(self.disk.used_bytes());
                self.put(len);
                self.disk.set_capacity(u64::MAX);
            }
            Step::Share { nth } => {
                if let Some(page) = self.nth(nth) {
                    self.store.retain(page);
                    self.live.get_mut(&page).unwrap().0 += 1;
                }
            }
            Step::Release { nth, after } => {
                if let Some(page) = self.nth(nth) {
                    self.release(page, self.durable + after);
                }
            }
            Step::Durable { ahead } => {
                self.durable += ahead;
                self.store.handle_durable(Lsn(self.durable));
            }
            Step::Trim { keep } => self.store.trim(keep).unwrap(),
            Step::PowerCut { seed } => self.power_cut(seed),
        }
        let durable = self.durable;
        self.ending.retain(|(after, ..)| *after > durable);
    }

    fn check(&self) {
        let ending = self.ending.iter().map(|(_, page, bytes)| (*page, bytes));
        let live = self.live.iter().map(|(page, (_, bytes))| (*page, bytes));
        let all: BTreeMap<_, _> = ending.chain(live).collect();
        for (&page, bytes) in &all {
            assert!(get(&self.store, page) == **bytes, "{page:?}");
        }
        let blocks = |page: &PageRef| u64::from(page.len).div_ceil(BLOCK_BYTES).max(1);
        assert_eq!(self.store.used_bytes(), all.keys().map(blocks).sum::<u64>() * BLOCK_BYTES);
    }
}

proptest! {
    #[test]
    fn a_page_stays_as_it_was_written_while_the_log_may_name_it(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut model = Model::new();
        for step in &steps {
            model.apply(step);
            model.check();
        }
    }
}

#[test]
fn a_store_that_is_only_read_verifies_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("missing");
    let store = PageStore::open_to_read(Arc::new(RealDisk), &missing).unwrap();
    assert_eq!(store.used_bytes(), 0);
    assert!(!missing.exists());

    let store = recovered(dir.path(), &[]);
    let [small, large] = [vec![7; 100], vec![8; 3_000_001]];
    let pages = [put(&store, &small), put(&store, &large)];
    store.sync().unwrap();
    drop(store);
    let store = PageStore::open_to_read(Arc::new(RealDisk), dir.path()).unwrap();
    assert_eq!(pages.map(|page| store.verify(page)), [Ok(()), Ok(())]);
    assert!(matches!(store.write(&[(pages[0], &small)]), Err(Error::Io(_))));

    let path = dir.path().join("00000000.pages");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"x", u64::from(pages[1].block) * BLOCK_BYTES + 3_000_000).unwrap();
    assert_eq!(store.verify(pages[0]), Ok(()));
    let damage = store.verify(pages[1]).unwrap_err();
    assert_eq!(damage, store.read(pages[1], &mut Vec::new()).unwrap_err());
    let offset = u64::from(pages[1].block) * BLOCK_BYTES;
    assert_eq!((damage.file, damage.offset, damage.len), (path, offset, 3_000_001));
    assert_eq!((damage.reason.as_str(), damage.is_lost), ("the checksum differs", true));
    let beyond = PageRef { block: 1 << 20, ..pages[0] };
    assert_eq!(store.verify(beyond).unwrap_err().reason, "it lies behind the end of the files");
}
