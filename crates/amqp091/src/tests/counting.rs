//! What channels count, as statistics get it.

use std::fmt::Write as _;
use std::sync::Arc;

use amqp091_codec::{
    BasicNack, BasicProperties, BasicReject, ChannelClose, ChannelOpen, ExchangeDeclare, QueueBind,
    QueueDelete, TxCommit, TxRollback, TxSelect,
};
use broker::Broker;
use expect_test::expect;
use statistics::{AuthAttempts, AuthSource, Clients, MessageCount, MessageCounts};

use super::kit::{Client, broker, slow_broker};

/// What all channels did since this was asked last, a line a row.
fn counted(broker: &Arc<Broker>) -> String {
    let mut text = String::new();
    broker.take_traffic(&mut |traffic| {
        for (exchange, counts) in &traffic.exchanges {
            writeln!(text, "{exchange:?}: {}", words(counts)).expect("strings take all");
        }
        if 0 < traffic.expecting_confirm {
            writeln!(text, "to be confirmed: {}", traffic.expecting_confirm).expect("as before");
        }
        for row in &traffic.queues {
            let (queue, counts) = (&row.queue, words(&row.counts));
            writeln!(text, "{queue} ({}): {counts}", row.queue_type).expect("as before");
        }
        for (exchange, queue, count) in &traffic.routes {
            writeln!(text, "{exchange:?} -> {queue}: {count}").expect("as before");
        }
        if traffic.is_closed {
            writeln!(text, "closed").expect("as before");
        }
    });
    text
}

