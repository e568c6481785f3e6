//! Messages by protocol and by type of queue, counted since the node started.

use std::collections::BTreeMap;

use operator::Metrics;
use statistics::{Clients, GlobalCounts};

use crate::families::queue_type_label;
use crate::metric::Row;
use crate::text::Labels;

/// What all clients speak so far.
const AMQP: &str = "amqp091";

/// Types of queues that clients of AMQP 0-9-1 can read from; RabbitMQ shows each from the start.
const QUEUE_TYPES: [&str; 4] = ["classic", "quorum", "stream", "volatile"];

/// What came in through a protocol.
pub(crate) struct Protocol {
    pub(crate) counted: GlobalCounts,
    /// Whoever publishes and consumes now.
    pub(crate) clients: Option<Clients>,
}

/// What clients of a protocol got from queues of one type.
pub(crate) struct QueueType(pub(crate) GlobalCounts);

/// All there are, in the order of their names. What nobody did yet is there, too: a rate needs a zero
/// to begin with.
pub(crate) fn counts(broker: &dyn Metrics) -> (Vec<Protocol>, Vec<QueueType>) {
    let kinds = [None].into_iter().chain(QUEUE_TYPES.map(Some));
    let blank =
        kinds.map(|it| GlobalCounts { protocol: AMQP, queue_type: it, ..Default::default() });
    let counted = blank.chain(broker.global_counts());
    let latest: BTreeMap<_, _> = counted.map(|it| ((it.protocol, it.queue_type), it)).collect();
    let clients = broker.clients();
    let (mut protocols, mut queue_types) = (Vec::new(), Vec::new());
    for counted in latest.into_values() {
        if counted.queue_type.is_some() {
            queue_types.push(QueueType(counted));
        } else {
            let clients = (counted.protocol == AMQP).then_some(clients);
            protocols.push(Protocol { counted, clients });
        }
    }
    (protocols, queue_types)
}

impl Row for Protocol {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        labels.put("protocol", self.counted.protocol);
    }
}

impl Row for QueueType {
    fn put_labels(&self, labels: &mut Labels<'_>) {
        labels.put("protocol", self.0.protocol);
        labels.put("queue_type", queue_type_label(self.0.queue_type.unwrap_or_default()));
    }
}
