//! The seam to where backlogs lie that outgrew memory.

use crate::Lsn;

/// A run of bytes on disk: written once, never changed, found by this alone. Which pages there are
/// stands in the queues' journals; what they do not name is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageRef {
    /// Where it begins, in units that the store chooses.
    pub block: u32,
    /// Bytes.
    pub len: u32,
    /// CRC-32 of the bytes.
    pub check: u32,
}

impl PageRef {
    /// Bytes of a reference in files.
    pub const ENCODED_LEN: usize = 12;

    /// As it stands in files: the three words, little-endian.
    pub fn encode(self) -> [u8; Self::ENCODED_LEN] {
        let mut bytes = [0; Self::ENCODED_LEN];
        bytes[..4].copy_from_slice(&self.block.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..].copy_from_slice(&self.check.to_le_bytes());
        bytes
    }

    /// Reads what [`PageRef::encode`] wrote off the front of `bytes`; `None` when it is cut off.
    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut word = || {
            let word = bytes.split_off(..4).and_then(<[u8]>::first_chunk);
            word.map(|word| u32::from_le_bytes(*word))
        };
        Some(Self { block: word()?, len: word()?, check: word()? })
    }
}

/// A page that is not what was written, or that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} at byte {offset}: {reason}")]
pub struct PageDamage {
    /// The file it lies in.
    pub file: String,
    /// Where in the file it begins.
    pub offset: u64,
    /// What is wrong.
    pub reason: String,
    /// What was written is not there any more. Otherwise the device did not read, which says
    /// nothing of what it holds: the next time it may.
    pub is_lost: bool,
}

/// Reads pages, and keeps the books of their room. A leaf in the lock order.
///
/// Reading is the one thing that touches the disk with a queue locked: see
/// `docs/adr/0006-backlogs-in-pages.md`.
pub trait Pages: Send + Sync {
    /// Reserves room for `bytes`. Whoever asks has them written before anything that survives a
    /// crash names the page. Writes nothing itself.
    fn reserve(&self, bytes: &[u8]) -> PageRef;

    /// Appends the page's bytes to `out` and checks them. With damage, `out` holds what was found,
    /// which may be nothing, a part, or bytes of which some are wrong.
    fn read(&self, page: PageRef, out: &mut Vec<u8>) -> Result<(), PageDamage>;

    /// The page is about to be read.
    fn will_need(&self, page: PageRef);

    /// One reference more: the page takes one [`Pages::release`] more.
    fn retain(&self, page: PageRef);

    /// One reference less. The room of a page without any is free once `after` is durable: earlier, a
    /// crash could bring a reference back to what is another page by then.
    fn release(&self, page: PageRef, after: Lsn);
}
