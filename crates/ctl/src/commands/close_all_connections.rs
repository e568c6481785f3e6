use std::time::Duration;

use super::{CTL, Command, OPERATIONS, Run, count};
use operator::{CloseLimits, ConnectionsOf};

use crate::{
    args::{flag, integer},
    protocol::{Output, Request},
};

pub(super) const COMMAND: Command = Command {
    name: "close_all_connections",
    tools: CTL,
    section: OPERATIONS,
    usage: "[--vhost <vhost> --limit <limit>] [-n <node> --global] [--per-connection-delay \
            <delay>] <explanation>",
    about: "Closes the client connections of a vhost, or of the node with --global",
    options: &[flag("global"), integer("per-connection-delay"), integer("limit")],
    prepare: |request| count(request, 1, 1),
    banner: |request, node| {
        let (reason, vhost) = (request.argument(0), request.vhost());
        vec![match number(request, "limit") {
            _ if request.has("global") => format!(
                "Closing all connections to node {node} (across all vhosts), reason: {reason}..."
            ),
            0 => format!("Closing all connections in vhost {vhost}, reason: {reason}..."),
            limit => format!("Closing {limit} connections in vhost {vhost}, reason: {reason}..."),
        }]
    },
    run: Run::OnNode(|operator, request, _| {
        let limits = CloseLimits {
            count: number(request, "limit"),
            delay: Duration::from_millis(number(request, "per-connection-delay")),
        };
        let which = match request.has("global") {
            true => ConnectionsOf::Node,
            false => ConnectionsOf::Vhost(request.vhost()),
        };
        let closed = operator.close_all_connections(which, limits, request.argument(0))?;
        Ok(Output::Text(format!("Closed {closed} connections")))
    }),
    ..Command::BASE
};

/// An option's value; negative ones count as none.
fn number(request: &Request, option: &str) -> u64 {
    request.options.get(option).and_then(|value| value.parse().ok()).unwrap_or(0)
}
