//! Metrics for Prometheus against what a RabbitMQ 4.3.6 answered.

use it::{HttpClient, HttpReply, RawClient, Server};

/// Asks for metrics, without a login.
fn scraper(server: &Server) -> HttpClient {
    HttpClient::new(&server.metrics_address()).with_login(None)
}

/// Lines of a scrape that begin so.
#[track_caller]
fn samples(server: &Server, path: &str, begin: &str) -> Vec<String> {
    let reply = scraper(server).get(path);
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.body.lines().filter(|line| line.starts_with(begin)).map(str::to_owned).collect()
}

/// Declares a queue and publishes so many messages to it.
fn fill(server: &Server, queue: &str, count: usize) {
    let mut client = server.channel();
    client.call(1, &format!("queue.declare queue={queue} durable")).expect("a queue");
    for number in 0..count {
        client.send(1, &format!("basic.publish routing-key={queue} \"m{number}\"")).expect("sent");
    }
    // Whoever sees the reply knows that the messages are where they have to be.
    client.call(1, &format!("queue.declare queue={queue} passive")).expect("it is there");
}

#[test]
fn messages_of_queues_are_summed_and_told_apart() {
    let server = Server::start("");
    fill(&server, "q", 3);
    fill(&server, "r", 1);
    let ready = samples(&server, "/metrics", "rabbitmq_queue_messages_ready ");
    assert_eq!(ready, ["rabbitmq_queue_messages_ready 4"]);
    assert_eq!(samples(&server, "/metrics", "rabbitmq_queues "), ["rabbitmq_queues 2"]);
    let ready = samples(&server, "/metrics/per-object", "rabbitmq_queue_messages_ready{");
    assert_eq!(
        ready,
        [
            r#"rabbitmq_queue_messages_ready{vhost="/",queue="q"} 3"#,
            r#"rabbitmq_queue_messages_ready{vhost="/",queue="r"} 1"#,
        ]
    );
    let path = "/metrics/detailed?family=queue_consumer_count&queue=^r";
    assert_eq!(
        samples(&server, path, "rabbitmq_detailed_"),
        [
            r#"rabbitmq_detailed_queue_consumers{vhost="/",queue="r"} 0"#,
            r#"rabbitmq_detailed_queue_info{vhost="/",queue="r",queue_type="rabbit_classic_queue",membership="leader"} 1"#,
        ]
    );
}

/// The value of the sample with this name and these labels.
#[track_caller]
fn value(server: &Server, path: &str, sample: &str) -> String {
    let found = samples(server, path, &format!("{sample} "));
    let [found] = &found[..] else { panic!("{path}: {sample}: {found:?}") };
    found[sample.len() + 1..].to_owned()
}

/// Publishes three messages to queue `q` with confirms and one to nowhere, fetches and acknowledges one.
fn publish_and_fetch(server: &Server) -> RawClient {
    let mut client = server.channel();
    client.call(1, "confirm.select").expect("confirms");
    client.call(1, "queue.declare queue=q durable").expect("a queue");
    for key in ["q", "q", "q", "nowhere"] {
        client.call(1, &format!("basic.publish routing-key={key} \"m\"")).expect("confirmed");
    }
    client.call(1, "basic.get queue=q").expect("a message");
    client.send(1, "basic.ack delivery-tag=1").expect("acknowledged");
    client.call(1, "queue.declare queue=q passive").expect("all of it is done");
    client
}

