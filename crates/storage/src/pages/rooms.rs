//! Which blocks of the page space are whose.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::extents::{Extent, Extents};
use super::{BLOCK_BYTES, PageRef};
use crate::Lsn;

/// Where a page lies for which the space has no room left. Beyond the last block there can be.
const NOWHERE: u32 = u32::MAX;
/// Blocks given back to the file system in one step: bounds how long their room is nobody's.
const TRIM_BLOCKS: u32 = (64 << 20) / BLOCK_BYTES as u32;

impl PageRef {
    /// The blocks it lies in; `None` when there cannot be such blocks.
    pub(super) fn extent(self) -> Option<Extent> {
        let len = self.len.div_ceil(BLOCK_BYTES as u32).max(1);
        self.block.checked_add(len).map(|_| Extent { start: self.block, len })
    }
}

/// The pages that were named since the start, until all are known.
#[derive(Debug)]
struct Recovery {
    /// The block behind the last that the files held at the start.
    end: u32,
    named: Vec<PageRef>,
    /// Pages that were handed out meanwhile.
    handed_out: HashSet<PageRef>,
}

/// The owners of the page space. In memory alone: at the start it is told what is in use.
#[derive(Debug)]
pub(super) struct Rooms {
    /// Free, and the file system still has room for it: written first, for overwriting is many
    /// times cheaper than writing afresh.
    kept: Extents,
    /// Free, and given back to the file system.
    bare: Extents,
    /// The block behind the last one that was ever handed out and is not cut off again.
    end: u32,
    /// Owners beyond the first, by first block, of pages that have several.
    shares: HashMap<u32, u32>,
    /// Pages whose release frees nothing before the next start: damage made them overlap others,
    /// so that it is not known whose the room is.
    pinned: HashSet<PageRef>,
    /// What is released once a position is durable, the lowest first.
    releases: BinaryHeap<Reverse<(Lsn, PageRef)>>,
    durable: Lsn,
    recovery: Option<Recovery>,
}

impl Rooms {
    /// All blocks below `end` may be in use; the ones named until [`Rooms::finish_recovery`] are.
    pub(super) fn recovering(end: u32) -> Self {
        Self {
            kept: Extents::default(),
            bare: Extents::default(),
            end,
            shares: HashMap::new(),
            pinned: HashSet::new(),
            releases: BinaryHeap::new(),
            durable: Lsn(0),
            recovery: Some(Recovery { end, named: Vec::new(), handed_out: HashSet::new() }),
        }
    }

    /// Names a page that is in use, once for each owner.
    pub(super) fn mark_used(&mut self, page: PageRef) {
        if let Some(recovery) = &mut self.recovery {
            recovery.named.push(page);
        }
    }

    /// Frees all blocks that no page named lies in.
    pub(super) fn finish_recovery(&mut self) {
        let Some(Recovery { end, mut named, handed_out }) = self.recovery.take() else { return };
        named.sort_unstable();
        // What was released meanwhile and is named by nobody is free as it is. It may lie anywhere: a
        // start that finds damage gives up pages that the files never had.
        let is_known =
            |page: &PageRef| handed_out.contains(page) || named.binary_search(page).is_ok();
        self.releases.retain(|Reverse((_, page))| is_known(page));
        let mut free_from = 0;
        let mut farthest: Option<PageRef> = None;
        let mut last = None;
        for page in named {
            let extent = page.extent().filter(|extent| extent.end() <= end);
            let Some(extent) = extent else {
                self.pinned.insert(page);
                continue;
            };
            if last == Some(page) {
                *self.shares.entry(page.block).or_insert(0) += 1;
                continue;
            }
            last = Some(page);
            if extent.start < free_from {
                self.pinned.extend([Some(page), farthest].into_iter().flatten());
            }
            self.free_between(free_from, extent.start);
            if extent.end() > free_from {
                free_from = extent.end();
                farthest = Some(page);
            }
        }
        self.free_between(free_from, end);
        self.free_released();
    }

    fn free_between(&mut self, start: u32, end: u32) {
        if start < end {
            self.kept.insert(Extent { start, len: end - start });
        }
    }

    /// Finds room for `len` bytes with this checksum.
    pub(super) fn reserve(&mut self, len: u32, check: u32) -> PageRef {
        let page = PageRef { block: self.end, len, check };
        let Some(Extent { len: blocks, .. }) = page.extent() else {
            return PageRef { block: NOWHERE, ..page };
        };
        let recycled = self.kept.take(blocks).or_else(|| self.bare.take(blocks));
        let block = recycled.unwrap_or_else(|| {
            self.end += blocks;
            page.block
        });
        let page = PageRef { block, ..page };
        if let Some(recovery) = &mut self.recovery {
            recovery.handed_out.insert(page);
        }
        page
    }

    /// Adds an owner.
    pub(super) fn retain(&mut self, page: PageRef) {
        *self.shares.entry(page.block).or_insert(0) += 1;
    }

    /// Takes an owner away once `after` is durable.
    pub(super) fn release(&mut self, page: PageRef, after: Lsn) {
        self.releases.push(Reverse((after, page)));
        self.free_released();
    }

    /// Everything up to `durable` is.
    pub(super) fn handle_durable(&mut self, durable: Lsn) {
        self.durable = self.durable.max(durable);
        self.free_released();
    }

    fn free_released(&mut self) {
        if self.recovery.is_some() {
            // Who else owns the page is not known yet.
            return;
        }
        while let Some(&Reverse((after, page))) = self.releases.peek()
            && after <= self.durable
        {
            self.releases.pop();
            self.drop_owner(page);
        }
    }

    fn drop_owner(&mut self, page: PageRef) {
        if page.block == NOWHERE || self.pinned.contains(&page) {
            return;
        }
        if let Some(shares) = self.shares.get_mut(&page.block) {
            *shares -= 1;
            if *shares == 0 {
                self.shares.remove(&page.block);
            }
            return;
        }
        let extent = page.extent().filter(|extent| extent.end() <= self.end);
        self.kept.insert(extent.expect("a page that is released was handed out or named"));
    }

    /// Whether the page can lie in the files at all.
    pub(super) fn contains(&self, page: PageRef) -> bool {
        page.extent().is_some_and(|extent| extent.end() <= self.end)
    }

    /// Free blocks beyond `keep` that the file system can have back: some of the last. Nobody gets
    /// them until they are handed to [`Rooms::handle_bared`].
    pub(super) fn take_surplus(&mut self, keep: u64) -> Option<Extent> {
        let surplus = self.kept.blocks().saturating_sub(keep).min(u64::from(TRIM_BLOCKS));
        let surplus = u32::try_from(surplus).ok().filter(|&blocks| blocks > 0)?;
        self.kept.take_last(surplus)
    }

    /// The extent is free and takes no room on the disk any more. True when the space got shorter
    /// by that.
    pub(super) fn handle_bared(&mut self, extent: Extent) -> bool {
        self.bare.insert(extent);
        let tail = self.bare.take_ending_at(self.end);
        if let Some(tail) = tail {
            self.end = tail.start;
        }
        tail.is_some()
    }

    /// The block behind the last that may be in use.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// Free blocks that still take room on the disk.
    pub(super) fn kept_blocks(&self) -> u64 {
        self.kept.blocks()
    }

    /// Blocks that belong to a page.
    pub(super) fn used_blocks(&self) -> u64 {
        u64::from(self.end) - self.kept.blocks() - self.bare.blocks()
    }
}
