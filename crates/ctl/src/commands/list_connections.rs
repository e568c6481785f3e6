use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, MONITORING, Run, columns, names, rows};
use crate::{args::flag, columns::CONNECTION_COLUMNS, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_connections",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    usage: "[--no-table-headers] [<column> ...] [--timeout <timeout>]",
    about: "Shows the client connections of the node",
    columns: || names(CONNECTION_COLUMNS),
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    prepare: |request| {
        columns(request, CONNECTION_COLUMNS, &["user", "peer_host", "peer_port", "state"])
    },
    banner: |_, _| vec!["Listing connections ...".to_owned()],
    run: Run::OnNode(|operator, request, sink| {
        let row = rows(request, CONNECTION_COLUMNS, sink);
        operator.list_connections(&mut |item| sink.row(row(&item)))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
