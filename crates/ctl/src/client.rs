//! The half that runs in the tool: words in, text and exit code out.

use std::{
    cell::RefCell,
    io::{self, BufRead, BufReader, IsTerminal, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command as Process,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    args,
    commands::{self, Command, Local, Misuse, Run, Tool},
    exit,
    format::{Format, Rows},
    protocol::{self, Failure, Frame, Output, Request},
    socket, suggest, usage,
};

/// How often to try again while a node is not there yet.
const RETRY: Duration = Duration::from_millis(20);

/// Where the text goes and the passwords come from.
pub(crate) struct Terminal<'a> {
    pub(crate) stdin: &'a mut dyn BufRead,
    pub(crate) stdout: &'a mut dyn Write,
    pub(crate) stderr: &'a mut dyn Write,
    /// Whether someone sits there, whose password must not be shown.
    pub(crate) is_interactive: bool,
    /// The node's name when `-n` does not say.
    pub(crate) node: String,
    /// Where the node is when `--data-dir` does not say.
    pub(crate) data_dir: PathBuf,
}

/// Options that concern the tool and not the command.
struct Settings {
    data_dir: PathBuf,
    node: String,
    is_quiet: bool,
    has_header: bool,
    is_dry_run: bool,
    format: Format,
}

/// Runs a command line; gives its exit code.
pub(crate) fn main(tool: Tool, words: &[String], terminal: &mut Terminal<'_>) -> u8 {
    match run(tool, words, terminal) {
        Ok(()) => exit::OK,
        Err(failure) => {
            // First what came before it.
            let _ = terminal.stdout.flush();
            let to: &mut dyn Write =
                if failure.exit == exit::OK { terminal.stdout } else { terminal.stderr };
            // Nobody is left to tell when the streams are closed.
            if !failure.text.is_empty() {
                let _ = writeln!(to, "{}", failure.text);
            }
            let _ = to.flush();
            failure.exit
        }
    }
}

fn run(tool: Tool, words: &[String], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let words: Vec<String> = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => return Err(Failure::plain(exit::USAGE, usage::all(tool))),
        ["--help" | "-?"] => return Err(Failure::plain(exit::OK, usage::all(tool))),
        ["--version"] => vec!["version".to_owned()],
        ["--auto-complete", rest @ ..] => {
            std::iter::once("autocomplete").chain(rest.iter().copied()).map(str::to_owned).collect()
        }
        _ => words.to_vec(),
    };
    let command = find(tool, &words)?;
    let parsed = args::parse(&words, command.options);
    let misuse = |misuse: &Misuse| misused(misuse, command, tool, &words);
    if !parsed.invalid.is_empty() {
        return Err(misuse(&Misuse::BadOptions(parsed.invalid)));
    }
    if parsed.options.get("help").is_some_and(|help| help == "true") {
        return Err(Failure::plain(exit::OK, usage::of(command, tool)));
    }
    let settings = Settings::from(&parsed, command, terminal)?;
    let mut request = Request {
        command: command.name.to_owned(),
        node: parsed.options.get("node").cloned(),
        vhost: parsed.options.get("vhost").cloned(),
        arguments: parsed.arguments.into_iter().skip(1).collect(),
        timeout_ms: parsed
            .options
            .get("timeout")
            .and_then(|seconds| seconds.parse::<u64>().ok())
            .map(|seconds| seconds.saturating_mul(1000))
            .or(command.timeout_ms),
        options: parsed.options,
    };
    (command.prepare)(&mut request).map_err(|wrong| misuse(&wrong))?;
    let node = match command.run {
        Run::OnNode(_) if !settings.is_dry_run => reach(command, &request, &settings),
        _ => Ok(Reached::NotNeeded),
    };
    // Where the node may yet refuse, the banner waits for its word.
    let has_late_banner = matches!(node, Ok(Reached::Node(_)))
        && !command.has_early_banner
        && command.password != Some(request.arguments.len());
    if command.has_early_banner || (node.is_ok() && !has_late_banner) {
        show_banner(command, &request, &settings, terminal.stdout)?;
    }
    let node = node?;
    if settings.is_dry_run {
        return Ok(());
    }
    ask_password(command, &mut request, terminal)?;
    let result = match (command.run, node) {
        (Run::Here(run), _) => here(run, tool, &request, &settings, terminal),
        (_, Reached::Node(stream)) => {
            on_node(command, stream, &request, &settings, has_late_banner, terminal)
        }
        (_, Reached::Down(text)) => Ok(Output::Text(text)),
        (Run::OnNode(_), Reached::NotNeeded) => Ok(Output::Nothing),
    };
    match result {
        Ok(output) => {
            settings.format.output(&output, terminal.stdout).map_err(closed)?;
            terminal.stdout.flush().map_err(closed)
        }
        Err(Failure { exit, json: Some(json), .. }) if settings.format == Format::Json => {
            Err(Failure::plain(exit, json.to_string()))
        }
        Err(failure) if failure.is_app_stopped() => {
            Err(Failure::plain(failure.exit, with_usage(&failure.text, command, tool, &words)))
        }
        Err(failure) => Err(failure),
    }
}

