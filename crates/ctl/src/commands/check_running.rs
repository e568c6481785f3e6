use super::{Command, DIAGNOSTICS, MONITORING, Run, is_running::sentence};
use operator::RunState;

use crate::{
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "check_running",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Exits with an error unless the node has started",
    banner: |_, node| vec![format!("Checking if RabbitMQ is running on node {node} ...")],
    has_early_banner: true,
    needs_app: false,
    run: Run::OnNode(|operator, _, _| match operator.run_state() {
        RunState::Running => Ok(Output::Text(sentence(operator))),
        RunState::Booting | RunState::AppStopped | RunState::Stopping => {
            Err(Failure::error(exit::UNAVAILABLE, sentence(operator)))
        }
    }),
    ..Command::BASE
};
