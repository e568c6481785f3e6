use super::{CTL, Command, Run, VHOSTS};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "clear_vhost_limits",
    tools: CTL,
    section: VHOSTS,
    usage: "[--vhost <vhost>]",
    about: "Lifts the limits of a vhost",
    banner: |request, _| vec![format!("Clearing vhost \"{}\" limits ...", request.vhost())],
    run: Run::OnNode(|operator, request, _| {
        operator.clear_vhost_limits(request.vhost())?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
