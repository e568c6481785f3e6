//! What the operators' tools ask, answered by the running node.

mod certificates;
mod counters;
mod declarations;
mod direct;
mod durable;
mod listings;
mod log;
mod maintenance;
mod management;
mod metrics;
mod policies;
mod transfer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::collector::{self, Collector};
use crate::listeners::{Bound, Listeners};
use auth::Algorithm;
use broker::{Alarms, Broker};
use config::{Config, DiskFreeLimit, MemoryCalculation, MemoryHighWatermark};
use maintenance::Maintenance;
use net::Accepted;
use node::{MemoryStrategy, Node, RaftGroups, Resources};
use operator::{
    Answer, BindingInfo, ChannelInfo, CloseLimits, ConnectionInfo, ConnectionsOf, ConsumerInfo,
    DeleteConditions, Emit, ExchangeInfo, ListenerInfo, MemoryInfo, NewPassword, NodeStatus,
    Operator, ParameterInfo, PermissionInfo, PolicyInfo, PolicyObject, PolicyScope, QueueInfo,
    Refusal, RunState, TopicPermissionInfo, UserInfo, VhostInfo,
};
use tokio::sync::Notify;
use tracing::info;

use topology::{
    AddUser, AddVhost, ClearParameter, ClearPermissions, ClearTopicPermissions, Command,
    ConnectionId, Outcome, RefusalKind, SetGlobalParameter, SetParameter, SetPassword,
    SetPermissions, SetTopicPermissions, SetUserLimits, SetUserTags, SetVhostLimits, UserLimits,
    VhostLimits,
};

/// Time an operator's change gets to be committed.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// What only the process as a whole knows.
pub(crate) struct Facts {
    pub(crate) data_dir: PathBuf,
    pub(crate) config_files: Vec<PathBuf>,
    pub(crate) log_files: Vec<String>,
    pub(crate) started_at: Instant,
    /// Whoever started it waits for it to say that it runs.
    pub(crate) is_awaited: bool,
}

/// [`Operator`] over a node.
pub(crate) struct NodeOperator {
    broker: Arc<Broker>,
    resources: Arc<Resources>,
    raft: RaftGroups,
    facts: Facts,
    /// Seconds since 1970.
    started_at_s: u64,
    listeners: Vec<ListenerInfo>,
    certificates: Vec<certificates::Files>,
    watermark: std::sync::Mutex<MemoryHighWatermark>,
    state: AtomicU8,
    stop: Notify,
    maintenance: Maintenance,
    collector: Arc<Collector>,
}

impl NodeOperator {
    pub(crate) fn new(
        node: &Node,
        facts: Facts,
        config: &Config,
        gates: Arc<Listeners<Accepted>>,
        bound: &[&Bound],
    ) -> Self {
        let listeners =
            bound.iter().flat_map(|bound| bound.iter()).filter_map(|(listener, protocol)| {
                let address = listener.local_addr().ok()?;
                let interface = match address.ip() {
                    ip if ip.is_unspecified() => "[::]".to_owned(),
                    ip => ip.to_string(),
                };
                Some(ListenerInfo {
                    interface,
                    port: address.port(),
                    protocol: (*protocol).to_owned(),
                })
            });
        let listeners: Vec<ListenerInfo> = listeners.collect();
        Self {
            broker: node.broker.clone(),
            resources: node.resources.clone(),
            raft: node.raft.clone(),
            started_at_s: (net::now().0 - facts.started_at.elapsed().as_millis() as u64) / 1000,
            facts,
            certificates: certificates::of_listeners(&listeners, config),
            listeners,
            watermark: std::sync::Mutex::new(config.memory_high_watermark),
            state: AtomicU8::new(RunState::Booting as u8),
            stop: Notify::new(),
            maintenance: Maintenance::new(node.broker.clone(), gates),
            collector: Arc::new(Collector::new(node, &config.statistics)),
        }
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn collector(&self) -> &Arc<Collector> {
        &self.collector
    }

    pub(crate) fn set_running(&self) {
        self.state.store(RunState::Running as u8, Ordering::Release);
    }

    /// Resolves when an operator wants the server to stop.
    pub(crate) async fn stop_requested(&self) {
        self.stop.notified().await;
    }

    /// Only the server's own user and root may operate it.
    pub(crate) fn may_operate(&self, uid: u32) -> bool {
        use std::os::unix::fs::MetadataExt;
        let owner = std::fs::metadata("/proc/self").map(|me| me.uid());
        uid == 0 || owner.is_ok_and(|owner| owner == uid)
    }

    /// Proposes a command and waits until it is applied.
    fn commit(&self, command: Command) -> Result<Outcome, Refusal> {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |result| drop(sender.send(result)));
        self.broker.propose_as(operator::actor(), command.clone(), done);
        match receiver.recv_timeout(COMMIT_TIMEOUT) {
            Ok(result) => {
                match &result {
                    Ok(_) => log::changed(&command),
                    Err(refusal) => log::refused(&command, refusal),
                }
                result.map_err(refusal)
            }
            Err(_) => Err(Refusal::Unavailable("the change was not committed in time".to_owned())),
        }
    }

