use super::*;
use crate::Figures;

const START_MS: u64 = 1_800_000_000_000;

fn statistics() -> Statistics {
    Statistics::new(RetentionPolicies::default(), true, START_MS)
}

fn counts(counts: &[(MessageCount, u64)]) -> MessageCounts {
    let mut all = MessageCounts::default();
    counts.iter().for_each(|&(count, number)| all[count] = number);
    all
}

/// A channel publishes `published` to exchange `x`, which hands them to `q`; `delivered` of them leave.
fn traffic(channel: u64, published: u64, delivered: u64) -> Traffic {
    Traffic {
        channel,
        vhost: "/".into(),
        protocol: "amqp091",
        exchanges: vec![("x".into(), counts(&[(MessageCount::Publish, published)]))],
        queues: vec![QueueTraffic {
            queue: "q".into(),
            queue_type: "classic",
            counts: counts(&[(MessageCount::Deliver, delivered), (MessageCount::Ack, delivered)]),
        }],
        routes: vec![("x".into(), "q".into(), published)],
        ..Traffic::default()
    }
}

const QUEUE_Q: Subject<'_> = Subject::Queue { vhost: "/", name: "q" };

/// Takes all samples at `second` after the start; `q` holds so many ready messages.
fn sample(statistics: &mut Statistics, second: u64, ready: u64) {
    let lengths = Lengths { ready, ..Lengths::default() };
    statistics.begin(START_MS + second * 1000);
    statistics.sample_queue(&"/".into(), &"q".into(), lengths);
    statistics.sample_connection(7, &"/".into(), [100 * second, 200 * second]);
    statistics.end_connections();
    let mut last = statistics.sample_channels(None, 1);
    while last.is_some() {
        last = statistics.sample_channels(last, 1);
    }
    statistics.sample_vhost(&"/".into(), lengths);
    statistics
        .sample_node(NodeGauges::default(), Churn { queue_created: second, ..Churn::default() });
}

/// `key=value@rate ...`
fn shown(figures: &Figures) -> String {
    let shown = figures.iter().filter(|(_, it)| it.value != 0);
    let shown: Vec<_> = shown.map(|(key, it)| format!("{key}={}@{}", it.value, it.rate)).collect();
    shown.join(" ")
}

#[test]
fn traffic_counts_for_all_that_it_went_through() {
    let mut statistics = statistics();
    statistics.add(&traffic(1, 10, 5));
    statistics.add(&traffic(2, 10, 0));
    sample(&mut statistics, 0, 0);
    sample(&mut statistics, 5, 15);
    let report = |of| statistics.report(of, &Ranges::default());
    let queue = report(QUEUE_Q);
    assert_eq!(shown(&queue.messages), "publish=20@4 deliver=5@1 ack=5@1 deliver_get=5@1");
    assert_eq!(shown(&queue.lengths), "messages=15@3 messages_ready=15@3");
    let exchange = report(Subject::Exchange { vhost: "/", name: "x" });
    assert_eq!(shown(&exchange.messages), "publish_in=20@4 publish_out=20@4");
    assert_eq!(shown(&report(Subject::Channel(2)).messages), "publish=10@2");
    let vhost = report(Subject::Vhosts(&["/", "other"]));
    assert_eq!(shown(&vhost.messages), "publish=20@4 deliver=5@1 ack=5@1 deliver_get=5@1");
    assert_eq!(shown(&vhost.octets), "recv_oct=500@100 send_oct=1000@200");
    assert_eq!(shown(&report(Subject::Connection(7)).octets), "recv_oct=500@100 send_oct=1000@200");
    assert_eq!(shown(&report(Subject::Node).churn), "queue_created=5@1");
    assert_eq!(report(Subject::Queue { vhost: "/", name: "idle" }).messages, []);
}

#[test]
fn totals_are_new_and_samples_are_those_of_the_last_collection() {
    let mut statistics = statistics();
    statistics.add(&traffic(1, 10, 0));
    sample(&mut statistics, 5, 10);
    statistics.add(&traffic(1, 1, 0));
    let now = statistics.report(QUEUE_Q, &Ranges::default());
    assert_eq!(shown(&now.messages), "publish=11@2");
    let messages = Range::ending(START_MS + 7000, 10, 5, false);
    let ranges = Ranges { messages, ..Ranges::default() };
    let (key, publish) = statistics.report(QUEUE_Q, &ranges).messages.remove(0);
    assert_eq!((key, publish.value, publish.rate), ("publish", 10, 2.0));
    let course = publish.course.expect("a range was asked for");
    let samples = [(START_MS + 5000, 10), (START_MS, 0), (START_MS - 5000, 0)];
    assert_eq!(
        course,
        crate::Course { average: Some((10.0 / 3.0, 1.0)), samples: samples.to_vec() }
    );
}

