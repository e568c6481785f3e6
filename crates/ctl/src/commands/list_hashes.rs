use serde_json::json;

use super::{CTL_AND_DIAGNOSTICS, Command, MONITORING, Run};
use crate::protocol::Output;

/// What passwords can be hashed with. RabbitMQ lists all its runtime has, most of which it has no
/// use for.
const HASHES: [&str; 3] = ["sha512", "sha256", "md5"];

pub(super) const COMMAND: Command = Command {
    name: "list_hashes",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    about: "Shows the hash algorithms passwords may have",
    banner: |_, _| vec!["Listing supported hash algorithms ...".to_owned()],
    run: Run::Here(|local| {
        Ok(Output::Report {
            text: format!("[{}]", HASHES.join(",")),
            value: json!({ "node": local.node, "value": HASHES, "result": "ok" }),
        })
    }),
    ..Command::BASE
};
