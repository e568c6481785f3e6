//! The operators' command line: `rabbitmqctl`, `rabbitmq-diagnostics` and their kin, and the half
//! of it that answers inside a running broker.
//!
//! Knows: RabbitMQ's commands, flags, texts, columns, output formats and exit codes; a private
//! protocol of length-prefixed JSON over a Unix socket in the data directory.
//!
//! Must not know: how the broker does what it is asked; [`operator::Operator`] is all it sees. No tokio: a
//! command must be over in milliseconds.
#![forbid(unsafe_code)]

mod args;
mod client;
mod columns;
mod commands;
mod exit;
mod format;
mod protocol;
pub mod server;
mod socket;
mod suggest;
mod usage;

use std::{
    ffi::OsString,
    io::{self, BufWriter},
    process::ExitCode,
};

pub use commands::plugins::BUILT_IN as BUILT_IN_PLUGINS;

/// The names under which the executable is one of these tools. `rabbitmq-server` is not among
/// them: it is the broker itself.
pub const TOOLS: [&str; 6] = [
    commands::Tool::Ctl.name(),
    commands::Tool::Diagnostics.name(),
    commands::Tool::Plugins.name(),
    commands::Tool::Queues.name(),
    commands::Tool::Streams.name(),
    commands::Tool::Upgrade.name(),
];

/// Runs the tool of that name (`rabbitmqctl` for any other) with the words behind it.
#[must_use]
pub fn main(tool: &str, args: Vec<OsString>) -> ExitCode {
    let words: Vec<String> =
        args.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut terminal = client::Terminal {
        stdin: &mut io::stdin().lock(),
        stdout: &mut BufWriter::new(io::stdout()),
        stderr: &mut io::stderr(),
        is_interactive: client::is_terminal(),
        node: config::default_node_name(),
        data_dir: config::default_data_dir(),
    };
    ExitCode::from(client::main(commands::Tool::from_name(tool), &words, &mut terminal))
}
