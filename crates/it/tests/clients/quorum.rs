//! Quorum queues: what differs from classic ones, as clients see it.

use crate::kit::{Broker, Ch, Heard, Message, headers, properties, wait_until};

fn quorum_queue(ch: &Ch, name: &str, more: &str) {
    let comma = if more.is_empty() { "" } else { ", " };
    ch.queue_with(name, &format!("x-queue-type=\"quorum\"{comma}{more}"));
}

/// Body, `*` if it was tried, how often, and how often it failed.
fn tried(message: &Message) -> String {
    let count = |name| match message.headers().inner().contains_key(name) {
        true => message.header(name),
        false => "-".to_owned(),
    };
    let star = if message.is_redelivered() { "*" } else { "" };
    format!("{}{star} {}/{}", message.text(), count("x-acquired-count"), count("x-delivery-count"))
}

#[test]
fn a_message_says_how_often_it_was_tried() {
    let broker = Broker::start();
    let ch = broker.channel();
    quorum_queue(&ch, "q", "x-delivery-limit=2");
    ch.send("", "q", headers("mine=1"), "a");
    let mut seen = Vec::new();
    for requeue in ["nack", "reject", "reject", "reject"] {
        let message = ch.get_unsettled("q");
        assert_eq!(message.header("mine"), "1", "headers of its own stay");
        seen.push(tried(&message));
        match requeue {
            "nack" => message.nack(false, true),
            _ => message.reject(true),
        }
    }
    assert_eq!(seen, ["a -/-", "a* 1/-", "a* 2/1", "a* 3/2"]);
    assert!(ch.get("q").is_none(), "it failed more often than twice");
}

#[test]
fn a_lost_channel_is_a_failure_and_a_cancelled_consumer_is_not() {
    let broker = Broker::start();
    let other = broker.channel();
    quorum_queue(&other, "q", "");
    other.publish("", "q", "a");
    let ch = broker.channel();
    let mut inbox = ch.consume("q");
    let message = inbox.next();
    inbox.cancel();
    message.nack(false, true);
    assert_eq!(tried(&ch.get_unsettled("q")), "a* 1/-");
    ch.close();
    assert_eq!(tried(&other.wait_for("q")), "a* 2/1");
}

#[test]
fn what_comes_back_goes_before_every_priority() {
    let broker = Broker::start();
    let ch = broker.channel();
    quorum_queue(&ch, "q", "");
    for (body, priority) in
        [("low", Some(1)), ("usual", None), ("four", Some(4)), ("high", Some(99))]
    {
        let with = |priority| properties().with_priority(priority);
        ch.send("", "q", priority.map_or_else(properties, with), body);
    }
    let messages: Vec<_> = (0..4).map(|_| ch.get_unsettled("q")).collect();
    let order: Vec<_> = messages.iter().map(Message::text).collect();
    assert_eq!(order, ["high", "usual", "four", "low"]);
    messages[3].nack(false, true);
    ch.send("", "q", properties().with_priority(31), "highest");
    assert_eq!(ch.drain("q"), ["low", "highest"]);
}

#[test]
fn everything_survives_a_crash_with_its_attempts() {
    let mut broker = Broker::start();
    let ch = broker.channel();
    quorum_queue(&ch, "q", "");
    // Without delivery mode: a quorum queue keeps it all the same.
    for body in ["a", "b", "c"] {
        ch.send("", "q", properties(), body);
    }
    ch.get_unsettled("q").reject(true);
    assert_eq!(tried(&ch.get_unsettled("q")), "a* 1/1");
    ch.get_unsettled("q").reject(true);
    // The next answer says that the journal has it all.
    ch.publish("", "q", "d");
    broker.server.kill();
    broker.server.restart();
    let ch = broker.channel();
    let found: Vec<_> = std::iter::from_fn(|| ch.get("q")).collect();
    let bodies: Vec<_> = found.iter().map(Message::text).collect();
    assert_eq!(bodies, ["b", "a", "c", "d"], "what had come back, what was out, the rest");
    assert_eq!(tried(&found[0]), "b* 1/1");
    assert_eq!(tried(&found[1]), "a* 2/2", "the crash was another failure");
}

