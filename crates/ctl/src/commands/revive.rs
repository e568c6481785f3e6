use super::{Command, Run, Tool, UPGRADE};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "revive",
    tools: &[Tool::Upgrade],
    section: UPGRADE,
    about: "Ends maintenance: lets clients in again",
    banner: |_, node| {
        vec![format!(
            "Will put node {node} back into regular operating mode. The node will again serve client traffic and host primary queue replicas."
        )]
    },
    needs_app: false,
    run: Run::OnNode(|operator, _, _| {
        operator.revive()?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
