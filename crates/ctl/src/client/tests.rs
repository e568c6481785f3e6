//! Transcripts in the form in which RabbitMQ's own tools were recorded: `$ command line`, standard
//! output, `[stderr]` and standard error, `[exit N]`. A fake broker answers through a real socket.

mod fake;

use std::{fmt::Write as _, io::BufReader, path::Path, thread};

use expect_test::{ExpectFile, expect_file};

use self::fake::Fake;
use super::*;
use crate::server;

/// Runs every command line of a transcript and compares all they print.
fn check(transcript: ExpectFile) {
    let dir = tempfile::tempdir().expect("a directory for the socket");
    let (listener, _name) = server::bind(dir.path()).expect("a socket");
    let fake = Fake::default();
    let mut actual = String::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok((stream, _)) = listener.accept() {
                // A ping hangs up without a request.
                let _ = server::serve_connection(stream, &fake);
                if fake.is_over() {
                    break;
                }
            }
        });
        for line in transcript.data().lines().filter(|line| line.starts_with("$ ")) {
            actual.push_str(&run(line, dir.path()));
        }
        fake.end();
        drop(socket::connect(dir.path()));
    });
    transcript.assert_eq(&actual);
}

/// One command line; what stands behind `# stdin` is its input.
fn run(line: &str, data_dir: &Path) -> String {
    let (command, stdin) = line.split_once("    # stdin ").unwrap_or((line, ""));
    let mut words = split(command.trim_start_matches("$ ")).into_iter();
    let tool = Tool::from_name(&words.next().expect("a tool's name"));
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit = main(
        tool,
        &words.collect::<Vec<_>>(),
        &mut Terminal {
            stdin: &mut BufReader::new(stdin.as_bytes()),
            stdout: &mut stdout,
            stderr: &mut stderr,
            is_interactive: false,
            node: "rabbit@localhost".to_owned(),
            data_dir: data_dir.to_owned(),
        },
    );
    let mut shown = format!("{line}\n{}", String::from_utf8_lossy(&stdout));
    let stderr = String::from_utf8_lossy(&stderr).replace(&*data_dir.to_string_lossy(), "DIR");
    if !stderr.is_empty() {
        write!(shown, "[stderr]\n{stderr}").expect("a string takes all");
    }
    writeln!(shown, "[exit {exit}]\n").expect("a string takes all");
    shown
}

/// Words as a shell would see them, with either kind of quotes.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut is_open) = (String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, is_open) = (Some(c), true),
            (None, ' ') if is_open => {
                words.push(std::mem::take(&mut word));
                is_open = false;
            }
            (None, ' ') => {}
            (None, c) => {
                word.push(c);
                is_open = true;
            }
        }
    }
    if is_open {
        words.push(word);
    }
    words
}

#[test]
fn tutorials() {
    check(expect_file!["tests/transcripts/tutorials.txt"]);
}

#[test]
fn policies_and_parameters() {
    check(expect_file!["tests/transcripts/policies.txt"]);
}

#[test]
fn users_and_permissions() {
    check(expect_file!["tests/transcripts/users.txt"]);
}

#[test]
fn tracing() {
    check(expect_file!["tests/transcripts/tracing.txt"]);
}

#[test]
fn vhosts_and_limits() {
    check(expect_file!["tests/transcripts/vhosts.txt"]);
}

#[test]
fn lists_and_their_formats() {
    check(expect_file!["tests/transcripts/lists.txt"]);
}

#[test]
fn the_node() {
    check(expect_file!["tests/transcripts/node.txt"]);
}

#[test]
fn maintenance_and_the_stopped_application() {
    check(expect_file!["tests/transcripts/maintenance.txt"]);
}

#[test]
fn plugins() {
    check(expect_file!["tests/transcripts/plugins.txt"]);
}

#[test]
fn wrong_use() {
    check(expect_file!["tests/transcripts/wrong_use.txt"]);
}

#[test]
fn without_a_node() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut actual = String::new();
    let transcript = expect_file!["tests/transcripts/node_down.txt"];
    for line in transcript.data().lines().filter(|line| line.starts_with("$ ")) {
        actual.push_str(&run(line, dir.path()));
    }
    transcript.assert_eq(&actual);
}

#[test]
fn a_data_directory_with_a_long_path_has_a_socket_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let deep = dir.path().join("d".repeat(200));
    std::fs::create_dir(&deep).expect("a directory in it");
    let (listener, _name) = server::bind(&deep).expect("a socket");
    let stream = socket::connect(&deep).expect("a connection");
    listener.accept().expect("the other end");
    drop(stream);
}

#[test]
fn a_request_that_is_none_ends_only_its_connection() {
    let fake = Fake::default();
    let whole =
        protocol_bytes(&Request { command: "list_queues".to_owned(), ..Request::default() });
    for bytes in [&b"\xff\xff\xff\xff"[..], b"\0\0\0\x02{]", &whole[..whole.len() - 1]] {
        let (mut tool, node) = UnixStream::pair().expect("a pair");
        tool.write_all(bytes).expect("room for a few bytes");
        tool.shutdown(std::net::Shutdown::Write).expect("an open socket");
        assert!(server::serve_connection(node, &fake).is_err(), "{bytes:?}");
    }
}

fn protocol_bytes(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    protocol::write(&mut bytes, request).expect("a vector takes all");
    bytes
}

#[test]
fn stop_returns_when_the_process_of_the_node_has_gone() {
    let dir = tempfile::tempdir().expect("a directory for the socket");
    let (listener, _name) = server::bind(dir.path()).expect("a socket");
    thread::scope(|scope| {
        scope.spawn(|| {
            // A node whose process ends right after it has answered.
            let (mut stream, _) = listener.accept().expect("the tool");
            let request: Request = protocol::read(&mut stream).expect("its request");
            assert_eq!(request.command, "stop");
            protocol::write(&mut stream, &Frame::Done(Output::Nothing)).expect("a reader");
        });
        let shown = run("$ rabbitmqctl stop", dir.path());
        assert!(shown.ends_with("Stopping and halting node rabbit@localhost ...\n[exit 0]\n\n"));
    });
}

#[test]
fn the_node_does_not_wait_for_the_tool_that_waits_for_its_end() {
    let (mut tool, node) = UnixStream::pair().expect("a pair");
    let request = Request { command: "stop".to_owned(), ..Request::default() };
    tool.write_all(&protocol_bytes(&request)).expect("room for a few bytes");
    let fake = Fake::default();
    server::serve_connection(node, &fake).expect("an answer");
    assert!(fake.is_over());
    assert_eq!(protocol::read::<Frame>(&mut tool).expect("it"), Frame::Begun);
    assert_eq!(protocol::read::<Frame>(&mut tool).expect("it"), Frame::Done(Output::Nothing));
    tool.set_nonblocking(true).expect("an open socket");
    let open = tool.read(&mut [0]).expect_err("the connection lasts as long as the process");
    assert!(is_timeout(&open));
}
