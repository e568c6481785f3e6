//! Waits until the journal is on the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Batch, Broker, ConsumerKey, Event, Intake, Lsn, Mailbox, QueueRef};
use parking_lot::{Condvar, Mutex};

/// Waits until `lsn` is durable, for `limit` at most; false when it is not by then, or when the
/// journal has failed.
pub(super) fn wait(broker: &Broker, lsn: Lsn, limit: Duration) -> bool {
    let sleeper = Arc::new(Sleeper::default());
    let deadline = Instant::now() + limit;
    if lsn <= broker.durable() {
        return true;
    }
    broker.notify_durable(lsn, sleeper.clone());
    let mut state = sleeper.state.lock();
    loop {
        if lsn <= broker.durable() {
            return true;
        }
        let is_late =
            !state.is_awake && sleeper.changed.wait_until(&mut state, deadline).timed_out();
        if state.has_failed || is_late {
            return false;
        }
        state.is_awake = false;
    }
}

/// A mailbox of somebody who has no connection.
#[derive(Default)]
struct Sleeper {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_awake: bool,
    has_failed: bool,
}

impl Mailbox for Sleeper {
    fn deliver(&self, _: ConsumerKey, _: &QueueRef, _: &Batch<'_>) -> Intake {
        Intake { taken: 0, is_full: true }
    }

    fn deliver_reply(&self, _: ConsumerKey, _: &message::MessageRef<'_>) -> bool {
        false
    }

    fn post(&self, event: Event) {
        if matches!(event, Event::JournalFailed) {
            self.state.lock().has_failed = true;
        }
    }

    fn wake(&self) {
        self.state.lock().is_awake = true;
        self.changed.notify_all();
    }
}