/// What came of connecting to the node.
enum Reached {
    Node(UnixStream),
    /// It is down, and that is as well; what to say.
    Down(String),
    /// The command needs none.
    NotNeeded,
}

fn reach(command: &Command, request: &Request, settings: &Settings) -> Result<Reached, Failure> {
    let timeout = request.timeout_ms.map(Duration::from_millis);
    let stream = match timeout.filter(|_| command.awaits_start) {
        Some(timeout) => await_node(&settings.data_dir, Instant::now() + timeout, &|| true)
            .map_err(|_| late(request, settings))?,
        None => match socket::connect(&settings.data_dir) {
            Ok(stream) => stream,
            Err(_) if request.has("idempotent") => {
                let text = format!("Node {} is no longer running", settings.node);
                return Ok(Reached::Down(text));
            }
            Err(error) => return Err(unreachable(settings, &error)),
        },
    };
    stream.set_read_timeout(timeout.filter(|t| !t.is_zero())).map_err(closed)?;
    Ok(Reached::Node(stream))
}

fn late(request: &Request, settings: &Settings) -> Failure {
    timed_out(&request.command, &settings.node, request.timeout_ms.unwrap_or(0))
}

fn show_banner(
    command: &Command,
    request: &Request,
    settings: &Settings,
    to: &mut dyn Write,
) -> Result<(), Failure> {
    if settings.is_quiet || settings.format.is_machine_readable() {
        return Ok(());
    }
    for line in (command.banner)(request, &settings.node) {
        print(to, &line)?;
    }
    to.flush().map_err(closed)
}

impl Settings {
    fn from(
        parsed: &args::Words,
        command: &Command,
        terminal: &Terminal<'_>,
    ) -> Result<Self, Failure> {
        let option = |name: &str| parsed.options.get(name).map(String::as_str);
        let is = |name: &str| option(name) == Some("true");
        let format = match option("formatter") {
            None => command.format,
            Some(name) => Format::from_name(name).ok_or_else(|| {
                let text = format!("there is no formatter '{name}'");
                Failure::plain(exit::UNKNOWN_FORMATTER, format!("** (ArgumentError) {text}"))
            })?,
        };
        Ok(Self {
            data_dir: option("data-dir").map_or_else(|| terminal.data_dir.clone(), PathBuf::from),
            node: option("node").unwrap_or(&terminal.node).to_owned(),
            is_quiet: is("quiet") || is("silent"),
            has_header: !is("silent") && option("table-headers") != Some("false"),
            is_dry_run: is("dry-run"),
            format,
        })
    }
}

/// The command among the words, or what RabbitMQ says when there is none.
fn find(tool: Tool, words: &[String]) -> Result<&'static Command, Failure> {
    let arguments = args::parse(words, &[]).arguments;
    let Some(name) = arguments.first() else {
        return Err(Failure::plain(exit::USAGE, usage::all(tool)));
    };
    if let Some(command) = commands::find(name).filter(|found| found.tools.contains(&tool)) {
        return Ok(command);
    }
    if commands::known_names(tool).any(|known| known == name) {
        let text = format!("\nCommand '{name}' is RabbitMQ's, but not available here yet.");
        return Err(Failure::plain(exit::USAGE, text));
    }
    let not_found = format!("\nCommand '{name}' not found. \n");
    Err(Failure::plain(
        exit::USAGE,
        match suggest::nearest(name, commands::known_names(tool)) {
            Some(nearest) => format!("{not_found}Did you mean '{nearest}'? \n"),
            None => not_found + &usage::all(tool),
        },
    ))
}

