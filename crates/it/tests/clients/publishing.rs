//! What publishers hear: confirms, returns, transactions, replies, and refusals.

use lapin::options::{BasicConsumeOptions, BasicPublishOptions};

use crate::kit::{Broker, Heard, persistent, properties, step, wait_until, words};

const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

#[test]
fn every_publish_is_confirmed_wherever_it_went() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    assert_eq!(ch.offer("", "q", persistent(), b"persistent"), Ok(Heard::Ack));
    assert_eq!(ch.offer("", "q", properties(), b"transient"), Ok(Heard::Ack));
    assert_eq!(ch.offer("", "nowhere", persistent(), b"unroutable"), Ok(Heard::Ack));
}

#[test]
fn a_thousand_confirms_in_flight_all_come() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    let confirms: Vec<_> = (0..1_000)
        .map(|number: u32| {
            let body = number.to_be_bytes();
            let options = BasicPublishOptions::default();
            step(ch.lapin.basic_publish("", "q", options, &body, persistent())).expect("open")
        })
        .collect();
    for confirm in confirms {
        assert!(step(confirm).expect("open").is_ack());
    }
    assert_eq!(ch.ready("q"), 1_000);
}

#[test]
fn an_unroutable_mandatory_message_returns_before_its_ack() {
    let broker = Broker::start();
    let ch = broker.channel();
    let heard = ch.offer_with("amq.topic", "no.one", MANDATORY, properties(), b"back");
    assert_eq!(heard, Ok(Heard::ReturnAndAck("312 NO_ROUTE".to_owned())));
}

#[test]
fn publishing_to_a_missing_exchange_closes_the_channel() {
    let broker = Broker::start();
    let refused = broker.channel().offer("nope", "", properties(), b"");
    assert_eq!(refused, Err("404 NOT_FOUND - no exchange 'nope' in vhost '/'".to_owned()));
}

#[test]
fn a_transaction_publishes_and_settles_at_commit() {
    let broker = Broker::start();
    let client = broker.client();
    let (ch, tx) = (client.channel(), client.plain_channel());
    ch.queue("in");
    ch.queue("out");
    ch.publish("", "in", "job");
    step(tx.lapin.tx_select()).expect("tx");
    let job = tx.get_unsettled("in");
    tx.publish_unconfirmed("", "out", "result");
    let ack = || step(tx.lapin.basic_ack(job.delivery.delivery_tag, Default::default()));
    ack().expect("open");
    step(tx.lapin.tx_rollback()).expect("tx");
    assert_eq!(ch.ready("out"), 0, "rolled back");
    tx.publish_unconfirmed("", "out", "result");
    ack().expect("open");
    assert_eq!(tx.ready("out"), 0, "not yet");
    step(tx.lapin.tx_commit()).expect("tx");
    assert_eq!(ch.drain("out"), ["result"]);
    tx.close();
    assert!(ch.get("in").is_none(), "the ack was committed");
}

#[test]
fn a_channel_is_transactional_or_confirming_but_not_both() {
    let broker = Broker::start();
    let refused = step(broker.channel().lapin.tx_select()).map_err(|e| words(&e));
    let expected = "406 PRECONDITION_FAILED - cannot switch from confirm to tx mode";
    assert_eq!(refused, Err(expected.to_owned()));
}

#[test]
fn a_reply_goes_straight_to_the_one_who_asked() {
    let broker = Broker::start();
    let client = broker.client();
    let (asker, server) = (client.channel(), broker.channel());
    server.queue("rpc");
    let mut requests = server.consume_auto("rpc");
    let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut replies =
        asker.consume_with("amq.rabbitmq.reply-to", no_ack, "").expect("it may consume");
    let question =
        properties().with_reply_to("amq.rabbitmq.reply-to".into()).with_correlation_id("42".into());
    asker.send("", "rpc", question, "2 + 2");
    let request = requests.next();
    let reply_to = request.delivery.properties.reply_to().clone().expect("an address");
    assert!(reply_to.as_str().starts_with("amq.rabbitmq.reply-to."), "{reply_to}");
    let answer = properties().with_correlation_id("42".into());
    let heard = server.offer_with("", reply_to.as_str(), MANDATORY, answer, b"4");
    assert_eq!(heard, Ok(Heard::Ack), "a reply is routed, though there is no queue");
    let reply = replies.next();
    assert_eq!(reply.text(), "4");
    assert_eq!(
        reply.delivery.properties.correlation_id().as_ref().map(|id| id.as_str()),
        Some("42")
    );
}

