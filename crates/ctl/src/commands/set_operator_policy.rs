use super::{CTL, Command, POLICIES, Run, policies};
use operator::PolicyScope;

use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "set_operator_policy",
    tools: CTL,
    section: POLICIES,
    usage: policies::SET_USAGE,
    about: "Sets or replaces an operator policy, which limits what policies and arguments may set",
    options: policies::SET_OPTIONS,
    prepare: policies::prepare_set,
    banner: |request, _| policies::set_banner(request, "operator policy override"),
    run: Run::OnNode(|operator, request, _| {
        policies::set(operator, request, PolicyScope::Operator)?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
