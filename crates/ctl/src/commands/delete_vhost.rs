use super::{CTL, Command, Run, VHOSTS, count};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "delete_vhost",
    tools: CTL,
    section: VHOSTS,
    usage: "<vhost>",
    about: "Removes a vhost with all its queues and exchanges",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| vec![format!("Deleting vhost \"{}\" ...", request.argument(0))],
    run: Run::OnNode(|operator, request, _| {
        operator.delete_vhost(request.argument(0))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
