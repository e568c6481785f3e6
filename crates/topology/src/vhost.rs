//! A vhost: its exchanges, its bindings, its queues.

mod route;

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use field_table::FieldTable;

use crate::binding::ByDestination;
use crate::exchange::Routes;
use crate::{
    Binding, Destination, DestinationKind, ExchangeRecord, ExchangeType, Policies, Policy,
    PolicyKind, QueueKind, QueueRecord,
};

/// The exchanges every vhost has: name, type, internal.
const PREDECLARED: [(&str, &str, bool); 7] = [
    ("", "direct", false),
    ("amq.direct", "direct", false),
    ("amq.topic", "topic", false),
    ("amq.match", "headers", false),
    ("amq.headers", "headers", false),
    ("amq.fanout", "fanout", false),
    ("amq.rabbitmq.trace", "topic", true),
];

/// The limits of a vhost. None and negative numbers are no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct VhostLimits {
    /// `max-connections`.
    #[n(0)]
    pub max_connections: Option<i64>,
    /// `max-queues`.
    #[n(1)]
    pub max_queues: Option<i64>,
}

/// A vhost.
#[derive(Debug)]
pub struct Vhost {
    pub(crate) name: Arc<str>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) default_queue_type: Option<QueueKind>,
    pub(crate) limits: VhostLimits,
    policies: Policies,
    operator_policies: Policies,
    pub(crate) is_protected: bool,
    queues: HashSet<ByName, ahash::RandomState>,
    exchanges: HashMap<Arc<str>, Exchange, ahash::RandomState>,
    bindings: BTreeSet<ByDestination>,
    generation: u64,
}

/// An exchange with its bindings.
#[derive(Debug)]
struct Exchange {
    record: Arc<ExchangeRecord>,
    routes: Box<dyn Routes>,
    binding_count: usize,
    /// How many of them lead to exchanges.
    exchange_count: usize,
}

/// A queue in a set, found by its name as text or bytes.
#[derive(Debug)]
struct ByName(Arc<QueueRecord>);

impl Borrow<[u8]> for ByName {
    fn borrow(&self) -> &[u8] {
        self.0.name.as_bytes()
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.as_bytes().hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ByName {}

/// A binding as RabbitMQ's tools list it: the implicit ones of the default exchange included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingRef<'a> {
    /// The exchange; empty for the default exchange.
    pub source: &'a str,
    /// What it leads to.
    pub destination_kind: DestinationKind,
    /// The name of that.
    pub destination: &'a str,
    /// The binding key.
    pub key: &'a str,
    /// The arguments in the order of their names, none if there are none.
    pub arguments: Option<&'a FieldTable>,
}

impl<'a> From<&'a Binding> for BindingRef<'a> {
    fn from(binding: &'a Binding) -> Self {
        Self {
            source: &binding.source.name,
            destination_kind: binding.destination.kind(),
            destination: binding.destination.name(),
            key: &binding.key,
            arguments: binding.arguments.as_deref(),
        }
    }
}

impl<'a> BindingRef<'a> {
    fn implicit(queue: &'a QueueRecord) -> Self {
        Self {
            source: "",
            destination_kind: DestinationKind::Queue,
            destination: &queue.name,
            key: &queue.name,
            arguments: None,
        }
    }
}

/// What else went with something that was deleted.
#[derive(Debug, Default)]
pub(crate) struct Cascade {
    pub(crate) exchanges: Vec<Arc<ExchangeRecord>>,
    pub(crate) bindings: Vec<Arc<Binding>>,
}