#[test]
fn a_message_that_fails_too_often_is_dead_lettered() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("dead");
    let to = "x-dead-letter-exchange=\"\", x-dead-letter-routing-key=\"dead\"";
    quorum_queue(&ch, "q", &format!("x-delivery-limit=0, {to}"));
    ch.publish("", "q", "a");
    ch.get_unsettled("q").reject(true);
    let dead = ch.wait_for("dead");
    assert_eq!(dead.header("x-first-death-reason"), "\"delivery_limit\"");
    assert!(dead.is_redelivered());
}

#[test]
fn failures_elsewhere_count_in_a_quorum_queue() {
    let broker = Broker::start();
    let ch = broker.channel();
    quorum_queue(&ch, "dead", "");
    let to = "x-dead-letter-exchange=\"\", x-dead-letter-routing-key=\"dead\"";
    quorum_queue(&ch, "q", to);
    ch.publish("", "q", "a");
    ch.get_unsettled("q").reject(true);
    ch.get_unsettled("q").reject(false);
    assert_eq!(tried(&ch.wait_for("dead")), "a* 2/2");
}

#[test]
fn dead_letters_wait_for_a_queue_to_go_to() {
    let broker = Broker::start();
    let ch = broker.channel();
    let at_least_once = "x-dead-letter-exchange=\"dlx\", x-dead-letter-strategy=\"at-least-once\", \
        x-overflow=\"reject-publish\", x-max-length=2";
    quorum_queue(&ch, "q", at_least_once);
    ch.publish("", "q", "a");
    ch.get_unsettled("q").reject(false);
    ch.publish("", "q", "b");
    ch.publish("", "q", "c");
    let full = ch.offer("", "q", properties(), b"d");
    assert_eq!(full, Ok(Heard::Nack), "the dead letter still counts");
    assert_eq!(ch.ready("q"), 2);
    // Once there is a way, they go at once.
    ch.exchange("dlx", "fanout");
    ch.queue("dead");
    ch.bind("dead", "dlx", "");
    ch.get_unsettled("q").reject(false);
    assert_eq!(ch.wait_for("dead").text(), "b");
}

#[test]
fn retries_wait() {
    let broker = Broker::start();
    let ch = broker.channel();
    let delayed = "x-delayed-retry-type=\"failed\", x-delayed-retry-min=5000";
    quorum_queue(&ch, "q", delayed);
    ch.publish("", "q", "a");
    ch.get_unsettled("q").reject(true);
    assert!(ch.get("q").is_none(), "it waits");
}

#[test]
fn a_consumer_that_takes_too_long_loses_its_messages() {
    let broker = Broker::with("consumer_timeout = 300");
    let ch = broker.channel();
    quorum_queue(&ch, "q", "");
    ch.publish("", "q", "a");
    let mut slow = ch.consume("q");
    assert_eq!(slow.next().text(), "a");
    slow.ends();
    let other = broker.channel();
    assert_eq!(tried(&other.wait_for("q")), "a* 1/-");
}

#[test]
fn a_higher_priority_takes_over_a_single_active_consumer() {
    let broker = Broker::start();
    let ch = broker.channel();
    quorum_queue(&ch, "q", "x-single-active-consumer=true");
    ch.prefetch(1);
    for body in ["a", "b"] {
        ch.publish("", "q", body);
    }
    let mut first = ch.consume("q");
    let held = first.next();
    let mut second = ch.consume_with("q", Default::default(), "x-priority=1").expect("it may wait");
    let listed = || broker.ctl("list_consumers activity_status --no-table-headers");
    assert_eq!(listed(), "single_active\nwaiting\n");
    held.ack();
    assert_eq!(second.next().text(), "b");
    wait_until("the other takes over", || (listed() == "waiting\nsingle_active\n").then_some(()));
}

#[test]
fn a_vhost_may_make_queues_quorum_queues() {
    let broker = Broker::start();
    broker.ctl("add_vhost shop --default-queue-type quorum");
    broker.ctl("set_permissions -p shop guest .* .* .*");
    let ch = broker.login("guest", "guest", "shop").expect("guest may").into_channel();
    ch.queue("q");
    let listed =
        broker.ctl("list_queues -p shop name type leader members online --no-table-headers");
    let mut words = listed.split_whitespace();
    assert_eq!((words.next(), words.next()), (Some("q"), Some("quorum")));
    let node = words.next().expect("a leader");
    assert_eq!(words.collect::<Vec<_>>(), [format!("[{node}]"), format!("[{node}]")]);
}
