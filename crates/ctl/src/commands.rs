//! The table of commands. A command is one file here and one line in the table (and its `mod`);
//! help, completion and the check against RabbitMQ's list come from it.

mod add_user;
mod add_vhost;
mod alarms;
mod authenticate_user;
mod autocomplete;
mod await_startup;
mod change_password;
mod check_alarms;
mod check_local_alarms;
mod check_port_connectivity;
mod check_port_listener;
mod check_protocol_listener;
mod check_running;
mod check_virtual_hosts;
mod clear_global_parameter;
mod clear_operator_policy;
mod clear_parameter;
mod clear_password;
mod clear_permissions;
mod clear_policy;
mod clear_topic_permissions;
mod clear_user_limits;
mod clear_vhost_limits;
mod close_all_connections;
mod close_all_user_connections;
mod close_connection;
mod delete_queue;
mod delete_user;
mod delete_vhost;
mod drain;
mod hash_password;
mod help;
mod is_booting;
mod is_running;
mod list_bindings;
mod list_channels;
mod list_connections;
mod list_consumers;
mod list_exchanges;
mod list_global_parameters;
mod list_hashes;
mod list_operator_policies;
mod list_parameters;
mod list_permissions;
mod list_policies;
mod list_policies_that_match;
mod list_queues;
mod list_topic_permissions;
mod list_user_limits;
mod list_user_permissions;
mod list_user_topic_permissions;
mod list_users;
mod list_vhost_limits;
mod list_vhosts;
mod listeners;
mod log_location;
mod log_tail;
mod memory_breakdown;
mod ping;
pub(crate) mod plugins;
mod policies;
mod purge_queue;
mod revive;
mod rotate_logs;
mod server_version;
mod set_cluster_name;
mod set_disk_free_limit;
mod set_global_parameter;
mod set_log_level;
mod set_operator_policy;
mod set_parameter;
mod set_permissions;
mod set_permissions_globally;
mod set_policy;
mod set_topic_permissions;
mod set_user_limits;
mod set_user_tags;
mod set_vhost_limits;
mod set_vm_memory_high_watermark;
mod shutdown;
mod single_node;
mod start_app;
mod status;
mod stop;
mod stop_app;
mod trace_off;
mod trace_on;
mod version;
mod wait;

use operator::{Operator, Refusal, Term};

use crate::{
    args::OptionSpec,
    columns::Column,
    exit,
    format::Format,
    protocol::{Failure, Output, Request},
    server::Sink,
};

