use std::{
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use serde_json::json;

use super::{Command, DIAGNOSTICS, MONITORING, Run, is_running::check_failed, listeners};
use crate::{args::text, protocol::Output};

/// A listener on this machine answers at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) const COMMAND: Command = Command {
    name: "check_port_connectivity",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--address <target address>] [--timeout <timeout>]",
    about: "Connects to every port the node listens on",
    options: &[text("address")],
    banner: |request, node| {
        vec![match request.options.get("address") {
            Some(address) => {
                format!("Testing TCP connections to all active listeners on {address} ...")
            }
            None => format!(
                "Testing TCP connections to all active listeners on node {node} using hostname \
                 resolution ..."
            ),
        }]
    },
    run: Run::OnNode(|operator, request, sink| {
        let (node, open) = (operator.node_name(), operator.listeners());
        let host = request.options.get("address").map(String::as_str);
        let host = host.or(node.split_once('@').map(|(_, host)| host)).unwrap_or("localhost");
        let (mut reached, mut failed) = (Vec::new(), Vec::new());
        for listener in &open {
            sink.progress(format!("Will connect to {host}:{}", listener.port));
            match can_connect(host, listener.port) {
                true => reached.push(listener.port),
                false => failed.push(listener.port.to_string()),
            }
        }
        if !failed.is_empty() {
            return Err(check_failed(format!(
                "Connection attempts failed on ports {} of node {node}",
                failed.join(", ")
            )));
        }
        reached.sort_unstable();
        let ports: Vec<String> = reached.iter().map(u16::to_string).collect();
        Ok(Output::Report {
            text: format!(
                "Successfully connected to ports {} on node {node} (using node hostname \
                 resolution)",
                ports.join(", ")
            ),
            value: json!({
                "node": node, "result": "ok", "listeners": listeners::values(&open, &node),
            }),
        })
    }),
    ..Command::BASE
};

fn can_connect(host: &str, port: u16) -> bool {
    let addresses = (host, port).to_socket_addrs().into_iter().flatten();
    addresses
        .into_iter()
        .any(|address| TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok())
}
