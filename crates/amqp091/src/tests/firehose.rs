//! What is copied to `amq.rabbitmq.trace`.

use amqp091_codec::{BasicNack, BasicProperties, QueueBind, TxRollback, TxSelect};
use expect_test::expect;
use field_table::{FieldTable, FieldValue, ShortStr};

use super::kit::{Client, broker};

/// A client whose queue `copies` gets what the firehose has.
fn listener(broker: &std::sync::Arc<broker::Broker>) -> Client {
    let mut client = Client::open(broker);
    client.declare("copies");
    let (queue, exchange) = ("copies", "amq.rabbitmq.trace");
    client.send(1, QueueBind { queue, exchange, routing_key: "#", ..QueueBind::default() });
    client.consume("copies", "c", true);
    client.said();
    client
}

/// With the bytes of strings as text.
fn readable(said: &str) -> String {
    let mut text = String::new();
    let mut rest = said;
    while let Some((before, bytes)) = rest.split_once("LongStr([") {
        let (bytes, after) = bytes.split_once("])").expect("a list ends");
        let bytes = bytes.split(", ").filter_map(|it| it.parse().ok()).collect();
        text.push_str(before);
        text.push_str(&format!("{:?}", String::from_utf8(bytes).expect("text")));
        rest = after;
    }
    text + rest
}

/// The keys of the copies since it was last asked.
fn keys(listener: &mut Client) -> String {
    let said = listener.said();
    let key = |line: &str| Some(line.split_once("\"amq.rabbitmq.trace\" ")?.1.to_owned());
    said.lines().filter_map(key).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_copy_says_all_that_is_known_of_the_message() {
    let broker = broker();
    let mut listener = listener(&broker);
    let mut client = Client::open(&broker);
    client.declare("q");
    assert!(broker.set_tracing("/", true));
    assert!(!broker.set_tracing("/", true));
    let short = |text: &str| ShortStr::new(text).ok();
    let further = |key: &str| FieldValue::Array(vec![FieldValue::from(key)]);
    let properties = BasicProperties {
        content_type: short("text/plain"),
        headers: Some(FieldTable::new().with("CC", further("nowhere")).with("BCC", further("b"))),
        delivery_mode: Some(2),
        priority: Some(3),
        // More than fits into the 32 bits of a copy.
        timestamp: Some(0x1_0000_0005),
        user_id: short("guest"),
        ..BasicProperties::default()
    };
    client.publish_with("", "q", &properties, false, "hello");
    client.get("q", false);
    client.send(1, BasicNack { delivery_tag: 1, multiple: false, requeue: true });
    client.get("q", true);
    expect![[r#"
        1: deliver c #1 "amq.rabbitmq.trace" "publish."
           { headers: Some(FieldTable([("channel", I32(1)), ("connection", "127.0.0.1:40000 -> 127.0.0.1:5672"), ("exchange_name", ""), ("node", "rabbit@localhost"), ("properties", Table(FieldTable([("user_id", "guest"), ("timestamp", I32(5)), ("priority", I32(3)), ("delivery_mode", I32(2)), ("headers", Table(FieldTable([("CC", Array(["nowhere"]))]))), ("content_type", "text/plain")]))), ("routed_queues", Array(["b", "nowhere", "q"])), ("routing_keys", Array(["q", "nowhere", "b"])), ("user", "guest"), ("vhost", "/")])),  }
           "hello"
        1: deliver c #2 "amq.rabbitmq.trace" "deliver.q"
           { headers: Some(FieldTable([("channel", I32(1)), ("connection", "127.0.0.1:40000 -> 127.0.0.1:5672"), ("exchange_name", ""), ("node", "rabbit@localhost"), ("properties", Table(FieldTable([("user_id", "guest"), ("timestamp", I32(5)), ("priority", I32(3)), ("delivery_mode", I32(2)), ("headers", Table(FieldTable([("CC", Array(["nowhere"]))]))), ("content_type", "text/plain")]))), ("redelivered", I32(0)), ("routing_keys", Array(["q", "nowhere", "b"])), ("user", "guest"), ("vhost", "/")])),  }
           "hello"
        1: deliver c #3 "amq.rabbitmq.trace" "deliver.q"
           { headers: Some(FieldTable([("channel", I32(1)), ("connection", "127.0.0.1:40000 -> 127.0.0.1:5672"), ("exchange_name", ""), ("node", "rabbit@localhost"), ("properties", Table(FieldTable([("user_id", "guest"), ("timestamp", I32(5)), ("priority", I32(3)), ("delivery_mode", I32(2)), ("headers", Table(FieldTable([("CC", Array(["nowhere"]))]))), ("content_type", "text/plain")]))), ("redelivered", I32(1)), ("routing_keys", Array(["q", "nowhere", "b"])), ("user", "guest"), ("vhost", "/")])),  }
           "hello"
    "#]].assert_eq(&readable(&listener.said()));
}

#[test]
fn only_what_clients_publish_and_get_while_it_is_on_is_copied() {
    let broker = broker();
    let mut listener = listener(&broker);
    let mut client = Client::open(&broker);
    let dead_letters = FieldTable::new()
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "q")
        .with("x-message-ttl", 0);
    client.declare("q");
    client.declare_with("hot", dead_letters);
    client.publish("", "q", "before");
    broker.set_tracing("/", true);
    // A known route, a consumer, nobody, a dead letter on its way.
    client.publish("", "q", "x");
    client.consume("q", "c", true);
    client.publish("amq.fanout", "k", "x");
    client.publish("", "hot", "x");
    client.said();
    expect![[r#""publish." "deliver.q" "deliver.q" "publish.amq.fanout" "publish." "deliver.q""#]]
        .assert_eq(&keys(&mut listener));
    // When it is published, whatever becomes of the transaction.
    client.send(1, TxSelect {});
    client.publish("", "q", "x");
    client.send(1, TxRollback {});
    client.said();
    expect![[r#""publish.""#]].assert_eq(&keys(&mut listener));
    assert!(broker.set_tracing("/", false));
    client.publish("", "q", "after");
    client.said();
    expect![[r#""#]].assert_eq(&keys(&mut listener));
}

#[test]
fn other_vhosts_are_not_copied() {
    let broker = broker();
    let mut listener = listener(&broker);
    broker.set_tracing("not there", true);
    let mut client = Client::open(&broker);
    client.publish("", "q", "x");
    expect![[r#""#]].assert_eq(&keys(&mut listener));
}

#[test]
fn direct_replies_are_copied() {
    let broker = broker();
    let mut listener = listener(&broker);
    broker.set_tracing("/", true);
    let mut asker = Client::open(&broker);
    asker.declare("rpc");
    asker.consume("amq.rabbitmq.reply-to", "r", true);
    let reply_to = ShortStr::new("amq.rabbitmq.reply-to").ok();
    let properties = BasicProperties { reply_to, ..BasicProperties::default() };
    asker.publish_with("", "rpc", &properties, false, "question");
    asker.said();
    let mut server = Client::open(&broker);
    server.get("rpc", true);
    let request = server.said();
    let address = request.split('"').find(|it| it.starts_with("amq.rabbitmq.reply-to."));
    let address = address.expect("the request has an address").to_owned();
    server.publish("", &address, "answer");
    server.publish("", &format!("{address}x"), "to nobody");
    expect![[r#""publish." "deliver.rpc" "publish." "deliver.ADDRESS" "publish.""#]]
        .assert_eq(&keys(&mut listener).replace(&address, "ADDRESS"));
    asker.said();
}
