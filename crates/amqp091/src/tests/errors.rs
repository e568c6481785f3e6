//! Every family of errors, in RabbitMQ's words. All of its cases are replayed elsewhere.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};

use amqp091_codec::{
    BasicAck, BasicConsume, BasicProperties, BasicQos, ChannelCloseOk, ChannelFlow, ChannelOpen,
    ConnectionOpen, ConnectionStartOk, ConnectionTuneOk, ExchangeDeclare, FrameKind, Method,
    QueueDeclare, QueueDeclareOk, QueueDelete, QueuePurge, TxCommit, encode_method,
};
use broker::{BrokerConfig, Event, Mailbox, testing::broker_with};
use expect_test::{Expect, expect};
use field_table::ShortStr;
use topology::{ClearPermissions, Command, SetUserLimits, SetVhostLimits, UserLimits, VhostLimits};

use super::kit::{Client, broker};

/// What a client with an open channel is told for `mistake`.
fn told(mistake: impl FnOnce(&mut Client), expected: Expect) {
    let broker = broker();
    let mut client = Client::open(&broker);
    mistake(&mut client);
    expected.assert_eq(&client.said());
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&channel.to_be_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes.push(0xCE);
    bytes
}

fn method_bytes<'a>(channel: u16, method: impl Into<Method<'a>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_method(channel, &method.into(), &mut bytes);
    bytes
}

