//! The one binary: the server, the operators' tools and the load generator.
//!
//! Wires everything together and decides nothing. Under the name of one of RabbitMQ's tools (a
//! link, or the first argument) it is that tool.
#![forbid(unsafe_code)]

mod check_data;
mod collector;
mod definitions;
mod events;
mod listeners;
mod logging;
mod operator;
mod server;
mod tasks;

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Many small blocks are freed by another thread than the one that allocated them: consumers'
/// connections free what publishers' connections made.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The name of RabbitMQ's start script.
const SERVER: &str = "rabbitmq-server";

/// The operators' tools are no commands of their own: each is a name of this binary.
const TOOLS: &str = "\
RabbitMQ's tools, as `leveret NAME ...` or as links of that name to this binary:
  rabbitmqctl, rabbitmq-diagnostics, rabbitmq-plugins, rabbitmq-queues, rabbitmq-streams,
  rabbitmq-upgrade, rabbitmq-server";

/// A message broker that takes RabbitMQ's place.
#[derive(Parser)]
#[command(name = "leveret", version, about, after_help = TOOLS)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the broker (also without any command).
    Server(server::ServerArguments),
    /// Verifies the data of a stopped broker and changes nothing. Exits with 0 when it is sound,
    /// 1 when something is damaged, 2 when it cannot be checked.
    CheckData(check_data::CheckArguments),
    /// Loads any AMQP 0-9-1 broker and measures it.
    #[command(disable_help_flag = true)]
    Perf {
        /// See `leveret perf --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let name = arguments.first().map(Path::new).and_then(Path::file_name);
    let name = name.and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    if let Some(tool) = tool_named(&name) {
        return ctl::main(tool, arguments.split_off(1));
    }
    // `leveret rabbitmqctl list_queues` does without links.
    if let Some(tool) = arguments.get(1).and_then(|it| it.to_str()).and_then(tool_named) {
        return ctl::main(tool, arguments.split_off(2));
    }
    if name == SERVER {
        return rabbitmq_server(&arguments[1..]);
    }
    if arguments.get(1).is_some_and(|it| it == SERVER) {
        return rabbitmq_server(&arguments[2..]);
    }
    match Arguments::parse().command {
        None => server::run(&server::ServerArguments::default()),
        Some(Command::Server(arguments)) => server::run(&arguments),
        Some(Command::CheckData(arguments)) => check_data::run(&arguments),
        Some(Command::Perf { arguments }) => perf::main(arguments),
    }
}

/// RabbitMQ's start script: the server, in the foreground or, with `-detached`, behind.
fn rabbitmq_server(arguments: &[OsString]) -> ExitCode {
    match arguments {
        [] => server::run(&server::ServerArguments::default()),
        [only] if only == "-detached" => match detach() {
            Ok(true) => ExitCode::SUCCESS,
            // It has said why.
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                drop(writeln!(io::stderr(), "rabbitmq-server: cannot start: {error}"));
                ExitCode::FAILURE
            }
        },
        _ => {
            let text = "usage: rabbitmq-server [-detached]\n\nRuns the broker; `leveret server \
                        --help` tells of its options.";
            let is_help = arguments.iter().any(|it| it == "--help" || it == "-h");
            drop(writeln!(io::stderr(), "{text}"));
            if is_help { ExitCode::SUCCESS } else { ExitCode::from(64) }
        }
    }
}

/// Starts the server as a process of its own, without a terminal, and waits until it runs; false if
/// it ended instead.
fn detach() -> io::Result<bool> {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    let mut server = Command::new(std::env::current_exe()?);
    server.args(["server", "--detached"]).process_group(0);
    server.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = server.spawn()?;
    let mut said = String::new();
    if let Some(stdout) = server.stdout.take() {
        io::BufReader::new(stdout).read_line(&mut said)?;
    }
    if said == server::RUNNING_LINE {
        return Ok(true);
    }
    if let Some(mut stderr) = server.stderr.take() {
        io::copy(&mut stderr, &mut io::stderr())?;
    }
    server.wait()?;
    Ok(false)
}

/// The operators' tool of this name.
fn tool_named(name: &str) -> Option<&'static str> {
    ctl::TOOLS.into_iter().find(|tool| *tool == name)
}
