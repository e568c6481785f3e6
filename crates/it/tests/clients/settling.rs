//! What consumers say about messages: get, ack, nack, reject, recover, or nothing at all.

use lapin::options::BasicRecoverOptions;

use crate::kit::{Broker, Ch, step, wait_until};

fn filled(ch: &Ch, queue: &str, bodies: &[&str]) {
    ch.queue(queue);
    for body in bodies {
        ch.publish("", queue, body);
    }
}

fn depths(broker: &Broker) -> String {
    broker.ctl("list_queues messages_ready messages_unacknowledged --no-table-headers")
}

#[test]
fn get_takes_one_message_and_tells_how_many_are_left() {
    let broker = Broker::start();
    let ch = broker.channel();
    filled(&ch, "q", &["1", "2", "3"]);
    let got = step(ch.lapin.basic_get("q", Default::default())).expect("open").expect("ready");
    assert_eq!((got.data.as_slice(), got.message_count), (&b"1"[..], 2));
    assert_eq!(depths(&broker), "2\t1\n");
    assert_eq!(ch.drain("q"), ["2", "3"]);
    assert!(ch.get("q").is_none());
}

#[test]
fn a_multiple_ack_settles_all_before_it() {
    let broker = Broker::start();
    let ch = broker.channel();
    filled(&ch, "q", &["1", "2", "3"]);
    let mut inbox = ch.consume("q");
    let (_first, second, _third) = (inbox.next(), inbox.next(), inbox.next());
    second.ack_all();
    wait_until("two acks", || (depths(&broker) == "0\t1\n").then_some(()));
}

#[test]
fn requeued_messages_return_to_their_places() {
    let broker = Broker::start();
    let ch = broker.channel();
    filled(&ch, "q", &["1", "2", "3", "4", "5"]);
    let held: Vec<_> = (0..4).map(|_| ch.get_unsettled("q")).collect();
    held[1].reject(true);
    held[3].nack(false, true);
    held[0].reject(true);
    let again: Vec<_> = (0..4).map(|_| ch.get("q").expect("ready")).collect();
    let again: Vec<_> = again.iter().map(|m| (m.text(), m.is_redelivered())).collect();
    let expected = [("1", true), ("2", true), ("4", true), ("5", false)];
    assert_eq!(again, expected.map(|(body, is)| (body.to_owned(), is)));
}

#[test]
fn a_multiple_nack_requeues_or_drops_all_before_it() {
    let broker = Broker::start();
    let ch = broker.channel();
    filled(&ch, "q", &["1", "2", "3", "4"]);
    let held: Vec<_> = (0..3).map(|_| ch.get_unsettled("q")).collect();
    held[1].nack(true, true);
    held[2].nack(true, false);
    assert_eq!(ch.drain("q"), ["1", "2", "4"]);
}

#[test]
fn closing_a_channel_gives_back_what_was_not_settled() {
    let broker = Broker::start();
    let client = broker.client();
    let ch = client.channel();
    filled(&ch, "q", &["1", "2", "3"]);
    let reader = client.channel();
    let mut inbox = reader.consume("q");
    inbox.next().ack();
    inbox.texts(2);
    reader.close();
    let two = ch.get("q").expect("ready again");
    assert_eq!((two.text(), two.is_redelivered()), ("2".into(), true));
    assert_eq!(ch.drain("q"), ["3"]);
}

#[test]
fn a_connection_that_is_cut_gives_back_what_was_not_settled() {
    let broker = Broker::start();
    let ch = broker.channel();
    filled(&ch, "q", &["1"]);
    let mut raw = broker.raw();
    raw.call(1, "channel.open").expect("open-ok");
    raw.send(1, "basic.get queue=q").expect("a method");
    wait_until("the message is out", || (depths(&broker) == "0\t1\n").then_some(()));
    drop(raw);
    assert!(ch.wait_for("q").is_redelivered());
}

#[test]
fn recover_gives_all_unsettled_messages_again() {
    let broker = Broker::start();
    let ch = broker.channel();
    filled(&ch, "q", &["1", "2"]);
    let mut inbox = ch.consume("q");
    assert_eq!(inbox.texts(2), ["1", "2"]);
    step(ch.lapin.basic_recover(BasicRecoverOptions { requeue: true })).expect("recovered");
    let again = [inbox.next(), inbox.next()];
    assert_eq!(again.each_ref().map(|m| m.text()), ["1", "2"]);
    assert!(again.iter().all(|m| m.is_redelivered()));
}

#[test]
fn an_unknown_delivery_tag_closes_the_channel() {
    let broker = Broker::start();
    let mut raw = broker.raw();
    raw.call(1, "channel.open").expect("open-ok");
    raw.send(1, "basic.ack delivery-tag=7").expect("a method");
    let closed = raw.expect("channel.close").expect("the channel is closed");
    assert_eq!(
        closed,
        "channel.close 406 basic.ack \"PRECONDITION_FAILED - unknown delivery tag 7\""
    );
}
