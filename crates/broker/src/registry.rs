//! Who is connected: what listings show and operators close.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
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
    connections: RwLock<BTreeMap<ConnectionId, Arc<ConnectionEntry>>>,
    channels: AtomicU64,
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
            && connections.len() as u64 >= max
        {
            let text = format!("connection refused: node connection limit ({max}) is reached");
            return Err(Refusal { kind: RefusalKind::NotAllowed, text });
        }
        let count = |is_one: &dyn Fn(&ConnectionFacts) -> bool| {
            connections.values().filter(|it| is_one(&it.facts)).count() as u64
        };
        // Looks at every connection, so that only who set a limit pays for it.
        let vhost = state.vhost(&facts.vhost);
        let is_vhost_limited = vhost.is_some_and(|it| it.limits().max_connections.is_some());
        let of_vhost = if is_vhost_limited { count(&|it| it.vhost == facts.vhost) } else { 0 };
        let user = state.user(&facts.user);
        let is_user_limited = user.is_some_and(|it| it.limits().max_connections.is_some());
        let of_user = if is_user_limited { count(&|it| it.user == facts.user) } else { 0 };
        state.check_connection_limits(&facts.user, &facts.vhost, of_vhost, of_user)?;
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
        });
        connections.insert(id, entry.clone());
        Ok(entry)
    }

    /// Forgets a connection and its channels.
    pub fn close(&self, entry: &ConnectionEntry) {
        if self.connections.write().remove(&entry.id).is_some() {
            let left = std::mem::take(&mut *entry.channels.lock());
            self.channels.fetch_sub(left.len() as u64, Ordering::Relaxed);
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
        if state.user(user).is_some_and(|it| it.limits().max_channels.is_some()) {
            let of_user = |it: &&Arc<ConnectionEntry>| it.facts.user == *user;
            let connections = self.connections.read();
            let open: usize =
                connections.values().filter(of_user).map(|it| it.channels.lock().len()).sum();
            state.check_channel_limit(user, open as u64)?;
        }
        let channel = Arc::new(channel);
        connection.channels.lock().push(channel.clone());
        self.channels.fetch_add(1, Ordering::Relaxed);
        Ok(channel)
    }

    /// Forgets a channel.
    pub fn close_channel(&self, connection: &ConnectionEntry, channel: &ChannelEntry) {
        let mut channels = connection.channels.lock();
        let before = channels.len();
        channels.retain(|it| it.id != channel.id);
        self.channels.fetch_sub((before - channels.len()) as u64, Ordering::Relaxed);
    }

    /// An open connection.
    pub fn get(&self, id: ConnectionId) -> Option<Arc<ConnectionEntry>> {
        self.connections.read().get(&id).cloned()
    }

    /// All open connections, oldest first.
    pub fn connections(&self) -> Vec<Arc<ConnectionEntry>> {
        self.connections.read().values().cloned().collect()
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
