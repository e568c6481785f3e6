//! The configuration a broker runs with: every value filled in.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use crate::Log;

/// All settings, with RabbitMQ's defaults where the file says nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where clients connect.
    pub listeners: Listeners,
    /// `ssl_options.*`: certificates and protocol versions of the TLS listeners.
    pub tls: TlsOptions,
    /// The user and vhost a node creates the first time it starts.
    pub default_user: DefaultUser,
    /// Who may log in and how.
    pub auth: Auth,
    /// What one client, or all of them, may use.
    pub limits: Limits,
    /// `vm_memory_high_watermark.*`: where the memory alarm starts.
    pub memory_high_watermark: MemoryHighWatermark,
    /// `vm_memory_calculation_strategy`: what counts as used memory.
    pub memory_calculation: MemoryCalculation,
    /// `total_memory_available_override_value`: bytes of memory that count as there.
    pub total_memory_override: Option<u64>,
    /// `disk_free_limit.*`: where the disk alarm starts.
    pub disk_free_limit: DiskFreeLimit,
    /// Where log lines go.
    pub log: Log,
    /// `event_exchange.vhost`: whose exchange tells of what happens; the default one when absent.
    pub event_vhost: Option<String>,
    /// `data_dir`, our own key: the directory everything durable lives in.
    pub data_dir: Option<PathBuf>,
    /// `load_definitions` and the like: files and directories to import at each start, in this order. With
    /// any there is no default user.
    pub definitions: Vec<PathBuf>,
    /// `cluster_name`; the node's name when absent.
    pub cluster_name: Option<String>,
    /// `classic_queue.confirm`, our own key: what a confirm of a persistent message promises.
    pub classic_queue_confirm: ConfirmDurability,
    /// `default_queue_type`: of queues in vhosts that are made without saying one.
    pub default_queue_type: QueueType,
    /// `quorum_queue.property_equivalence.relaxed_checks_on_redeclaration`: declaring a quorum queue
    /// again as a classic one compares a few arguments only.
    pub relax_quorum_redeclaration: bool,
    /// `message_memory_limit`, our own key: bytes of messages that stay in memory, of all
    /// classic queues together.
    pub message_memory_limit: u64,
    /// `deprecated_features.permit.*`: which of them work.
    pub deprecated: DeprecatedFeatures,
    /// `message_interceptors.*`: what is written into messages.
    pub interceptors: Interceptors,
    /// `management.*`: the HTTP API and the UI.
    pub management: Management,
    /// What is counted, how often, and how long it is kept.
    pub statistics: Statistics,
    /// `prometheus.*`: metrics.
    pub prometheus: Prometheus,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: Listeners::default(),
            tls: TlsOptions::default(),
            default_user: DefaultUser::default(),
            auth: Auth::default(),
            limits: Limits::default(),
            memory_high_watermark: MemoryHighWatermark::Relative(0.6),
            memory_calculation: MemoryCalculation::Rss,
            total_memory_override: None,
            disk_free_limit: DiskFreeLimit::Absolute(50_000_000),
            log: Log::default(),
            event_vhost: None,
            data_dir: None,
            definitions: Vec::new(),
            cluster_name: None,
            classic_queue_confirm: ConfirmDurability::Fsync,
            default_queue_type: QueueType::default(),
            relax_quorum_redeclaration: false,
            message_memory_limit: 16 << 20,
            deprecated: DeprecatedFeatures::default(),
            interceptors: Interceptors::default(),
            management: Management::default(),
            prometheus: Prometheus::default(),
            statistics: Statistics::default(),
        }
    }
}

/// What is counted, how often, and how long it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// `collect_statistics_interval`: how often what happened is collected; zero: only when somebody asks.
    pub interval: Duration,
    /// `management_agent.disable_metrics_collector`: no histories and no rates.
    pub is_disabled: bool,
    /// `management.rates_mode`
    pub rates_mode: RatesMode,
    /// `management.sample_retention_policies.*`
    pub retention: SampleRetention,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            is_disabled: false,
            rates_mode: RatesMode::default(),
            retention: SampleRetention::default(),
        }
    }
}

/// How much is shown of messages that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RatesMode {
    /// By connection, channel, exchange and queue.
    #[default]
    Basic,
    /// Also by channel and exchange, channel and queue, exchange and queue.
    Detailed,
    /// Nothing.
    None,
}

impl RatesMode {
    /// As it is configured and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Detailed => "detailed",
            Self::None => "none",
        }
    }
}

