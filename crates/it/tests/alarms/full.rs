//! A disk without room.

use std::fs::{File, create_dir};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use it::{Login, RawClient, Received, Server};

use crate::QUIET;

/// Time the broker has to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of a message that lies outside of its queue's journal.
const LARGE: usize = 100_000;

/// Bytes of a message that lies in the log, and then on a page with others.
const SMALL: usize = 10_000;

/// Time in which a disk that has garbage on it is not full any more.
const CLEANED: Duration = Duration::from_secs(1);

/// A broker that may be killed with its data on a small disk of its own, in memory.
struct OnSmallDisk {
    server: Server,
    /// Keeps the disk.
    holder: Child,
    child: Child,
}

impl OnSmallDisk {
    fn start(size: &str) -> Self {
        // Only a write that fails says that this disk is full.
        // Little is in memory, as on a disk of a useful size.
        let conf = "disk_free_limit.absolute = 0\nmessage_memory_limit = 1MiB";
        let server = Server::prepare(conf);
        let data = server.dir().join("data");
        create_dir(&data).expect("a directory");
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
            .arg("mount -t tmpfs -o \"size=$0\" none \"$1\" && echo mounted && exec cat")
            .arg(size)
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is there");
        let mut said = [0; 8];
        let read = holder.stdout.as_mut().expect("piped").read_exact(&mut said);
        read.expect("this machine lets its users mount a tmpfs");
        let child = launch(&server, &holder);
        Self { server, holder, child }
    }

    fn kill_and_restart(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
        self.child = launch(&self.server, &self.holder);
    }

    fn resize(&self, size: &str) {
        let status = inside(&self.holder)
            .args(["mount", "-o", &format!("remount,size={size}")])
            .arg(self.server.dir().join("data"))
            .status();
        assert!(status.expect("nsenter is there").success(), "the disk becomes {size}");
    }

