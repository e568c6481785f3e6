//! What a connection publishes by: each exchange with the queues it led to, and a number for it, so that
//! counting a publish is adding to the number's place.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use broker::QueueRef;
use indexmap::{Equivalent, IndexSet};

use crate::work::Queues;

/// Lanes of a connection, and queues of them together, above which all that was counted is handed over
/// at the end of the turn, and numbers begin anew.
const LANES_MAX: usize = 1024;
const LANE_QUEUES_MAX: usize = 64 * 1024;

/// What became of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// It went to the queues.
    Routed,
    /// It was given to whoever waits for a direct reply.
    Replied,
    /// No queue wanted it, and it went back.
    Returned,
    /// No queue wanted it.
    Dropped,
}

/// Publishes that are counted together.
pub(crate) struct Lane {
    pub(crate) exchange: Arc<str>,
    /// None unless it was [`Fate::Routed`].
    pub(crate) queues: Queues,
    pub(crate) fate: Fate,
}

/// A lane that may not be there.
struct Wanted<'a> {
    exchange: &'a str,
    queues: &'a [QueueRef],
    fate: Fate,
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.exchange.hash(state);
        self.queues.iter().for_each(|queue| Arc::as_ptr(queue).hash(state));
        self.fate.hash(state);
    }
}

impl Hash for Lane {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { exchange, queues, fate } = self;
        Wanted { exchange, queues, fate: *fate }.hash(state);
    }
}

impl Equivalent<Lane> for Wanted<'_> {
    fn equivalent(&self, lane: &Lane) -> bool {
        self.fate == lane.fate
            && *self.exchange == *lane.exchange
            && self.queues.len() == lane.queues.len()
            && self.queues.iter().zip(&lane.queues).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

impl PartialEq for Lane {
    fn eq(&self, other: &Self) -> bool {
        let Self { exchange, queues, fate } = self;
        Wanted { exchange, queues, fate: *fate }.equivalent(other)
    }
}

impl Eq for Lane {}

/// The lanes of a connection, by number.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: IndexSet<Lane, ahash::RandomState>,
    /// Queues of all lanes together.
    queues: usize,
}

impl Lanes {
    /// The number of a lane.
    pub(crate) fn number(&mut self, exchange: &Arc<str>, queues: &[QueueRef], fate: Fate) -> u32 {
        let wanted = Wanted { exchange, queues, fate };
        if let Some(number) = self.lanes.get_index_of(&wanted) {
            return number as u32;
        }
        self.queues += queues.len();
        let lane = Lane { exchange: exchange.clone(), queues: queues.into(), fate };
        self.lanes.insert_full(lane).0 as u32
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Lane> {
        self.lanes.get_index(number)
    }

    /// Whether numbers should begin anew. A single lane is no reason, however many queues it has.
    pub(crate) fn are_too_many(&self) -> bool {
        LANES_MAX < self.lanes.len() || (LANE_QUEUES_MAX < self.queues && 1 < self.lanes.len())
    }
}
