//! `leveret server`: configuration in, a listening broker out.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use auth::{AlternativeName, CertificateName, LoginFrom};
use broker::{Broker, BrokerConfig, Interceptors};
use config::{
    CertLoginFrom, Config, ConfirmDurability, DiskFreeLimit, ListenAddress, Loaded,
    MemoryCalculation, MemoryHighWatermark, QueueType, SanType, TlsVerify, TlsVersion,
};
use management::Http;
use net::{Accepted, Listener, ListenerOptions, Peer, TlsOptions};
use node::{DiskLimit, MemoryStrategy, MemoryWatermark, Node, NodeOptions, ResourceLimits};
use serde_json::json;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use topology::{AddUser, AddVhost, Command, QueueKind, Rules, SetGlobalParameter, SetPermissions};
use tracing::{info, warn};

use crate::listeners::{Bound, Listeners};
use crate::operator::{Facts, NodeOperator};
use crate::{definitions, events, logging, tasks};

/// What clients are told when the server stops.
pub(crate) const SHUTDOWN: &str = "broker forced connection closure with reason 'shutdown'";

/// Time that connections get to say goodbye when the server stops.
const GOODBYE_MAX: Duration = Duration::from_secs(3);

/// Time between two looks whether they have.
const GOODBYE_POLL: Duration = Duration::from_millis(5);

/// What a detached server writes to its standard output once it runs.
pub(crate) const RUNNING_LINE: &str = "running\n";

/// Command line of the server.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ServerArguments {
    /// rabbitmq.conf to read and nothing else (default: $RABBITMQ_CONFIG_FILE or
    /// /etc/rabbitmq/rabbitmq.conf, if there is one, then /etc/rabbitmq/conf.d/*.conf)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where messages and definitions live (default: $LEVERET_DATA_DIR, /var/lib/leveret for root,
    /// ~/.local/share/leveret for others)
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Start although damage has cost a part of what was declared. Goes on without it for good, and
    /// deletes the messages of queues that nobody knows any more
    #[arg(long)]
    accept_damage: bool,
    /// Log to a file whatever the configuration says, not to the console, and tell whoever waits
    /// when it runs: for `rabbitmq-server -detached`
    #[arg(long, hide = true)]
    detached: bool,
}

/// Runs the server until it is told to stop.
pub(crate) fn run(arguments: &ServerArguments) -> ExitCode {
    let started_at = Instant::now();
    match start(arguments, started_at) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "leveret: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &ServerArguments, started_at: Instant) -> anyhow::Result<()> {
    let config_files = match &arguments.config {
        Some(file) => vec![file.clone()],
        None => config::default_config_files(),
    };
    let Loaded { mut config, notices } = Config::load(&config_files)?;
    let data_dir = arguments
        .data_dir
        .clone()
        .or_else(|| config.data_dir.clone())
        .unwrap_or_else(config::default_data_dir);
    let node_name = config::default_node_name();
    if arguments.detached {
        log_detached(&mut config);
    }
    let log = logging::init(&config.log, &data_dir, &node_name)
        .with_context(|| "cannot open the log file".to_owned())?;
    for notice in &notices {
        warn!("{}: {}", notice.place, notice.text);
    }
    for name in config::variables_without_effect() {
        warn!("the environment variable {name} has no effect, unless a configuration file uses it");
    }
    // As many sockets as the system lets us have.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!(%error, "cannot raise the limit of open files");
    }
    log.print_to_console(&banner(&node_name, &data_dir, &log.places, &config_files));
    let disk_failure = Arc::new(Notify::new());
    let options = NodeOptions {
        accepts_damage: arguments.accept_damage,
        ..node_options(&config, &node_name, &data_dir)
    };
    let node = Node::start(options, {
        let disk_failure = disk_failure.clone();
        move || disk_failure.notify_one()
    })?;
    set_identity(&node.broker);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("leveret")
        .build()
        .context("cannot start the runtime")?;
    let log_files = log.places.clone();
    let is_awaited = arguments.detached;
    let facts = Facts { data_dir, config_files, log_files, started_at, is_awaited };
    let served = runtime.block_on(serve(&config, &node, facts, &disk_failure));
    runtime.shutdown_timeout(GOODBYE_MAX);
    node.stop();
    served?;
    info!("stopped");
    Ok(())
}

