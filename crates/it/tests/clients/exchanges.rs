//! Where a message goes: exchanges of every type, bindings between them, and what catches the rest.

use lapin::options::{
    BasicPublishOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueDeleteOptions,
};

use crate::kit::{Broker, Ch, Heard, headers, properties, step};

const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

/// Declares queues that are bound to an exchange with a key each.
fn bound(ch: &Ch, exchange: &str, bindings: &[(&str, &str)]) {
    for (queue, key) in bindings {
        ch.queue(queue);
        ch.bind(queue, exchange, key);
    }
}

/// The queues, of those named, that got a message; it is taken.
fn reached<'a>(ch: &Ch, queues: &[&'a str]) -> Vec<&'a str> {
    queues.iter().copied().filter(|queue| !ch.drain(queue).is_empty()).collect()
}

#[test]
fn the_default_exchange_routes_to_the_queue_named_by_the_key() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("hello");
    ch.publish("", "hello", "world");
    assert_eq!(ch.drain("hello"), ["world"]);
}

#[test]
fn a_direct_exchange_routes_by_equal_keys() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("logs", "direct");
    bound(&ch, "logs", &[("errors", "error"), ("all", "error"), ("all", "info")]);
    ch.publish("logs", "error", "disk");
    assert_eq!(reached(&ch, &["errors", "all"]), ["errors", "all"]);
    ch.publish("logs", "info", "hello");
    assert_eq!(reached(&ch, &["errors", "all"]), ["all"]);
    ch.publish("logs", "errors", "no such key");
    assert!(reached(&ch, &["errors", "all"]).is_empty());
}

#[test]
fn a_fanout_exchange_copies_to_every_queue_once() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("news", "fanout");
    bound(&ch, "news", &[("a", "x"), ("a", "y"), ("b", "")]);
    ch.publish("news", "ignored", "flash");
    assert_eq!(ch.drain("a"), ["flash"]);
    assert_eq!(ch.drain("b"), ["flash"]);
}

#[test]
fn a_topic_exchange_matches_words() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("animals", "topic");
    let bindings =
        [("star", "*.orange.*"), ("hash", "lazy.#"), ("middle", "a.#.b"), ("every", "#")];
    bound(&ch, "animals", &bindings);
    let queues = ["star", "hash", "middle", "every"];
    for (key, expected) in [
        ("quick.orange.rabbit", &["star", "every"][..]),
        ("lazy.orange.elephant", &["star", "hash", "every"]),
        ("lazy", &["hash", "every"]),
        ("a.b", &["middle", "every"]),
        ("a.x.y.b", &["middle", "every"]),
        ("orange", &["every"]),
        ("quick.orange.new.rabbit", &["every"]),
        ("", &["every"]),
    ] {
        ch.publish("animals", key, key);
        assert_eq!(reached(&ch, &queues), expected, "{key}");
    }
}

#[test]
fn a_headers_exchange_matches_all_or_any() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("reports", "headers");
    for (queue, arguments) in [
        ("both", "x-match=\"all\", format=\"pdf\", pages=2"),
        ("either", "x-match=\"any\", format=\"pdf\", pages=2"),
        ("present", "pages=void"),
        ("with-x", "x-match=\"any-with-x\", x-source=\"eu\""),
    ] {
        ch.queue(queue);
        ch.bind_with(queue, "reports", "", arguments);
    }
    let queues = ["both", "either", "present", "with-x"];
    for (fields, expected) in [
        ("format=\"pdf\", pages=2", &["both", "either", "present"][..]),
        ("format=\"pdf\", pages=3", &["either", "present"]),
        ("format=\"zip\"", &[]),
        ("x-source=\"eu\"", &["with-x"]),
    ] {
        ch.send("reports", "", headers(fields), "report");
        assert_eq!(reached(&ch, &queues), expected, "{fields}");
    }
}

#[test]
fn exchanges_bound_to_exchanges_deliver_one_copy_and_survive_a_cycle() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("in", "topic");
    ch.exchange("middle", "fanout");
    bound(&ch, "middle", &[("work", "")]);
    bound(&ch, "in", &[("work", "order.#")]);
    ch.bind_exchange("middle", "in", "order.*");
    ch.bind_exchange("in", "middle", "#");
    ch.publish("in", "order.new", "one copy");
    assert_eq!(ch.drain("work"), ["one copy"]);
    ch.publish("in", "order.new.urgent", "by its own binding");
    assert_eq!(ch.drain("work"), ["by its own binding"]);
}

