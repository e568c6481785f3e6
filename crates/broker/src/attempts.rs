//! Who tried to log in, and how that went.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use ahash::AHashMap;
use parking_lot::Mutex;
use statistics::{AuthAttempts, AuthSource};

use crate::Broker;

/// Addresses and users that are told apart; who comes after them is counted by protocol only. RabbitMQ
/// has no such limit, and for that reason warns of tracking them.
const SOURCES_MAX: usize = 10_000;

/// Bytes of a user's name from which on it is counted by protocol only: anybody may claim any name.
const USER_MAX: usize = 256;

/// See the module. A leaf in the lock order.
#[derive(Default)]
pub(crate) struct AuthBook {
    inner: Mutex<Inner>,
    tracks_sources: AtomicBool,
}

#[derive(Default)]
struct Inner {
    by_protocol: AHashMap<&'static str, Tally>,
    by_source: AHashMap<(IpAddr, Box<str>, &'static str), Tally>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    succeeded: u64,
    failed: u64,
}

impl Tally {
    fn count(&mut self, is_success: bool) {
        let counter = if is_success { &mut self.succeeded } else { &mut self.failed };
        *counter += 1;
    }
}

impl Broker {
    /// Somebody tried to log in over `protocol` (`amqp091`, `http`, ...) as `user`, which is empty when
    /// it is not known.
    pub fn note_auth_attempt(
        &self,
        protocol: &'static str,
        address: IpAddr,
        user: &str,
        is_success: bool,
    ) {
        let mut inner = self.auth_book.inner.lock();
        inner.by_protocol.entry(protocol).or_default().count(is_success);
        if !self.tracks_auth_sources() || USER_MAX <= user.len() {
            return;
        }
        let key = (address, Box::from(user), protocol);
        if inner.by_source.len() < SOURCES_MAX || inner.by_source.contains_key(&key) {
            inner.by_source.entry(key).or_default().count(is_success);
        }
    }

    /// Attempts to log in since the node started or they were forgotten, by protocol.
    pub fn auth_attempts(&self) -> Vec<AuthAttempts> {
        let inner = self.auth_book.inner.lock();
        let rows = inner.by_protocol.iter().map(|(&protocol, tally)| row(protocol, None, *tally));
        sorted(rows.collect())
    }

    /// The same by address and user, while [that is wanted](Self::track_auth_sources).
    pub fn auth_attempts_by_source(&self) -> Vec<AuthAttempts> {
        let inner = self.auth_book.inner.lock();
        let rows = inner.by_source.iter().map(|((address, user, protocol), tally)| {
            let source = AuthSource { address: *address, user: user.to_string() };
            row(protocol, Some(source), *tally)
        });
        sorted(rows.collect())
    }

    /// Forgets all attempts.
    pub fn forget_auth_attempts(&self) {
        *self.auth_book.inner.lock() = Inner::default();
    }

    /// Begins or ends to tell apart where attempts come from. Off at first.
    pub fn track_auth_sources(&self, is_on: bool) {
        self.auth_book.tracks_sources.store(is_on, Ordering::Relaxed);
    }

    /// Whether it is told apart where attempts come from.
    pub fn tracks_auth_sources(&self) -> bool {
        self.auth_book.tracks_sources.load(Ordering::Relaxed)
    }
}

fn row(protocol: &'static str, source: Option<AuthSource>, tally: Tally) -> AuthAttempts {
    let Tally { succeeded, failed } = tally;
    AuthAttempts { protocol, source, succeeded, failed }
}

fn sorted(mut rows: Vec<AuthAttempts>) -> Vec<AuthAttempts> {
    rows.sort_unstable_by(|a, b| (a.protocol, &a.source).cmp(&(b.protocol, &b.source)));
    rows
}
