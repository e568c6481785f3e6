use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, PARAMETERS, Run, policies};
use operator::Term;

use crate::args::flag;

pub(super) const COMMAND: Command = Command {
    name: "list_global_parameters",
    tools: CTL_AND_DIAGNOSTICS,
    section: PARAMETERS,
    usage: "[--no-table-headers] [--timeout <timeout>]",
    about: "Shows the runtime parameters of the cluster",
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    banner: |_, _| vec!["Listing global runtime parameters ...".to_owned()],
    run: Run::OnNode(|operator, request, sink| {
        let parameters = operator.list_global_parameters()?;
        let rows = parameters
            .iter()
            .map(|(name, value)| vec![Term::text(name), Term::Text(value.to_string())]);
        policies::rows(&["name", "value"], rows, request, sink)
    }),
    ..Command::BASE
};
