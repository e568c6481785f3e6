//! What is shown of one thing.

use std::sync::Arc;

use crate::counts::{MessageCount, MessageCounts};
use crate::reading::{Figures, Reading};

/// What statistics are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A queue.
    Queue {
        /// Where it is.
        vhost: &'a str,
        /// Its name in the vhost.
        name: &'a str,
    },
    /// An exchange.
    Exchange {
        /// Where it is.
        vhost: &'a str,
        /// Its name in the vhost; empty for the default exchange.
        name: &'a str,
    },
    /// A channel by its node-wide id.
    Channel(u64),
    /// A connection by its id.
    Connection(u64),
    /// Vhosts together.
    Vhosts(&'a [&'a str]),
    /// The node.
    Node,
}

/// What is shown of a [`Subject`]. What was never counted is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Messages that passed: `message_stats`.
    pub messages: Figures,
    /// Messages in queues: of queues and vhosts.
    pub lengths: Figures,
    /// `recv_oct` and `send_oct`: of connections and vhosts.
    pub octets: Figures,
    /// Of the node: `fd_used`, `mem_used`, ...
    pub gauges: Figures,
    /// Of the node: `connection_created`, ...
    pub churn: Figures,
}

/// What one side of a pair is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Other {
    /// By its name in the vhost.
    Exchange(Arc<str>),
    /// By its name in the vhost.
    Queue(Arc<str>),
    /// By its node-wide id.
    Channel(u64),
}

/// What passed between a [`Subject`] and others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    /// What came: to an exchange by channel, to a queue by exchange, to a channel's exchanges.
    pub incoming: Vec<(Other, Figures)>,
    /// What left: an exchange by queue, a queue by channel, a channel's queues.
    pub outgoing: Vec<(Other, Figures)>,
}

/// Counters that RabbitMQ keeps together: if one of them ever counted, all of them are shown.
const GROUPS: &[&[MessageCount]] = &[
    &[MessageCount::PublishIn],
    &[MessageCount::PublishOut],
    &[
        MessageCount::Publish,
        MessageCount::Confirm,
        MessageCount::ReturnUnroutable,
        MessageCount::DropUnroutable,
    ],
    &[
        MessageCount::Deliver,
        MessageCount::DeliverNoAck,
        MessageCount::Get,
        MessageCount::GetNoAck,
        MessageCount::GetEmpty,
        MessageCount::Redeliver,
        MessageCount::Ack,
    ],
];

/// Where in a series which counter is.
pub(crate) type Columns = [(MessageCount, usize)];

/// `message_stats`
pub(crate) fn messages<const N: usize>(reading: &Reading<N>, columns: &Columns) -> Figures {
    use MessageCount::{Deliver, DeliverNoAck, Get, GetNoAck};
    let mut figures = Figures::new();
    for group in GROUPS {
        let of_group = || columns.iter().filter(|(count, _)| group.contains(count));
        if of_group().all(|&(_, column)| reading.values[column] == 0) {
            continue;
        }
        figures.extend(of_group().map(|&(count, column)| (count.key(), reading.figure(&[column]))));
        if group.contains(&Deliver) {
            let is_delivery = |count| matches!(count, Deliver | DeliverNoAck | Get | GetNoAck);
            let all: Vec<usize> =
                of_group().filter(|(count, _)| is_delivery(*count)).map(|it| it.1).collect();
            figures.push(("deliver_get", reading.figure(&all)));
        }
    }
    figures
}

/// Totals by name.
pub(crate) fn counts(values: &[u64], columns: &Columns) -> MessageCounts {
    let mut counts = MessageCounts::default();
    for &(count, column) in columns {
        counts[count] = values[column];
    }
    counts
}

/// Adds what was counted to the columns that there are.
pub(crate) fn add_counts(values: &mut [u64], columns: &Columns, counts: &MessageCounts) {
    for &(count, column) in columns {
        values[column] += counts[count];
    }
}

/// `messages`, `messages_ready`, `messages_unacknowledged`, out of ready, unacknowledged and other ones.
pub(crate) fn lengths<const N: usize>(reading: &Reading<N>, columns: [usize; 3]) -> Figures {
    let [ready, unacknowledged, _] = columns;
    vec![
        ("messages", reading.figure(&columns)),
        ("messages_ready", reading.figure(&[ready])),
        ("messages_unacknowledged", reading.figure(&[unacknowledged])),
    ]
}

/// One figure for each key, in their order.
pub(crate) fn each<const N: usize>(reading: &Reading<N>, keys: [&'static str; N]) -> Figures {
    keys.into_iter().enumerate().map(|(column, key)| (key, reading.figure(&[column]))).collect()
}
