use super::{CTL, Command, PARAMETERS, Run, count};
use operator::PolicyScope;

use crate::{
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "clear_parameter",
    tools: CTL,
    section: PARAMETERS,
    usage: "[--vhost <vhost>] <component_name> <name>",
    about: "Clears a runtime parameter of a vhost",
    prepare: |request| count(request, 2, 2),
    banner: |request, _| {
        let (component, name, vhost) = (request.argument(0), request.argument(1), request.vhost());
        vec![format!(
            "Clearing runtime parameter \"{name}\" for component \"{component}\" on vhost \"{vhost}\" ..."
        )]
    },
    run: Run::OnNode(|operator, request, _| {
        let (component, name) = (request.argument(0), request.argument(1));
        if component == PolicyScope::User.component() {
            let text = "policies may not be cleared using this method";
            return Err(Failure::error(exit::UNAVAILABLE, text));
        }
        operator.clear_parameter(request.vhost(), component, name)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
