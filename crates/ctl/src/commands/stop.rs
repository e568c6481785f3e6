use super::{CTL, Command, NODES, Run, count};
use crate::{args::flag, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "stop",
    tools: CTL,
    section: NODES,
    usage: "[--idempotent] [<pidfile>]",
    about: "Stops the node and waits until its process has ended; a pid file is not needed",
    options: &[flag("idempotent")],
    prepare: |request| count(request, 0, 1),
    banner: |request, node| {
        vec![match request.arguments.first() {
            Some(file) => {
                format!("Stopping and halting node {node} (will monitor pid file {file}) ...")
            }
            None => format!("Stopping and halting node {node} ..."),
        }]
    },
    awaits_end: true,
    has_early_banner: true,
    needs_app: false,
    run: Run::OnNode(|operator, _, _| {
        operator.stop();
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
