//! Who asks. Calls block, so whoever asks is known by the thread.

use std::cell::RefCell;
use std::sync::Arc;

/// Who runs the command line tools, in RabbitMQ's words.
const CLI_USER: &str = "rmq-cli";

thread_local! {
    static ACTOR: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Forgets the user when the call has ended, however it did.
struct Reset;

impl Drop for Reset {
    fn drop(&mut self) {
        ACTOR.set(None);
    }
}

/// Asks on behalf of a user.
pub fn on_behalf_of<R>(user: &str, ask: impl FnOnce() -> R) -> R {
    ACTOR.set(Some(user.into()));
    let _reset = Reset;
    ask()
}

/// The user on whose behalf this thread asks; otherwise the one of the command line.
pub fn actor() -> Arc<str> {
    ACTOR.with_borrow(Option::clone).unwrap_or_else(|| CLI_USER.into())
}
