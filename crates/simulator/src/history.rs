//! What happened, line by line, and what came of it.

use std::panic::catch_unwind;

use stdx::Timestamp;

use crate::ledger::Coverage;
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
    /// What happened in quorum queues.
    pub quorum: Coverage,
}

/// Runs the history of a seed. A panic is something that must not happen, too.
#[must_use]
pub fn run(seed: u64) -> Outcome {
    catch_unwind(|| World::new(seed).run()).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("for no reason");
        Outcome {
            seed,
            history: History::default(),
            violations: vec![format!("it panicked: {text}")],
            confirmed: 0,
            restarts: 0,
            quorum: Coverage::default(),
        }
    })
}
