use serde_json::json;

use super::{Command, DIAGNOSTICS, MONITORING, Run};
use operator::RunState;

use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "is_booting",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Tells whether the node is still starting",
    banner: |_, node| vec![format!("Asking node {node} for its boot status ...")],
    has_early_banner: true,
    needs_app: false,
    run: Run::OnNode(|operator, _, _| {
        let node = operator.node_name();
        let is_booting = operator.run_state() == RunState::Booting;
        let text = match is_booting {
            true => format!("RabbitMQ on node {node} is booting"),
            false => format!(
                "RabbitMQ on node {node} is fully booted (check with is_running), stopped or has \
                 not started booting yet"
            ),
        };
        Ok(Output::Report { value: json!({ "message": text, "result": is_booting }), text })
    }),
    ..Command::BASE
};