    fn done(&self, command: Command) -> Answer<()> {
        self.commit(command).map(drop)
    }

    /// What memory is used for, as far as it is known, under RabbitMQ's names.
    fn memory_breakdown(&self, total: u64) -> Vec<(String, u64)> {
        let code = self.resources.program_bytes();
        let queues = self.broker.queues();
        let queues: u64 = queues.iter().map(|it| self.broker.counts(it).memory as u64).sum();
        let rest = total.saturating_sub(code + queues);
        [("code", code), ("queue_procs", queues), ("other_system", rest)]
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .to_vec()
    }

    fn vhost_info(&self, vhost: &topology::Vhost) -> VhostInfo {
        VhostInfo {
            name: vhost.name().to_string(),
            description: vhost.description().unwrap_or_default().to_owned(),
            tags: vhost.tags().to_vec(),
            default_queue_type: vhost.default_queue_type().map(|kind| kind.name().to_owned()),
            protected_from_deletion: vhost.is_protected(),
            tracing: self.broker.is_traced(vhost.name()),
            limits: vhost_limit_pairs(vhost.limits()),
            cluster_state: vec![(self.node_name(), "running".to_owned())],
        }
    }

    fn require_user(&self, name: &str) -> Answer<()> {
        match self.broker.topology().user(name) {
            Some(_) => Ok(()),
            None => Err(Refusal::NoSuchUser(name.to_owned())),
        }
    }

    fn require_vhost(&self, name: &str) -> Answer<()> {
        match self.broker.topology().vhost(name) {
            Some(_) => Ok(()),
            None => Err(Refusal::NoSuchVhost(name.to_owned())),
        }
    }

    fn require_regex(&self, pattern: &str) -> Answer<()> {
        match topology::Pattern::new(pattern) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refusal::InvalidRegex {
                pattern: pattern.to_owned(),
                reason: error.reason,
                position: error.position,
            }),
        }
    }

    /// A vhost that does not exist has no queue, as in RabbitMQ.
    fn queue(&self, vhost: &str, name: &str) -> Answer<broker::QueueRef> {
        let id = self.broker.topology().vhost(vhost).and_then(|it| it.queue(name)).map(|it| it.id);
        id.and_then(|id| self.broker.queue(id)).ok_or(Refusal::NotFound)
    }
}

/// The control plane's refusal as the tools know it.
fn refusal(refusal: topology::Refusal) -> Refusal {
    let name = match refusal.kind {
        RefusalKind::NotFound => "not_found",
        RefusalKind::PreconditionFailed => "precondition_failed",
        RefusalKind::AccessRefused => "access_refused",
        RefusalKind::ResourceLocked => "resource_locked",
        RefusalKind::NotAllowed => "not_allowed",
        RefusalKind::NotImplemented => "not_implemented",
        RefusalKind::AlreadyExists => "already_exists",
        RefusalKind::InternalError => return Refusal::Unavailable(refusal.text),
    };
    Refusal::Amqp { name, text: refusal.text }
}

