//! Looking at a queue's messages, and taking them to where they belong.

use it::HttpClient;
use serde_json::{Value, json};

use super::{get, put, recorded_broker};

#[track_caller]
fn post(client: &HttpClient, path: &str, body: &Value) -> Value {
    let reply = client.ask("POST", path, &[], body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "POST {path}: {reply:?}");
    serde_json::from_str(&reply.body).expect("JSON")
}

fn declare(client: &HttpClient, queue: &str, arguments: &Value) {
    let body = json!({ "durable": true, "arguments": arguments });
    put(client, &format!("/api/queues/%2F/{queue}"), &body.to_string());
}

fn publish(client: &HttpClient, key: &str, payload: &str, properties: &Value) {
    let body = json!({
        "routing_key": key, "payload": payload, "payload_encoding": "string",
        "properties": properties,
    });
    assert_eq!(post(client, "/api/exchanges/%2F/amq.topic/publish", &body)["routed"], true);
}

fn bind(client: &HttpClient, queue: &str, key: &str) {
    let body = json!({ "routing_key": key }).to_string();
    let path = format!("/api/bindings/%2F/e/amq.topic/q/{queue}");
    assert_eq!(client.ask("POST", &path, &[], body.as_bytes()).status, 201);
}

/// The messages of a queue as one sees them.
fn browse(client: &HttpClient, queue: &str) -> Vec<Value> {
    let all = get(client, &format!("/api/queues/%2F/{queue}/messages"));
    all.as_array().expect("a list").clone()
}

fn payloads(client: &HttpClient, queue: &str) -> Vec<String> {
    let texts = browse(client, queue);
    texts.iter().map(|it| it["payload"].as_str().expect("text").to_owned()).collect()
}

/// Gets the first message and rejects it.
fn reject(client: &HttpClient, queue: &str) {
    let body = json!({ "count": 1, "ackmode": "reject_requeue_false", "encoding": "auto" });
    let got = post(client, &format!("/api/queues/%2F/{queue}/get"), &body);
    assert_eq!(got.as_array().map(Vec::len), Some(1));
}

/// A queue whose dead letters go to `graves`, with three of them there.
fn with_dead_letters(client: &HttpClient, arguments: &Value) {
    let mut own = json!({
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves",
    });
    if let (Some(own), Some(more)) = (own.as_object_mut(), arguments.as_object()) {
        own.extend(more.clone());
    }
    declare(client, "orders", &own);
    declare(client, "graves", arguments);
    bind(client, "orders", "order.*");
    for number in 1..=3 {
        let properties = json!({
            "delivery_mode": 2, "correlation_id": "c", "headers": { "n": number, "big": 9_007_199_254_740_993_i64 },
        });
        publish(client, "order.new", &format!("order {number}"), &properties);
        reject(client, "orders");
    }
}

#[test]
fn one_looks_at_messages_and_changes_nothing() {
    let (_server, guest) = recorded_broker();
    declare(&guest, "q", &json!({}));
    bind(&guest, "q", "k");
    for number in 0..5 {
        publish(&guest, "k", &format!("message {number}"), &json!({ "headers": { "n": number } }));
    }
    let seen = get(&guest, "/api/queues/%2F/q/messages?offset=1&count=2");
    let id = seen[1]["id"].as_str().expect("an id").to_owned();
    let mut first = seen[0].clone();
    first.as_object_mut().expect("an object").remove("id");
    assert_eq!(
        first,
        json!({
            "exchange": "amq.topic", "routing_key": "k", "redelivered": false, "message_count": 3,
            "properties": { "headers": { "n": 1 } },
            "payload": "message 1", "payload_bytes": 9, "payload_encoding": "string",
        })
    );
    assert_eq!(seen[1]["payload"], "message 2");
    let after = get(&guest, &format!("/api/queues/%2F/q/messages?after={id}&truncate=3"));
    assert_eq!((&after[0]["payload"], after.as_array().map(Vec::len)), (&json!("mes"), Some(2)));
    assert_eq!(get(&guest, "/api/queues/%2F/q/messages?offset=5"), json!([]));
    let queue = get(&guest, "/api/queues/%2F/q");
    assert_eq!(
        (&queue["messages_ready"], &queue["messages_unacknowledged"]),
        (&json!(5), &json!(0))
    );
    assert!(browse(&guest, "q").iter().all(|it| it["redelivered"] == false));
    let wrong = guest.get("/api/queues/%2F/q/messages?after=x");
    assert_eq!(wrong.status, 400, "{wrong:?}");
}