fn misused(misuse: &Misuse, command: &Command, tool: Tool, words: &[String]) -> Failure {
    let text = format!("Error (argument validation): {}", misuse.text());
    Failure::plain(misuse.exit(), with_usage(&text, command, tool, words))
}

/// An error followed by what was typed and how it should be.
fn with_usage(text: &str, command: &Command, tool: Tool, words: &[String]) -> String {
    let usage = usage::short(command, tool);
    format!("{text}\nArguments given:\n\t{}\n{usage}", words.join(" "))
}

/// Completes the arguments by a password from standard input.
fn ask_password(
    command: &Command,
    request: &mut Request,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    if command.password != Some(request.arguments.len()) {
        return Ok(());
    }
    let broken = |error: io::Error| Failure::error(exit::SOFTWARE, error.to_string());
    write!(terminal.stdout, "Password: ").map_err(broken)?;
    terminal.stdout.flush().map_err(broken)?;
    let echo = |setting: &str| {
        if terminal.is_interactive {
            // Without stty the password is shown, as without a terminal it would be anyway.
            let _ = Process::new("stty").arg(setting).status();
        }
    };
    echo("-echo");
    let mut line = String::new();
    let read = terminal.stdin.read_line(&mut line);
    echo("echo");
    print(terminal.stdout, "")?;
    read.map_err(broken)?;
    match line.trim_end_matches(['\n', '\r']) {
        "" => {
            let text = "Password is not provided via argument or stdin";
            Err(Failure::error(command.no_password_exit, text))
        }
        password => {
            request.arguments.push(password.to_owned());
            Ok(())
        }
    }
}

fn here(
    run: fn(&Local<'_>) -> Result<Output, Failure>,
    tool: Tool,
    request: &Request,
    settings: &Settings,
    terminal: &mut Terminal<'_>,
) -> Result<Output, Failure> {
    let stdout = RefCell::new(&mut *terminal.stdout);
    let progress = |line: &str| {
        let mut to = stdout.borrow_mut();
        if !settings.is_quiet {
            // When nobody reads, the wait still goes on.
            let _ = writeln!(to, "{line}").and_then(|()| to.flush());
        }
    };
    let (node, data_dir) = (settings.node.as_str(), settings.data_dir.as_path());
    run(&Local { tool, request, node, data_dir, progress: &progress })
}

fn on_node(
    command: &Command,
    mut stream: UnixStream,
    request: &Request,
    settings: &Settings,
    has_late_banner: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Output, Failure> {
    let mut rows: Option<Rows<'_>> = None;
    let mut waiting: Option<&mut dyn Write> = Some(terminal.stdout);
    let output = converse(&mut stream, request, &mut |frame| {
        match (frame, rows.as_mut()) {
            (Frame::Begun, _) => {
                if let Some(to) = waiting.as_mut().filter(|_| has_late_banner) {
                    show_banner(command, request, settings, *to)
                        .map_err(|failure| io::Error::other(failure.text))?;
                }
            }
            (Frame::Columns { names, is_headed }, _) => {
                let has_header = settings.has_header && is_headed;
                if let Some(to) = waiting.take() {
                    rows = Some(Rows::new(settings.format, has_header, names, to)?);
                }
            }
            (Frame::Row(values), Some(rows)) => rows.row(values)?,
            (Frame::Progress(line), _) => {
                if let Some(to) = waiting.as_mut() {
                    writeln!(to, "{line}")?;
                    to.flush()?;
                }
            }
            _ => {}
        }
        Ok(())
    });
    let output = match output {
        Err(failure) if failure.exit == exit::TEMPFAIL => return Err(late(request, settings)),
        output => output,
    };
    let has_rows = rows.is_some();
    if let Some(rows) = rows {
        rows.finish().map_err(closed)?;
    }
    let output = match output {
        Ok(Output::Nothing) if !has_rows && settings.format == Format::Json => {
            let value = serde_json::json!({ "node": settings.node, "result": "ok" });
            Ok(Output::Report { text: String::new(), value })
        }
        output => output,
    };
    if output.is_ok() && command.awaits_end && !is_off(request, "wait") {
        // The end of the process ends the connection.
        match stream.read_to_end(&mut Vec::new()) {
            Err(error) if is_timeout(&error) => return Err(late(request, settings)),
            _ => {}
        }
    }
    output
}

fn is_off(request: &Request, flag: &str) -> bool {
    request.options.get(flag).is_some_and(|value| value == "false")
}

/// Sends a request and hands on every frame but the last, which is the result.
pub(crate) fn converse(
    stream: &mut UnixStream,
    request: &Request,
    each: &mut dyn FnMut(Frame) -> io::Result<()>,
) -> Result<Output, Failure> {
    let failed = |error: io::Error| match is_timeout(&error) {
        true => Failure::plain(exit::TEMPFAIL, "out of time"),
        false => Failure::error(exit::UNAVAILABLE, format!("the node hung up: {error}")),
    };
    protocol::write(stream, request).map_err(failed)?;
    let stream = &*stream;
    // The answer is read whether anybody reads what is shown of it or not: the node waits for no
    // pager.
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            let mut frames = BufReader::new(stream);
            loop {
                let frame = protocol::read(&mut frames);
                let is_last = matches!(frame, Ok(Frame::Done(_) | Frame::Failed(_)) | Err(_));
                if sender.send(frame).is_err() || is_last {
                    return;
                }
            }
        });
        for frame in receiver {
            match frame.map_err(failed)? {
                Frame::Done(output) => return Ok(output),
                Frame::Failed(failure) => return Err(failure),
                frame => each(frame).map_err(closed)?,
            }
        }
        Err(failed(io::ErrorKind::UnexpectedEof.into()))
    })
}

