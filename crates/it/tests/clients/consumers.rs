//! Who gets a message: turns, priorities, exclusivity, prefetch, and the word when it is over.

use lapin::options::{BasicConsumeOptions, QueueDeleteOptions};

use crate::kit::{Broker, step, wait_until};

#[test]
fn consumers_take_turns() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    ch.queue("q");
    let (mut first, mut second) = (ch.consume_auto("q"), ch.consume_auto("q"));
    for body in ["1", "2", "3", "4"] {
        ch.publish("", "q", body);
    }
    assert_eq!(first.texts(2), ["1", "3"]);
    assert_eq!(second.texts(2), ["2", "4"]);
}

#[test]
fn a_worker_gets_no_more_than_its_prefetch() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    ch.queue("q");
    for body in ["1", "2", "3", "4", "5"] {
        ch.publish("", "q", body);
    }
    let (busy, idle) = (client.channel(), client.channel());
    busy.prefetch(1);
    idle.prefetch(3);
    let mut busy = busy.consume("q");
    let mut idle = idle.consume("q");
    let held = busy.next();
    assert_eq!(held.text(), "1");
    assert_eq!(idle.texts(3), ["2", "3", "4"]);
    assert!(busy.is_empty());
    held.ack();
    assert_eq!(busy.next().text(), "5");
}

#[test]
fn prefetch_is_per_consumer_and_counts_from_the_next_one() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    ch.prefetch(1);
    let mut first = ch.consume("q");
    ch.prefetch(2);
    let mut second = ch.consume("q");
    for body in ["1", "2", "3", "4"] {
        ch.publish("", "q", body);
    }
    assert_eq!(first.texts(1), ["1"]);
    assert_eq!(second.texts(2), ["2", "3"]);
    assert!(first.is_empty() && second.is_empty());
    assert_eq!(ch.ready("q"), 1);
}

/// RabbitMQ 4.3 quietly treats it as per consumer, because it has given up the feature; here it
/// still works.
#[test]
fn global_prefetch_limits_the_channel() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    ch.prefetch_of_channel(2);
    let (mut first, mut second) = (ch.consume("q"), ch.consume("q"));
    for body in ["1", "2", "3"] {
        ch.publish("", "q", body);
    }
    let held = first.next();
    assert_eq!((held.text(), second.next().text()), ("1".into(), "2".into()));
    assert_eq!(ch.ready("q"), 1);
    held.ack();
    wait_until("the third is delivered", || (ch.ready("q") == 0).then_some(()));
}

#[test]
fn the_highest_priority_is_served_until_it_is_full() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    ch.queue("q");
    let priority = |priority: i32| {
        let ch = client.channel();
        ch.prefetch(1);
        let options = BasicConsumeOptions::default();
        ch.consume_with("q", options, &format!("x-priority={priority}")).expect("it may consume")
    };
    let (mut low, mut high) = (priority(-1), priority(10));
    ch.publish("", "q", "1");
    ch.publish("", "q", "2");
    let held = high.next();
    assert_eq!(held.text(), "1");
    assert_eq!(low.next().text(), "2", "the high one is busy");
    held.ack();
    ch.publish("", "q", "3");
    assert_eq!(high.next().text(), "3");
}

#[test]
fn an_exclusive_consumer_suffers_no_other() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    ch.queue("q");
    let exclusive = BasicConsumeOptions { exclusive: true, ..Default::default() };
    let only = ch.consume_with("q", exclusive, "").expect("it may consume");
    let refused = client.channel().consume_with("q", BasicConsumeOptions::default(), "").err();
    let expected = "403 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use";
    assert_eq!(refused, Some(expected.to_owned()));
    only.cancel();
    client.channel().consume("q");
}

#[test]
fn a_single_active_consumer_hands_over_when_it_goes() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    ch.queue_with("q", "x-single-active-consumer=true");
    let (active, waiting) = (client.channel(), client.channel());
    let (mut first, mut second) = (active.consume("q"), waiting.consume("q"));
    for body in ["1", "2", "3"] {
        ch.publish("", "q", body);
    }
    let one = first.next();
    assert_eq!(first.texts(2), ["2", "3"]);
    one.ack();
    assert!(second.is_empty());
    active.close();
    let two = second.next();
    assert_eq!((two.text(), two.is_redelivered()), ("2".into(), true));
    assert_eq!(second.next().text(), "3");
    let listed = broker.ctl("list_consumers active activity_status --no-table-headers");
    assert_eq!(listed, "true\tsingle_active\n");
}

#[test]
fn a_consumer_is_told_when_its_queue_is_deleted() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    ch.queue("q");
    let mut inbox = client.channel().consume("q");
    step(ch.lapin.queue_delete("q", QueueDeleteOptions::default())).expect("deleted");
    inbox.ends();
}

#[test]
fn a_cancelled_consumer_keeps_what_it_has_and_gets_no_more() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    let mut inbox = ch.consume("q");
    ch.publish("", "q", "1");
    let held = inbox.next();
    inbox.cancel();
    ch.publish("", "q", "2");
    assert_eq!(ch.drain("q"), ["2"]);
    held.ack();
    let columns = "list_queues name messages_ready messages_unacknowledged --no-table-headers";
    wait_until("the ack arrives", || (broker.ctl(columns) == "q\t0\t0\n").then_some(()));
}

#[test]
fn consumers_get_only_so_much_of_a_full_queue_and_all_of_it_in_the_end() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    let numbers: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
    let plain = broker.client();
    let publisher = plain.plain_channel();
    for number in &numbers {
        publisher.publish_unconfirmed("", "q", number);
    }
    ch.prefetch(10);
    let mut inbox = ch.consume("q");
    for number in &numbers {
        let message = inbox.next();
        assert_eq!(message.text(), *number);
        message.ack();
    }
}
