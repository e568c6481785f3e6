use super::{Command, Run, Tool, UPGRADE};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "drain",
    tools: &[Tool::Upgrade],
    section: UPGRADE,
    about: "Begins maintenance: closes all connections and ports",
    banner: |_, node| {
        vec![format!(
            "Will put node {node} into maintenance mode. The node will no longer serve any client traffic!"
        )]
    },
    needs_app: false,
    run: Run::OnNode(|operator, _, _| {
        operator.drain();
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