#[test]
fn what_passes_is_counted_by_protocol_and_type_of_queue() {
    let server = Server::start("");
    let global = |name: &str| value(&server, "/metrics", &format!("rabbitmq_global_{name}"));
    assert_eq!(global(r#"messages_received_total{protocol="amqp091"}"#), "0", "from the start");
    let _client = publish_and_fetch(&server);
    for (name, expected) in [
        ("messages_received_total", "4"),
        ("messages_received_confirm_total", "4"),
        ("messages_confirmed_total", "4"),
        ("messages_routed_total", "3"),
        ("messages_unroutable_dropped_total", "1"),
        ("messages_unroutable_returned_total", "0"),
        ("publishers", "1"),
        ("consumers", "0"),
    ] {
        assert_eq!(global(&format!("{name}{{protocol=\"amqp091\"}}")), expected, "{name}");
    }
    for (name, classic, quorum) in [
        ("messages_delivered_total", "1", "0"),
        ("messages_delivered_get_manual_ack_total", "1", "0"),
        ("messages_delivered_consume_manual_ack_total", "0", "0"),
        ("messages_acknowledged_total", "1", "0"),
        ("messages_redelivered_total", "0", "0"),
    ] {
        for (kind, expected) in [("classic", classic), ("quorum", quorum)] {
            let labels = format!(r#"{{protocol="amqp091",queue_type="rabbit_{kind}_queue"}}"#);
            assert_eq!(global(&format!("{name}{labels}")), expected, "{name}{labels}");
        }
    }
}

#[test]
fn what_passes_is_counted_by_exchange_queue_and_channel() {
    let server = Server::start("");
    let _client = publish_and_fetch(&server);
    for (name, expected) in [
        ("channel_messages_published_total", "4"),
        ("channel_messages_confirmed_total", "4"),
        ("channel_messages_acked_total", "1"),
        ("exchange_messages_confirmed_total", "4"),
        ("queue_messages_acked_total", "1"),
    ] {
        assert_eq!(value(&server, "/metrics", &format!("rabbitmq_{name}")), expected, "{name}");
    }
    for (name, labels, expected) in [
        ("exchange_messages_published_total", r#"vhost="/",exchange="""#, "4"),
        ("exchange_messages_unroutable_dropped_total", r#"vhost="/",exchange="""#, "1"),
        ("queue_get_ack_total", r#"vhost="/",queue="q""#, "1"),
        ("queue_exchange_messages_published_total", r#"vhost="/",exchange="",queue="q""#, "3"),
    ] {
        let sample = format!("rabbitmq_{name}{{{labels}}}");
        assert_eq!(value(&server, "/metrics/per-object", &sample), expected, "{sample}");
    }
    let path = "/metrics/detailed?family=channel_queue_metrics";
    let fetched = samples(&server, path, "rabbitmq_detailed_channel_get_ack_total").concat();
    assert!(fetched.ends_with(r#"",vhost="/",queue="q"} 1"#), "{fetched}");
}

#[test]
fn raft_groups_have_come_to_something() {
    let server = Server::start("");
    let mut client = server.channel();
    let declare = r#"queue.declare queue=q durable arguments={x-queue-type="quorum"}"#;
    client.call(1, declare).expect("a queue");
    client.call(1, "confirm.select").expect("confirms");
    client.call(1, "basic.publish routing-key=q \"m\"").expect("confirmed");
    let sum = samples(&server, "/metrics", "rabbitmq_raft_term{");
    let control = r#"{module="rabbit_khepri",ra_system="coordination"}"#;
    assert_eq!(sum, [format!("rabbitmq_raft_term{control} 1")], "queues one by one alone");
    let figure = |name: &str, labels: &str| -> u64 {
        let sample = format!("rabbitmq_raft_{name}{labels}");
        value(&server, "/metrics/per-object", &sample).parse().expect("a number")
    };
    let queue = r#"{queue="q",vhost="/"}"#;
    for labels in [control, queue] {
        assert!(0 < figure("commit_index", labels), "{labels}");
        assert_eq!(figure("last_applied", labels), figure("commit_index", labels), "{labels}");
    }
    assert_eq!(figure("term", queue), 1);
}

#[test]
fn what_comes_and_goes_is_counted() {
    let server = Server::start("");
    let mut client = publish_and_fetch(&server);
    client.call(1, "queue.declare queue=q durable").expect("it is there");
    client.call(1, "queue.delete queue=q").expect("deleted");
    client.call(1, "channel.close reply-code=200").expect("closed");
    for (name, expected) in [
        ("connections_opened_total", "1"),
        ("connections_closed_total", "0"),
        ("channels_opened_total", "1"),
        ("channels_closed_total", "1"),
        ("queues_declared_total", "2"),
        ("queues_created_total", "1"),
        ("queues_deleted_total", "1"),
        (r#"auth_attempts_total{protocol="amqp091"}"#, "1"),
        (r#"auth_attempts_succeeded_total{protocol="amqp091"}"#, "1"),
        (r#"auth_attempts_failed_total{protocol="amqp091"}"#, "0"),
    ] {
        assert_eq!(value(&server, "/metrics", &format!("rabbitmq_{name}")), expected, "{name}");
    }
}

#[test]
fn dead_letters_are_counted_by_why_they_died() {
    let server = Server::start("");
    let mut client = server.channel();
    let declare = "queue.declare queue=q arguments={x-max-length=1}";
    client.call(1, declare).expect("a queue");
    for _ in 0..3 {
        client.send(1, "basic.publish routing-key=q \"m\"").expect("sent");
    }
    client.call(1, "queue.declare queue=q passive").expect("they are there");
    let died = |reason: &str, strategy: &str| {
        let name = format!("rabbitmq_global_messages_dead_lettered_{reason}_total");
        let labels =
            format!(r#"{{queue_type="rabbit_classic_queue",dead_letter_strategy="{strategy}"}}"#);
        value(&server, "/metrics", &format!("{name}{labels}"))
    };
    assert_eq!(died("maxlen", "disabled"), "2");
    assert_eq!(died("maxlen", "at_most_once"), "0");
    assert_eq!(died("expired", "disabled"), "0");
}

#[test]
fn clients_exchanges_and_the_node_have_metrics() {
    let server = Server::start("cluster_name = hares");
    let _client = server.channel();
    assert_eq!(samples(&server, "/metrics", "rabbitmq_channels "), ["rabbitmq_channels 1"]);
    assert_eq!(samples(&server, "/metrics", "rabbitmq_connections "), ["rabbitmq_connections 1"]);
    let alarms = samples(&server, "/metrics", "rabbitmq_alarms_");
    assert_eq!(
        alarms,
        ["rabbitmq_alarms_free_disk_space_watermark 0", "rabbitmq_alarms_memory_used_watermark 0"]
    );
    let identity = samples(&server, "/metrics", "rabbitmq_identity_info").concat();
    assert!(identity.contains(r#"rabbitmq_cluster="hares""#), "{identity}");
    assert!(identity.contains(r#"rabbitmq_endpoint="aggregated""#), "{identity}");
    let path = "/metrics/detailed?family=exchange_bindings&family=vhost_status";
    let cluster = samples(&server, path, "rabbitmq_cluster_");
    let direct =
        r#"rabbitmq_cluster_exchange_bindings{vhost="/",exchange="amq.direct",type="direct"} 0"#;
    assert!(cluster.iter().any(|it| it == direct), "{cluster:?}");
    assert!(cluster.iter().any(|it| it == r#"rabbitmq_cluster_vhost_status{vhost="/"} 1"#));
    let memory = samples(&server, "/metrics/memory-breakdown", "rabbitmq_memory_");
    assert_eq!(memory.len(), 3, "{memory:?}");
}

#[test]
fn scrapes_are_counted() {
    let server = Server::start("");
    let counted = |path: &str| samples(&server, path, "telemetry_scrape_size_bytes_count").concat();
    assert_eq!(counted("/metrics"), "");
    let labels = r#"{registry="default",content_type="text/plain; version=0.0.4"}"#;
    assert_eq!(counted("/metrics"), format!("telemetry_scrape_size_bytes_count{labels} 1"));
    assert_eq!(counted("/metrics/per-object"), "", "each registry for itself");
}

/// Status, content type, allowed methods, body.
fn shown(reply: &HttpReply) -> (u16, Option<&str>, Option<&str>, &str) {
    (reply.status, reply.header("content-type"), reply.header("allow"), &reply.body)
}

#[test]
fn bad_requests_get_the_answers_of_rabbitmq() {
    let server = Server::start("");
    let scraper = scraper(&server);
    let (text, allow) = (Some("text/plain"), Some("HEAD, GET, OPTIONS"));
    let nowhere = r#"{"error":"Object Not Found","reason":"Not Found"}"#;
    let pattern = "Invalid 'queue' regex at position 1: missing closing parenthesis";
    for (path, expected) in [
        ("/metrics/nope", (404, text, allow, "Unknown Registry")),
        ("/", (404, Some("application/json"), None, nowhere)),
        ("/metrics/a/b", (404, Some("application/json"), None, nowhere)),
        ("/metrics/detailed?queue=(", (400, text, allow, pattern)),
        ("/metrics?family=%ZZ", (400, None, allow, "")),
    ] {
        assert_eq!(shown(&scraper.get(path)), expected, "{path}");
    }
    for (method, expected) in [
        ("POST", (405, None, allow, "")),
        ("OPTIONS", (200, None, allow, "")),
        ("HEAD", (204, None, None, "")),
        ("BREW", (501, None, None, "")),
    ] {
        assert_eq!(shown(&scraper.ask(method, "/metrics", &[], b"")), expected, "{method}");
    }
}

#[test]
fn text_is_what_there_is_compressed_for_who_takes_it() {
    let server = Server::start("");
    let scraper = scraper(&server);
    let ask = |name, value| scraper.ask("GET", "/metrics/memory-breakdown", &[(name, value)], b"");
    for (accept, status) in [
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", 200),
        ("text/*", 200),
        ("application/json", 406),
        ("text/html", 406),
    ] {
        assert_eq!(ask("accept", accept).status, status, "{accept}");
    }
    let reply = ask("accept", "*/*");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4"));
    assert_eq!(reply.header("vary"), Some("accept-encoding"));
    assert_eq!(ask("accept-encoding", "gzip;q=0").header("content-encoding"), None);
    assert_eq!(ask("accept-encoding", "deflate").header("content-encoding"), None);
}

#[test]
fn a_login_is_asked_for_where_the_configuration_says_so() {
    let server = Server::start(
        "prometheus.authentication.enabled = true\nprometheus.path = /figures\n\
         prometheus.return_per_object_metrics = true",
    );
    let guest = HttpClient::new(&server.metrics_address());
    let refused = guest.with_login(None).get("/figures");
    let realm = Some("Basic realm=\"RabbitMQ Prometheus\"");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, realm));
    assert_eq!(guest.with_login(Some("guest:wrong")).get("/figures").status, 401);
    let shown = guest.get("/figures");
    assert!(shown.body.contains(r#"rabbitmq_endpoint="per-object""#), "{shown:?}");
    assert_eq!(guest.get("/metrics").status, 404);
}

#[test]
fn metrics_are_had_through_tls_too() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("signed");
    let certificate = signed.cert.pem();
    let write = |name, pem: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).expect("the directory is writable");
        path.display().to_string()
    };
    let server = Server::start(&format!(
        "prometheus.ssl.ip = 127.0.0.1\nprometheus.ssl.port = {{tls-port}}\n\
         prometheus.ssl.certfile = {}\nprometheus.ssl.keyfile = {}\n",
        write("cert.pem", &certificate),
        write("key.pem", &signed.signing_key.serialize_pem()),
    ));
    let scraper = HttpClient::new(&server.tls_address()).with_login(None);
    let reply = scraper.with_tls(&certificate).get("/metrics");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body.contains("\nrabbitmq_queues 0\n"), "{reply:?}");
    assert_eq!(samples(&server, "/metrics", "rabbitmq_queues "), ["rabbitmq_queues 0"]);
}
