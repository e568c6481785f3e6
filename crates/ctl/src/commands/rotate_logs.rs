use super::{CTL, Command, NODES, Run};
use crate::{exit, protocol::Failure};

pub(super) const COMMAND: Command = Command {
    name: "rotate_logs",
    tools: CTL,
    section: NODES,
    usage: "",
    about: "Does nothing, as in RabbitMQ: logs rotate by the configuration",
    run: Run::OnNode(|_, _, _| {
        let text = "This command does not rotate logs anymore [deprecated]";
        Err(Failure::error(exit::UNAVAILABLE, text))
    }),
    ..Command::BASE
};
