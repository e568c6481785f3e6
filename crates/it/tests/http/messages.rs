//! Connections and messages as both HTTP and AMQP see them.

use serde_json::json;

use super::{get, put, recorded_broker};

#[test]
fn what_is_published_over_http_is_a_message_like_any_other() {
    let (_server, guest) = recorded_broker();
    put(&guest, "/api/queues/%2F/q", r#"{"durable": true}"#);
    let body = br#"{"properties": {"delivery_mode": 2, "headers": {"n": 1}}, "routing_key": "q",
        "payload": "hello", "payload_encoding": "string"}"#;
    let published = guest.ask("POST", "/api/exchanges/%2F/amq.default/publish", &[], body);
    assert_eq!((published.status, published.body.as_str()), (200, r#"{"routed":true}"#));
    let queue = get(&guest, "/api/queues/%2F/q");
    assert_eq!((&queue["messages"], &queue["messages_persistent"]), (&json!(1), &json!(1)));
    let take = br#"{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}"#;
    let got = guest.ask("POST", "/api/queues/%2F/q/get", &[], take);
    let expected = json!([{
        "exchange": "", "message_count": 0, "payload": "hello", "payload_bytes": 5,
        "payload_encoding": "string", "properties": { "delivery_mode": 2, "headers": { "n": 1 } },
        "redelivered": false, "routing_key": "q",
    }]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&got.body).expect("JSON"), expected);
    assert_eq!(get(&guest, "/api/queues/%2F/q")["messages"], 0);
    assert_eq!(get(&guest, "/api/connections"), json!([]), "nothing is left behind");
}

#[test]
fn a_publish_under_an_alarm_is_refused_at_once() {
    let (server, guest) = recorded_broker();
    put(&guest, "/api/queues/%2F/q", r#"{"durable": true}"#);
    let publish = || {
        let body = br#"{"properties": {}, "routing_key": "q", "payload": "hello",
            "payload_encoding": "string"}"#;
        guest.ask("POST", "/api/exchanges/%2F/amq.default/publish", &[], body)
    };
    assert!(
        server.ctl("rabbitmqctl", &["set_disk_free_limit", "900000000000000"]).status.success()
    );
    let refused = publish();
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("publishing is blocked: low on disk"), "{}", refused.body);
    assert!(server.ctl("rabbitmqctl", &["set_disk_free_limit", "50MB"]).status.success());
    assert_eq!(publish().status, 200);
    assert_eq!(get(&guest, "/api/queues/%2F/q")["messages"], 1, "the refused one is nowhere");
}

#[test]
fn a_connection_is_seen_and_closed_with_a_reason() {
    let (server, guest) = recorded_broker();
    let _client = server.channel();
    let connections = get(&guest, "/api/connections");
    let connection = &connections[0];
    assert_eq!(
        (&connection["protocol"], &connection["user"]),
        (&json!("AMQP 0-9-1"), &json!("guest"))
    );
    let name = connection["name"].as_str().expect("a name").replace(' ', "%20").replace('>', "%3E");
    assert_eq!(get(&guest, &format!("/api/connections/{name}/channels"))[0]["number"], 1);
    let alice = guest.with_login(Some("alice:pw"));
    assert_eq!(get(&alice, "/api/connections"), json!([]), "others' are not hers to see");
    assert_eq!(alice.get(&format!("/api/connections/{name}")).status, 401);
    let path = format!("/api/connections/{name}");
    let closed = guest.ask("DELETE", &path, &[("x-reason", "because")], b"");
    assert_eq!(closed.status, 204);
}
