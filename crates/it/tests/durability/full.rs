//! A disk that takes no more.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use it::{Login, RawClient, Server};

/// Blocks of 512 bytes after which a file takes no more.
const FILE_BLOCKS_MAX: u32 = 8192;

/// Bytes of each message; more of them than fit are published.
const BODY_BYTES: usize = 100_000;

/// Time the broker has to start, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The broker with a limit on the size of its files, beyond which the system refuses writes as a
/// full disk does.
fn launch_limited(server: &Server) -> Child {
    let limited = format!("trap '' XFSZ; ulimit -f {FILE_BLOCKS_MAX}; exec \"$0\" \"$@\"");
    let log = File::create(server.dir().join("log")).expect("a log");
    let child = Command::new("sh")
        .args(["-c", &limited])
        .arg(it::command().get_program())
        .arg("server")
        .arg("--config")
        .arg(server.dir().join("rabbitmq.conf"))
        .arg("--data-dir")
        .arg(server.dir().join("data"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file handle"))
        .stderr(log)
        .spawn();
    child.expect("a shell")
}

fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} took too long");
        // Another process cannot tell us.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn open(server: &Server) -> Option<RawClient> {
    let mut client = RawClient::connect_open(&server.address(), &Login::default()).ok()?;
    client.call(1, "channel.open").ok()?;
    Some(client)
}

#[test]
fn a_broker_that_cannot_write_ends_and_has_all_it_confirmed_when_there_is_room_again() {
    fill_the_disk("classic");
}

#[test]
fn a_quorum_queue_has_all_it_confirmed_before_the_disk_was_full() {
    fill_the_disk("quorum");
}

fn fill_the_disk(queue_type: &str) {
    let mut server = Server::prepare("");
    let mut limited = launch_limited(&server);
    let mut client = wait_for("the start", || open(&server));
    let declare =
        format!("queue.declare queue=work durable arguments={{x-queue-type=\"{queue_type}\"}}");
    client.call(1, &declare).expect("declared");
    client.call(1, "confirm.select").expect("confirms");
    let body = "x".repeat(BODY_BYTES);
    let publish = format!("basic.publish routing-key=work {{delivery-mode=2}} \"{body}\"");
    let confirmed = (0..1000)
        .take_while(|_| client.call(1, &publish).is_ok_and(|it| it.starts_with("basic.ack")))
        .count();
    assert!(0 < confirmed && confirmed < 1000, "{confirmed} confirmed");

    let status = wait_for("the end", || limited.try_wait().expect("a child"));
    let log = server.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("the log failed; nothing is confirmed any more"), "{log}");
    assert!(log.contains("took a write no more"), "{log}");

    server.restart();
    let mut client = open(&server).expect("it serves again");
    let declared = client.call(1, "queue.declare queue=work passive").expect("still there");
    let found = declared.split("message-count=").nth(1).and_then(|it| it.split(' ').next());
    let found: usize = found.and_then(|it| it.parse().ok()).expect("a count");
    assert!(confirmed <= found && found <= confirmed + 1, "{confirmed} confirmed, {found} there");
}
