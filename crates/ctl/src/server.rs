//! The half that runs inside the broker: one request per connection, answered by the command's
//! own `run`.

use std::{
    io::{self, BufReader, BufWriter, Write},
    mem,
    os::unix::net::UnixStream,
    time::Duration,
};

use operator::{Operator, RunState, Term};

use crate::{
    commands::{self, Run},
    exit,
    protocol::{self, Failure, Frame, Request},
};

pub use crate::socket::{SOCKET_NAME, SocketName, bind};

/// A tool sends its request at once; one that does not is no tool.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A tool that stops reading its answer is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers one tool and returns. Blocks meanwhile: give it a thread. The caller has made
/// sure that the peer may command this node (same user, or root).
///
/// # Errors
/// The socket's, or a request that is none; nothing that concerns the broker.
pub fn serve_connection(stream: UnixStream, operator: &dyn Operator) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let request: Request = protocol::read(&mut BufReader::new(&stream))?;
    answer(&stream, operator, &request)?;
    if commands::find(&request.command).is_some_and(|command| command.awaits_end) {
        // The tool waits for the end of the process, which is what closes this descriptor. Were
        // it this thread that waits, a shutdown that waits for threads would wait for itself.
        mem::forget(stream);
    }
    Ok(())
}

fn answer(stream: &UnixStream, operator: &dyn Operator, request: &Request) -> io::Result<()> {
    let mut answer = Answering { to: BufWriter::new(stream), failed: None };
    let last = match execute(operator, request, &mut answer) {
        Ok(output) => Frame::Done(output),
        Err(failure) => Frame::Failed(failure),
    };
    answer.send(&last);
    match answer.failed {
        Some(error) => Err(error),
        None => answer.to.flush(),
    }
}

fn execute(
    operator: &dyn Operator,
    request: &Request,
    answer: &mut dyn Sink,
) -> Result<protocol::Output, Failure> {
    let name = operator.node_name();
    if let Some(wanted) = request.node.as_deref().filter(|wanted| !is_same_node(wanted, &name)) {
        let text = format!("the node in this data directory is {name}, not {wanted}");
        return Err(Failure::error(exit::UNAVAILABLE, text));
    }
    let unknown = || Failure::error(exit::USAGE, "the node does not know this command");
    let command = commands::find(&request.command).ok_or_else(unknown)?;
    let Run::OnNode(run) = command.run else { return Err(unknown()) };
    if command.needs_app && operator.run_state() == RunState::AppStopped {
        return Err(Failure::app_stopped());
    }
    answer.begun();
    run(operator, request, answer)
}

/// `rabbit` alone stands for `rabbit@` this host.
fn is_same_node(wanted: &str, name: &str) -> bool {
    wanted == name || name.split_once('@').is_some_and(|(head, _)| head == wanted)
}

/// Where a command's `run` puts what it finds, as it finds it.
pub(crate) trait Sink {
    /// The request is taken on; the tool shows its banner.
    fn begun(&mut self);
    /// Before the first row.
    fn columns(&mut self, names: &[&str], is_headed: bool);
    fn row(&mut self, values: Vec<Term>);
    fn progress(&mut self, line: String);
}

/// Frames onto a socket. After an error nothing more is written.
struct Answering<W: Write> {
    to: W,
    failed: Option<io::Error>,
}

impl<W: Write> Answering<W> {
    fn send(&mut self, frame: &Frame) {
        if self.failed.is_none() {
            self.failed = protocol::write(&mut self.to, frame).err();
        }
    }
}

impl<W: Write> Sink for Answering<W> {
    fn begun(&mut self) {
        self.send(&Frame::Begun);
        if self.failed.is_none() {
            self.failed = self.to.flush().err();
        }
    }

    fn columns(&mut self, names: &[&str], is_headed: bool) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.send(&Frame::Columns { names, is_headed });
    }

    fn row(&mut self, values: Vec<Term>) {
        self.send(&Frame::Row(values));
    }

    fn progress(&mut self, line: String) {
        self.send(&Frame::Progress(line));
        if self.failed.is_none() {
            self.failed = self.to.flush().err();
        }
    }
}
