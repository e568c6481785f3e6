use serde_json::json;

use super::{
    Command, DIAGNOSTICS, MONITORING, Misuse, Run, count, is_running::check_failed, listeners,
};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "check_port_listener",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "<port> [--timeout <timeout>]",
    about: "Exits with an error unless the node listens on a port",
    prepare: |request| {
        count(request, 1, 1)?;
        match request.argument(0).parse::<u16>() {
            Ok(1..) => Ok(()),
            _ => Err(Misuse::bad("Argument must be a positive integer")),
        }
    },
    banner: |request, node| {
        let port = request.argument(0);
        vec![format!("Asking node {node} if there's an active listener on port {port} ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        let (node, port) = (operator.node_name(), request.argument(0));
        let open = operator.listeners();
        let mut ports: Vec<u16> = open.iter().map(|listener| listener.port).collect();
        ports.sort_unstable();
        ports.dedup();
        if ports.iter().any(|open| open.to_string() == port) {
            return Ok(Output::Report {
                text: format!("A listener for port {port} is running on node {node}."),
                value: json!({ "node": node, "port": port, "result": "ok" }),
            });
        }
        let names: Vec<String> = ports.iter().map(u16::to_string).collect();
        let mut failure = check_failed(format!(
            "No listener for port {port} is active on node {node}. Found listeners that use the \
             following ports: {}",
            names.join(", ")
        ));
        let listeners = listeners::values(&open, &node);
        failure.json = Some(json!({
            "listeners": listeners, "missing": port, "ports": ports, "result": "error",
        }));
        Err(failure)
    }),
    ..Command::BASE
};
