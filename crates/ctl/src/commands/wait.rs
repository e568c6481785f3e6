use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{CTL_AND_DIAGNOSTICS, Command, Misuse, NODES, Run, count};
use crate::{
    args::{short, text},
    client, exit,
    protocol::{Failure, Output, Request},
};

const TIMEOUT_MS: u64 = 10_000;

/// How often to look for the file.
const RETRY: Duration = Duration::from_millis(50);

pub(super) const COMMAND: Command = Command {
    name: "wait",
    tools: CTL_AND_DIAGNOSTICS,
    section: NODES,
    usage: "[<pidfile>] [--pid|-P <pid>] [--timeout <timeout>]",
    about: "Waits for a node that is being started, given its process or a file that names it",
    options: &[short(text("pid"), 'P')],
    timeout_ms: Some(TIMEOUT_MS),
    prepare: |request| {
        count(request, 0, 1)?;
        match (request.arguments.len(), request.options.get("pid")) {
            (0, None) => Err(Misuse::Other("No pid or pidfile specified".to_owned())),
            (1, Some(_)) => Err(Misuse::Other("Cannot specify both pid and pidfile".to_owned())),
            _ => Ok(()),
        }
    },
    run: Run::Here(|local| {
        let timeout = local.request.timeout_ms.unwrap_or(TIMEOUT_MS);
        let deadline = Instant::now() + Duration::from_millis(timeout);
        let timed_out = || client::timed_out("wait", local.node, timeout);
        let pid = match local.request.options.get("pid") {
            Some(pid) => pid.clone(),
            None => {
                let file = local.request.argument(0);
                (local.progress)(&format!("Waiting for pid file '{file}' to appear"));
                let pid = await_pid(Path::new(file), deadline)?.ok_or_else(timed_out)?;
                (local.progress)(&format!("pid is {pid}"));
                pid
            }
        };
        let node = local.node;
        (local.progress)(&format!(
            "Waiting for erlang distribution on node '{node}' while OS process '{pid}' is running"
        ));
        let startup = Request {
            command: "await_startup".to_owned(),
            node: local.request.node.clone(),
            timeout_ms: u64::try_from(
                deadline.saturating_duration_since(Instant::now()).as_millis(),
            )
            .ok(),
            ..Request::default()
        };
        let is_alive = || Path::new("/proc").join(&pid).exists();
        let mut stream =
            client::await_node(local.data_dir, deadline, &is_alive).map_err(|gone| match gone {
                client::Gone::TimedOut => timed_out(),
                client::Gone::Process => {
                    Failure::error(exit::UNAVAILABLE, "Error: process is not running.")
                }
            })?;
        (local.progress)(&format!(
            "Waiting for applications 'rabbit_and_plugins' to start on node '{node}'"
        ));
        client::converse(&mut stream, &startup, &mut |_| Ok(()))?;
        (local.progress)(&format!(
            "Applications 'rabbit_and_plugins' are running on node '{node}'"
        ));
        Ok(Output::Nothing)
    }),
    ..Command::BASE
};

/// The number in the file, once there is one. `None` when the time is over.
fn await_pid(file: &Path, deadline: Instant) -> Result<Option<String>, Failure> {
    while Instant::now() < deadline {
        if let Ok(text) = fs::read_to_string(file)
            && !text.trim().is_empty()
        {
            let pid = text.trim();
            return match pid.parse::<u32>() {
                Ok(_) => Ok(Some(pid.to_owned())),
                Err(_) => Err(Failure::error(exit::UNAVAILABLE, "Error: garbage in pid file.")),
            };
        }
        thread::sleep(RETRY);
    }
    Ok(None)
}
