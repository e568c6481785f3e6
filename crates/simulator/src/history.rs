//! What happened, line by line, and what came of it.

use stdx::Timestamp;

use crate::world::World;

/// The lines of one run.
#[derive(Debug, Default)]
pub struct History {
    /// `time who what`, oldest first.
    pub lines: Vec<String>,
}

impl History {
    pub(crate) fn note(&mut self, now: Timestamp, who: &str, what: &str) {
        self.lines.push(format!("{:>7} {who}: {what}", now.0));
    }
}

/// What one seed came to.
#[derive(Debug)]
pub struct Outcome {
    /// The seed, to run it again.
    pub seed: u64,
    /// All that happened.
    pub history: History,
    /// What must not have happened; empty when all is well.
    pub violations: Vec<String>,
    /// Messages confirmed.
    pub confirmed: u64,
    /// Times the node came back after a stop, a kill or a power cut.
    pub restarts: u32,
}

/// Runs the history of a seed.
#[must_use]
pub fn run(seed: u64) -> Outcome {
    World::new(seed).run()
}
