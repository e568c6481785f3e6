//! Counters, rates and samples: their keys, and what they add up to.

use std::time::{Duration, Instant};

use it::{HttpClient, Server};
use serde_json::{Value, json};

use super::{get, put, recorded_broker};

/// Samples every second instead of every five.
const EVERY_SECOND: &str = "collect_statistics_interval = 1000\n\
    management.sample_retention_policies.global.minute = 1\n\
    management.sample_retention_policies.basic.minute = 1\n\
    management.sample_retention_policies.detailed.minute = 1\n";

/// How long a collection may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

fn publish(guest: &HttpClient, queue: &str) {
    let body = format!(
        r#"{{"properties": {{}}, "routing_key": "{queue}", "payload": "x", "payload_encoding": "string"}}"#
    );
    let reply = guest.ask("POST", "/api/exchanges/%2F/amq.default/publish", &[], body.as_bytes());
    assert_eq!(reply.status, 200, "{reply:?}");
}

fn take(guest: &HttpClient, queue: &str, count: u32) {
    let body =
        format!(r#"{{"count": {count}, "ackmode": "ack_requeue_false", "encoding": "auto"}}"#);
    let reply = guest.ask("POST", &format!("/api/queues/%2F/{queue}/get"), &[], body.as_bytes());
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// Asks until the answer is as wanted.
fn eventually(guest: &HttpClient, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(guest, path);
        if is_wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "GET {path}: {answer:#}");
    }
}

fn keys(value: &Value) -> Vec<&str> {
    let keys = value.as_object().expect("an object").keys().map(String::as_str);
    keys.filter(|key| !key.ends_with("_details")).collect()
}