#[test]
fn dead_letters_go_back_to_where_they_died_as_they_were() {
    for arguments in [json!({}), json!({ "x-queue-type": "quorum" })] {
        let (_server, guest) = recorded_broker();
        with_dead_letters(&guest, &arguments);
        let graves = browse(&guest, "graves");
        assert_eq!(graves[1]["properties"]["headers"]["x-death"][0]["queue"], "orders");
        let path = "/api/queues/%2F/graves/redrive";
        let done = post(&guest, path, &json!({ "ids": [graves[1]["id"], graves[2]["id"]] }));
        assert_eq!(done, json!({ "redriven": 2, "left": [] }), "{arguments}");
        assert_eq!(payloads(&guest, "graves"), ["order 1"]);
        let back = browse(&guest, "orders");
        assert_eq!(
            (&back[0]["exchange"], &back[0]["routing_key"], &back[0]["redelivered"]),
            (&json!("amq.topic"), &json!("order.new"), &json!(false))
        );
        assert_eq!(
            back[0]["properties"],
            json!({
                "delivery_mode": 2, "correlation_id": "c", "headers": { "n": 2, "big": 9_007_199_254_740_993_i64 },
            })
        );
        assert_eq!(payloads(&guest, "orders"), ["order 2", "order 3"]);
    }
}

#[test]
fn what_cannot_go_back_stays_and_says_why() {
    let (_server, guest) = recorded_broker();
    with_dead_letters(&guest, &json!({}));
    bind(&guest, "graves", "note");
    publish(&guest, "note", "no dead letter", &json!({}));
    assert_eq!(guest.ask("DELETE", "/api/queues/%2F/orders", &[], b"").status, 204);
    let before = browse(&guest, "graves");
    let ids = json!({ "ids": [before[0]["id"], before[3]["id"], "123456789"] });
    let done = post(&guest, "/api/queues/%2F/graves/redrive", &ids);
    assert_eq!(done["redriven"], 0);
    let left: Vec<_> = done["left"].as_array().expect("a list").iter().collect();
    let reasons: Vec<_> = left.iter().map(|it| it["reason"].as_str().unwrap_or("")).collect();
    assert_eq!(
        reasons,
        [
            "no such message is ready in the queue",
            "no queue 'orders' in vhost '/'",
            "it is no dead letter: it does not say where it died",
        ]
    );
    assert_eq!(browse(&guest, "graves"), before);
}

#[test]
fn messages_move_to_another_queue_in_their_order() {
    let (_server, guest) = recorded_broker();
    declare(&guest, "from", &json!({}));
    declare(&guest, "to", &json!({}));
    declare(&guest, "small", &json!({ "x-max-length": 1, "x-overflow": "reject-publish" }));
    bind(&guest, "from", "k");
    for number in 0..5 {
        let properties = json!({ "delivery_mode": 1 + number % 2 });
        publish(&guest, "k", &number.to_string(), &properties);
    }
    let path = "/api/queues/%2F/from/move";
    let moved = post(&guest, path, &json!({ "destination": "to", "count": 3 }));
    assert_eq!(moved, json!({ "moved": 3, "left": [] }));
    assert_eq!(payloads(&guest, "to"), ["0", "1", "2"]);
    let moved = post(&guest, path, &json!({ "destination": "small" }));
    assert_eq!(
        (&moved["moved"], &moved["left"][0]["reason"]),
        (&json!(1), &json!("queue 'small' is full"))
    );
    assert_eq!(
        (payloads(&guest, "from"), payloads(&guest, "small")),
        (vec!["4".to_owned()], vec!["3".to_owned()])
    );
    for (destination, status) in [("nowhere", 400), ("from", 400)] {
        let body = json!({ "destination": destination }).to_string();
        assert_eq!(guest.ask("POST", path, &[], body.as_bytes()).status, status, "{destination}");
    }
}

#[test]
fn who_may_not_read_or_publish_does_not_move() {
    let (_server, guest) = recorded_broker();
    declare(&guest, "from", &json!({}));
    declare(&guest, "to", &json!({}));
    let body = json!({ "destination": "to" }).to_string();
    let alice = guest.with_login(Some("alice:pw"));
    let move_as_alice = |permissions: Value| {
        put(&guest, "/api/permissions/%2F/alice", &permissions.to_string());
        alice.ask("POST", "/api/queues/%2F/from/move", &[], body.as_bytes()).status
    };
    assert_eq!(move_as_alice(json!({ "configure": "", "write": ".*", "read": "" })), 401);
    assert_eq!(move_as_alice(json!({ "configure": "", "write": "", "read": ".*" })), 401);
    let enough = json!({ "configure": "", "write": "amq.default", "read": "from" });
    assert_eq!(move_as_alice(enough), 200);
    assert_eq!(alice.get("/api/queues/%2F/to/messages").status, 401);
}
