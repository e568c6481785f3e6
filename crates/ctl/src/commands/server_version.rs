use serde_json::json;

use super::{Command, DIAGNOSTICS, MONITORING, Run};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "server_version",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Shows the version the node tells its clients",
    banner: |_, node| vec![format!("Asking node {node} for its RabbitMQ version...")],
    needs_app: false,
    run: Run::OnNode(|operator, _, _| {
        let version = operator.status().rabbitmq_version;
        Ok(Output::Report { value: json!({ "result": "ok", "value": version }), text: version })
    }),
    ..Command::BASE
};
