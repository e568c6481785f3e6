//! Messages by the objects that they passed.

use std::sync::Arc;

use operator::Metrics;
use statistics::{Known, MessageCount, MessageCounts, Other, Subject};

use crate::families::PID;
use crate::metric::Row;
use crate::text::Labels;

/// What happened to messages of these objects together; what they are not told apart by is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) channel: Option<u64>,
    pub(crate) vhost: Arc<str>,
    pub(crate) exchange: Option<Arc<str>>,
    pub(crate) queue: Option<Arc<str>>,
    pub(crate) counts: MessageCounts,
}

/// Names objects of one kind one by one.
pub(crate) type List = fn(&dyn Metrics, &mut dyn FnMut(Counted));

/// Each exchange that somebody published to.
pub(crate) fn exchanges(broker: &dyn Metrics, emit: &mut dyn FnMut(Counted)) {
    for Known { vhost, exchanges, .. } in broker.known() {
        for exchange in exchanges {
            let counts = broker.counts(Subject::Exchange { vhost: &vhost, name: &exchange });
            if 0 < counts[MessageCount::PublishIn] {
                let (vhost, exchange) = (vhost.clone(), Some(exchange));
                emit(Counted { vhost, exchange, counts, ..Counted::default() });
            }
        }
    }
}

/// Each queue that somebody wanted messages of.
pub(crate) fn queues(broker: &dyn Metrics, emit: &mut dyn FnMut(Counted)) {
    for Known { vhost, queues, .. } in broker.known() {
        for queue in queues {
            let mut counts = broker.counts(Subject::Queue { vhost: &vhost, name: &queue });
            // Who publishes wants none.
            counts[MessageCount::Publish] = 0;
            if !counts.is_empty() {
                let (vhost, queue) = (vhost.clone(), Some(queue));
                emit(Counted { vhost, queue, counts, ..Counted::default() });
            }
        }
    }
}

/// Each exchange with each queue that it handed messages to.
pub(crate) fn routes(broker: &dyn Metrics, emit: &mut dyn FnMut(Counted)) {
    for vhost in broker.vhost_names() {
        for (exchange, queue, count) in broker.route_counts(&vhost) {
            let mut counts = MessageCounts::default();
            counts[MessageCount::Publish] = count;
            let (exchange, queue) = (Some(exchange), Some(queue));
            emit(Counted { channel: None, vhost: vhost.clone(), exchange, queue, counts });
        }
    }
}

/// Each channel with each exchange that it published to.
pub(crate) fn channel_exchanges(broker: &dyn Metrics, emit: &mut dyn FnMut(Counted)) {
    channel_pairs(broker, &mut |pair| {
        if pair.exchange.is_some() {
            emit(pair);
        }
    });
}

/// Each channel with each queue that it wanted messages of.
pub(crate) fn channel_queues(broker: &dyn Metrics, emit: &mut dyn FnMut(Counted)) {
    channel_pairs(broker, &mut |pair| {
        if pair.queue.is_some() {
            emit(pair);
        }
    });
}

fn channel_pairs(broker: &dyn Metrics, emit: &mut dyn FnMut(Counted)) {
    broker.channel_figures(&mut |channel| {
        for (other, counts) in broker.channel_pairs(channel.id) {
            let (exchange, queue) = match other {
                Other::Exchange(name) => (Some(name), None),
                Other::Queue(name) => (None, Some(name)),
                Other::Channel(_) => continue,
            };
            let vhost = channel.vhost.clone();
            emit(Counted { channel: Some(channel.id), vhost, exchange, queue, counts });
        }
    });
}

impl Row for Counted {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        if let Some(channel) = self.channel {
            labels.put_pid(PID, channel);
        }
        labels.put("vhost", &self.vhost);
        if let Some(exchange) = &self.exchange {
            labels.put("exchange", exchange);
        }
        if let Some(queue) = &self.queue {
            labels.put("queue", queue);
        }
    }
}
