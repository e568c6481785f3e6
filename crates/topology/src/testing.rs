//! A small command language for tests: a script in, what became of each line out.

use std::fmt::Write as _;

use field_table::{FieldTable, FieldValue, ShortStr};
use serde_json::Value;
use smallvec::SmallVec;

use crate::{
    AddUser, AddVhost, Binding, BindingSpec, ClearParameter, ClearPermissions,
    ClearTopicPermissions, Command, ConnectionId, DeclareExchange, DeclareQueue, DeleteExchange,
    DestinationKind, Event, Outcome, Overflow, Permission, Policy, ProtectVhost, QueueId,
    QueueSettings, Refusal, ResourceKind, SetGlobalParameter, SetParameter, SetPermissions,
    SetTopicPermissions, SetUserLimits, SetUserTags, SetVhostLimits, State, TopicVariables,
    UserLimits, VhostLimits,
};

/// A state with one vhost, `v`, driven by text.
pub(crate) struct Transcript {
    pub(crate) state: State,
    index: u64,
    output: String,
}

/// Runs a script and returns one line or more for each of its lines.
pub(crate) fn run(script: &str) -> String {
    let mut transcript = Transcript::new();
    transcript.run(script);
    transcript.output
}

impl Transcript {
    pub(crate) fn new() -> Self {
        let mut transcript = Self { state: State::default(), index: 0, output: String::new() };
        transcript.run("add-vhost v");
        transcript.output.clear();
        transcript
    }

