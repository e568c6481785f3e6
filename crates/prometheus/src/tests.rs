//! What is shown against RabbitMQ 4.3.6: `rabbitmq.tsv` has its metrics with their types and labels by
//! path, `dashboards.tsv` the metrics and labels that its Grafana dashboards use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use expect_test::expect;
use http_body_util::BodyExt;
use operator::{
    ChannelFigures, ConnectionFigures, Counters, Emit, ExchangeFigures, Metrics, NodeFigures,
    NodeIdentity, QueueFigures, QueueSummary, RaftFigures,
};
use statistics::{
    AuthAttempts, AuthSource, Churn, Clients, DeadLetterCount, GlobalCounts, Known, MessageCount,
    MessageCounts, Other, Pairs, QueueTraffic, Ranges, Report, RetentionPolicies, Statistics,
    Subject, Traffic,
};

use crate::body::piped;
use crate::request::{Registry, Selection};
use crate::scrape::Scrape;
use crate::telemetry::Telemetry;

const RABBITMQ: &str = include_str!("tests/rabbitmq.tsv");
const DASHBOARDS: &str = include_str!("tests/dashboards.tsv");
const DOCUMENTED: &str = include_str!("../../../docs/prometheus.md");

/// A broker with one or two objects of each kind.
struct Fake;

/// A channel published two messages, which a queue got, and fetched one of them.
fn counted() -> Statistics {
    let mut published = MessageCounts::default();
    published[MessageCount::Publish] = 2;
    published[MessageCount::Confirm] = 1;
    let mut fetched = MessageCounts::default();
    fetched[MessageCount::Get] = 1;
    let (exchange, queue): (Arc<str>, Arc<str>) = ("amq.direct".into(), "c.plain".into());
    let queue_traffic =
        QueueTraffic { queue: queue.clone(), queue_type: "classic", counts: fetched };
    let mut statistics = Statistics::new(RetentionPolicies::default(), false, 0);
    statistics.add(&Traffic {
        channel: 6,
        vhost: "/".into(),
        protocol: "amqp091",
        exchanges: vec![(exchange.clone(), published)],
        expecting_confirm: 1,
        queues: vec![queue_traffic],
        routes: vec![(exchange, queue, 2)],
        is_closed: false,
    });
    statistics
}

impl Counters for Fake {
    fn refresh(&self) {}

    fn report(&self, of: Subject<'_>, ranges: &Ranges) -> Report {
        counted().report(of, ranges)
    }

    fn pairs(&self, of: Subject<'_>, ranges: &Ranges) -> Pairs {
        counted().pairs(of, ranges)
    }

    fn known(&self) -> Vec<Known> {
        counted().known()
    }

    fn counts(&self, of: Subject<'_>) -> MessageCounts {
        counted().counts(of)
    }

    fn channel_pairs(&self, id: u64) -> Vec<(Other, MessageCounts)> {
        counted().channel_pairs(id)
    }

    fn route_counts(&self, vhost: &str) -> Vec<(Arc<str>, Arc<str>, u64)> {
        counted().route_counts(vhost)
    }

    fn global_counts(&self) -> Vec<GlobalCounts> {
        counted().global_counts()
    }

    fn churn(&self) -> Churn {
        Churn { connection_created: 3, connection_closed: 1, ..Churn::default() }
    }

    fn clients(&self) -> Clients {
        Clients { publishers: 1, consumers: 4 }
    }

    fn dead_letters(&self) -> Vec<DeadLetterCount> {
        let reasons = ["maxlen", "expired", "rejected", "delivery_limit", "confirmed"];
        let (queue_type, strategy) = ("quorum", "at_least_once");
        reasons.map(|reason| DeadLetterCount { queue_type, strategy, reason, count: 2 }).to_vec()
    }

    fn auth_attempts(&self) -> Vec<AuthAttempts> {
        vec![AuthAttempts { protocol: "amqp091", source: None, succeeded: 4, failed: 1 }]
    }

    fn auth_attempts_by_source(&self) -> Vec<AuthAttempts> {
        let address = IpAddr::from([127, 0, 0, 1]);
        let source = Some(AuthSource { address, user: "guest".to_owned() });
        vec![AuthAttempts { protocol: "amqp091", source, succeeded: 4, failed: 1 }]
    }

    fn forget_auth_attempts(&self) {}

    fn note_http_login(&self, _: IpAddr, _: &str, _: bool) {}

    fn forget_samples(&self) {}

