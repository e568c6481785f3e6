//! What the standard library could have had. Knows no word of a broker's language.
#![forbid(unsafe_code)]

mod queue;
mod signal;

pub use queue::{push_snugly, shrink_sparse};
pub use signal::Signal;

/// Milliseconds since the Unix epoch, handed in from outside wherever time matters.
///
/// The core has no clock: whoever drives it reads one once per turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This instant plus `ms` milliseconds, stopping at the end of time instead of wrapping.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant, 0 when `earlier` is later.
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
