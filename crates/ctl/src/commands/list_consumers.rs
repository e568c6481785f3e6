use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, MONITORING, Run, columns, names, rows};
use crate::{args::flag, columns::CONSUMER_COLUMNS, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_consumers",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    usage: "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]",
    about: "Shows who consumes from the queues of a vhost",
    columns: || names(CONSUMER_COLUMNS),
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    prepare: |request| {
        columns(
            request,
            CONSUMER_COLUMNS,
            &[
                "queue_name",
                "channel_pid",
                "consumer_tag",
                "ack_required",
                "prefetch_count",
                "active",
                "arguments",
            ],
        )
    },
    banner: |request, _| vec![format!("Listing consumers in vhost {} ...", request.vhost())],
    run: Run::OnNode(|operator, request, sink| {
        let row = rows(request, CONSUMER_COLUMNS, sink);
        operator.list_consumers(request.vhost(), &mut |item| sink.row(row(&item)))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
