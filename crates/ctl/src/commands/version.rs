use serde_json::json;

use super::{Command, HELP, Run, Tool};
use crate::protocol::Output;

/// The release these tools answer for.
pub(crate) const RABBITMQ_VERSION: &str = "4.3.6";

pub(super) const COMMAND: Command = Command {
    name: "version",
    tools: &[Tool::Ctl, Tool::Diagnostics, Tool::Plugins],
    section: HELP,
    about: "Shows the version of the tools",
    run: Run::Here(|local| {
        Ok(Output::Report {
            text: RABBITMQ_VERSION.to_owned(),
            value: json!({
                "node": local.node, "value": { "version": RABBITMQ_VERSION }, "result": "ok",
            }),
        })
    }),
    ..Command::BASE
};
