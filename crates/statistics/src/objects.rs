//! What is kept of each kind of thing: which column of its series is what.

use std::collections::HashMap;
use std::sync::Arc;

use crate::counts::MessageCount::{
    Ack, Confirm, Deliver, DeliverNoAck, DropUnroutable, Get, GetEmpty, GetNoAck, Publish,
    PublishIn, PublishOut, Redeliver, ReturnUnroutable,
};
use crate::counts::MessageCounts;
use crate::report::Columns;
use crate::series::Series;

/// Those that change most come first: samples of the first six are the shortest.
pub(crate) type QueueSeries = Series<11>;
pub(crate) const QUEUE: &Columns = &[
    (Publish, 0),
    (Deliver, 1),
    (Ack, 2),
    (DeliverNoAck, 5),
    (Redeliver, 6),
    (Get, 7),
    (GetNoAck, 8),
    (GetEmpty, 9),
];
/// Ready, unacknowledged, other messages of a queue.
pub(crate) const QUEUE_LENGTHS: [usize; 3] = [3, 4, 10];

pub(crate) type ExchangeSeries = Series<2>;
pub(crate) const EXCHANGE: &Columns = &[(PublishIn, 0), (PublishOut, 1)];

pub(crate) type ChannelSeries = Series<11>;
pub(crate) const CHANNEL: &Columns = &[
    (Publish, 0),
    (Confirm, 1),
    (Deliver, 2),
    (Ack, 3),
    (DeliverNoAck, 4),
    (Get, 5),
    (GetNoAck, 6),
    (GetEmpty, 7),
    (Redeliver, 8),
    (ReturnUnroutable, 9),
    (DropUnroutable, 10),
];

pub(crate) type VhostSeries = Series<16>;
/// As of channels, and then more.
pub(crate) const VHOST: &Columns = CHANNEL;
/// Ready, unacknowledged, other messages in a vhost's queues.
pub(crate) const VHOST_LENGTHS: [usize; 3] = [11, 12, 13];
/// Bytes received and sent.
pub(crate) const VHOST_OCTETS: [usize; 2] = [14, 15];

/// What one channel published to one exchange.
pub(crate) type PublishSeries = Series<4>;
pub(crate) const PUBLISHES: &Columns =
    &[(Publish, 0), (Confirm, 1), (ReturnUnroutable, 2), (DropUnroutable, 3)];

/// What one channel got from one queue.
pub(crate) type DeliverySeries = Series<7>;
pub(crate) const DELIVERIES: &Columns = &[
    (Deliver, 0),
    (Ack, 1),
    (DeliverNoAck, 2),
    (Redeliver, 3),
    (Get, 4),
    (GetNoAck, 5),
    (GetEmpty, 6),
];

/// What one exchange handed to one queue.
pub(crate) type RouteSeries = Series<1>;
pub(crate) const ROUTE: &Columns = &[(Publish, 0)];

#[derive(Debug, Default)]
pub(crate) struct Channel {
    pub(crate) vhost: Arc<str>,
    pub(crate) series: ChannelSeries,
    pub(crate) publishes: HashMap<Arc<str>, PublishSeries>,
    pub(crate) deliveries: HashMap<Arc<str>, DeliverySeries>,
}

#[derive(Debug, Default)]
pub(crate) struct Vhost {
    pub(crate) series: VhostSeries,
    pub(crate) exchanges: HashMap<Arc<str>, ExchangeSeries>,
    /// `confirm`, `return_unroutable`, `drop_unroutable` by exchange, if there was one: no samples.
    pub(crate) outcomes: HashMap<Arc<str>, MessageCounts>,
    pub(crate) queues: HashMap<Arc<str>, QueueSeries>,
    /// By exchange and queue.
    pub(crate) routes: HashMap<(Arc<str>, Arc<str>), RouteSeries>,
}
