//! Memory and disk alarms, and publishers that are faster than the broker: who waits, who hears of
//! it, and how much memory it takes.

mod flood;
mod full;
mod kit;

use std::time::Duration;

use it::{Received, Server};

use kit::{ctl, diagnostics, states};

/// Time in which something would have been sent, if it were.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

#[test]
fn publishers_wait_for_all_alarms_to_end_and_consumers_go_on() {
    let server = Server::start("");
    let mut consumer = server.channel();
    consumer.call(1, "queue.declare queue=q durable").expect("declared");
    consumer.send(1, "basic.publish routing-key=q \"before\"").expect("a method");
    let mut publisher = server.channel();
    ctl(&server, "set_vm_memory_high_watermark absolute 1MB");
    assert_eq!(states(&server), ["blocking", "blocking"]);

    publisher.send(1, "basic.publish routing-key=q \"during\"").expect("a method");
    let blocked = publisher.expect("connection.blocked");
    assert_eq!(blocked.as_deref(), Ok("connection.blocked reason=\"low on memory\""));
    assert_eq!(states(&server), ["blocked", "blocking"]);
    consumer.call(1, "basic.consume queue=q consumer-tag=c").expect("subscribed");
    let delivered = consumer.expect("basic.deliver").expect("a delivery");
    assert!(delivered.ends_with("\"before\""), "{delivered}");
    consumer.send(1, "basic.ack delivery-tag=1").expect("a method");
    let declared = consumer.call(1, "queue.declare queue=q passive").expect("it is answered");
    assert!(!declared.contains("message-count"), "the publish waits unread: {declared}");

    ctl(&server, "set_disk_free_limit 900000000000000");
    ctl(&server, "set_vm_memory_high_watermark 0.6");
    assert_eq!(publisher.receive_within(QUIET), Received::Silence, "it knows that it waits");
    assert_eq!(
        diagnostics(&server, "alarms"),
        (0, "Free disk space alarm on node NODE\n".to_owned())
    );
    let mut late = server.channel();
    late.send(1, "basic.publish routing-key=q \"late\"").expect("a method");
    let blocked = late.expect("connection.blocked");
    assert_eq!(blocked.as_deref(), Ok("connection.blocked reason=\"low on disk\""));

    ctl(&server, "set_disk_free_limit 50MB");
    for waited in [&mut publisher, &mut late] {
        waited.expect("connection.unblocked").expect("it may go on");
    }
    for _ in 0..2 {
        consumer.expect("basic.deliver").expect("what waited is delivered");
    }
    assert_eq!(states(&server), ["running", "running", "running"]);
    assert_eq!(
        diagnostics(&server, "check_alarms").1,
        "Node NODE reported no alarms, local or clusterwide\n"
    );
}

#[test]
fn an_absolute_watermark_is_not_above_the_memory_that_counts_as_there() {
    let server = Server::start(
        "total_memory_available_override_value = 1MB\nvm_memory_high_watermark.absolute = 90GB",
    );
    assert_eq!(diagnostics(&server, "alarms").1, "Memory alarm on node NODE\n");
}

/// Writes `count` messages with bodies of this length before it reads the first back: beyond what the
/// broker's and the system's buffers hold, so that a broker that stopped reading until its deliveries
/// are read would stop this client for ever.
fn write_all_then_read(body_len: usize, count: usize) {
    let server = Server::start("");
    let mut client = server.channel();
    client.call(1, "queue.declare queue=q durable").expect("declared");
    client.call(1, "basic.consume queue=q consumer-tag=c").expect("subscribed");
    let message = flood::publish("q", &vec![b'x'; body_len]);
    for _ in 0..count {
        client.send_bytes(&message);
    }
    for tag in 1..=count {
        client.expect("basic.deliver").expect("a delivery");
        client.send(1, &format!("basic.ack delivery-tag={tag}")).expect("a method");
    }
    let declared = client.call(1, "queue.declare queue=q passive").expect("it is answered");
    assert!(!declared.contains("message-count"), "nothing is left: {declared}");
}

#[test]
fn a_connection_that_writes_all_before_it_reads_gets_all_back() {
    write_all_then_read(4096, 12_000);
}

#[test]
fn a_connection_that_writes_all_its_large_messages_before_it_reads_gets_all_back() {
    write_all_then_read(2_000_000, 30);
}
