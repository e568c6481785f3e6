//! Changes of the control plane.

use broker::{Broker, INTERNAL_USER};
use field_table::{FieldTable, FieldValue, ShortStr};
use serde_json::{Value, json};
use topology::{
    AddVhost, Binding, ClearParameter, Command, Event as Change, ExchangeRecord, QueueRecord,
    SetParameter, UserLimits, VhostLimits,
};

use super::values::{self, printed, texts};
use super::{EventMessage, Headers};

/// Components of parameters that have messages of their own, too.
const POLICY: &str = "policy";
const OPERATOR_POLICY: &str = "operator_policy";
const VHOST_LIMITS: &str = "vhost-limits";
/// The component that global parameters are shown with.
const GLOBAL: &str = "global";
/// The one name that limits are kept under.
const LIMITS: &str = "limits";

/// What became of an exchange, a queue or a binding.
pub(super) fn of_change(
    broker: &Broker,
    actor: &str,
    command: &Command,
    change: &Change,
) -> Option<EventMessage> {
    Some(match change {
        Change::ExchangeCreated(record) => exchange_created(actor, record),
        Change::ExchangeDeleted(record) => Headers::default()
            .by(actor)
            .with("vhost", &*record.vhost)
            .with("name", &*record.name)
            .named("exchange.deleted"),
        Change::QueueCreated(record) => queue_created(broker, actor, record),
        Change::QueueDeleted(record) => Headers::default()
            .by(actor)
            .with("type", record.kind.module_name())
            .with("vhost", &*record.vhost)
            .with("name", &*record.name)
            .named("queue.deleted"),
        Change::BindingCreated(made) => binding(actor, made).named("binding.created"),
        Change::BindingDeleted(gone) => {
            // Those of a deleted queue go by themselves.
            let is_asked = matches!(command, Command::Unbind(_) | Command::DeleteExchange(_));
            let actor = if is_asked { actor } else { INTERNAL_USER };
            binding(actor, gone).named("binding.deleted")
        }
        _ => return None,
    })
}

fn exchange_created(actor: &str, record: &ExchangeRecord) -> EventMessage {
    Headers::default()
        .by(actor)
        .with("policy", "")
        .with("arguments", printed(&record.arguments))
        .with("internal", record.internal)
        .with("auto_delete", record.auto_delete)
        .with("durable", record.durable)
        .with("type", record.kind.name)
        .with("vhost", &*record.vhost)
        .with("name", &*record.name)
        .named("exchange.created")
}

fn queue_created(broker: &Broker, actor: &str, record: &QueueRecord) -> EventMessage {
    let node = broker.config().identity.node.as_str();
    Headers::default()
        .by(actor)
        .with("members", vec![FieldValue::from(node)])
        .with("leader", node)
        .with("owner_pid", record.owner.map(|it| broker.pid(it.0)).unwrap_or_default())
        .with("exclusive", record.is_exclusive())
        .with("arguments", printed(&record.arguments))
        .with("auto_delete", record.auto_delete)
        .with("durable", record.durable)
        .with("type", record.kind.module_name())
        .with("vhost", &*record.vhost)
        .with("name", &*record.name)
        .named("queue.created")
}

fn binding(actor: &str, binding: &Binding) -> Headers {
    let none = FieldTable::new();
    Headers::default()
        .by(actor)
        .with("arguments", printed(binding.arguments.as_deref().unwrap_or(&none)))
        .with("routing_key", &*binding.key)
        .with("destination_kind", binding.destination.kind().name())
        .with("destination_name", binding.destination.name())
        .with("vhost", &*binding.source.vhost)
        .with("source_kind", "exchange")
        .with("source_name", &*binding.source.name)
}

