//! Bytes on their way to a socket.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// An ordered run of bytes: small ones copied together, large bodies by reference.
#[derive(Debug, Default)]
pub struct Outbox {
    inline: Vec<u8>,
    /// How much of `inline` has been written.
    start: usize,
    /// Shared pieces with the position in `inline` they stand before.
    shared: VecDeque<(usize, Bytes)>,
    shared_len: usize,
}

impl Outbox {
    /// The buffer to append copied bytes to.
    pub fn buf(&mut self) -> &mut Vec<u8> {
        &mut self.inline
    }

    /// Appends a reference to bytes that other sockets may be sending, too.
    pub fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.shared_len += bytes.len();
            self.shared.push_back((self.inline.len(), bytes));
        }
    }

    /// Bytes not yet written.
    pub fn len(&self) -> usize {
        self.inline.len() - self.start + self.shared_len
    }

    /// True when all is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `slices` with what is to be written next; returns how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        let mut at = self.start;
        for (before, bytes) in &self.shared {
            if at < *before {
                let Some(slot) = slices.get_mut(count) else { return count };
                *slot = IoSlice::new(&self.inline[at..*before]);
                count += 1;
                at = *before;
            }
            let Some(slot) = slices.get_mut(count) else { return count };
            *slot = IoSlice::new(bytes);
            count += 1;
        }
        if at < self.inline.len()
            && let Some(slot) = slices.get_mut(count)
        {
            *slot = IoSlice::new(&self.inline[at..]);
            count += 1;
        }
        count
    }

    /// Notes that the next `written` bytes have been written.
    pub fn advance(&mut self, mut written: usize) {
        while written > 0 {
            let inline_end = self.shared.front().map_or(self.inline.len(), |(before, _)| *before);
            let step = written.min(inline_end - self.start);
            self.start += step;
            written -= step;
            if written == 0 {
                break;
            }
            let Some((_, bytes)) = self.shared.front_mut() else { break };
            let step = written.min(bytes.len());
            bytes.advance(step);
            self.shared_len -= step;
            written -= step;
            if bytes.is_empty() {
                self.shared.pop_front();
            }
        }
        if self.is_empty() {
            self.inline.clear();
            self.start = 0;
            self.shared.clear();
        }
    }

    /// Gives back memory beyond `keep` bytes of an empty outbox.
    pub fn shrink(&mut self, keep: usize) {
        if self.is_empty() && self.inline.capacity() > keep {
            self.inline = Vec::new();
            self.shared = VecDeque::new();
        }
    }
}