/// Why waiting for a node was in vain.
pub(crate) enum Gone {
    TimedOut,
    /// The process that was to become the node has ended.
    Process,
}

/// Connects as soon as there is a node.
pub(crate) fn await_node(
    data_dir: &Path,
    deadline: Instant,
    is_alive: &dyn Fn() -> bool,
) -> Result<UnixStream, Gone> {
    loop {
        if let Ok(stream) = socket::connect(data_dir) {
            return Ok(stream);
        }
        if !is_alive() {
            return Err(Gone::Process);
        }
        if deadline <= Instant::now() {
            return Err(Gone::TimedOut);
        }
        thread::sleep(RETRY);
    }
}

/// RabbitMQ's sentence for a wait that was in vain.
pub(crate) fn timed_out(command: &str, node: &str, timeout_ms: u64) -> Failure {
    let text = format!(
        "Error: operation {command} on node {node} timed out. Timeout value used: {timeout_ms}"
    );
    Failure::plain(exit::TEMPFAIL, text)
}

/// Begins as RabbitMQ's text does, for those who look for it.
fn unreachable(settings: &Settings, reason: &io::Error) -> Failure {
    let socket = settings.data_dir.join(socket::SOCKET_NAME);
    Failure::plain(
        exit::UNAVAILABLE,
        format!(
            "Error: unable to perform an operation on node '{}'. Please see diagnostics \
             information and suggestions below.\n\nMost common reasons for this are:\n\n * Target \
             node is not running\n * It uses another data directory (see --data-dir and \
             LEVERET_DATA_DIR)\n * It runs as another user\n\nDIAGNOSTICS\n===========\n\n\
             attempted to contact: [{}]\n\n{}:\n  * socket {}: {reason}\n",
            settings.node,
            settings.node,
            settings.node,
            socket.display()
        ),
    )
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Whoever read the output has gone (`rabbitmqctl list_queues | head`).
fn closed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::plain(exit::SOFTWARE, ""),
        _ => Failure::plain(exit::SOFTWARE, format!("cannot write: {error}")),
    }
}

fn print(to: &mut dyn Write, line: &str) -> Result<(), Failure> {
    writeln!(to, "{line}").map_err(closed)
}

/// Whether a password would be typed by a person.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

#[cfg(test)]
mod tests;