/// What else a command did: to vhosts, users, permissions and parameters.
pub(super) fn of_command(
    broker: &Broker,
    actor: &str,
    command: &Command,
    changes: &[Change],
) -> Vec<EventMessage> {
    let by = || Headers::default().by(actor);
    let user = |name: &str| by().with("name", name);
    match command {
        Command::AddVhost(it) => {
            let is_new = changes.iter().any(|it| matches!(it, Change::VhostCreated(_)));
            if is_new { vhost_created(broker, actor, it) } else { Vec::new() }
        }
        Command::SetVhostMetadata(it) => vec![updated(broker, by(), &it.name)],
        Command::ProtectVhost(it) => vec![updated(broker, by(), &it.vhost)],
        Command::DeleteVhost(name) => {
            let node = broker.config().identity.node.as_str();
            let internal = Headers::default().by(INTERNAL_USER);
            vec![
                by().with("name", name.as_str()).named("vhost.deleted"),
                internal.with("node", node).with("name", name.as_str()).named("vhost.down"),
            ]
        }
        Command::SetVhostLimits(it) => vhost_limits(by, &it.vhost, it.limits),
        Command::AddUser(it) => {
            let mut messages = vec![user(&it.name).named("user.created")];
            if !it.tags.is_empty() {
                messages.push(user(&it.name).with("tags", texts(&it.tags)).named("user.tags.set"));
            }
            messages
        }
        Command::SetPassword(it) => vec![user(&it.user).named("user.password.changed")],
        Command::ClearPassword(name) => vec![user(name).named("user.password.cleared")],
        Command::SetUserTags(it) => {
            vec![user(&it.user).with("tags", texts(&it.tags)).named("user.tags.set")]
        }
        Command::DeleteUser(name) => vec![user(name).named("user.deleted")],
        Command::SetUserLimits(it) => vec![user_limits(by(), &it.user, it.limits)],
        Command::SetPermissions(_)
        | Command::ClearPermissions(_)
        | Command::SetTopicPermissions(_)
        | Command::ClearTopicPermissions(_) => vec![permissions(by(), command)],
        Command::SetParameter(it) => parameter_set(by, it),
        Command::ClearParameter(it) => parameter_cleared(by, it),
        Command::SetGlobalParameter(it) => vec![global_set(by(), &it.name, &it.value)],
        Command::SetClusterName(name) => vec![global_set(by(), "cluster_name", &json!(name))],
        Command::ClearGlobalParameter(name) => {
            vec![
                by().with("name", name.as_str())
                    .with("component", GLOBAL)
                    .named("parameter.cleared"),
            ]
        }
        _ => Vec::new(),
    }
}

fn permissions(headers: Headers, command: &Command) -> EventMessage {
    let whose =
        |headers: Headers, user: &str, vhost: &str| headers.with("vhost", vhost).with("user", user);
    match command {
        Command::SetPermissions(it) => whose(headers, &it.user, &it.vhost)
            .with("read", it.read.as_str())
            .with("write", it.write.as_str())
            .with("configure", it.configure.as_str())
            .named("permission.created"),
        Command::ClearPermissions(it) => {
            whose(headers, &it.user, &it.vhost).named("permission.deleted")
        }
        Command::SetTopicPermissions(it) => whose(headers, &it.user, &it.vhost)
            .with("read", it.read.as_str())
            .with("write", it.write.as_str())
            .with("exchange", it.exchange.as_str())
            .named("topic.permission.created"),
        Command::ClearTopicPermissions(it) => {
            whose(headers, &it.user, &it.vhost).named("topic.permission.deleted")
        }
        other => unreachable!("{other:?} is about no permission"),
    }
}

fn vhost(broker: &Broker, headers: Headers, it: &AddVhost) -> Headers {
    let mut state = FieldTable::new();
    if let Ok(node) = ShortStr::try_from(broker.config().identity.node.as_str()) {
        state.push(node, "running");
    }
    let description = it.description.as_deref().unwrap_or_default();
    let kind = it.default_queue_type.as_deref().unwrap_or("undefined");
    let metadata = format!(
        "#{{description => {},tags => [{}],default_queue_type => {}}}",
        values::binary(description.as_bytes()),
        it.tags.join(","),
        values::binary(kind.as_bytes())
    );
    headers
        .with("cluster_state", state)
        .with("tracing", broker.is_traced(&it.name))
        .with("metadata", metadata)
        .with("tags", texts(&it.tags))
        .with("default_queue_type", kind)
        .with("description", description)
        .with("name", it.name.as_str())
        .with("protected_from_deletion", false)
}

/// A vhost comes with exchanges.
fn vhost_created(broker: &Broker, actor: &str, it: &AddVhost) -> Vec<EventMessage> {
    let mut messages: Vec<EventMessage> = match broker.topology().vhost(&it.name) {
        Some(vhost) => vhost.exchanges().map(|it| exchange_created(actor, it)).collect(),
        None => Vec::new(),
    };
    messages.push(vhost(broker, Headers::default().by(actor), it).named("vhost.created"));
    messages
}

