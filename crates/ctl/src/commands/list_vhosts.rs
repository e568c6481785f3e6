use super::{ACCESS, CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, Run, columns, names, rows};
use crate::{args::flag, columns::VHOST_COLUMNS, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_vhosts",
    tools: CTL_AND_DIAGNOSTICS,
    section: ACCESS,
    usage: "[--no-table-headers] [<column> ...] [--timeout <timeout>]",
    about: "Shows the vhosts",
    columns: || names(VHOST_COLUMNS),
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    prepare: |request| columns(request, VHOST_COLUMNS, &["name"]),
    banner: |_, _| vec!["Listing vhosts ...".to_owned()],
    run: Run::OnNode(|operator, request, sink| {
        let row = rows(request, VHOST_COLUMNS, sink);
        for vhost in operator.list_vhosts()? {
            sink.row(row(&vhost));
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
