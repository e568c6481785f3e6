use serde_json::json;

use super::{CTL_AND_DIAGNOSTICS, Command, MONITORING, Misuse, Run, alarms, listeners};
use operator::NodeStatus;

use crate::{
    args::text,
    format,
    protocol::{Output, Request},
};

/// Units and how many bytes each is.
const UNITS: [(&str, f64); 7] = [
    ("bytes", 1.0),
    ("mb", 1e6),
    ("mib", 1_048_576.0),
    ("gb", 1e9),
    ("gib", 1_073_741_824.0),
    ("tb", 1e12),
    ("tib", 1_099_511_627_776.0),
];

pub(super) const COMMAND: Command = Command {
    name: "status",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    usage: "[--unit <unit>] [--timeout <timeout>]",
    about: "Shows the node's version, alarms, memory, listeners and more",
    options: &[text("unit")],
    timeout_ms: Some(60_000),
    prepare: |request| {
        super::count(request, 0, 0)?;
        let unit = unit(request);
        if factor(&unit).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
        Err(Misuse::Other(format!(
            "\"unit '{unit}' is not supported. Please use one of: {}\"",
            names.join(", ")
        )))
    },
    banner: |_, node| vec![format!("Status of node {node} ...")],
    run: Run::OnNode(|operator, request, _| {
        let (status, node) = (operator.status(), operator.node_name());
        Ok(Output::Report {
            text: sections(&status, &node, &unit(request)).join("\n"),
            value: value(&status, &node),
        })
    }),
    ..Command::BASE
};

/// The unit asked for; gigabytes if none was.
pub(super) fn unit(request: &Request) -> String {
    request.options.get("unit").cloned().unwrap_or_else(|| "gb".to_owned())
}

/// Bytes per unit, in any case of letters.
fn factor(unit: &str) -> Option<f64> {
    let is_it = |(name, _): &&(&str, f64)| unit.eq_ignore_ascii_case(name);
    UNITS.iter().find(is_it).map(|(_, factor)| *factor)
}

/// `0.2318 gb`: four digits behind the point, fewer when they are zeros.
pub(super) fn amount(bytes: u64, unit: &str) -> String {
    let factor = factor(unit).unwrap_or(1.0);
    if factor == 1.0 {
        return format!("{bytes} {unit}");
    }
    let rounded = (bytes as f64 / factor * 1e4).round() / 1e4;
    format!("{} {unit}", format::float(rounded))
}

fn sections(status: &NodeStatus, node: &str, unit: &str) -> Vec<String> {
    let mut lines = runtime(status, node);
    lines.extend(files(status));
    lines.push("\nAlarms\n".to_owned());
    match alarms::names(status).as_slice() {
        [] => lines.push("(none)".to_owned()),
        alarms => lines.extend(alarms::lines(alarms, node)),
    }
    lines.push("\nTags\n\n(none)".to_owned());
    lines.extend(resources(status, unit));
    lines.push("\nListeners\n".to_owned());
    match status.listeners.as_slice() {
        [] => lines.push("(none)".to_owned()),
        open => lines.extend(listeners::lines(open)),
    }
    lines
}

fn runtime(status: &NodeStatus, node: &str) -> Vec<String> {
    vec![
        "Runtime\n".to_owned(),
        format!("OS PID: {}", status.os_pid),
        format!("OS: {}", status.os),
        format!("Uptime (seconds): {}", status.uptime_seconds),
        format!("Is under maintenance?: {}", status.is_under_maintenance),
        format!("RabbitMQ version: {}", status.rabbitmq_version),
        "RabbitMQ release series support status: see \
         https://www.rabbitmq.com/release-information"
            .to_owned(),
        format!("Node name: {node}"),
        format!("Erlang configuration: {}", status.runtime_version),
        format!("Crypto library: {}", status.crypto_version),
        format!("Erlang processes: {} used, {} limit", status.tasks, status.tasks_max),
        "Scheduler run queue: 1".to_owned(),
        "Cluster heartbeat timeout (net_ticktime): 60".to_owned(),
    ]
}