/// Sets the global parameters that a RabbitMQ node always has, if they are not there: an identity, for
/// good, and tags.
fn set_identity(broker: &Broker) {
    let id = broker.unique_name("rabbitmq-cluster-id-");
    for (name, value) in [("internal_cluster_id", id.into()), ("cluster_tags", json!([]))] {
        if broker.topology().global_parameter(name).is_none() {
            let set = SetGlobalParameter { name: name.to_owned(), value };
            broker.propose_with(Command::SetGlobalParameter(set), Box::new(|_| {}));
        }
    }
}

/// Without a console the log is in a file, as RabbitMQ's always is.
fn log_detached(config: &mut Config) {
    config.log.console = None;
    config.log.file.get_or_insert_default();
}

fn banner(
    node_name: &str,
    data_dir: &Path,
    log_files: &[String],
    config_files: &[PathBuf],
) -> String {
    let files: Vec<String> = config_files.iter().map(|it| it.display().to_string()).collect();
    let files = if files.is_empty() { "(none)".to_owned() } else { files.join(", ") };
    format!(
        "\n  Leveret {version}, compatible with RabbitMQ {rabbit}\n\n  Node:            {node}\n  \
         Data directory:  {data}\n  Config file(s):  {files}\n  Logs:            {logs}\n\n",
        version = env!("CARGO_PKG_VERSION"),
        rabbit = BrokerConfig::default().identity.version,
        node = node_name,
        data = data_dir.display(),
        logs = log_files.join(", "),
    )
}

fn node_options(config: &Config, node_name: &str, data_dir: &Path) -> NodeOptions {
    let limits = &config.limits;
    let mut broker = BrokerConfig::default();
    broker.identity.node = node_name.to_owned();
    broker.identity.cluster_name =
        config.cluster_name.clone().unwrap_or_else(|| node_name.to_owned());
    broker.identity.platform = format!("Leveret {}", env!("CARGO_PKG_VERSION"));
    broker.frame_max = limits.frame_max;
    broker.initial_frame_max = limits.initial_frame_max;
    broker.channel_max = limits.channel_max;
    broker.heartbeat_s = limits.heartbeat;
    broker.handshake_timeout_ms =
        limits.handshake_timeout.map_or(u64::MAX, |it| it.as_millis() as u64);
    broker.max_message_size = limits.max_message_size;
    broker.consumer_timeout_ms = limits.consumer_timeout_ms;
    broker.default_queue_type = queue_kind(config.default_queue_type);
    broker.resident_max = config.message_memory_limit;
    broker.mechanisms.clone_from(&config.auth.mechanisms);
    broker.anonymous_login = config
        .auth
        .anonymous_login_user
        .clone()
        .map(|user| (user, config.auth.anonymous_login_pass.clone()));
    broker.loopback_users.clone_from(&config.auth.loopback_users);
    broker.connections_max = limits.max_connections;
    broker.channels_per_node_max = limits.channel_max_per_node;
    broker.consumers_per_channel_max = limits.consumer_max_per_channel;
    broker.event_vhost =
        config.event_vhost.clone().unwrap_or_else(|| config.default_user.vhost.clone());
    broker.is_global_qos_permitted = config.deprecated.global_qos;
    broker.interceptors = Interceptors {
        timestamp: config.interceptors.timestamp,
        routing_node: config.interceptors.routing_node,
        is_sent_time: config.interceptors.is_sent_time,
    };
    NodeOptions {
        data_dir: data_dir.to_owned(),
        is_synced: config.classic_queue_confirm == ConfirmDurability::Fsync,
        broker,
        rules: Rules {
            deny_transient_nonexclusive: !config.deprecated.transient_nonexcl_queues,
            relax_quorum_redeclaration: config.relax_quorum_redeclaration,
            cluster_queue_limit: limits.cluster_queue_limit,
            cluster_exchange_limit: limits.cluster_exchange_limit,
            vhost_max: limits.vhost_max,
            ..Rules::default()
        },
        first_boot: first_boot(config),
        accepts_damage: false,
        limits: ResourceLimits {
            memory: memory_watermark(config.memory_high_watermark),
            disk: disk_limit(config.disk_free_limit),
            memory_strategy: match config.memory_calculation {
                MemoryCalculation::Rss => MemoryStrategy::Rss,
                MemoryCalculation::Allocated => MemoryStrategy::Allocated,
            },
            total_memory: config.total_memory_override,
        },
    }
}

