//! Who is connected: what listings show and operators close.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::{Mutex, RwLock};
use statistics::{Churn, Clients};
use stdx::Timestamp;
use topology::{ConnectionId, Refusal, RefusalKind, State};

use crate::{BrokerConfig, Event, MailboxRef};

/// What is known of a connection once it is open, and does not change.
#[derive(Clone, Debug)]
pub struct ConnectionFacts {
    /// `peer:port -> host:port`.
    pub name: String,
    /// Authenticated user.
    pub user: Arc<str>,
    /// Virtual host.
    pub vhost: Arc<str>,
    /// Protocol version as listings print it: 0, 9, 1.
    pub protocol: &'static [u8],
    /// Mechanism the client authenticated with.
    pub auth_mechanism: String,
    /// Client's address.
    pub peer_host: IpAddr,
    /// Client's port.
    pub peer_port: u16,
    /// Our address.
    pub host: IpAddr,
    /// Our port.
    pub port: u16,
    /// Negotiated heartbeat in seconds.
    pub heartbeat_s: u16,
    /// Negotiated frame size in bytes.
    pub frame_max: u32,
    /// Negotiated number of channels.
    pub channel_max: u16,
    /// What the client said of itself, in the wire's encoding with its length prefix.
    pub client_properties: Box<[u8]>,
    /// When it was opened.
    pub connected_at: Timestamp,
    /// TLS version and cipher suite, when encrypted.
    pub tls: Option<Box<TlsFacts>>,
}

/// What is known of an encrypted connection.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// Such as `tlsv1.3`.
    pub protocol: String,
    /// Cipher suite by its IANA name.
    pub cipher: String,
    /// The client's own certificate (DER), if it showed one and it was checked.
    pub certificate: Option<Box<[u8]>>,
}

/// How long a connection that had to wait is shown in flow, in ms: the waits are too short to be seen
/// by who asks now and then. RabbitMQ has the same span.
const FLOW_SHOWN_MS: u64 = 5000;

/// States of a connection as listings show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ConnectionState {
    /// Reading and writing.
    Running = 0,
    /// Publishes faster than the disk or the consumers take it, and is made to wait.
    Flow = 1,
    /// An alarm is on; it has not published since.
    Blocking = 2,
    /// An alarm is on and it tried to publish.
    Blocked = 3,
    /// Close frames are on their way.
    Closing = 4,
}

impl ConnectionState {
    /// The word listings print.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Flow => "flow",
            Self::Blocking => "blocking",
            Self::Blocked => "blocked",
            Self::Closing => "closing",
        }
    }
}

/// An open connection. The owner updates the counters, listings read them.
pub struct ConnectionEntry {
    /// Node-wide id; also names the owner of exclusive queues.
    pub id: ConnectionId,
    /// What does not change.
    pub facts: ConnectionFacts,
    /// Where to reach it.
    pub mailbox: MailboxRef,
    /// One of [`ConnectionState`].
    state: AtomicU8,
    /// When it had to wait last, in ms since the epoch.
    throttled_ms: AtomicU64,
    /// Bytes received.
    pub received_bytes: AtomicU64,
    /// Bytes handed to the socket.
    pub sent_bytes: AtomicU64,
    /// Reads.
    pub received_packets: AtomicU64,
    /// Writes.
    pub sent_packets: AtomicU64,
    /// Open channels.
    pub channels: Mutex<Vec<Arc<ChannelEntry>>>,
    /// Open channels of all connections of its user.
    channels_of_user: Arc<AtomicU64>,
}

