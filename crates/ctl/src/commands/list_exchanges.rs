use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, MONITORING, Run, columns, names, rows};
use crate::{args::flag, columns::EXCHANGE_COLUMNS, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_exchanges",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    usage: "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]",
    about: "Shows the exchanges of a vhost",
    columns: || names(EXCHANGE_COLUMNS),
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    prepare: |request| columns(request, EXCHANGE_COLUMNS, &["name", "type"]),
    banner: |request, _| vec![format!("Listing exchanges for vhost {} ...", request.vhost())],
    run: Run::OnNode(|operator, request, sink| {
        let row = rows(request, EXCHANGE_COLUMNS, sink);
        operator.list_exchanges(request.vhost(), &mut |item| sink.row(row(&item)))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
