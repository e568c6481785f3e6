use super::{ACCESS, CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, Run};
use operator::Term;

use crate::{args::flag, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_permissions",
    tools: CTL_AND_DIAGNOSTICS,
    section: ACCESS,
    usage: "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    about: "Shows who may do what in a vhost",
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    banner: |request, _| vec![format!("Listing permissions for vhost \"{}\" ...", request.vhost())],
    run: Run::OnNode(|operator, request, sink| {
        let permissions = operator.list_permissions(request.vhost())?;
        sink.columns(&["user", "configure", "write", "read"], true);
        for p in permissions {
            sink.row([&p.user, &p.configure, &p.write, &p.read].map(|t| Term::text(t)).to_vec());
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