fn first_boot(config: &Config) -> Vec<Command> {
    // As in RabbitMQ: whoever has definitions has users.
    if !config.definitions.is_empty() {
        return Vec::new();
    }
    let user = &config.default_user;
    let algorithm = auth::Algorithm::default();
    let hash = auth::hash_password(algorithm, rand::random(), user.password.as_bytes());
    let description = Some("Default virtual host".to_owned());
    let name = user.vhost.clone();
    vec![
        Command::AddVhost(AddVhost {
            name,
            description,
            default_queue_type: Some(queue_kind(config.default_queue_type).name().to_owned()),
            ..AddVhost::default()
        }),
        Command::AddUser(AddUser {
            name: user.name.clone(),
            password_hash: hash,
            hashing_algorithm: algorithm.name().to_owned(),
            tags: user.tags.clone(),
        }),
        Command::SetPermissions(SetPermissions {
            user: user.name.clone(),
            vhost: user.vhost.clone(),
            configure: user.configure.clone(),
            write: user.write.clone(),
            read: user.read.clone(),
        }),
    ]
}

/// The broker's name for a configured queue type.
fn queue_kind(configured: QueueType) -> QueueKind {
    match configured {
        QueueType::Classic => QueueKind::Classic,
        QueueType::Quorum => QueueKind::Quorum,
        QueueType::Stream => QueueKind::Stream,
    }
}

/// The node's unit for the configured watermark.
pub(crate) fn memory_watermark(configured: MemoryHighWatermark) -> MemoryWatermark {
    match configured {
        MemoryHighWatermark::Relative(share) => MemoryWatermark::Relative(share),
        MemoryHighWatermark::Absolute(bytes) => MemoryWatermark::Absolute(bytes),
    }
}

/// The node's unit for the configured disk limit.
pub(crate) fn disk_limit(configured: DiskFreeLimit) -> DiskLimit {
    match configured {
        DiskFreeLimit::Relative(factor) => DiskLimit::Relative(factor),
        DiskFreeLimit::Absolute(bytes) => DiskLimit::Absolute(bytes),
    }
}

async fn serve(
    config: &Config,
    node: &Node,
    facts: Facts,
    disk_failure: &Notify,
) -> anyhow::Result<()> {
    let data_dir = facts.data_dir.display().to_string();
    // Gone when the server does not answer any more, or does not come to it.
    let (control, _socket_name) =
        ctl::server::bind(&facts.data_dir).context("cannot bind the control socket")?;
    control.set_nonblocking(true)?;
    let control = UnixListener::from_std(control)?;
    let listeners = {
        let accepted = acceptor(config, node);
        let config = config.clone();
        Arc::new(Listeners::new(Box::new(move || bind(&config)), accepted))
    };
    let bound = listeners.bind()?;
    let bound_http = bind_http(config)?;
    let bound_metrics = bind_metrics(config)?;
    let all = [&bound, &bound_http, &bound_metrics];
    let operator = Arc::new(NodeOperator::new(node, facts, config, listeners.clone(), &all));
    let http = {
        let served = Http::new(operator.clone(), config.management.clone());
        let config = config.clone();
        Listeners::new(Box::new(move || bind_http(&config)), served)
    };
    let metrics = {
        let served = prometheus::Http::new(operator.clone(), config.prometheus.clone());
        let config = config.clone();
        Listeners::new(Box::new(move || bind_metrics(&config)), served)
    };
    tokio::spawn(tasks::run_control_socket(control, operator.clone()));
    tokio::spawn(tasks::run_timers(node.broker.clone()));
    tokio::spawn(operator.collector().clone().run());
    tokio::spawn(tasks::warn_of_cycles(node.broker.clone()));
    tokio::spawn(tasks::tell_of_crashes(node.broker.clone()));
    tokio::spawn(tasks::remind_allocator());
    if !config.definitions.is_empty() {
        let (paths, operator) = (config.definitions.clone(), operator.clone());
        let import = move || definitions::import(&paths, &*operator);
        tokio::task::spawn_blocking(import).await.context("the import of definitions failed")??;
    }
    events::start(node.broker.clone()).await;
    if config.log.exchange.is_some() {
        logging::exchange::start(node.broker.clone(), config.default_user.vhost.clone()).await;
    }
    // Whoever sees it run may tell it to stop.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // As in RabbitMQ it means nothing; it would end the process if nobody listened.
    let _hangup = signal(SignalKind::hangup())?;
    // Before those of AMQP: whoever finds these open finds all of them.
    http.accept(bound_http);
    metrics.accept(bound_metrics);
    info!("Ready to start client connection listeners");
    listeners.accept(bound);
    operator.set_running();
    log_started(operator.facts().started_at.elapsed());
    if operator.facts().is_awaited {
        drop(io::stdout().write_all(RUNNING_LINE.as_bytes()));
    }
    let has_failed = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = operator.stop_requested() => false,
        // Better gone, and started anew by whoever watches over it, than there and of no use.
        () = disk_failure.notified() => true,
    };
    info!("stopping");
    http.close().await;
    metrics.close().await;
    listeners.close().await;
    say_goodbye(&node.broker, SHUTDOWN).await;
    anyhow::ensure!(!has_failed, "stopped: the data directory {data_dir} took a write no more");
    Ok(())
}