/// For how long (seconds) which samples (one every so many seconds) are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRetention {
    /// Of vhosts and the node.
    pub global: Vec<(u32, u32)>,
    /// Of connections, channels, exchanges and queues.
    pub basic: Vec<(u32, u32)>,
    /// Of pairs of them.
    pub detailed: Vec<(u32, u32)>,
}

impl Default for SampleRetention {
    fn default() -> Self {
        Self {
            global: vec![(605, 5), (3660, 60), (29_400, 600), (86_400, 1800)],
            basic: vec![(605, 5), (3600, 60)],
            detailed: vec![(605, 5)],
        }
    }
}

/// Where the HTTP API listens unless told otherwise.
pub(crate) const MANAGEMENT_PORT: u16 = 15672;
/// The same with TLS, where only its address is told.
pub(crate) const MANAGEMENT_TLS_PORT: u16 = 15671;

/// `management.*`
#[derive(Clone, Debug, PartialEq)]
pub struct Management {
    /// `management.tcp.*`; `None` when only the one with TLS is asked for.
    pub tcp: Option<ListenAddress>,
    /// `management.ssl.port` and `.ip`
    pub tls: Option<ListenAddress>,
    /// `management.ssl.*`
    pub tls_options: TlsOptions,
    /// `management.path_prefix`: empty, or a slash and more without one at the end.
    pub path_prefix: String,
    /// `management.http.max_body_size`, bytes.
    pub body_size_max: usize,
    /// `management.http.hide_allow_header`
    pub is_allow_hidden: bool,
    /// `management.tcp.request_timeout`: for the head of a request.
    pub request_timeout: Duration,
    /// `management.cors.allow_origins.*`
    pub cors_origins: Vec<String>,
    /// `management.cors.max_age`, seconds.
    pub cors_max_age_s: u64,
    /// `management.csp.policy`, `management.hsts.policy`, `management.headers.*`: headers of every
    /// answer, by their names.
    pub headers: Vec<(&'static str, String)>,
    /// `management.disable_basic_auth`
    pub is_basic_auth_disabled: bool,
    /// `management.disable_stats`
    pub is_stats_disabled: bool,
    /// `management.enable_queue_totals`
    pub has_queue_totals: bool,
    /// `management.login_session_timeout`, minutes.
    pub login_session_timeout_min: Option<u64>,
    /// `management.definitions.require_json_extension`
    pub requires_json_extension: bool,
}

impl Default for Management {
    fn default() -> Self {
        Self {
            tcp: Some(ListenAddress { ip: None, port: MANAGEMENT_PORT }),
            tls: None,
            tls_options: TlsOptions::default(),
            path_prefix: String::new(),
            body_size_max: 20_000_000,
            is_allow_hidden: false,
            request_timeout: Duration::from_secs(5),
            cors_origins: Vec::new(),
            cors_max_age_s: 1800,
            headers: Vec::new(),
            is_basic_auth_disabled: false,
            is_stats_disabled: false,
            has_queue_totals: false,
            login_session_timeout_min: None,
            requires_json_extension: false,
        }
    }
}

/// Where metrics are unless told otherwise.
pub(crate) const PROMETHEUS_PORT: u16 = 15692;
/// The same with TLS, where only its address is told.
pub(crate) const PROMETHEUS_TLS_PORT: u16 = 15691;

/// `prometheus.*`
#[derive(Clone, Debug, PartialEq)]
pub struct Prometheus {
    /// `prometheus.tcp.*`; `None` when it is switched off.
    pub tcp: Option<ListenAddress>,
    /// `prometheus.ssl.port` and `.ip`
    pub tls: Option<ListenAddress>,
    /// `prometheus.ssl.*`
    pub tls_options: TlsOptions,
    /// `prometheus.path`: a slash and more.
    pub path: String,
    /// `prometheus.return_per_object_metrics`
    pub is_per_object: bool,
    /// `prometheus.authentication.enabled`
    pub is_login_needed: bool,
    /// `prometheus.tcp.compress`: gzip for who takes it.
    pub is_compressed: bool,
    /// `prometheus.tcp.max_connections`; `None` leaves it to the server.
    pub connections_max: Option<usize>,
    /// `prometheus.tcp.request_timeout`: for the head of a request.
    pub request_timeout: Duration,
}

impl Default for Prometheus {
    fn default() -> Self {
        Self {
            tcp: Some(ListenAddress { ip: None, port: PROMETHEUS_PORT }),
            tls: None,
            tls_options: TlsOptions::default(),
            path: "/metrics".to_owned(),
            is_per_object: false,
            is_login_needed: false,
            is_compressed: true,
            connections_max: None,
            request_timeout: Duration::from_secs(5),
        }
    }
}

/// A type of queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueType {
    /// `classic`
    #[default]
    Classic,
    /// `quorum`
    Quorum,
    /// `stream`
    Stream,
}

