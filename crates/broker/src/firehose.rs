//! The firehose: while a vhost is traced, `amq.rabbitmq.trace` gets a copy of every message that a
//! client publishes there or is given.
//!
//! What a copy says is RabbitMQ's: the body as it is, and everything else in the headers. Copies are
//! transient, confirmed to nobody, and never traced themselves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use field_table::{FieldTable, FieldValue};
use message::{BLIND_COPIES, History, Incoming, MessageRef, has_blind_copies};
use parking_lot::RwLock;
use smallvec::SmallVec;
use topology::QueueRecord;

use crate::dead_letter::properties::{headers_only, is_persistent, properties_table};
use crate::{
    Batch, Broker, ConnectionEntry, ConnectionFacts, ConsumerKey, Delivery, MailboxRef, QueueRef,
    Turn,
};

/// Where copies are published.
const EXCHANGE: &str = "amq.rabbitmq.trace";

/// Longest routing key that a frame can carry, in bytes.
const ROUTING_KEY_MAX: usize = u8::MAX as usize;

/// The vhosts that are traced. As in RabbitMQ they are the node's, need not exist, and are forgotten
/// when the process ends.
#[derive(Default)]
pub(crate) struct Firehose {
    /// Some vhost is traced: all that others have to look at.
    is_open: AtomicBool,
    vhosts: RwLock<BTreeSet<String>>,
}

/// Who publishes a message or is given one.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// Name of its node.
    pub node: &'a str,
    /// Name of the connection.
    pub connection: &'a str,
    /// Channel number.
    pub channel: u16,
    /// Name of the user.
    pub user: &'a str,
}

/// A copy on its way to [`EXCHANGE`].
#[derive(Debug)]
pub struct Trace {
    vhost: Arc<str>,
    routing_key: Vec<u8>,
    headers: FieldTable,
    body: Bytes,
}

impl Trace {
    /// A message that was published with `routing_keys`, its own first, and goes to the queues with
    /// these names.
    pub fn of_publish<'a>(
        vhost: &Arc<str>,
        party: Party<'_>,
        message: &MessageRef<'_>,
        routing_keys: &[&[u8]],
        queues: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let routed = FieldValue::Array(queues.map(FieldValue::from).collect());
        let keys = routing_keys.iter().map(|key| FieldValue::from(*key)).collect();
        let (properties, _) = visible_properties(message);
        let routing_key = [&b"publish."[..], message.exchange].concat();
        let event = ("routed_queues", routed);
        Self::new(vhost, routing_key, party, message, (properties, keys), event)
    }

    /// A message that a client is given from the queue with this name; none if it is a copy itself.
    pub fn of_delivery(
        vhost: &Arc<str>,
        queue: &[u8],
        party: Party<'_>,
        message: &MessageRef<'_>,
        is_redelivered: bool,
    ) -> Option<Self> {
        if message.exchange == EXCHANGE.as_bytes() {
            return None;
        }
        let (properties, blind) = visible_properties(message);
        let mut keys = vec![FieldValue::from(message.routing_key)];
        let headers = properties.get("headers").and_then(FieldValue::as_table);
        keys.extend(further_keys(headers.and_then(|headers| headers.get("CC"))));
        keys.extend(further_keys(blind.as_ref()));
        let routing_key = [&b"deliver."[..], queue].concat();
        let event = ("redelivered", FieldValue::from(i32::from(is_redelivered)));
        Some(Self::new(vhost, routing_key, party, message, (properties, keys), event))
    }

    /// The headers come out sorted by name, as RabbitMQ's do.
    fn new(
        vhost: &Arc<str>,
        routing_key: Vec<u8>,
        party: Party<'_>,
        message: &MessageRef<'_>,
        (properties, routing_keys): (FieldTable, Vec<FieldValue>),
        (event, detail): (&'static str, FieldValue),
    ) -> Self {
        let headers = FieldTable::new()
            .with("channel", i32::from(party.channel))
            .with("connection", party.connection)
            .with("exchange_name", message.exchange)
            .with("node", party.node)
            .with("properties", properties)
            .with(event, detail)
            .with("routing_keys", routing_keys)
            .with("user", party.user)
            .with("vhost", &**vhost);
        let body = message.shared_body().unwrap_or_else(|| Bytes::copy_from_slice(message.body));
        Self { vhost: vhost.clone(), routing_key, headers, body }
    }
}

/// The properties as clients see them, and the BCC header, if there is one.
fn visible_properties(message: &MessageRef<'_>) -> (FieldTable, Option<FieldValue>) {
    let mut properties = properties_table(message.properties);
    if !has_blind_copies(message.properties) {
        return (properties, None);
    }
    let blind = match properties.get_mut("headers") {
        Some(FieldValue::Table(headers)) => headers.remove(BLIND_COPIES),
        _ => None,
    };
    (properties, blind)
}