    pub(crate) fn run(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let answer = self.answer(line);
            let _ = writeln!(self.output, "{line}\n  {answer}");
        }
    }

    /// What one line is answered.
    pub(crate) fn answer(&mut self, line: &str) -> String {
        let words = split(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.ask(&words).unwrap_or_else(|refusal| format!("{:?}: {}", refusal.kind, refusal.text))
    }

    /// All answers so far, each below its line.
    pub(crate) fn output(&self) -> &str {
        &self.output
    }

    /// Lets the log go on where that of `other` stands.
    pub(crate) fn continue_after(&mut self, other: &Self) {
        self.index = other.index;
    }

    /// Lets the next command have the number of the last one of `other`.
    pub(crate) fn continue_before(&mut self, other: &Self) {
        self.index = other.index - 1;
    }

    fn ask(&mut self, words: &[&str]) -> Result<String, Refusal> {
        match *words {
            ["route", exchange, key, ref headers @ ..] => self.route(exchange, key, headers),
            ["cacheable", exchange] => {
                Ok((!self.vhost().route_depends_on_headers(exchange)).to_string())
            }
            ["bindings"] => Ok(self.bindings()),
            ["lookup", queue, connection] => {
                self.state.lookup_queue("v", queue, connection_id(connection))?;
                Ok("found".to_owned())
            }
            ["access", user, kind, name, permission] => {
                let kind =
                    if kind == "queue" { ResourceKind::Queue } else { ResourceKind::Exchange };
                self.state.check_access(user, "v", kind, name, permission_named(permission))?;
                Ok("allowed".to_owned())
            }
            ["topic-access", user, exchange, permission, key] => {
                let variables = TopicVariables { client_id: Some("dev.1") };
                let permission = permission_named(permission);
                self.state.check_topic_access(user, "v", exchange, permission, key, variables)?;
                Ok("allowed".to_owned())
            }
            ["passive", user, name] => {
                let variables = TopicVariables::default();
                State::authorize_passive("v", ResourceKind::Queue, name, &mut |access| {
                    self.state.check(user, access, variables)
                })?;
                Ok("allowed".to_owned())
            }
            ["vhost-access", user, vhost] => {
                self.state.check_vhost_access(user, vhost)?;
                Ok("allowed".to_owned())
            }
            ["connect", user, in_vhost, of_user] => {
                let count = |text: &str| text.parse().expect("a number");
                self.state.check_connection_limits(user, "v", count(in_vhost), count(of_user))?;
                Ok("allowed".to_owned())
            }
            ["open-channel", user, channels] => {
                self.state.check_channel_limit(user, channels.parse().expect("a number"))?;
                Ok("allowed".to_owned())
            }
            ["authorize", "declare-queue", ref rest @ ..] => {
                let Command::DeclareQueue(declare) = command(&[&["declare-queue"], rest].concat())
                else {
                    unreachable!("is a declare-queue")
                };
                let mut asked = "asked for:".to_owned();
                self.state.authorize_declare_queue(&declare, &mut |access| {
                    let _ = write!(
                        asked,
                        " {} {:?} {};",
                        access.permission.name(),
                        access.kind,
                        access.name
                    );
                    Ok(())
                })?;
                Ok(asked)
            }
            ["bind" | "unbind", .., connection] if connection.starts_with("by=") => {
                let (rest, by) = (&words[..words.len() - 1], &connection[3..]);
                match command(rest) {
                    Command::Bind(spec) => self.state.check_bind(&spec, Some(connection_id(by))),
                    Command::Unbind(spec) => {
                        self.state.check_unbind(&spec, Some(connection_id(by)))
                    }
                    other => panic!("{other:?}"),
                }
                .map(|exists| format!("may; exists: {exists}"))
            }
            ["policies-of", queue] => Ok(self.policies_of(queue)),
            ["settings", queue] => {
                let record = self.vhost().queue(queue).expect("the queue is there");
                Ok(describe_settings(&self.state.settings_of(record)))
            }
            ["parameters"] => {
                let vhost = self.vhost();
                let all = vhost.parameters();
                let all = all.iter().map(|it| format!("{} {} {}", it.component, it.name, it.value));
                Ok(listed(all))
            }
            ["globals"] => {
                let all = self.state.global_parameters();
                Ok(listed(all.map(|(name, value)| format!("{name} {value}"))))
            }
            ["delete-queue", name] => {
                let id = self.vhost().queue(name).map(|queue| queue.id);
                self.apply(&Command::DeleteQueues(id.into_iter().collect()))
            }
            _ => {
                let command = command(words);
                self.check(&command)?;
                self.apply(&command)
            }
        }
    }

    /// What front-ends ask before they propose a command.
    fn check(&self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::DeclareExchange(declare) => {
                self.state.check_declare_exchange(declare).map(drop)
            }
            Command::DeclareQueue(declare) => self.state.check_declare_queue(declare).map(drop),
            Command::Bind(spec) => self.state.check_bind(spec, None).map(drop),
            Command::SetParameter(set) => {
                set.check()?;
                self.state.check_set_parameter(set)
            }
            _ => Ok(()),
        }
    }

    fn vhost(&self) -> &crate::Vhost {
        self.state.vhost("v").expect("the vhost is there")
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Result<String, Refusal> {
        self.index += 1;
        let mut events = Vec::new();
        let decoded = Command::decode(&command.encode());
        assert_eq!(decoded.as_ref(), Ok(command), "commands survive storage");
        let outcome = self.state.apply(self.index, command, &mut events)?;
        let mut text = describe(&outcome);
        for event in &events {
            let _ = write!(text, " | {}", describe_event(event));
        }
        Ok(text)
    }

    fn route(&self, exchange: &str, key: &str, headers: &[&str]) -> Result<String, Refusal> {
        let table = || headers.iter().map(|word| argument(word)).collect::<FieldTable>();
        let mut out: SmallVec<[QueueId; 4]> = SmallVec::new();
        let keys: Vec<&[u8]> = key.split('+').map(str::as_bytes).collect();
        self.vhost().route(exchange, &keys, &table, 1, &mut out)?;
        let names = out.iter().map(|id| {
            let queue = self.vhost().queues().find(|queue| queue.id == *id);
            queue.expect("routes lead to queues").name.to_string()
        });
        let names: Vec<_> = names.collect();
        Ok(if names.is_empty() { "nowhere".to_owned() } else { names.join(" ") })
    }

    /// The policy, the operator policy and what they come to.
    fn policies_of(&self, queue: &str) -> String {
        let vhost = self.vhost();
        let record = vhost.queue(queue).expect("the queue is there");
        let applied = vhost.policies_of_queue(record);
        let name = |policy: Option<&std::sync::Arc<Policy>>| {
            policy.map_or_else(|| "none".to_owned(), |policy| policy.name.to_string())
        };
        let definition = applied.definition().map(|it| Value::from(it.into_owned()));
        format!(
            "{} and {}: {}",
            name(applied.policy),
            name(applied.operator_policy),
            definition.unwrap_or_default()
        )
    }

    fn bindings(&self) -> String {
        let bindings = self.vhost().bindings().map(|binding| {
            let arguments = binding.arguments.map_or(0, FieldTable::len);
            format!(
                "'{}' -> {} {} by '{}' ({arguments} arguments)",
                binding.source,
                binding.destination_kind.name(),
                binding.destination,
                binding.key
            )
        });
        bindings.collect::<Vec<_>>().join("\n  ")
    }
}

