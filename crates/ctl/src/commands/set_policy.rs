use super::{CTL, Command, POLICIES, Run, policies};
use operator::PolicyScope;

use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "set_policy",
    tools: CTL,
    section: POLICIES,
    usage: policies::SET_USAGE,
    about: "Sets or replaces a policy; the definition is a JSON object",
    options: policies::SET_OPTIONS,
    prepare: policies::prepare_set,
    banner: |request, _| policies::set_banner(request, "policy"),
    run: Run::OnNode(|operator, request, _| {
        policies::set(operator, request, PolicyScope::User)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
