use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, PARAMETERS, Run, policies};
use operator::Term;

use crate::args::flag;

pub(super) const COMMAND: Command = Command {
    name: "list_parameters",
    tools: CTL_AND_DIAGNOSTICS,
    section: PARAMETERS,
    usage: "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    about: "Shows the runtime parameters of a vhost",
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    banner: |request, _| {
        vec![format!("Listing runtime parameters for vhost \"{}\" ...", request.vhost())]
    },
    run: Run::OnNode(|operator, request, sink| {
        let parameters = operator.list_parameters(request.vhost())?;
        let rows = parameters.iter().map(|it| {
            vec![
                Term::text(&it.component),
                Term::text(&it.name),
                Term::Text(policies::value_text(it)),
            ]
        });
        policies::rows(&["component", "name", "value"], rows, request, sink)
    }),
    ..Command::BASE
};
