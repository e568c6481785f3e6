use std::{io, net::Shutdown};

use super::{CTL_AND_DIAGNOSTICS, Command, MONITORING, Run};
use crate::{
    exit,
    protocol::{Failure, Output},
    socket,
};

const TIMEOUT_MS: u64 = 60_000;

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
    run: Run::Here(|local| {
        let reached: io::Result<()> =
            socket::connect(local.data_dir).and_then(|stream| stream.shutdown(Shutdown::Both));
        match reached {
            Ok(()) => Ok(Output::Text("Ping succeeded".to_owned())),
            Err(_) => Err(Failure::error(
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
