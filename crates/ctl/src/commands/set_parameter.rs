use super::{CTL, Command, PARAMETERS, Run, count, json_value};
use operator::{ParameterInfo, PolicyScope};

use crate::{
    exit,
    protocol::{Failure, Output},
};

pub(super) const COMMAND: Command = Command {
    name: "set_parameter",
    tools: CTL,
    section: PARAMETERS,
    usage: "[--vhost <vhost>] <component_name> <name> <value>",
    about: "Sets a runtime parameter of a vhost; the value is JSON",
    prepare: |request| count(request, 3, 3),
    banner: |request, _| {
        let [component, name, value] = [0, 1, 2].map(|idx| request.argument(idx));
        vec![format!(
            "Setting runtime parameter \"{name}\" for component \"{component}\" to \"{value}\" in \
             vhost \"{}\" ...",
            request.vhost()
        )]
    },
    run: Run::OnNode(|operator, request, _| {
        let [component, name, value] = [0, 1, 2].map(|idx| request.argument(idx));
        if component == PolicyScope::User.component() {
            let text = "policies may not be set using this method";
            return Err(Failure::error(exit::UNAVAILABLE, text));
        }
        let (component, name) = (component.to_owned(), name.to_owned());
        let parameter = ParameterInfo { component, name, value: json_value(value)? };
        operator.set_parameter(request.vhost(), &parameter)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
