use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, MONITORING, Run, columns, names, rows};
use crate::{args::flag, columns::BINDING_COLUMNS, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_bindings",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    usage: "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]",
    about: "Shows the bindings of a vhost",
    columns: || names(BINDING_COLUMNS),
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    prepare: |request| {
        columns(
            request,
            BINDING_COLUMNS,
            &[
                "source_name",
                "source_kind",
                "destination_name",
                "destination_kind",
                "routing_key",
                "arguments",
            ],
        )
    },
    banner: |request, _| vec![format!("Listing bindings for vhost {}...", request.vhost())],
    run: Run::OnNode(|operator, request, sink| {
        let row = rows(request, BINDING_COLUMNS, sink);
        operator.list_bindings(request.vhost(), &mut |item| sink.row(row(&item)))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
