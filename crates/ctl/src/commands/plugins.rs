//! `rabbitmq-plugins`. Nothing can be plugged in: what RabbitMQ has in plugins is built in, and
//! then always enabled, or it is not there.

use serde_json::json;

use super::{Command, Local, MONITORING, Misuse, PLUGINS, Run, Tool, version::RABBITMQ_VERSION};
use crate::{
    args::{flag, short},
    exit,
    protocol::{Failure, Output, Request},
};

/// RabbitMQ's plugins whose work this server does, by name. Whoever builds one in adds it.
pub const BUILT_IN: &[&str] = &[
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_event_exchange",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_prometheus",
    "rabbitmq_web_dispatch",
];

/// The plugins that come with RabbitMQ, by name.
const KNOWN: &[&str] = &[
    "rabbitmq_amqp1_0",
    "rabbitmq_auth_backend_cache",
    "rabbitmq_auth_backend_http",
    "rabbitmq_auth_backend_internal_loopback",
    "rabbitmq_auth_backend_ldap",
    "rabbitmq_auth_backend_oauth2",
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_event_exchange",
    "rabbitmq_exchange_federation",
    "rabbitmq_federation",
    "rabbitmq_federation_common",
    "rabbitmq_federation_management",
    "rabbitmq_federation_prometheus",
    "rabbitmq_jms_topic_exchange",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_mqtt",
    "rabbitmq_peer_discovery_aws",
    "rabbitmq_peer_discovery_common",
    "rabbitmq_peer_discovery_consul",
    "rabbitmq_peer_discovery_etcd",
    "rabbitmq_peer_discovery_k8s",
    "rabbitmq_prometheus",
    "rabbitmq_queue_federation",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_sharding",
    "rabbitmq_shovel",
    "rabbitmq_shovel_management",
    "rabbitmq_shovel_prometheus",
    "rabbitmq_stomp",
    "rabbitmq_stream",
    "rabbitmq_stream_management",
    "rabbitmq_top",
    "rabbitmq_tracing",
    "rabbitmq_trust_store",
    "rabbitmq_web_dispatch",
    "rabbitmq_web_mqtt",
    "rabbitmq_web_mqtt_examples",
    "rabbitmq_web_stomp",
    "rabbitmq_web_stomp_examples",
];

fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// Taken from scripts, and of no consequence: the answer is the same with and without a node.
const MODES: &[crate::args::OptionSpec] = &[flag("offline"), flag("online"), flag("all")];

pub(super) const LIST: Command = Command {
    name: "list",
    tools: &[Tool::Plugins],
    section: PLUGINS,
    usage: "[pattern] [--minimal] [--enabled] [--implicitly-enabled]",
    about: "Shows RabbitMQ's plugins and which of them are built in, that is enabled",
    options: &[
        short(flag("minimal"), 'm'),
        short(flag("enabled"), 'E'),
        short(flag("implicitly-enabled"), 'e'),
        flag("offline"),
        flag("online"),
    ],
    prepare: |request| super::count(request, 0, 1),
    banner: |request, node| {
        let mut lines = vec![format!("Listing plugins with pattern \"{}\" ...", pattern(request))];
        if !request.has("minimal") {
            lines.extend([
                " Configured: E = explicitly enabled; e = implicitly enabled".to_owned(),
                format!(" | Status: * = running on {node}"),
                " |/".to_owned(),
            ]);
        }
        lines
    },
    run: Run::Here(|local| {
        let names = chosen(local.request);
        let value = json!({
            "status": "running",
            "format": if local.request.has("minimal") { "minimal" } else { "normal" },
            "plugins": names.iter().map(|name| plugin(name)).collect::<Vec<_>>(),
        });
        let lines = lines(&names, local.request.has("minimal"));
        match lines.is_empty() && !local.request.options.contains_key("formatter") {
            true => Ok(Output::Nothing),
            false => Ok(Output::Report { text: lines.join("\n"), value }),
        }
    }),
    ..Command::BASE
};

fn pattern(request: &Request) -> &str {
    request.arguments.first().map_or(".*", String::as_str)
}

/// The plugins that the pattern and the options name. A pattern is a part of the name here, not a
/// regular expression.
fn chosen(request: &Request) -> Vec<&'static str> {
    let is_enabled_only = request.has("enabled") || request.has("implicitly-enabled");
    let pattern = request.arguments.first().map_or("", String::as_str);
    let names = KNOWN.iter().copied().filter(|name| pattern == ".*" || name.contains(pattern));
    names.filter(|name| !is_enabled_only || is_built_in(name)).collect()
}