pub(crate) fn command(words: &[&str]) -> Command {
    let own = |text: &str| text.to_owned();
    match *words {
        ["add-vhost", name, ref rest @ ..] => Command::AddVhost(AddVhost {
            name: own(name),
            default_queue_type: rest.first().copied().map(own),
            ..AddVhost::default()
        }),
        ["delete-vhost", name] => Command::DeleteVhost(own(name)),
        ["describe-vhost", name, text, kind] => Command::SetVhostMetadata(AddVhost {
            name: own(name),
            description: Some(own(text)),
            tags: Vec::new(),
            default_queue_type: Some(own(kind)),
        }),
        ["protect-vhost", name, is_protected] => {
            let is_protected = is_protected == "on";
            Command::ProtectVhost(ProtectVhost { vhost: own(name), is_protected })
        }
        ["limit-vhost", name, connections, queues] => Command::SetVhostLimits(SetVhostLimits {
            vhost: own(name),
            limits: VhostLimits {
                max_connections: connections.parse().ok(),
                max_queues: queues.parse().ok(),
            },
        }),
        ["add-user", name] => Command::AddUser(AddUser { name: own(name), ..AddUser::default() }),
        ["delete-user", name] => Command::DeleteUser(own(name)),
        ["tag-user", user, ref tags @ ..] => Command::SetUserTags(SetUserTags {
            user: own(user),
            tags: tags.iter().copied().map(own).collect(),
        }),
        ["limit-user", user, connections, channels] => Command::SetUserLimits(SetUserLimits {
            user: own(user),
            limits: UserLimits {
                max_connections: connections.parse().ok(),
                max_channels: channels.parse().ok(),
            },
        }),
        ["permit", user, vhost, configure, write, read] => {
            Command::SetPermissions(SetPermissions {
                user: own(user),
                vhost: own(vhost),
                configure: own(configure),
                write: own(write),
                read: own(read),
            })
        }
        ["forbid", user, vhost] => {
            Command::ClearPermissions(ClearPermissions { user: own(user), vhost: own(vhost) })
        }
        ["permit-topic", user, exchange, write, read] => {
            Command::SetTopicPermissions(SetTopicPermissions {
                user: own(user),
                vhost: own("v"),
                exchange: own(exchange),
                write: own(write),
                read: own(read),
            })
        }
        ["lift-topic", user] => Command::ClearTopicPermissions(ClearTopicPermissions {
            user: own(user),
            vhost: own("v"),
            exchange: None,
        }),
        ["declare-exchange", name, kind, ref rest @ ..] => {
            Command::DeclareExchange(DeclareExchange {
                vhost: own("v"),
                name: own(name),
                kind: own(kind),
                durable: rest.contains(&"durable"),
                auto_delete: rest.contains(&"auto-delete"),
                internal: rest.contains(&"internal"),
                arguments: arguments(rest),
            })
        }
        ["delete-exchange", name, ref rest @ ..] => Command::DeleteExchange(DeleteExchange {
            vhost: own("v"),
            name: own(name),
            if_unused: rest.contains(&"if-unused"),
        }),
        ["declare-queue", name, ref rest @ ..] => Command::DeclareQueue(DeclareQueue {
            vhost: own("v"),
            name: own(name),
            is_server_named: rest.contains(&"server-named"),
            durable: rest.contains(&"durable"),
            auto_delete: rest.contains(&"auto-delete"),
            owner: rest.iter().find_map(|word| word.strip_prefix("owner:")).map(connection_id),
            arguments: arguments(rest),
        }),
        ["bind", ref rest @ ..] => Command::Bind(binding(rest)),
        ["unbind", ref rest @ ..] => Command::Unbind(binding(rest)),
        ["restart"] => Command::DeleteTransient,
        ["cluster-name", name] => Command::SetClusterName(own(name)),
        ["set-policy", name, pattern, apply_to, priority, definition] => {
            policy("policy", name, pattern, (apply_to, priority), definition)
        }
        ["set-operator-policy", name, pattern, apply_to, priority, definition] => {
            policy("operator_policy", name, pattern, (apply_to, priority), definition)
        }
        ["clear-policy", name] => clear("policy", name),
        ["clear-operator-policy", name] => clear("operator_policy", name),
        ["set-parameter", component, name, value] => Command::SetParameter(SetParameter {
            vhost: own("v"),
            component: own(component),
            name: own(name),
            value: json(value),
        }),
        ["clear-parameter", component, name] => clear(component, name),
        ["set-global", name, value] => {
            Command::SetGlobalParameter(SetGlobalParameter { name: own(name), value: json(value) })
        }
        ["clear-global", name] => Command::ClearGlobalParameter(own(name)),
        _ => panic!("no such command: {words:?}"),
    }
}

