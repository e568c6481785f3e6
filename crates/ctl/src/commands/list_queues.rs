use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, MONITORING, Run, columns, names, rows};
use crate::{args::flag, columns::QUEUE_COLUMNS, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_queues",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    usage: "[--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, \
            ...] [--timeout <timeout>]",
    about: "Shows the queues of a vhost",
    columns: || names(QUEUE_COLUMNS),
    options: &[flag("online"), flag("offline"), flag("local"), flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    prepare: |request| columns(request, QUEUE_COLUMNS, &["name", "messages"]),
    banner: |request, _| {
        let seconds = request.timeout_ms.unwrap_or(LIST_TIMEOUT_MS) as f64 / 1000.0;
        vec![
            format!("Timeout: {seconds:?} seconds ..."),
            format!("Listing queues for vhost {} ...", request.vhost()),
        ]
    },
    run: Run::OnNode(|operator, request, sink| {
        let row = rows(request, QUEUE_COLUMNS, sink);
        // Every queue here is online and local: there is no other node yet.
        if !request.has("offline") || request.has("online") {
            operator.list_queues(request.vhost(), &mut |queue| sink.row(row(&queue)))?;
        }
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
