use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Command, DIAGNOSTICS, MONITORING, Run};
use crate::{
    args::{integer, short},
    exit,
    protocol::{Failure, Output, Request},
};

/// Lines that are shown unless told otherwise.
const LINES_DEFAULT: usize = 50;

/// Bytes at the end of a log that are looked at: lines further up are not shown.
const TAIL_MAX: u64 = 8 << 20;

pub(super) const COMMAND: Command = Command {
    name: "log_tail",
    tools: DIAGNOSTICS,
    section: MONITORING,
    usage: "[--number|-N <number>] [--timeout <timeout>]",
    about: "Shows the last lines of the log",
    options: &[short(integer("number"), 'N')],
    banner: |request, node| vec![format!("Last {} log lines on node {node} ...", number(request))],
    needs_app: false,
    run: Run::OnNode(|operator, request, _| {
        let files = operator.status().log_files;
        let Some(file) = files.iter().map(Path::new).find(|file| file.is_absolute()) else {
            return Err(Failure::error(exit::UNAVAILABLE, "The log is in no file, see log.file"));
        };
        match tail(file, number(request)) {
            Ok(text) => Ok(Output::Text(text)),
            Err(error) => {
                let text = format!("cannot read {}: {error}", file.display());
                Err(Failure::error(exit::UNAVAILABLE, text))
            }
        }
    }),
    ..Command::BASE
};

fn number(request: &Request) -> usize {
    let number = request.options.get("number").and_then(|value| value.parse().ok());
    number.unwrap_or(LINES_DEFAULT)
}

/// The last lines of a file.
fn tail(path: &Path, lines: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_MAX)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}