/// Every command, in the order of the documentation.
pub(crate) const COMMANDS: &[&Command] = &[
    &autocomplete::COMMAND,
    &help::COMMAND,
    &version::COMMAND,
    &await_startup::COMMAND,
    &rotate_logs::COMMAND,
    &shutdown::COMMAND,
    &start_app::COMMAND,
    &stop::COMMAND,
    &stop_app::COMMAND,
    &wait::COMMAND,
    &add_user::COMMAND,
    &authenticate_user::COMMAND,
    &change_password::COMMAND,
    &clear_password::COMMAND,
    &clear_user_limits::COMMAND,
    &delete_user::COMMAND,
    &list_user_limits::COMMAND,
    &list_users::COMMAND,
    &set_user_limits::COMMAND,
    &set_user_tags::COMMAND,
    &clear_permissions::COMMAND,
    &clear_topic_permissions::COMMAND,
    &list_permissions::COMMAND,
    &list_topic_permissions::COMMAND,
    &list_user_permissions::COMMAND,
    &list_user_topic_permissions::COMMAND,
    &list_vhosts::COMMAND,
    &set_permissions::COMMAND,
    &set_permissions_globally::COMMAND,
    &set_topic_permissions::COMMAND,
    &alarms::COMMAND,
    &check_alarms::COMMAND,
    &check_local_alarms::COMMAND,
    &check_port_connectivity::COMMAND,
    &check_port_listener::COMMAND,
    &check_protocol_listener::COMMAND,
    &check_running::COMMAND,
    &check_virtual_hosts::COMMAND,
    &is_booting::COMMAND,
    &is_running::COMMAND,
    &list_bindings::COMMAND,
    &list_channels::COMMAND,
    &list_connections::COMMAND,
    &list_consumers::COMMAND,
    &list_exchanges::COMMAND,
    &list_hashes::COMMAND,
    &list_queues::COMMAND,
    &listeners::COMMAND,
    &log_tail::COMMAND,
    &memory_breakdown::COMMAND,
    &ping::COMMAND,
    &server_version::COMMAND,
    &status::COMMAND,
    &clear_global_parameter::COMMAND,
    &clear_parameter::COMMAND,
    &list_global_parameters::COMMAND,
    &list_parameters::COMMAND,
    &set_global_parameter::COMMAND,
    &set_parameter::COMMAND,
    &clear_operator_policy::COMMAND,
    &clear_policy::COMMAND,
    &list_operator_policies::COMMAND,
    &list_policies::COMMAND,
    &list_policies_that_match::COMMAND,
    &set_operator_policy::COMMAND,
    &set_policy::COMMAND,
    &add_vhost::COMMAND,
    &clear_vhost_limits::COMMAND,
    &delete_vhost::COMMAND,
    &list_vhost_limits::COMMAND,
    &set_vhost_limits::COMMAND,
    &trace_off::COMMAND,
    &trace_on::COMMAND,
    &delete_queue::COMMAND,
    &purge_queue::COMMAND,
    &close_all_connections::COMMAND,
    &close_all_user_connections::COMMAND,
    &close_connection::COMMAND,
    &log_location::COMMAND,
    &set_cluster_name::COMMAND,
    &set_disk_free_limit::COMMAND,
    &set_log_level::COMMAND,
    &set_vm_memory_high_watermark::COMMAND,
    &hash_password::COMMAND,
    &plugins::DISABLE,
    &plugins::ENABLE,
    &plugins::IS_ENABLED,
    &plugins::LIST,
    &single_node::CHECK_IF_NEW_REPLICAS_ARE_IN_SYNC,
    &single_node::CHECK_IF_QUORUM_CRITICAL,
    &single_node::AWAIT_ONLINE_QUORUM_PLUS_ONE,
    &single_node::POST_UPGRADE,
    &drain::COMMAND,
    &revive::COMMAND,
];

/// RabbitMQ's commands by tool: `tool TAB command`. Those that are not in [`COMMANDS`] are known,
/// but cannot be carried out yet.
const RABBITMQ_COMMANDS: &str = include_str!("rabbitmq-commands.tsv");

/// The names of the executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Ctl,
    Diagnostics,
    Plugins,
    Queues,
    Streams,
    Upgrade,
}

pub(crate) const CTL: &[Tool] = &[Tool::Ctl];
pub(crate) const DIAGNOSTICS: &[Tool] = &[Tool::Diagnostics];
pub(crate) const CTL_AND_DIAGNOSTICS: &[Tool] = &[Tool::Ctl, Tool::Diagnostics];

impl Tool {
    pub(crate) const ALL: [Self; 6] =
        [Self::Ctl, Self::Diagnostics, Self::Plugins, Self::Queues, Self::Streams, Self::Upgrade];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ctl => "rabbitmqctl",
            Self::Diagnostics => "rabbitmq-diagnostics",
            Self::Plugins => "rabbitmq-plugins",
            Self::Queues => "rabbitmq-queues",
            Self::Streams => "rabbitmq-streams",
            Self::Upgrade => "rabbitmq-upgrade",
        }
    }

    /// By the name it was called; everything unknown is `rabbitmqctl`.
    pub(crate) fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|tool| tool.name() == name).unwrap_or(Self::Ctl)
    }
}

