use super::{ACCESS, CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, Run, count, no_such_user};
use operator::Term;

use crate::{args::flag, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_user_permissions",
    tools: CTL_AND_DIAGNOSTICS,
    section: ACCESS,
    usage: "[--no-table-headers] <username> [--timeout <timeout>]",
    about: "Shows what a user may do, by vhost",
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    prepare: |request| count(request, 1, 1),
    banner: |request, _| {
        vec![format!("Listing permissions for user \"{}\" ...", request.argument(0))]
    },
    run: Run::OnNode(|operator, request, sink| {
        let permissions =
            operator.list_user_permissions(request.argument(0)).map_err(no_such_user)?;
        sink.columns(&["vhost", "configure", "write", "read"], true);
        for p in permissions {
            sink.row([&p.vhost, &p.configure, &p.write, &p.read].map(|t| Term::text(t)).to_vec());
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
