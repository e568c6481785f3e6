//! What the HTTP API asks beyond what commands ask: single objects, and work done for a user, whose
//! permissions count.

use std::path::PathBuf;

use topology::{BindingSpec, DeclareExchange, DeclareQueue, DeleteExchange};

use crate::{
    Answer, BindingInfo, ConnectionInfo, ConsumerInfo, Counters, DeleteConditions, Emit,
    ExchangeInfo, Operator, QueueInfo, UserInfo, VhostInfo,
};

/// A running broker as the HTTP API sees it. Calls block, as those of [`Operator`]; `user` is for whom
/// something is done: what he may not do is [`Refusal::Amqp`](crate::Refusal::Amqp).
pub trait Management: Operator + Counters + Send {
    /// What does not change while the broker runs, apart from the cluster's name.
    fn facts(&self) -> BrokerFacts;
    /// What the listeners with TLS show their clients.
    fn certificates(&self) -> Vec<CertificateInfo>;

    /// A user with the hash of its password.
    fn user(&self, name: &str) -> Option<UserInfo>;
    /// Whether this user may come from this machine only.
    fn is_loopback_only(&self, user: &str) -> bool;
    /// Makes a user, or makes it be like this. Says whether it is new.
    fn put_user(&self, user: &UserInfo) -> Answer<bool>;
    /// The hash to store for a password, by the usual algorithm.
    fn hash_password(&self, password: &str) -> String;
    /// Whether the user has any permissions in the vhost.
    fn may_enter(&self, user: &str, vhost: &str) -> bool;

    /// One vhost.
    fn vhost(&self, name: &str) -> Option<VhostInfo>;
    /// Makes a vhost, or gives it this description, these tags and this default queue type. Says whether
    /// it is new.
    fn put_vhost(&self, vhost: &VhostInfo) -> Answer<bool>;
    /// Whether `delete_vhost` is refused from now on.
    fn protect_vhost(&self, name: &str, is_protected: bool) -> Answer<()>;

    /// One exchange.
    fn exchange(&self, vhost: &str, name: &str) -> Option<ExchangeInfo>;
    /// One queue.
    fn queue(&self, vhost: &str, name: &str) -> Option<QueueInfo>;
    /// The consumers of one queue.
    fn consumers_of(&self, vhost: &str, queue: &str, emit: Emit<'_, ConsumerInfo>);
    /// Bindings between these two. Implicit ones count.
    fn bindings_between(
        &self,
        vhost: &str,
        source: &str,
        destination_kind: topology::DestinationKind,
        destination: &str,
    ) -> Vec<BindingInfo>;
    /// One connection by its name.
    fn connection(&self, name: &str) -> Option<ConnectionInfo>;

    /// Declares an exchange; without a user nobody's permissions are asked. Says whether it is new.
    fn declare_exchange(&self, user: Option<&str>, declare: DeclareExchange) -> Answer<bool>;
    /// Deletes an exchange.
    fn delete_exchange(&self, user: &str, delete: DeleteExchange) -> Answer<()>;
    /// As [`Management::declare_exchange`].
    fn declare_queue(&self, user: Option<&str>, declare: DeclareQueue) -> Answer<bool>;
    /// As [`Operator::delete_queue`], for a user.
    fn delete_queue_for(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        conditions: DeleteConditions,
    ) -> Answer<()>;
    /// As [`Operator::purge_queue`], for a user.
    fn purge_queue_for(&self, user: &str, vhost: &str, queue: &str) -> Answer<()>;
    /// Binds; without a user nobody's permissions are asked.
    fn bind(&self, user: Option<&str>, binding: BindingSpec) -> Answer<()>;
    /// Declares, in this order and for nobody, what is not there by its name. Ends at the first that is
    /// refused; what stands before it is there then. May share writes among many, so no entry may need
    /// another one.
    fn declare_all(&self, declarations: Vec<Declaration>) -> Answer<()>;
    /// Unbinds.
    fn unbind(&self, user: &str, binding: BindingSpec) -> Answer<()>;

    /// Publishes a message and waits until it is where it has to be. Says whether any queue got it.
    fn publish(&self, user: &str, vhost: &str, publication: &Publication) -> Answer<bool>;
    /// Takes up to `count` messages out of a queue, and settles them as told.
    fn get(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        get: GetMessages,
    ) -> Answer<Vec<GotMessage>>;
    /// Copies ready messages and changes nothing.
    fn browse(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        browse: BrowseMessages,
    ) -> Answer<Vec<SeenMessage>>;
    /// Takes dead letters back to the queues they died in, without the headers that tell of it. Each
    /// leaves when it is safe there.
    fn redrive(&self, user: &str, vhost: &str, queue: &str, ids: &[String]) -> Answer<Transferred>;
    /// Takes messages to another queue of the vhost, from the head on. Each leaves when it is safe
    /// there. Ends after some seconds with what it has.
    fn move_messages(
        &self,
        user: &str,
        vhost: &str,
        queue: &str,
        wanted: &MoveMessages,
    ) -> Answer<Transferred>;
}

/// Something to declare.
#[derive(Clone, Debug, PartialEq)]
pub enum Declaration {
    /// An exchange.
    Exchange(DeclareExchange),
    /// A queue.
    Queue(DeclareQueue),
    /// A binding.
    Binding(BindingSpec),
}

/// What the broker says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerFacts {
    /// `RabbitMQ`
    pub product: String,
    /// The version clients are told, which is RabbitMQ's.
    pub version: String,
    /// Of the cluster.
    pub cluster_name: String,
    /// Of queues in vhosts that are made without saying one.
    pub default_queue_type: String,
    /// SASL mechanisms that work.
    pub mechanisms: Vec<String>,
    /// Client connections that this node takes.
    pub connections_max: Option<u64>,
    /// For settling a delivery from a quorum queue, milliseconds.
    pub consumer_timeout_ms: u64,
    /// Processors that the broker may use.
    pub processors: u64,
    /// `basic`, `detailed` or `none`
    pub rates_mode: &'static str,
    /// How long which samples are kept.
    pub sample_retention: config::SampleRetention,
}