/// `listeners.tcp.*`, `listeners.ssl.*` and `tcp_listen_options.*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Listeners {
    /// Plain TCP; 5672 on all interfaces unless told otherwise, empty for `listeners.tcp = none`.
    pub tcp: Vec<ListenAddress>,
    /// TLS; none unless told otherwise.
    pub tls: Vec<ListenAddress>,
    /// Socket options of both.
    pub options: TcpListenOptions,
    /// `proxy_protocol`: all connections come through a proxy that says for whom.
    pub is_proxied: bool,
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            tcp: vec![ListenAddress { ip: None, port: 5672 }],
            tls: Vec::new(),
            options: TcpListenOptions::default(),
            is_proxied: false,
        }
    }
}

/// `5672` or `127.0.0.1:5672` or `::1:5672`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// The interface; `None` is all of them, IPv6 and IPv4 alike.
    pub ip: Option<IpAddr>,
    /// The port; 0 lets the operating system choose.
    pub port: u16,
}

/// Socket options of AMQP listeners and of the connections they accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpListenOptions {
    /// Length of the accept queue.
    pub backlog: u32,
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// `SO_KEEPALIVE`.
    pub keepalive: bool,
    /// `SO_SNDBUF`, bytes; when absent the system adapts it to the traffic.
    pub sndbuf: Option<u32>,
    /// `SO_RCVBUF`, bytes; when absent the system adapts it to the traffic.
    pub recbuf: Option<u32>,
}

impl Default for TcpListenOptions {
    fn default() -> Self {
        Self { backlog: 128, nodelay: true, keepalive: false, sndbuf: None, recbuf: None }
    }
}

/// `ssl_options.*`. Every PEM path is as typed: relative ones are the server's to resolve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates of the authorities that clients' certificates are checked against.
    pub cacertfile: Option<PathBuf>,
    /// This server's certificate chain.
    pub certfile: Option<PathBuf>,
    /// Its private key.
    pub keyfile: Option<PathBuf>,
    /// `ssl_options.password`, in clear, of an encrypted key.
    pub password: Option<String>,
    /// Whether a client's certificate is checked.
    pub verify: TlsVerify,
    /// With [`TlsVerify::Peer`]: refuse clients that send no certificate.
    pub fail_if_no_peer_cert: bool,
    /// Accepted versions; empty for the library's choice (1.2 and 1.3).
    pub versions: Vec<TlsVersion>,
}

/// `ssl_options.verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVerify {
    /// `verify_none`
    #[default]
    None,
    /// `verify_peer`
    Peer,
}

/// `ssl_options.versions.N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// `tlsv1.2`
    V12,
    /// `tlsv1.3`
    V13,
}

/// `default_user`, `default_pass`, `default_vhost`, `default_permissions.*`, `default_user_tags.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultUser {
    /// Name.
    pub name: String,
    /// Password in clear.
    pub password: String,
    /// Tags, in the order typed.
    pub tags: Vec<String>,
    /// The vhost that is created, and granted to the user.
    pub vhost: String,
    /// Patterns on that vhost.
    pub configure: String,
    /// See `configure`.
    pub write: String,
    /// See `configure`.
    pub read: String,
}

impl Default for DefaultUser {
    fn default() -> Self {
        Self {
            name: "guest".to_owned(),
            password: "guest".to_owned(),
            tags: vec!["administrator".to_owned()],
            vhost: "/".to_owned(),
            configure: ".*".to_owned(),
            write: ".*".to_owned(),
            read: ".*".to_owned(),
        }
    }
}

/// How clients log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// `auth_mechanisms.N` in the order announced in `connection.start`.
    pub mechanisms: Vec<String>,
    /// `loopback_users`: users that may log in from this machine only.
    pub loopback_users: Vec<String>,
    /// `anonymous_login_user`; `None` switches ANONYMOUS off.
    pub anonymous_login_user: Option<String>,
    /// `anonymous_login_pass`.
    pub anonymous_login_pass: String,
    /// `ssl_cert_login_from`: where EXTERNAL finds the user's name in a certificate.
    pub cert_login_from: CertLoginFrom,
    /// `ssl_cert_login_san_type`
    pub cert_login_san_type: SanType,
    /// `ssl_cert_login_san_index`, from 0.
    pub cert_login_san_index: usize,
}

