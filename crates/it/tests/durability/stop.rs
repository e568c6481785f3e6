//! A clean stop and who may use the data directory afterwards.

use std::fs;

use std::time::Duration;

use it::{RawClient, Received, Server};

/// Publishes to the default exchange, and waits until the broker has it.
fn publish(client: &mut RawClient, queue: &str, mode: u8, bodies: &[&str]) {
    client.call(2, "channel.open").expect("a channel");
    client.call(2, "confirm.select").expect("confirms");
    for body in bodies {
        let publish =
            format!("basic.publish routing-key={queue} {{delivery-mode={mode}}} \"{body}\"");
        client.call(2, &publish).expect("a confirm");
    }
    client.call(2, "channel.close").expect("closed");
}

/// Everything in a queue: each message's body, behind a `+` if it is redelivered.
fn contents(client: &mut RawClient, queue: &str) -> String {
    let mut found = Vec::new();
    loop {
        let got = client.call(1, &format!("basic.get queue={queue} no-ack")).expect("an answer");
        if got.starts_with("basic.get-empty") {
            return found.join(" ");
        }
        let body = got.split('"').nth_back(1).expect("a body");
        let flag = if got.contains(" redelivered ") { "+" } else { "" };
        found.push(format!("{flag}{body}"));
    }
}

#[test]
fn a_clean_stop_keeps_durable_messages_and_exact_redelivered_flags() {
    let mut server = Server::start("");
    let mut client = server.channel();
    for queue in ["read", "unread"] {
        client.call(1, &format!("queue.declare queue={queue} durable")).expect("declared");
    }
    client.call(1, "queue.declare queue=mine durable exclusive").expect("declared");
    client.call(1, "queue.declare queue=passing").expect("declared");
    client.call(1, "exchange.declare exchange=kept type=direct durable").expect("declared");
    client.call(1, "exchange.declare exchange=gone type=direct").expect("declared");
    publish(&mut client, "read", 2, &["a", "b", "c", "d"]);
    publish(&mut client, "read", 1, &["transient"]);
    publish(&mut client, "unread", 2, &["x", "y"]);
    // The consumer sees a and b and settles neither.
    client.call(1, "basic.qos prefetch-count=2").expect("a prefetch");
    client.call(1, "basic.consume queue=read").expect("a consumer");
    for _ in 0..2 {
        assert!(
            matches!(client.receive(), Received::Method(1, it) if it.starts_with("basic.deliver"))
        );
    }
    server.stop();
    server.restart();
    let mut client = server.channel();
    assert_eq!(contents(&mut client, "read"), "+a +b c d");
    assert_eq!(contents(&mut client, "unread"), "x y");
    client.call(1, "exchange.declare exchange=kept passive").expect("a durable exchange stays");
    for gone in [
        "queue.declare queue=mine passive",
        "queue.declare queue=passing passive",
        "exchange.declare exchange=gone passive",
    ] {
        client.call(3, "channel.open").expect("a channel");
        client.send(3, gone).expect("a method");
        let closed = client.expect("channel.close").expect(gone);
        assert!(closed.starts_with("channel.close 404 "), "{gone}: {closed}");
        client.send(3, "channel.close-ok").expect("a method");
    }
}

#[test]
fn messages_read_and_acknowledged_do_not_come_back_however_it_ends() {
    let mut server = Server::start("");
    let mut client = server.channel();
    client.call(1, "queue.declare queue=q durable").expect("declared");
    publish(&mut client, "q", 2, &["a", "b", "c", "d"]);
    for tag in 1..=2 {
        client.call(1, "basic.get queue=q").expect("a message");
        client.send(1, &format!("basic.ack delivery-tag={tag}")).expect("a method");
    }
    client.call(1, "basic.get queue=q").expect("a message");
    client.call(1, "basic.qos prefetch-count=1").expect("an answer");
    server.restart();
    let mut client = server.channel();
    // d was there when c was read: it might have been read, too.
    assert_eq!(contents(&mut client, "q"), "+c +d");
}

#[test]
fn a_first_start_cut_short_is_made_good_by_the_next() {
    for step in 0..60 {
        let mut server = Server::prepare("");
        server.start_and_kill_after(Duration::from_micros(300 * step));
        server.restart();
        drop(server.channel());
    }
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = Server::start("");
    let config = server.dir().join("rabbitmq.conf");
    let second = server.ctl("server", &["--config", &config.to_string_lossy()]);
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("is in use by another server"), "{said}");
    drop(server.channel());
}

#[test]
fn data_of_an_older_version_is_refused_and_left_alone() {
    let mut server = Server::start("");
    server.stop();
    let version = server.dir().join("data/format-version");
    fs::write(&version, "2\n").expect("writable");
    let config = server.dir().join("rabbitmq.conf");
    let refused = server.ctl("server", &["--config", &config.to_string_lossy()]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("has format version 2, which this server does not read"), "{said}");
    assert_eq!(fs::read_to_string(&version).expect("readable"), "2\n");
}

#[test]
fn data_of_a_newer_version_is_refused_and_left_alone() {
    let mut server = Server::start("");
    server.stop();
    let version = server.dir().join("data/format-version");
    fs::write(&version, "4\n").expect("writable");
    let config = server.dir().join("rabbitmq.conf");
    let refused = server.ctl("server", &["--config", &config.to_string_lossy()]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("has format version 4, this server knows up to 3"), "{said}");
    assert_eq!(fs::read_to_string(&version).expect("readable"), "4\n");
    fs::write(&version, "3\n").expect("writable");
    server.restart();
    drop(server.channel());
}
