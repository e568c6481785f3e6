//! Small chunks at the end of a level become one before they go to a page.
//!
//! With thousands of queues each has little in memory when its turn to leave comes. A page for every
//! such bit would cost more in memory than the messages on it; so small pages are joined once they
//! are enough for a proper one. Nobody must know of a message in these chunks by its place: all are
//! ready.

use super::{Chunk, Level};
use crate::queue::effects::Freed;
use crate::queue::record::{DEAD, SHARED, UNACKED};

/// Chunks are joined to one of at most this size.
const GATHERED_LEN_MAX: usize = if cfg!(test) { 800 } else { 32 * 1024 };
/// Pages of at least this size stay as they are, and smaller ones until they can become one: so a
/// message is written twice at most, unless it comes in tiny bits.
const GATHERED_LEN_MIN: usize = GATHERED_LEN_MAX / 2;
/// Chunks that are joined at a time, and become one however small they are.
const GATHERED_CHUNKS_MAX: usize = if cfg!(test) { 3 } else { 16 };

impl Level {
    /// The chunks at the end that should be joined: the first one's number, and how many.
    pub(in crate::queue) fn to_gather(&self) -> Option<(u32, usize)> {
        let (mut count, mut count_in_memory, mut len) = (0, 0, 0);
        for number in self.numbers().rev().take(GATHERED_CHUNKS_MAX) {
            let chunk = self.chunk(number)?;
            let is_proper_page = chunk.is_absent() && GATHERED_LEN_MIN <= chunk.len();
            if GATHERED_LEN_MAX < len + chunk.len()
                || is_proper_page
                || !self.is_untouched(number, chunk)
            {
                break;
            }
            count_in_memory += usize::from(count == count_in_memory && !chunk.is_absent());
            count += 1;
            len += chunk.len();
        }
        // What is in memory becomes one page in any case.
        if len < GATHERED_LEN_MIN && count < GATHERED_CHUNKS_MAX {
            count = count_in_memory;
        }
        let last = self.numbers().next_back()?;
        (1 < count).then(|| (last.wrapping_sub(count as u32 - 1), count))
    }

    /// All its messages wait behind the cursor, and nobody has had one.
    fn is_untouched(&self, number: u32, chunk: &Chunk) -> bool {
        let is_behind_cursor = 0 < number.wrapping_sub(self.cursor.chunk) as i32;
        let is_idle = !chunk.is_leaving && chunk.live != 0 && chunk.images.all().is_empty();
        let is_page_good = chunk.page.as_deref().is_none_or(|page| {
            let is_whole = page.marks.is_none() && page.records == chunk.live;
            !page.is_outdated && is_whole && page.blobs.is_empty()
        });
        is_behind_cursor
            && is_idle
            && is_page_good
            && self.returned.is_empty()
            && chunk.headers().all(|(_, it)| !it.is(DEAD | UNACKED | SHARED | self.moved))
    }

    /// Joins the last `count` chunks, all of them in memory, into the first of them, `first`. Does
    /// nothing when they turned out not to be fit for it.
    pub(in crate::queue) fn gather(&mut self, first: u32, count: usize, pool: &mut Freed) {
        let index = first.wrapping_sub(self.first_chunk) as usize;
        let numbers = (0..count as u32).map(|it| first.wrapping_add(it));
        let is_fit = |number: u32| {
            let chunk = self.chunk(number);
            chunk.is_some_and(|it| !it.bytes.is_empty() && self.is_untouched(number, it))
        };
        // A chunk with a page before it is named by the journal as a page: so must be what joins it.
        let chunks = self.chunks.range(index.min(self.chunks.len())..);
        let is_sorted = chunks.is_sorted_by_key(|chunk| chunk.page.is_none());
        if index + count != self.chunks.len() || !is_sorted || !numbers.clone().all(is_fit) {
            return;
        }
        let mut bytes = Vec::with_capacity(self.chunks.range(index..).map(Chunk::len).sum());
        for chunk in self.chunks.range(index..) {
            bytes.extend_from_slice(&chunk.bytes);
            self.resident -= chunk.resident();
        }
        self.resident += bytes.capacity();
        let mut live = 0;
        for chunk in self.chunks.drain(index + 1..) {
            live += chunk.live;
            if let Some(page) = chunk.page {
                self.rare.get_or_insert_default().replaced.push((first, page.at));
            }
            pool.give(chunk.bytes);
        }
        stdx::shrink_sparse(&mut self.chunks);
        let chunk = &mut self.chunks[index];
        chunk.live += live;
        chunk.is_sealed = true;
        pool.give(std::mem::replace(&mut chunk.bytes, bytes));
        if let Some(page) = chunk.page.as_deref_mut() {
            page.is_outdated = true;
        }
        if 0 <= self.journaled_to.chunk.wrapping_sub(first) as i32 {
            self.journaled_to = self.end();
        }
    }

    /// The pages whose records this chunk has taken over are not needed any more.
    pub(super) fn release_replaced(&mut self, number: u32, pool: &mut Freed) {
        let Some(rare) = &mut self.rare else { return };
        let gone = rare.replaced.extract_if(.., |(chunk, _)| *chunk == number);
        pool.pages.extend(gone.map(|(_, page)| page));
    }
}
