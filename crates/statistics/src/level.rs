//! Samples of some values at one interval, packed.
//!
//! A sample is how much each value has changed since the one before: a header (bit 0: the gap follows,
//! bits above: which values changed), the gap in intervals if it is not 1, then the changes, zigzag
//! encoded. All are variable-length numbers of 7 bits a byte, so that a sample of a quiet object takes 2 to
//! 5 bytes. An interval without a change has no sample.

use crate::retention::{Moment, Retention};

/// Room is added in steps of so many bytes: doubling would leave half of it unused.
const GROWTH: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Level<const N: usize> {
    /// As of the newest sample.
    values: [u64; N],
    bytes: Vec<u8>,
    /// Intervals of the first and the last sample; of no meaning without any.
    oldest: u32,
    newest: u32,
    /// Where the last one begins.
    newest_at: u32,
}

/// One sample, unpacked.
struct Sample<const N: usize> {
    gap: u32,
    changes: [i64; N],
    len: usize,
}

impl<const N: usize> Level<N> {
    pub(crate) fn new(values: [u64; N]) -> Self {
        Self { values, bytes: Vec::new(), oldest: 0, newest: 0, newest_at: 0 }
    }

    /// Nothing changed for as long as samples are kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn values(&self) -> &[u64; N] {
        &self.values
    }

    /// Takes a sample if an interval has begun since the previous moment.
    pub(crate) fn sample(&mut self, values: &[u64; N], moment: Moment, kept: Retention) {
        let tick = kept.tick(moment.now_ms);
        if tick == kept.tick(moment.previous_ms) {
            return;
        }
        self.forget_before(tick.saturating_sub(kept.ticks()));
        // A clock that was set back takes none until it is where it was.
        if self.values == *values || (!self.is_empty() && tick <= self.newest) {
            return;
        }
        self.push(tick, values);
    }

    fn push(&mut self, tick: u32, values: &[u64; N]) {
        let gap = if self.is_empty() { 1 } else { tick - self.newest };
        if self.is_empty() {
            self.oldest = tick;
        }
        let mut header = u64::from(gap != 1);
        for (index, (new, old)) in values.iter().zip(&self.values).enumerate() {
            header |= u64::from(new != old) << (index + 1);
        }
        let room = self.bytes.capacity() - self.bytes.len();
        if room < GROWTH {
            self.bytes.reserve_exact(GROWTH);
        }
        self.newest_at = self.bytes.len() as u32;
        put(&mut self.bytes, header);
        if gap != 1 {
            put(&mut self.bytes, u64::from(gap));
        }
        for (new, old) in values.iter().zip(&self.values).filter(|(new, old)| new != old) {
            let change = new.wrapping_sub(*old) as i64;
            put(&mut self.bytes, ((change << 1) ^ (change >> 63)) as u64);
        }
        self.newest = tick;
        self.values = *values;
    }

    /// Forgets samples of intervals before this one.
    fn forget_before(&mut self, tick: u32) {
        if self.is_empty() || tick <= self.oldest {
            return;
        }
        if self.newest < tick {
            self.bytes = Vec::new();
            return;
        }
        let mut at = 0;
        while self.oldest < tick {
            at += self.read(at).len;
            self.oldest += self.read(at).gap;
        }
        self.bytes.drain(..at);
        self.newest_at -= at as u32;
    }

    fn read(&self, at: usize) -> Sample<N> {
        let mut bytes = self.bytes[at..].iter();
        let before = bytes.len();
        let header = take(&mut bytes);
        let gap = if header & 1 == 0 { 1 } else { take(&mut bytes) as u32 };
        let mut changes = [0; N];
        for (index, change) in changes.iter_mut().enumerate() {
            if header >> (index + 1) & 1 == 1 {
                let packed = take(&mut bytes);
                *change = (packed >> 1) as i64 ^ -((packed & 1) as i64);
            }
        }
        Sample { gap, changes, len: before - bytes.len() }
    }

    /// How much each value changed in the interval that began with `moment`.
    pub(crate) fn change_at(&self, moment: Moment, kept: Retention) -> [i64; N] {
        if self.is_empty() || self.newest != kept.tick(moment.now_ms) {
            return [0; N];
        }
        self.read(self.newest_at as usize).changes
    }

    /// The values as they were at each of `times` (milliseconds, growing): those of the sample before.
    pub(crate) fn values_at(&self, times: &[u64], kept: Retention) -> Vec<[u64; N]> {
        let mut values = self.values_before();
        let mut shown = Vec::with_capacity(times.len());
        let (mut at, mut tick) = (0, self.oldest);
        for &time in times {
            while at < self.bytes.len() && u64::from(tick) * kept.interval_ms() <= time {
                let sample = self.read(at);
                add(&mut values, &sample.changes);
                at += sample.len;
                if at < self.bytes.len() {
                    tick += self.read(at).gap;
                }
            }
            shown.push(values);
        }
        shown
    }

    /// Before the first sample.
    fn values_before(&self) -> [u64; N] {
        let mut values = self.values;
        let mut at = 0;
        while at < self.bytes.len() {
            let sample = self.read(at);
            add(&mut values, &sample.changes.map(i64::wrapping_neg));
            at += sample.len;
        }
        values
    }

    #[cfg(test)]
    pub(crate) fn bytes_len(&self) -> usize {
        self.bytes.capacity()
    }
}

fn add<const N: usize>(values: &mut [u64; N], changes: &[i64; N]) {
    for (value, change) in values.iter_mut().zip(changes) {
        *value = value.wrapping_add_signed(*change);
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What [`put`] wrote.
fn take(bytes: &mut std::slice::Iter<'_, u8>) -> u64 {
    let mut number = 0;
    for (index, byte) in bytes.by_ref().enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}