impl ConnectionEntry {
    /// Changes the state shown in listings.
    pub fn set_state(&self, state: ConnectionState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// It is made to wait at `now`, because it publishes faster than the disk or the consumers take
    /// it.
    pub fn note_throttled(&self, now: Timestamp) {
        self.throttled_ms.store(now.0, Ordering::Relaxed);
    }

    /// The state shown in listings at `now`.
    pub fn state(&self, now: Timestamp) -> ConnectionState {
        let throttled_at = Timestamp(self.throttled_ms.load(Ordering::Relaxed));
        match self.state.load(Ordering::Relaxed) {
            0 if now.since_ms(throttled_at) < FLOW_SHOWN_MS => ConnectionState::Flow,
            0 => ConnectionState::Running,
            1 => ConnectionState::Flow,
            2 => ConnectionState::Blocking,
            3 => ConnectionState::Blocked,
            _ => ConnectionState::Closing,
        }
    }
}

/// An open channel.
#[derive(Debug, Default)]
pub struct ChannelEntry {
    /// Node-wide id, shown as part of its pid.
    pub id: u64,
    /// Channel number.
    pub number: u16,
    /// In confirm mode.
    pub is_confirm: AtomicBool,
    /// Has published.
    pub is_publisher: AtomicBool,
    /// In transaction mode.
    pub is_transactional: AtomicBool,
    /// Consumers on the channel.
    pub consumers: AtomicU32,
    /// Deliveries not settled.
    pub unacked: AtomicU32,
    /// Publishes not confirmed.
    pub unconfirmed: AtomicU32,
    /// Publishes held by an open transaction.
    pub uncommitted: AtomicU32,
    /// Settlements held by an open transaction.
    pub acks_uncommitted: AtomicU32,
    /// Prefetch for consumers to come, 0 for none.
    pub prefetch: AtomicU32,
    /// Prefetch of the channel as a whole, 0 for none.
    pub global_prefetch: AtomicU32,
}

/// All open connections of the node.
#[derive(Default)]
pub struct Registry {
    connections: RwLock<Connections>,
    channels: AtomicU64,
    /// Connections since the node started.
    connections_opened: AtomicU64,
    connections_closed: AtomicU64,
    /// Channels since the node started.
    channels_opened: AtomicU64,
}

/// Connections, and how many there are of whom: limits are looked at with each new one.
#[derive(Default)]
struct Connections {
    open: BTreeMap<ConnectionId, Arc<ConnectionEntry>>,
    of_vhost: AHashMap<Arc<str>, u64>,
    of_user: AHashMap<Arc<str>, OfUser>,
}

/// What a user has open.
#[derive(Default)]
struct OfUser {
    connections: u64,
    /// Shared with its connections, which count without the registry's lock.
    channels: Arc<AtomicU64>,
}

impl Connections {
    fn of_vhost(&self, vhost: &str) -> u64 {
        self.of_vhost.get(vhost).copied().unwrap_or_default()
    }

    fn of_user(&self, user: &str) -> u64 {
        self.of_user.get(user).map_or(0, |it| it.connections)
    }

    /// Counts one more connection; returns the counter of its user's channels.
    fn count_in(&mut self, facts: &ConnectionFacts) -> Arc<AtomicU64> {
        *self.of_vhost.entry(facts.vhost.clone()).or_default() += 1;
        let of_user = self.of_user.entry(facts.user.clone()).or_default();
        of_user.connections += 1;
        of_user.channels.clone()
    }

    /// Counts one less, and forgets who has none left.
    fn count_out(&mut self, facts: &ConnectionFacts) {
        if let Some(of_vhost) = self.of_vhost.get_mut(&facts.vhost) {
            *of_vhost -= 1;
            if *of_vhost == 0 {
                self.of_vhost.remove(&facts.vhost);
            }
        }
        if let Some(of_user) = self.of_user.get_mut(&facts.user) {
            of_user.connections -= 1;
            if of_user.connections == 0 {
                self.of_user.remove(&facts.user);
            }
        }
    }
}

impl Registry {
    /// Admits a connection, or refuses it by the node's, the vhost's or the user's limit, in
    /// RabbitMQ's order and words.
    pub fn open(
        &self,
        id: ConnectionId,
        facts: ConnectionFacts,
        mailbox: MailboxRef,
        config: &BrokerConfig,
        state: &State,
    ) -> Result<Arc<ConnectionEntry>, Refusal> {
        let mut connections = self.connections.write();
        if let Some(max) = config.connections_max
            && connections.open.len() as u64 >= max
        {
            let text = format!("connection refused: node connection limit ({max}) is reached");
            return Err(Refusal { kind: RefusalKind::NotAllowed, text });
        }
        let of_vhost = connections.of_vhost(&facts.vhost);
        let of_user = connections.of_user(&facts.user);
        state.check_connection_limits(&facts.user, &facts.vhost, of_vhost, of_user)?;
        let channels_of_user = connections.count_in(&facts);
        let entry = Arc::new(ConnectionEntry {
            id,
            facts,
            mailbox,
            state: AtomicU8::new(ConnectionState::Running as u8),
            throttled_ms: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            received_packets: AtomicU64::new(0),
            sent_packets: AtomicU64::new(0),
            channels: Mutex::default(),
            channels_of_user,
        });
        connections.open.insert(id, entry.clone());
        self.connections_opened.fetch_add(1, Ordering::Relaxed);
        Ok(entry)
    }