    fn summarize_queues(&self, _: &str, _: Emit<'_, QueueSummary>) {}
}

impl Metrics for Fake {
    fn identity(&self) -> NodeIdentity {
        NodeIdentity {
            node: "rabbit@mq".to_owned(),
            cluster: "mq".to_owned(),
            cluster_id: "rabbitmq-cluster-id-x".to_owned(),
            version: "4.3.6".to_owned(),
            runtime: "Leveret".to_owned(),
        }
    }

    fn check_monitor(&self, _: IpAddr, _: &str, _: &str) -> Result<(), &'static str> {
        Ok(())
    }

    fn node(&self) -> NodeFigures {
        NodeFigures { uptime_ms: 1500, connections: 2, ..NodeFigures::default() }
    }

    fn memory_breakdown(&self) -> Vec<(String, u64)> {
        ["code", "queue_procs", "other_system"].map(|it| (it.to_owned(), 7)).to_vec()
    }

    fn vhost_names(&self) -> Vec<Arc<str>> {
        vec!["/".into(), "orders".into()]
    }

    fn queue_figures(&self, emit: Emit<'_, QueueFigures>) {
        let queue = |vhost: &str, name: &str, ready| QueueFigures {
            vhost: vhost.into(),
            name: name.into(),
            queue_type: "classic",
            ready,
            unacked: 1,
            messages: ready + 1,
            is_in_memory: true,
            ..QueueFigures::default()
        };
        emit(queue("/", "c.plain", 3));
        emit(queue("orders", "new \"ones\"", 4));
    }

    fn exchange_figures(&self, emit: Emit<'_, ExchangeFigures>) {
        emit(ExchangeFigures {
            vhost: "/".into(),
            name: "amq.direct".into(),
            exchange_type: "direct",
            bindings: 2,
        });
    }

    fn connection_figures(&self, emit: Emit<'_, ConnectionFigures>) {
        emit(ConnectionFigures { id: 5, channels: 1, ..ConnectionFigures::default() });
    }

    fn channel_figures(&self, emit: Emit<'_, ChannelFigures>) {
        emit(ChannelFigures {
            id: 6,
            vhost: "/".into(),
            consumers: 1,
            ..ChannelFigures::default()
        });
    }

    fn control_raft(&self) -> RaftFigures {
        RaftFigures { term: 2, commit_index: 9, ..RaftFigures::default() }
    }

    fn queue_raft(&self, emit: Emit<'_, RaftFigures>) {
        let queue = Some(("/".into(), "q.raft".into()));
        emit(RaftFigures { queue, term: 3, snapshot_index: Some(1), ..RaftFigures::default() });
    }
}

/// What a registry shows.
async fn scraped(registry: Registry, query: &str) -> String {
    let selection = Selection::parse(query).expect("a good query");
    let (mut page, pieces) = piped(false);
    let telemetry = Telemetry::default();
    telemetry.add(registry, std::time::Duration::from_millis(5), 100);
    let written = tokio::task::spawn_blocking(move || {
        telemetry.put(registry, &mut page.text);
        let scrape =
            Scrape { broker: &Fake, registry, is_per_object: false, selection: &selection };
        scrape.render(&mut page)?;
        page.finish(|_| ())
    });
    let body = pieces.collect().await.expect("a body").to_bytes();
    written.await.expect("no bug").expect("somebody read");
    String::from_utf8(body.to_vec()).expect("text")
}

/// RabbitMQ's metrics: name, type, labels by path.
fn rabbitmq() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let rows = RABBITMQ.lines().map(|line| {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default();
        (next(), (next(), next()))
    });
    rows.collect()
}

/// The families of the detailed path. Of one, RabbitMQ had only names to show.
fn families() -> BTreeSet<&'static str> {
    let named = RABBITMQ.split("detailed:").skip(1);
    let named = named.filter_map(|it| it.split_once(" {").map(|(name, _)| name));
    named.chain(["auth_attempt_detailed_metrics"]).collect()
}

/// Everything there is to see, by path as `rabbitmq.tsv` names it.
async fn all_paths() -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for (path, registry) in [
        ("/metrics", Registry::Default),
        ("/metrics/per-object", Registry::PerObject),
        ("/metrics/memory-breakdown", Registry::MemoryBreakdown),
    ] {
        shown.push((path.to_owned(), scraped(registry, "").await));
    }
    for family in families() {
        let text = scraped(Registry::Detailed, &format!("family={family}")).await;
        shown.push((format!("detailed:{family}"), text));
    }
    shown
}

fn base_name<'a>(name: &'a str, known: &BTreeMap<&str, (&str, &str)>) -> &'a str {
    let suffixes = ["_count", "_sum", "_bucket"].iter();
    let bases = suffixes.filter_map(|it| name.strip_suffix(it));
    bases.into_iter().find(|it| known.contains_key(it)).unwrap_or(name)
}

