//! A broker made of vectors, with the objects of the node that was recorded.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use field_table::{FieldTable, FieldValue};
use serde_json::{Map, Value};

use operator::*;

pub(super) struct Fake {
    state: Mutex<State>,
    is_over: AtomicBool,
    is_app_stopped: AtomicBool,
}

struct State {
    users: Vec<(UserInfo, String)>,
    vhosts: Vec<VhostInfo>,
    permissions: Vec<PermissionInfo>,
    topic_permissions: Vec<TopicPermissionInfo>,
    vhost_limits: Vec<(String, LimitSet)>,
    user_limits: Vec<(String, LimitSet)>,
    queues: Vec<(&'static str, QueueInfo)>,
    parameters: Vec<(String, ParameterInfo)>,
    global_parameters: BTreeMap<String, Value>,
}

fn vhost(name: &str, description: &str, tags: &[&str], kind: &str) -> VhostInfo {
    VhostInfo {
        name: name.to_owned(),
        description: description.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        default_queue_type: Some(kind.to_owned()),
        protected_from_deletion: name == "protected",
        cluster_state: vec![("rabbit@localhost".to_owned(), "running".to_owned())],
        ..VhostInfo::default()
    }
}

fn queue(name: &str, ready: u64, unacknowledged: u64) -> QueueInfo {
    QueueInfo {
        name: name.into(),
        durable: true,
        arguments: FieldTable::new().with("x-queue-type", FieldValue::from("classic")).into(),
        pid: Some("<rabbit@localhost.1795205310.1965.0>".to_owned()),
        messages_ready: ready,
        messages_unacknowledged: unacknowledged,
        state: "running".to_owned(),
        queue_type: "classic".to_owned(),
        leader: "rabbit@localhost".to_owned(),
        members: vec!["rabbit@localhost".to_owned()],
        ..QueueInfo::default()
    }
}

const FED: &str = "federation: fed.ex -> rabbit@localhost:/:fed.ex";

impl Default for Fake {
    fn default() -> Self {
        let user = |name: &str, tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            (UserInfo { name: name.to_owned(), tags, ..UserInfo::default() }, name.to_owned())
        };
        let mut maxlen = queue("c.maxlen", 10, 0);
        maxlen.arguments = FieldTable::new()
            .with("x-dead-letter-exchange", FieldValue::from("ex.dlx"))
            .with("x-dead-letter-routing-key", FieldValue::from("maxlen"))
            .with("x-max-length", FieldValue::from(10i64))
            .with("x-overflow", FieldValue::from("drop-head"))
            .with("x-queue-type", FieldValue::from("classic"))
            .into();
        let permission =
            |vhost: &str, user: &str, configure: &str, write: &str, read: &str| PermissionInfo {
                user: user.to_owned(),
                vhost: vhost.to_owned(),
                configure: configure.to_owned(),
                write: write.to_owned(),
                read: read.to_owned(),
            };
        let (dave_write, dave_read) = ("^dave-|^amq\\.|^mqtt-|^topic", "^dave-|^amq\\.");
        Self {
            is_over: AtomicBool::new(false),
            is_app_stopped: AtomicBool::default(),
            state: Mutex::new(State {
                users: vec![
                    user("alice", &["management"]),
                    user("dave", &[]),
                    user("grace", &["administrator", "custom-tag"]),
                    user("guest", &["administrator"]),
                ],
                vhosts: vec![
                    vhost("orders", "Order processing", &["production", "eu"], "quorum"),
                    vhost("protected", "", &[], "classic"),
                    vhost("/", "Default virtual host", &[], "classic"),
                    vhost("empty", "", &[], "classic"),
                ],
                permissions: vec![
                    permission("/", "alice", ".*", ".*", ".*"),
                    permission("/", "dave", "^dave-|^amq\\.gen", dave_write, dave_read),
                    permission("orders", "alice", "^alice-.*", ".*", ".*"),
                ],
                topic_permissions: vec![TopicPermissionInfo {
                    user: "dave".to_owned(),
                    vhost: "/".to_owned(),
                    exchange: "amq.topic".to_owned(),
                    write: "^dave\\..*".to_owned(),
                    read: "^{username}\\..*".to_owned(),
                }],
                vhost_limits: Vec::new(),
                user_limits: Vec::new(),
                queues: vec![
                    ("/", maxlen),
                    ("/", queue("hash.1", 0, 0)),
                    ("orders", queue("new", 0, 1)),
                    ("orders", queue(FED, 0, 0)),
                    ("orders", queue("paid", 2381, 0)),
                    ("orders", queue("fed.q", 0, 0)),
                    ("orders", queue("tmp.basket", 0, 0)),
                ],
                parameters: Vec::new(),
                global_parameters: BTreeMap::new(),
            }),
        }
    }
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the state")
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

impl State {
    fn user(&self, name: &str) -> Answer<usize> {
        let found = self.users.iter().position(|(user, _)| user.name == name);
        found.ok_or_else(|| Refusal::NoSuchUser(name.to_owned()))
    }

