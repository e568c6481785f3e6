use super::{CTL, Command, QUEUES, Run, count};
use operator::{DeleteConditions, Refusal};

use crate::{
    args::{flag, short},
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "delete_queue",
    tools: CTL,
    section: QUEUES,
    usage: "[--vhost <vhost>] <queue_name> [--if-empty|-e] [--if-unused|-u] [--force] [--timeout \
            <timeout>]",
    about: "Removes a queue",
    options: &[short(flag("if-empty"), 'e'), short(flag("if-unused"), 'u'), flag("force")],
    prepare: |request| count(request, 1, 1),
    banner: |request, _| {
        let conditions = [("if-empty", "if queue is empty "), ("if-unused", "if queue is unused ")]
            .into_iter()
            .filter(|(option, _)| request.has(option))
            .map(|(_, text)| text)
            .collect::<Vec<_>>()
            .join("and ");
        let (queue, vhost) = (request.argument(0), request.vhost());
        vec![format!("Deleting queue '{queue}' on vhost '{vhost}' {conditions}...")]
    },
    run: Run::OnNode(|operator, request, _| {
        let conditions = DeleteConditions {
            if_empty: request.has("if-empty"),
            if_unused: request.has("if-unused"),
        };
        match operator.delete_queue(request.vhost(), request.argument(0), conditions) {
            Ok(count) => Ok(Output::Text(format!(
                "Queue was successfully deleted with {count} ready messages"
            ))),
            Err(Refusal::NotFound) => Err(Failure::error(exit::USAGE, "No such queue was found")),
            Err(refusal) => Err(refusal.into()),
        }
    }),
    ..Command::BASE
};
