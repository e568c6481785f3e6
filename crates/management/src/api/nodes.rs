//! The node: a cluster of one.

use operator::{MemoryInfo, NodeStatus};
use serde_json::{Map, Value, json};
use statistics::Subject;

use super::{exchanges, overview};
use crate::call::Call;
use crate::figures;
use crate::listing;
use crate::reply::{Answer, Failure};

/// Refuses the name of a node that there is not.
pub(super) fn require(call: &Call<'_>) -> Result<(), Failure> {
    if call.param("node") == call.broker.node_name() { Ok(()) } else { Err(Failure::no_object()) }
}

/// `/api/nodes`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    listing::value(call.query, Value::Array(vec![node(call)?]))
}

/// `/api/nodes/:node`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    require(call)?;
    listing::value(call.query, node(call)?)
}

fn node(call: &Call<'_>) -> Result<Value, Failure> {
    let status = call.broker.status();
    let facts = call.broker.facts();
    let paths = |paths: &[std::path::PathBuf]| -> Vec<String> {
        paths.iter().map(|it| it.display().to_string()).collect()
    };
    let mut node = json!({
        "partitions": [],
        "os_pid": status.os_pid.to_string(),
        "fd_total": status.file_descriptors_max,
        "fd_used": status.file_descriptors_used,
        "sockets_total": 0,
        "sockets_used": 0,
        "mem_limit": status.memory.high_watermark_bytes,
        "mem_alarm": status.has_memory_alarm,
        "mem_used": status.memory.used(),
        "disk_free": status.disk_free,
        "disk_free_limit": status.disk_free_limit,
        "disk_free_alarm": status.has_disk_alarm,
        "proc_total": status.tasks_max,
        "proc_used": status.tasks,
        "rates_mode": facts.rates_mode,
        "uptime": status.uptime_seconds * 1000,
        "run_queue": 0,
        "processors": facts.processors,
        "exchange_types": exchanges::types(),
        "auth_mechanisms": mechanisms(&facts.mechanisms),
        "applications": applications(&status),
        "contexts": overview::contexts(call),
        "log_files": status.log_files,
        "db_dir": status.data_dir.display().to_string(),
        "config_files": paths(&status.config_files),
        "net_ticktime": 60,
        "enabled_plugins": status.active_plugins,
        "mem_calculation_strategy": status.memory.strategy_name(),
        "rabbitmq_version": status.rabbitmq_version,
        "erlang_version": status.runtime_version,
        "erlang_full_version": status.runtime_version,
        "crypto_lib_version": status.crypto_version,
        "name": call.broker.node_name(),
        "running": true,
        "type": "disc",
        "being_drained": status.is_under_maintenance,
        "cluster_links": [],
    });
    if call.query.is_true("memory") {
        node["memory"] = memory(&status.memory);
    }
    if call.has_stats() {
        add_statistics(call, &mut node)?;
    }
    Ok(node)
}

/// What came and went, and how what it uses changes.
fn add_statistics(call: &Call<'_>, node: &mut Value) -> Result<(), Failure> {
    let report = call.broker.report(Subject::Node, &call.ranges(false)?);
    let Value::Object(node) = node else { return Ok(()) };
    for (key, _) in &report.gauges {
        node.extend(
            figures::details_of(&report.gauges, key).map(|it| (format!("{key}_details"), it)),
        );
    }
    figures::add_to(node, &report.churn);
    Ok(())
}

/// The broker itself, and RabbitMQ's plugins whose work it does.
fn applications(status: &NodeStatus) -> Value {
    let rabbit = ("rabbit", "RabbitMQ");
    let plugins = status.active_plugins.iter().map(|name| (name.as_str(), "built in"));
    let shown = std::iter::once(rabbit).chain(plugins).map(|(name, description)| {
        let version = &status.rabbitmq_version;
        json!({ "name": name, "description": description, "version": version })
    });
    shown.collect()
}

fn mechanisms(enabled: &[String]) -> Value {
    let known = [
        ("ANONYMOUS", "SASL ANONYMOUS authentication mechanism"),
        ("PLAIN", "SASL PLAIN authentication mechanism"),
        ("AMQPLAIN", "QPid AMQPLAIN mechanism"),
        (
            "EXTERNAL",
            "TLS peer verification-based authentication plugin. Used in combination with the \
             EXTERNAL SASL mechanism.",
        ),
    ];
    let shown = known.map(|(name, description)| {
        let is_enabled = enabled.iter().any(|it| it == name);
        json!({ "name": name, "description": description, "enabled": is_enabled })
    });
    Value::Array(shown.to_vec())
}

/// What RabbitMQ names in its breakdown. Tools want all of it; what only Erlang has takes nothing.
const MEMORY_KEYS: [&str; 26] = [
    "connection_readers",
    "connection_writers",
    "connection_channels",
    "connection_other",
    "stream_queue_procs",
    "stream_queue_replica_reader_procs",
    "stream_queue_coordinator_procs",
    "quorum_queue_procs",
    "quorum_queue_dlx_procs",
    "queue_procs",
    "plugins",
    "metadata_store",
    "other_proc",
    "metrics",
    "mgmt_db",
    "quorum_ets",
    "mnesia",
    "metadata_store_ets",
    "other_ets",
    "binary",
    "msg_index",
    "code",
    "atom",
    "other_system",
    "allocated_unused",
    "reserved_unallocated",
];

/// A number for each part of the breakdown.
fn breakdown(memory: &MemoryInfo, number: impl Fn(u64) -> u64) -> Map<String, Value> {
    let known = memory.breakdown.iter().map(|(name, bytes)| (name.as_str(), *bytes));
    let all = MEMORY_KEYS.map(|name| (name, 0)).into_iter().chain(known);
    all.map(|(name, bytes)| (name.to_owned(), number(bytes).into())).collect()
}

fn memory(memory: &MemoryInfo) -> Value {
    let mut shown = breakdown(memory, |bytes| bytes);
    shown.insert("strategy".to_owned(), memory.strategy_name().into());
    let total = json!({
        "erlang": memory.allocated, "rss": memory.rss, "allocated": memory.allocated,
    });
    shown.insert("total".to_owned(), total);
    Value::Object(shown)
}

/// `/api/nodes/:node/memory`
pub(crate) fn memory_breakdown(call: &Call<'_>) -> Answer {
    require(call)?;
    let memory = memory(&call.broker.status().memory);
    listing::value(call.query, json!({ "memory": memory }))
}

/// `/api/nodes/:node/memory/relative`: the same in percent.
pub(crate) fn memory_relative(call: &Call<'_>) -> Answer {
    require(call)?;
    let memory = call.broker.status().memory;
    let total = memory.breakdown.iter().map(|(_, bytes)| bytes).sum::<u64>().max(1);
    let percent = |bytes| (bytes as f64 * 100.0 / total as f64).round() as u64;
    let mut shares = breakdown(&memory, percent);
    shares.insert("total".to_owned(), 100.into());
    listing::value(call.query, json!({ "memory": shares }))
}
