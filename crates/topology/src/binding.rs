//! Bindings: what an exchange is told about where to route.

use std::cmp::Ordering;
use std::sync::Arc;

use field_table::FieldTable;

use crate::{ExchangeRecord, QueueRecord};

/// Whether a binding leads to an exchange or a queue.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode,
)]
#[cbor(index_only)]
pub enum DestinationKind {
    /// To another exchange.
    #[n(0)]
    Exchange,
    /// To a queue.
    #[n(1)]
    Queue,
}

impl DestinationKind {
    /// `exchange` or `queue`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Queue => "queue",
        }
    }
}

/// Where a binding leads.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To another exchange.
    Exchange(Arc<ExchangeRecord>),
    /// To a queue.
    Queue(Arc<QueueRecord>),
}

impl Destination {
    /// Exchange or queue.
    pub fn kind(&self) -> DestinationKind {
        match self {
            Self::Exchange(_) => DestinationKind::Exchange,
            Self::Queue(_) => DestinationKind::Queue,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Exchange(exchange) => &exchange.name,
            Self::Queue(queue) => &queue.name,
        }
    }
}

/// An explicit binding. Those of one vhost form a set over all of its fields.
// Topics have these by the hundred thousand: 64 bytes with the counters of its `Arc`.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The exchange it belongs to.
    pub source: Arc<ExchangeRecord>,
    /// Where it leads.
    pub destination: Destination,
    /// The binding key, called routing key by RabbitMQ's tools.
    pub key: Box<str>,
    /// Its arguments in the order of their names; none costs nothing.
    pub arguments: Option<Arc<FieldTable>>,
}

impl Binding {
    /// The arguments in the order that makes equal ones look equal.
    pub(crate) fn canonical(arguments: &FieldTable) -> Option<Arc<FieldTable>> {
        if arguments.is_empty() {
            return None;
        }
        let mut sorted = arguments.clone();
        sorted.sort();
        Some(Arc::new(sorted))
    }

    fn encoded_arguments(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(arguments) = &self.arguments {
            arguments.encode_fields(&mut bytes);
        }
        bytes
    }

    fn cmp_arguments(&self, other: &Self) -> Ordering {
        match (&self.arguments, &other.arguments) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(_), Some(_)) => self.encoded_arguments().cmp(&other.encoded_arguments()),
        }
    }

    /// The order in which RabbitMQ's tools list explicit bindings.
    pub(crate) fn cmp_as_listed(&self, other: &Self) -> Ordering {
        let by_source = self.source.name.cmp(&other.source.name);
        by_source.then_with(|| cmp_by_destination(self, other))
    }
}

/// A binding in a set ordered by destination, so that those of a deleted queue are found at once.
#[derive(Clone, Debug)]
pub(crate) struct ByDestination(pub(crate) Arc<Binding>);

fn cmp_by_destination(a: &Binding, b: &Binding) -> Ordering {
    let by_kind = a.destination.kind().cmp(&b.destination.kind());
    by_kind
        .then_with(|| a.destination.name().cmp(b.destination.name()))
        .then_with(|| a.source.name.cmp(&b.source.name))
        .then_with(|| a.key.cmp(&b.key))
        .then_with(|| a.cmp_arguments(b))
}

impl Ord for ByDestination {
    fn cmp(&self, other: &Self) -> Ordering {
        cmp_by_destination(&self.0, &other.0)
    }
}

impl PartialOrd for ByDestination {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByDestination {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByDestination {}
