use super::{
    Command, DIAGNOSTICS, MONITORING, Run,
    is_running::{check_failed, sentence},
};
use crate::{operator::RunState, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "check_running",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Exits with an error unless the node has started",
    banner: |_, node| vec![format!("Checking if RabbitMQ is running on node {node} ...")],
    has_early_banner: true,
    run: Run::OnNode(|operator, _, _| match operator.run_state() {
        RunState::Running => Ok(Output::Text(sentence(operator))),
        RunState::Booting | RunState::Stopping => Err(check_failed(sentence(operator))),
    }),
    ..Command::BASE
};
