use super::{CTL, Command, POLICIES, Run, count};
use operator::PolicyScope;

use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "clear_policy",
    tools: CTL,
    section: POLICIES,
    usage: "[--vhost <vhost>] <name>",
    about: "Clears a policy",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| {
        let (name, vhost) = (request.argument(0), request.vhost());
        vec![format!("Clearing policy \"{name}\" on vhost \"{vhost}\" ...")]
    },
    run: Run::OnNode(|operator, request, _| {
        let component = PolicyScope::User.component();
        operator.clear_parameter(request.vhost(), component, request.argument(0))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
