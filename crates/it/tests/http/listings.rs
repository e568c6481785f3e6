//! Lists and single objects: their keys, and how they are sorted, cut and paged.

use serde_json::{Value, json};

use super::{get, put, recorded_broker};

fn names(list: &Value) -> Vec<&str> {
    let rows = list.get("items").unwrap_or(list).as_array().expect("a list");
    rows.iter().map(|it| it["name"].as_str().expect("a name")).collect()
}

#[test]
fn queues_are_listed_page_by_page() {
    let (_server, guest) = recorded_broker();
    for name in ["b", "a", "c%2Fd"] {
        put(&guest, &format!("/api/queues/scratch/{name}"), r#"{"durable": true}"#);
    }
    assert_eq!(names(&get(&guest, "/api/queues/scratch")), ["a", "b", "c/d"]);
    let page = get(&guest, "/api/queues?page=1&page_size=2&sort=name&sort_reverse=true");
    assert_eq!(names(&page), ["c/d", "b"]);
    let counts = ["total_count", "item_count", "filtered_count", "page_count"].map(|it| &page[it]);
    assert_eq!(counts, [&json!(3), &json!(2), &json!(3), &json!(2)]);
    let columns = get(&guest, "/api/queues?columns=name,messages,arguments.x-queue-type");
    let first = json!({
        "name": "a", "messages": 0, "arguments": { "x-queue-type": "classic" },
    });
    assert_eq!(columns[0], first);
}

#[test]
fn an_object_has_rabbitmq_s_keys() {
    let (_server, guest) = recorded_broker();
    put(&guest, "/api/queues/scratch/q", r#"{"durable": true, "arguments": {"x-max-length": 5}}"#);
    let queue = get(&guest, "/api/queues/scratch/q");
    for (key, value) in [
        ("name", json!("q")),
        ("vhost", json!("scratch")),
        ("type", json!("classic")),
        ("durable", json!(true)),
        ("exclusive", json!(false)),
        ("arguments", json!({ "x-max-length": 5, "x-queue-type": "classic" })),
        ("messages", json!(0)),
        ("consumer_details", json!([])),
        ("policy", Value::Null),
        ("state", json!("running")),
        ("effective_policy_definition", json!({})),
    ] {
        assert_eq!(queue[key], value, "{key}");
    }
    let exchange = get(&guest, "/api/exchanges/%2F/amq.default");
    assert_eq!((&exchange["name"], &exchange["type"]), (&json!(""), &json!("direct")));
    let bare = get(&guest, "/api/queues/scratch/q?disable_stats=true&enable_queue_totals=true");
    assert_eq!((&bare["messages"], &bare["online"]), (&json!(0), &Value::Null));
    assert_eq!(bare.get("memory"), None);
}

#[test]
fn the_overview_counts_what_there_is() {
    let (_server, guest) = recorded_broker();
    put(&guest, "/api/queues/scratch/q", r#"{"durable": true}"#);
    let overview = get(&guest, "/api/overview");
    assert_eq!(overview["object_totals"]["queues"], 1);
    // The default vhost has that of events, too.
    assert_eq!(overview["object_totals"]["exchanges"], 4 * 7 + 1);
    assert_eq!(overview["queue_totals"]["messages"], 0);
    assert_eq!(overview["product_version"], "4.3.6");
    let protocols: Vec<_> = overview["listeners"].as_array().expect("a list").clone();
    let protocols: Vec<_> = protocols.iter().map(|it| it["protocol"].clone()).collect();
    assert_eq!(protocols, ["amqp", "http", "http/prometheus"]);
    // Whoever is no monitor sees no listeners, and counts what is his.
    let bob = get(&guest.with_login(Some("bob:pw")), "/api/overview");
    assert_eq!(bob.get("listeners"), None);
    assert_eq!(bob["object_totals"]["queues"], 0);
}

#[test]
fn definitions_come_back_as_they_were() {
    let (_server, guest) = recorded_broker();
    put(&guest, "/api/vhosts/shop", r#"{"description": "d", "tags": "a,b"}"#);
    put(&guest, "/api/queues/shop/q", r#"{"durable": true, "arguments": {"x-max-length": 5}}"#);
    put(&guest, "/api/exchanges/shop/x", r#"{"type": "topic", "durable": true}"#);
    let binding = br#"{"routing_key": "a.#", "arguments": {"n": 1}}"#;
    assert_eq!(guest.ask("POST", "/api/bindings/shop/e/x/q/q", &[], binding).status, 201);
    put(&guest, "/api/vhost-limits/shop/max-queues", r#"{"value": 7}"#);
    let policy = r#"{"pattern": "^q", "definition": {"max-length": 3}, "apply-to": "queues"}"#;
    put(&guest, "/api/policies/shop/p", policy);
    put(&guest, "/api/operator-policies/shop/o", policy);
    put(&guest, "/api/global-parameters/g", r#"{"value": [1, {"a": null}]}"#);
    assert_eq!(get(&guest, "/api/queues/shop/q")["policy"], "p");
    let whole = guest.get("/api/definitions").body;
    let part = guest.get("/api/definitions/shop").body;
    assert_eq!(guest.ask("DELETE", "/api/vhosts/shop", &[], b"").status, 204);
    let imported = guest.ask("POST", "/api/definitions", &[], whole.as_bytes());
    assert_eq!(imported.status, 204, "{imported:?}");
    assert_eq!(guest.get("/api/definitions").body, whole);
    put(&guest, "/api/vhosts/copy", r#"{"description": "d", "tags": "a,b"}"#);
    let imported = guest.ask("POST", "/api/definitions/copy", &[], part.as_bytes());
    assert_eq!(imported.status, 204, "{imported:?}");
    let copy = guest.get("/api/definitions/copy").body.replace("copy", "shop");
    assert_eq!(copy, part);
}
