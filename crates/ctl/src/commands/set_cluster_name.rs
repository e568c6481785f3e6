use super::{CONFIGURATION, CTL, Command, Run, count};
use crate::protocol::Output;

pub(super) const COMMAND: Command = Command {
    name: "set_cluster_name",
    tools: CTL,
    section: CONFIGURATION,
    usage: "<name>",
    about: "Names the cluster; clients are told",
    prepare: |request| count(request, 1, 1),
    banner: |request, _| vec![format!("Setting cluster name to {} ...", request.argument(0))],
    run: Run::OnNode(|operator, request, _| {
        operator.set_cluster_name(request.argument(0))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