/// The strings in a header with routing keys.
fn further_keys(header: Option<&FieldValue>) -> impl Iterator<Item = FieldValue> {
    let keys = header.and_then(FieldValue::as_array).unwrap_or_default();
    keys.iter().filter(|key| key.as_long_str().is_some()).cloned()
}

impl Broker {
    /// Begins or ends the tracing of a vhost; false when that was so already.
    pub fn set_tracing(&self, vhost: &str, is_on: bool) -> bool {
        let mut vhosts = self.firehose.vhosts.write();
        let has_changed =
            if is_on { vhosts.insert(vhost.to_owned()) } else { vhosts.remove(vhost) };
        self.firehose.is_open.store(!vhosts.is_empty(), Ordering::Relaxed);
        has_changed
    }

    /// Whether a vhost is traced.
    #[inline]
    pub fn is_traced(&self, vhost: &str) -> bool {
        self.firehose.is_open.load(Ordering::Relaxed) && self.firehose.vhosts.read().contains(vhost)
    }

    /// Copies what was taken from the front of a batch.
    pub(crate) fn trace_batch(
        &self,
        traces: &mut Vec<Trace>,
        cell: &QueueRef,
        batch: &Batch<'_>,
        taken: usize,
    ) {
        let Some(entry) = self.entry_of(batch.mailbox()) else { return };
        let party = self.party(&entry.facts, batch.key().channel);
        let QueueRecord { vhost, name, .. } = &*cell.record;
        traces.extend(batch.iter().take(taken).filter_map(|delivery| {
            let Delivery { message, is_redelivered, .. } = delivery;
            Trace::of_delivery(vhost, name.as_bytes(), party, &message, is_redelivered)
        }));
    }

    /// Copies a direct reply that somebody was given.
    pub(crate) fn trace_reply(
        &self,
        turn: &mut Turn,
        mailbox: &MailboxRef,
        key: ConsumerKey,
        address: &[u8],
        message: &MessageRef<'_>,
    ) {
        if !self.firehose.is_open.load(Ordering::Relaxed) {
            return;
        }
        let Some(entry) = self.entry_of(mailbox) else { return };
        let facts = &entry.facts;
        if self.is_traced(&facts.vhost) {
            let party = self.party(facts, key.channel);
            let trace = Trace::of_delivery(&facts.vhost, address, party, message, false);
            turn.traces.extend(trace);
        }
    }

    /// Who is known by these facts, on one of its channels.
    pub fn party<'a>(&'a self, facts: &'a ConnectionFacts, channel: u16) -> Party<'a> {
        let ConnectionFacts { name, user, .. } = facts;
        Party { node: &self.config().identity.node, connection: name, channel, user }
    }

    fn entry_of(&self, mailbox: &MailboxRef) -> Option<Arc<ConnectionEntry>> {
        mailbox.connection().and_then(|id| self.registry.get(id))
    }

    /// Publishes the copies made so far in this turn.
    pub(crate) fn publish_traces(&self, turn: &mut Turn) {
        for Trace { vhost, routing_key, headers, body } in std::mem::take(&mut turn.traces) {
            let properties = headers_only(&headers);
            let message = MessageRef {
                exchange: EXCHANGE.as_bytes(),
                routing_key: &routing_key,
                properties: &properties,
                body: &body,
                image: None,
            };
            self.publish_own(turn, &vhost, &message, &headers);
        }
    }

    /// Publishes a message of the broker's own to an exchange, which need not be there. It is persistent
    /// if its properties say so.
    pub fn publish_own(
        &self,
        turn: &mut Turn,
        vhost: &str,
        message: &MessageRef<'_>,
        headers: &FieldTable,
    ) {
        let mut queues = SmallVec::new();
        let chance = self.chance();
        let key = message.routing_key;
        let exchange = String::from_utf8_lossy(message.exchange);
        if let Some(vhost) = self.topology().vhost(vhost)
            && vhost.route(&exchange, &[key], &|| headers.clone(), chance, &mut queues).is_err()
        {
            queues.clear();
        }
        let routing_key = key.get(..ROUTING_KEY_MAX).unwrap_or(key);
        let incoming = Incoming {
            message: MessageRef { routing_key, ..*message },
            is_persistent: is_persistent(message.properties),
            priority: None,
            ttl_ms: None,
            history: History::default(),
        };
        for queue in queues.into_iter().filter_map(|id| self.queue(id)) {
            self.publish(turn, &queue, &[incoming]);
        }
    }
}
