//! Clients that ask for too much: what they get stays bounded, and nobody else notices.

use amqp091_codec::{BasicGet, ExchangeDeclare, QueueBind, encode_method};
use broker::{Protocol, Status};
use expect_test::expect;
use field_table::FieldTable;

use super::kit::{Client, broker};

#[test]
fn a_dead_letter_key_may_be_longer_than_a_frame_can_say() {
    let mut client = Client::open(&broker());
    let key = "k".repeat(300);
    client
        .send(1, ExchangeDeclare { exchange: "dlx", kind: "fanout", ..ExchangeDeclare::default() });
    client.declare("dead");
    client.send(1, QueueBind { queue: "dead", exchange: "dlx", ..QueueBind::default() });
    let arguments = FieldTable::new()
        .with("x-max-length", 0)
        .with("x-dead-letter-exchange", "dlx")
        .with("x-dead-letter-routing-key", key.as_str());
    client.declare_with("q", arguments);
    client.said();
    client.publish("", "q", "a");
    client.get("dead", true);
    let said = client.said();
    let front = format!("get-ok #1 \"dlx\" \"{}\" left 0", &key[..255]);
    assert!(said.contains(&front), "{said}");
}

#[test]
fn who_does_not_read_the_answers_is_not_read() {
    const MESSAGES: usize = 100;
    let mut client = Client::open(&broker());
    client.declare("q");
    let body = "x".repeat(100_000);
    for _ in 0..MESSAGES {
        client.publish("", "q", &body);
    }
    client.said();
    let mut gets = Vec::new();
    for _ in 0..MESSAGES {
        let get = BasicGet { ticket: 0, queue: "q", no_ack: true };
        encode_method(1, &get.into(), &mut gets);
    }
    client.bytes(&gets);
    assert_eq!(client.connection.status(), Status::Paused);
    let unwritten = client.connection.shared.lock().out.len();
    assert!(unwritten < 2_000_000, "{unwritten} bytes wait for a client that does not read");
    // One that reads again gets all it asked for.
    let said = client.said();
    assert_eq!(said.matches("get-ok").count(), MESSAGES);
    client.get("q", true);
    expect![[r#"
        1: basic.get_empty cluster_id: ""
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn deliveries_of_many_consumers_are_settled_at_once() {
    const CONSUMERS: usize = 40;
    let mut client = Client::open(&broker());
    client.declare("q");
    for number in 0..CONSUMERS {
        client.consume("q", &format!("c{number}"), false);
    }
    for _ in 0..3 * CONSUMERS {
        client.publish("", "q", "a");
    }
    let said = client.said();
    assert_eq!(said.matches("deliver ").count(), 3 * CONSUMERS);
    client.ack(3 * CONSUMERS as u64, true);
    client.declare("q");
    assert_eq!(client.said().matches("declare_ok").count(), 1);
    let counts = broker_counts(&client);
    assert_eq!((counts.ready, counts.unacked), (0, 0));
}

fn broker_counts(client: &Client) -> broker::Counts {
    let broker = &client.connection.broker;
    broker.counts(broker.queues().first().expect("one was declared"))
}
