use super::{CTL, Command, Run, VHOSTS};
use crate::{
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "clear_vhost_limits",
    tools: CTL,
    section: VHOSTS,
    usage: "[--vhost <vhost>]",
    about: "Lifts the limits of a vhost",
    banner: |request, _| vec![format!("Clearing vhost \"{}\" limits ...", request.vhost())],
    run: Run::OnNode(|operator, request, _| {
        // To RabbitMQ limits are one parameter, which is there or not.
        if operator.vhost_limits(request.vhost()).is_ok_and(|limits| !limits.is_empty()) {
            operator.clear_vhost_limits(request.vhost())?;
        } else {
            return Err(Failure::error(exit::UNAVAILABLE, "Parameter does not exist"));
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
