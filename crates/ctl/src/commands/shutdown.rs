use super::{CTL, Command, NODES, Run};
use crate::{args::flag, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "shutdown",
    tools: CTL,
    section: NODES,
    usage: "[--wait] [--timeout <timeout>]",
    about: "Stops the node and waits until its process has ended, unless --no-wait is given",
    options: &[flag("wait")],
    awaits_end: true,
    needs_app: false,
    run: Run::OnNode(|operator, request, sink| {
        let (node, pid) = (operator.node_name(), operator.status().os_pid);
        if request.options.get("wait").is_some_and(|wait| wait == "false") {
            operator.stop();
            return Ok(Output::Nothing);
        }
        sink.progress(format!("Shutting down RabbitMQ node {node} running at PID {pid}"));
        operator.stop();
        sink.progress(format!("Waiting for PID {pid} to terminate"));
        // Shown when the connection ends, and with it the process.
        Ok(Output::Text(format!(
            "RabbitMQ node {node} running at PID {pid} successfully shut down"
        )))
    }),
    ..Command::BASE
};
