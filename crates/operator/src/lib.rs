//! A running broker as its operators see it: what the command line and the HTTP API ask of it, and
//! the rows of its listings. The node implements [`Operator`]; tests have a fake.
//!
//! Knows: RabbitMQ's names of objects, facts and refusals. Must not know: how they are shown (columns,
//! JSON), sockets, or how the broker does what it is asked.
#![forbid(unsafe_code)]

mod actor;
mod counters;
mod info;
mod management;
mod metrics;
mod policies;
mod status;
mod term;

use std::{fmt, time::Duration};

pub use actor::{actor, on_behalf_of};
pub use counters::{Counters, QueueSummary};
pub use info::{
    BindingInfo, ChannelInfo, ConnectionInfo, ConsumerInfo, ExchangeInfo, PeerInfo, PermissionInfo,
    QueueInfo, TlsInfo, TopicPermissionInfo, UserInfo, VhostInfo,
};
pub use management::{
    BrokerFacts, BrowseMessages, CertificateInfo, Declaration, GetMessages, GetMode, GotMessage,
    LeftMessage, Management, MoveMessages, Publication, SeenMessage, Transferred,
};
pub use metrics::{
    ChannelFigures, ConnectionFigures, ExchangeFigures, Metrics, NodeFigures, NodeIdentity,
    QueueFigures, RaftFigures,
};
pub use policies::{ParameterInfo, PolicyInfo, PolicyObject, PolicyScope};
pub use status::{ListenerInfo, MemoryInfo, NodeStatus, RunState};
pub use term::Term;

/// Receives rows one by one. It writes to a socket: call it under no lock, and not on a thread
/// that clients wait for.
pub type Emit<'a, T> = &'a mut dyn FnMut(T);

/// The result of asking.
pub type Answer<T> = Result<T, Refusal>;

/// Limits by name (`max-connections`, ...); -1 is none.
pub type LimitSet = Vec<(String, i64)>;

/// A running broker as its operator sees it. Calls block; each comes from a thread of its own.
/// A vhost that does not exist is [`Refusal::NoSuchVhost`] unless the method says otherwise.
pub trait Operator: Sync {
    /// `rabbit@host`
    fn node_name(&self) -> String;
    /// Whether clients can connect, and if not, why.
    fn run_state(&self) -> RunState;
    /// Blocks until the broker accepts clients; `false` when the time is over first.
    fn await_startup(&self, timeout: Duration) -> bool;
    /// Everything `status` shows.
    fn status(&self) -> NodeStatus;
    /// Open listeners.
    fn listeners(&self) -> Vec<ListenerInfo>;
    /// Begins an orderly shutdown of the process and returns.
    fn stop(&self);
    /// Maintenance: closes the listeners and all connections. Fine when it is on already.
    fn drain(&self);
    /// Ends maintenance: opens the listeners. Fine when it is not on.
    fn revive(&self) -> Answer<()>;
    /// Closes the listeners and all connections; until [`Operator::start_app`] the state is
    /// [`RunState::AppStopped`].
    fn stop_app(&self);
    /// Drops what is transient, as a restart does, and opens the listeners. Does nothing while the
    /// application runs.
    fn start_app(&self) -> Answer<()>;
    /// Until the next restart.
    fn set_vm_memory_high_watermark(&self, watermark: config::MemoryHighWatermark) -> Answer<()>;
    /// Until the next restart.
    fn set_disk_free_limit(&self, limit: config::DiskFreeLimit) -> Answer<()>;
    /// The cluster's name, shown to clients.
    fn set_cluster_name(&self, name: &str) -> Answer<()>;
    /// One of `debug`, `info`, `warning`, `error`, `critical`, `none`, for all log outputs.
    fn set_log_level(&self, level: &str) -> Answer<()>;

