//! The messages that a chunk keeps outside of its records: most chunks have none.

use bytes::Bytes;

use crate::PageRef;
use crate::queue::blob::Shared;

/// Costs a pointer until there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Images(Option<Box<Kept>>);

#[derive(Clone, Debug, Default)]
struct Kept {
    list: Vec<Shared>,
    /// Their bytes in memory.
    bytes: usize,
}

impl Images {
    pub(super) fn all(&self) -> &[Shared] {
        self.0.as_deref().map_or(&[], |kept| &kept.list)
    }

    /// Their bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.0.as_deref().map_or(0, |kept| kept.bytes)
    }

    /// Adds one and returns its index.
    pub(super) fn push(&mut self, shared: Shared) -> u32 {
        let kept = self.0.get_or_insert_default();
        kept.bytes += shared.bytes.len();
        kept.list.push(shared);
        kept.list.len() as u32 - 1
    }

    /// Takes one away. The others keep their indexes.
    pub(super) fn take(&mut self, index: usize) -> Shared {
        let Some(kept) = self.0.as_deref_mut() else { return Shared::default() };
        let shared = kept.list.get_mut(index).map(std::mem::take).unwrap_or_default();
        kept.bytes -= shared.bytes.len();
        shared
    }

    /// Gives one other bytes, and returns how many it had.
    pub(super) fn set_bytes(&mut self, index: usize, bytes: Bytes) -> usize {
        let Some(kept) = self.0.as_deref_mut() else { return 0 };
        let len = bytes.len();
        let before = std::mem::replace(&mut kept.list[index].bytes, bytes).len();
        kept.bytes = kept.bytes + len - before;
        before
    }

    /// Where they lie on the disk, to be changed.
    pub(super) fn blobs_mut(&mut self) -> impl Iterator<Item = &mut Option<PageRef>> {
        let list = self.0.as_deref_mut().map_or(&mut [][..], |kept| &mut kept.list);
        list.iter_mut().map(|shared| &mut shared.blob)
    }

    pub(super) fn set_blob(&mut self, index: usize, blob: PageRef) {
        if let Some(kept) = self.0.as_deref_mut() {
            kept.list[index].blob = Some(blob);
        }
    }
}
