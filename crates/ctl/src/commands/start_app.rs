use super::{CTL, Command, NODES, Run};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "start_app",
    tools: CTL,
    section: NODES,
    about: "Lets clients in again after stop_app",
    banner: |_, node| vec![format!("Starting node {node} ...")],
    needs_app: false,
    run: Run::OnNode(|operator, _, _| {
        operator.start_app()?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
