use super::{Command, DIAGNOSTICS, Run};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "check_local_alarms",
    tools: DIAGNOSTICS,
    section: "Deprecated",
    usage: "[--timeout <timeout>]",
    about: "Does nothing; use check_alarms",
    banner: |_, _| {
        vec![
            "This command is DEPRECATED and is a no-op. It will be removed in a future version."
                .to_owned(),
        ]
    },
    run: Run::OnNode(|operator, _, _| {
        Ok(Output::Text(format!("Node {} reported no local alarms", operator.node_name())))
    }),
    ..Command::BASE
};
