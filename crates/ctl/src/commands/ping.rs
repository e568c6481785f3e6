use super::{CTL_AND_DIAGNOSTICS, Command, MONITORING, Run};
use crate::{
    client::converse,
    exit,
    protocol::{Failure, Output, Request},
    socket,
};

const TIMEOUT_MS: u64 = 60_000;

/// Any question that a node answers in every state.
const ANY_QUESTION: &str = "server_version";

pub(super) const COMMAND: Command = Command {
    name: "ping",
    tools: CTL_AND_DIAGNOSTICS,
    section: MONITORING,
    usage: "[--timeout <timeout>]",
    about: "Tells whether the node's process is there",
    timeout_ms: Some(TIMEOUT_MS),
    banner: |request, node| {
        let timeout = request.timeout_ms.unwrap_or(TIMEOUT_MS);
        vec![format!(
            "Will ping {node}. This only checks if the OS process is running and registered with \
             epmd. Timeout: {timeout} ms."
        )]
    },
    needs_app: false,
    run: Run::Here(|local| {
        // A whole exchange, not just a connection: the node says whether it is the one asked for.
        let pinged = socket::connect(local.data_dir).map(|mut stream| {
            let request = Request { command: ANY_QUESTION.to_owned(), ..local.request.clone() };
            converse(&mut stream, &request, &mut |_| Ok(())).is_ok()
        });
        match pinged {
            Ok(true) => Ok(Output::Text("Ping succeeded".to_owned())),
            Ok(false) | Err(_) => Err(Failure::error(
                exit::UNAVAILABLE,
                format!(
                    "Failed to connect and authenticate to {} in {} ms",
                    local.node,
                    local.request.timeout_ms.unwrap_or(TIMEOUT_MS)
                ),
            )),
        }
    }),
    ..Command::BASE
};