    /// Queues of a vhost by name; none when there is no such vhost, as in RabbitMQ.
    fn list_queues(&self, vhost: &str, emit: Emit<'_, QueueInfo>) -> Answer<()>;
    /// Exchanges of a vhost, the default one included; none when there is no such vhost.
    fn list_exchanges(&self, vhost: &str, emit: Emit<'_, ExchangeInfo>) -> Answer<()>;
    /// Bindings of a vhost, the implicit ones of the default exchange first; none when there is no
    /// such vhost.
    fn list_bindings(&self, vhost: &str, emit: Emit<'_, BindingInfo>) -> Answer<()>;
    /// Consumers of a vhost's queues; none when there is no such vhost.
    fn list_consumers(&self, vhost: &str, emit: Emit<'_, ConsumerInfo>) -> Answer<()>;
    /// Client connections of all vhosts.
    fn list_connections(&self, emit: Emit<'_, ConnectionInfo>) -> Answer<()>;
    /// Channels of all connections.
    fn list_channels(&self, emit: Emit<'_, ChannelInfo>) -> Answer<()>;

    /// Removes ready messages; says how many. [`Refusal::NotFound`] without such a queue,
    /// [`Refusal::NotSupported`] for streams.
    fn purge_queue(&self, vhost: &str, queue: &str) -> Answer<u64>;
    /// Deletes a queue; says how many ready messages it had. [`Refusal::Amqp`] when a condition
    /// does not hold.
    fn delete_queue(&self, vhost: &str, queue: &str, conditions: DeleteConditions) -> Answer<u64>;

    /// [`Refusal::InvalidPid`] when that is no identifier; one that no connection has is fine.
    fn close_connection(&self, pid: &str, reason: &str) -> Answer<()>;
    /// Closes connections, at most `limit` (0 is all), pausing between two. Says how many.
    fn close_all_connections(
        &self,
        which: ConnectionsOf<'_>,
        limits: CloseLimits,
        reason: &str,
    ) -> Answer<u64>;

    /// Users, by name.
    fn list_users(&self) -> Answer<Vec<UserInfo>>;
    /// A user with a password in clear, or already hashed (RabbitMQ's base64 form).
    /// [`Refusal::UserExists`].
    fn add_user(&self, name: &str, password: NewPassword<'_>) -> Answer<()>;
    /// Deleting a user that does not exist succeeds, as in RabbitMQ.
    fn delete_user(&self, name: &str) -> Answer<()>;
    /// [`Refusal::NoSuchUser`].
    fn change_password(&self, name: &str, password: NewPassword<'_>) -> Answer<()>;
    /// The user can no longer log in with a password. [`Refusal::NoSuchUser`].
    fn clear_password(&self, name: &str) -> Answer<()>;
    /// Whether the password is right; [`Refusal::LoginFailed`] otherwise.
    fn authenticate_user(&self, name: &str, password: &str) -> Answer<()>;
    /// Replaces all tags. [`Refusal::NoSuchUser`].
    fn set_user_tags(&self, name: &str, tags: &[String]) -> Answer<()>;
    /// Limits as the JSON object typed (`max-connections`, `max-channels`; -1 is none). `Err` is
    /// [`Refusal::Invalid`] with RabbitMQ's text for unknown names or bad values.
    fn set_user_limits(
        &self,
        name: &str,
        limits: &serde_json::Map<String, serde_json::Value>,
    ) -> Answer<()>;
    /// Removes one limit, or all.
    fn clear_user_limits(&self, name: &str, limit: Option<&str>) -> Answer<()>;
    /// Limits of one user. [`Refusal::NoSuchUser`].
    fn user_limits(&self, name: &str) -> Answer<LimitSet>;
    /// Limits of each user that has some.
    fn all_user_limits(&self) -> Answer<Vec<(String, LimitSet)>>;

    /// Permissions in a vhost, by user.
    fn list_permissions(&self, vhost: &str) -> Answer<Vec<PermissionInfo>>;
    /// Permissions of a user, by vhost. [`Refusal::NoSuchUser`].
    fn list_user_permissions(&self, user: &str) -> Answer<Vec<PermissionInfo>>;
    /// [`Refusal::NoSuchUser`], [`Refusal::InvalidRegex`].
    fn set_permissions(&self, permission: &PermissionInfo) -> Answer<()>;
    /// Succeeds when there was nothing to clear, even in a vhost that does not exist.
    fn clear_permissions(&self, vhost: &str, user: &str) -> Answer<()>;
    /// Topic permissions in a vhost, by user and exchange.
    fn list_topic_permissions(&self, vhost: &str) -> Answer<Vec<TopicPermissionInfo>>;
    /// Topic permissions of a user, by vhost and exchange. [`Refusal::NoSuchUser`].
    fn list_user_topic_permissions(&self, user: &str) -> Answer<Vec<TopicPermissionInfo>>;
    /// [`Refusal::NoSuchUser`], [`Refusal::NoSuchExchange`], [`Refusal::InvalidRegex`].
    fn set_topic_permissions(&self, permission: &TopicPermissionInfo) -> Answer<()>;
    /// On one exchange, or on all of the vhost. Succeeds when there was nothing to clear, even for a
    /// user or in a vhost that does not exist.
    fn clear_topic_permissions(
        &self,
        vhost: &str,
        user: &str,
        exchange: Option<&str>,
    ) -> Answer<()>;

    /// All vhosts.
    fn list_vhosts(&self) -> Answer<Vec<VhostInfo>>;
    /// Adding a vhost that exists succeeds and changes nothing, as in RabbitMQ. Of `vhost` the
    /// name, description, tags and default queue type count.
    fn add_vhost(&self, vhost: &VhostInfo) -> Answer<()>;
    /// [`Refusal::VhostProtected`] when it is protected from deletion.
    fn delete_vhost(&self, name: &str) -> Answer<()>;
    /// Begins or ends copying the messages of a vhost, which need not exist, to `amq.rabbitmq.trace`;
    /// fine when that is so already. Until the process ends.
    fn set_tracing(&self, vhost: &str, is_on: bool) -> Answer<()>;
    /// As [`Operator::set_user_limits`], with `max-connections` and `max-queues`.
    fn set_vhost_limits(
        &self,
        vhost: &str,
        limits: &serde_json::Map<String, serde_json::Value>,
    ) -> Answer<()>;
    /// Removes all limits.
    fn clear_vhost_limits(&self, vhost: &str) -> Answer<()>;
    /// Limits of one vhost.
    fn vhost_limits(&self, vhost: &str) -> Answer<LimitSet>;
    /// Limits of each vhost that has some.
    fn all_vhost_limits(&self) -> Answer<Vec<(String, LimitSet)>>;

    /// Sets a runtime parameter; policies of both kinds are parameters, too. Comes back when queues
    /// act on it. [`Refusal::Invalid`] with RabbitMQ's text.
    fn set_parameter(&self, vhost: &str, parameter: &ParameterInfo) -> Answer<()>;
    /// [`Refusal::Invalid`] with RabbitMQ's text when there is none, or no such vhost.
    fn clear_parameter(&self, vhost: &str, component: &str, name: &str) -> Answer<()>;
    /// Without the policies of users.
    fn list_parameters(&self, vhost: &str) -> Answer<Vec<ParameterInfo>>;
    /// The lowest priority first.
    fn list_policies(&self, vhost: &str, scope: PolicyScope) -> Answer<Vec<PolicyInfo>>;
    /// The policies of users that match an object; the first applies. [`Refusal::NotFound`] without
    /// such a queue; none for an exchange of a vhost that does not exist.
    fn policies_that_match(
        &self,
        vhost: &str,
        object: PolicyObject,
        name: &str,
    ) -> Answer<Vec<PolicyInfo>>;
    /// Sets a runtime parameter of the cluster.
    fn set_global_parameter(&self, name: &str, value: serde_json::Value) -> Answer<()>;
    /// [`Refusal::Invalid`] with RabbitMQ's text when there is none.
    fn clear_global_parameter(&self, name: &str) -> Answer<()>;
    /// The runtime parameters of the cluster, by name.
    fn list_global_parameters(&self) -> Answer<Vec<(String, serde_json::Value)>>;
}

/// Under which conditions a queue may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteConditions {
    /// Only without ready messages.
    pub if_empty: bool,
    /// Only without consumers.
    pub if_unused: bool,
}

/// Whose connections are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionsOf<'a> {
    /// Everybody's.
    Node,
    /// Those to a vhost.
    Vhost(&'a str),
    /// Those of a user.
    User(&'a str),
}

/// How fast and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseLimits {
    /// At most so many; 0 is all.
    pub count: u64,
    /// Pause between two.
    pub delay: Duration,
}

/// A password to store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NewPassword<'a> {
    /// In clear; the broker hashes it with a salt of its own. May be blank: then nobody logs in.
    Clear(&'a str),
    /// As in definitions: base64 of salt and digest, by the default algorithm.
    Hashed(&'a str),
}

impl fmt::Debug for NewPassword<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Clear(..)",
            Self::Hashed(_) => "Hashed(..)",
        })
    }
}

/// Why the broker did not do it. The commands turn it into RabbitMQ's words and exit codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No user of that name.
    NoSuchUser(String),
    /// There is a user of that name.
    UserExists(String),
    /// No vhost of that name.
    NoSuchVhost(String),
    /// No exchange of that name.
    NoSuchExchange(String),
    /// The vhost is protected from deletion.
    VhostProtected(String),
    /// The queue, or whatever was named, does not exist.
    NotFound,
    /// A pattern is not a regular expression.
    InvalidRegex {
        /// As typed.
        pattern: String,
        /// PCRE's words.
        reason: String,
        /// Where in the pattern.
        position: usize,
    },
    /// A channel opened for the asker was closed: the code of AMQP 0-9-1, and its name and the text.
    Closed {
        /// 406
        code: u16,
        /// `PRECONDITION_FAILED - ...`
        text: String,
    },
    /// What an AMQP client would be told: `precondition_failed` and the text.
    Amqp {
        /// The error's name, in lower case.
        name: &'static str,
        /// Without the name.
        text: String,
    },
    /// Not for this type of queue.
    NotSupported,
    /// That is no process identifier.
    InvalidPid(String),
    /// User and password do not go together.
    LoginFailed(String),
    /// A value is out of bounds or unknown; the text is RabbitMQ's.
    Invalid(String),
    /// The broker cannot do it now (shutting down, no quorum): a sentence.
    Unavailable(String),
}
