use serde_json::{Value, json};

use super::{Command, DIAGNOSTICS, MONITORING, Run};
use operator::ListenerInfo;

use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "listeners",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Shows the ports clients can connect to",
    banner: |_, node| vec![format!("Asking node {node} to report its protocol listeners ...")],
    run: Run::OnNode(|operator, _, _| {
        let (node, listeners) = (operator.node_name(), operator.listeners());
        Ok(Output::Report {
            text: lines(&listeners).join("\n"),
            value: json!({
                "node": node, "result": "ok", "listeners": values(&listeners, &node),
            }),
        })
    }),
    ..Command::BASE
};

/// One line per listener, for people.
pub(super) fn lines(listeners: &[ListenerInfo]) -> Vec<String> {
    listeners
        .iter()
        .map(|l| {
            format!(
                "Interface: {}, port: {}, protocol: {}, purpose: {}",
                l.interface,
                l.port,
                l.protocol,
                purpose(&l.protocol)
            )
        })
        .collect()
}

/// One object per listener, for machines.
pub(super) fn values(listeners: &[ListenerInfo], node: &str) -> Vec<Value> {
    listeners
        .iter()
        .map(|l| {
            json!({
                "node": node,
                "port": l.port,
                "protocol": l.protocol,
                "interface": l.interface,
                "purpose": purpose(&l.protocol),
            })
        })
        .collect()
}

/// RabbitMQ's words for its protocols' names.
fn purpose(protocol: &str) -> &str {
    match protocol {
        "amqp" => "AMQP 0-9-1 and AMQP 1.0",
        "amqp/ssl" => "AMQP 0-9-1 and AMQP 1.0 over TLS",
        "clustering" => "inter-node and CLI tool communication",
        "http" => "HTTP API",
        "https" => "HTTP API over TLS (HTTPS)",
        "http/prometheus" => "Prometheus exporter API over HTTP",
        "mqtt" => "MQTT",
        "mqtt/ssl" => "MQTT over TLS",
        "stomp" => "STOMP",
        "stomp/ssl" => "STOMP over TLS",
        "https/prometheus" => "Prometheus exporter API over TLS (HTTPS)",
        "https/web-mqtt" => "MQTT over WebSocket and TLS (HTTPS)",
        "https/web-stomp" => "STOMP over WebSocket and TLS (HTTPS)",
        "clustering/ssl" => "inter-node and CLI tool communication over TLS",
        "http/web-mqtt" => "MQTT over WebSocket",
        "http/web-stomp" => "STOMP over WebSocket",
        other => other,
    }
}
