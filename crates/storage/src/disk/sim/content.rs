//! What a file holds, for its readers and on the medium.

use std::sync::Arc;

use super::chance::Chance;

/// Bytes that room is counted in.
const PAGE_BYTES: usize = 4096;
/// Bytes that reach the medium together or not at all.
const SECTOR_BYTES: u64 = 512;

type Page = Arc<[u8; PAGE_BYTES]>;

/// Pages of a file; what has none reads as zeros and takes no room.
#[derive(Clone, Debug, Default)]
struct Image {
    len: u64,
    pages: Vec<Option<Page>>,
    /// How many of them are there.
    taken: usize,
}

/// Something done to a file since its last sync.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLen(u64),
    Allocate(u64),
    Punch { offset: u64, len: u64 },
}

/// A file: pages are shared between the two images until one of them is written to.
#[derive(Debug, Default)]
pub(super) struct Content {
    current: Image,
    synced: Image,
    /// What leads from `synced` to `current`, in order.
    unsynced: Vec<Change>,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.current.len
    }

    /// Bytes of room it takes.
    pub(super) fn taken(&self) -> u64 {
        (self.current.taken * PAGE_BYTES) as u64
    }

    /// Bytes of room that writing a stretch would take in addition.
    pub(super) fn missing(&self, offset: u64, len: u64) -> u64 {
        let pages = page_range(offset, len);
        pages.filter(|&page| !self.current.has_page(page)).count() as u64 * PAGE_BYTES as u64
    }

    /// How many of `len` bytes at `offset` can be written with `room` bytes of it left.
    pub(super) fn fitting(&self, offset: u64, len: usize, mut room: u64) -> usize {
        for page in page_range(offset, len as u64) {
            if self.current.has_page(page) {
                continue;
            }
            if room < PAGE_BYTES as u64 {
                return ((page * PAGE_BYTES) as u64).saturating_sub(offset) as usize;
            }
            room -= PAGE_BYTES as u64;
        }
        len
    }

    pub(super) fn read_at(&self, offset: u64, buf: &mut [u8]) -> usize {
        let count = (self.current.len.saturating_sub(offset)).min(buf.len() as u64) as usize;
        self.current.read(offset, &mut buf[..count]);
        count
    }

    pub(super) fn write_at(&mut self, offset: u64, bytes: &[u8]) {
        self.change(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.change(Change::SetLen(len));
    }

    pub(super) fn allocate(&mut self, len: u64) {
        self.change(Change::Allocate(len));
    }

    pub(super) fn punch_hole(&mut self, offset: u64, len: u64) {
        self.change(Change::Punch { offset, len });
    }

    pub(super) fn rot(&mut self, offset: u64, mask: u8) {
        self.current.flip(offset, mask);
        self.synced.flip(offset, mask);
    }

    fn change(&mut self, change: Change) {
        self.current.apply(&change);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            self.synced.apply(&change);
        }
    }

    /// A sync that failed: any part has reached the medium, and the rest never will.
    pub(super) fn sync_partly(&mut self, chance: &mut Chance) {
        // Most often everything or nothing got through; the rest is anything in between.
        let luck = chance.below(4);
        for change in self.unsynced.drain(..) {
            if luck == 0 {
                self.synced.apply(&change);
            } else if luck > 1 {
                self.synced.apply_partly(&change, chance);
            }
        }
    }

    pub(super) fn cut_power(&mut self, chance: &mut Chance) {
        self.sync_partly(chance);
        self.current = self.synced.clone();
    }
}

impl Image {
    fn has_page(&self, page: usize) -> bool {
        self.pages.get(page).is_some_and(Option::is_some)
    }

    fn page_mut(&mut self, page: usize) -> &mut [u8; PAGE_BYTES] {
        if page >= self.pages.len() {
            self.pages.resize(page + 1, None);
        }
        let slot = &mut self.pages[page];
        self.taken += usize::from(slot.is_none());
        Arc::make_mut(slot.get_or_insert_with(|| Arc::new([0; PAGE_BYTES])))
    }

