use super::{CTL, Command, PARAMETERS, Run, count, json_value};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "set_global_parameter",
    tools: CTL,
    section: PARAMETERS,
    usage: "<name> <value>",
    about: "Sets a runtime parameter of the cluster; the value is JSON",
    prepare: |request| count(request, 2, 2),
    banner: |request, _| {
        let (name, value) = (request.argument(0), request.argument(1));
        vec![format!("Setting global runtime parameter \"{name}\" to \"{value}\" ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        operator.set_global_parameter(request.argument(0), json_value(request.argument(1))?)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
