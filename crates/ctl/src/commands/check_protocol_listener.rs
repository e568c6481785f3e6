use serde_json::json;

use super::{Command, DIAGNOSTICS, MONITORING, Run, count, listeners};
use crate::{
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "check_protocol_listener",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "<protocol> [--timeout <timeout>]",
    about: "Exits with an error unless the node listens for a protocol",
    prepare: |request| count(request, 1, 1),
    banner: |request, node| {
        let typed = request.argument(0);
        vec![format!("Asking node {node} if there's an active listener for protocol {typed} ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        let (node, protocol) = (operator.node_name(), canonical(request.argument(0)));
        let open = operator.listeners();
        if open.iter().any(|listener| listener.protocol == protocol) {
            return Ok(Output::Report {
                text: format!("A listener for protocol {protocol} is running on node {node}."),
                value: json!({ "node": node, "protocol": protocol, "result": "ok" }),
            });
        }
        let mut names: Vec<&str> = open.iter().map(|l| l.protocol.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut failure = Failure::error(
            exit::UNAVAILABLE,
            format!(
                "No listener for protocol {protocol} is active on node {node}. Found listeners \
                 for the following protocols: {}",
                names.join(", ")
            ),
        );
        failure.json = Some(json!({
            "listeners": listeners::values(&open, &node),
            "missing": protocol,
            "protocols": open.iter().map(|l| &l.protocol).collect::<Vec<_>>(),
            "result": "error",
        }));
        Err(failure)
    }),
    ..Command::BASE
};

/// Other names people use.
fn canonical(protocol: &str) -> &str {
    match protocol {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" | "amqp0_9_1" => "amqp",
        "amqp10" | "amqp1.0" | "amqp1-0" | "amqp1_0" => "amqp",
        "amqps" => "amqp/ssl",
        "mqtt31" | "mqtt3.1" | "mqtt3_1" | "mqtt311" | "mqtt3.1.1" | "mqtt3_1_1" => "mqtt",
        "mqtts" | "mqtt+tls" | "mqtt+ssl" => "mqtt/ssl",
        "stomp10" | "stomp1.0" | "stomp1_0" | "stomp11" | "stomp1.1" | "stomp1_1" => "stomp",
        "stomp12" | "stomp1.2" | "stomp1_2" => "stomp",
        "stomps" | "stomp+tls" | "stomp+ssl" => "stomp/ssl",
        "http1" | "http1.1" | "http_api" | "management" | "management_ui" | "ui" => "http",
        other => other,
    }
}