/// The lines that scripts wait for, in RabbitMQ's words.
fn log_started(startup: Duration) {
    let plugins: String = ctl::BUILT_IN_PLUGINS.iter().map(|it| format!("\n * {it}")).collect();
    let count = ctl::BUILT_IN_PLUGINS.len();
    info!("Server startup complete; {count} plugins started.{plugins}");
    info!("Time to start: {:.1} ms", startup.as_secs_f64() * 1e3);
}

/// Asks all connections to close, as RabbitMQ does, and gives them a moment.
pub(crate) async fn say_goodbye(broker: &Broker, reason: &str) {
    broker.registry.request_close(reason, |_| true);
    let deadline = Instant::now() + GOODBYE_MAX;
    while !broker.registry.connections().is_empty() && Instant::now() < deadline {
        tokio::time::sleep(GOODBYE_POLL).await;
    }
}

fn acceptor(config: &Config, node: &Node) -> Accepted {
    let broker = node.broker.clone();
    let names = CertificateNames::new(config);
    Arc::new(move |peer: Peer| {
        let name = peer.tls.as_ref().map(|tls| names.of(tls.certificate.as_deref()));
        let peer = amqp091::Peer {
            peer_host: peer.peer.ip(),
            peer_port: peer.peer.port(),
            host: peer.local.ip(),
            port: peer.local.port(),
            tls: peer.tls.map(Box::new),
        };
        let connection = amqp091::Connection::new(broker.clone(), peer, net::now());
        Box::new(match name {
            Some(name) => connection.with_certificate(name),
            None => connection,
        })
    })
}

/// Finds users' names in clients' certificates, for EXTERNAL.
struct CertificateNames {
    is_verified: bool,
    from: LoginFrom,
}

impl CertificateNames {
    fn new(config: &Config) -> Self {
        let kind = match config.auth.cert_login_san_type {
            SanType::Dns => AlternativeName::Dns,
            SanType::Ip => AlternativeName::Ip,
            SanType::Email => AlternativeName::Email,
            SanType::Uri => AlternativeName::Uri,
            SanType::OtherName => AlternativeName::Other,
        };
        let from = match config.auth.cert_login_from {
            CertLoginFrom::DistinguishedName => LoginFrom::DistinguishedName,
            CertLoginFrom::CommonName => LoginFrom::CommonName,
            CertLoginFrom::SubjectAlternativeName => {
                LoginFrom::AlternativeName(kind, config.auth.cert_login_san_index)
            }
        };
        Self { is_verified: config.tls.verify == TlsVerify::Peer, from }
    }

    fn of(&self, certificate: Option<&[u8]>) -> CertificateName {
        match certificate {
            _ if !self.is_verified => Err("TLS configuration is unsafe"),
            None => Err("connection peer presented no TLS (x.509) certificate"),
            Some(der) => auth::login_name(der, self.from).ok_or("no name found"),
        }
    }
}

