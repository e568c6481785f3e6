use super::{CTL, Command, NODES, Run};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "stop_app",
    tools: CTL,
    section: NODES,
    about: "Closes all connections and ports and keeps the process",
    banner: |_, node| vec![format!("Stopping rabbit application on node {node} ...")],
    needs_app: false,
    run: Run::OnNode(|operator, _, _| {
        operator.stop_app();
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
