//! The seam to the engine: numbered logs of opaque entries, written in batches.

use std::ops::Range;
use std::sync::Arc;

use crate::Error;

/// A log group: one contiguous run of entries plus a few key-value pairs.
///
/// The write-ahead log and consensus share one [`Log`]. [`Wal`](crate::Wal) maps its groups to odd
/// log groups and leaves the even ones to others (see [`GroupId::unshared`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u64);

impl GroupId {
    /// The largest id that [`GroupId::unshared`] and the write-ahead log can map.
    pub const MAX: Self = Self(u64::MAX >> 1);

    /// The log group for an owner that writes to the [`Log`] itself instead of through the
    /// write-ahead log; never collides with a group of the latter.
    #[must_use]
    pub fn unshared(self) -> Self {
        Self(self.0 << 1)
    }

    pub(crate) fn of_wal(self) -> Self {
        Self((self.0 << 1) | 1)
    }

    pub(crate) fn to_wal(self) -> Option<Self> {
        (self.0 & 1 == 1).then_some(Self(self.0 >> 1))
    }
}

/// The bytes of one entry: a head of its own and slices of a shared buffer, so that what producers
/// wrote into that buffer reaches the engine without another copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    head: Vec<u8>,
    buffer: Arc<Vec<u8>>,
    spans: Vec<Range<usize>>,
}

impl Payload {
    /// An entry of `head` followed by the `spans` of `buffer`, which must lie inside it.
    #[must_use]
    pub fn gather(head: Vec<u8>, buffer: Arc<Vec<u8>>, spans: Vec<Range<usize>>) -> Self {
        debug_assert!(spans.iter().all(|span| span.end <= buffer.len()));
        Self { head, buffer, spans }
    }

    /// Bytes in the entry.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.spans.iter().map(ExactSizeIterator::len).sum::<usize>()
    }

    /// Whether the entry has no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the entry to `out`.
    pub fn copy_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        for span in &self.spans {
            out.extend_from_slice(&self.buffer[span.clone()]);
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(head: Vec<u8>) -> Self {
        Self { head, ..Self::default() }
    }
}

/// One step of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Adds an entry. `index` is one more than the last, or any index when the group is empty; an
    /// index inside the group first drops the entries from there on (a follower's conflict).
    Append {
        /// The log group.
        group: GroupId,
        /// The entry's index.
        index: u64,
        /// The entry.
        payload: Payload,
    },
    /// Drops the entries below `keep_from`.
    Compact {
        /// The log group.
        group: GroupId,
        /// The first index to keep.
        keep_from: u64,
    },
    /// Drops the group, entries and keys. It may be used again from any index.
    Remove {
        /// The log group.
        group: GroupId,
    },
    /// Sets a key of the group. Values are kept in memory: small things only.
    Put {
        /// The log group.
        group: GroupId,
        /// The key; must not begin with two underscores (the engine's own).
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
}

/// Steps that reach the log together, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    ops: Vec<Op>,
}

impl Batch {
    /// Adds an entry, see [`Op::Append`].
    pub fn append(&mut self, group: GroupId, index: u64, payload: impl Into<Payload>) {
        self.ops.push(Op::Append { group, index, payload: payload.into() });
    }

    /// Drops the entries below `keep_from`.
    pub fn compact(&mut self, group: GroupId, keep_from: u64) {
        self.ops.push(Op::Compact { group, keep_from });
    }

    /// Drops a group.
    pub fn remove(&mut self, group: GroupId) {
        self.ops.push(Op::Remove { group });
    }

    /// Sets a key of a group.
    pub fn put(&mut self, group: GroupId, key: &[u8], value: Vec<u8>) {
        self.ops.push(Op::Put { group, key: key.to_vec(), value });
    }

    /// The steps so far.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Takes the steps and keeps the allocation.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Op> {
        self.ops.drain(..)
    }
}

/// How far a batch must have come when [`Log::write`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// In the operating system's hands: survives the process, not the power.
    Write,
    /// On stable storage, together with everything written before it.
    Sync,
}

/// Numbered logs of opaque entries that share one place on disk.
///
/// Entries of a group are contiguous. A group begins at whatever index its first append names and
/// goes on from there also after everything in it was compacted or it was removed.
pub trait Log: Send + Sync {
    /// Writes a batch and empties it. A batch is applied whole or, after a crash, not at all.
    ///
    /// # Errors
    /// [`Error::Gap`] and [`Error::Full`] leave the log and the batch as they were; after the latter
    /// the same write succeeds once there is room. [`Error::Io`] is final: every later write fails
    /// too.
    fn write(&self, batch: &mut Batch, flush: Flush) -> Result<(), Error>;

    /// Visits entries of `range` in order until about `bytes_max` bytes were visited, at least one
    /// if there is any. Parts of the range that the group does not hold are skipped.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for an entry that cannot be read, after those before it were visited: go
    /// on behind its index to skip it. [`Error::Io`] when the device does not read one, which may
    /// pass.
    fn fetch(
        &self,
        group: GroupId,
        range: Range<u64>,
        bytes_max: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), Error>;

    /// The first and the last index the group holds, `None` when it holds none.
    fn span(&self, group: GroupId) -> Option<(u64, u64)>;

    /// The value of a key.
    fn get(&self, group: GroupId, key: &[u8]) -> Option<Vec<u8>>;

    /// All groups that hold an entry or a key, in no particular order.
    fn groups(&self) -> Vec<GroupId>;

    /// Frees the files that nobody needs any more, moving a little of what is still needed.
    /// Returns the groups that hold back most and should compact. May take long: call it from a
    /// thread that may wait.
    ///
    /// # Errors
    /// [`Error::Full`] when there is no room left to move anything. [`Error::Io`] when a file cannot
    /// be moved or removed, or the device does not read what has to move, which may pass.
    fn purge(&self) -> Result<Vec<GroupId>, Error>;

    /// Leaves little to read for the next start: begins a file, and frees all before it by moving
    /// what is needed of them, if that is at most `moved_max` bytes in all. Otherwise returns the
    /// groups that need something. Does nothing while the files hold at most `left_max` bytes, needed
    /// or not.
    ///
    /// # Errors
    /// As [`Log::purge`].
    fn pack(&self, left_max: u64, moved_max: u64) -> Result<Vec<GroupId>, Error>;
}

impl<L: Log + ?Sized> Log for Arc<L> {
    fn write(&self, batch: &mut Batch, flush: Flush) -> Result<(), Error> {
        (**self).write(batch, flush)
    }

    fn fetch(
        &self,
        group: GroupId,
        range: Range<u64>,
        bytes_max: usize,
        visit: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        (**self).fetch(group, range, bytes_max, visit)
    }

    fn span(&self, group: GroupId) -> Option<(u64, u64)> {
        (**self).span(group)
    }

    fn get(&self, group: GroupId, key: &[u8]) -> Option<Vec<u8>> {
        (**self).get(group, key)
    }

    fn groups(&self) -> Vec<GroupId> {
        (**self).groups()
    }

    fn purge(&self) -> Result<Vec<GroupId>, Error> {
        (**self).purge()
    }

    fn pack(&self, left_max: u64, moved_max: u64) -> Result<Vec<GroupId>, Error> {
        (**self).pack(left_max, moved_max)
    }
}
