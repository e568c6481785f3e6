//! The way things go when nothing is wrong.

use amqp091_codec::{
    BasicCancel, BasicNack, BasicProperties, BasicPublish, BasicRecover, BasicReject, ChannelClose,
    ChannelOpen, ConnectionClose, ConnectionOpen, ExchangeDeclare, QueueBind, QueueDeclare,
    QueueDelete, QueuePurge, Table, TxCommit, TxRollback, TxSelect,
};
use broker::testing::broker_with;
use broker::{BrokerConfig, Interceptors, Protocol};
use expect_test::expect;
use field_table::{FieldTable, FieldValue, ShortStr};

use super::kit::{Client, broker, publish_bytes, raw_publish_bytes};

#[test]
fn handshake() {
    let broker = broker();
    let mut client = Client::connect(&broker);
    client.header();
    client.login("guest", "guest");
    client.tune(0);
    client.send(0, ConnectionOpen { virtual_host: "/", ..ConnectionOpen::default() });
    client.send(1, ChannelOpen::default());
    expect![[r#"
        0: start 0-9 ANONYMOUS PLAIN AMQPLAIN
        0: connection.tune channel_max: 2047, frame_max: 131072, heartbeat: 60
        0: connection.open_ok known_hosts: ""
        1: channel.open_ok channel_id: []
    "#]]
    .assert_eq(&client.said());
    assert_eq!(broker.registry.connections().len(), 1);
    client.send(1, ChannelClose::default());
    client.send(0, ConnectionClose::default());
    expect![[r#"
        1: channel.close_ok
        0: connection.close_ok
    "#]]
    .assert_eq(&client.said());
    drop(client);
    assert_eq!(broker.registry.connections().len(), 0);
}

#[test]
fn publish_and_get() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.publish("", "q", "one");
    client.publish("", "q", "two");
    client.publish("", "q", "");
    client.declare("q");
    client.get("q", true);
    client.get("q", false);
    client.get("q", false);
    client.get("q", false);
    expect![[r#"
        1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
        1: queue.declare_ok queue: "q", message_count: 3, consumer_count: 0
        1: get-ok #1 "" "q" left 2
           -
           "one"
        1: get-ok #2 "" "q" left 1
           -
           "two"
        1: get-ok #3 "" "q" left 0
           -
        1: basic.get_empty cluster_id: ""
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn consume_and_settle() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.consume("q", "c", false);
    client.publish("", "q", "a");
    client.publish("", "q", "b");
    client.publish("", "q", "c");
    expect![[r#"
        1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
        1: basic.consume_ok consumer_tag: "c"
        1: deliver c #1 "" "q"
           -
           "a"
        1: deliver c #2 "" "q"
           -
           "b"
        1: deliver c #3 "" "q"
           -
           "c"
    "#]]
    .assert_eq(&client.said());
    client.ack(1, false);
    client.send(1, BasicNack { delivery_tag: 2, multiple: false, requeue: true });
    client.send(1, BasicReject { delivery_tag: 3, requeue: false });
    expect![[r#"
        1: deliver c #4 again "" "q"
           -
           "b"
    "#]]
    .assert_eq(&client.said());
    client.send(1, BasicCancel { consumer_tag: "c", nowait: false });
    client.send(1, BasicRecover { requeue: true });
    client.declare("q");
    expect![[r#"
        1: basic.cancel_ok consumer_tag: "c"
        1: basic.recover_ok
        1: queue.declare_ok queue: "q", message_count: 1, consumer_count: 0
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn recover_is_answered_before_anything_comes_again() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.consume("q", "c", false);
    client.publish("", "q", "a");
    client.said();
    client.send(1, BasicRecover { requeue: true });
    expect![[r#"
        1: basic.recover_ok
        1: deliver c #2 again "" "q"
           -
           "a"
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn prefetch_of_a_consumer_and_of_a_channel() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    for body in ["1", "2", "3", "4", "5", "6"] {
        client.publish("", "q", body);
    }
    client.qos(2, false);
    client.consume("q", "each", false);
    expect![[r#"
        1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
        1: basic.qos_ok
        1: basic.consume_ok consumer_tag: "each"
        1: deliver each #1 "" "q"
           -
           "1"
        1: deliver each #2 "" "q"
           -
           "2"
    "#]]
    .assert_eq(&client.said());
    client.qos(3, true);
    client.consume("q", "all", false);
    expect![[r#"
        1: basic.qos_ok
        1: basic.consume_ok consumer_tag: "all"
        1: deliver all #3 "" "q"
           -
           "3"
    "#]]
    .assert_eq(&client.said());
    client.ack(0, true);
    expect![[r#"
        1: deliver each #4 "" "q"
           -
           "4"
        1: deliver each #5 "" "q"
           -
           "5"
        1: deliver all #6 "" "q"
           -
           "6"
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn frames_in_any_pieces() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.said();
    let long = "x".repeat(20_000);
    let mut bytes = publish_bytes("", "q", &BasicProperties::default(), false, "short");
    bytes.extend(publish_bytes("", "q", &BasicProperties::default(), false, &long));
    for byte in bytes {
        client.bytes(&[byte]);
    }
    client.get("q", true);
    client.get("q", true);
    expect![[r#"
        1: get-ok #1 "" "q" left 1
           -
           "short"
        1: get-ok #2 "" "q" left 0
           -
           20000 bytes
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn confirms_and_returns() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare_with(
        "full",
        FieldTable::new().with("x-max-length", 1).with("x-overflow", "reject-publish"),
    );
    client.select_confirms();
    client.publish("", "nowhere", "lost");
    client.publish_with("", "nowhere", &BasicProperties::default(), true, "back");
    client.publish("", "full", "fits");
    client.publish("", "full", "does not");
    expect![[r#"
        1: basic.ack delivery_tag: 1, multiple: false
        1: return 312 NO_ROUTE "" "nowhere"
           -
           "back"
        1: basic.ack delivery_tag: 2, multiple: false
        1: basic.ack delivery_tag: 3, multiple: false
        1: basic.nack delivery_tag: 4, multiple: true, requeue: true
    "#]]
    .assert_eq(&client.said());
    let mut batch = Vec::new();
    for _ in 0..3 {
        batch.extend(publish_bytes("", "nowhere", &BasicProperties::default(), false, "x"));
    }
    client.bytes(&batch);
    expect![[r#"
        1: basic.ack delivery_tag: 7, multiple: true
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn topics_and_further_routing_keys() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("a");
    client.declare("b");
    client.send(
        1,
        QueueBind { queue: "a", exchange: "amq.topic", routing_key: "x.*", ..QueueBind::default() },
    );
    client.send(
        1,
        QueueBind { queue: "b", exchange: "amq.topic", routing_key: "#", ..QueueBind::default() },
    );
    client.publish("amq.topic", "x.1", "both");
    client.publish("amq.topic", "y", "b alone");
    let key = |key: &str| FieldValue::Array(vec![FieldValue::from(key)]);
    let headers = FieldTable::new().with("CC", key("b")).with("BCC", key("x")).with("h", 1);
    let properties = BasicProperties { headers: Some(headers), ..BasicProperties::default() };
    client.publish_with("", "a", &properties, false, "copies");
    client.said();
    for queue in ["a", "a", "b", "b", "b"] {
        client.get(queue, true);
    }
    expect![[r#"
        1: get-ok #1 "amq.topic" "x.1" left 1
           -
           "both"
        1: get-ok #2 "" "a" left 0
           { headers: Some(FieldTable([("CC", Array([LongStr([98])])), ("h", I32(1))])),  }
           "copies"
        1: get-ok #3 "amq.topic" "x.1" left 2
           -
           "both"
        1: get-ok #4 "amq.topic" "y" left 1
           -
           "b alone"
        1: get-ok #5 "" "a" left 0
           { headers: Some(FieldTable([("CC", Array([LongStr([98])])), ("h", I32(1))])),  }
           "copies"
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn transactions() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.publish("", "q", "before");
    client.get("q", false);
    client.send(1, TxSelect {});
    client.said();
    client.publish("", "q", "undone");
    client.ack(1, false);
    client.send(1, TxRollback {});
    client.publish("", "q", "done");
    client.ack(1, false);
    client.publish_with("", "nowhere", &BasicProperties::default(), true, "back");
    expect![[r#"
        1: tx.rollback_ok
    "#]]
    .assert_eq(&client.said());
    client.send(1, TxCommit {});
    client.declare("q");
    expect![[r#"
        1: return 312 NO_ROUTE "" "nowhere"
           -
           "back"
        1: tx.commit_ok
        1: queue.declare_ok queue: "q", message_count: 1, consumer_count: 0
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn deleting_a_queue_cancels_its_consumers() {
    let broker = broker();
    let mut consumer = Client::open(&broker);
    consumer.declare("q");
    consumer.consume("q", "c", false);
    consumer.said();
    let mut other = Client::open(&broker);
    other.publish("", "q", "x");
    other.send(1, QueuePurge { queue: "q", ..QueuePurge::default() });
    other.send(1, QueueDelete { queue: "q", ..QueueDelete::default() });
    expect![[r#"
        1: queue.purge_ok message_count: 0
        1: queue.delete_ok message_count: 0
    "#]]
    .assert_eq(&other.said());
    expect![[r#"
        1: deliver c #1 "" "q"
           -
           "x"
        1: basic.cancel consumer_tag: "c", nowait: true
    "#]]
    .assert_eq(&consumer.said());
}

#[test]
fn direct_replies_are_marked_with_the_time_they_are_sent() {
    let interceptors = Interceptors { is_sent_time: true, ..Interceptors::default() };
    let config = BrokerConfig { interceptors, ..BrokerConfig::default() };
    let broker = broker_with(config, std::sync::Arc::default());
    let mut asker = Client::open(&broker);
    asker.declare("rpc");
    asker.consume("amq.rabbitmq.reply-to", "r", true);
    let reply_to = ShortStr::new("amq.rabbitmq.reply-to").ok();
    let properties = BasicProperties { reply_to, ..BasicProperties::default() };
    asker.publish_with("", "rpc", &properties, false, "question");
    asker.said();
    asker.get("rpc", true);
    let request = asker.said();
    let address = request.split('"').find(|it| it.starts_with("amq.rabbitmq.reply-to."));
    let address = address.expect("the request has an address").to_owned();
    asker.publish("", &address, "answer");
    expect![[r#"
        1: deliver r #2 "" "ADDRESS"
           { headers: Some(FieldTable([("x-opt-rabbitmq-sent-time", I64(1000000))])),  }
           "answer"
    "#]]
    .assert_eq(&asker.said().replace(&address, "ADDRESS"));
}

#[test]
fn direct_replies() {
    let broker = broker();
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
    let address = request.find("amq.rabbitmq.reply-to.").map(|at| &request[at..]);
    let address = address.and_then(|rest| rest.split('"').next());
    let address = address.expect("the request has an address").to_owned();
    server.declare(&address);
    server.publish_with("", &address, &BasicProperties::default(), true, "answer");
    expect![[r#"
        1: queue.declare_ok queue: "ADDRESS", message_count: 0, consumer_count: 1
    "#]]
    .assert_eq(&server.said().replace(&address, "ADDRESS"));
    expect![[r#"
        1: deliver r #1 "" "ADDRESS"
           -
           "answer"
    "#]]
    .assert_eq(&asker.said().replace(&address, "ADDRESS"));
    drop(asker);
    server.publish_with("", &address, &BasicProperties::default(), true, "late");
    expect![[r#"
        1: return 312 NO_ROUTE "" "ADDRESS"
           -
           "late"
    "#]]
    .assert_eq(&server.said().replace(&address, "ADDRESS"));
}

#[test]
fn exclusive_queues_are_gone_before_the_close_is_answered() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.send(1, QueueDeclare { queue: "mine", exclusive: true, ..QueueDeclare::default() });
    client.said();
    client.send(0, ConnectionClose::default());
    expect![[r#"
        0: connection.close_ok
    "#]]
    .assert_eq(&client.said());
    assert_eq!(broker.queues().len(), 0);
}

#[test]
fn a_lost_socket_gives_everything_back() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.send(1, QueueDeclare { queue: "mine", exclusive: true, ..QueueDeclare::default() });
    client.publish("", "q", "x");
    client.consume("q", "c", false);
    client.said();
    let now = client.now;
    client.connection.handle_disconnect(now);
    let mut other = Client::open(&broker);
    other.get("q", true);
    expect![[r#"
        1: get-ok #1 again "" "q" left 0
           -
           "x"
    "#]]
    .assert_eq(&other.said());
    assert_eq!(broker.queues().len(), 1);
}

#[test]
fn exchange_arguments() {
    let broker = broker();
    let mut client = Client::open(&broker);
    let mut fields = Vec::new();
    FieldTable::new().with("alternate-exchange", "amq.fanout").encode_fields(&mut fields);
    let arguments = Table::new(&fields).expect("is a table");
    let declare =
        ExchangeDeclare { exchange: "e", kind: "direct", arguments, ..ExchangeDeclare::default() };
    client.send(1, declare);
    client.send(1, declare);
    client.declare("q");
    client.send(1, QueueBind { queue: "", exchange: "amq.fanout", ..QueueBind::default() });
    client.publish("e", "no such key", "by way of the alternate");
    client.get("", true);
    expect![[r#"
        1: exchange.declare_ok
        1: exchange.declare_ok
        1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
        1: queue.bind_ok
        1: get-ok #1 "e" "no such key" left 0
           -
           "by way of the alternate"
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn order_is_kept_between_one_queue_and_several() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("a");
    client.declare("b");
    for queue in ["a", "b"] {
        client.send(1, QueueBind { queue, exchange: "amq.fanout", ..QueueBind::default() });
    }
    client.said();
    let mut bytes = Vec::new();
    for idx in 0..1200 {
        let (exchange, key) = match idx % 5 {
            0 => ("amq.fanout", ""),
            1 | 2 => ("", "a"),
            _ => ("", "b"),
        };
        let body = idx.to_string();
        bytes.extend(publish_bytes(exchange, key, &BasicProperties::default(), false, &body));
    }
    client.bytes(&bytes);
    for (queue, count) in [("a", 720), ("b", 720)] {
        let mut last = -1;
        for _ in 0..count {
            client.get(queue, true);
            let said = client.said();
            let body = said.split('"').rev().nth(1).and_then(|it| it.parse().ok());
            let body: i32 = body.expect("the body is a number");
            assert!(last < body, "{queue}: {body} after {last}");
            last = body;
        }
    }
}

#[test]
fn a_connection_is_small() {
    assert!(size_of::<crate::Connection>() <= 512, "{}", size_of::<crate::Connection>());
    assert!(
        size_of::<crate::channel::Channel>() <= 224,
        "{}",
        size_of::<crate::channel::Channel>()
    );
    assert!(size_of::<crate::shared::Side>() <= 144, "{}", size_of::<crate::shared::Side>());
}

#[test]
fn flags_that_mean_nothing_do_not_reach_consumers() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.said();
    let publish = BasicPublish { routing_key: "q".into(), ..BasicPublish::default() };
    // Twice, for the second might go the short way.
    for _ in 0..2 {
        client.bytes(&raw_publish_bytes(&publish, &[0x10, 0x01, 2], "a"));
        client.get("q", true);
        let bytes = client.said_bytes();
        let holds = |properties: &[u8]| bytes.windows(3).any(|it| it == properties);
        assert!(holds(&[0x10, 0x00, 2]) && !holds(&[0x10, 0x01, 2]), "{bytes:?}");
    }
}

#[test]
fn a_dead_letter_keeps_its_properties_whatever_flags_it_came_with() {
    let broker = broker();
    let mut client = Client::open(&broker);
    let dead_lettered = FieldTable::new()
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "dead");
    client.declare_with("q", dead_lettered);
    client.declare("dead");
    let publish = BasicPublish { routing_key: "q".into(), ..BasicPublish::default() };
    client.bytes(&raw_publish_bytes(&publish, &[0x10, 0x03, 2], "a"));
    client.get("q", false);
    client.said();
    client.send(1, BasicReject { delivery_tag: 1, requeue: false });
    client.get("dead", true);
    let said = client.said();
    assert!(said.contains("delivery_mode: Some(2)"), "{said}");
}
