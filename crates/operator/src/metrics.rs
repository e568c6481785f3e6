//! What a scrape of Prometheus reads: plain numbers, row by row, cheap to make of many objects.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Counters, Emit};

/// A running broker as Prometheus sees it. Calls block; each comes from a thread of its own. Rows come
/// one by one, each looked at under its own lock.
pub trait Metrics: Counters + Send + Sync {
    /// Who it is.
    fn identity(&self) -> NodeIdentity;
    /// Whether this user may see metrics; the reason if not.
    fn check_monitor(&self, peer: IpAddr, user: &str, password: &str) -> Result<(), &'static str>;
    /// The node as a whole.
    fn node(&self) -> NodeFigures;
    /// What memory is used for, bytes, under RabbitMQ's names.
    fn memory_breakdown(&self) -> Vec<(String, u64)>;
    /// Names of all vhosts.
    fn vhost_names(&self) -> Vec<Arc<str>>;
    /// All queues.
    fn queue_figures(&self, emit: Emit<'_, QueueFigures>);
    /// All exchanges.
    fn exchange_figures(&self, emit: Emit<'_, ExchangeFigures>);
    /// All client connections.
    fn connection_figures(&self, emit: Emit<'_, ConnectionFigures>);
    /// Channels of all connections.
    fn channel_figures(&self, emit: Emit<'_, ChannelFigures>);
    /// The control plane's raft group.
    fn control_raft(&self) -> RaftFigures;
    /// Raft groups of quorum queues that ever had a message.
    fn queue_raft(&self, emit: Emit<'_, RaftFigures>);
}

/// Names of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeIdentity {
    /// `rabbit@host`
    pub node: String,
    /// Of its cluster.
    pub cluster: String,
    /// Made when the cluster was.
    pub cluster_id: String,
    /// The version that clients are told, which is RabbitMQ's.
    pub version: String,
    /// What it runs on, in place of Erlang's version.
    pub runtime: String,
}

/// A node's resources and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeFigures {
    /// Open file descriptors.
    pub descriptors: u64,
    /// How many may be open.
    pub descriptors_max: u64,
    /// What counts against the watermark, bytes.
    pub memory: u64,
    /// The watermark, bytes.
    pub memory_limit: u64,
    /// Free on the data directory's disk, bytes.
    pub disk_free: u64,
    /// Where the disk alarm starts, bytes.
    pub disk_free_limit: u64,
    /// In alarm.
    pub has_memory_alarm: bool,
    /// In alarm.
    pub has_disk_alarm: bool,
    /// Tasks that exist, in place of Erlang's processes.
    pub tasks: u64,
    /// How many may exist.
    pub tasks_max: u64,
    /// Milliseconds since the process started.
    pub uptime_ms: u64,
    /// When it started, seconds since 1970.
    pub started_at_s: u64,
    /// Client connections.
    pub connections: u64,
    /// Their channels.
    pub channels: u64,
    /// Consumers.
    pub consumers: u64,
    /// Queues.
    pub queues: u64,
}

/// One queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueFigures {
    /// Where it is.
    pub vhost: Arc<str>,
    /// Its name in the vhost.
    pub name: Arc<str>,
    /// `classic`, `quorum`, `stream`
    pub queue_type: &'static str,
    /// Waiting to be delivered.
    pub ready: u64,
    /// Delivered, not yet settled.
    pub unacked: u64,
    /// All messages: those that are neither, too.
    pub messages: u64,
    /// Survive a restart.
    pub persistent: u64,
    /// Body bytes of the ready ones.
    pub ready_bytes: u64,
    /// Body bytes of the unacknowledged ones.
    pub unacked_bytes: u64,
    /// Body bytes of the persistent ones.
    pub persistent_bytes: u64,
    /// Whether the messages count as held in memory.
    pub is_in_memory: bool,
    /// The `timestamp` property of the first ready message, seconds.
    pub head_message_timestamp: Option<u64>,
    /// How many consume.
    pub consumers: u64,
    /// Share of the time in which messages could be delivered at once, 0 to 1.
    pub consumer_capacity: f64,
    /// Bytes, everything included.
    pub memory: u64,
}

/// One exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeFigures {
    /// Where it is.
    pub vhost: Arc<str>,
    /// Its name in the vhost.
    pub name: Arc<str>,
    /// `direct`, `fanout`, ...
    pub exchange_type: &'static str,
    /// Bindings that it is the source of.
    pub bindings: u64,
}

/// One client connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFigures {
    /// Node-wide.
    pub id: u64,
    /// Open channels.
    pub channels: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Reads.
    pub received_packets: u64,
    /// Writes.
    pub sent_packets: u64,
    /// Writes that wait.
    pub pending_packets: u64,
}

/// One channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelFigures {
    /// Node-wide.
    pub id: u64,
    /// Where its exchanges and queues are.
    pub vhost: Arc<str>,
    /// How many consume through it.
    pub consumers: u64,
    /// Delivered, not yet settled.
    pub unacked: u64,
    /// Published, not yet confirmed.
    pub unconfirmed: u64,
    /// Published in the open transaction.
    pub uncommitted: u64,
    /// Acknowledgements in the open transaction.
    pub acks_uncommitted: u64,
    /// For new consumers; 0 is no limit.
    pub prefetch: u64,
}

/// One raft group. An entry takes effect when it is committed, and is committed when it is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RaftFigures {
    /// The quorum queue's vhost and name; none for the control plane.
    pub queue: Option<(Arc<str>, Arc<str>)>,
    /// The current term.
    pub term: u64,
    /// Of the last entry.
    pub last_index: u64,
    /// Entries up to here are committed.
    pub commit_index: u64,
    /// The last entry that a snapshot stands for, if that is known.
    pub snapshot_index: Option<u64>,
}
