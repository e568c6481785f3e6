//! What operators do to a running broker, as clients see it.

mod logging;

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::process::{Command, Output};

use it::{Server, command};

fn is_open(server: &Server) -> bool {
    std::net::TcpStream::connect(server.address()).is_ok()
}

/// Runs a tool that must succeed; returns what it printed.
fn ctl(server: &Server, tool: &str, words: &[&str]) -> String {
    let output = server.ctl(tool, words);
    assert!(output.status.success(), "{tool} {words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn maintenance_closes_the_ports_until_it_ends_and_keeps_all_messages() {
    let server = Server::start("");
    let mut before = server.channel();
    before.call(1, "queue.declare queue=q").expect("declared");
    before.call(1, "confirm.select").expect("confirms");
    before.call(1, "basic.publish routing-key=q \"kept\"").expect("a confirm");

    ctl(&server, "rabbitmq-upgrade", &["drain"]);
    assert!(!is_open(&server));
    let status = ctl(&server, "rabbitmqctl", &["status"]);
    assert!(status.contains("Is under maintenance?: true"), "{status}");
    // Once more is fine, and the listings go on.
    ctl(&server, "rabbitmq-upgrade", &["drain"]);
    assert_eq!(ctl(&server, "rabbitmqctl", &["list_queues", "-s"]), "q\t1\n");

    ctl(&server, "rabbitmq-upgrade", &["revive"]);
    let got = server.channel().call(1, "basic.get queue=q no-ack").expect("an answer");
    assert!(got.contains("\"kept\""), "{got}");
    let status = ctl(&server, "rabbitmqctl", &["status"]);
    assert!(status.contains("Is under maintenance?: false"), "{status}");
    ctl(&server, "rabbitmq-upgrade", &["revive"]);
    drop(server.channel());
}

#[test]
fn a_stopped_application_lets_nobody_in_and_comes_back_without_what_is_transient() {
    let server = Server::start("");
    let mut before = server.channel();
    before.call(1, "queue.declare queue=durable durable").expect("declared");
    before.call(1, "queue.declare queue=transient").expect("declared");

    ctl(&server, "rabbitmqctl", &["stop_app"]);
    assert!(!is_open(&server));
    let refused = server.ctl("rabbitmqctl", &["list_queues"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(refused.stdout.is_empty());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("requires the 'rabbit' app to be running"), "{text}");
    ctl(&server, "rabbitmqctl", &["ping"]);

    ctl(&server, "rabbitmqctl", &["start_app"]);
    drop(server.channel());
    assert_eq!(ctl(&server, "rabbitmqctl", &["list_queues", "-s", "name"]), "durable\n");

    // An application that runs is not started again.
    server.channel().call(1, "queue.declare queue=transient").expect("declared");
    ctl(&server, "rabbitmqctl", &["start_app"]);
    let names = ctl(&server, "rabbitmqctl", &["list_queues", "-s", "name"]);
    assert_eq!(names, "durable\ntransient\n");
}

#[test]
fn a_broker_under_maintenance_or_with_a_stopped_application_can_be_stopped() {
    for (tool, command) in [("rabbitmq-upgrade", "drain"), ("rabbitmqctl", "stop_app")] {
        let mut server = Server::start("");
        ctl(&server, tool, &[command]);
        ctl(&server, "rabbitmqctl", &["stop"]);
        server.restart();
        drop(server.channel());
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    let mut server = Server::prepare("log.dir = {dir}\nlog.file = pipe\n");
    let pipe = server.dir().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    // Open, so that the broker can write, and never read.
    let _unread = OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    server.restart();
    // Each leaves some lines: a pipe holds those of two hundred.
    for _ in 0..500 {
        drop(server.channel());
    }
    let mut client = server.channel();
    client.call(1, "queue.declare queue=q").expect("it still answers");
}

/// Runs `rabbitmq-server -detached` where `server` would run.
fn start_detached(server: &Server) -> Output {
    let mut start = command();
    start.args(["rabbitmq-server", "-detached"]);
    start.env("LEVERET_DATA_DIR", server.dir().join("data"));
    start.env("RABBITMQ_CONFIG_FILE", server.dir().join("rabbitmq.conf"));
    start.output().expect("the binary was built")
}

#[test]
fn a_detached_start_tells_how_it_went_and_logs_to_a_file() {
    let server = Server::prepare("");
    let taken = TcpListener::bind(server.address()).expect("a free port");
    let failed = start_detached(&server);
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(said.contains(&format!("cannot listen on {}", server.address())), "{said}");
    let socket = server.dir().join("data/ctl.sock");
    assert!(!socket.exists(), "nobody answers there");
    drop(taken);

    let started = start_detached(&server);
    assert_eq!(started.status.code(), Some(0), "{}", String::from_utf8_lossy(&started.stderr));
    drop(server.channel());
    let stopped = server.ctl("rabbitmqctl", &["shutdown"]);
    assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
    assert!(!socket.exists(), "nobody answers there any more");
    let logs = fs::read_dir(server.dir().join("data/log-files")).expect("a directory of logs");
    let texts = logs.map(|log| fs::read_to_string(log.expect("an entry").path()).expect("a text"));
    let text: String = texts.collect();
    assert!(text.contains("Time to start") && text.contains("stopped"), "{text}");
}
