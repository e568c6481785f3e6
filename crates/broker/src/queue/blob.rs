//! Large messages: written to the disk once, beside the journal, for all the queues of a turn.
//!
//! A blob is a page that holds the four parts of one message. Every record that names it owns one
//! reference, from the publish to the end of the message in its queue.

use bytes::Bytes;
use message::MessageRef;

use super::level::shared_image;
use super::record::SHARED_BODY_MIN;
use crate::{Lsn, PageRef, Pages};

/// Bodies become blobs from this length on: those of persistent messages when they are published, of
/// others when they leave memory. Persistent ones that go to several queues do from
/// [`SHARED_BODY_MIN`] on. In the journal they would be written once for each queue, and again with
/// each compaction; on a page of a chunk they would be copied.
pub(super) const BLOB_MIN: usize = if cfg!(test) { 4500 } else { 64 * 1024 };
/// Blobs of a turn that are remembered for its other queues. A publish goes to its queues one after
/// the other, so that one would mostly do.
const REMEMBERED_MAX: usize = 64;

/// A message that lies outside of its chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// The four parts. Empty when they lie in the blob only, or when the message is gone.
    pub(super) bytes: Bytes,
    /// Where they lie on the disk, or will once the journal is durable.
    pub(super) blob: Option<PageRef>,
}

impl Shared {
    /// A message that was found in a journal.
    pub(super) fn absent(blob: PageRef) -> Self {
        Self { bytes: Bytes::new(), blob: Some(blob) }
    }
}

/// The blobs that a turn has made.
#[derive(Default)]
pub(crate) struct Blobs {
    /// What is published goes to several queues.
    pub(crate) is_fan_out: bool,
    made: Vec<Made>,
}

struct Made {
    /// Holding it keeps its address from being used for another message.
    image: Bytes,
    blob: PageRef,
    is_attached: bool,
}

impl Blobs {
    /// The message as a record refers to it. One more reference to its blob, if it is to have one.
    pub(super) fn share(
        &mut self,
        message: &MessageRef<'_>,
        is_persistent: bool,
        pages: Option<&dyn Pages>,
    ) -> Shared {
        let bytes = shared_image(message);
        let body_min = if self.is_fan_out { SHARED_BODY_MIN } else { BLOB_MIN };
        let pages = pages.filter(|_| is_persistent && body_min <= message.body.len());
        let blob = pages.map(|pages| self.refer_to(&bytes, pages));
        Shared { bytes, blob }
    }

    fn refer_to(&mut self, image: &Bytes, pages: &dyn Pages) -> PageRef {
        let is_it = |made: &&Made| std::ptr::eq(&*made.image, &**image);
        if let Some(made) = self.made.iter().rev().find(is_it) {
            pages.retain(made.blob);
            return made.blob;
        }
        if REMEMBERED_MAX <= self.made.len() {
            self.forget(pages);
        }
        // One reference is the turn's: another queue may ask for it after the first one is through
        // with it.
        let blob = pages.reserve(image);
        pages.retain(blob);
        self.made.push(Made { image: image.clone(), blob, is_attached: false });
        blob
    }

    /// Of the attachments of a queue's entry, leaves those that no earlier entry of this turn had.
    pub(crate) fn leave_new(&mut self, attachments: &mut Vec<(PageRef, Bytes)>) {
        attachments.retain(|(blob, _)| {
            let made = self.made.iter_mut().rev().find(|made| made.blob == *blob);
            made.is_none_or(|made| !std::mem::replace(&mut made.is_attached, true))
        });
    }

    /// The turn is over.
    pub(crate) fn end(&mut self, pages: Option<&dyn Pages>) {
        self.is_fan_out = false;
        if let Some(pages) = pages {
            self.forget(pages);
        }
    }

    fn forget(&mut self, pages: &dyn Pages) {
        // No journal knows of the turn's own reference.
        self.made.drain(..).for_each(|made| pages.release(made.blob, Lsn(0)));
    }
}
