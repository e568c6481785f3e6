//! One life of the broker: what its clients share, from the start to the kill.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use lapin::{Connection, ConnectionProperties};
use simulator::Ledger;
use tokio::sync::watch;

use crate::control::ControlLedger;

/// What clients know, and how they are told to end.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) ledger: Mutex<Ledger>,
    changed: Condvar,
    pub(crate) control: Mutex<ControlLedger>,
    is_killed: watch::Sender<bool>,
    is_under_load: AtomicBool,
}

/// A client's view of the round.
#[derive(Clone)]
pub(crate) struct Round {
    pub(crate) number: u32,
    pub(crate) address: String,
    pub(crate) shared: Arc<Shared>,
}

/// When the broker is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KillAt {
    /// This many events after the start, while clients look at what is there.
    Inspection(u64),
    /// This many events after the load began.
    Load(u64),
    /// Not before clients have looked at everything.
    Inspected,
}

impl Round {
    pub(crate) fn new(number: u32, address: String, shared: &Arc<Shared>) -> Self {
        shared.is_killed.send_replace(false);
        shared.is_under_load.store(false, Ordering::Release);
        Self { number, address, shared: shared.clone() }
    }

    /// Changes the ledger, and lets the killer count.
    pub(crate) fn note<R>(&self, change: impl FnOnce(&mut Ledger) -> R) -> R {
        let result = change(&mut self.ledger());
        self.shared.changed.notify_all();
        result
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger.lock().expect("no client panicked")
    }

    pub(crate) fn control(&self) -> MutexGuard<'_, ControlLedger> {
        self.shared.control.lock().expect("no client panicked")
    }

    pub(crate) fn is_killed(&self) -> bool {
        *self.shared.is_killed.borrow()
    }

    /// Ends with the broker: a client of a dead one may wait for ever.
    pub(crate) async fn killed(&self) {
        let mut is_killed = self.shared.is_killed.subscribe();
        // The sender lives as long as the round.
        let _ = is_killed.wait_for(|&it| it).await;
    }

    pub(crate) fn begin_load(&self) {
        self.note(|_| self.shared.is_under_load.store(true, Ordering::Release));
    }

    /// Something a client saw that must not be. What a killed broker does to its clients is fine.
    pub(crate) fn complain(&self, text: String) {
        if !self.is_killed() {
            self.note(|ledger| ledger.violations.push(text));
        }
    }

    /// Waits for the moment of the kill, and announces it.
    pub(crate) fn await_kill(&self, at: KillAt) {
        let is_under_load = || self.shared.is_under_load.load(Ordering::Acquire);
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut ledger = self.ledger();
        let start = ledger.events;
        let mut load_start = None;
        loop {
            if is_under_load() && load_start.is_none() {
                load_start = Some(ledger.events);
            }
            let is_due = match at {
                KillAt::Inspection(count) => start + count <= ledger.events || is_under_load(),
                KillAt::Load(count) => load_start.is_some_and(|it| it + count <= ledger.events),
                KillAt::Inspected => is_under_load(),
            };
            if is_due || !ledger.violations.is_empty() {
                break;
            }
            if deadline < Instant::now() {
                ledger.violations.push(format!("the clients stopped short of {at:?}"));
                break;
            }
            let tick = Duration::from_millis(100);
            ledger = self.shared.changed.wait_timeout(ledger, tick).expect("no client panicked").0;
        }
        self.shared.is_killed.send_replace(true);
    }

    /// A connection of lapin's.
    pub(crate) async fn connect(&self) -> lapin::Result<Connection> {
        let uri = format!("amqp://guest:guest@{}/%2f", self.address);
        Connection::connect(&uri, ConnectionProperties::default()).await
    }
}