impl Vhost {
    /// A vhost with the predeclared exchanges and nothing else, made by the command at `index`.
    pub(crate) fn new(name: &str, index: u64) -> Self {
        let name: Arc<str> = name.into();
        let mut vhost = Self {
            name: Arc::clone(&name),
            description: None,
            tags: Vec::new(),
            default_queue_type: None,
            limits: VhostLimits::default(),
            policies: Policies::default(),
            operator_policies: Policies::default(),
            is_protected: false,
            queues: HashSet::default(),
            exchanges: HashMap::default(),
            bindings: BTreeSet::new(),
            // No command makes or deletes that many objects on average: larger than any generation
            // that an earlier vhost of this name, or this one before a restart, had.
            generation: index << 8,
        };
        for (exchange, kind, internal) in PREDECLARED {
            let kind =
                ExchangeType::from_name(kind).expect("predeclared exchanges have known types");
            vhost.add_exchange(ExchangeRecord {
                vhost: Arc::clone(&name),
                name: exchange.into(),
                kind,
                durable: true,
                auto_delete: false,
                internal,
                arguments: FieldTable::new(),
                alternate: None,
            });
        }
        vhost
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What an operator wrote about it.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Its tags.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// The type of queues declared without `x-queue-type`; classic if it is none.
    pub fn default_queue_type(&self) -> Option<QueueKind> {
        self.default_queue_type
    }

    /// Its limits.
    pub fn limits(&self) -> VhostLimits {
        self.limits
    }

    /// Its policies of one kind.
    pub fn policies(&self, kind: PolicyKind) -> &Policies {
        match kind {
            PolicyKind::User => &self.policies,
            PolicyKind::Operator => &self.operator_policies,
        }
    }

    fn policies_mut(&mut self, kind: PolicyKind) -> &mut Policies {
        self.generation += 1;
        match kind {
            PolicyKind::User => &mut self.policies,
            PolicyKind::Operator => &mut self.operator_policies,
        }
    }

    /// Sets a policy; says whether that changed anything.
    pub(crate) fn set_policy(&mut self, kind: PolicyKind, policy: Policy) -> bool {
        self.policies_mut(kind).set(policy)
    }

    /// Clears a policy; nothing happens if there is none.
    pub(crate) fn clear_policy(&mut self, kind: PolicyKind, name: &str) {
        self.policies_mut(kind).clear(name);
    }

    /// Whether it must not be deleted.
    pub fn is_protected(&self) -> bool {
        self.is_protected
    }

    /// Grows with every change of exchanges, queues, bindings and policies: a route found at one generation
    /// is right as long as it stays. Not seen before when a deleted vhost is made again.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The queue called `name`.
    pub fn queue(&self, name: &str) -> Option<&Arc<QueueRecord>> {
        self.queues.get(name.as_bytes()).map(|ByName(queue)| queue)
    }

    /// How many queues there are.
    pub fn queue_count(&self) -> usize {
        self.queues.len()
    }

    /// The queues in the order of their names.
    pub fn queues(&self) -> impl Iterator<Item = &Arc<QueueRecord>> {
        let mut queues: Vec<_> = self.queues.iter().map(|ByName(queue)| queue).collect();
        queues.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        queues.into_iter()
    }

    /// The exchange called `name`.
    pub fn exchange(&self, name: &str) -> Option<&Arc<ExchangeRecord>> {
        self.exchanges.get(name).map(|exchange| &exchange.record)
    }

    /// How many exchanges there are, the predeclared ones included.
    pub fn exchange_count(&self) -> usize {
        self.exchanges.len()
    }

    /// The exchanges in the order of their names.
    pub fn exchanges(&self) -> impl Iterator<Item = &Arc<ExchangeRecord>> {
        let mut exchanges: Vec<_> = self.exchanges.values().map(|it| &it.record).collect();
        exchanges.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        exchanges.into_iter()
    }

    /// All bindings as `list_bindings` has them: first the implicit ones of the default exchange,
    /// then the others by source, destination and key.
    pub fn bindings(&self) -> impl Iterator<Item = BindingRef<'_>> {
        let implicit = self.queues().map(|queue| BindingRef::implicit(queue));
        let explicit = self.explicit_bindings().into_iter().map(BindingRef::from);
        implicit.chain(explicit)
    }

    /// The bindings that were made, by source, destination and key.
    pub(crate) fn explicit_bindings(&self) -> Vec<&Binding> {
        let mut bindings: Vec<_> = self.bindings.iter().map(|ByDestination(b)| &**b).collect();
        bindings.sort_by(|a, b| a.cmp_as_listed(b));
        bindings
    }

    /// How many bindings were made; the implicit ones of the default exchange do not count.
    pub fn binding_count(&self) -> usize {
        self.bindings.len()
    }

    /// Whether `name` is the source of bindings, apart from implicit ones.
    pub fn has_bindings_from(&self, name: &str) -> bool {
        self.is_bound(name)
    }

    pub(crate) fn is_bound(&self, name: &str) -> bool {
        self.exchanges.get(name).is_some_and(|exchange| exchange.binding_count != 0)
    }

    pub(crate) fn add_exchange(&mut self, record: ExchangeRecord) -> Arc<ExchangeRecord> {
        self.generation += 1;
        let record = Arc::new(record);
        let exchange = Exchange {
            record: Arc::clone(&record),
            routes: (record.kind.routes)(),
            binding_count: 0,
            exchange_count: 0,
        };
        self.exchanges.insert(Arc::clone(&record.name), exchange);
        record
    }

    pub(crate) fn add_queue(&mut self, record: Arc<QueueRecord>) {
        self.generation += 1;
        self.queues.insert(ByName(record));
    }

    pub(crate) fn has_binding(&self, binding: &Arc<Binding>) -> bool {
        self.bindings.contains(&ByDestination(Arc::clone(binding)))
    }

