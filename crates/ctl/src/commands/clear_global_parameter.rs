use super::{CTL, Command, PARAMETERS, Run, count};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "clear_global_parameter",
    tools: CTL,
    section: PARAMETERS,
    usage: "<name>",
    about: "Clears a runtime parameter of the cluster",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| {
        vec![format!("Clearing global runtime parameter \"{}\" ...", request.argument(0))]
    },
    run: Run::OnNode(|operator, request, _| {
        operator.clear_global_parameter(request.argument(0))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
