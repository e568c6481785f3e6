//! Exchange types: one file and one line in [`EXCHANGE_TYPES`] each.

mod direct;
mod fanout;
mod headers;
mod lists;
mod local_random;
mod modulus_hash;
mod topic;

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use field_table::FieldTable;
use smallvec::SmallVec;

use crate::{Binding, Destination, QueueId, QueueKind, Refusal};

/// The exchange types, in the order of their names.
pub const EXCHANGE_TYPES: &[ExchangeType] = &[
    direct::TYPE,
    fanout::TYPE,
    headers::TYPE,
    topic::TYPE,
    local_random::TYPE,
    modulus_hash::TYPE,
];

/// The name of the argument and of the policies' key that name the exchange for what an exchange cannot route.
pub(crate) const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// What there is to know about a type of exchange.
pub struct ExchangeType {
    /// The name clients declare it by.
    pub name: &'static str,
    /// What RabbitMQ's tools say about it.
    pub description: &'static str,
    /// What its choice depends on besides the routing keys.
    pub(crate) depends_on: DependsOn,
    /// Refuses bindings that make no sense for it.
    pub(crate) validate_binding: fn(&NewBinding<'_>) -> Result<(), Refusal>,
    /// The bindings of a new exchange.
    pub(crate) routes: fn() -> Box<dyn Routes>,
}

impl ExchangeType {
    /// The type called `name`.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        EXCHANGE_TYPES.iter().find(|kind| kind.name == name)
    }
}

impl fmt::Debug for ExchangeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for ExchangeType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ExchangeType {}

/// What an exchange looks at to find the destinations of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DependsOn {
    /// Its routing keys only: the same key always leads to the same queues.
    Keys,
    /// Its headers, or chance, too.
    More,
}

/// A declared exchange. Immutable: a change replaces the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRecord {
    /// The vhost it is in.
    pub vhost: Arc<str>,
    /// Its name; empty for the default exchange.
    pub name: Arc<str>,
    /// Its type.
    pub kind: &'static ExchangeType,
    /// Whether it outlives a restart.
    pub durable: bool,
    /// Whether it goes with the last binding it is the source of.
    pub auto_delete: bool,
    /// Whether clients may not publish to it.
    pub internal: bool,
    /// The arguments it was declared with.
    pub arguments: FieldTable,
    /// Where its arguments send messages for which it has no destination. A policy may say it if they
    /// do not.
    pub alternate: Option<Arc<str>>,
}

impl ExchangeRecord {
    /// The alternate exchange that these arguments name.
    pub(crate) fn declared_alternate(arguments: &FieldTable) -> Option<Arc<str>> {
        let name = arguments.get(ALTERNATE_EXCHANGE)?.as_long_str()?;
        Some(Arc::from(String::from_utf8_lossy(name)))
    }
}

/// A binding about to be made, for [`ExchangeType::validate_binding`].
pub(crate) struct NewBinding<'a> {
    pub(crate) key: &'a str,
    pub(crate) arguments: &'a FieldTable,
    /// The type of the queue it leads to, none if it leads to an exchange.
    pub(crate) queue_kind: Option<QueueKind>,
}

/// What an exchange may look at to route a message.
pub(crate) struct Routed<'a> {
    pub(crate) routing_keys: &'a [&'a [u8]],
    pub(crate) chance: u64,
    headers_source: &'a dyn Fn() -> FieldTable,
    headers: OnceCell<FieldTable>,
}

impl<'a> Routed<'a> {
    pub(crate) fn new(
        routing_keys: &'a [&'a [u8]],
        headers: &'a dyn Fn() -> FieldTable,
        chance: u64,
    ) -> Self {
        Self { routing_keys, chance, headers_source: headers, headers: OnceCell::new() }
    }

    /// The headers, read at most once.
    pub(crate) fn headers(&self) -> &FieldTable {
        self.headers.get_or_init(|| (self.headers_source)())
    }
}

/// Destinations found so far. Queues may stand in it twice.
pub(crate) struct Found<'a> {
    pub(crate) queues: &'a mut SmallVec<[QueueId; 4]>,
    pub(crate) exchanges: SmallVec<[Arc<ExchangeRecord>; 2]>,
}

impl Found<'_> {
    pub(crate) fn add(&mut self, destination: &Destination) {
        match destination {
            Destination::Queue(queue) => self.queues.push(queue.id),
            Destination::Exchange(exchange) => self.exchanges.push(Arc::clone(exchange)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queues.len() + self.exchanges.len()
    }
}

/// The bindings of one exchange, kept as its type needs them.
pub(crate) trait Routes: fmt::Debug + Send + Sync {
    /// Adds a binding that is not in it.
    fn add_binding(&mut self, binding: &Arc<Binding>);
    /// Takes out a binding that was added.
    fn remove_binding(&mut self, binding: &Arc<Binding>);
    /// Adds the destinations of a message.
    fn route(&self, routed: &Routed<'_>, found: &mut Found<'_>);
    /// All bindings, in no particular order.
    fn bindings(&self) -> Vec<Arc<Binding>>;
}

/// For types that take any binding.
pub(crate) fn any_binding(_: &NewBinding<'_>) -> Result<(), Refusal> {
    Ok(())
}

/// Takes `binding` out of `bindings`, whose order does not matter.
pub(crate) fn swap_remove(bindings: &mut Vec<Arc<Binding>>, binding: &Arc<Binding>) {
    if let Some(idx) = bindings.iter().position(|other| Arc::ptr_eq(other, binding)) {
        bindings.swap_remove(idx);
    }
}
