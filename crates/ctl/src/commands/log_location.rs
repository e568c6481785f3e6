use serde_json::json;

use super::{CONFIGURATION, Command, DIAGNOSTICS, Run};
use crate::{
    args::{flag, short},
    protocol::Output,
};

pub(super) const COMMAND: Command = Command {
    name: "log_location",
    tools: DIAGNOSTICS,
    section: CONFIGURATION,
    usage: "[--all|-a] [--timeout <timeout>]",
    about: "Shows where the log is, with --all every place it goes to",
    options: &[short(flag("all"), 'a')],
    banner: |_, node| vec![format!("Log file location(s) on node {node} ...")],
    needs_app: false,
    run: Run::OnNode(|operator, request, _| {
        let status = operator.status();
        let count = if request.has("all") { status.log_files.len() } else { 1 };
        let places: Vec<String> = status.log_files.into_iter().take(count).collect();
        let node = operator.node_name();
        let value = json!({ "result": "ok", "node_name": node, "paths": places });
        Ok(Output::Report { text: places.join("\n"), value })
    }),
    ..Command::BASE
};