fn listed(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { "none".to_owned() } else { lines.join("\n  ") }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn policy(
    component: &str,
    name: &str,
    pattern: &str,
    (apply_to, priority): (&str, &str),
    definition: &str,
) -> Command {
    Command::SetParameter(SetParameter {
        vhost: "v".to_owned(),
        component: component.to_owned(),
        name: name.to_owned(),
        value: serde_json::json!({
            "pattern": pattern,
            "apply-to": apply_to,
            "priority": json(priority),
            "definition": json(definition),
        }),
    })
}

fn clear(component: &str, name: &str) -> Command {
    let [vhost, component, name] = ["v", component, name].map(str::to_owned);
    Command::ClearParameter(ClearParameter { vhost, component, name })
}

/// What is not as in a queue without arguments and policies.
fn describe_settings(settings: &QueueSettings) -> String {
    let number = |name: &str, value: Option<u64>| value.map(|value| format!("{name} {value}"));
    let text = |name: &str, value: &Option<std::sync::Arc<str>>| {
        value.as_ref().map(|value| format!("{name} {value}"))
    };
    let overflow = (settings.overflow != Overflow::DropHead).then_some(settings.overflow);
    let limit = settings.quorum.as_ref().map(|quorum| quorum.delivery_limit);
    let told = [
        number("ttl", settings.message_ttl_ms),
        number("expires", settings.expires_ms),
        number("length", settings.max_length),
        number("bytes", settings.max_length_bytes),
        overflow.map(|overflow| format!("{overflow:?}")),
        text("dlx", &settings.dead_letter_exchange),
        text("dlx-key", &settings.dead_letter_routing_key),
        limit.map(|limit| format!("delivery limit {limit:?}")),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}

fn binding(words: &[&str]) -> BindingSpec {
    let [source, destination, key, rest @ ..] = words else { panic!("{words:?}") };
    let (destination_kind, destination) = match destination.strip_prefix("exchange:") {
        Some(name) => (DestinationKind::Exchange, name),
        None => (DestinationKind::Queue, *destination),
    };
    BindingSpec {
        vhost: "v".to_owned(),
        source: (*source).to_owned(),
        destination_kind,
        destination: destination.to_owned(),
        key: (*key).to_owned(),
        arguments: arguments(rest),
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::VhostAdded { created } => format!("vhost created: {created}"),
        Outcome::QueueDeclared { queue, created } => {
            format!("queue {} created: {created}", queue.name)
        }
        Outcome::QueuesDeleted(queues) => format!("{} deleted", queues.len()),
        Outcome::ExchangeDeclared { created } => format!("exchange created: {created}"),
        Outcome::Bound { created } => format!("bound: {created}"),
        Outcome::Unbound { removed } => format!("unbound: {removed}"),
    }
}

fn ends(binding: &Binding) -> String {
    format!("{} -> {}", binding.source.name, binding.destination.name())
}

fn describe_event(event: &Event) -> String {
    match event {
        Event::VhostCreated(name) => format!("VhostCreated {name}"),
        Event::VhostDeleted(name) => format!("VhostDeleted {name}"),
        Event::VhostLimitsChanged(name) => format!("VhostLimitsChanged {name}"),
        Event::UserCreated(name) => format!("UserCreated {name}"),
        Event::UserChanged(name) => format!("UserChanged {name}"),
        Event::UserDeleted(name) => format!("UserDeleted {name}"),
        Event::UserLimitsChanged(name) => format!("UserLimitsChanged {name}"),
        Event::PermissionsChanged { user, vhost } => format!("PermissionsChanged {user} {vhost}"),
        Event::ExchangeCreated(exchange) => format!("ExchangeCreated {}", exchange.name),
        Event::ExchangeDeleted(exchange) => format!("ExchangeDeleted {}", exchange.name),
        Event::BindingCreated(binding) => format!("BindingCreated {}", ends(binding)),
        Event::BindingDeleted(binding) => format!("BindingDeleted {}", ends(binding)),
        Event::QueueCreated(queue) => format!("QueueCreated {}", queue.name),
        Event::QueueDeleted(queue) => format!("QueueDeleted {}", queue.name),
        Event::PoliciesChanged(vhost) => format!("PoliciesChanged {vhost}"),
    }
}

fn connection_id(text: &str) -> ConnectionId {
    ConnectionId(text.parse().expect("connections are numbers"))
}

fn permission_named(name: &str) -> Permission {
    match name {
        "configure" => Permission::Configure,
        "write" => Permission::Write,
        "read" => Permission::Read,
        other => panic!("no such permission: {other}"),
    }
}

/// Words between spaces; `'` quotes.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut is_quoted, mut is_word) = (false, false);
    for char in line.chars() {
        match char {
            '\'' => (is_quoted, is_word) = (!is_quoted, true),
            ' ' if !is_quoted => {
                if std::mem::take(&mut is_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => {
                word.push(other);
                is_word = true;
            }
        }
    }
    if is_word {
        words.push(word);
    }
    words
}

fn arguments(words: &[&str]) -> FieldTable {
    words.iter().filter(|word| word.contains('=')).map(|word| argument(word)).collect()
}

fn argument(word: &str) -> (ShortStr, FieldValue) {
    let (name, text) = word.split_once('=').expect("name=value");
    (ShortStr::new(name).expect("short"), value(text))
}

/// Numbers as RabbitMQ's client sends them, `true`, `void`, `long:5`, `ts:5`; all else is text.
pub(crate) fn value(text: &str) -> FieldValue {
    if let Some(number) = text.strip_prefix("long:") {
        return FieldValue::I64(number.parse().expect("a number"));
    }
    if let Some(seconds) = text.strip_prefix("ts:") {
        return FieldValue::Timestamp(seconds.parse().expect("a number"));
    }
    match (text.parse::<i32>(), text.parse::<i64>()) {
        (Ok(number), _) => FieldValue::I32(number),
        (_, Ok(number)) => FieldValue::I64(number),
        _ => match text {
            "true" | "false" => FieldValue::Bool(text == "true"),
            "void" => FieldValue::Void,
            other => other.trim_matches('\'').into(),
        },
    }
}
