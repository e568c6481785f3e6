//! The HTTP API against what a RabbitMQ 4.3.6 answered: `replay/*.txt` are requests with its answers,
//! `roles.tsv` says which kind of user may see which path.

mod browse;
mod definitions;
mod limits;
mod listings;
mod messages;
mod replay;
mod roles;
mod statistics;

use it::{HttpClient, Server};
use serde_json::Value;

/// The users of the recorded node.
const USERS: [(&str, &str); 4] =
    [("alice", "management"), ("bob", "policymaker"), ("carol", "monitoring"), ("dave", "")];

/// A broker with the users and vhosts that the recorded one had.
fn recorded_broker() -> (Server, HttpClient) {
    let server = Server::start("");
    let guest = HttpClient::new(&server.http_address());
    for vhost in ["scratch", "orders", "protected"] {
        put(&guest, &format!("/api/vhosts/{vhost}"), "{}");
        let all = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
        put(&guest, &format!("/api/permissions/{vhost}/guest"), all);
    }
    for (user, tag) in USERS {
        put(
            &guest,
            &format!("/api/users/{user}"),
            &format!(r#"{{"password": "pw", "tags": "{tag}"}}"#),
        );
        let all = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
        if user != "carol" {
            put(&guest, &format!("/api/permissions/%2F/{user}"), all);
        }
    }
    let own = r#"{"configure": "^alice-.*", "write": ".*", "read": ".*"}"#;
    put(&guest, "/api/permissions/orders/alice", own);
    (server, guest)
}

/// Makes something that has to be made.
#[track_caller]
fn put(client: &HttpClient, path: &str, body: &str) {
    let reply = client.ask("PUT", path, &[], body.as_bytes());
    assert!(matches!(reply.status, 201 | 204), "PUT {path}: {reply:?}");
}

/// What is there, as JSON.
#[track_caller]
fn get(client: &HttpClient, path: &str) -> Value {
    let reply = client.get(path);
    assert_eq!(reply.status, 200, "GET {path}: {reply:?}");
    serde_json::from_str(&reply.body).expect("JSON")
}
