//! How long messages live and how many a queue holds.

use crate::kit::{Broker, Heard, properties, wait_until};

const DEAD_LETTER_TO_DEAD: &str = "x-dead-letter-exchange=\"\", x-dead-letter-routing-key=\"dead\"";

#[test]
fn a_message_expires_by_the_queues_ttl() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue_with("q", "x-message-ttl=50");
    ch.publish("", "q", "brief");
    wait_until("the message expires", || (ch.ready("q") == 0).then_some(()));
}

#[test]
fn the_shorter_of_queue_and_message_ttl_counts() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("dead");
    ch.queue_with("patient", &format!("x-message-ttl=60000, {DEAD_LETTER_TO_DEAD}"));
    ch.queue_with("brief", &format!("x-message-ttl=30, {DEAD_LETTER_TO_DEAD}"));
    ch.send("", "patient", properties().with_expiration("30".into()), "by its own");
    assert_eq!(ch.wait_for("dead").text(), "by its own");
    ch.send("", "brief", properties().with_expiration("60000".into()), "by the queue's");
    assert_eq!(ch.wait_for("dead").text(), "by the queue's");
}

#[test]
fn a_ttl_of_zero_drops_what_cannot_be_delivered_at_once() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue_with("now", "x-message-ttl=0");
    ch.publish("", "now", "nobody waits");
    assert_eq!(ch.ready("now"), 0);
    let mut inbox = ch.consume_auto("now");
    ch.publish("", "now", "somebody waits");
    assert_eq!(inbox.next().text(), "somebody waits");
    assert!(inbox.is_empty());
}

#[test]
fn an_expired_message_behind_a_living_one_waits_for_its_turn() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("dead");
    ch.queue_with("q", DEAD_LETTER_TO_DEAD);
    ch.publish("", "q", "no ttl");
    ch.send("", "q", properties().with_expiration("0".into()), "expired");
    assert_eq!(ch.ready("q"), 2, "expiry is exact at the head only");
    assert_eq!(ch.drain("q"), ["no ttl"]);
    assert_eq!(ch.wait_for("dead").text(), "expired");
}

#[test]
fn an_expiration_that_is_no_number_is_refused() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    let refused = ch.offer("", "q", properties().with_expiration("soon".into()), b"");
    let expected = "406 PRECONDITION_FAILED - invalid expiration 'soon': no_integer";
    assert_eq!(refused, Err(expected.to_owned()));
}

#[test]
fn a_full_queue_drops_its_head() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("dead");
    ch.queue_with("q", &format!("x-max-length=2, {DEAD_LETTER_TO_DEAD}"));
    for body in ["1", "2", "3", "4"] {
        ch.publish("", "q", body);
    }
    assert_eq!(ch.drain("q"), ["3", "4"]);
    let dead = ch.wait_for("dead");
    assert_eq!(
        (dead.text(), dead.header("x-first-death-reason")),
        ("1".into(), "\"maxlen\"".into())
    );
    assert_eq!(ch.wait_for("dead").text(), "2");
}

#[test]
fn a_full_queue_may_refuse_publishes_while_others_of_the_fanout_keep_their_copy() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("all", "fanout");
    ch.queue_with("small", "x-max-length=1, x-overflow=\"reject-publish\"");
    ch.queue("large");
    for queue in ["small", "large"] {
        ch.bind(queue, "all", "");
    }
    assert_eq!(ch.offer("all", "", properties(), b"fits"), Ok(Heard::Ack));
    assert_eq!(ch.offer("all", "", properties(), b"too many"), Ok(Heard::Nack));
    assert_eq!(ch.drain("small"), ["fits"]);
    assert_eq!(ch.drain("large"), ["fits", "too many"]);
    assert_eq!(ch.offer("all", "", properties(), b"room again"), Ok(Heard::Ack));
}

#[test]
fn a_full_queue_may_dead_letter_what_it_refuses() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("dead");
    let arguments =
        format!("x-max-length=1, x-overflow=\"reject-publish-dlx\", {DEAD_LETTER_TO_DEAD}");
    ch.queue_with("q", &arguments);
    assert_eq!(ch.offer("", "q", properties(), b"fits"), Ok(Heard::Ack));
    assert_eq!(ch.offer("", "q", properties(), b"refused"), Ok(Heard::Nack));
    assert_eq!(ch.drain("q"), ["fits"]);
    assert_eq!(ch.wait_for("dead").text(), "refused");
}

#[test]
fn a_limit_in_bytes_counts_bodies() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue_with("q", "x-max-length-bytes=10");
    for body in ["12345", "67890", "abc"] {
        ch.publish("", "q", body);
    }
    assert_eq!(ch.drain("q"), ["67890", "abc"]);
}

#[test]
fn limits_count_what_is_ready_and_not_what_is_delivered() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue_with("q", "x-max-length=1");
    ch.publish("", "q", "delivered");
    let delivered = ch.get_unsettled("q");
    ch.publish("", "q", "ready");
    assert_eq!(ch.ready("q"), 1);
    delivered.ack();
    assert_eq!(ch.drain("q"), ["ready"]);
}