fn hashed(password: NewPassword<'_>) -> (String, String) {
    let algorithm = Algorithm::default();
    let hash = match password {
        NewPassword::Clear(text) => auth::hash_password(algorithm, rand::random(), text.as_bytes()),
        NewPassword::Hashed(hash) => hash.to_owned(),
    };
    (hash, algorithm.name().to_owned())
}

/// How many may be open.
fn descriptors_max() -> u64 {
    rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(0, |(soft, _)| soft)
}

type JsonMap = serde_json::Map<String, serde_json::Value>;

/// Reads one limit; -1 is none, as is a name that was not given.
fn limit(limits: &JsonMap, name: &str, current: Option<i64>) -> Answer<Option<i64>> {
    match limits.get(name) {
        None => Ok(current),
        Some(value) => match value.as_i64() {
            Some(number) if number < 0 => Ok(None),
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::Invalid(format!(
                "{name} should be a number, actually was {}",
                erlang(value)
            ))),
        },
    }
}

/// Refuses limits of other names; `what` they are limits of, in RabbitMQ's words.
fn known_limits(limits: &JsonMap, names: [&str; 2], what: &str) -> Answer<()> {
    let unknown = limits.iter().filter(|(name, _)| !names.contains(&name.as_str()));
    let unknown: Vec<String> =
        unknown.map(|(name, value)| format!("{{<<\"{name}\">>,{}}}", erlang(value))).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refusal::Invalid(format!("Unrecognised terms [{}] in {what}", unknown.join(","))))
}

/// A JSON value as RabbitMQ shows it once it is decoded.
fn erlang(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => format!("<<\"{text}\">>"),
        value => value.to_string(),
    }
}

/// Whether a text has a process identifier's form: `<rabbit@host.1795205311.3177.0>`.
fn is_pid(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|it| it.strip_suffix('>'));
    let mut parts = inner.unwrap_or_default().rsplitn(4, '.');
    let is_number = |it: &str| it.parse::<u64>().is_ok();
    parts.by_ref().take(3).filter(|it| is_number(it)).count() == 3
        && parts.next().is_some_and(|node| !node.is_empty())
}

fn user_info(user: &topology::User) -> UserInfo {
    UserInfo {
        name: user.name().to_string(),
        tags: user.tags().to_vec(),
        password_hash: user.password_hash().to_owned(),
        hashing_algorithm: user.hashing_algorithm().to_owned(),
        limits: user_limit_pairs(user.limits()),
    }
}

fn limit_pairs<const N: usize>(pairs: [(&str, Option<i64>); N]) -> Vec<(String, i64)> {
    let set = pairs.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), limit?)));
    set.collect()
}

fn user_limit_pairs(limits: UserLimits) -> Vec<(String, i64)> {
    limit_pairs([
        ("max-channels", limits.max_channels),
        ("max-connections", limits.max_connections),
    ])
}

fn vhost_limit_pairs(limits: VhostLimits) -> Vec<(String, i64)> {
    limit_pairs([("max-connections", limits.max_connections), ("max-queues", limits.max_queues)])
}

impl Operator for NodeOperator {
    fn node_name(&self) -> String {
        self.broker.config().identity.node.clone()
    }

    fn run_state(&self) -> RunState {
        match self.state.load(Ordering::Acquire) {
            state if state == RunState::Booting as u8 => RunState::Booting,
            state if state == RunState::Running as u8 => match self.maintenance.is_app_stopped() {
                true => RunState::AppStopped,
                false => RunState::Running,
            },
            _ => RunState::Stopping,
        }
    }

