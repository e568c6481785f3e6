//! Who may see what.

use super::{put, recorded_broker};

/// The columns of the table, as users and passwords.
const KINDS: [Option<&str>; 7] = [
    Some("guest:guest"),
    Some("bob:pw"),
    Some("carol:pw"),
    Some("alice:pw"),
    Some("dave:pw"),
    Some("guest:wrong"),
    None,
];

/// Paths of what RabbitMQ's runtime alone has, or of objects that the recorded node had.
const LEFT_OUT: &[&str] = &[
    "/memory/ets",
    "/api/config/effective",
    "/api/top",
    "/api/process",
    "/api/stream/:vhost/:queue/tracking",
    "/api/queues/quorum/",
    "/api/connections/:connection",
    "/api/channels/:channel",
    "/api/shovels/vhost/",
    "/api/stream/connections/:vhost/:connection",
    "/api/parameters/:component/:vhost/:name",
    "/api/policies/:vhost/:name",
    "/api/operator-policies/:vhost/:name",
    "/api/global-parameters/:name",
    // A path of the UI.
    "/api/auth\t",
];

/// What stands for the `:names`. A vhost that a policymaker does not see is `orders`.
fn path(route: &str, is_hidden_vhost: bool) -> String {
    let vhost = if is_hidden_vhost { "orders" } else { "%2F" };
    let node = "NODE";
    let parts = route.split('/').map(|part| match part {
        ":vhost" => vhost,
        ":node" => node,
        ":exchange" => "amq.topic",
        ":queue" | ":destination" => "q",
        ":source" => "amq.direct",
        ":dtype" => "q",
        ":props" => "key",
        ":user" => "dave",
        ":username" => "alice",
        ":password" => "secret",
        ":within" => "1",
        ":unit" => "days",
        ":port" => "PORT",
        ":protocols" => "amqp",
        ":pattern" => "q",
        ":component" => "shovel",
        other => other,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn tags_decide_who_sees_what() {
    let (server, guest) = recorded_broker();
    put(&guest, "/api/queues/%2F/q", r#"{"durable": true}"#);
    let binding = r#"{"routing_key": "key"}"#;
    let bound = guest.ask("POST", "/api/bindings/%2F/e/amq.direct/q/q", &[], binding.as_bytes());
    assert_eq!(bound.status, 201, "{bound:?}");
    let topic = r#"{"exchange": "amq.topic", "write": ".*", "read": ".*"}"#;
    put(&guest, "/api/topic-permissions/%2F/dave", topic);
    let overview = super::get(&guest, "/api/overview");
    let node = overview["node"].as_str().expect("a name");
    let port = server.address().rsplit(':').next().expect("a port").to_owned();
    let mut wrong = Vec::new();
    for line in include_str!("roles.tsv").lines().skip(1) {
        if LEFT_OUT.iter().any(|it| line.contains(it)) {
            continue;
        }
        let mut columns = line.split('\t');
        let route = columns.next().expect("a route");
        let path = path(route, false).replace("NODE", node).replace("PORT", &port);
        for (login, expected) in KINDS.iter().zip(columns) {
            let actual = guest.with_login(*login).get(&path).status.to_string();
            // 404 stands for a vhost that the recorded user could not enter; here all but carol can.
            let is_hidden = expected == "404" && *login != Some("carol:pw");
            if actual != expected && !is_hidden {
                wrong.push(format!("GET {path} as {login:?}: {actual}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_vhost_without_permissions_is_not_there() {
    let (_server, guest) = recorded_broker();
    let bob = guest.with_login(Some("bob:pw"));
    for path in ["/api/queues/orders", "/api/exchanges/orders/amq.topic", "/api/bindings/orders"] {
        let reply = bob.get(path);
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.body, r#"{"error":"not_found","reason":"Not Found"}"#, "{path}");
    }
    let names = |path: &str| {
        let shown = super::get(&bob, path);
        let rows = shown.as_array().expect("a list").clone();
        rows.iter().filter(|it| it["vhost"] == "orders" || it["name"] == "orders").count()
    };
    assert_eq!(names("/api/exchanges"), 0);
    assert_eq!(names("/api/vhosts"), 0);
}

#[test]
fn what_only_administrators_set_is_not_set_by_way_of_parameters() {
    let (_server, guest) = recorded_broker();
    let bob = guest.with_login(Some("bob:pw"));
    let limit = br#"{"value": {"pattern": "", "priority": 0, "definition": {"max-length": 1}}}"#;
    let limits = br#"{"value": {"max-queues": 100}}"#;
    let paths: [(&str, &[u8]); 2] = [
        ("/api/parameters/operator_policy/%2F/limit", limit),
        ("/api/parameters/vhost-limits/%2F/limits", limits),
    ];
    for (path, body) in paths {
        assert_eq!(bob.ask("PUT", path, &[], body).status, 401, "{path}");
        let set = guest.ask("PUT", path, &[], body);
        assert_eq!(set.status, 201, "{path}: {set:?}");
        assert_eq!(bob.ask("DELETE", path, &[], b"").status, 401, "{path}");
        let cleared = guest.ask("DELETE", path, &[], b"");
        assert_eq!(cleared.status, 204, "{path}: {cleared:?}");
    }
    let policy = "/api/parameters/policy/%2F/limit";
    let refused = guest.ask("PUT", policy, &[], limit);
    assert_eq!(refused.status, 400, "{refused:?}");
}
