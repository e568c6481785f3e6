use super::{CTL, Command, QUEUES, Run, count};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "purge_queue",
    tools: CTL,
    section: QUEUES,
    usage: "<queue> [--timeout <timeout>]",
    about: "Removes all ready messages of a queue",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| {
        let (queue, vhost) = (request.argument(0), request.vhost());
        vec![format!("Purging queue '{queue}' in vhost '{vhost}' ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        operator.purge_queue(request.vhost(), request.argument(0))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
