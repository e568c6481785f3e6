//! Requests in the order in which RabbitMQ got them, with its answers.
//!
//! A line is a request: method, path, `as USER` (guest if not said), `with JSON` or `raw "TEXT"`; the
//! line below is the answer: status, body, `location PATH`. A body `*` is any reason: there RabbitMQ
//! breaks off with an empty 500.

use it::HttpClient;
use serde_json::Value;

use super::recorded_broker;

fn replay(text: &str, prepare: &[(&str, &str, &str)]) {
    let (_server, guest) = recorded_broker();
    for (method, path, body) in prepare {
        let reply = guest.ask(method, path, &[], body.as_bytes());
        assert!(reply.status < 300, "{method} {path}: {reply:?}");
    }
    let node = super::get(&guest, "/api/overview")["node"].as_str().expect("a name").to_owned();
    let text = text.replace("rabbit@localhost", &node);
    let mut wrong = Vec::new();
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).peekable();
    while let Some(request) = lines.next() {
        let expected = lines.next().expect("an answer below each request").trim();
        let actual = ask(&guest, request);
        if !is_as_expected(expected, &actual) {
            wrong.push(format!("{request}\n  expected {expected}\n  actual   {actual}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn ask(guest: &HttpClient, request: &str) -> String {
    let (head, body) = match (request.split_once(" with "), request.split_once(" raw ")) {
        (Some((head, json)), _) => (head, json.to_owned()),
        (None, Some((head, text))) => (head, serde_json::from_str(text).expect("a text")),
        (None, None) => (request, String::new()),
    };
    let words: Vec<&str> = head.split(' ').collect();
    let (method, path) = (words[0], words[1]);
    let client = match words.get(3) {
        None => guest.clone(),
        Some(&"nobody") => guest.with_login(None),
        Some(user) => guest.with_login(Some(&format!("{user}:pw"))),
    };
    let boundary = body.lines().next().and_then(|line| line.strip_prefix("--"));
    let form = boundary.map(|it| format!("multipart/form-data; boundary={it}"));
    let content_type = form.as_deref().unwrap_or("application/json");
    let reply = client.ask(method, path, &[("content-type", content_type)], body.as_bytes());
    let location = reply.header("location").map(|it| format!(" location {it}"));
    let text = format!("{} {}", reply.status, reply.body);
    text.trim_end().to_owned() + &location.unwrap_or_default()
}

fn is_as_expected(expected: &str, actual: &str) -> bool {
    if let Some(status) = expected.strip_suffix(" *") {
        return actual.starts_with(status) && actual.contains("\"reason\":");
    }
    let parsed = |text: &str| {
        let (status, body) = text.split_once(' ').unwrap_or((text, ""));
        (status.to_owned(), serde_json::from_str::<Value>(body).map_err(|_| body.to_owned()))
    };
    parsed(expected) == parsed(actual)
}

#[test]
fn the_broker_as_a_whole() {
    replay(include_str!("replay/broker.txt"), &[]);
}

#[test]
fn vhosts_and_their_limits() {
    replay(include_str!("replay/vhosts.txt"), &[("DELETE", "/api/vhosts/scratch", "")]);
}

#[test]
fn users_and_permissions() {
    replay(include_str!("replay/users.txt"), &[]);
}

#[test]
fn exchanges() {
    replay(include_str!("replay/exchanges.txt"), &[]);
}

#[test]
fn queues() {
    replay(include_str!("replay/queues.txt"), &[]);
}

#[test]
fn bindings() {
    let prepare = [
        ("PUT", "/api/exchanges/scratch/e1", r#"{"type": "topic", "durable": true}"#),
        ("PUT", "/api/exchanges/scratch/h", r#"{"type": "headers", "durable": true}"#),
        ("PUT", "/api/queues/scratch/qb", r#"{"durable": true}"#),
        ("PUT", "/api/queues/scratch/q1", r#"{"durable": true}"#),
    ];
    replay(include_str!("replay/bindings.txt"), &prepare);
}

#[test]
fn publishing_and_getting() {
    let quorum = r#"{"durable": true, "arguments": {"x-queue-type": "quorum"}}"#;
    let prepare = [
        ("PUT", "/api/queues/scratch/q1", r#"{"durable": true}"#),
        ("PUT", "/api/queues/scratch/q2", quorum),
        ("PUT", "/api/exchanges/%2F/ex.internal", r#"{"internal": true}"#),
        (
            "PUT",
            "/api/topic-permissions/orders/alice",
            r#"{"exchange": "amq.topic", "write": "^o\\.", "read": ".*"}"#,
        ),
    ];
    replay(include_str!("replay/messages.txt"), &prepare);
}

#[test]
fn policies_and_parameters() {
    replay(include_str!("replay/policies.txt"), &[]);
}

#[test]
fn definitions() {
    replay(include_str!("replay/definitions.txt"), &[("DELETE", "/api/vhosts/scratch", "")]);
}
