use super::{CTL, Command, Run, VHOSTS, count, json_object};
use operator::Refusal;

use crate::{
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "set_vhost_limits",
    tools: CTL,
    section: VHOSTS,
    usage: "[--vhost <vhost>] <definition>",
    about: "Limits a vhost's connections and queues; the definition is a JSON object",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| {
        let (definition, vhost) = (request.argument(0), request.vhost());
        vec![format!("Setting vhost limits to \"{definition}\" for vhost \"{vhost}\" ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        let limits = json_object(request.argument(0))?;
        match operator.set_vhost_limits(request.vhost(), &limits) {
            Ok(()) => Ok(Output::Nothing),
            Err(Refusal::Invalid(text)) => {
                Err(Failure::error(exit::UNAVAILABLE, format!("Validation failed\n\n{text}\n")))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }),
    ..Command::BASE
};
