//! What becomes of messages that a queue gives up.

use crate::kit::{Broker, Ch, Message, headers, properties, wait_until};

/// A queue whose dead letters go to the queue named.
fn queue_to(ch: &Ch, queue: &str, next: &str, more: &str) {
    let comma = if more.is_empty() { "" } else { ", " };
    let to = format!("x-dead-letter-exchange=\"\", x-dead-letter-routing-key=\"{next}\"");
    ch.queue_with(queue, &format!("{to}{comma}{more}"));
}

fn first_and_last_death(message: &Message) -> [String; 6] {
    [
        "x-first-death-queue",
        "x-first-death-reason",
        "x-first-death-exchange",
        "x-last-death-queue",
        "x-last-death-reason",
        "x-last-death-exchange",
    ]
    .map(|name| message.header(name).replace('"', ""))
}

#[test]
fn a_rejected_message_carries_its_history() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("dead");
    queue_to(&ch, "work", "dead", "");
    ch.send("", "work", headers("mine=1"), "refused");
    ch.get_unsettled("work").reject(false);
    let dead = ch.wait_for("dead");
    let history = "[{count=1, exchange=\"\", queue=\"work\", reason=\"rejected\", \
        routing-keys=[\"work\"], time=<time>}]";
    assert_eq!(dead.header("x-death"), history);
    assert_eq!(dead.header("mine"), "1", "headers of its own stay");
    assert_eq!(first_and_last_death(&dead), ["work", "rejected", "", "work", "rejected", ""]);
    assert_eq!(dead.delivery.routing_key.as_str(), "dead");
    assert!(dead.is_redelivered(), "it was delivered once, if by another queue");
}

#[test]
fn each_hop_adds_an_entry_in_front() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("end");
    queue_to(&ch, "third", "end", "x-max-length=0");
    queue_to(&ch, "second", "third", "x-message-ttl=0");
    queue_to(&ch, "first", "second", "");
    ch.send("", "first", properties().with_expiration("60000".into()), "far");
    ch.get_unsettled("first").reject(false);
    let far = ch.wait_for("end");
    let history = "[{count=1, exchange=\"\", queue=\"third\", reason=\"maxlen\", \
        routing-keys=[\"third\"], time=<time>}, \
        {count=1, exchange=\"\", queue=\"second\", reason=\"expired\", \
        routing-keys=[\"second\"], time=<time>}, \
        {count=1, exchange=\"\", original-expiration=\"60000\", queue=\"first\", \
        reason=\"rejected\", routing-keys=[\"first\"], time=<time>}]";
    assert_eq!(far.header("x-death"), history);
    assert_eq!(first_and_last_death(&far), ["first", "rejected", "", "third", "maxlen", ""]);
    assert_eq!(*far.delivery.properties.expiration(), None);
}

#[test]
fn a_retry_loop_counts_its_rounds() {
    let broker = Broker::start();
    let ch = broker.channel();
    queue_to(&ch, "work", "wait", "");
    queue_to(&ch, "wait", "work", "x-message-ttl=5");
    ch.publish("", "work", "stubborn");
    for round in 1..=3 {
        wait_until("the message is back", || (ch.ready("work") == 1).then_some(()));
        let message = ch.get_unsettled("work");
        let counts = message.header("x-death").matches(&format!("count={}", round - 1)).count();
        assert_eq!(counts, if round == 1 { 0 } else { 2 }, "{}", message.header("x-death"));
        message.reject(false);
    }
}

#[test]
fn a_cycle_without_a_rejection_ends_the_message() {
    let broker = Broker::start();
    let ch = broker.channel();
    queue_to(&ch, "a", "b", "x-message-ttl=5");
    queue_to(&ch, "b", "a", "x-message-ttl=5");
    ch.publish("", "a", "going round");
    wait_until("the message is dropped", || {
        let ready = ch.ready("a") + ch.ready("b");
        (ready == 0).then_some(())
    });
    let warning = "contains a dead letter cycle without reason 'rejected'. This list will not be \
                   logged again: [<<\"a\">>,<<\"b\">>,<<\"a\">>]";
    let _ = broker.server.log_with(warning);
}

#[test]
fn the_published_key_is_kept_when_the_queue_names_none() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("graveyard", "topic");
    ch.queue("dead");
    ch.bind("dead", "graveyard", "orders.*");
    ch.queue_with("work", "x-dead-letter-exchange=\"graveyard\"");
    ch.exchange("orders", "topic");
    ch.bind("work", "orders", "#");
    ch.publish("orders", "orders.eu", "refused");
    ch.get_unsettled("work").nack(false, false);
    let dead = ch.wait_for("dead");
    assert_eq!(dead.delivery.exchange.as_str(), "graveyard");
    assert_eq!(dead.delivery.routing_key.as_str(), "orders.eu");
    assert_eq!(first_and_last_death(&dead)[2], "orders");
}

#[test]
fn blind_copies_are_made_of_every_dead_letter_and_never_told() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("graveyard", "direct");
    for queue in ["work", "copy", "blind"] {
        ch.queue_with(queue, "x-dead-letter-exchange=\"graveyard\"");
        ch.queue(&format!("dead {queue}"));
        ch.bind(&format!("dead {queue}"), "graveyard", queue);
    }
    ch.send("", "work", headers("CC=[\"copy\"], BCC=[\"blind\"]"), "letter");
    for queue in ["work", "copy", "blind"] {
        ch.get_unsettled(queue).reject(false);
    }
    for queue in ["dead work", "dead copy", "dead blind"] {
        for _ in ["from each of the three queues"; 3] {
            let dead = ch.wait_for(queue);
            assert_eq!(dead.header("BCC"), "");
            assert_eq!(dead.header("CC"), "[\"copy\"]");
            assert!(dead.header("x-death").contains("routing-keys=[\"work\", \"copy\"]"));
        }
    }
}

#[test]
fn dead_letters_to_an_exchange_that_is_gone_are_dropped() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue_with("work", "x-dead-letter-exchange=\"nowhere\"");
    ch.publish("", "work", "refused");
    ch.get_unsettled("work").reject(false);
    assert_eq!(ch.ready("work"), 0);
}