#[test]
fn user_id_must_be_ones_own_unless_one_may_impersonate() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    ch.send("", "q", properties().with_user_id("guest".into()), "mine");
    let refused = ch.offer("", "q", properties().with_user_id("bob".into()), b"forged");
    let expected = "406 PRECONDITION_FAILED - user_id property set to 'bob' but authenticated \
        user was 'guest'";
    assert_eq!(refused, Err(expected.to_owned()));
    broker.ctl("set_user_tags guest administrator impersonator");
    broker.channel().send("", "q", properties().with_user_id("bob".into()), "on behalf");
}

#[test]
fn all_properties_arrive_as_they_were_sent() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    let nested = "int=1, long=5000000000, text=\"x\", is=true, nothing=void, \
        list=[1, \"two\", {three=3}], table={deep={deeper=1}}";
    let sent = persistent()
        .with_content_type("text/plain".into())
        .with_content_encoding("utf-8".into())
        .with_headers(crate::kit::table(nested))
        .with_priority(3)
        .with_correlation_id("c".into())
        .with_reply_to("r".into())
        .with_expiration("60000".into())
        .with_message_id("m".into())
        .with_timestamp(1_700_000_000)
        .with_type("t".into())
        .with_user_id("guest".into())
        .with_app_id("a".into())
        .with_cluster_id("k".into());
    ch.send("", "q", sent.clone(), "body");
    assert_eq!(ch.get("q").expect("ready").delivery.properties, sent);
}

#[test]
fn a_message_over_the_limit_is_refused() {
    let broker = Broker::with("max_message_size = 1000");
    let ch = broker.channel();
    ch.queue("q");
    assert_eq!(ch.offer("", "q", properties(), &[7; 1_000]), Ok(Heard::Ack));
    let refused = ch.offer("", "q", properties(), &[7; 1_001]);
    let expected = "406 PRECONDITION_FAILED - message size 1001 is larger than configured max \
        size 1000";
    assert_eq!(refused, Err(expected.to_owned()));
}

#[test]
fn a_body_of_many_frames_arrives_whole() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    let sizes = [0, 1, 131_064, 131_065, 1_000_000];
    let bodies = sizes.map(|size: usize| (0..size).map(|at| (at % 251) as u8).collect::<Vec<u8>>());
    for body in &bodies {
        assert_eq!(ch.offer("", "q", persistent(), body), Ok(Heard::Ack));
    }
    for body in bodies {
        assert_eq!(ch.get("q").expect("ready").delivery.data, body);
    }
}

/// Resident memory of the broker in bytes.
fn resident(broker: &Broker) -> u64 {
    let pid = broker.server.pid().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn bodies_of_100_mb_pass_through_and_memory_stays_bounded() {
    let broker = Broker::with("max_message_size = 134217728");
    let ch = broker.channel();
    ch.queue("q");
    let before = resident(&broker);
    let body = vec![b'x'; 100 << 20];
    for round in 1..=5 {
        assert_eq!(ch.offer("", "q", properties(), &body), Ok(Heard::Ack));
        let got = ch.get("q").expect("ready");
        assert!(got.delivery.data == body, "{} bytes, not as sent", got.delivery.data.len());
        // On its way in, in the queue, on its way out; the allocator may keep as much for the next.
        let grown_mib = resident(&broker).saturating_sub(before) >> 20;
        assert!(grown_mib < 400, "{grown_mib} MiB in round {round}");
    }
}

#[test]
fn a_reader_that_dawdles_gets_the_body_whole_and_others_do_not_wait() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("large");
    ch.queue("small");
    let body = vec![b'y'; 12 << 20];
    assert_eq!(ch.offer("", "large", properties(), &body), Ok(Heard::Ack));
    let mut slow = broker.raw();
    slow.call(1, "channel.open").expect("open-ok");
    slow.send(1, "basic.consume queue=large no-ack").expect("a method");
    // More is waiting for the dawdler than sockets hold: the rest stays with the broker.
    wait_until("it is delivered", || (ch.ready("large") == 0).then_some(()));
    for number in 0..100 {
        ch.publish("", "small", &number.to_string());
    }
    assert_eq!(ch.drain("small").len(), 100);
    slow.expect("basic.consume-ok").expect("the answer");
    let delivery = slow.expect("basic.deliver").expect("the message");
    let got = delivery.rsplit_once(' ').expect("the body is last").1;
    assert!(got.trim_matches('"').as_bytes() == body, "{} bytes, not as sent", got.len());
}
