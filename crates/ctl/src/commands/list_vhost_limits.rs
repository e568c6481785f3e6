use serde_json::json;

use super::{CTL_AND_DIAGNOSTICS, Command, Run, VHOSTS, limits_json};
use operator::Term;

use crate::{args::flag, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_vhost_limits",
    tools: CTL_AND_DIAGNOSTICS,
    section: VHOSTS,
    usage: "[--vhost <vhost>] [--global] [--no-table-headers]",
    about: "Shows the limits of one vhost, or of all that have some",
    options: &[flag("global"), flag("table-headers")],
    banner: |request, _| {
        vec![match request.has("global") {
            true => "Listing limits for all vhosts ...".to_owned(),
            false => format!("Listing limits for vhost \"{}\" ...", request.vhost()),
        }]
    },
    run: Run::OnNode(|operator, request, sink| {
        if request.has("global") {
            let limits = operator.all_vhost_limits()?;
            sink.columns(&["vhost", "limits"], true);
            for (vhost, limits) in limits {
                sink.row(vec![Term::text(&vhost), Term::Text(limits_json(&limits))]);
            }
            return Ok(Output::Nothing);
        }
        let limits = operator.vhost_limits(request.vhost())?;
        if limits.is_empty() {
            return Ok(Output::Report { text: String::new(), value: json!([]) });
        }
        let text = limits_json(&limits);
        let value = json!({ "node": operator.node_name(), "value": text, "result": "ok" });
        Ok(Output::Report { text, value })
    }),
    ..Command::BASE
};
