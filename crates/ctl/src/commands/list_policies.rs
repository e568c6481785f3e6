use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, POLICIES, Run, policies};
use operator::PolicyScope;

use crate::args::flag;

pub(super) const COMMAND: Command = Command {
    name: "list_policies",
    tools: CTL_AND_DIAGNOSTICS,
    section: POLICIES,
    usage: "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    about: "Shows the policies of a vhost",
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    banner: |request, _| vec![format!("Listing policies for vhost \"{}\" ...", request.vhost())],
    run: Run::OnNode(|operator, request, sink| {
        policies::list(operator.list_policies(request.vhost(), PolicyScope::User)?, request, sink)
    }),
    ..Command::BASE
};