fn files(status: &NodeStatus) -> Vec<String> {
    let mut lines = vec![
        "\nPlugins\n".to_owned(),
        format!("Enabled plugin file: {}", status.enabled_plugin_file.display()),
        "Enabled plugins:\n".to_owned(),
    ];
    lines.extend(status.active_plugins.iter().map(|name| format!(" * {name}")));
    lines.extend([
        "\nData directory\n".to_owned(),
        format!("Node data directory: {}", status.data_dir.display()),
        format!("Raft data directory: {}", status.raft_data_dir.display()),
        "\nConfig files\n".to_owned(),
    ]);
    lines.extend(status.config_files.iter().map(|path| format!(" * {}", path.display())));
    lines.push("\nLog file(s)\n".to_owned());
    lines.extend(status.log_files.iter().map(|path| format!(" * {path}")));
    lines
}

fn resources(status: &NodeStatus, unit: &str) -> Vec<String> {
    let memory = &status.memory;
    let setting = match memory.high_watermark {
        config::MemoryHighWatermark::Relative(share) => {
            format!("{} of available memory", format::float(share))
        }
        config::MemoryHighWatermark::Absolute(bytes) => amount(bytes, unit),
    };
    let mut lines = vec![
        "\nMemory\n".to_owned(),
        format!("Total memory used: {}", amount(memory.used(), unit)),
        format!("Calculation strategy: {}", memory.strategy_name()),
        format!(
            "Memory high watermark setting: {setting}, computed to: {}\n",
            amount(memory.high_watermark_bytes, unit)
        ),
    ];
    let mut breakdown: Vec<&(String, u64)> = memory.breakdown.iter().collect();
    breakdown.sort_by(|(a, bytes), (b, more)| more.cmp(bytes).then(a.cmp(b)));
    for (name, bytes) in breakdown {
        let percent = (*bytes as f64 / memory.used().max(1) as f64 * 1e4).round() / 1e2;
        lines.push(format!("{name}: {} ({} %)", amount(*bytes, unit), format::float(percent)));
    }
    lines.extend([
        "\nFree Disk Space\n".to_owned(),
        format!("Low free disk space watermark: {}", amount(status.disk_free_limit, unit)),
        format!("Free disk space: {}", amount(status.disk_free, unit)),
        "\nTotals\n".to_owned(),
        format!("Connection count: {}", status.connection_count),
        format!("Queue count: {}", status.queue_count),
        format!("Virtual host count: {}", status.virtual_host_count),
    ]);
    lines
}

fn value(status: &NodeStatus, node: &str) -> serde_json::Value {
    let memory = &status.memory;
    let mut breakdown = serde_json::Map::new();
    for (name, bytes) in &memory.breakdown {
        breakdown.insert(name.clone(), (*bytes).into());
    }
    let total = json!({
        "rss": memory.rss, "allocated": memory.allocated, "erlang": memory.allocated,
    });
    breakdown.insert("total".to_owned(), total);
    breakdown.insert("strategy".to_owned(), memory.strategy_name().into());
    let setting = match memory.high_watermark {
        config::MemoryHighWatermark::Relative(share) => json!({ "relative": share }),
        config::MemoryHighWatermark::Absolute(bytes) => json!({ "absolute": bytes }),
    };
    let alarms: Vec<serde_json::Value> = alarms::names(status)
        .iter()
        .map(|name| json!({ "resource": name, "node": node }))
        .collect();
    json!({
        "memory": breakdown,
        "pid": status.os_pid,
        "processes": { "used": status.tasks, "limit": status.tasks_max },
        "run_queue": 1,
        "os": status.os,
        "net_ticktime": 60,
        "config_files": status.config_files,
        "alarms": alarms,
        "tags": [],
        "listeners": listeners::values(&status.listeners, node),
        "product_name": "",
        "product_version": "",
        "erlang_version": status.runtime_version,
        "rabbitmq_version": status.rabbitmq_version,
        "uptime": status.uptime_seconds,
        "is_under_maintenance": status.is_under_maintenance,
        "crypto_lib_version": status.crypto_version,
        "enabled_plugin_file": status.enabled_plugin_file,
        "active_plugins": status.active_plugins,
        "data_directory": status.data_dir,
        "raft_data_directory": status.raft_data_dir,
        "log_files": status.log_files,
        "vm_memory_calculation_strategy": memory.strategy_name(),
        "vm_memory_high_watermark_setting": setting,
        "vm_memory_high_watermark_limit": memory.high_watermark_bytes,
        "disk_free_limit": status.disk_free_limit,
        "disk_free": status.disk_free,
        "totals": {
            "connection_count": status.connection_count,
            "queue_count": status.queue_count,
            "virtual_host_count": status.virtual_host_count,
        },
    })
}
