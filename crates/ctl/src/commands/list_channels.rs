use super::{CTL_AND_DIAGNOSTICS, Command, LIST_TIMEOUT_MS, MONITORING, Run, columns, names, rows};
use crate::{args::flag, columns::CHANNEL_COLUMNS, protocol::Output};

pub(super) const COMMAND: Command = Command {
    name: "list_channels",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    usage: "[--no-table-headers] [<column> ...]",
    about: "Shows the channels of the node's connections",
    columns: || names(CHANNEL_COLUMNS),
    options: &[flag("table-headers")],
    timeout_ms: Some(LIST_TIMEOUT_MS),
    prepare: |request| {
        columns(
            request,
            CHANNEL_COLUMNS,
            &["pid", "user", "consumer_count", "messages_unacknowledged"],
        )
    },
    banner: |_, _| vec!["Listing channels ...".to_owned()],
    run: Run::OnNode(|operator, request, sink| {
        let row = rows(request, CHANNEL_COLUMNS, sink);
        operator.list_channels(&mut |item| sink.row(row(&item)))?;
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};