/// A vhost as it is now.
fn updated(broker: &Broker, headers: Headers, name: &str) -> EventMessage {
    let (facts, is_protected) = match broker.topology().vhost(name) {
        None => (AddVhost { name: name.to_owned(), ..AddVhost::default() }, false),
        Some(vhost) => (
            AddVhost {
                name: name.to_owned(),
                description: vhost.description().map(str::to_owned),
                tags: vhost.tags().to_vec(),
                default_queue_type: vhost.default_queue_type().map(|it| it.name().to_owned()),
            },
            vhost.is_protected(),
        ),
    };
    let mut message = vhost(broker, headers, &facts)
        .with("deletion_protection", is_protected)
        .named("vhost.updated");
    message.headers.set("protected_from_deletion", is_protected);
    message
}

fn with_limits(headers: Headers, limits: &[(&'static str, Option<i64>)]) -> Headers {
    limits
        .iter()
        .filter_map(|(name, limit)| Some((*name, (*limit)?)))
        .fold(headers, |headers, (name, limit)| headers.with(name, limit))
}

fn vhost_limits(by: impl Fn() -> Headers, vhost: &str, limits: VhostLimits) -> Vec<EventMessage> {
    let pairs = [("max-connections", limits.max_connections), ("max-queues", limits.max_queues)];
    let about = || by().with("vhost", vhost).with("name", LIMITS);
    let parameter = about().with("component", VHOST_LIMITS);
    if limits == VhostLimits::default() {
        return vec![parameter.named("parameter.cleared"), about().named("vhost.limits.cleared")];
    }
    let value = with_limits(Headers::default(), &pairs).0;
    vec![
        parameter.with("value", value).named("parameter.set"),
        with_limits(about(), &pairs).named("vhost.limits.set"),
    ]
}

fn user_limits(headers: Headers, user: &str, limits: UserLimits) -> EventMessage {
    let headers = headers.with("username", user).with("name", LIMITS);
    if limits == UserLimits::default() {
        return headers.named("user.limits.cleared");
    }
    let pairs =
        [("max-connections", limits.max_connections), ("max-channels", limits.max_channels)];
    with_limits(headers, &pairs).named("user.limits.set")
}

fn global_set(headers: Headers, name: &str, value: &Value) -> EventMessage {
    headers
        .with("value", values::json(value))
        .with("name", name)
        .with("component", GLOBAL)
        .named("parameter.set")
}

fn parameter_set(by: impl Fn() -> Headers, set: &SetParameter) -> Vec<EventMessage> {
    let about = || by().with("vhost", set.vhost.as_str()).with("name", set.name.as_str());
    let parameter = about()
        .with("value", values::json(&set.value))
        .with("component", set.component.as_str())
        .named("parameter.set");
    let fields = |headers: Headers, names: &[&'static str]| {
        let present = names.iter().filter_map(|name| Some((*name, set.value.get(*name)?)));
        present.fold(headers, |headers, (name, value)| headers.with(name, values::json(value)))
    };
    let policy = || {
        let names = ["pattern", "definition", "priority", "apply-to"];
        fields(about(), &names).named("policy.set")
    };
    match set.component.as_str() {
        POLICY => vec![policy()],
        OPERATOR_POLICY => vec![parameter, policy()],
        VHOST_LIMITS => {
            let limits = fields(about(), &["max-connections", "max-queues"]);
            vec![parameter, limits.named("vhost.limits.set")]
        }
        _ => vec![parameter],
    }
}

fn parameter_cleared(by: impl Fn() -> Headers, clear: &ClearParameter) -> Vec<EventMessage> {
    let about = || by().with("vhost", clear.vhost.as_str()).with("name", clear.name.as_str());
    let parameter = about().with("component", clear.component.as_str()).named("parameter.cleared");
    match clear.component.as_str() {
        POLICY => vec![about().named("policy.cleared")],
        OPERATOR_POLICY => vec![parameter, about().named("operator.policy.cleared")],
        VHOST_LIMITS => vec![parameter, about().named("vhost.limits.cleared")],
        _ => vec![parameter],
    }
}