/// Names of labels, as in `rabbitmq.tsv`.
fn label_names(labels: &str) -> String {
    let mut names = Vec::new();
    let mut rest = labels;
    while let Some((name, value)) = rest.split_once("=\"") {
        names.push(name.trim_start_matches(','));
        let end = value.match_indices('"').find(|(at, _)| !value[..*at].ends_with('\\'));
        rest = &value[end.expect("a value ends").0 + 1..];
    }
    names.join(",")
}

/// Whether RabbitMQ has these labels there.
fn has_labels(places: &str, path: &str, labels: &str) -> bool {
    if places.is_empty() || path.starts_with("detailed:") && places.contains("every family") {
        return true;
    }
    places.split("; ").any(|place| {
        let (at, names) = place.split_once(" {").unwrap_or((place, "}"));
        at == path && names.trim_end_matches('}').split(" | ").any(|it| it == labels)
    })
}

#[tokio::test]
async fn names_types_and_labels_are_those_of_rabbitmq() {
    let known = rabbitmq();
    let mut wrong = BTreeSet::new();
    for (path, text) in all_paths().await {
        for line in text.lines() {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').expect("a type");
                if known.get(name).is_none_or(|(expected, _)| *expected != kind) {
                    wrong.insert(format!("{path}: {declared}"));
                }
                continue;
            }
            if line.starts_with('#') {
                continue;
            }
            let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a value"));
            let labels = rest.strip_prefix('{').and_then(|it| it.rsplit_once("} "));
            let labels = label_names(labels.map_or("", |(labels, _)| labels));
            let (_, places) = known.get(base_name(name, &known)).expect("declared before");
            if !has_labels(places, &path, &labels) {
                wrong.insert(format!("{path}: {name}{{{labels}}}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Names in `docs/prometheus.md`, the first column of its tables; `*` stands for the rest.
fn documented() -> Vec<&'static str> {
    let rows = DOCUMENTED.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|line| line.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.filter(|name| name.starts_with("rabbitmq_") || name.starts_with("erlang_")).collect()
}

fn is_named(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((begin, end)) => name.starts_with(begin) && name.ends_with(end),
    }
}

async fn shown_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, text) in all_paths().await {
        let declared = text.lines().filter_map(|it| it.strip_prefix("# TYPE "));
        names.extend(declared.filter_map(|it| it.split(' ').next()).map(str::to_owned));
    }
    names
}

#[tokio::test]
async fn what_is_not_shown_is_documented() {
    let (shown, documented) = (shown_names().await, documented());
    let mut wrong = Vec::new();
    for name in rabbitmq().keys() {
        // Told once, under the name without it.
        let plain = name.replacen("rabbitmq_detailed_", "rabbitmq_", 1);
        let is_documented = documented.iter().any(|it| is_named(&plain, it));
        if shown.contains(*name) == is_documented {
            wrong.push(*name);
        }
    }
    assert!(wrong.is_empty(), "neither or both: {wrong:#?}");
    let needless = documented.iter().filter(|it| !rabbitmq().keys().any(|name| is_named(name, it)));
    assert_eq!(needless.collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[tokio::test]
async fn dashboards_of_rabbitmq_find_what_is_not_documented_as_missing() {
    let (known, documented) = (rabbitmq(), documented());
    let text = scraped(Registry::Default, "").await;
    for row in DASHBOARDS.lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        let [dashboard, name, labels] = fields[..] else { panic!("three fields: {row}") };
        let base = base_name(name, &known);
        // What RabbitMQ itself does not have any more is missed there, too.
        if !known.contains_key(base) || documented.iter().any(|it| is_named(base, it)) {
            continue;
        }
        assert!(text.contains(&format!("# TYPE {base} ")), "{dashboard}: {name}");
        let sample = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        for label in labels.split(',').filter(|it| !it.is_empty()) {
            assert!(sample.contains(&format!("{label}=\"")), "{dashboard}: {name}: {label}");
        }
    }
}

#[tokio::test]
async fn sums_stand_in_for_objects() {
    let text = scraped(Registry::Default, "").await;
    let lines: Vec<&str> =
        text.lines().filter(|it| it.starts_with("rabbitmq_queue_messages")).take(4).collect();
    expect![[r#"
        rabbitmq_queue_messages_ready 7
        rabbitmq_queue_messages_unacked 2
        rabbitmq_queue_messages 9
        rabbitmq_queue_messages_ram 9"#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn details_are_of_chosen_families_vhosts_and_queues() {
    let query = "family=queue_coarse_metrics&family=vhost_status&vhost=orders&queue=^new";
    let text = scraped(Registry::Detailed, query).await;
    let lines: Vec<&str> = text.lines().filter(|it| !it.starts_with('#')).collect();
    expect![[r#"
        telemetry_scrape_duration_seconds_count{registry="detailed",content_type="text/plain; version=0.0.4"} 1
        telemetry_scrape_duration_seconds_sum{registry="detailed",content_type="text/plain; version=0.0.4"} 0.005
        telemetry_scrape_size_bytes_count{registry="detailed",content_type="text/plain; version=0.0.4"} 1
        telemetry_scrape_size_bytes_sum{registry="detailed",content_type="text/plain; version=0.0.4"} 100
        rabbitmq_detailed_queue_messages_ready{vhost="orders",queue="new \"ones\""} 4
        rabbitmq_detailed_queue_messages_unacked{vhost="orders",queue="new \"ones\""} 1
        rabbitmq_detailed_queue_messages{vhost="orders",queue="new \"ones\""} 5
        rabbitmq_detailed_queue_info{vhost="orders",queue="new \"ones\"",queue_type="rabbit_classic_queue",membership="leader"} 1
        rabbitmq_cluster_vhost_status{vhost="/"} 1
        rabbitmq_cluster_vhost_status{vhost="orders"} 1
        rabbitmq_build_info{rabbitmq_version="4.3.6",prometheus_plugin_version="4.3.6",prometheus_client_version="0.1.0",erlang_version="Leveret"} 1
        rabbitmq_identity_info{rabbitmq_node="rabbit@mq",rabbitmq_cluster="mq",rabbitmq_cluster_permanent_id="rabbitmq-cluster-id-x",rabbitmq_endpoint="detailed"} 1"#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn messages_are_told_apart_by_what_they_passed() {
    let text = scraped(Registry::PerObject, "").await;
    let named = ["_messages_published_total{", "_confirmed_total{", "_get_ack_total{"];
    let is_wanted = |it: &&str| named.iter().any(|name| it.contains(name));
    let lines: Vec<&str> = text.lines().filter(is_wanted).collect();
    expect![[r#"
        rabbitmq_channel_messages_published_total{channel="<0.6.0>",vhost="/",exchange="amq.direct"} 2
        rabbitmq_channel_messages_confirmed_total{channel="<0.6.0>",vhost="/",exchange="amq.direct"} 1
        rabbitmq_channel_get_ack_total{channel="<0.6.0>",vhost="/",queue="c.plain"} 1
        rabbitmq_exchange_messages_published_total{vhost="/",exchange="amq.direct"} 2
        rabbitmq_exchange_messages_confirmed_total{vhost="/",exchange="amq.direct"} 1
        rabbitmq_queue_get_ack_total{vhost="/",queue="c.plain"} 1
        rabbitmq_queue_exchange_messages_published_total{vhost="/",exchange="amq.direct",queue="c.plain"} 2
        rabbitmq_global_messages_confirmed_total{protocol="amqp091"} 1
        rabbitmq_global_messages_dead_lettered_confirmed_total{queue_type="rabbit_quorum_queue",dead_letter_strategy="at_least_once"} 2"#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn messages_are_chosen_by_vhost_and_queue_but_not_those_of_channels() {
    let families = ["channel_queue_metrics", "queue_delivery_metrics", "exchange_metrics"];
    let families = families.map(|it| format!("family={it}")).join("&");
    let text = scraped(Registry::Detailed, &format!("{families}&vhost=orders")).await;
    let lines: Vec<&str> = text.lines().filter(|it| it.contains("vhost=")).collect();
    assert!(lines.iter().all(|it| it.contains("channel=\"<0.6.0>\"")), "{lines:?}");
    assert!(!lines.is_empty());
}

#[tokio::test]
async fn raft_groups_of_queues_are_chosen_and_the_control_plane_s_stands_for_none() {
    let shown = async |query: &str| {
        let text = scraped(Registry::Detailed, &format!("family=ra_metrics{query}")).await;
        let lines = text.lines().filter(|it| it.starts_with("rabbitmq_detailed_raft_term"));
        lines.map(|it| it["rabbitmq_detailed_raft_term".len()..].to_owned()).collect::<Vec<_>>()
    };
    let control = r#"{module="rabbit_khepri",ra_system="coordination"} 2"#;
    let queue = r#"{queue="q.raft",vhost="/"} 3"#;
    assert_eq!(shown("").await, [control, queue]);
    assert_eq!(shown("&vhost=/&queue=raft").await, [queue]);
    assert_eq!(shown("&vhost=orders").await, Vec::<String>::new());
}
