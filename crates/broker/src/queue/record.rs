//! How one message lies in a chunk and in the journal: a fixed header, then its four parts.

use message::MessageRef;

use crate::PageRef;

/// Bytes of the fixed header. The layout is the journal's file format: little-endian
/// seq u64, expires_at u64, flags u8, level u8, exchange_len u8, routing_key_len u8,
/// properties_len u32, body_len u32, entry u32.
pub(super) const HEADER_LEN: usize = 32;

/// A body from this length on is kept as a reference-counted image beside the chunk, so that
/// queues and sockets share one copy of it.
pub(super) const SHARED_BODY_MIN: usize = 4096;

/// The four parts together are shared from this length on, whatever the body: a record must fit
/// into a chunk.
pub(super) const SHARED_MESSAGE_MIN: usize = 16 * 1024;

/// Survives a restart: `delivery_mode` 2 in a durable queue.
pub(super) const PERSISTENT: u8 = 1;
/// In a chunk: the parts lie in the chunk's list of images; a `u32` index follows the header. In the
/// journal: they are a blob; its [`PageRef`] follows the header.
pub(super) const SHARED: u8 = 1 << 1;
/// Was handed to a consumer before and came back.
pub(super) const REDELIVERED: u8 = 1 << 2;
/// Left the queue; its bytes wait for their chunk to be freed.
pub(super) const DEAD: u8 = 1 << 3;
/// With a consumer, or dead-lettered and waiting for [`super::Queue::forget`].
pub(super) const UNACKED: u8 = 1 << 4;
/// See [`message::History`].
pub(super) const DEAD_LETTERED: u8 = 1 << 5;
/// See [`message::History`].
pub(super) const FAILED: u8 = 1 << 6;
/// See [`message::History`].
pub(super) const KEY_ONLY: u8 = 1 << 7;

const FLAGS_AT: usize = 16;
const ENTRY_AT: usize = 28;

/// The facts in front of a message's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Position in the queue, unique within it, growing with each publish.
    pub(super) seq: u64,
    /// Milliseconds since the epoch, 0 for never.
    pub(super) expires_at: u64,
    pub(super) flags: u8,
    /// The priority it is queued under: already clamped to the queue's maximum.
    pub(super) level: u8,
    pub(super) exchange_len: u8,
    pub(super) routing_key_len: u8,
    pub(super) properties_len: u32,
    pub(super) body_len: u32,
    /// Low half of the number of the journal entry that holds the record.
    pub(super) entry: u32,
}

impl Header {
    pub(super) fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Length of exchange, routing key, properties and body together.
    #[inline]
    pub(super) fn parts_len(&self) -> usize {
        self.exchange_len as usize
            + self.routing_key_len as usize
            + self.properties_len as usize
            + self.body_len as usize
    }

    /// Bytes the record takes in its chunk.
    #[inline]
    pub(super) fn len_in_chunk(&self) -> usize {
        HEADER_LEN + if self.is(SHARED) { 4 } else { self.parts_len() }
    }

    /// Bytes the record takes in the journal, where a shared one names the blob that its parts are.
    pub(super) fn len_in_journal(&self) -> usize {
        HEADER_LEN + if self.is(SHARED) { PageRef::ENCODED_LEN } else { self.parts_len() }
    }

    #[inline]
    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.expires_at.to_le_bytes());
        bytes[FLAGS_AT] = self.flags;
        bytes[17] = self.level;
        bytes[18] = self.exchange_len;
        bytes[19] = self.routing_key_len;
        bytes[20..24].copy_from_slice(&self.properties_len.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.body_len.to_le_bytes());
        bytes[ENTRY_AT..32].copy_from_slice(&self.entry.to_le_bytes());
        bytes
    }

    /// Reads the header at `offset`; `None` when it does not fit.
    #[inline]
    pub(super) fn read(bytes: &[u8], offset: usize) -> Option<Self> {
        let b: &[u8; HEADER_LEN] = bytes.get(offset..)?.first_chunk()?;
        let u64_at = |at: usize| {
            u64::from_le_bytes(*b[at..].first_chunk().expect("eight bytes of a fixed array"))
        };
        let u32_at = |at: usize| {
            u32::from_le_bytes(*b[at..].first_chunk().expect("four bytes of a fixed array"))
        };
        Some(Self {
            seq: u64_at(0),
            expires_at: u64_at(8),
            flags: b[FLAGS_AT],
            level: b[17],
            exchange_len: b[18],
            routing_key_len: b[19],
            properties_len: u32_at(20),
            body_len: u32_at(24),
            entry: u32_at(ENTRY_AT),
        })
    }

    /// Splits `parts` into the message they are. `parts` is exactly as long as the header says.
    #[inline]
    pub(super) fn split<'a>(&self, parts: &'a [u8]) -> MessageRef<'a> {
        let (exchange, rest) = parts.split_at(self.exchange_len as usize);
        let (routing_key, rest) = rest.split_at(self.routing_key_len as usize);
        let (properties, body) = rest.split_at(self.properties_len as usize);
        MessageRef { exchange, routing_key, properties, body, image: None }
    }
}

/// Sets and clears flags of the record at `offset`.
pub(super) fn update_flags(bytes: &mut [u8], offset: usize, set: u8, clear: u8) {
    let flags = &mut bytes[offset + FLAGS_AT];
    *flags = (*flags & !clear) | set;
}

/// Notes which journal entry holds the record at `offset`.
pub(super) fn set_entry(bytes: &mut [u8], offset: usize, entry: u64) {
    let at = offset + ENTRY_AT;
    bytes[at..at + 4].copy_from_slice(&(entry as u32).to_le_bytes());
}
