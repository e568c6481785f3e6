use serde_json::json;

use super::{CTL, Command, Run, VHOSTS};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "trace_on",
    tools: CTL,
    section: VHOSTS,
    usage: "",
    about: "Copies the messages of a vhost to amq.rabbitmq.trace",
    // RabbitMQ ignores what is typed after it.
    prepare: |_| Ok(()),
    banner: |request, _| vec![format!("Starting tracing for vhost \"{}\" ...", request.vhost())],
    run: Run::OnNode(|operator, request, _| {
        operator.set_tracing(request.vhost(), true)?;
        let text = format!("Trace enabled for vhost {}", request.vhost());
        let node = operator.node_name();
        Ok(Output::Report { value: json!({ "node": node, "result": "ok", "value": text }), text })
    }),
    ..Command::BASE
};