#[test]
fn a_soft_error_closes_its_channel_alone() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.send(2, ChannelOpen::default());
    client.declare("q");
    client.said();
    client.send(1, BasicConsume { queue: "nope", ..BasicConsume::default() });
    client.declare("ignored");
    client.publish("", "q", "ignored");
    client.send(2, QueueDeclare { queue: "q", passive: true, ..QueueDeclare::default() });
    expect![[r#"
        1: channel.close 404 "NOT_FOUND - no queue 'nope' in vhost '/'" (60, 20)
        2: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
    "#]]
    .assert_eq(&client.said());
    client.send(1, ChannelCloseOk {});
    client.send(1, ChannelOpen::default());
    client.declare("");
    let said = client.said();
    assert!(said.contains("amq.gen-"), "{said}");
}

#[test]
fn settling_what_is_unknown() {
    told(
        |it| it.ack(42, false),
        expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - unknown delivery tag 42" (60, 80)
    "#]],
    );
    told(
        |it| it.ack(0, false),
        expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - unknown delivery tag 0" (60, 80)
    "#]],
    );
    told(
        |it| it.ack(5, true),
        expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - unknown delivery tag 5" (60, 80)
    "#]],
    );
    told(|it| it.ack(0, true), expect![""]);
    told(
        |it| {
            it.declare("q");
            it.publish("", "q", "x");
            it.get("q", false);
            let mut bytes = method_bytes(1, BasicAck { delivery_tag: 1, multiple: false });
            bytes.extend(method_bytes(1, BasicAck { delivery_tag: 1, multiple: false }));
            bytes.extend(super::kit::publish_bytes(
                "",
                "q",
                &BasicProperties::default(),
                false,
                "y",
            ));
            it.bytes(&bytes);
        },
        expect![[r#"
            1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
            1: get-ok #1 "" "q" left 0
               -
               "x"
            1: channel.close 406 "PRECONDITION_FAILED - unknown delivery tag 1" (60, 80)
        "#]],
    );
}

#[test]
fn publishing_wrongly() {
    told(
        |it| it.publish("nope", "k", "x"),
        expect![[r#"
        1: channel.close 404 "NOT_FOUND - no exchange 'nope' in vhost '/'" (60, 40)
    "#]],
    );
    told(
        |it| it.publish("amq.rabbitmq.trace", "k", "x"),
        expect![[r#"
        1: channel.close 403 "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'" (60, 40)
    "#]],
    );
    let with = |change: fn(&mut BasicProperties)| {
        let mut properties = BasicProperties::default();
        change(&mut properties);
        move |it: &mut Client| it.publish_with("", "k", &properties, false, "x")
    };
    told(
        with(|it| it.user_id = ShortStr::new("other").ok()),
        expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was 'guest'" (60, 40)
    "#]],
    );
    told(
        with(|it| it.expiration = ShortStr::new("abc").ok()),
        expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - invalid expiration 'abc': no_integer" (60, 40)
    "#]],
    );
    told(
        with(|it| it.reply_to = ShortStr::new("amq.rabbitmq.reply-to").ok()),
        expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - fast reply consumer does not exist" (60, 40)
    "#]],
    );
    told(
        with(|it| it.headers = Some(field_table::FieldTable::new().with("CC", "k"))),
        expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\"CC\",longstr}" (60, 40)
    "#]],
    );
}

#[test]
fn hard_errors_close_the_connection() {
    told(
        |it| it.send(1, ChannelOpen::default()),
        expect![[r#"
        0: connection.close 504 "CHANNEL_ERROR - second 'channel.open' seen" (20, 10)
    "#]],
    );
    told(
        |it| it.send(2, QueueDeclare::default()),
        expect![[r#"
        0: connection.close 504 "CHANNEL_ERROR - expected 'channel.open'" (50, 10)
    "#]],
    );
    told(
        |it| it.send(1, ChannelFlow { active: false }),
        expect![[r#"
        0: connection.close 540 "NOT_IMPLEMENTED - active=false" (20, 20)
    "#]],
    );
    told(
        |it| it.send(1, BasicQos { prefetch_size: 1, ..BasicQos::default() }),
        expect![[r#"
        0: connection.close 540 "NOT_IMPLEMENTED - prefetch_size!=0 (1)" (60, 10)
    "#]],
    );
    told(
        |it| it.send(1, QueueDeclareOk::default()),
        expect![[r#"
        0: connection.close 503 "COMMAND_INVALID - unimplemented method" (50, 11)
    "#]],
    );
    told(
        |it| it.send(0, ConnectionOpen::default()),
        expect![[r#"
        0: connection.close 504 "CHANNEL_ERROR - unexpected method in connection state running" (10, 40)
    "#]],
    );
    told(
        |it| it.send(0, QueueDeclare::default()),
        expect![[r#"
        0: connection.close 504 "CHANNEL_ERROR - unexpected method in connection state running" (50, 10)
    "#]],
    );
    told(
        |it| {
            it.declare("q");
            it.consume("q", "t", true);
            it.consume("q", "t", true);
        },
        expect![[r#"
            1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
            1: basic.consume_ok consumer_tag: "t"
            0: connection.close 530 "NOT_ALLOWED - attempt to reuse consumer tag 't'" (60, 20)
        "#]],
    );
}

#[test]
fn transactions_and_confirms_exclude_each_other() {
    told(
        |it| it.send(1, TxCommit {}),
        expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - channel is not transactional" (90, 20)
    "#]],
    );
}

#[test]
fn frames_that_make_no_sense() {
    told(
        |it| it.bytes(&frame(4, 1, b"abc")),
        expect![[r#"
        0: connection.close 501 "FRAME_ERROR - type 4, all octets = <<\"abc\">>: unknown_frame" (0, 0)
    "#]],
    );
    told(
        |it| it.bytes(&frame(8, 1, b"")),
        expect![[r#"
        0: connection.close 505 "UNEXPECTED_FRAME - type 8, all octets = <<>>" (0, 0)
    "#]],
    );
    told(
        |it| it.bytes(&frame(8, 0, b"xx")),
        expect![[r#"
        0: connection.close 501 "FRAME_ERROR - type 8, all octets = <<\"xx\">>: unknown_frame" (0, 0)
    "#]],
    );
    told(
        |it| it.bytes(&frame(3, 1, b"body")),
        expect![[r#"
        0: connection.close 505 "UNEXPECTED_FRAME - expected method frame, got non method frame instead" (0, 0)
    "#]],
    );
    told(
        |it| it.bytes(&frame(1, 1, &[0, 99, 0, 1])),
        expect![[r#"
        (dropped)
    "#]],
    );
    told(
        |it| it.bytes(&frame(1, 1, &[0, 50, 0, 10, 0, 0, 5, 97, 98])),
        expect![[r#"
        0: connection.close 501 "FRAME_ERROR - cannot decode <<0,0,5,97,98>>" (50, 10)
    "#]],
    );
    told(
        |it| it.bytes(&[3, 0, 1, 0x7f, 0xff, 0xff, 0xff]),
        expect![[r#"
        0: connection.close 501 "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,2147483647,131064}" (0, 0)
        (paused)
    "#]],
    );
    told(
        |it| {
            let mut bytes = method_bytes(1, QueueDeclare::default());
            *bytes.last_mut().expect("has an end") = 0;
            it.bytes(&bytes);
        },
        expect![[r#"
            0: connection.close 501 "FRAME_ERROR - type 1, all octets = <<0,50,0,10,0,0,0,0,0,0,0,0>>: {invalid_frame_end_marker,\n                                                     0}" (0, 0)
            (paused)
        "#]],
    );
}

#[test]
fn content_out_of_order() {
    let publish = |it: &mut Client| {
        it.bytes(&frame(FrameKind::Method as u8, 1, &[0, 60, 0, 40, 0, 0, 0, 1, b'q', 0]));
    };
    let header = |class: u8, weight: u8, size: u64, properties: &[u8]| {
        let mut payload = vec![0, class, 0, weight];
        payload.extend_from_slice(&size.to_be_bytes());
        payload.extend_from_slice(properties);
        frame(FrameKind::Header as u8, 1, &payload)
    };
    told(
        |it| {
            publish(it);
            it.declare("q");
        },
        expect![[r#"
            0: connection.close 505 "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead" (60, 40)
        "#]],
    );
    told(
        |it| {
            publish(it);
            it.bytes(&header(50, 0, 1, &[0, 0]));
        },
        expect![[r#"
            0: connection.close 505 "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead" (60, 40)
        "#]],
    );
    told(
        |it| {
            publish(it);
            it.bytes(&header(60, 0, 1, &[0, 0]));
            it.bytes(&frame(3, 1, b"ab"));
        },
        expect![[r#"
            0: connection.close 501 "FRAME_ERROR - content body frame exceeds remaining content size" (60, 40)
        "#]],
    );
    told(
        |it| {
            publish(it);
            it.bytes(&header(60, 0, 1 << 63, &[0, 0]));
        },
        expect![[r#"
            0: connection.close 501 "FRAME_ERROR - content body size 9223372036854775808 exceeds maximum allowed size 536870912" (60, 40)
        "#]],
    );
    told(
        |it| {
            publish(it);
            it.bytes(&header(60, 0, 0, &[0x80, 0, 9]));
        },
        expect![[r#"
            0: connection.close 541 "INTERNAL_ERROR" (0, 0)
        "#]],
    );
}

#[test]
fn too_large_a_message_is_counted_and_refused() {
    let config = BrokerConfig { max_message_size: 10_000, ..BrokerConfig::default() };
    let broker = broker_with(config, std::sync::Arc::default());
    let mut client = Client::open(&broker);
    client.publish("", "q", &"x".repeat(10_001));
    expect![[r#"
        1: channel.close 406 "PRECONDITION_FAILED - message size 10001 is larger than configured max size 10000" (60, 40)
    "#]].assert_eq(&client.said());
}

#[test]
fn protocol_headers() {
    let answer = |header: &[u8; 8]| {
        let broker = broker();
        let mut client = Client::connect(&broker);
        client.bytes(header);
        client.said()
    };
    expect![[r#"
        AMQP [3, 1, 0, 0]
        (end)
    "#]]
    .assert_eq(&answer(b"HTTP/1.1"));
    expect![[r#"
        AMQP [0, 0, 9, 1]
        (end)
    "#]]
    .assert_eq(&answer(b"AMQP\x00\x00\x0a\x00"));
    expect![[r#"
        0: start 0-9 ANONYMOUS PLAIN AMQPLAIN
    "#]]
    .assert_eq(&answer(b"AMQP\x01\x01\x00\x09"));
    expect![[r#"
        AMQP [3, 1, 0, 0]
        (end)
    "#]]
    .assert_eq(&answer(b"AMQP\x00\x01\x00\x00"));
}

#[test]
fn logins_that_are_refused() {
    let broker = broker();
    let mut client = Client::connect(&broker);
    client.header();
    client.said();
    client.login("guest", "wrong");
    expect![[r#"
        0: connection.close 403 "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile." (0, 0)
    "#]].assert_eq(&client.said());
    client.wait(3000);
    expect![[r#"
        (dropped)
    "#]]
    .assert_eq(&client.said());

    let mut client = Client::connect_from(&broker, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    client.header();
    client.said();
    client.login("guest", "guest");
    expect![[r#"
        0: connection.close 403 "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile." (0, 0)
    "#]].assert_eq(&client.said());

    let mut client = Client::connect(&broker);
    client.header();
    client.said();
    client.send(0, ConnectionStartOk { mechanism: "NOPE", ..ConnectionStartOk::default() });
    client.wait(2999);
    expect![[r#"
        (paused)
    "#]]
    .assert_eq(&client.said());
    client.wait(1);
    expect![[r#"
        (dropped)
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn a_full_node_says_so_before_it_looks_at_the_vhost() {
    let config = BrokerConfig { connections_max: Some(0), ..BrokerConfig::default() };
    let broker = broker_with(config, std::sync::Arc::default());
    let mut client = Client::connect(&broker);
    client.header();
    client.login("guest", "guest");
    client.tune(0);
    client.said();
    client.send(0, ConnectionOpen { virtual_host: "nope", ..ConnectionOpen::default() });
    expect![[r#"
        0: connection.close 530 "NOT_ALLOWED - connection refused: node connection limit (0) is reached" (10, 40)
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn a_vhost_and_then_a_user_that_are_full_say_so_before_permissions_are_looked_at() {
    let broker = broker();
    let propose = |command| broker.propose_with(command, Box::new(|it| drop(it.expect("is fine"))));
    let permissions = ClearPermissions { user: "guest".to_owned(), vhost: "/".to_owned() };
    propose(Command::ClearPermissions(permissions));
    let limit_vhost = |max_connections| {
        let limits = VhostLimits { max_connections, ..VhostLimits::default() };
        propose(Command::SetVhostLimits(SetVhostLimits { vhost: "/".to_owned(), limits }));
    };
    let limit_user = |max_connections| {
        let limits = UserLimits { max_connections, ..UserLimits::default() };
        propose(Command::SetUserLimits(SetUserLimits { user: "guest".to_owned(), limits }));
    };
    let open = |virtual_host| {
        let mut client = Client::connect(&broker);
        client.header();
        client.login("guest", "guest");
        client.tune(0);
        client.said();
        client.send(0, ConnectionOpen { virtual_host, ..ConnectionOpen::default() });
        client.said()
    };
    limit_vhost(Some(0));
    limit_user(Some(0));
    expect![[r#"
        0: connection.close 530 "NOT_ALLOWED - vhost nope not found" (10, 40)
    "#]]
    .assert_eq(&open("nope"));
    expect![[r#"
        0: connection.close 530 "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (0) is reached" (10, 40)
    "#]].assert_eq(&open("/"));
    limit_vhost(None);
    expect![[r#"
        0: connection.close 530 "NOT_ALLOWED - connection refused for user 'guest': user connection limit (0) is reached" (10, 40)
    "#]].assert_eq(&open("/"));
    limit_user(None);
    expect![[r#"
        0: connection.close 530 "NOT_ALLOWED - access to vhost '/' refused for user 'guest'" (10, 40)
    "#]].assert_eq(&open("/"));
    assert_eq!(broker.registry.connections().len(), 0);
}

#[test]
fn negotiations_that_fail() {
    let broker = broker();
    let with = |tune: ConnectionTuneOk, vhost: &str| {
        let mut client = Client::connect(&broker);
        client.header();
        client.login("guest", "guest");
        client.said();
        client.send(0, tune);
        client.send(0, ConnectionOpen { virtual_host: vhost, ..ConnectionOpen::default() });
        client.said()
    };
    let good = ConnectionTuneOk { channel_max: 10, frame_max: 8192, heartbeat: 0 };
    expect![[r#"
        (paused)
    "#]]
    .assert_eq(&with(ConnectionTuneOk { frame_max: 4096, ..good }, "/"));
    expect![[r#"
        (paused)
    "#]]
    .assert_eq(&with(ConnectionTuneOk { channel_max: 0, ..good }, "/"));
    expect![[r#"
        0: connection.close 530 "NOT_ALLOWED - vhost nope not found" (10, 40)
    "#]]
    .assert_eq(&with(good, "nope"));
    let mut client = Client::connect(&broker);
    client.header();
    client.login("guest", "guest");
    client.send(0, good);
    client.said();
    client.send(1, ChannelOpen::default());
    expect![[r#"
        0: connection.close 505 "UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>>" (0, 0)
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn too_many_channels() {
    let broker = broker();
    let mut client = Client::connect(&broker);
    client.header();
    client.login("guest", "guest");
    client.send(0, ConnectionTuneOk { channel_max: 2, frame_max: 8192, heartbeat: 0 });
    client.send(0, ConnectionOpen { virtual_host: "/", ..ConnectionOpen::default() });
    client.said();
    for channel in [7, 900, 8] {
        client.send(channel, ChannelOpen::default());
    }
    expect![[r#"
        7: channel.open_ok channel_id: []
        900: channel.open_ok channel_id: []
        0: connection.close 530 "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)" (0, 0)
    "#]].assert_eq(&client.said());
}

#[test]
fn operators_close_connections() {
    let broker = broker();
    let mut client = Client::open(&broker);
    broker.registry.request_close("maintenance", |_| true);
    expect![[r#"
        0: connection.close 320 "CONNECTION_FORCED - maintenance" (0, 0)
    "#]]
    .assert_eq(&client.said());
    broker.registry.request_close("the client did not answer", |_| true);
    expect![[r#"
        (end)
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn declaring_inequivalently_answers_even_without_waiting() {
    told(
        |it| {
            let exchange = ExchangeDeclare {
                exchange: "amq.direct",
                kind: "fanout",
                nowait: true,
                ..ExchangeDeclare::default()
            };
            it.send(1, exchange);
        },
        expect![[r#"
            1: channel.close 406 "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': received 'fanout' but current is 'direct'" (40, 10)
        "#]],
    );
}

#[test]
fn a_failed_journal_ends_connections() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.connection.shared.post(Event::JournalFailed);
    client.connection.shared.wake();
    expect![[r#"
        0: connection.close 541 "INTERNAL_ERROR" (0, 0)
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn a_queue_that_a_bug_stopped_says_so_and_can_be_deleted() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.said();
    let id = {
        let topology = broker.topology();
        topology.vhost("/").and_then(|vhost| vhost.queue("q")).expect("declared").id
    };
    let queue = broker.queue(id).expect("declared");
    let mut turn = broker.begin(client.now);
    let bug = AssertUnwindSafe(|| broker.get(&mut turn, &queue, None, |_| panic!("for the test")));
    catch_unwind(bug).expect_err("it does panic");
    let attempts: [fn(&mut Client); 4] = [
        |it| it.declare("q"),
        |it| it.get("q", true),
        |it| it.consume("q", "c", true),
        |it| it.send(1, QueuePurge { queue: "q", ..QueuePurge::default() }),
    ];
    for attempt in attempts {
        let mut client = Client::open(&broker);
        attempt(&mut client);
        let said = client.said();
        let text = "channel.close 404 \"NOT_FOUND - queue 'q' in vhost '/' has crashed and failed to \
                    restart\"";
        assert!(said.contains(text), "{said}");
    }
    client.send(1, QueueDelete { queue: "q", ..QueueDelete::default() });
    client.declare("q");
    expect![[r#"
        1: queue.delete_ok message_count: 0
        1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
    "#]]
    .assert_eq(&client.said());
}
