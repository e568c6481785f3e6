use serde_json::json;

use super::{Command, DIAGNOSTICS, MONITORING, Run, alarms, is_running::check_failed};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "check_alarms",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Exits with an error when a resource is short",
    banner: |_, node| vec![format!("Asking node {node} to report any local resource alarms ...")],
    run: Run::OnNode(|operator, _, _| {
        let node = operator.node_name();
        match alarms::names(&operator.status()).as_slice() {
            [] => Ok(Output::Report {
                text: format!("Node {node} reported no alarms, local or clusterwide"),
                value: json!({ "result": "ok" }),
            }),
            found => {
                let lines = alarms::lines(found, &node);
                let mut failure = check_failed(lines.join("\n"));
                failure.json = Some(json!({
                    "result": "error",
                    "local": lines,
                    "global": [],
                    "message": format!("Node {node} reported alarms"),
                }));
                Err(failure)
            }
        }
    }),
    ..Command::BASE
};