#[test]
fn an_alternate_exchange_takes_what_nothing_else_matches() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("unrouted", "fanout");
    let arguments = "alternate-exchange=\"unrouted\"";
    ch.exchange_with("orders", "direct", ExchangeDeclareOptions::default(), arguments)
        .expect("declared");
    bound(&ch, "orders", &[("new", "new")]);
    bound(&ch, "unrouted", &[("lost", "")]);
    ch.publish("orders", "new", "routed");
    let heard = ch.offer_with("orders", "old", MANDATORY, properties(), b"unrouted");
    assert_eq!(heard, Ok(Heard::Ack), "the alternate exchange satisfies mandatory");
    assert_eq!(
        (ch.drain("new"), ch.drain("lost")),
        (vec!["routed".into()], vec!["unrouted".into()])
    );
}

#[test]
fn an_internal_exchange_is_fed_by_exchanges_only() {
    let broker = Broker::start();
    let ch = broker.channel();
    let internal = ExchangeDeclareOptions { internal: true, ..Default::default() };
    ch.exchange_with("inner", "fanout", internal, "").expect("declared");
    ch.exchange("outer", "fanout");
    ch.bind_exchange("inner", "outer", "");
    bound(&ch, "inner", &[("q", "")]);
    ch.publish("outer", "", "through");
    assert_eq!(ch.drain("q"), ["through"]);
    let refused = ch.offer("inner", "", properties(), b"straight");
    let expected = "403 ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'";
    assert_eq!(refused, Err(expected.to_owned()));
}

#[test]
fn an_auto_delete_exchange_goes_with_its_last_binding() {
    let broker = Broker::start();
    let ch = broker.channel();
    let auto_delete = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    ch.exchange_with("brief", "fanout", auto_delete, "").expect("declared");
    bound(&ch, "brief", &[("q", "")]);
    step(ch.lapin.queue_delete("q", QueueDeleteOptions::default())).expect("deleted");
    let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
    let gone = ch.exchange_with("brief", "fanout", passive, "");
    assert_eq!(gone, Err("404 NOT_FOUND - no exchange 'brief' in vhost '/'".to_owned()));
}

#[test]
fn an_exchange_in_use_is_kept_when_asked_so() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("busy", "fanout");
    bound(&ch, "busy", &[("q", "")]);
    let refused = step(
        ch.lapin.exchange_delete("busy", ExchangeDeleteOptions { if_unused: true, nowait: false }),
    );
    let refused = refused.map_err(|e| crate::kit::words(&e));
    let expected = "406 PRECONDITION_FAILED - exchange 'busy' in vhost '/' in use";
    assert_eq!(refused, Err(expected.to_owned()));
}

#[test]
fn cc_and_bcc_route_to_more_queues_and_bcc_is_not_told() {
    let broker = Broker::start();
    let ch = broker.channel();
    for queue in ["to", "copy", "blind"] {
        ch.queue(queue);
    }
    ch.send("", "to", headers("CC=[\"copy\", \"to\"], BCC=[\"blind\"]"), "letter");
    for queue in ["to", "copy", "blind"] {
        let letter = ch.get(queue).expect("a copy");
        assert_eq!(letter.text(), "letter");
        assert_eq!(letter.header("CC"), "[\"copy\", \"to\"]");
        assert_eq!(letter.header("BCC"), "", "{queue} must not know of the blind copy");
        assert_eq!(letter.delivery.routing_key.as_str(), "to");
        assert_eq!(ch.drain(queue), [] as [&str; 0], "one copy each");
    }
}

#[test]
fn the_exchange_types_of_rabbitmq_4_3_pick_one_queue() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.exchange("shards", "x-modulus-hash");
    ch.exchange("near", "x-local-random");
    bound(&ch, "shards", &[("s1", "1"), ("s2", "2")]);
    bound(&ch, "near", &[("n1", ""), ("n2", "")]);
    for number in 0..20 {
        ch.publish("shards", &format!("key {number}"), "sharded");
        ch.publish("near", "", "near");
    }
    ch.publish("shards", "key 0", "again");
    let shards = [ch.drain("s1"), ch.drain("s2")];
    assert_eq!(shards[0].len() + shards[1].len(), 21);
    assert!(shards.iter().all(|shard| !shard.is_empty()), "both take part: {shards:?}");
    assert_eq!(ch.drain("n1").len() + ch.drain("n2").len(), 20);
}