#[test]
fn pairs_are_shown_from_both_sides() {
    let mut statistics = statistics();
    statistics.add(&traffic(1, 10, 5));
    let pairs = |of| {
        let Pairs { incoming, outgoing } = statistics.pairs(of, &Ranges::default());
        let one = |all: Vec<(Other, Figures)>| {
            all.into_iter().map(|(other, figures)| format!("{other:?} {}", shown(&figures)))
        };
        one(incoming).chain(one(outgoing)).collect::<Vec<_>>().join("; ")
    };
    let delivered = "deliver=5@0 ack=5@0 deliver_get=5@0";
    assert_eq!(pairs(QUEUE_Q), format!("Exchange(\"x\") publish=10@0; Channel(1) {delivered}"));
    let exchange = Subject::Exchange { vhost: "/", name: "x" };
    assert_eq!(pairs(exchange), "Channel(1) publish=10@0; Queue(\"q\") publish=10@0");
    assert_eq!(
        pairs(Subject::Channel(1)),
        format!("Exchange(\"x\") publish=10@0; Queue(\"q\") {delivered}")
    );
}

#[test]
fn what_is_gone_is_forgotten_and_the_node_s_totals_stay() {
    let mut statistics = statistics();
    statistics.add(&traffic(1, 10, 0));
    statistics.add(&Traffic { is_closed: true, ..traffic(1, 1, 0) });
    assert_eq!(statistics.counts(Subject::Channel(1)), MessageCounts::default());
    let known = statistics.known().remove(0);
    assert_eq!((known.exchanges.len(), known.queues.len()), (1, 1));
    statistics.forget(&known);
    assert_eq!(statistics.counts(QUEUE_Q), MessageCounts::default());
    assert_eq!(statistics.route_counts("/"), []);
    assert_eq!(statistics.counts(Subject::Vhosts(&["/"]))[MessageCount::Publish], 11);
    statistics.forget_vhost("/");
    let global = statistics.global_counts();
    assert_eq!(global[0].queue_type, None);
    assert_eq!(global[0].counts[MessageCount::Publish], 11);
}

#[test]
fn a_queue_that_never_did_anything_costs_nothing() {
    let mut statistics = statistics();
    for second in (5..=100).step_by(5) {
        sample(&mut statistics, second, 0);
    }
    assert_eq!(statistics.known()[0].queues.len(), 0);
}

#[test]
fn connections_that_are_not_seen_any_more_are_forgotten() {
    let mut statistics = statistics();
    sample(&mut statistics, 5, 0);
    statistics.begin(START_MS + 10_000);
    statistics.end_connections();
    let octets = statistics.report(Subject::Connection(7), &Ranges::default()).octets;
    assert_eq!(shown(&octets), "");
}

#[test]
fn pairs_of_a_channel_have_a_limit_and_totals_do_not() {
    let mut statistics = statistics();
    for number in 0..2 * CHANNEL_PAIRS_MAX {
        let mut published = traffic(1, 1, 0);
        published.exchanges[0].0 = format!("x{number}").into();
        statistics.add(&published);
    }
    let publishes = |it: &&(Other, MessageCounts)| matches!(it.0, Other::Exchange(_));
    let pairs = statistics.channel_pairs(1);
    assert_eq!(pairs.iter().filter(publishes).count(), CHANNEL_PAIRS_MAX);
    let all = statistics.counts(Subject::Channel(1))[MessageCount::Publish];
    assert_eq!(all, 2 * CHANNEL_PAIRS_MAX as u64);
}

#[test]
fn heartbeats_are_no_reason_for_a_history() {
    let mut statistics = statistics();
    for second in (30..=300).step_by(30) {
        statistics.begin(START_MS + second * 1000);
        let sent = 5000 + second / 30 * HEARTBEAT_LEN;
        statistics.sample_connection(7, &"/".into(), [sent, sent]);
        assert!(statistics.connections[&7].0.has_no_samples(), "after {second} s");
    }
    let vhost = statistics.report(Subject::Vhosts(&["/"]), &Ranges::default());
    assert_eq!(shown(&vhost.octets), "recv_oct=5080@0 send_oct=5080@0");
}

#[test]
fn what_became_of_publishes_is_counted_by_exchange_until_it_is_gone() {
    let mut statistics = statistics();
    let exchange = Subject::Exchange { vhost: "/", name: "x" };
    let passed = [(MessageCount::Publish, 3), (MessageCount::Confirm, 2)];
    let dropped = [(MessageCount::Publish, 1), (MessageCount::DropUnroutable, 1)];
    for exchanged in [&passed, &dropped] {
        let exchanges = vec![("x".into(), counts(exchanged))];
        statistics.add(&Traffic { exchanges, ..traffic(1, 0, 0) });
    }
    let expected = [
        (MessageCount::PublishIn, 4),
        (MessageCount::Confirm, 2),
        (MessageCount::DropUnroutable, 1),
    ];
    assert_eq!(statistics.counts(exchange), counts(&expected));
    let gone = Known { vhost: "/".into(), exchanges: vec!["x".into()], queues: Vec::new() };
    statistics.forget(&gone);
    assert_eq!(statistics.counts(exchange), MessageCounts::default());
}
