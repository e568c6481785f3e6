//! The one clock.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use stdx::Timestamp;

/// The time in milliseconds since the epoch, read from the wall once and monotonic from then on,
/// so that no timer ever runs backwards.
pub fn now() -> Timestamp {
    static START: OnceLock<(Instant, u64)> = OnceLock::new();
    let (start, at) = START.get_or_init(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (Instant::now(), wall.as_millis() as u64)
    });
    Timestamp(at + start.elapsed().as_millis() as u64)
}