fn lines(names: &[&str], is_minimal: bool) -> Vec<String> {
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let line = |name: &&str| {
        let mark = if is_built_in(name) { "[E*]" } else { "[  ]" };
        format!("{mark} {name:<width$} {RABBITMQ_VERSION}")
    };
    names.iter().map(|name| if is_minimal { (*name).to_owned() } else { line(name) }).collect()
}

fn plugin(name: &str) -> serde_json::Value {
    let is_enabled = is_built_in(name);
    json!({
        "name": name,
        "enabled": if is_enabled { "enabled" } else { "not_enabled" },
        "running": is_enabled,
        "version": RABBITMQ_VERSION,
        "running_version": if is_enabled { RABBITMQ_VERSION } else { "" },
    })
}

pub(super) const IS_ENABLED: Command = Command {
    name: "is_enabled",
    tools: &[Tool::Plugins],
    section: MONITORING,
    usage: "<plugin1> [ <plugin2>] [--offline] [--online]",
    about: "Exits with an error unless all the plugins named are built in",
    options: MODES,
    prepare: |request| super::count(request, 1, usize::MAX),
    banner: |request, node| {
        let (noun, verb) = number(request.arguments.len());
        vec![format!(
            "Asking node {node} if {noun} {} {verb} enabled...",
            request.arguments.join(", ")
        )]
    },
    run: Run::Here(|local| {
        let Local { request, node, .. } = *local;
        let names: Vec<&str> = request.arguments.iter().map(String::as_str).collect();
        let missing: Vec<&str> = names.iter().copied().filter(|name| !is_built_in(name)).collect();
        if missing.is_empty() {
            let (noun, verb) = number(names.len());
            let text =
                format!("{} {} {verb} enabled on node {node}", title(noun), names.join(", "));
            let value = json!({ "message": text, "result": "ok" });
            return Ok(Output::Report { text, value });
        }
        let (noun, verb) = number(missing.len());
        Err(Failure::error(
            exit::UNAVAILABLE,
            format!(
                "{} {} {verb} not enabled on node {node}. Enabled plugins and dependencies: {}",
                title(noun),
                missing.join(", "),
                BUILT_IN.join(", ")
            ),
        ))
    }),
    ..Command::BASE
};

fn title(noun: &str) -> String {
    noun.replacen('p', "P", 1)
}

fn number(count: usize) -> (&'static str, &'static str) {
    match count {
        1 => ("plugin", "is"),
        _ => ("plugins", "are"),
    }
}

/// `enable` and `disable` want names, or `--all`.
fn some_names(request: &mut Request) -> Result<(), Misuse> {
    match request.has("all") {
        true => Ok(()),
        false => super::count(request, 1, usize::MAX),
    }
}

pub(super) const ENABLE: Command = Command {
    name: "enable",
    tools: &[Tool::Plugins],
    section: PLUGINS,
    usage: "<plugin1> [ <plugin2>] | --all [--offline] [--online]",
    about: "Confirms that plugins are built in; others cannot be enabled",
    options: MODES,
    prepare: some_names,
    banner: |request, node| heading("Enabling", request, node),
    run: Run::Here(|local| {
        let names = local.request.arguments.iter();
        let missing: Vec<&str> =
            names.map(String::as_str).filter(|name| !is_built_in(name)).collect();
        unchanged_unless(&missing, "not part of this server")
    }),
    ..Command::BASE
};

pub(super) const DISABLE: Command = Command {
    name: "disable",
    tools: &[Tool::Plugins],
    section: PLUGINS,
    usage: "<plugin1> [ <plugin2>] | --all [--offline] [--online]",
    about: "Refuses to disable what is built in; all else is disabled already",
    options: MODES,
    prepare: some_names,
    banner: |request, node| heading("Disabling", request, node),
    run: Run::Here(|local| {
        let names = local.request.arguments.iter().map(String::as_str);
        let kept: Vec<&str> = match local.request.has("all") {
            true => BUILT_IN.to_vec(),
            false => names.filter(|name| is_built_in(name)).collect(),
        };
        unchanged_unless(&kept, "built in, and always enabled")
    }),
    ..Command::BASE
};

/// Nothing ever changes; what would have to is `refused`.
fn unchanged_unless(refused: &[&str], why: &str) -> Result<Output, Failure> {
    if refused.is_empty() {
        return Ok(Output::Text("Plugin configuration unchanged.".to_owned()));
    }
    Err(Failure::error(exit::UNAVAILABLE, format!("{why}: {}", refused.join(", "))))
}

fn heading(what: &str, request: &Request, node: &str) -> Vec<String> {
    let mut lines = vec![format!("{what} plugins on node {node}:")];
    lines.extend(request.arguments.iter().cloned());
    lines
}