    fn vhost(&self, name: &str) -> Answer<usize> {
        let found = self.vhosts.iter().position(|vhost| vhost.name == name);
        found.ok_or_else(|| Refusal::NoSuchVhost(name.to_owned()))
    }

    fn queue(&self, vhost: &str, name: &str) -> Answer<usize> {
        let is_it = |(of, queue): &(&str, QueueInfo)| *of == vhost && *queue.name == *name;
        self.queues.iter().position(is_it).ok_or(Refusal::NotFound)
    }
}

/// Limits as typed, or the complaint about an unknown one.
fn limits(typed: &Map<String, Value>, known: &[&str], what: &str) -> Answer<LimitSet> {
    if let Some((name, value)) = typed.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        let text = format!("Unrecognised terms [{{<<\"{name}\">>,{value}}}] in {what}");
        return Err(Refusal::Invalid(text));
    }
    Ok(typed.iter().map(|(name, value)| (name.clone(), value.as_i64().unwrap_or(-1))).collect())
}

fn limits_of(all: &[(String, LimitSet)], name: &str) -> LimitSet {
    all.iter().find(|(of, _)| of == name).map(|(_, limits)| limits.clone()).unwrap_or_default()
}

impl Operator for Fake {
    fn node_name(&self) -> String {
        "rabbit@localhost".to_owned()
    }

    fn run_state(&self) -> RunState {
        match self.is_app_stopped.load(Ordering::Relaxed) {
            true => RunState::AppStopped,
            false => RunState::Running,
        }
    }

    fn await_startup(&self, _: Duration) -> bool {
        true
    }

    fn status(&self) -> NodeStatus {
        NodeStatus {
            os_pid: 17370,
            os: "Linux".to_owned(),
            uptime_seconds: 4261,
            is_under_maintenance: false,
            rabbitmq_version: "4.3.6".to_owned(),
            runtime_version: "Leveret".to_owned(),
            crypto_version: "ring".to_owned(),
            tasks: 1178,
            tasks_max: 1_048_576,
            active_plugins: vec!["rabbitmq_management".to_owned()],
            enabled_plugin_file: "/var/lib/leveret/enabled_plugins".into(),
            data_dir: "/var/lib/leveret".into(),
            raft_data_dir: "/var/lib/leveret/wal".into(),
            config_files: vec!["/etc/rabbitmq/rabbitmq.conf".into()],
            log_files: vec!["<stdout>".to_owned()],
            has_memory_alarm: false,
            has_disk_alarm: true,
            memory: MemoryInfo {
                strategy: config::MemoryCalculation::Rss,
                rss: 231_800_000,
                allocated: 200_000_000,
                high_watermark: config::MemoryHighWatermark::Relative(0.6),
                high_watermark_bytes: 15_165_900_000,
                breakdown: vec![
                    ("code".to_owned(), 29_874_735),
                    ("binary".to_owned(), 45_530_960),
                    ("mnesia".to_owned(), 0),
                ],
            },
            disk_free_limit: 50_000_000,
            disk_free: 71_124_000_000,
            file_descriptors_used: 20,
            file_descriptors_max: 1024,
            connection_count: 22,
            queue_count: 61,
            virtual_host_count: 7,
            listeners: self.listeners(),
        }
    }

    fn listeners(&self) -> Vec<ListenerInfo> {
        let listener = |port, protocol: &str| ListenerInfo {
            interface: "[::]".to_owned(),
            port,
            protocol: protocol.to_owned(),
        };
        vec![listener(15672, "http"), listener(5672, "amqp")]
    }

    fn stop(&self) {
        self.end();
    }

    fn drain(&self) {}

    fn revive(&self) -> Answer<()> {
        Ok(())
    }