    /// A connection with channel 1 open, once the broker accepts it.
    fn open(&self) -> RawClient {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let client = RawClient::connect_open(&self.server.address(), &Login::default());
            if let Ok(mut client) = client {
                client.call(1, "channel.open").expect("a channel");
                return client;
            }
            assert!(Instant::now() < deadline, "no start:\n{}", self.server.log());
            // Another process cannot tell us.
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn assert_runs(&mut self) {
        assert!(matches!(self.child.try_wait(), Ok(None)), "it runs:\n{}", self.server.log());
    }
}

/// A command that sees the small disk.
fn inside(holder: &Child) -> Command {
    let mut command = Command::new("nsenter");
    let target = holder.id().to_string();
    command.args(["--target", &target, "--user", "--mount", "--preserve-credentials"]);
    command
}

fn launch(server: &Server, holder: &Child) -> Child {
    let log = File::options().create(true).append(true).open(server.dir().join("log"));
    let log = log.expect("a log");
    inside(holder)
        .arg(it::command().get_program())
        .arg("server")
        .arg("--config")
        .arg(server.dir().join("rabbitmq.conf"))
        .arg("--data-dir")
        .arg(server.dir().join("data"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file handle"))
        .stderr(log)
        .spawn()
        .expect("nsenter is there")
}

impl Drop for OnSmallDisk {
    fn drop(&mut self) {
        for child in [&mut self.child, &mut self.holder] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Someone who publishes to the queue `work`, each message once the one before is confirmed.
struct Publisher {
    client: RawClient,
    publish: String,
    confirmed: usize,
}

impl Publisher {
    fn start(broker: &OnSmallDisk, body_len: usize) -> Self {
        let mut client = broker.open();
        client.call(1, "queue.declare queue=work durable").expect("declared");
        client.call(1, "confirm.select").expect("confirms");
        let body = "x".repeat(body_len);
        let publish = format!("basic.publish routing-key=work {{delivery-mode=2}} \"{body}\"");
        Self { client, publish, confirmed: 0 }
    }

    /// Publishes until the disk is full and stays so. One message waits then.
    fn fill(&mut self) {
        loop {
            self.client.send(1, &self.publish).expect("a method");
            let mut is_blocked = false;
            loop {
                match self.client.receive_within(CLEANED) {
                    Received::Method(_, text) if text.starts_with("basic.ack") => break,
                    Received::Method(_, text) => {
                        assert!(text.starts_with("connection."), "{text}");
                        is_blocked = text == "connection.blocked reason=\"low on disk\"";
                    }
                    Received::Silence if is_blocked => return,
                    other => panic!("after {} messages: {other:?}", self.confirmed),
                }
            }
            self.confirmed += 1;
        }
    }

    /// The disk has room again: the message that waited is confirmed.
    fn go_on(&mut self) {
        self.client.expect("connection.unblocked").expect("there is room again");
        loop {
            let text = self.client.expect("").expect("it goes on");
            if text.starts_with("basic.ack") {
                self.confirmed += 1;
                return;
            }
        }
    }
}

/// How many messages are in the queue `work`.
fn count(client: &mut RawClient) -> usize {
    let declared = client.call(1, "queue.declare queue=work passive").expect("it is there");
    let found = declared.split("message-count=").nth(1).and_then(|it| it.split(' ').next());
    found.and_then(|it| it.parse().ok()).expect("a count")
}

/// Takes messages and acknowledges each.
fn get_and_ack(client: &mut RawClient, messages: usize) {
    for _ in 0..messages {
        let got = client.call(1, "basic.get queue=work").expect("an answer");
        let tag = got.split("delivery-tag=").nth(1).and_then(|it| it.split(' ').next());
        let tag = tag.unwrap_or_else(|| panic!("{}", &got[..got.len().min(100)]));
        client.send(1, &format!("basic.ack delivery-tag={tag}")).expect("a method");
    }
    // Who sees an answer does not see again what was acknowledged before.
    client.call(1, "basic.qos prefetch-count=10").expect("an answer");
}

/// Consumes messages; with `is_acked` in the way of a consumer that acknowledges each. What it has
/// in hand beyond them goes back.
fn consume(broker: &OnSmallDisk, messages: usize, is_acked: bool) {
    let mut client = broker.open();
    client.call(1, "basic.qos prefetch-count=10").expect("an answer");
    let no_ack = if is_acked { "" } else { " no-ack" };
    client.call(1, &format!("basic.consume queue=work{no_ack}")).expect("consumes");
    for number in 1..=messages {
        let delivered = client.receive();
        let is_delivered =
            matches!(&delivered, Received::Method(_, text) if text.starts_with("basic.deliver"));
        assert!(is_delivered, "message {number} of {messages}");
        if is_acked {
            client.send(1, &format!("basic.ack delivery-tag={number}")).expect("a method");
        }
    }
    client.send(1, "basic.qos prefetch-count=10").expect("a method");
    let mut is_answered = false;
    while !is_answered {
        let Received::Method(_, text) = client.receive() else { panic!("no answer") };
        is_answered = text == "basic.qos-ok";
    }
}

#[test]
fn publishers_wait_on_a_full_disk_and_go_on_when_there_is_room() {
    let mut broker = OnSmallDisk::start("48m");
    let mut publisher = Publisher::start(&broker, LARGE);
    publisher.fill();
    let mut late = broker.open();
    assert_eq!(count(&mut late), publisher.confirmed);
    assert_eq!(publisher.client.receive_within(QUIET), Received::Silence, "nothing is confirmed");
    broker.assert_runs();

    broker.resize("200m");
    publisher.go_on();
    assert_eq!(count(&mut late), publisher.confirmed);
}

/// All goes on but publishing, and makes room for what waits.
fn drain(body_len: usize) {
    let mut broker = OnSmallDisk::start("24m");
    let mut publisher = Publisher::start(&broker, body_len);
    publisher.fill();
    let mut late = broker.open();
    for number in 0..20 {
        late.call(1, &format!("queue.declare queue=q{number} durable")).expect("declared");
    }
    late.call(1, "queue.delete queue=q0").expect("deleted");
    for _ in 0..5 {
        late.call(1, "basic.get queue=work no-ack").expect("an answer");
    }
    get_and_ack(&mut late, 5);
    broker.assert_runs();

    broker.kill_and_restart();
    let confirmed = publisher.confirmed - 10;
    let mut late = broker.open();
    assert_eq!(count(&mut late), confirmed, "nothing is lost, and nothing comes back");
    late.call(1, "queue.declare queue=q19 passive").expect("it is there");
    let mut publisher = Publisher::start(&broker, body_len);
    publisher.fill();
    let confirmed = confirmed + publisher.confirmed;
    get_and_ack(&mut late, confirmed / 4);
    consume(&broker, confirmed / 4, true);
    consume(&broker, confirmed - confirmed / 4 * 2, false);
    publisher.go_on();
    publisher.fill();
    late.call(1, "queue.purge queue=work").expect("purged");
    publisher.go_on();

    broker.kill_and_restart();
    assert_eq!(count(&mut broker.open()), 1, "what was confirmed after that");
}

#[test]
fn large_messages_that_are_consumed_make_room_on_a_full_disk() {
    drain(LARGE);
}

#[test]
fn small_messages_that_are_consumed_make_room_on_a_full_disk() {
    drain(SMALL);
}
