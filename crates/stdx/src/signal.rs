//! A flag that wakes one task.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

/// Many threads raise it, one task waits for it. Raising a raised signal is one atomic exchange.
#[derive(Debug, Default)]
pub struct Signal {
    is_raised: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Signal {
    /// Raises the signal and wakes the waiting task, if it is not raised already.
    pub fn raise(&self) {
        if self.is_raised.swap(true, Ordering::AcqRel) {
            return;
        }
        let waker = self.slot().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lowers the signal; true when it was raised.
    pub fn take(&self) -> bool {
        self.is_raised.load(Ordering::Relaxed) && self.is_raised.swap(false, Ordering::AcqRel)
    }

    /// Lowers the signal and returns true, or arranges for the task of `ctx` to be woken.
    pub fn poll_take(&self, ctx: &mut Context<'_>) -> bool {
        if self.take() {
            return true;
        }
        {
            let mut slot = self.slot();
            if slot.as_ref().is_none_or(|waker| !waker.will_wake(ctx.waker())) {
                *slot = Some(ctx.waker().clone());
            }
        }
        // Raised between the check and the registration: do not sleep on it.
        self.take()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        // A waker is replaced whole: a poisoned lock holds nothing half-written.
        self.waker.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
