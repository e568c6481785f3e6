//! How far a start is, in the log, for whoever waits for it.

use std::time::{Duration, Instant};

use tracing::info;

#[cfg(test)]
mod tests;

/// What a start is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Reading every file of the log: bytes read, and those there are.
    Log { done: u64, total: u64 },
    /// Reading the queues' journals; entries so far.
    Queues(u64),
}

/// Entries of journals between two steps that are told of.
pub(crate) const ENTRIES_PER_STEP: u64 = 4096;

/// Time between two lines of the log, and until the first.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a start says of itself while it takes long.
pub(crate) struct Progress {
    next: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self::begun_at(Instant::now())
    }

    fn begun_at(now: Instant) -> Self {
        Self { next: now + INTERVAL }
    }

    /// Logs the step, if the last line is a while ago.
    pub(crate) fn show(&mut self, step: Step) {
        if let Some(line) = self.line(Instant::now(), step) {
            info!("{line}");
        }
    }

    fn line(&mut self, now: Instant, step: Step) -> Option<String> {
        if now < self.next {
            return None;
        }
        self.next = now + INTERVAL;
        let mib = |bytes: u64| bytes >> 20;
        Some(match step {
            Step::Log { done, total } => {
                format!("Recovering: {} of {} MiB of the log read", mib(done), mib(total))
            }
            Step::Queues(entries) => {
                format!("Recovering messages of queues: {entries} journal entries read")
            }
        })
    }
}
