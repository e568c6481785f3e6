use super::{CTL, Command, OPERATIONS, Run, count};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "close_connection",
    tools: CTL,
    section: OPERATIONS,
    usage: "<connection pid> <explanation>",
    about: "Closes one client connection; the client is told the explanation",
    prepare: |request| count(request, 2, 2),
    banner: |request, _| {
        let (pid, reason) = (request.argument(0), request.argument(1));
        vec![format!("Closing connection {pid}, reason: {reason}...")]
    },
    run: Run::OnNode(|operator, request, _| {
        operator.close_connection(request.argument(0), request.argument(1))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
