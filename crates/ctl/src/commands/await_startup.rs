use std::time::Duration;

use super::{CTL, Command, NODES, Run};
use operator::RunState;

use crate::{
    client, exit,
    protocol::{Failure, Output},
};

pub(super) const TIMEOUT_MS: u64 = 300_000;

pub(super) const COMMAND: Command = Command {
    name: "await_startup",
    tools: CTL,
    section: NODES,
    about: "Waits until the node accepts clients; also for a node that is not there yet",
    timeout_ms: Some(TIMEOUT_MS),
    awaits_start: true,
    needs_app: false,
    run: Run::OnNode(|operator, request, _| {
        if operator.run_state() == RunState::AppStopped {
            return Err(Failure::error(exit::UNAVAILABLE, "rabbit_is_not_running"));
        }
        let timeout = request.timeout_ms.unwrap_or(TIMEOUT_MS);
        match operator.await_startup(Duration::from_millis(timeout)) {
            true => Ok(Output::Nothing),
            false => Err(client::timed_out("await_startup", &operator.node_name(), timeout)),
        }
    }),
    ..Command::BASE
};
