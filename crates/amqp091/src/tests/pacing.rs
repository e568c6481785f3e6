//! Time, durability and alarms: what waits for what.

use amqp091_codec::{
    BasicProperties, BasicQos, BasicReject, ConnectionClose, ConnectionCloseOk, ConnectionOpen,
    TxCommit, TxSelect,
};
use broker::testing::{MemoryJournal, broker_with};
use broker::{Alarms, BrokerConfig, Protocol, Status};
use expect_test::expect;
use field_table::FieldTable;
use stdx::Timestamp;

use super::kit::{Client, broker, publish_bytes, slow_broker};

fn persistent() -> BasicProperties {
    BasicProperties { delivery_mode: Some(2), ..BasicProperties::default() }
}

#[test]
fn confirms_wait_for_the_journal() {
    let (broker, journal) = slow_broker();
    let mut client = Client::open(&broker);
    client.declare_with("q", FieldTable::new());
    client.select_confirms();
    client.publish_with("", "q", &persistent(), false, "a");
    client.publish("", "nowhere", "waits for those before it");
    expect![""].assert_eq(&client.said());
    journal.sync();
    expect![[r#"
        1: basic.ack delivery_tag: 2, multiple: true
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn no_confirm_is_missed_whenever_in_a_turn_the_disk_is_done() {
    for looks in 0..12 {
        let (broker, journal) = slow_broker();
        let mut client = Client::open(&broker);
        client.declare_with("q", FieldTable::new());
        client.select_confirms();
        client.said();
        journal.sync_after_looks(looks);
        client.publish_with("", "q", &persistent(), false, "a");
        let said = client.said();
        // For the case that nobody looked that often: the disk is done after the turn.
        journal.sync();
        let said = said + &client.said();
        assert!(said.contains("basic.ack"), "after {looks} looks: {said:?}");
    }
}

#[test]
fn answers_wait_for_earlier_settlements() {
    let (broker, journal) = slow_broker();
    let mut client = Client::open(&broker);
    client.declare_with("q", FieldTable::new());
    client.publish_with("", "q", &persistent(), false, "a");
    client.get("q", false);
    journal.sync();
    client.said();
    client.ack(1, false);
    client.declare_with("q", FieldTable::new());
    expect![""].assert_eq(&client.said());
    journal.sync();
    expect![[r#"
        1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn a_commit_is_waited_for() {
    let early: [fn(&mut Client); 3] = [
        |it| it.send(1, BasicQos { prefetch_size: 0, prefetch_count: 1, global: false }),
        |it| it.publish("", "q", "b"),
        |it| it.ack(1, false),
    ];
    for (command, name) in early.into_iter().zip(["(60, 10)", "(60, 40)", "(60, 80)"]) {
        let (broker, journal) = slow_broker();
        let mut client = Client::open(&broker);
        client.declare_with("q", FieldTable::new());
        client.send(1, TxSelect {});
        client.said();
        client.publish_with("", "q", &persistent(), false, "a");
        client.send(1, TxCommit {});
        command(&mut client);
        journal.sync();
        let said = client.said();
        let told = "connection.close 504 \"CHANNEL_ERROR - unexpected command while processing \
            'tx.commit'\"";
        assert!(said.contains(&format!("{told} {name}")), "{said}");
    }
}

#[test]
fn who_waits_for_its_commit_goes_on_with_the_channel() {
    let (broker, journal) = slow_broker();
    let mut client = Client::open(&broker);
    client.declare_with("q", FieldTable::new());
    client.send(1, TxSelect {});
    client.said();
    for _ in 0..2 {
        client.publish_with("", "q", &persistent(), false, "a");
        client.send(1, TxCommit {});
        expect![""].assert_eq(&client.said());
        journal.sync();
        expect![[r#"
            1: tx.commit_ok
        "#]]
        .assert_eq(&client.said());
    }
}

#[test]
fn heartbeats_go_out_while_answers_wait() {
    let (broker, journal) = slow_broker();
    let mut client = Client::open_with_heartbeat(&broker, 1);
    client.declare_with("q", FieldTable::new());
    client.publish_with("", "q", &persistent(), false, "a");
    client.get("q", false);
    journal.sync();
    client.said();
    client.ack(1, false);
    client.declare_with("q", FieldTable::new());
    client.wait(500);
    expect![[r#"
        heartbeat
    "#]]
    .assert_eq(&client.said());
    client.wait(1000);
    expect![[r#"
        heartbeat
    "#]]
    .assert_eq(&client.said());
    journal.sync();
    expect![[r#"
        1: queue.declare_ok queue: "q", message_count: 0, consumer_count: 0
    "#]]
    .assert_eq(&client.said());
}

/// A quorum queue whose one message was got by `client` and came back, and that is not durable yet.
fn message_that_comes_back(client: &mut Client, journal: &MemoryJournal) {
    client.declare_with("q", FieldTable::new().with("x-queue-type", "quorum"));
    client.publish_with("", "q", &persistent(), false, "a");
    client.get("q", false);
    journal.sync();
    client.said();
    client.send(1, BasicReject { delivery_tag: 1, requeue: true });
}

#[test]
fn a_retry_waits_until_the_journal_counts_it() {
    let (broker, journal) = slow_broker();
    let (mut client, mut other) = (Client::open(&broker), Client::open(&broker));
    message_that_comes_back(&mut client, &journal);
    other.consume("q", "c", false);
    expect![[""]].assert_eq(&other.said());
    journal.sync();
    expect![[r#"
        1: basic.consume_ok consumer_tag: "c"
        1: deliver c #1 again "" "q"
           { headers: Some(FieldTable([("x-acquired-count", I64(1)), ("x-delivery-count", I64(1))])), delivery_mode: Some(2),  }
           "a"
    "#]]
    .assert_eq(&other.said());
    // From here on by itself: rejected and at once delivered anew.
    other.send(1, BasicReject { delivery_tag: 1, requeue: true });
    expect![[""]].assert_eq(&other.said());
    journal.sync();
    assert!(other.said().contains("deliver c #2 again"));
}

#[test]
fn a_retry_that_is_asked_for_waits_as_well() {
    let (broker, journal) = slow_broker();
    let (mut client, mut other) = (Client::open(&broker), Client::open(&broker));
    message_that_comes_back(&mut client, &journal);
    other.get("q", false);
    expect![[""]].assert_eq(&other.said());
    journal.sync();
    assert!(other.said().contains("get-ok #1 again"));
}

#[test]
fn heartbeats_go_out_while_a_retry_waits() {
    let (broker, journal) = slow_broker();
    let mut client = Client::open(&broker);
    let mut other = Client::open_with_heartbeat(&broker, 1);
    message_that_comes_back(&mut client, &journal);
    other.consume("q", "c", false);
    other.wait(500);
    expect![[r#"
        heartbeat
    "#]]
    .assert_eq(&other.said());
}

/// What `client` can publish before it is not read any more, of `count` bodies.
fn published_unread(client: &mut Client, mandatory: bool, key: &str, count: usize) -> usize {
    let bytes = publish_bytes("", key, &persistent(), mandatory, &"x".repeat(2_000_000));
    for sent in 0..count {
        // A pause for consumers ends by itself.
        client.wait(20);
        if client.connection.status() != Status::Open {
            return sent;
        }
        client.bytes(&bytes);
    }
    count
}

#[test]
fn who_does_not_read_its_deliveries_may_go_on_publishing() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.consume("q", "c", true);
    client.said();
    assert_eq!(published_unread(&mut client, false, "q", 10), 10);
    assert_eq!(client.said().matches("deliver c").count(), 10);
}

#[test]
fn who_does_not_read_its_answers_is_not_read_until_it_does() {
    let broker = broker();
    let mut client = Client::open(&broker);
    assert_eq!(published_unread(&mut client, true, "nowhere", 10), 1);
    assert_eq!(client.said().matches("return 312").count(), 1);
    assert_eq!(client.connection.status(), Status::Open);
}

#[test]
fn a_consumer_that_stopped_with_a_large_body_unread_is_dropped() {
    let broker = broker();
    let mut consumer = Client::open_with_heartbeat(&broker, 1);
    consumer.declare("q");
    consumer.consume("q", "c", false);
    consumer.said();
    let mut publisher = Client::open(&broker);
    published_unread(&mut publisher, false, "q", 2);
    consumer.wait(4000);
    assert_eq!(consumer.connection.status(), Status::Aborted);
}

#[test]
fn alarms_stop_publishers_and_nobody_else() {
    let broker = broker();
    let mut publisher = Client::open(&broker);
    let mut consumer = Client::open(&broker);
    consumer.declare("q");
    consumer.consume("q", "c", true);
    broker.set_alarm(Alarms::MEMORY, true);
    consumer.said();
    publisher.publish("", "q", "one");
    publisher.publish("", "q", "two");
    expect![[r#"
        0: connection.blocked reason: "low on memory"
        (paused)
    "#]]
    .assert_eq(&publisher.said());
    expect![""].assert_eq(&consumer.said());
    broker.set_alarm(Alarms::DISK, true);
    broker.set_alarm(Alarms::MEMORY, false);
    expect![[r#"
        (paused)
    "#]]
    .assert_eq(&publisher.said());
    broker.set_alarm(Alarms::DISK, false);
    expect![[r#"
        0: connection.unblocked
    "#]]
    .assert_eq(&publisher.said());
    expect![[r#"
        1: deliver c #1 "" "q"
           -
           "one"
        1: deliver c #2 "" "q"
           -
           "two"
    "#]]
    .assert_eq(&consumer.said());
}

#[test]
fn a_publish_without_a_body_ends_with_its_header_and_is_the_last_one_taken() {
    let broker = broker();
    let mut publisher = Client::open(&broker);
    publisher.declare("q");
    broker.set_alarm(Alarms::MEMORY, true);
    publisher.said();
    publisher.publish("", "q", "");
    publisher.publish("", "q", "");
    let mut reader = Client::open(&broker);
    reader.get("q", true);
    reader.get("q", true);
    expect![[r#"
        1: get-ok #1 "" "q" left 0
           -
        1: basic.get_empty cluster_id: ""
    "#]]
    .assert_eq(&reader.said());
}

#[test]
fn a_body_in_pieces_stops_at_its_header() {
    let broker = broker();
    let mut publisher = Client::open(&broker);
    publisher.declare("q");
    broker.set_alarm(Alarms::DISK, true);
    publisher.said();
    publisher.publish("", "q", &"x".repeat(200_000));
    expect![[r#"
        0: connection.blocked reason: "low on disk"
        (paused)
    "#]]
    .assert_eq(&publisher.said());
    broker.set_alarm(Alarms::DISK, false);
    publisher.said();
    publisher.get("q", true);
    assert!(publisher.said().contains("get-ok #1"));
}

#[test]
fn who_cannot_hear_of_an_alarm_waits_all_the_same() {
    let broker = broker();
    let mut publisher = Client::open(&broker);
    publisher.connection.capabilities.connection_blocked = false;
    broker.set_alarm(Alarms::MEMORY, true);
    publisher.publish("", "q", "one");
    expect![[r#"
        (paused)
    "#]]
    .assert_eq(&publisher.said());
    broker.set_alarm(Alarms::MEMORY, false);
    expect![""].assert_eq(&publisher.said());
}

/// The first half of a publish of 60 KB on channel 1, and the second.
fn halves() -> (Vec<u8>, Vec<u8>) {
    let publish = publish_bytes("", "q", &BasicProperties::default(), false, &"x".repeat(60_000));
    let frame_len = |at: &[u8]| 8 + u32::from_be_bytes([at[3], at[4], at[5], at[6]]) as usize;
    let method = frame_len(&publish);
    let header = frame_len(&publish[method..]);
    let mut body = vec![3, 0, 1];
    body.extend(30_000_u32.to_be_bytes());
    body.resize(7 + 30_000, b'x');
    body.push(0xce);
    ([&publish[..method + header], &body].concat(), body)
}

/// A broker with room for two bodies of 60 KB.
fn small_broker() -> std::sync::Arc<broker::Broker> {
    let config = BrokerConfig { unfinished_bodies_max: 120_000, ..BrokerConfig::default() };
    broker_with(config, std::sync::Arc::default())
}

#[test]
fn a_body_that_finds_no_room_begins_when_another_ends() {
    let broker = small_broker();
    let (first_half, second_half) = halves();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::open(&broker)).collect();
    clients[0].declare("q");
    clients[0].said();
    for client in &mut clients {
        client.bytes(&first_half);
    }
    let paused = |clients: &mut [Client]| -> Vec<bool> {
        clients.iter_mut().map(|it| it.said().contains("(paused)")).collect()
    };
    assert_eq!(paused(&mut clients), [false, false, true, true]);
    clients[1].bytes(&second_half);
    assert_eq!(paused(&mut clients), [false, false, false, true]);
    clients[0].bytes(&second_half);
    clients[2].bytes(&second_half);
    clients[3].said();
    clients[3].bytes(&second_half);
    clients[3].get("q", true);
    assert!(clients[3].said().contains("left 3"), "all four arrived");
}

#[test]
fn a_connection_whose_own_bodies_take_the_room_goes_on_after_a_second() {
    let broker = small_broker();
    let (first_half, second_half) = halves();
    let mut client = Client::open(&broker);
    client.declare("q");
    let mut others: Vec<Client> = (0..2).map(|_| Client::open(&broker)).collect();
    for other in &mut others {
        other.bytes(&first_half);
    }
    client.bytes(&first_half);
    client.said();
    client.wait(999);
    expect![[r#"
        (paused)
    "#]]
    .assert_eq(&client.said());
    client.wait(1);
    client.said();
    client.bytes(&second_half);
    client.get("q", true);
    assert!(client.said().contains("get-ok"));
}

#[test]
fn who_leaves_the_queue_for_room_lets_the_next_one_in() {
    let broker = small_broker();
    let (first_half, second_half) = halves();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::open(&broker)).collect();
    clients[3].declare("q");
    for client in &mut clients {
        client.bytes(&first_half);
    }
    let gone = clients[3].now;
    for client in &mut clients[..3] {
        client.connection.handle_disconnect(gone);
    }
    clients[3].said();
    clients[3].bytes(&second_half);
    clients[3].get("q", true);
    assert!(clients[3].said().contains("get-ok"));
}

/// The state that listings show of the only connection.
fn state(broker: &broker::Broker, now: Timestamp) -> &'static str {
    let connections = broker.registry.connections();
    assert_eq!(connections.len(), 1);
    connections[0].state(now).name()
}

#[test]
fn listings_tell_who_waits_for_an_alarm_to_end() {
    let broker = broker();
    let mut client = Client::open(&broker);
    assert_eq!(state(&broker, client.now), "running");
    broker.set_alarm(Alarms::MEMORY, true);
    client.said();
    assert_eq!(state(&broker, client.now), "blocking");
    client.publish("", "q", "one");
    assert_eq!(state(&broker, client.now), "blocked");
    broker.set_alarm(Alarms::MEMORY, false);
    client.said();
    assert_eq!(state(&broker, client.now), "running");
}

#[test]
fn who_had_to_wait_is_in_flow_for_five_seconds() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.consume("q", "c", false);
    client.said();
    for _ in 0..80 {
        client.publish("", "q", &"x".repeat(100_000));
    }
    assert_eq!(state(&broker, client.now), "flow");
    client.wait(4999);
    assert_eq!(state(&broker, client.now), "flow");
    client.wait(1);
    assert_eq!(state(&broker, client.now), "running");
}

#[test]
fn a_handshake_has_ten_seconds() {
    let broker = broker();
    let mut client = Client::connect(&broker);
    client.header();
    client.said();
    client.wait(9_999);
    expect![""].assert_eq(&client.said());
    client.wait(1);
    expect![[r#"
        (dropped)
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn silent_clients_are_dropped() {
    let broker = broker();
    let mut client = Client::connect(&broker);
    client.header();
    client.login("guest", "guest");
    client.tune(1);
    client.send(0, ConnectionOpen { virtual_host: "/", ..ConnectionOpen::default() });
    client.said();
    client.wait(2_999);
    expect![[r#"
        heartbeat
        heartbeat
        heartbeat
        heartbeat
        heartbeat
    "#]]
    .assert_eq(&client.said());
    client.wait(1);
    expect![[r#"
        (dropped)
    "#]]
    .assert_eq(&client.said());
}

#[test]
fn who_does_not_answer_a_close_is_dropped_after_its_heartbeat_or_half_a_minute() {
    for (heartbeat_s, patience_ms) in [(3, 3_000), (0, 30_000), (60, 30_000)] {
        let broker = broker();
        let mut client = Client::connect(&broker);
        client.header();
        client.login("guest", "guest");
        client.tune(heartbeat_s);
        client.send(0, ConnectionOpen { virtual_host: "/", ..ConnectionOpen::default() });
        client.send(1, TxSelect {});
        let said = client.said();
        assert!(said.contains("connection.close 504"), "{said}");
        client.wait(patience_ms - 1);
        assert!(!client.said().contains("dropped"), "heartbeat {heartbeat_s}");
        client.wait(1);
        assert!(client.said().contains("dropped"), "heartbeat {heartbeat_s}");
    }
}

#[test]
fn a_slow_reader_holds_no_more_than_an_outbox() {
    let broker = broker();
    let mut publisher = Client::open(&broker);
    publisher.declare("q");
    let body = "x".repeat(3_000);
    for _ in 0..400 {
        publisher.publish("", "q", &body);
    }
    let mut consumer = Client::open(&broker);
    consumer.consume("q", "c", true);
    let held = consumer.connection.shared.lock().out.len();
    assert!((256 * 1024..320 * 1024).contains(&held), "{held}");
    let delivered = consumer.said().matches("deliver c").count();
    assert_eq!(delivered, 400);
}

#[test]
fn publishers_wait_while_too_much_is_in_memory_and_readers_do_not() {
    let config = BrokerConfig { resident_max: 100_000, ..BrokerConfig::default() };
    let broker = broker_with(config, std::sync::Arc::default());
    let mut publisher = Client::open(&broker);
    publisher.declare("q");
    publisher.said();
    for _ in 0..30 {
        publisher.publish("", "q", &"x".repeat(10_000));
    }
    assert!(publisher.said().contains("(paused)"));
    let mut reader = Client::open(&broker);
    reader.get("q", true);
    let said = reader.said();
    assert!(said.contains("get-ok") && !said.contains("(paused)"));
    let mut jobs = Vec::new();
    broker.collect_pages(publisher.now, usize::MAX, &mut jobs);
    broker.paged_out(publisher.now, jobs);
    expect![""].assert_eq(&publisher.said());
}

#[test]
fn who_says_goodbye_and_does_not_read_the_end_is_dropped() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.send(0, ConnectionClose::default());
    client.send(0, ConnectionCloseOk {});
    assert_eq!(client.connection.status(), Status::Draining);
    let deadline = client.connection.poll_timeout().expect("it does not wait for ever");
    client.connection.handle_timeout(deadline);
    assert_eq!(client.connection.status(), Status::Aborted);
}