/// `ssl_cert_login_from`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertLoginFrom {
    /// `distinguished_name`
    #[default]
    DistinguishedName,
    /// `common_name`
    CommonName,
    /// `subject_alternative_name`
    SubjectAlternativeName,
}

/// `ssl_cert_login_san_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SanType {
    /// `dns`
    #[default]
    Dns,
    /// `ip`
    Ip,
    /// `email`
    Email,
    /// `uri`
    Uri,
    /// `other_name`
    OtherName,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            mechanisms: ["ANONYMOUS", "PLAIN", "AMQPLAIN"].map(str::to_owned).to_vec(),
            loopback_users: vec!["guest".to_owned()],
            anonymous_login_user: Some("guest".to_owned()),
            anonymous_login_pass: "guest".to_owned(),
            cert_login_from: CertLoginFrom::default(),
            cert_login_san_type: SanType::default(),
            cert_login_san_index: 0,
        }
    }
}

/// Limits on clients and on what they create. `None` is `infinity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `heartbeat`, seconds, offered in `connection.tune`; 0 is off.
    pub heartbeat: u16,
    /// `frame_max`, bytes, offered to clients; 0 is no limit.
    pub frame_max: u32,
    /// `initial_frame_max`, bytes: largest frame before tuning.
    pub initial_frame_max: u32,
    /// `max_channels_per_connection`: the `channel_max` offered to clients; 0 is no limit.
    pub channel_max: u16,
    /// `channel_max_per_node`
    pub channel_max_per_node: Option<u64>,
    /// `consumer_max_per_channel`
    pub consumer_max_per_channel: Option<u64>,
    /// `max_connections`: client connections of this node.
    pub max_connections: Option<u64>,
    /// `max_message_size`, bytes of the body.
    pub max_message_size: u64,
    /// `consumer_timeout`, milliseconds: for settling a delivery from a quorum queue.
    pub consumer_timeout_ms: u64,
    /// `handshake_timeout`: from accept to `connection.open`.
    pub handshake_timeout: Option<Duration>,
    /// `ssl_handshake_timeout`: before `handshake_timeout` begins.
    pub tls_handshake_timeout: Duration,
    /// `cluster_queue_limit`
    pub cluster_queue_limit: Option<u64>,
    /// `cluster_exchange_limit`
    pub cluster_exchange_limit: Option<u64>,
    /// `vhost_max`
    pub vhost_max: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            heartbeat: 60,
            frame_max: 131_072,
            initial_frame_max: 8192,
            channel_max: 2047,
            channel_max_per_node: None,
            consumer_max_per_channel: None,
            max_connections: None,
            max_message_size: 16 << 20,
            consumer_timeout_ms: 30 * 60 * 1000,
            handshake_timeout: Some(Duration::from_secs(10)),
            tls_handshake_timeout: Duration::from_secs(5),
            cluster_queue_limit: None,
            cluster_exchange_limit: None,
            vhost_max: None,
        }
    }
}

/// `vm_memory_high_watermark.*`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MemoryHighWatermark {
    /// A share of the memory this process may use; 0 raises the alarm at once.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

/// `vm_memory_calculation_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryCalculation {
    /// `rss`: the resident set.
    Rss,
    /// `allocated`, and `erlang` and `legacy`, which count what Erlang allocated: there is none.
    Allocated,
}

/// `disk_free_limit.*`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DiskFreeLimit {
    /// A multiple of the memory this process may use.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

/// What a publisher confirm of a persistent message on a classic queue promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmDurability {
    /// `fsync`: the message is on the disk. Ours, and the default.
    Fsync,
    /// `os`: the operating system has it. What RabbitMQ promises.
    Os,
}

/// Deprecated features that work unless the operator forbids them; RabbitMQ 4.3 forbids them unless
/// they are permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeprecatedFeatures {
    /// `global_qos`: `basic.qos` with `global` limits the channel.
    pub global_qos: bool,
    /// `transient_nonexcl_queues`: queues that are neither durable nor exclusive.
    pub transient_nonexcl_queues: bool,
}

impl Default for DeprecatedFeatures {
    fn default() -> Self {
        Self { global_qos: true, transient_nonexcl_queues: true }
    }
}

/// `message_interceptors.*`. `None` is off; otherwise the flag says whether what a message has
/// already is overwritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interceptors {
    /// `incoming.set_header_timestamp.overwrite`
    pub timestamp: Option<bool>,
    /// `incoming.set_header_routing_node.overwrite`
    pub routing_node: Option<bool>,
    /// `outgoing.timestamp.enabled`
    pub is_sent_time: bool,
}