/// A certificate of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    /// See [`crate::ListenerInfo`].
    pub interface: String,
    /// See [`crate::ListenerInfo`].
    pub port: u16,
    /// See [`crate::ListenerInfo`].
    pub protocol: String,
    /// PEM file of authorities.
    pub cacertfile: Option<PathBuf>,
    /// PEM file of the chain.
    pub certfile: PathBuf,
    /// When each certificate of `cacertfile` ends, seconds since 1970.
    pub cacertfile_expires: Vec<i64>,
    /// When each certificate of `certfile` ends, seconds since 1970.
    pub certfile_expires: Vec<i64>,
}

/// A message to publish.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Its name in the vhost; empty for the default exchange.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// In the encoding of AMQP 0-9-1: flags, then values.
    pub properties: Vec<u8>,
    /// The payload.
    pub body: Vec<u8>,
}

/// What to get, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetMessages {
    /// At most so many; all there are if it is none.
    pub count: Option<u64>,
    /// What is then done with them.
    pub then: GetMode,
}

/// What becomes of messages that somebody looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetMode {
    /// `ack_requeue_true`: they go back, and that counts as no attempt that failed.
    Return,
    /// `ack_requeue_false`: they are gone.
    Take,
    /// `reject_requeue_true`: they go back as rejected.
    RejectAndReturn,
    /// `reject_requeue_false`: they are dead letters.
    Reject,
}

/// A message out of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct GotMessage {
    /// Whether somebody had it before.
    pub redelivered: bool,
    /// What it was published to.
    pub exchange: String,
    /// And with which key.
    pub routing_key: String,
    /// How many ready messages were left behind it.
    pub message_count: u64,
    /// In the encoding of AMQP 0-9-1: flags, then values.
    pub properties: Vec<u8>,
    /// The payload.
    pub body: Vec<u8>,
}

/// Which ready messages to look at, in the order of delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrowseMessages {
    /// Those behind this one; from the head on if it is none.
    pub behind: Option<String>,
    /// So many are passed over.
    pub skip: u64,
    /// At most so many.
    pub count: usize,
}

/// A message in a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenMessage {
    /// Names it for as long as it is there.
    pub id: String,
    /// What it is.
    pub message: GotMessage,
}

/// What to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveMessages {
    /// The other queue.
    pub destination: String,
    /// At most so many; those that are ready now if it is none.
    pub count: Option<u64>,
}

/// What became of messages that were to go to other queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// So many have left.
    pub moved: u64,
    /// Those that are where they were.
    pub left: Vec<LeftMessage>,
}

/// A message that stays in its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMessage {
    /// See [`SeenMessage`].
    pub id: String,
    /// A sentence, or a part of one.
    pub reason: String,
}
