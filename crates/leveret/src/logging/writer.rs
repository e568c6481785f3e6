//! Log lines on their way to a terminal, a pipe or a file, which may take them late or never. Nobody
//! waits for that: what does not fit is lost, and the log says how much it was.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Unwritten log lines, in bytes; what comes beyond is lost.
const UNWRITTEN_MAX: usize = 1024 * 1024;

/// Memory that an idle output keeps, in bytes.
const KEPT_MAX: usize = 16 * 1024;

/// Longest wait for the last lines when the server ends.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// One output of the log and the thread that writes to it. Clones write to the same.
#[derive(Clone)]
pub(super) struct LogWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    has_lines: Condvar,
    is_written: Condvar,
}

#[derive(Default)]
struct State {
    unwritten: Vec<u8>,
    /// Lines that found no room, or that the output refused, since it was last said.
    lost: u64,
    is_writing: bool,
}

impl LogWriter {
    /// Starts the thread. `report` makes the line that says how many lines were lost.
    pub(super) fn start(
        output: impl Write + Send + 'static,
        report: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let writer = Self(shared.clone());
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.run(output, report))?;
        Ok(writer)
    }

    /// Appends lines as they are, or loses them.
    pub(super) fn print(&self, lines: &[u8]) {
        let mut state = self.0.state.lock();
        if UNWRITTEN_MAX < state.unwritten.len() + lines.len() {
            state.lost += count(lines);
            return;
        }
        state.unwritten.extend_from_slice(lines);
        drop(state);
        self.0.has_lines.notify_one();
    }

    /// Waits until all is written, but not for ever.
    pub(super) fn flush(&self) {
        let mut state = self.0.state.lock();
        let is_busy = |state: &mut State| state.is_writing || !state.unwritten.is_empty();
        self.0.is_written.wait_while_for(&mut state, is_busy, FLUSH_MAX);
    }
}

impl Shared {
    fn run(&self, mut output: impl Write, report: impl Fn(u64) -> String) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.state.lock();
            state.is_writing = false;
            self.is_written.notify_all();
            self.has_lines.wait_while(&mut state, |state| state.unwritten.is_empty());
            state.is_writing = true;
            std::mem::swap(&mut state.unwritten, &mut lines);
            drop(state);
            let is_written = output.write_all(&lines).is_ok();
            let mut state = self.state.lock();
            if !is_written {
                state.lost += count(&lines);
            } else if state.lost != 0 {
                // They came after all that waits: there was no room for them behind it.
                let said = report(std::mem::take(&mut state.lost));
                state.unwritten.extend(said.into_bytes());
            }
            drop(state);
            lines.clear();
            lines.shrink_to(KEPT_MAX);
        }
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests;