    /// Forgets a connection and its channels.
    pub fn close(&self, entry: &ConnectionEntry) {
        let mut connections = self.connections.write();
        if connections.open.remove(&entry.id).is_some() {
            connections.count_out(&entry.facts);
            drop(connections);
            self.connections_closed.fetch_add(1, Ordering::Relaxed);
            let left = std::mem::take(&mut *entry.channels.lock());
            self.count_channels_out(entry, left.len());
        }
    }

    /// Admits a channel, or refuses it by the node's or the user's limit.
    pub fn open_channel(
        &self,
        connection: &ConnectionEntry,
        channel: ChannelEntry,
        config: &BrokerConfig,
        state: &State,
    ) -> Result<Arc<ChannelEntry>, Refusal> {
        if let Some(max) = config.channels_per_node_max
            && self.channels.load(Ordering::Relaxed) >= max
        {
            let text = format!(
                "number of channels opened on node '{}' has reached the maximum allowed limit of {max}",
                config.identity.node
            );
            return Err(Refusal { kind: RefusalKind::NotAllowed, text });
        }
        let user = &connection.facts.user;
        state.check_channel_limit(user, connection.channels_of_user.load(Ordering::Relaxed))?;
        let channel = Arc::new(channel);
        connection.channels.lock().push(channel.clone());
        self.channels.fetch_add(1, Ordering::Relaxed);
        self.channels_opened.fetch_add(1, Ordering::Relaxed);
        connection.channels_of_user.fetch_add(1, Ordering::Relaxed);
        Ok(channel)
    }

    fn count_channels_out(&self, connection: &ConnectionEntry, count: usize) {
        self.channels.fetch_sub(count as u64, Ordering::Relaxed);
        connection.channels_of_user.fetch_sub(count as u64, Ordering::Relaxed);
    }

    /// Forgets a channel.
    pub fn close_channel(&self, connection: &ConnectionEntry, channel: &ChannelEntry) {
        let mut channels = connection.channels.lock();
        let before = channels.len();
        channels.retain(|it| it.id != channel.id);
        self.count_channels_out(connection, before - channels.len());
    }

    /// Who publishes and consumes now.
    pub fn clients(&self) -> Clients {
        let mut clients = Clients::default();
        for connection in self.connections() {
            for channel in &*connection.channels.lock() {
                let is_publisher = channel.is_publisher.load(Ordering::Relaxed);
                clients.publishers += u64::from(is_publisher);
                clients.consumers += u64::from(channel.consumers.load(Ordering::Relaxed));
            }
        }
        clients
    }

    /// What came and went; of queues nothing.
    pub(crate) fn churn(&self) -> Churn {
        let channels = self.channels.load(Ordering::Relaxed);
        let channel_created = self.channels_opened.load(Ordering::Relaxed);
        Churn {
            connection_created: self.connections_opened.load(Ordering::Relaxed),
            connection_closed: self.connections_closed.load(Ordering::Relaxed),
            channel_created,
            channel_closed: channel_created.saturating_sub(channels),
            ..Churn::default()
        }
    }

    /// An open connection.
    pub fn get(&self, id: ConnectionId) -> Option<Arc<ConnectionEntry>> {
        self.connections.read().open.get(&id).cloned()
    }

    /// All open connections, oldest first.
    pub fn connections(&self) -> Vec<Arc<ConnectionEntry>> {
        self.connections.read().open.values().cloned().collect()
    }

    /// Asks every connection that `wants` names to close with an operator's text (AMQP 0-9-1:
    /// 320 CONNECTION_FORCED). Returns how many.
    pub fn request_close(
        &self,
        reason: &str,
        mut wants: impl FnMut(&ConnectionEntry) -> bool,
    ) -> usize {
        let chosen: Vec<_> = self.connections().into_iter().filter(|it| wants(it)).collect();
        for entry in &chosen {
            entry.mailbox.post(Event::CloseRequested { reason: reason.to_owned() });
            entry.mailbox.wake();
        }
        chosen.len()
    }
}