/// One command: what the tool needs to know of it, and what the broker does for it.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) tools: &'static [Tool],
    /// Heading in the list of commands.
    pub(crate) section: &'static str,
    /// Arguments and options as RabbitMQ's usage line has them.
    pub(crate) usage: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    /// What `<column>` may be; empty for commands that have none.
    pub(crate) columns: fn() -> Vec<&'static str>,
    /// Options besides the common ones.
    pub(crate) options: &'static [OptionSpec],
    /// How long to wait when nobody says; for ever when absent.
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) format: Format,
    /// Checks arguments, fills in defaults.
    pub(crate) prepare: fn(&mut Request) -> Result<(), Misuse>,
    /// Lines before the answer, for people; the node's name is the second argument.
    pub(crate) banner: fn(&Request, &str) -> Vec<String>,
    /// Whether the banner is printed even when the node is down; otherwise it comes once there is
    /// a connection.
    pub(crate) has_early_banner: bool,
    /// Which argument is a password that is asked for when missing.
    pub(crate) password: Option<usize>,
    /// How the tool exits when there is none.
    pub(crate) no_password_exit: u8,
    /// Whether only a node whose application runs can do it; [`Run::OnNode`] alone.
    pub(crate) needs_app: bool,
    /// Whether the tool stays until the node's process is gone.
    pub(crate) awaits_end: bool,
    /// Whether the tool waits for a node that is not there.
    pub(crate) awaits_start: bool,
    pub(crate) run: Run,
}

/// Where a command is carried out.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// In the tool, which may talk to the node by way of [`crate::client`].
    Here(fn(&Local<'_>) -> Result<Output, Failure>),
    /// In the broker.
    OnNode(fn(&dyn Operator, &Request, &mut dyn Sink) -> Result<Output, Failure>),
}

/// What a command carried out in the tool may use.
pub(crate) struct Local<'a> {
    pub(crate) tool: Tool,
    pub(crate) request: &'a Request,
    pub(crate) node: &'a str,
    pub(crate) data_dir: &'a std::path::Path,
    /// Prints a line at once, unless `-q`.
    pub(crate) progress: &'a dyn Fn(&str),
}

impl Command {
    /// What most commands have in common.
    pub(crate) const BASE: Self = Self {
        name: "",
        tools: CTL,
        section: "Other",
        usage: "",
        about: "",
        columns: Vec::new,
        options: &[],
        timeout_ms: None,
        format: Format::Table,
        prepare: |request| count(request, 0, 0),
        banner: |_, _| Vec::new(),
        has_early_banner: false,
        password: None,
        no_password_exit: exit::DATAERR,
        needs_app: true,
        awaits_end: false,
        awaits_start: false,
        run: Run::OnNode(|_, _, _| Ok(Output::Nothing)),
    };
}

pub(crate) const USERS: &str = "Users";
pub(crate) const NODES: &str = "Nodes";
pub(crate) const ACCESS: &str = "Access Control";
pub(crate) const MONITORING: &str = "Monitoring, observability and health checks";
pub(crate) const PARAMETERS: &str = "Parameters";
pub(crate) const POLICIES: &str = "Policies";
pub(crate) const VHOSTS: &str = "Virtual hosts";
pub(crate) const QUEUES: &str = "Queues";
pub(crate) const OPERATIONS: &str = "Operations";
pub(crate) const CONFIGURATION: &str = "Configuration and Environment";
pub(crate) const HELP: &str = "Help";
pub(crate) const PLUGINS: &str = "Plugin Management";
pub(crate) const UPGRADE: &str = "Upgrade";

/// How long lists wait for the broker, as in RabbitMQ.
pub(crate) const LIST_TIMEOUT_MS: u64 = 60_000;

/// Wrong use of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misuse {
    NotEnoughArguments,
    TooManyArguments,
    /// With or without a sentence.
    BadArgument(Option<String>),
    /// Columns that do not exist.
    BadColumns(Vec<String>),
    /// Options that do not exist or lack a value.
    BadOptions(Vec<(String, Option<String>)>),
    /// Anything else, as RabbitMQ prints it.
    Other(String),
}

impl Misuse {
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::BadArgument(Some(text.into()))
    }

    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::BadArgument(_) => exit::DATAERR,
            _ => exit::USAGE,
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::NotEnoughArguments => "not enough arguments.".to_owned(),
            Self::TooManyArguments => "too many arguments.".to_owned(),
            Self::BadArgument(None) => "Bad argument.".to_owned(),
            Self::BadArgument(Some(text)) => format!("Bad argument: {text}"),
            Self::BadColumns(names) => {
                format!("Info key(s) {} are not supported", names.join(","))
            }
            Self::BadOptions(options) => {
                let lines: Vec<String> = options
                    .iter()
                    .map(|(name, value)| {
                        format!("{name} : {}", value.as_deref().unwrap_or_default())
                    })
                    .collect();
                format!("Invalid options for this command:\n{}", lines.join("\n"))
            }
            Self::Other(text) => text.clone(),
        }
    }
}

