//! What channels did, on its way to those who make statistics of it.
//!
//! Channels count for themselves, behind their connection's lock. Here it is kept who has something to
//! tell, so that nobody asks twenty thousand connections that have nothing, and what those left behind
//! who are gone.

use std::sync::atomic::{AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::Mutex;
use statistics::{Churn, Traffic};
use topology::ConnectionId;

use crate::{Broker, MailboxRef};

/// Rows kept of channels that are gone, one by one; of those that come after, only the sums by vhost.
const ROWS_MAX: usize = 64 * 1024;

/// Rows of such sums of a vhost that are kept: more names than that are not counted.
const SUM_ROWS_MAX: usize = 64 * 1024;

/// See the module. Both locks are leaves.
#[derive(Default)]
pub(crate) struct Counting {
    /// Open connections that have counted something.
    connections: Mutex<AHashMap<ConnectionId, MailboxRef>>,
    remains: Mutex<Remains>,
}

/// What channels left behind.
#[derive(Default)]
struct Remains {
    channels: Vec<Traffic>,
    /// Of `channels`, a row more for each of them.
    rows: usize,
    /// What was too much for that: one for each vhost and protocol.
    sums: Vec<Sum>,
}

struct Sum {
    traffic: Traffic,
    /// Rows at which names are to be listed once again.
    merge_at: usize,
}

impl Remains {
    fn add(&mut self, traffic: Traffic, was_heard_of: bool) {
        let rows = 1 + traffic.rows();
        if self.rows + rows <= ROWS_MAX {
            self.rows += rows;
            return self.channels.push(traffic);
        }
        if was_heard_of && traffic.is_closed {
            // Not more of these than channels that were open when statistics were made last.
            self.channels.push(Traffic {
                channel: traffic.channel,
                vhost: traffic.vhost.clone(),
                protocol: traffic.protocol,
                is_closed: true,
                ..Traffic::default()
            });
        }
        self.add_up(traffic);
    }

    fn add_up(&mut self, traffic: Traffic) {
        let is_same = |sum: &Sum| {
            sum.traffic.vhost == traffic.vhost && sum.traffic.protocol == traffic.protocol
        };
        let place = self.sums.iter().position(is_same).unwrap_or_else(|| {
            let (vhost, protocol) = (traffic.vhost.clone(), traffic.protocol);
            let traffic = Traffic { vhost, protocol, is_closed: true, ..Traffic::default() };
            self.sums.push(Sum { traffic, merge_at: SUM_ROWS_MAX / 64 });
            self.sums.len() - 1
        });
        self.sums[place].add(traffic);
    }

    fn take(&mut self) -> impl Iterator<Item = Traffic> + use<> {
        let Self { channels, sums, .. } = std::mem::take(self);
        let sums = sums.into_iter().map(|mut sum| {
            sum.traffic.merge_rows();
            sum.traffic
        });
        channels.into_iter().chain(sums)
    }
}

impl Sum {
    fn add(&mut self, traffic: Traffic) {
        self.traffic.absorb(traffic);
        if self.traffic.rows() < self.merge_at {
            return;
        }
        self.traffic.merge_rows();
        let Traffic { exchanges, queues, routes, .. } = &mut self.traffic;
        exchanges.truncate(SUM_ROWS_MAX);
        queues.truncate(SUM_ROWS_MAX);
        routes.truncate(SUM_ROWS_MAX);
        self.merge_at = 2 * self.traffic.rows() + SUM_ROWS_MAX / 64;
    }
}

impl Broker {
    /// This connection has counted something since it was asked last; it [is asked](Mailbox::take_traffic)
    /// with the next [`Self::take_traffic`].
    ///
    /// [`Mailbox::take_traffic`]: crate::Mailbox::take_traffic
    pub fn note_counting(&self, id: ConnectionId, mailbox: MailboxRef) {
        self.counting.connections.lock().insert(id, mailbox);
    }

    /// The connection is gone: what it had to tell it has [left](Self::leave_traffic).
    pub fn forget_counting(&self, id: ConnectionId) {
        self.counting.connections.lock().remove(&id);
    }

    /// Keeps what a channel that is gone did, or one that counts more than it can hold.
    /// `was_heard_of`: some [`Self::take_traffic`] has named the channel.
    pub fn leave_traffic(&self, traffic: Traffic, was_heard_of: bool) {
        self.counting.remains.lock().add(traffic, was_heard_of);
    }

    /// Hands `take` what each channel did since the last call, if it did anything, and what those did
    /// that are gone: the last that is heard of a channel has [`Traffic::is_closed`]. There may be
    /// several of the same channel. For one caller.
    pub fn take_traffic(&self, take: &mut dyn FnMut(Traffic)) {
        // Who goes while the others are asked is left for the next time: what a channel did comes
        // before the word that it is gone.
        let remains = self.counting.remains.lock().take();
        let connections = std::mem::take(&mut *self.counting.connections.lock());
        remains.for_each(&mut *take);
        for mailbox in connections.into_values() {
            mailbox.take_traffic(take);
        }
    }

    /// What came and went since the node started.
    pub fn churn(&self) -> Churn {
        let connections = self.registry.churn();
        let QueueChurn { declared, created, deleted } = &self.queue_churn;
        Churn {
            queue_declared: declared.load(Ordering::Relaxed),
            queue_created: created.load(Ordering::Relaxed),
            queue_deleted: deleted.load(Ordering::Relaxed),
            ..connections
        }
    }

    /// What was declared so far was there before the node started.
    pub fn forget_queue_churn(&self) {
        let QueueChurn { declared, created, deleted } = &self.queue_churn;
        [declared, created, deleted].iter().for_each(|it| it.store(0, Ordering::Relaxed));
    }

    /// Somebody declares a queue, there or not.
    pub fn note_queue_declared(&self) {
        self.queue_churn.declared.fetch_add(1, Ordering::Relaxed);
    }
}

/// Of [`Churn`], what concerns queues.
#[derive(Default)]
pub(crate) struct QueueChurn {
    declared: AtomicU64,
    pub(crate) created: AtomicU64,
    pub(crate) deleted: AtomicU64,
}

#[cfg(test)]
mod tests {
    use statistics::{MessageCount, MessageCounts};

    use super::*;

    fn channel(channel: u64) -> Traffic {
        let mut counts = MessageCounts::default();
        counts[MessageCount::Publish] = 1;
        Traffic {
            channel,
            exchanges: vec![("x".into(), counts)],
            routes: vec![("x".into(), "q".into(), 1)],
            is_closed: true,
            ..Traffic::default()
        }
    }

    #[test]
    fn channels_beyond_number_are_added_up_and_those_heard_of_are_named() {
        let mut remains = Remains::default();
        let kept = ROWS_MAX as u64 / 3;
        let all = kept + 100_000;
        for id in 1..=all {
            remains.add(channel(id), id == all);
        }
        let told: Vec<Traffic> = remains.take().collect();
        let published = told.iter().flat_map(|it| &it.exchanges);
        let published: u64 = published.map(|(_, counts)| counts[MessageCount::Publish]).sum();
        assert_eq!(published, all);
        assert_eq!(told.len() as u64, kept + 2);
        let [.., named, sum] = &told[..] else { panic!("{} are told", told.len()) };
        assert_eq!((named.channel, named.rows(), named.is_closed), (all, 0, true));
        assert_eq!((sum.channel, sum.routes[0].2), (0, 100_000));
        assert_eq!(remains.take().count(), 0);
    }
}