fn bind(config: &Config) -> anyhow::Result<Bound> {
    let wanted = &config.listeners.options;
    let options = ListenerOptions {
        backlog: wanted.backlog,
        nodelay: wanted.nodelay,
        keepalive: wanted.keepalive,
        send_buffer: wanted.sndbuf,
        receive_buffer: wanted.recbuf,
        tls_handshake_timeout: config.limits.tls_handshake_timeout,
        is_proxied: config.listeners.is_proxied,
    };
    let bind = |address: ListenAddress, tls: Option<&Arc<_>>| {
        let address = socket_address(address);
        Listener::bind(address, options.clone(), tls.cloned())
            .with_context(|| format!("cannot listen on {address}"))
    };
    // Encrypted ones first: the kernel answers as soon as a port is bound, so whoever finds the
    // plain port open finds all of them.
    let mut encrypted = Vec::new();
    if !config.listeners.tls.is_empty() {
        let tls = net::server_config(&tls_options(&config.tls, "listeners.ssl", "ssl_options")?)?;
        for address in &config.listeners.tls {
            encrypted.push((bind(*address, Some(&tls))?, "amqp/ssl"));
        }
    }
    let mut bound = Vec::new();
    for address in &config.listeners.tcp {
        bound.push((bind(*address, None)?, "amqp"));
    }
    bound.append(&mut encrypted);
    Ok(bound)
}

/// Binds where HTTP is spoken.
fn bind_http(config: &Config) -> anyhow::Result<Bound> {
    let wanted = &config.management;
    bind_web(&Web {
        tcp: wanted.tcp,
        tls: wanted.tls.map(|address| (address, &wanted.tls_options)),
        keys: "management.ssl",
        protocols: ["http", "https"],
        what: "the HTTP API",
    })
}

/// Binds where metrics are.
fn bind_metrics(config: &Config) -> anyhow::Result<Bound> {
    let wanted = &config.prometheus;
    bind_web(&Web {
        tcp: wanted.tcp,
        tls: wanted.tls.map(|address| (address, &wanted.tls_options)),
        keys: "prometheus.ssl",
        protocols: ["http/prometheus", "https/prometheus"],
        what: "metrics (prometheus.tcp.port)",
    })
}

/// Where something listens that speaks HTTP.
struct Web<'a> {
    tcp: Option<ListenAddress>,
    tls: Option<(ListenAddress, &'a config::TlsOptions)>,
    /// What stands before the names of its TLS options.
    keys: &'a str,
    /// Without and with TLS.
    protocols: [&'static str; 2],
    /// For errors.
    what: &'a str,
}

fn bind_web(web: &Web<'_>) -> anyhow::Result<Bound> {
    let bind = |address: ListenAddress, tls: Option<Arc<_>>| {
        let address = socket_address(address);
        Listener::bind(address, ListenerOptions::default(), tls)
            .with_context(|| format!("cannot listen on {address} for {}", web.what))
    };
    let mut bound = Vec::new();
    if let Some(address) = web.tcp {
        bound.push((bind(address, None)?, web.protocols[0]));
    }
    if let Some((address, options)) = web.tls {
        let options = tls_options(options, web.keys, web.keys)?;
        bound.push((bind(address, Some(net::server_config(&options)?))?, web.protocols[1]));
    }
    Ok(bound)
}

/// No address means all, of both families.
fn socket_address(address: ListenAddress) -> SocketAddr {
    let all = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    SocketAddr::new(address.ip.unwrap_or(all), address.port)
}

/// `listener` is what needs them, `keys` stands before their names in the file.
fn tls_options(tls: &config::TlsOptions, listener: &str, keys: &str) -> anyhow::Result<TlsOptions> {
    let needed = |path: &Option<PathBuf>, key: &str| {
        path.clone().with_context(|| format!("{listener} needs {keys}.{key}"))
    };
    Ok(TlsOptions {
        certfile: needed(&tls.certfile, "certfile")?,
        keyfile: needed(&tls.keyfile, "keyfile")?,
        password: tls.password.clone(),
        cacertfile: tls.cacertfile.clone(),
        verify_peer: tls.verify == TlsVerify::Peer,
        fail_if_no_peer_cert: tls.fail_if_no_peer_cert,
        versions: tls
            .versions
            .iter()
            .map(|version| match version {
                TlsVersion::V12 => "tlsv1.2".to_owned(),
                TlsVersion::V13 => "tlsv1.3".to_owned(),
            })
            .collect(),
    })
}
