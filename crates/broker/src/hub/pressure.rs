//! Room for bodies whose end has not arrived.
//!
//! Who sends large bodies on many channels of many connections at once would have the broker hold
//! them all in halves. A body that comes in pieces takes its announced size from a room that all
//! connections share, before any of it is kept. Where there is none, its connection waits for its
//! turn, unread: the first of those who wait is woken when a body ends, and goes on after a while in
//! any case, for the room may be held by bodies that never end, or by its own on other channels.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use stdx::Timestamp;
use topology::ConnectionId;

use super::Broker;
use crate::MailboxRef;

/// Longest time that the first of those who wait does, in ms.
const TURN_MS: u64 = 1000;

/// See the module. A leaf in the lock order.
pub(crate) struct Bodies {
    /// Bytes that bodies may take together. One alone may take more.
    max: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    taken: u64,
    /// One entry at most for each connection.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    connection: ConnectionId,
    mailbox: MailboxRef,
    /// Known once it is the first.
    goes_on_at: Option<Timestamp>,
}

/// Room that a body has taken; it is given back with this value.
pub struct BodyRoom {
    bodies: Arc<Bodies>,
    bytes: u64,
}

/// There is no room. The connection is woken when it may ask again, and should ask again by itself
/// at this instant, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// When the connection may go on in any case.
    pub ask_at: Option<Timestamp>,
}

impl Bodies {
    pub(crate) fn new(max: u64) -> Self {
        Self { max, inner: Mutex::default() }
    }
}

impl Inner {
    fn first(&self) -> Option<MailboxRef> {
        self.waiting.front().map(|it| it.mailbox.clone())
    }
}

impl Broker {
    /// Takes room for a body of `bytes` bytes of which nothing is kept yet. Who finds none stands in
    /// the queue until it asks again or leaves.
    pub fn take_body_room(
        &self,
        now: Timestamp,
        connection: ConnectionId,
        mailbox: impl FnOnce() -> MailboxRef,
        bytes: u64,
    ) -> Result<BodyRoom, NoRoom> {
        let mut inner = self.bodies.inner.lock();
        let place = inner.waiting.iter().position(|it| it.connection == connection);
        if place.unwrap_or(inner.waiting.len()) == 0 {
            let has_room = inner.taken == 0 || inner.taken.saturating_add(bytes) <= self.bodies.max;
            let first = inner.waiting.front().and_then(|it| it.goes_on_at);
            if has_room || first.is_some_and(|at| at <= now) {
                inner.waiting.pop_front();
                inner.taken = inner.taken.saturating_add(bytes);
                wake(inner.first(), inner);
                return Ok(BodyRoom { bodies: self.bodies.clone(), bytes });
            }
        }
        if place.is_none() {
            let waiting = Waiting { connection, mailbox: mailbox(), goes_on_at: None };
            inner.waiting.push_back(waiting);
        }
        let first = inner.waiting.front_mut().filter(|it| it.connection == connection);
        let ask_at = first.map(|it| *it.goes_on_at.get_or_insert(now.plus_ms(TURN_MS)));
        Err(NoRoom { ask_at })
    }

    /// The connection does not wait for room any more.
    pub fn leave_body_room(&self, connection: ConnectionId) {
        let mut inner = self.bodies.inner.lock();
        let Some(place) = inner.waiting.iter().position(|it| it.connection == connection) else {
            return;
        };
        inner.waiting.remove(place);
        let first = if place == 0 { inner.first() } else { None };
        wake(first, inner);
    }
}

impl Drop for BodyRoom {
    fn drop(&mut self) {
        let mut inner = self.bodies.inner.lock();
        inner.taken -= self.bytes;
        wake(inner.first(), inner);
    }
}

impl std::fmt::Debug for BodyRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "room for {} bytes", self.bytes)
    }
}

/// Wakes a mailbox, once the lock is released.
fn wake(mailbox: Option<MailboxRef>, inner: parking_lot::MutexGuard<'_, Inner>) {
    drop(inner);
    if let Some(mailbox) = mailbox {
        mailbox.wake();
    }
}
