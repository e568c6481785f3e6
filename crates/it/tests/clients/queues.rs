//! Lives of queues: who names them, who may use them, when they go, and in what order they give.

use lapin::options::{BasicGetOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions};

use crate::kit::{Broker, persistent, properties, step, wait_until, words};

const EXCLUSIVE: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: false,
    exclusive: true,
    auto_delete: false,
    nowait: false,
};

const TRANSIENT: QueueDeclareOptions = QueueDeclareOptions { exclusive: false, ..EXCLUSIVE };

#[test]
fn durable_queues_and_persistent_messages_survive_a_restart() {
    let mut broker = Broker::start();
    let ch = broker.channel();
    ch.queue("durable");
    ch.declare("transient", TRANSIENT, "").expect("4.3 denies it by default, we do not");
    ch.send("", "durable", persistent(), "kept");
    ch.publish("", "durable", "lost");
    ch.send("", "transient", persistent(), "lost with its queue");
    broker.server.stop();
    broker.server.restart();
    let ch = broker.channel();
    assert_eq!(ch.drain("durable"), ["kept"]);
    let gone = ch.counts("transient");
    assert_eq!(gone, Err("404 NOT_FOUND - no queue 'transient' in vhost '/'".to_owned()));
}

#[test]
fn exchanges_and_bindings_survive_a_restart_when_both_ends_are_durable() {
    let mut broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    let durable = lapin::options::ExchangeDeclareOptions { durable: true, ..Default::default() };
    ch.exchange_with("kept", "topic", durable, "").expect("declared");
    ch.bind("q", "kept", "a.*");
    ch.exchange("brief", "topic");
    ch.bind("q", "brief", "#");
    broker.server.restart();
    let ch = broker.channel();
    ch.publish("kept", "a.b", "routed");
    assert_eq!(ch.drain("q"), ["routed"]);
    let refused = ch.offer("brief", "a.b", properties(), b"");
    assert_eq!(refused, Err("404 NOT_FOUND - no exchange 'brief' in vhost '/'".to_owned()));
}

#[test]
fn an_exclusive_queue_belongs_to_its_connection_and_goes_before_the_close_is_answered() {
    let broker = Broker::start();
    let owner = broker.client();
    owner.channel().declare("mine", EXCLUSIVE, "").expect("declared");
    let locked = "405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in \
        vhost '/'. It could be originally declared on another connection or the exclusive property \
        value does not match that of the original declaration.";
    assert_eq!(broker.channel().declare("mine", EXCLUSIVE, "").err(), Some(locked.to_owned()));
    owner.close();
    broker.channel().declare("mine", EXCLUSIVE, "").expect("the name is free at once");
}

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    let auto_delete = QueueDeclareOptions { durable: true, auto_delete: true, ..TRANSIENT };
    ch.declare("brief", auto_delete, "").expect("declared");
    let (first, second) = (ch.consume("brief"), ch.consume("brief"));
    first.cancel();
    assert_eq!(ch.counts("brief"), Ok((0, 1)));
    second.cancel();
    let gone = ch.counts("brief");
    assert_eq!(gone, Err("404 NOT_FOUND - no queue 'brief' in vhost '/'".to_owned()));
}

#[test]
fn an_auto_delete_queue_is_gone_when_the_channel_of_its_consumer_is_closed() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    let auto_delete = QueueDeclareOptions { durable: true, auto_delete: true, ..TRANSIENT };
    ch.declare("brief", auto_delete, "").expect("declared");
    let reader = client.channel();
    let _consumer = reader.consume("brief");
    reader.close();
    let gone = ch.counts("brief");
    assert_eq!(gone, Err("404 NOT_FOUND - no queue 'brief' in vhost '/'".to_owned()));
}

#[test]
fn the_broker_names_a_queue_that_has_no_name() {
    let broker = Broker::start();
    let ch = broker.channel();
    let queue = ch.declare("", EXCLUSIVE, "").expect("declared");
    let name = queue.name().as_str();
    let random = name.strip_prefix("amq.gen-").expect("RabbitMQ's prefix");
    assert_eq!(random.len(), 22, "{name}");
    ch.publish("", name, "to the new queue");
    let got = step(ch.lapin.basic_get("", BasicGetOptions { no_ack: true })).expect("open");
    assert_eq!(got.expect("the last declared queue is meant").delivery.data, b"to the new queue");
}

#[test]
fn a_queue_declared_again_must_be_the_same() {
    let broker = Broker::start();
    let client = broker.client();
    client.channel().queue_with("q", "x-max-length=3");
    client.channel().queue_with("q", "x-max-length=3");
    let durable = QueueDeclareOptions { durable: true, ..TRANSIENT };
    let other = client.channel().declare("q", durable, "x-max-length=4").err();
    let expected = "406 PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in \
        vhost '/': received '4' but current is '3'";
    assert_eq!(other, Some(expected.to_owned()));
}

#[test]
fn a_queue_expires_when_nobody_uses_it() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue_with("idle", "x-expires=200");
    ch.queue_with("used", "x-expires=200");
    let _consumer = ch.consume("used");
    wait_until("the idle queue expires", || {
        let names = broker.ctl("list_queues name --no-table-headers");
        (names.trim() == "used").then_some(())
    });
}

#[test]
fn purge_and_delete_count_what_was_ready() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    ch.queue("q");
    for body in ["1", "2", "3"] {
        ch.publish("", "q", body);
    }
    let unsettled = ch.get_unsettled("q");
    assert_eq!(step(ch.lapin.queue_purge("q", QueuePurgeOptions::default())).ok(), Some(2));
    unsettled.reject(true);
    let delete = |options| step(client.plain_channel().lapin.queue_delete("q", options));
    let if_empty = QueueDeleteOptions { if_empty: true, ..Default::default() };
    let refused = delete(if_empty).map_err(|e| words(&e));
    let expected = "406 PRECONDITION_FAILED - queue 'q' in vhost '/' not empty";
    assert_eq!(refused, Err(expected.to_owned()));
    let consumer = ch.consume_auto("q");
    let if_unused = QueueDeleteOptions { if_unused: true, ..Default::default() };
    let refused = delete(if_unused).map_err(|e| words(&e));
    let expected = "406 PRECONDITION_FAILED - queue 'q' in vhost '/' in use";
    assert_eq!(refused, Err(expected.to_owned()));
    consumer.cancel();
    ch.publish("", "q", "4");
    assert_eq!(delete(QueueDeleteOptions::default()).ok(), Some(1));
    assert_eq!(delete(QueueDeleteOptions::default()).ok(), Some(0), "a missing queue is no error");
}

#[test]
fn a_priority_queue_gives_the_highest_first_and_equals_in_order() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue_with("p", "x-max-priority=5");
    for (priority, body) in [(1, "low"), (5, "high a"), (3, "middle"), (9, "clamped to 5")] {
        ch.send("", "p", properties().with_priority(priority), body);
    }
    ch.publish("", "p", "none is 0");
    assert_eq!(ch.drain("p"), ["high a", "clamped to 5", "middle", "low", "none is 0"]);
}
