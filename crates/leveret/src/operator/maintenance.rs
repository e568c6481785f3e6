//! Keeping clients out while the process goes on: maintenance mode and the stopped application.

use std::sync::Arc;

use broker::Broker;
use net::Accepted;
use operator::{Answer, Refusal};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::listeners::Listeners;
use crate::server::{SHUTDOWN, say_goodbye};

/// What clients are told when maintenance begins.
const MAINTENANCE: &str = "Node was put into maintenance mode";

/// Whether clients may come in, and the means to keep them out. Its calls block: they are for
/// threads that may.
pub(super) struct Maintenance {
    broker: Arc<Broker>,
    listeners: Arc<Listeners<Accepted>>,
    runtime: Handle,
    state: Mutex<State>,
    /// Held by who changes the listeners, so that no two do at once.
    change: Mutex<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_on: bool,
    is_app_stopped: bool,
}

impl Maintenance {
    /// For a node that clients may use. Must be made inside the runtime.
    pub(super) fn new(broker: Arc<Broker>, listeners: Arc<Listeners<Accepted>>) -> Self {
        let (state, change) = (Mutex::default(), Mutex::default());
        Self { broker, listeners, runtime: Handle::current(), state, change }
    }

    pub(super) fn is_on(&self) -> bool {
        self.state.lock().is_on
    }

    pub(super) fn is_app_stopped(&self) -> bool {
        self.state.lock().is_app_stopped
    }

    pub(super) fn drain(&self) {
        let _change = self.change.lock();
        self.state.lock().is_on = true;
        self.keep_out(MAINTENANCE);
    }

    pub(super) fn revive(&self) -> Answer<()> {
        let _change = self.change.lock();
        self.state.lock().is_on = false;
        if self.is_app_stopped() { Ok(()) } else { self.let_in() }
    }

    pub(super) fn stop_app(&self) {
        let _change = self.change.lock();
        // A start ends maintenance, as a restart does.
        *self.state.lock() = State { is_on: false, is_app_stopped: true };
        self.keep_out(SHUTDOWN);
    }

    pub(super) fn start_app(&self) -> Answer<()> {
        let _change = self.change.lock();
        self.let_in()?;
        self.state.lock().is_app_stopped = false;
        Ok(())
    }

    fn keep_out(&self, reason: &str) {
        self.runtime.block_on(async {
            self.listeners.close().await;
            say_goodbye(&self.broker, reason).await;
        });
    }

    fn let_in(&self) -> Answer<()> {
        self.listeners
            .reopen(&self.runtime)
            .map_err(|error| Refusal::Unavailable(format!("{error:#}")))
    }
}