    /// Whether the binding is new.
    pub(crate) fn add_binding(&mut self, binding: &Arc<Binding>) -> bool {
        if !self.bindings.insert(ByDestination(Arc::clone(binding))) {
            return false;
        }
        self.generation += 1;
        if let Some(exchange) = self.exchanges.get_mut(&binding.source.name) {
            exchange.routes.add_binding(binding);
            exchange.binding_count += 1;
            exchange.exchange_count += usize::from(is_to_exchange(binding));
        }
        true
    }

    /// Removes the binding equal to `binding`; none if there is none.
    pub(crate) fn remove_binding(&mut self, binding: &Arc<Binding>) -> Option<Cascade> {
        let ByDestination(binding) = self.bindings.take(&ByDestination(Arc::clone(binding)))?;
        self.generation += 1;
        self.detach(&binding);
        let mut cascade = Cascade { bindings: vec![Arc::clone(&binding)], ..Cascade::default() };
        self.auto_delete(vec![Arc::clone(&binding.source)], &mut cascade);
        Some(cascade)
    }

    pub(crate) fn remove_queue(&mut self, name: &str) -> Option<(Arc<QueueRecord>, Cascade)> {
        let ByName(queue) = self.queues.take(name.as_bytes())?;
        self.generation += 1;
        let mut cascade = Cascade::default();
        let destination = Destination::Queue(Arc::clone(&queue));
        let sources = self.detach_destination(destination, &mut cascade);
        self.auto_delete(sources, &mut cascade);
        Some((queue, cascade))
    }

    /// Deletes an exchange. It is the first of the exchanges in the cascade.
    pub(crate) fn remove_exchange(&mut self, name: &str) -> Cascade {
        self.generation += 1;
        let mut cascade = Cascade::default();
        let sources = self.detach_exchange(name, &mut cascade);
        self.auto_delete(sources, &mut cascade);
        cascade
    }

    /// Deletes those of `sources` that are to go with their last binding, and so on.
    fn auto_delete(&mut self, mut sources: Vec<Arc<ExchangeRecord>>, cascade: &mut Cascade) {
        while let Some(source) = sources.pop() {
            if source.auto_delete
                && self.exchanges.contains_key(&source.name)
                && !self.is_bound(&source.name)
            {
                sources.extend(self.detach_exchange(&source.name, cascade));
            }
        }
    }

    /// Takes an exchange and all bindings from and to it away. Returns the sources of the latter.
    fn detach_exchange(&mut self, name: &str, cascade: &mut Cascade) -> Vec<Arc<ExchangeRecord>> {
        let Some(record) = self.exchange(name).cloned() else { return Vec::new() };
        let destination = Destination::Exchange(Arc::clone(&record));
        let sources = self.detach_destination(destination, cascade);
        if let Some(exchange) = self.exchanges.remove(name) {
            for binding in exchange.routes.bindings() {
                self.bindings.remove(&ByDestination(Arc::clone(&binding)));
                cascade.bindings.push(binding);
            }
        }
        cascade.exchanges.push(record);
        sources
    }

    /// Takes all bindings to a destination away. Returns their sources, each once.
    fn detach_destination(
        &mut self,
        destination: Destination,
        cascade: &mut Cascade,
    ) -> Vec<Arc<ExchangeRecord>> {
        let (kind, name) = (destination.kind(), destination.name().to_owned());
        let Some(default_exchange) = self.exchange("").cloned() else { return Vec::new() };
        // Smaller than all bindings to the destination: no name sorts before the empty one.
        let first = ByDestination(Arc::new(Binding {
            source: default_exchange,
            destination,
            key: "".into(),
            arguments: None,
        }));
        let bindings: Vec<_> = self
            .bindings
            .range(first..)
            .take_while(|ByDestination(b)| {
                b.destination.kind() == kind && b.destination.name() == name
            })
            .cloned()
            .collect();
        let mut sources: Vec<Arc<ExchangeRecord>> = Vec::new();
        for by_destination in bindings {
            self.bindings.remove(&by_destination);
            let ByDestination(binding) = by_destination;
            self.detach(&binding);
            // They come in the order of their sources.
            if sources.last().is_none_or(|last| last.name != binding.source.name) {
                sources.push(Arc::clone(&binding.source));
            }
            cascade.bindings.push(binding);
        }
        sources
    }

    fn detach(&mut self, binding: &Arc<Binding>) {
        if let Some(exchange) = self.exchanges.get_mut(&binding.source.name) {
            exchange.routes.remove_binding(binding);
            exchange.binding_count -= 1;
            exchange.exchange_count -= usize::from(is_to_exchange(binding));
        }
    }
}

fn is_to_exchange(binding: &Binding) -> bool {
    matches!(binding.destination, Destination::Exchange(_))
}
