//! The protocol-neutral message: what every protocol publishes and every queue holds.
//!
//! A message is four byte strings (exchange, routing key, properties, body) and a few decoded
//! facts that queues need. Properties are kept in the AMQP 0-9-1 encoding (property flags, then
//! values), byte for byte as they were published, because that is what most consumers get back.
//!
//! Knows: the message, its one-allocation image, how to read the properties that the broker acts
//! on. Must not know: frames, sockets, queues, clocks.
#![forbid(unsafe_code)]

use bytes::Bytes;

/// A borrowed message. Cheap to copy; the bytes live in a read buffer, a queue's chunk or an image.
#[derive(Clone, Copy, Debug)]
pub struct MessageRef<'a> {
    /// Name of the exchange it was published to; empty for the default exchange.
    pub exchange: &'a [u8],
    /// The routing key it was published with.
    pub routing_key: &'a [u8],
    /// Property flags and values in the AMQP 0-9-1 encoding (spec 4.2.6.1), as published.
    pub properties: &'a [u8],
    /// The payload.
    pub body: &'a [u8],
    /// The allocation that holds all four parts one after the other, when they are shared.
    /// Large bodies always are, so that a socket can be given a reference instead of a copy.
    pub image: Option<&'a Bytes>,
}

impl<'a> MessageRef<'a> {
    /// Length of all four parts together, in bytes.
    pub fn len(&self) -> usize {
        self.exchange.len() + self.routing_key.len() + self.properties.len() + self.body.len()
    }

    /// True when all four parts are empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The body as a reference to the shared image, if there is one.
    pub fn shared_body(&self) -> Option<Bytes> {
        self.image.map(|image| image.slice(image.len() - self.body.len()..))
    }

    /// Copies the four parts into one owned allocation, or takes a reference when it exists.
    pub fn to_image(&self) -> Image {
        let bytes = match self.image {
            Some(image) => image.clone(),
            None => {
                let mut buf = Vec::with_capacity(self.len());
                buf.extend_from_slice(self.exchange);
                buf.extend_from_slice(self.routing_key);
                buf.extend_from_slice(self.properties);
                buf.extend_from_slice(self.body);
                Bytes::from(buf)
            }
        };
        Image {
            bytes,
            exchange_len: self.exchange.len() as u8,
            routing_key_len: self.routing_key.len() as u8,
            properties_len: self.properties.len() as u32,
        }
    }
}

/// An owned message: one reference-counted allocation `exchange ++ routing key ++ properties ++ body`.
#[derive(Clone, Debug)]
pub struct Image {
    bytes: Bytes,
    exchange_len: u8,
    routing_key_len: u8,
    properties_len: u32,
}

impl Image {
    /// Takes `bytes` as exchange, routing key, properties and body in that order.
    ///
    /// Returns `None` when the lengths do not fit into `bytes`.
    pub fn from_parts(
        bytes: Bytes,
        exchange_len: u8,
        routing_key_len: u8,
        properties_len: u32,
    ) -> Option<Self> {
        let head = exchange_len as usize + routing_key_len as usize + properties_len as usize;
        (head <= bytes.len()).then_some(Self {
            bytes,
            exchange_len,
            routing_key_len,
            properties_len,
        })
    }

    /// The message inside.
    pub fn as_ref(&self) -> MessageRef<'_> {
        let (exchange, rest) = self.bytes.split_at(self.exchange_len as usize);
        let (routing_key, rest) = rest.split_at(self.routing_key_len as usize);
        let (properties, body) = rest.split_at(self.properties_len as usize);
        MessageRef { exchange, routing_key, properties, body, image: Some(&self.bytes) }
    }
}

/// The header whose keys route a message unseen by its consumers.
pub const BLIND_COPIES: &str = "BCC";

/// A bit of the second octet of property flags that belongs to no property. In a message of ours it
/// says that the headers hold [`BLIND_COPIES`], which stay for dead letters and go to no client; it
/// is never set in what a client publishes or is sent.
pub const HAS_BLIND_COPIES: u8 = 1;

/// Whether properties hold what no client may see: [`HAS_BLIND_COPIES`].
#[inline]
pub fn has_blind_copies(properties: &[u8]) -> bool {
    properties.get(1).is_some_and(|flags| flags & HAS_BLIND_COPIES != 0)
}

/// A message on its way into queues, with the facts that queues act on already decoded.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The message itself.
    pub message: MessageRef<'a>,
    /// `delivery_mode` is 2: survives a restart when the queue is durable.
    pub is_persistent: bool,
    /// The `priority` property. Queues have their own idea of what an absent one means, and clamp it
    /// to their own maximum.
    pub priority: Option<u8>,
    /// The `expiration` property in milliseconds.
    pub ttl_ms: Option<u64>,
    /// What happened to it in other queues: the default for what a client publishes.
    pub history: History,
}

/// What queues did to a message before. A client cannot set it: RabbitMQ keeps these facts beside
/// the message, not in its headers, and ignores the `x-death` that a client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Its `x-death` headers were written by the broker.
    pub is_dead_lettered: bool,
    /// How often consumers rejected or lost it before; from one on, consumers see it as redelivered.
    pub failures: u32,
    /// It was dead-lettered with a routing key of the queue's: its CC header no longer routes.
    pub is_routed_by_key_only: bool,
}