    /// Takes room for pages. All of them share one of zeros until they are written to.
    fn take_pages(&mut self, pages: std::ops::Range<usize>) {
        let zeros: Page = Arc::new([0; PAGE_BYTES]);
        if pages.end > self.pages.len() {
            self.pages.resize(pages.end, None);
        }
        for slot in self.pages[pages].iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(Arc::clone(&zeros));
            self.taken += 1;
        }
    }

    fn read(&self, offset: u64, buf: &mut [u8]) {
        for (page, within, part) in parts(offset, buf.len()) {
            let out = &mut buf[part];
            match self.pages.get(page) {
                Some(Some(bytes)) => out.copy_from_slice(&bytes[within..within + out.len()]),
                _ => out.fill(0),
            }
        }
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (page, within, part) in parts(offset, bytes.len()) {
            let from = &bytes[part];
            self.page_mut(page)[within..within + from.len()].copy_from_slice(from);
        }
        self.len = self.len.max(offset + bytes.len() as u64);
    }

    fn flip(&mut self, offset: u64, mask: u8) {
        let page = (offset / PAGE_BYTES as u64) as usize;
        if offset < self.len && self.has_page(page) {
            self.page_mut(page)[(offset % PAGE_BYTES as u64) as usize] ^= mask;
        }
    }

    fn zero(&mut self, offset: u64, len: u64) {
        for (page, within, part) in parts(offset, len as usize) {
            if part.len() == PAGE_BYTES {
                let dropped = self.pages.get_mut(page).and_then(Option::take);
                self.taken -= usize::from(dropped.is_some());
            } else if self.has_page(page) {
                self.page_mut(page)[within..within + part.len()].fill(0);
            }
        }
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            let pages = (len as usize).div_ceil(PAGE_BYTES);
            for page in self.pages.drain(pages.min(self.pages.len())..) {
                self.taken -= usize::from(page.is_some());
            }
            if !(len as usize).is_multiple_of(PAGE_BYTES) && self.has_page(pages - 1) {
                self.page_mut(pages - 1)[len as usize % PAGE_BYTES..].fill(0);
            }
        }
        self.len = len;
    }

    fn apply(&mut self, change: &Change) {
        match *change {
            Change::Write { offset, ref bytes } => self.write(offset, bytes),
            Change::SetLen(len) => self.set_len(len),
            Change::Allocate(len) => {
                self.take_pages(page_range(0, len));
                self.len = self.len.max(len);
            }
            Change::Punch { offset, len } => {
                self.zero(offset, len.min(self.len.saturating_sub(offset)));
            }
        }
    }

    /// Applies a change, or not, or some sectors of it.
    fn apply_partly(&mut self, change: &Change, chance: &mut Chance) {
        match (chance.below(3), change) {
            (0, _) => self.apply(change),
            (1, &Change::Write { offset, ref bytes }) => {
                for (sector, _, part) in split(offset, bytes.len(), SECTOR_BYTES) {
                    if chance.is(1, 2) {
                        self.write(offset.max(sector * SECTOR_BYTES), &bytes[part]);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Pages that a stretch touches.
fn page_range(offset: u64, len: u64) -> std::ops::Range<usize> {
    let first = (offset / PAGE_BYTES as u64) as usize;
    if len == 0 {
        return first..first;
    }
    first..(offset + len).div_ceil(PAGE_BYTES as u64) as usize
}

/// A stretch by pages: the page, where in it, and which part of the stretch.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    split(offset, len, PAGE_BYTES as u64)
        .map(|(page, within, part)| (page as usize, within as usize, part))
}

/// A stretch by units of `unit` bytes, as [`parts`].
fn split(
    offset: u64,
    len: usize,
    unit: u64,
) -> impl Iterator<Item = (u64, u64, std::ops::Range<usize>)> {
    let end = offset + len as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let until = end.min((at / unit + 1) * unit);
        let part = (at - offset) as usize..(until - offset) as usize;
        let item = (at / unit, at % unit, part);
        at = until;
        Some(item)
    })
}
