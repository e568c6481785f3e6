//! What is handed over by those who count.

use std::sync::Arc;

use crate::MessageCounts;

/// What one channel (or what stands for one in another protocol) did since it was asked last. Only what
/// is not zero is listed; a name is listed once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Node-wide id. 0 for channels that came and went in such numbers that they were added up.
    pub channel: u64,
    /// Where its exchanges and queues are.
    pub vhost: Arc<str>,
    /// Label of Prometheus' global counters: `amqp091`, ...
    pub protocol: &'static str,
    /// By exchange: `publish`, `confirm`, `return_unroutable`, `drop_unroutable`.
    pub exchanges: Vec<(Arc<str>, MessageCounts)>,
    /// Publishes among these whose client wants to know what became of them: a channel's in confirm
    /// mode or in a transaction. RabbitMQ's `messages_received_confirm`.
    pub expecting_confirm: u64,
    /// By queue: `deliver` to `ack`.
    pub queues: Vec<QueueTraffic>,
    /// Messages by exchange and the queue they were routed to.
    pub routes: Vec<(Arc<str>, Arc<str>, u64)>,
    /// It will not be heard of again.
    pub is_closed: bool,
}

/// See [`Traffic::queues`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueTraffic {
    /// The queue's name.
    pub queue: Arc<str>,
    /// `classic`, `quorum`, `stream`; `volatile` for direct replies, see [`DIRECT_REPLIES`].
    pub queue_type: &'static str,
    /// What happened.
    pub counts: MessageCounts,
}

/// Stands for the queue of a direct reply, in [`Traffic::queues`] and [`Traffic::routes`]. There is no
/// such queue: these count for the node alone, as in RabbitMQ.
pub const DIRECT_REPLIES: &str = "amq.rabbitmq.reply-to";

impl Traffic {
    /// How many rows it has: a measure of the memory it takes.
    pub fn rows(&self) -> usize {
        self.exchanges.len() + self.queues.len() + self.routes.len()
    }

    /// Adds what another channel of the same vhost and protocol did. Names may be listed several times
    /// until the next [`Self::merge_rows`].
    pub fn absorb(&mut self, other: Self) {
        self.exchanges.extend(other.exchanges);
        self.queues.extend(other.queues);
        self.routes.extend(other.routes);
        self.expecting_confirm += other.expecting_confirm;
    }

    /// Lists each name once, in their order.
    pub fn merge_rows(&mut self) {
        self.exchanges.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.exchanges.dedup_by(|(name, more), (kept, counts)| {
            let is_same = name == kept;
            if is_same {
                *counts += *more;
            }
            is_same
        });
        self.queues.sort_unstable_by(|a, b| a.queue.cmp(&b.queue));
        self.queues.dedup_by(|more, kept| {
            let is_same = more.queue == kept.queue;
            if is_same {
                kept.counts += more.counts;
            }
            is_same
        });
        self.routes.sort_unstable_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        self.routes.dedup_by(|(exchange, queue, more), (kept_exchange, kept_queue, count)| {
            let is_same = exchange == kept_exchange && queue == kept_queue;
            if is_same {
                *count += *more;
            }
            is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageCount;

    fn published(exchange: &str, count: u64, queue: &str) -> Traffic {
        let mut counts = MessageCounts::default();
        counts[MessageCount::Publish] = count;
        Traffic {
            exchanges: vec![(exchange.into(), counts)],
            routes: vec![(exchange.into(), queue.into(), count)],
            ..Traffic::default()
        }
    }

    #[test]
    fn a_name_is_listed_once_whoever_used_it() {
        let mut sum = Traffic::default();
        for (exchange, queue) in [("b", "q"), ("a", "q"), ("b", "q"), ("b", "p")] {
            sum.absorb(published(exchange, 2, queue));
        }
        sum.merge_rows();
        let exchanges = sum.exchanges.iter().map(|(name, it)| (&**name, it[MessageCount::Publish]));
        assert_eq!(exchanges.collect::<Vec<_>>(), [("a", 2), ("b", 6)]);
        let routes: Vec<_> = sum.routes.iter().map(|(x, q, n)| (&**x, &**q, *n)).collect();
        assert_eq!(routes, [("a", "q", 2), ("b", "p", 2), ("b", "q", 4)]);
    }
}
