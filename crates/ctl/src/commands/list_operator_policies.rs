use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, POLICIES, Run, policies};
use operator::PolicyScope;

use crate::args::flag;

pub(super) const COMMAND: Command = Command {
    name: "list_operator_policies",
    tools: CTL_AND_DIAGNOSTICS,
    section: POLICIES,
    usage: "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    about: "Shows the operator policies of a vhost",
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    banner: |request, _| {
        vec![format!("Listing operator policy overrides for vhost \"{}\" ...", request.vhost())]
    },
    run: Run::OnNode(|operator, request, sink| {
        policies::list(
            operator.list_policies(request.vhost(), PolicyScope::Operator)?,
            request,
            sink,
        )
    }),
    ..Command::BASE
};
