//! A disk without room.

use std::fs::{File, create_dir};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use it::{Login, RawClient, Received, Server};

use crate::QUIET;

/// Time the broker has to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of each message.
const BODY_LEN: usize = 100_000;

/// The broker with its data on a small disk of its own, in memory.
struct OnSmallDisk {
    server: Server,
    child: Child,
}

impl OnSmallDisk {
    fn start(size: &str) -> Self {
        // Only a write that fails says that this disk is full.
        let server = Server::prepare("disk_free_limit.absolute = 0");
        let data = server.dir().join("data");
        create_dir(&data).expect("a directory");
        let log = File::create(server.dir().join("log")).expect("a log");
        let child = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
            .arg("mount -t tmpfs -o \"size=$0\" none \"$1\" && shift && exec \"$@\"")
            .arg(size)
            .arg(&data)
            .arg(it::command().get_program())
            .arg("server")
            .arg("--config")
            .arg(server.dir().join("rabbitmq.conf"))
            .arg("--data-dir")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle"))
            .stderr(log)
            .spawn()
            .expect("unshare is there");
        Self { server, child }
    }

    fn resize(&self, size: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("nsenter")
            .args(["--target", &pid, "--user", "--mount", "--preserve-credentials"])
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
}

impl Drop for OnSmallDisk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nothing_is_confirmed_on_a_full_disk_and_all_goes_on_when_there_is_room() {
    let mut broker = OnSmallDisk::start("48m");
    let mut client = broker.open();
    client.call(1, "queue.declare queue=work durable").expect("declared");
    client.call(1, "confirm.select").expect("confirms");
    let body = "x".repeat(BODY_LEN);
    let publish = format!("basic.publish routing-key=work {{delivery-mode=2}} \"{body}\"");
    let is_confirmed =
        |_: &i32| client.call(1, &publish).is_ok_and(|it| it.starts_with("basic.ack"));
    let confirmed = (0..1000).take_while(is_confirmed).count();
    assert!(0 < confirmed && confirmed < 1000, "{confirmed} confirmed");

    client.send(1, &publish).expect("a method");
    let blocked = client.expect("connection.blocked");
    assert_eq!(blocked.as_deref(), Ok("connection.blocked reason=\"low on disk\""));
    let mut late = broker.open();
    late.call(1, "queue.declare queue=work passive").expect("who does not publish is served");
    assert_eq!(client.receive_within(QUIET), Received::Silence, "nothing is confirmed");
    assert!(matches!(broker.child.try_wait(), Ok(None)), "it runs:\n{}", broker.server.log());

    broker.resize("200m");
    let last = format!("delivery-tag={}", confirmed + 2);
    let mut heard = Vec::new();
    while !heard.iter().any(|it: &String| it.contains(&last)) {
        heard.push(client.expect("").expect("it goes on"));
    }
    assert!(heard.contains(&"connection.unblocked".to_owned()), "{heard:?}");
    let declared = late.call(1, "queue.declare queue=work passive").expect("it is answered");
    let expected = format!("message-count={}", confirmed + 2);
    assert!(declared.contains(&expected), "{declared}, not {expected}");
}
