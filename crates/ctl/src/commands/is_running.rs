use serde_json::json;

use super::{Command, DIAGNOSTICS, MONITORING, Run};
use operator::{Operator, RunState};

use crate::protocol::{Failure, Output};

pub(super) const COMMAND: Command = Command {
    name: "is_running",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Tells whether the node has started; exits with 0 either way",
    banner: |_, node| vec![format!("Asking node {node} for its status ...")],
    has_early_banner: true,
    needs_app: false,
    run: Run::OnNode(|operator, _, _| {
        let text = sentence(operator);
        let value = json!({
            "message": text,
            "result": operator.run_state() == RunState::Running,
        });
        Ok(Output::Report { text, value })
    }),
    ..Command::BASE
};

/// What `is_running` and `check_running` say.
pub(super) fn sentence(operator: &dyn Operator) -> String {
    let node = operator.node_name();
    match operator.run_state() {
        RunState::Running => format!("RabbitMQ on node {node} is fully booted and running"),
        RunState::Booting | RunState::AppStopped | RunState::Stopping => format!(
            "RabbitMQ on node {node} is not running or has not fully booted yet (check with \
             is_booting)"
        ),
    }
}

/// A failed check says what it found, and nothing more.
pub(super) fn check_failed(text: String) -> Failure {
    Failure::plain(crate::exit::UNAVAILABLE, text)
}