#[test]
fn messages_are_counted_wherever_they_pass() {
    let (_server, guest) = recorded_broker();
    put(&guest, "/api/queues/%2F/q", r#"{"durable": true}"#);
    assert_eq!(get(&guest, "/api/queues/%2F/q").get("message_stats"), None, "nothing passed yet");
    for _ in 0..3 {
        publish(&guest, "q");
    }
    publish(&guest, "nowhere");
    take(&guest, "q", 2);
    let queue = get(&guest, "/api/queues/%2F/q");
    let stats = &queue["message_stats"];
    assert_eq!(
        keys(stats),
        [
            "ack",
            "deliver",
            "deliver_get",
            "deliver_no_ack",
            "get",
            "get_empty",
            "get_no_ack",
            "publish",
            "redeliver",
        ]
    );
    let counts = ["publish", "get_no_ack", "ack", "deliver_get", "deliver"].map(|it| &stats[it]);
    assert_eq!(counts, [&json!(3), &json!(2), &json!(0), &json!(2), &json!(0)], "{stats}");
    assert_eq!((&queue["incoming"], &queue["deliveries"]), (&json!([]), &json!([])));
    let exchange = get(&guest, "/api/exchanges/%2F/amq.default");
    assert_eq!(keys(&exchange["message_stats"]), ["publish_in", "publish_out"]);
    let counts = ["publish_in", "publish_out"].map(|it| &exchange["message_stats"][it]);
    assert_eq!(counts, [&json!(4), &json!(3)]);
    for stats in [
        &get(&guest, "/api/vhosts/%2F")["message_stats"],
        &get(&guest, "/api/overview")["message_stats"],
    ] {
        assert_eq!((&stats["publish"], &stats["get_no_ack"]), (&json!(4), &json!(2)));
        assert_eq!(stats["publish_details"]["rate"], json!(0.0), "{stats}");
    }
    assert_eq!(get(&guest, "/api/vhosts/scratch").get("message_stats"), None);
}

#[test]
fn rates_and_samples_follow_the_collections() {
    let server = Server::start(EVERY_SECOND);
    let guest = HttpClient::new(&server.http_address());
    put(&guest, "/api/queues/%2F/q", r#"{"durable": true}"#);
    publish(&guest, "q");
    let queue = eventually(&guest, "/api/queues/%2F/q", |it| {
        it["message_stats"]["publish_details"]["rate"] == json!(1.0)
    });
    assert_eq!(queue["messages_details"]["rate"], json!(1.0));
    let path = "/api/queues/%2F/q?lengths_age=10&lengths_incr=2&msg_rates_age=10&msg_rates_incr=2";
    let queue = eventually(&guest, path, |it| {
        it["message_stats"]["publish_details"]["samples"][0]["sample"] == json!(1)
    });
    for details in [&queue["message_stats"]["publish_details"], &queue["messages_details"]] {
        let samples = details["samples"].as_array().expect("samples");
        assert_eq!(samples.len(), 6);
        let times: Vec<_> = samples.iter().filter_map(|it| it["timestamp"].as_u64()).collect();
        assert!(times.windows(2).all(|two| two[0] == two[1] + 2000), "{times:?}");
        assert_eq!(samples[5]["sample"], 0, "before it was there");
        assert!(details["avg"].is_f64() && details["avg_rate"].is_f64(), "{details}");
    }
    let node = get(&guest, "/api/nodes");
    for key in ["mem_used", "fd_used", "sockets_used", "proc_used", "disk_free"] {
        assert!(node[0][format!("{key}_details")]["rate"].is_f64(), "{key}");
    }
    // A vhost's bytes are those of its connections.
    let _client = server.channel();
    eventually(&guest, "/api/vhosts/%2F", |it| it["recv_oct"].as_u64() > Some(0));
    assert!(get(&guest, "/api/connections")[0]["recv_oct_details"]["rate"].is_f64());
}

#[test]
fn what_came_and_went_is_counted() {
    let server = Server::start(EVERY_SECOND);
    let guest = HttpClient::new(&server.http_address());
    put(&guest, "/api/queues/%2F/q", "{}");
    let _client = server.channel();
    let overview =
        eventually(&guest, "/api/overview", |it| it["churn_rates"]["channel_created"] == json!(1));
    let churn = &overview["churn_rates"];
    let created = ["connection_created", "queue_created", "queue_declared", "queue_deleted"];
    assert_eq!(created.map(|it| &churn[it]), [&json!(1), &json!(1), &json!(1), &json!(0)]);
    assert_eq!(guest.ask("DELETE", "/api/queues/%2F/q", &[], b"").status, 204);
    eventually(&guest, "/api/nodes", |it| it[0]["queue_deleted"] == json!(1));
}

#[test]
fn pairs_are_shown_in_the_detailed_mode() {
    let server = Server::start("management.rates_mode = detailed\n");
    let guest = HttpClient::new(&server.http_address());
    put(&guest, "/api/queues/%2F/q", "{}");
    publish(&guest, "q");
    assert_eq!(get(&guest, "/api/overview")["rates_mode"], "detailed");
    let queue = get(&guest, "/api/queues/%2F/q");
    assert_eq!(queue["incoming"][0]["exchange"], json!({ "name": "", "vhost": "/" }));
    assert_eq!(queue["incoming"][0]["stats"]["publish"], 1);
    let exchange = get(&guest, "/api/exchanges/%2F/amq.default");
    assert_eq!(exchange["outgoing"][0]["queue"], json!({ "name": "q", "vhost": "/" }));
}

#[test]
fn no_rates_are_shown_where_they_are_off() {
    let server = Server::start("management.rates_mode = none\n");
    let guest = HttpClient::new(&server.http_address());
    put(&guest, "/api/queues/%2F/q", "{}");
    publish(&guest, "q");
    assert_eq!(get(&guest, "/api/queues/%2F/q").get("message_stats"), None);
    assert_eq!(get(&guest, "/api/queues/%2F/q")["messages"], 1);
}

#[test]
fn queues_are_sorted_by_their_rates_and_counts() {
    let (_server, guest) = recorded_broker();
    for (queue, count) in [("a", 1), ("b", 3), ("c", 0)] {
        put(&guest, &format!("/api/queues/%2F/{queue}"), "{}");
        (0..count).for_each(|_| publish(&guest, queue));
    }
    take(&guest, "b", 3);
    let order = |sort: &str| {
        let path = format!("/api/queues?page=1&sort_reverse=true&columns=name&sort={sort}");
        let page = get(&guest, &path);
        let items = page["items"].as_array().expect("a page").iter();
        items.map(|it| it["name"].as_str().expect("a name").to_owned()).collect::<String>()
    };
    assert_eq!(order("messages"), "acb");
    assert_eq!(order("message_stats.publish"), "bac");
    // All are 0: as they come, from behind.
    assert_eq!(order("message_stats.ack_details.rate"), "cba");
    assert_eq!(order("durable"), "cba");
}

#[test]
fn a_range_that_is_none_is_refused() {
    let (_server, guest) = recorded_broker();
    let reply = guest.get("/api/overview?lengths_age=60000&lengths_incr=5");
    let reason =
        r#"{"error":"bad_request","reason":"Invalid range parameters: age 60000, incr 5"}"#;
    assert_eq!((reply.status, reply.body.as_str()), (400, reason));
    get(&guest, "/api/overview?lengths_age=x&lengths_incr=y");
}

#[test]
fn attempts_to_log_in_are_counted() {
    let (_server, guest) = recorded_broker();
    let path = format!(
        "/api/auth/attempts/{}",
        get(&guest, "/api/overview")["node"].as_str().expect("a name")
    );
    assert_eq!(guest.ask("DELETE", &path, &[], b"").status, 204);
    assert_eq!(guest.with_login(Some("guest:wrong")).get("/api/whoami").status, 401);
    let expected = json!([{
        "protocol": "http",
        "auth_attempts": 2,
        "auth_attempts_failed": 1,
        "auth_attempts_succeeded": 1,
    }]);
    assert_eq!(get(&guest, &path), expected, "that one, and this");
    assert_eq!(get(&guest, &format!("{path}/source")), json!([]));
}
