use serde_json::json;

use super::{Command, DIAGNOSTICS, MONITORING, Run};
use crate::{
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "check_virtual_hosts",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Exits with an error when a vhost does not run",
    banner: |_, node| vec![format!("Checking if all vhosts are running on node {node} ...")],
    run: Run::OnNode(|operator, _, _| {
        let node = operator.node_name();
        let mut down = Vec::new();
        for vhost in operator.list_vhosts()? {
            if vhost.cluster_state.iter().any(|(of, state)| *of == node && state != "running") {
                down.push(vhost.name);
            }
        }
        if !down.is_empty() {
            return Err(Failure::error(
                exit::UNAVAILABLE,
                format!("Some virtual hosts on node {node} are down:\n{}", down.join("\n")),
            ));
        }
        Ok(Output::Report {
            text: format!("Node {node} reported all vhosts as running"),
            value: json!({ "result": "ok" }),
        })
    }),
    ..Command::BASE
};