    fn stop_app(&self) {
        self.is_app_stopped.store(true, Ordering::Relaxed);
    }

    fn start_app(&self) -> Answer<()> {
        self.is_app_stopped.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn set_vm_memory_high_watermark(&self, _: config::MemoryHighWatermark) -> Answer<()> {
        Ok(())
    }

    fn set_disk_free_limit(&self, _: config::DiskFreeLimit) -> Answer<()> {
        Ok(())
    }

    fn set_cluster_name(&self, _: &str) -> Answer<()> {
        Ok(())
    }

    fn set_log_level(&self, _: &str) -> Answer<()> {
        Ok(())
    }

    fn list_queues(&self, vhost: &str, emit: Emit<'_, QueueInfo>) -> Answer<()> {
        let queues = self.state().queues.clone();
        queues.into_iter().filter(|(of, _)| *of == vhost).for_each(|(_, queue)| emit(queue));
        Ok(())
    }

    fn list_exchanges(&self, _: &str, emit: Emit<'_, ExchangeInfo>) -> Answer<()> {
        let types = [
            ("", "direct"),
            ("amq.direct", "direct"),
            ("amq.fanout", "fanout"),
            ("amq.headers", "headers"),
            ("amq.match", "headers"),
            ("amq.rabbitmq.trace", "topic"),
            ("amq.topic", "topic"),
        ];
        for (name, exchange_type) in types {
            emit(ExchangeInfo {
                name: name.to_owned(),
                exchange_type: exchange_type.to_owned(),
                durable: true,
                internal: name == "amq.rabbitmq.trace",
                ..ExchangeInfo::default()
            });
        }
        Ok(())
    }

    fn list_bindings(&self, vhost: &str, emit: Emit<'_, BindingInfo>) -> Answer<()> {
        let binding = |source: &str, kind: &str, destination: &str, key: &str| BindingInfo {
            vhost: vhost.to_owned(),
            source_name: source.to_owned(),
            destination_name: destination.to_owned(),
            destination_kind: kind.to_owned(),
            routing_key: key.to_owned(),
            arguments: FieldTable::new(),
        };
        if vhost != "orders" {
            return Ok(());
        }
        for (_, queue) in self.state().queues.iter().filter(|(of, _)| *of == vhost) {
            emit(binding("", "queue", &queue.name, &queue.name));
        }
        emit(binding("orders", "queue", "new", "order.new"));
        emit(binding(&format!("{FED} B"), "queue", FED, ""));
        emit(BindingInfo {
            arguments: FieldTable::new().with("x-note", FieldValue::from("second")),
            ..binding("orders", "queue", "new", "order.retry")
        });
        emit(binding("orders", "queue", "paid", "order.paid"));
        Ok(())
    }

    fn list_consumers(&self, vhost: &str, emit: Emit<'_, ConsumerInfo>) -> Answer<()> {
        let consumer = |queue: &str, pid: &str, tag: &str, prefetch_count| ConsumerInfo {
            queue_name: queue.to_owned(),
            channel_pid: format!("<rabbit@localhost.1795205311.{pid}.0>"),
            consumer_tag: tag.to_owned(),
            ack_required: true,
            prefetch_count,
            active: true,
            activity_status: "up".to_owned(),
            ..ConsumerInfo::default()
        };
        if vhost == "orders" {
            emit(consumer("new", "3177", "orders-worker", 0));
            emit(consumer(FED, "2603", "amq.ctag-dpCrTGwkbuOnXseT3Vr3LA", 100));
        }
        Ok(())
    }

    fn list_connections(&self, emit: Emit<'_, ConnectionInfo>) -> Answer<()> {
        let local: IpAddr = "::ffff:127.0.0.1".parse().expect("an address");
        let capabilities = FieldTable::new()
            .with("basic.nack", FieldValue::from(true))
            .with("connection.blocked", FieldValue::from(true));
        emit(ConnectionInfo {
            id: 4389,
            pid: "<rabbit@localhost.1795205310.4389.0>".to_owned(),
            name: "127.0.0.1:33180 -> 127.0.0.1:5672".to_owned(),
            port: 5672,
            host: local,
            peer_port: 33180,
            peer_host: local,
            tls: None,
            state: "running".to_owned(),
            channels: 1,
            protocol: vec![0, 9, 1],
            auth_mechanism: "PLAIN".to_owned(),
            user: "guest".to_owned(),
            vhost: "/".to_owned(),
            timeout: 60,
            frame_max: 131_072,
            channel_max: 2047,
            client_properties: FieldTable::new()
                .with("product", FieldValue::from("Pika Python Client Library"))
                .with("capabilities", FieldValue::Table(capabilities))
                .with("version", FieldValue::from("1.4.4")),
            recv_oct: 1608,
            recv_cnt: 137,
            send_oct: 6_403_608,
            send_cnt: 11516,
            send_pend: 0,
            connected_at: 1_795_205_722_507,
        });
        Ok(())
    }

    fn list_channels(&self, emit: Emit<'_, ChannelInfo>) -> Answer<()> {
        emit(ChannelInfo {
            id: 4398,
            pid: "<rabbit@localhost.1795205310.4398.0>".to_owned(),
            connection: "<rabbit@localhost.1795205310.4389.0>".to_owned(),
            name: "127.0.0.1:33180 -> 127.0.0.1:5672 (1)".to_owned(),
            number: 1,
            user: "guest".to_owned(),
            vhost: "/".to_owned(),
            consumer_count: 1,
            ..ChannelInfo::default()
        });
        Ok(())
    }

    fn purge_queue(&self, vhost: &str, queue: &str) -> Answer<u64> {
        let mut state = self.state();
        let idx = state.queue(vhost, queue)?;
        Ok(std::mem::take(&mut state.queues[idx].1.messages_ready))
    }

    fn delete_queue(&self, vhost: &str, queue: &str, only: DeleteConditions) -> Answer<u64> {
        let mut state = self.state();
        let idx = state.queue(vhost, queue)?;
        let ready = state.queues[idx].1.messages_ready;
        if only.if_empty && 0 < ready {
            let text = format!("queue '{queue}' in vhost '{vhost}' not empty");
            return Err(Refusal::Amqp { name: "precondition_failed", text });
        }
        state.queues.remove(idx);
        Ok(ready)
    }

    fn close_connection(&self, pid: &str, _: &str) -> Answer<()> {
        match pid.starts_with("<rabbit@localhost.") {
            true => Ok(()),
            false => Err(Refusal::InvalidPid(pid.to_owned())),
        }
    }

    fn close_all_connections(
        &self,
        _: ConnectionsOf<'_>,
        limits: CloseLimits,
        _: &str,
    ) -> Answer<u64> {
        Ok(if limits.count == 0 { 12 } else { limits.count })
    }

    fn list_users(&self) -> Answer<Vec<UserInfo>> {
        Ok(self.state().users.iter().map(|(user, _)| user.clone()).collect())
    }

    fn add_user(&self, name: &str, password: NewPassword<'_>) -> Answer<()> {
        let mut state = self.state();
        if state.user(name).is_ok() {
            return Err(Refusal::UserExists(name.to_owned()));
        }
        let (NewPassword::Clear(text) | NewPassword::Hashed(text)) = password;
        let user = UserInfo { name: name.to_owned(), ..UserInfo::default() };
        state.users.push((user, text.to_owned()));
        state.users.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        Ok(())
    }

    fn delete_user(&self, name: &str) -> Answer<()> {
        self.state().users.retain(|(user, _)| user.name != name);
        Ok(())
    }

    fn change_password(&self, name: &str, password: NewPassword<'_>) -> Answer<()> {
        let mut state = self.state();
        let idx = state.user(name)?;
        let (NewPassword::Clear(text) | NewPassword::Hashed(text)) = password;
        state.users[idx].1 = text.to_owned();
        Ok(())
    }

    fn clear_password(&self, name: &str) -> Answer<()> {
        self.change_password(name, NewPassword::Clear(""))
    }

    fn authenticate_user(&self, name: &str, password: &str) -> Answer<()> {
        let state = self.state();
        match state.users.iter().any(|(user, own)| user.name == name && own == password) {
            true => Ok(()),
            false => Err(Refusal::LoginFailed(name.to_owned())),
        }
    }

    fn set_user_tags(&self, name: &str, tags: &[String]) -> Answer<()> {
        let mut state = self.state();
        let idx = state.user(name)?;
        state.users[idx].0.tags = tags.to_vec();
        Ok(())
    }

    fn set_user_limits(&self, name: &str, typed: &Map<String, Value>) -> Answer<()> {
        let mut state = self.state();
        state.user(name)?;
        let limits = limits(typed, &["max-connections", "max-channels"], "user-limits")?;
        state.user_limits.push((name.to_owned(), limits));
        Ok(())
    }

    fn clear_user_limits(&self, name: &str, _: Option<&str>) -> Answer<()> {
        let mut state = self.state();
        state.user(name)?;
        state.user_limits.retain(|(of, _)| of != name);
        Ok(())
    }

    fn user_limits(&self, name: &str) -> Answer<LimitSet> {
        let state = self.state();
        state.user(name)?;
        Ok(limits_of(&state.user_limits, name))
    }

    fn all_user_limits(&self) -> Answer<Vec<(String, LimitSet)>> {
        Ok(self.state().user_limits.clone())
    }

    fn list_permissions(&self, vhost: &str) -> Answer<Vec<PermissionInfo>> {
        let state = self.state();
        state.vhost(vhost)?;
        Ok(state.permissions.iter().filter(|p| p.vhost == vhost).cloned().collect())
    }

    fn list_user_permissions(&self, user: &str) -> Answer<Vec<PermissionInfo>> {
        let state = self.state();
        state.user(user)?;
        Ok(state.permissions.iter().filter(|p| p.user == user).cloned().collect())
    }

    fn set_permissions(&self, permission: &PermissionInfo) -> Answer<()> {
        let mut state = self.state();
        if permission.configure == "[" {
            return Err(Refusal::InvalidRegex {
                pattern: "[".to_owned(),
                reason: "missing terminating ] for character class".to_owned(),
                position: 1,
            });
        }
        state.user(&permission.user)?;
        state.vhost(&permission.vhost)?;
        state.permissions.push(permission.clone());
        Ok(())
    }

    fn clear_permissions(&self, vhost: &str, user: &str) -> Answer<()> {
        self.state().permissions.retain(|p| (p.vhost.as_str(), p.user.as_str()) != (vhost, user));
        Ok(())
    }

    fn list_topic_permissions(&self, vhost: &str) -> Answer<Vec<TopicPermissionInfo>> {
        let state = self.state();
        state.vhost(vhost)?;
        Ok(state.topic_permissions.iter().filter(|p| p.vhost == vhost).cloned().collect())
    }

    fn list_user_topic_permissions(&self, user: &str) -> Answer<Vec<TopicPermissionInfo>> {
        let state = self.state();
        state.user(user)?;
        Ok(state.topic_permissions.iter().filter(|p| p.user == user).cloned().collect())
    }

    fn set_topic_permissions(&self, permission: &TopicPermissionInfo) -> Answer<()> {
        if permission.exchange == "nope" {
            return Err(Refusal::NoSuchExchange(permission.exchange.clone()));
        }
        self.state().topic_permissions.push(permission.clone());
        Ok(())
    }

    fn clear_topic_permissions(&self, vhost: &str, user: &str, _: Option<&str>) -> Answer<()> {
        let mut state = self.state();
        state.topic_permissions.retain(|p| (p.vhost.as_str(), p.user.as_str()) != (vhost, user));
        Ok(())
    }

    fn list_vhosts(&self) -> Answer<Vec<VhostInfo>> {
        Ok(self.state().vhosts.clone())
    }

    fn add_vhost(&self, vhost: &VhostInfo) -> Answer<()> {
        let mut state = self.state();
        if state.vhost(&vhost.name).is_err() {
            state.vhosts.push(vhost.clone());
        }
        Ok(())
    }

    fn delete_vhost(&self, name: &str) -> Answer<()> {
        let mut state = self.state();
        let idx = state.vhost(name)?;
        if state.vhosts[idx].protected_from_deletion {
            return Err(Refusal::VhostProtected(name.to_owned()));
        }
        state.vhosts.remove(idx);
        Ok(())
    }

    fn set_tracing(&self, vhost: &str, is_on: bool) -> Answer<()> {
        let mut state = self.state();
        if let Some(vhost) = state.vhosts.iter_mut().find(|it| it.name == vhost) {
            vhost.tracing = is_on;
        }
        Ok(())
    }

    fn set_vhost_limits(&self, vhost: &str, typed: &Map<String, Value>) -> Answer<()> {
        let mut state = self.state();
        state.vhost(vhost)?;
        let limits = limits(typed, &["max-connections", "max-queues"], "limits")?;
        state.vhost_limits.push((vhost.to_owned(), limits));
        Ok(())
    }

    fn clear_vhost_limits(&self, vhost: &str) -> Answer<()> {
        self.state().vhost_limits.retain(|(of, _)| of != vhost);
        Ok(())
    }

    fn vhost_limits(&self, vhost: &str) -> Answer<LimitSet> {
        let state = self.state();
        state.vhost(vhost)?;
        Ok(limits_of(&state.vhost_limits, vhost))
    }

    fn all_vhost_limits(&self) -> Answer<Vec<(String, LimitSet)>> {
        Ok(self.state().vhost_limits.clone())
    }

    fn set_parameter(&self, vhost: &str, parameter: &ParameterInfo) -> Answer<()> {
        let ParameterInfo { component, name, value } = parameter;
        if !["policy", "operator_policy"].contains(&component.as_str()) {
            let text = format!("Validation failed\n\ncomponent {component} not found\n");
            return Err(Refusal::Invalid(text));
        }
        if let Some(key) = value["definition"].as_object().and_then(|it| it.get("nope")) {
            let text = format!("[{{<<\"nope\">>,{key}}}] are not recognised policy settings");
            return Err(Refusal::Invalid(format!("Validation failed\n\n{text}\n")));
        }
        let mut state = self.state();
        state.vhost(vhost)?;
        let parameters = &mut state.parameters;
        parameters.retain(|(of, it)| of != vhost || it.component != *component || it.name != *name);
        parameters.push((vhost.to_owned(), parameter.clone()));
        Ok(())
    }

    fn clear_parameter(&self, vhost: &str, component: &str, name: &str) -> Answer<()> {
        let parameters = &mut self.state().parameters;
        let before = parameters.len();
        parameters.retain(|(of, it)| of != vhost || it.component != component || it.name != name);
        match parameters.len() == before {
            true => Err(Refusal::Invalid("Parameter does not exist".to_owned())),
            false => Ok(()),
        }
    }

    fn list_parameters(&self, vhost: &str) -> Answer<Vec<ParameterInfo>> {
        let state = self.state();
        state.vhost(vhost)?;
        let all = state.parameters.iter().filter(|(of, _)| of == vhost).map(|(_, it)| it.clone());
        Ok(all.filter(|it| it.component != "policy").collect())
    }

    fn list_policies(&self, vhost: &str, scope: PolicyScope) -> Answer<Vec<PolicyInfo>> {
        let state = self.state();
        state.vhost(vhost)?;
        let all = state.parameters.iter().filter(|(of, _)| of == vhost).map(|(_, it)| it);
        let all = all.filter(|it| it.component == scope.component());
        Ok(all.map(|it| policy(vhost, it)).collect())
    }

    fn policies_that_match(
        &self,
        vhost: &str,
        object: PolicyObject,
        name: &str,
    ) -> Answer<Vec<PolicyInfo>> {
        let is_there = self.state().queues.iter().any(|(of, it)| *of == vhost && *it.name == *name);
        if object == PolicyObject::Queue && !is_there {
            return Err(Refusal::NotFound);
        }
        let mut all = self.list_policies(vhost, PolicyScope::User)?;
        all.retain(|it| name.starts_with(it.pattern.trim_start_matches('^')));
        Ok(all)
    }

    fn set_global_parameter(&self, name: &str, value: Value) -> Answer<()> {
        self.state().global_parameters.insert(name.to_owned(), value);
        Ok(())
    }

    fn clear_global_parameter(&self, name: &str) -> Answer<()> {
        let removed = self.state().global_parameters.remove(name);
        let missing = || Refusal::Invalid("Parameter does not exist".to_owned());
        removed.map(drop).ok_or_else(missing)
    }

    fn list_global_parameters(&self) -> Answer<Vec<(String, Value)>> {
        Ok(self.state().global_parameters.clone().into_iter().collect())
    }
}

fn policy(vhost: &str, parameter: &ParameterInfo) -> PolicyInfo {
    let value = &parameter.value;
    let text = |key: &str| value[key].as_str().expect("a text").to_owned();
    PolicyInfo {
        vhost: vhost.to_owned(),
        name: parameter.name.clone(),
        pattern: text("pattern"),
        apply_to: text("apply-to"),
        definition: value["definition"].as_object().expect("an object").clone(),
        priority: value["priority"].as_number().expect("a number").clone(),
    }
}