fn words(counts: &MessageCounts) -> String {
    let some = MessageCount::ALL.iter().filter(|it| counts[**it] != 0);
    some.map(|it| format!("{} {}", it.key(), counts[*it])).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_publish_counts_for_its_exchange_and_for_each_queue_behind_it() {
    let broker = broker();
    let mut client = Client::open(&broker);
    for queue in ["a", "b"] {
        client.declare(queue);
        client.send(1, QueueBind { queue, exchange: "amq.fanout", ..QueueBind::default() });
    }
    client.publish("amq.fanout", "", "x");
    client.publish("amq.fanout", "other key", "y");
    client.publish("", "a", "z");
    expect![[r#"
        "": publish 1
        "amq.fanout": publish 2
        "" -> a: 1
        "amq.fanout" -> a: 2
        "amq.fanout" -> b: 2
    "#]]
    .assert_eq(&counted(&broker));
    assert_eq!(counted(&broker), "", "nothing is told twice");
    client.publish("", "a", "z");
    expect![[r#"
        "": publish 1
        "" -> a: 1
    "#]]
    .assert_eq(&counted(&broker));
}

#[test]
fn what_no_queue_wants_is_returned_or_dropped() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.publish("", "nobody", "x");
    client.publish("", "nobody", "x");
    client.publish_with("", "nobody", &BasicProperties::default(), true, "x");
    client.select_confirms();
    client.publish("", "nobody", "x");
    expect![[r#"
        "": publish 4, confirm 1, return_unroutable 1, drop_unroutable 3
        to be confirmed: 1
    "#]]
    .assert_eq(&counted(&broker));
}

#[test]
fn a_confirm_counts_when_it_goes_out_and_a_refusal_never() {
    let (broker, journal) = slow_broker();
    let mut client = Client::open(&broker);
    let durable = BasicProperties { delivery_mode: Some(2), ..BasicProperties::default() };
    let limit =
        field_table::FieldTable::new().with("x-max-length", 2).with("x-overflow", "reject-publish");
    client.declare_with("q", limit);
    journal.sync();
    client.said();
    client.select_confirms();
    for _ in 0..3 {
        client.publish_with("", "q", &durable, false, "x");
    }
    expect![[r#"
        "": publish 3
        to be confirmed: 3
        "" -> q: 3
    "#]]
    .assert_eq(&counted(&broker));
    journal.sync();
    client.said();
    expect![[r#"
        "": confirm 2
    "#]]
    .assert_eq(&counted(&broker));
}

#[test]
fn deliveries_count_by_queue_and_whether_they_are_acknowledged() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("acked");
    client.declare("not acked");
    client.consume("acked", "a", false);
    client.consume("not acked", "n", true);
    for queue in ["acked", "acked", "acked", "not acked"] {
        client.publish("", queue, "x");
    }
    client.said();
    client.ack(2, true);
    client.send(1, BasicNack { delivery_tag: 3, multiple: false, requeue: true });
    client.said();
    client.send(1, BasicReject { delivery_tag: 5, requeue: false });
    expect![[r#"
        "": publish 4
        acked (classic): deliver 4, redeliver 1, ack 2
        not acked (classic): deliver_no_ack 1
        "" -> acked: 3
        "" -> not acked: 1
    "#]]
    .assert_eq(&counted(&broker));
}

#[test]
fn a_get_counts_also_when_there_is_nothing() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    (0..3).for_each(|_| client.publish("", "q", "x"));
    client.get("q", true);
    client.get("q", false);
    client.said();
    client.send(1, BasicReject { delivery_tag: 2, requeue: true });
    client.get("q", false);
    client.get("q", true);
    client.get("q", false);
    client.ack(0, true);
    expect![[r#"
        "": publish 3
        q (classic): get 2, get_no_ack 2, get_empty 1, redeliver 1, ack 1
        "" -> q: 3
    "#]]
    .assert_eq(&counted(&broker));
}

#[test]
fn a_transaction_counts_when_it_is_committed() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.publish("", "q", "x");
    client.consume("q", "c", false);
    client.send(1, TxSelect {});
    counted(&broker);
    client.publish("", "q", "rolled back");
    client.ack(1, false);
    client.send(1, TxRollback {});
    assert_eq!(counted(&broker), "");
    client.publish("", "q", "y");
    client.publish("", "nobody", "y");
    client.ack(1, false);
    assert_eq!(counted(&broker), "");
    client.send(1, TxCommit {});
    client.said();
    expect![[r#"
        "": publish 2, drop_unroutable 1
        to be confirmed: 2
        q (classic): deliver 1, ack 1
        "" -> q: 1
    "#]]
    .assert_eq(&counted(&broker));
}

#[test]
fn what_a_closed_channel_did_is_told_once_more() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.publish("", "q", "x");
    client.consume("q", "c", false);
    client.said();
    client.ack(1, false);
    client.send(1, ChannelClose::default());
    client.said();
    expect![[r#"
        "": publish 1
        q (classic): deliver 1, ack 1
        "" -> q: 1
        closed
    "#]]
    .assert_eq(&counted(&broker));
    client.send(1, ChannelOpen::default());
    client.publish("", "q", "x");
    counted(&broker);
    drop(client);
    assert_eq!(counted(&broker), "closed\n", "it was heard of, and did nothing since");
    let silent = Client::open(&broker);
    drop(silent);
    assert_eq!(counted(&broker), "", "it was not");
}

#[test]
fn channels_opened_after_an_error_count_for_themselves() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    client.publish("", "q", "x");
    client.publish("no such exchange", "q", "x");
    client.said();
    expect![[r#"
        "": publish 1
        "" -> q: 1
    "#]]
    .assert_eq(&counted(&broker));
    client.send(1, amqp091_codec::ChannelCloseOk {});
    client.send(1, ChannelOpen::default());
    client.publish("", "q", "x");
    let mut channels = Vec::new();
    broker.take_traffic(&mut |traffic| channels.push((traffic.channel, traffic.is_closed)));
    let [(closed, true), (open, false)] = channels[..] else { panic!("{channels:?}") };
    assert_ne!(closed, open);
}

#[test]
fn what_comes_and_goes_is_counted() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.send(2, ChannelOpen::default());
    client.declare("q");
    client.declare("q");
    client.send(1, QueueDelete { queue: "q", ..QueueDelete::default() });
    client.send(2, ChannelClose::default());
    client.said();
    expect![[r#"
        Churn {
            connection_created: 1,
            connection_closed: 0,
            channel_created: 2,
            channel_closed: 1,
            queue_declared: 2,
            queue_created: 1,
            queue_deleted: 1,
        }
    "#]]
    .assert_debug_eq(&broker.churn());
    drop(client);
    let churn = broker.churn();
    assert_eq!((churn.connection_closed, churn.channel_closed), (1, 2));
}

#[test]
fn publishers_and_consumers_count_while_they_are_there() {
    let broker = broker();
    let mut client = Client::open(&broker);
    client.declare("q");
    assert_eq!(broker.registry.clients(), Clients { publishers: 0, consumers: 0 });
    client.consume("q", "c", true);
    client.publish("", "q", "x");
    client.publish("", "q", "x");
    assert_eq!(broker.registry.clients(), Clients { publishers: 1, consumers: 1 });
    client.send(1, ChannelClose::default());
    client.said();
    assert_eq!(broker.registry.clients(), Clients { publishers: 0, consumers: 0 });
}

#[test]
fn attempts_to_log_in_are_counted_and_by_source_if_that_is_wanted() {
    let broker = broker();
    let attempt = |user: &str, password: &str| {
        let mut client = Client::connect(&broker);
        client.header();
        client.login(user, password);
        client.said();
    };
    attempt("guest", "guest");
    attempt("guest", "wrong");
    let listed = |rows: Vec<AuthAttempts>| {
        let source = |it: Option<AuthSource>| it.map(|it| format!("{} {}", it.address, it.user));
        let row = |it: AuthAttempts| (it.protocol, source(it.source), it.succeeded, it.failed);
        rows.into_iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(listed(broker.auth_attempts()), [("amqp091", None, 1, 1)]);
    assert!(broker.auth_attempts_by_source().is_empty());
    broker.track_auth_sources(true);
    attempt("nobody", "");
    let source = Some("127.0.0.1 nobody".to_owned());
    assert_eq!(listed(broker.auth_attempts_by_source()), [("amqp091", source, 0, 1)]);
    broker.forget_auth_attempts();
    assert!(broker.auth_attempts().is_empty() && broker.auth_attempts_by_source().is_empty());
}

#[test]
fn any_number_of_routes_is_counted() {
    let broker = broker();
    let mut client = Client::open(&broker);
    let queues: Vec<String> = (0..3000).map(|number| format!("q{number}")).collect();
    queues.iter().for_each(|queue| client.declare(queue));
    client.said();
    for queue in queues.iter().chain(&queues) {
        client.publish("", queue, "x");
        client.get(queue, true);
        client.said();
    }
    let (mut published, mut routed, mut got) = (0, 0, 0);
    broker.take_traffic(&mut |traffic| {
        published += traffic.exchanges.iter().map(|(_, it)| it[MessageCount::Publish]).sum::<u64>();
        routed += traffic.routes.iter().map(|(_, _, count)| count).sum::<u64>();
        got += traffic.queues.iter().map(|it| it.counts[MessageCount::GetNoAck]).sum::<u64>();
    });
    assert_eq!((published, routed, got), (6000, 6000, 6000));
}

#[test]
fn an_exchange_that_is_declared_again_is_the_same() {
    let broker = broker();
    let mut client = Client::open(&broker);
    let declare =
        || ExchangeDeclare { exchange: "x", kind: "fanout", ..ExchangeDeclare::default() };
    client.send(1, declare());
    client.select_confirms();
    client.publish("x", "", "1");
    client.send(1, amqp091_codec::ExchangeDelete { exchange: "x", ..Default::default() });
    client.send(1, declare());
    client.publish("x", "", "2");
    client.said();
    expect![[r#"
        "x": publish 2, confirm 2, drop_unroutable 2
        to be confirmed: 2
    "#]]
    .assert_eq(&counted(&broker));
}
