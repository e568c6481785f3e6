use super::{ACCESS, CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, Run};
use operator::Term;

use crate::{args::flag, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_topic_permissions",
    tools: CTL_AND_DIAGNOSTICS,
    section: ACCESS,
    usage: "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    about: "Shows who may use which routing keys in a vhost",
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    banner: |request, _| {
        vec![format!("Listing topic permissions for vhost \"{}\" ...", request.vhost())]
    },
    run: Run::OnNode(|operator, request, sink| {
        let permissions = operator.list_topic_permissions(request.vhost())?;
        sink.columns(&["user", "exchange", "write", "read"], true);
        for p in permissions {
            sink.row([&p.user, &p.exchange, &p.write, &p.read].map(|t| Term::text(t)).to_vec());
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