/// The command of that name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().copied().find(|command| command.name == name)
}

/// RabbitMQ's commands of a tool, whether we have them or not.
pub(crate) fn known_names(tool: Tool) -> impl Iterator<Item = &'static str> {
    RABBITMQ_COMMANDS
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(move |(of, _)| *of == tool.name())
        .map(|(_, name)| name)
}

/// Checks the number of arguments.
pub(crate) fn count(request: &Request, min: usize, max: usize) -> Result<(), Misuse> {
    if request.arguments.len() < min {
        return Err(Misuse::NotEnoughArguments);
    }
    if max < request.arguments.len() {
        return Err(Misuse::TooManyArguments);
    }
    Ok(())
}

/// Makes the arguments of a list its columns: as typed, `a,b` or `a b`, or the default ones.
pub(crate) fn columns<T>(
    request: &mut Request,
    known: &[Column<T>],
    default: &[&str],
) -> Result<(), Misuse> {
    if request.arguments.is_empty() {
        request.arguments = default.iter().map(|name| (*name).to_owned()).collect();
        return Ok(());
    }
    let mut typed: Vec<String> = Vec::new();
    for name in request.arguments.iter().flat_map(|argument| argument.split(',')) {
        let name = name.trim();
        if !name.is_empty() && !typed.iter().any(|known| known == name) {
            typed.push(name.to_owned());
        }
    }
    let is_known = |name: &String| known.iter().any(|(known, _)| known == name);
    let bad: Vec<String> = typed.iter().filter(|name| !is_known(name)).cloned().collect();
    if !bad.is_empty() {
        return Err(Misuse::BadColumns(bad));
    }
    request.arguments = typed;
    Ok(())
}

/// The names of a table of columns.
pub(crate) fn names<T>(known: &[Column<T>]) -> Vec<&'static str> {
    known.iter().map(|(name, _)| *name).collect()
}

/// Announces the columns asked for and gives what turns an item into a row.
pub(crate) fn rows<'a, T>(
    request: &Request,
    known: &'a [Column<T>],
    sink: &mut dyn Sink,
) -> impl Fn(&T) -> Vec<Term> + use<'a, T> {
    let chosen: Vec<&Column<T>> = request
        .arguments
        .iter()
        .filter_map(|name| known.iter().find(|(known, _)| known == name))
        .collect();
    let names: Vec<&str> = chosen.iter().map(|(name, _)| *name).collect();
    sink.columns(&names, true);
    move |item| chosen.iter().map(|(_, read)| read(item)).collect()
}

/// A JSON object typed as an argument, or RabbitMQ's complaint.
pub(crate) fn json_object(
    text: &str,
) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    serde_json::from_str(text).map_err(|_| no_json(text))
}

/// As [`json_object`], of any JSON value.
pub(crate) fn json_value(text: &str) -> Result<serde_json::Value, Failure> {
    serde_json::from_str(text).map_err(|_| no_json(text))
}

fn no_json(text: &str) -> Failure {
    let text = format!(
        "Could not parse JSON document: {{error,{{failed_to_decode_json,<<\"{text}\">>}}}}"
    );
    Failure::error(exit::UNAVAILABLE, text)
}

/// RabbitMQ's words for a missing user where it shows what its own code said.
pub(crate) fn no_such_user(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::NoSuchUser(user) => {
            Failure::error(exit::UNAVAILABLE, format!("{{:no_such_user, \"{user}\"}}"))
        }
        refusal => refusal.into(),
    }
}

/// Limits as the tools print them: a JSON object.
pub(crate) fn limits_json(limits: &[(String, i64)]) -> String {
    let mut sorted: Vec<&(String, i64)> = limits.iter().collect();
    sorted.sort();
    let entries: Vec<String> =
        sorted.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", entries.join(","))
}

#[cfg(test)]
mod tests;