    fn await_startup(&self, timeout: Duration) -> bool {
        // The control socket is bound after recovery, just before the listeners run.
        let deadline = Instant::now() + timeout;
        while self.run_state() == RunState::Booting && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.run_state() == RunState::Running
    }

    fn status(&self) -> NodeStatus {
        let broker = &self.broker;
        // What follows takes its time: nobody waits for the topology meanwhile.
        let (queue_count, virtual_host_count) = {
            let topology = broker.topology();
            (topology.queue_count(), topology.vhosts().count() as u64)
        };
        let memory = self.resources.memory_use();
        let descriptors_max = descriptors_max();
        NodeStatus {
            os_pid: std::process::id(),
            os: "Linux".to_owned(),
            uptime_seconds: self.facts.started_at.elapsed().as_secs(),
            is_under_maintenance: self.maintenance.is_on(),
            rabbitmq_version: broker.config().identity.version.clone(),
            runtime_version: format!("Leveret {}", env!("CARGO_PKG_VERSION")),
            crypto_version: "rustls with ring".to_owned(),
            tasks: broker.registry.connections().len() as u64,
            // A connection is a task and takes a descriptor.
            tasks_max: descriptors_max,
            active_plugins: ctl::BUILT_IN_PLUGINS.iter().map(|it| (*it).to_owned()).collect(),
            enabled_plugin_file: self.facts.data_dir.join("enabled_plugins"),
            data_dir: self.facts.data_dir.clone(),
            raft_data_dir: self.facts.data_dir.join("log"),
            config_files: self.facts.config_files.clone(),
            log_files: self.facts.log_files.clone(),
            has_memory_alarm: broker.alarms().has(Alarms::MEMORY),
            has_disk_alarm: broker.alarms().has(Alarms::DISK),
            memory: MemoryInfo {
                strategy: match memory.strategy {
                    MemoryStrategy::Rss => MemoryCalculation::Rss,
                    MemoryStrategy::Allocated => MemoryCalculation::Allocated,
                },
                rss: memory.rss,
                allocated: memory.allocated,
                high_watermark: *self
                    .watermark
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner),
                high_watermark_bytes: self.resources.memory_limit_bytes(),
                breakdown: self.memory_breakdown(memory.used()),
            },
            disk_free_limit: self.resources.disk_limit_bytes(),
            disk_free: self.resources.disk_free_bytes(),
            file_descriptors_used: collector::descriptors_used(),
            file_descriptors_max: descriptors_max,
            connection_count: broker.registry.connections().len() as u64,
            queue_count,
            virtual_host_count,
            listeners: self.listeners.clone(),
        }
    }

    fn listeners(&self) -> Vec<ListenerInfo> {
        self.listeners.clone()
    }

    fn stop(&self) {
        self.state.store(RunState::Stopping as u8, Ordering::Release);
        self.stop.notify_one();
    }

    fn drain(&self) {
        self.maintenance.drain();
    }

    fn revive(&self) -> Answer<()> {
        self.maintenance.revive()
    }

    fn stop_app(&self) {
        self.maintenance.stop_app();
    }

    fn start_app(&self) -> Answer<()> {
        if !self.maintenance.is_app_stopped() {
            return Ok(());
        }
        self.done(Command::DeleteTransient)?;
        self.maintenance.start_app()
    }

    fn set_vm_memory_high_watermark(&self, watermark: MemoryHighWatermark) -> Answer<()> {
        *self.watermark.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = watermark;
        let watermark = crate::server::memory_watermark(watermark);
        self.resources.set_memory_watermark(&self.broker, watermark);
        Ok(())
    }

    fn set_disk_free_limit(&self, limit: DiskFreeLimit) -> Answer<()> {
        self.resources.set_disk_limit(&self.broker, crate::server::disk_limit(limit));
        Ok(())
    }

    fn set_cluster_name(&self, name: &str) -> Answer<()> {
        self.done(Command::SetClusterName(name.to_owned()))
    }

    fn set_log_level(&self, level: &str) -> Answer<()> {
        crate::logging::set_level(level)
            .map_err(|()| Refusal::Invalid(format!("unsupported log level {level}")))
    }

    fn list_queues(&self, vhost: &str, emit: Emit<'_, QueueInfo>) -> Answer<()> {
        listings::queues(&self.broker, vhost, emit);
        Ok(())
    }

    fn list_exchanges(&self, vhost: &str, emit: Emit<'_, ExchangeInfo>) -> Answer<()> {
        listings::exchanges(&self.broker, vhost, emit);
        Ok(())
    }

    fn list_bindings(&self, vhost: &str, emit: Emit<'_, BindingInfo>) -> Answer<()> {
        listings::bindings(&self.broker, vhost, emit);
        Ok(())
    }

    fn list_consumers(&self, vhost: &str, emit: Emit<'_, ConsumerInfo>) -> Answer<()> {
        listings::consumers(&self.broker, vhost, emit);
        Ok(())
    }

    fn list_connections(&self, emit: Emit<'_, ConnectionInfo>) -> Answer<()> {
        listings::connections(&self.broker, emit);
        Ok(())
    }

    fn list_channels(&self, emit: Emit<'_, ChannelInfo>) -> Answer<()> {
        listings::channels(&self.broker, emit);
        Ok(())
    }

    fn purge_queue(&self, vhost: &str, queue: &str) -> Answer<u64> {
        let cell = self.queue(vhost, queue)?;
        let mut turn = self.broker.begin(net::now());
        let (purged, lsn) = self.broker.purge(&mut turn, &cell);
        self.broker.finish(turn);
        match durable::wait(&self.broker, lsn, COMMIT_TIMEOUT) {
            true => Ok(purged),
            false => {
                Err(Refusal::Unavailable("the purge did not reach the disk in time".to_owned()))
            }
        }
    }

    fn delete_queue(&self, vhost: &str, queue: &str, conditions: DeleteConditions) -> Answer<u64> {
        let cell = self.queue(vhost, queue)?;
        let DeleteConditions { if_empty, if_unused } = conditions;
        let ready = self.broker.check_delete(&cell, if_unused, if_empty).map_err(refusal)?;
        self.done(Command::DeleteQueues(vec![cell.record.id]))?;
        Ok(ready)
    }

    fn close_connection(&self, pid: &str, reason: &str) -> Answer<()> {
        if !is_pid(pid) {
            return Err(Refusal::InvalidPid(pid.to_owned()));
        }
        let wanted = |id: ConnectionId| self.broker.pid(id.0) == pid;
        self.broker.registry.request_close(reason, |it| wanted(it.id));
        Ok(())
    }

    fn close_all_connections(
        &self,
        which: ConnectionsOf<'_>,
        limits: CloseLimits,
        reason: &str,
    ) -> Answer<u64> {
        let mut closed = 0;
        for entry in self.broker.registry.connections() {
            let is_meant = match which {
                ConnectionsOf::Node => true,
                ConnectionsOf::Vhost(name) => *entry.facts.vhost == *name,
                ConnectionsOf::User(name) => *entry.facts.user == *name,
            };
            if !is_meant {
                continue;
            }
            if limits.count > 0 && closed == limits.count {
                break;
            }
            if closed > 0 {
                std::thread::sleep(limits.delay);
            }
            closed += self.broker.registry.request_close(reason, |it| it.id == entry.id) as u64;
        }
        Ok(closed)
    }

    fn list_users(&self) -> Answer<Vec<UserInfo>> {
        Ok(self.broker.topology().users().map(user_info).collect())
    }

    fn add_user(&self, name: &str, password: NewPassword<'_>) -> Answer<()> {
        let (password_hash, hashing_algorithm) = hashed(password);
        let name = name.to_owned();
        let user = AddUser { name: name.clone(), password_hash, hashing_algorithm, tags: vec![] };
        match self.commit(Command::AddUser(user)) {
            Err(Refusal::Amqp { name: "already_exists", .. }) => Err(Refusal::UserExists(name)),
            result => result.map(drop),
        }
    }

    fn delete_user(&self, name: &str) -> Answer<()> {
        if self.require_user(name).is_err() {
            return Ok(());
        }
        self.done(Command::DeleteUser(name.to_owned()))
    }

    fn change_password(&self, name: &str, password: NewPassword<'_>) -> Answer<()> {
        self.require_user(name)?;
        let (password_hash, hashing_algorithm) = hashed(password);
        let user = name.to_owned();
        self.done(Command::SetPassword(SetPassword { user, password_hash, hashing_algorithm }))
    }

    fn clear_password(&self, name: &str) -> Answer<()> {
        self.require_user(name)?;
        self.done(Command::ClearPassword(name.to_owned()))
    }

    fn authenticate_user(&self, name: &str, password: &str) -> Answer<()> {
        match self.broker.is_password_of(name, password.as_bytes()) {
            true => Ok(()),
            false => Err(Refusal::LoginFailed(name.to_owned())),
        }
    }

    fn set_user_tags(&self, name: &str, tags: &[String]) -> Answer<()> {
        self.require_user(name)?;
        let tags = SetUserTags { user: name.to_owned(), tags: tags.to_vec() };
        self.done(Command::SetUserTags(tags))
    }

    fn set_user_limits(&self, name: &str, limits: &JsonMap) -> Answer<()> {
        known_limits(limits, ["max-connections", "max-channels"], "user-limits")?;
        self.require_user(name)?;
        let current = self.broker.topology().user(name).map(|it| it.limits()).unwrap_or_default();
        let limits = UserLimits {
            max_connections: limit(limits, "max-connections", current.max_connections)?,
            max_channels: limit(limits, "max-channels", current.max_channels)?,
        };
        self.done(Command::SetUserLimits(SetUserLimits { user: name.to_owned(), limits }))
    }

    fn clear_user_limits(&self, name: &str, limit: Option<&str>) -> Answer<()> {
        self.require_user(name)?;
        let mut limits =
            self.broker.topology().user(name).map(|it| it.limits()).unwrap_or_default();
        match limit {
            None => limits = UserLimits::default(),
            Some("max-connections") => limits.max_connections = None,
            Some("max-channels") => limits.max_channels = None,
            Some(_) => {}
        }
        self.done(Command::SetUserLimits(SetUserLimits { user: name.to_owned(), limits }))
    }

    fn user_limits(&self, name: &str) -> Answer<Vec<(String, i64)>> {
        self.require_user(name)?;
        let topology = self.broker.topology();
        Ok(topology.user(name).map(|it| user_limit_pairs(it.limits())).unwrap_or_default())
    }

    fn all_user_limits(&self) -> Answer<Vec<(String, Vec<(String, i64)>)>> {
        let topology = self.broker.topology();
        let all = topology.users().map(|it| (it.name().to_string(), user_limit_pairs(it.limits())));
        Ok(all.filter(|(_, limits)| !limits.is_empty()).collect())
    }

    fn list_permissions(&self, vhost: &str) -> Answer<Vec<PermissionInfo>> {
        self.require_vhost(vhost)?;
        Ok(listings::permissions(&self.broker, |_, of_vhost| of_vhost == vhost))
    }

    fn list_user_permissions(&self, user: &str) -> Answer<Vec<PermissionInfo>> {
        self.require_user(user)?;
        Ok(listings::permissions(&self.broker, |of_user, _| of_user == user))
    }

    fn set_permissions(&self, permission: &PermissionInfo) -> Answer<()> {
        self.require_vhost(&permission.vhost)?;
        self.require_user(&permission.user)?;
        for pattern in [&permission.configure, &permission.write, &permission.read] {
            self.require_regex(pattern)?;
        }
        let PermissionInfo { user, vhost, configure, write, read } = permission.clone();
        let permissions = SetPermissions { user, vhost, configure, write, read };
        self.done(Command::SetPermissions(permissions))
    }

    fn clear_permissions(&self, vhost: &str, user: &str) -> Answer<()> {
        let cleared = ClearPermissions { user: user.to_owned(), vhost: vhost.to_owned() };
        match self.commit(Command::ClearPermissions(cleared)) {
            Err(Refusal::Amqp { name: "not_found", .. }) => Ok(()),
            result => result.map(drop),
        }
    }

    fn list_topic_permissions(&self, vhost: &str) -> Answer<Vec<TopicPermissionInfo>> {
        self.require_vhost(vhost)?;
        Ok(listings::topic_permissions(&self.broker, |_, of_vhost| of_vhost == vhost))
    }

    fn list_user_topic_permissions(&self, user: &str) -> Answer<Vec<TopicPermissionInfo>> {
        self.require_user(user)?;
        Ok(listings::topic_permissions(&self.broker, |of_user, _| of_user == user))
    }

    fn set_topic_permissions(&self, permission: &TopicPermissionInfo) -> Answer<()> {
        for pattern in [&permission.write, &permission.read] {
            self.require_regex(pattern)?;
        }
        self.require_vhost(&permission.vhost)?;
        self.require_user(&permission.user)?;
        let TopicPermissionInfo { user, vhost, exchange, write, read } = permission.clone();
        let missing = exchange.clone();
        let permissions = SetTopicPermissions { user, vhost, exchange, write, read };
        match self.commit(Command::SetTopicPermissions(permissions)) {
            Err(Refusal::Amqp { name: "not_found", .. }) => Err(Refusal::NoSuchExchange(missing)),
            result => result.map(drop),
        }
    }

    fn clear_topic_permissions(
        &self,
        vhost: &str,
        user: &str,
        exchange: Option<&str>,
    ) -> Answer<()> {
        if self.require_vhost(vhost).is_err() || self.require_user(user).is_err() {
            return Ok(());
        }
        let cleared = ClearTopicPermissions {
            user: user.to_owned(),
            vhost: vhost.to_owned(),
            exchange: exchange.map(str::to_owned),
        };
        self.done(Command::ClearTopicPermissions(cleared))
    }

    fn list_vhosts(&self) -> Answer<Vec<VhostInfo>> {
        Ok(self.broker.topology().vhosts().map(|it| self.vhost_info(it)).collect())
    }

    fn add_vhost(&self, vhost: &VhostInfo) -> Answer<()> {
        let default = || self.broker.config().default_queue_type.name().to_owned();
        let vhost = AddVhost {
            name: vhost.name.clone(),
            description: Some(vhost.description.clone()).filter(|it| !it.is_empty()),
            tags: vhost.tags.clone(),
            default_queue_type: Some(vhost.default_queue_type.clone().unwrap_or_else(default)),
        };
        self.broker.topology().check_add_vhost(&vhost).map_err(refusal)?;
        self.done(Command::AddVhost(vhost))
    }

    fn delete_vhost(&self, name: &str) -> Answer<()> {
        self.require_vhost(name)?;
        match self.commit(Command::DeleteVhost(name.to_owned())) {
            Err(Refusal::Amqp { name: "precondition_failed", .. }) => {
                Err(Refusal::VhostProtected(name.to_owned()))
            }
            result => result.map(drop),
        }
    }

    fn set_tracing(&self, vhost: &str, is_on: bool) -> Answer<()> {
        match (self.broker.set_tracing(vhost, is_on), is_on) {
            (true, true) => info!("Enabling tracing for vhost '{vhost}'"),
            (true, false) => info!("Disabling tracing for vhost '{vhost}'"),
            (false, true) => info!("Tracing is already enabled for vhost '{vhost}'"),
            (false, false) => info!("Tracing is already disabled for vhost '{vhost}'"),
        }
        Ok(())
    }

    fn set_vhost_limits(&self, vhost: &str, limits: &JsonMap) -> Answer<()> {
        self.require_vhost(vhost)?;
        known_limits(limits, ["max-connections", "max-queues"], "limits")?;
        let limits = VhostLimits {
            max_connections: limit(limits, "max-connections", None)?,
            max_queues: limit(limits, "max-queues", None)?,
        };
        self.done(Command::SetVhostLimits(SetVhostLimits { vhost: vhost.to_owned(), limits }))
    }

    fn clear_vhost_limits(&self, vhost: &str) -> Answer<()> {
        self.require_vhost(vhost)?;
        let limits = VhostLimits::default();
        self.done(Command::SetVhostLimits(SetVhostLimits { vhost: vhost.to_owned(), limits }))
    }

    fn vhost_limits(&self, vhost: &str) -> Answer<Vec<(String, i64)>> {
        self.require_vhost(vhost)?;
        let topology = self.broker.topology();
        Ok(topology.vhost(vhost).map(|it| vhost_limit_pairs(it.limits())).unwrap_or_default())
    }

    fn all_vhost_limits(&self) -> Answer<Vec<(String, Vec<(String, i64)>)>> {
        let topology = self.broker.topology();
        let all =
            topology.vhosts().map(|it| (it.name().to_string(), vhost_limit_pairs(it.limits())));
        Ok(all.filter(|(_, limits)| !limits.is_empty()).collect())
    }

    fn set_parameter(&self, vhost: &str, parameter: &ParameterInfo) -> Answer<()> {
        let ParameterInfo { component, name, value } = parameter.clone();
        let set = SetParameter { vhost: vhost.to_owned(), component, name, value };
        let checked = set.check();
        let checked = checked.and_then(|()| self.broker.topology().check_set_parameter(&set));
        checked.map_err(|it| policies::refusal(it, vhost))?;
        self.done(Command::SetParameter(set))
    }

    fn clear_parameter(&self, vhost: &str, component: &str, name: &str) -> Answer<()> {
        let [vhost, component, name] = [vhost, component, name].map(str::to_owned);
        let clear = ClearParameter { vhost, component, name };
        let checked = self.broker.topology().check_clear_parameter(&clear);
        checked.map_err(|it| policies::refusal(it, &clear.vhost))?;
        self.done(Command::ClearParameter(clear))
    }

    fn list_parameters(&self, vhost: &str) -> Answer<Vec<ParameterInfo>> {
        self.require_vhost(vhost)?;
        Ok(policies::parameters(&self.broker, vhost))
    }

    fn list_policies(&self, vhost: &str, scope: PolicyScope) -> Answer<Vec<PolicyInfo>> {
        self.require_vhost(vhost)?;
        Ok(policies::policies(&self.broker, vhost, scope))
    }

    fn policies_that_match(
        &self,
        vhost: &str,
        object: PolicyObject,
        name: &str,
    ) -> Answer<Vec<PolicyInfo>> {
        policies::matching(&self.broker, vhost, object, name)
    }

    fn set_global_parameter(&self, name: &str, value: serde_json::Value) -> Answer<()> {
        self.done(Command::SetGlobalParameter(SetGlobalParameter { name: name.to_owned(), value }))
    }

    fn clear_global_parameter(&self, name: &str) -> Answer<()> {
        if self.broker.topology().global_parameter(name).is_none() {
            return Err(Refusal::Invalid(topology::PARAMETER_MISSING.to_owned()));
        }
        self.done(Command::ClearGlobalParameter(name.to_owned()))
    }

    fn list_global_parameters(&self) -> Answer<Vec<(String, serde_json::Value)>> {
        let topology = self.broker.topology();
        let all = topology.global_parameters();
        Ok(all.map(|(name, value)| (name.to_owned(), value.clone())).collect())
    }
}
