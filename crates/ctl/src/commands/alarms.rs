use serde_json::json;

use super::{Command, DIAGNOSTICS, MONITORING, Run};
use operator::NodeStatus;

use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "alarms",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Shows which resources are short",
    banner: |_, node| vec![format!("Asking node {node} to report any known resource alarms ...")],
    run: Run::OnNode(|operator, _, _| {
        let node = operator.node_name();
        let alarms = names(&operator.status());
        let text = match alarms.as_slice() {
            [] => format!("Node {node} reported no alarms, local or clusterwide"),
            alarms => lines(alarms, &node).join("\n"),
        };
        Ok(Output::Report {
            text,
            value: json!({ "node": node, "result": "ok", "alarms": alarms }),
        })
    }),
    ..Command::BASE
};

/// Short resources: `memory`, `disk`.
pub(super) fn names(status: &NodeStatus) -> Vec<&'static str> {
    [("memory", status.has_memory_alarm), ("disk", status.has_disk_alarm)]
        .into_iter()
        .filter_map(|(name, is_short)| is_short.then_some(name))
        .collect()
}

/// One line per alarm.
pub(super) fn lines(alarms: &[&str], node: &str) -> Vec<String> {
    alarms
        .iter()
        .map(|alarm| match *alarm {
            "memory" => format!("Memory alarm on node {node}"),
            _ => format!("Free disk space alarm on node {node}"),
        })
        .collect()
}
