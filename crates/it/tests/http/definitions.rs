//! Imports of definitions.

use std::fs;

use it::{HttpClient, HttpReply, Server};
use serde_json::{Value, json};

use super::{get, recorded_broker};

fn import(guest: &HttpClient, document: &Value) -> HttpReply {
    guest.ask("POST", "/api/definitions", &[], document.to_string().as_bytes())
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|it| it["name"].as_str().expect("a name")).collect()
}

#[test]
fn what_is_not_there_yet_or_not_any_more_is_left_out_with_a_word_in_the_log() {
    let (server, guest) = recorded_broker();
    let shovel =
        |name: &str| json!({"vhost": "/", "component": "shovel", "name": name, "value": {}});
    let policy = |name: &str, definition: Value| {
        json!({"vhost": "/", "name": name, "pattern": ".*", "apply-to": "all", "priority": 0,
               "definition": definition})
    };
    let limit = json!({"vhost": "orders", "component": "vhost-limits", "name": "limits",
                       "value": {"max-queues": 7}});
    let document = json!({
        "parameters": [shovel("s1"), shovel("s2"), limit],
        "policies": [
            policy("ha", json!({"ha-mode": "all", "ha-sync-mode": "automatic"})),
            policy("both", json!({"ha-mode": "exactly", "ha-params": 2, "max-length": 5})),
        ],
        "queues": [
            {"vhost": "/", "name": "imported", "durable": true, "auto_delete": false, "arguments": {}},
            {"vhost": "/", "name": "amq.gen-1", "durable": true, "auto_delete": false, "arguments": {}},
        ],
    });
    let reply = import(&guest, &document);
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(names(&get(&guest, "/api/queues?columns=name")), ["imported"]);
    let policies = get(&guest, "/api/policies");
    assert_eq!(names(&policies), ["both"]);
    assert_eq!(policies[0]["definition"], json!({"max-length": 5}));
    assert_eq!(get(&guest, "/api/vhost-limits/orders")[0]["value"], json!({"max-queues": 7}));
    for line in [
        "left out parameters of component shovel (2 times)",
        "left out the key ha-mode of policies (2 times)",
        "left out the key ha-sync-mode of policies (1 times)",
        "Skipping import of a queue whose name begins with 'amq.', name: amq.gen-1",
    ] {
        assert_eq!(server.log_with(line).matches(line).count(), 1, "{line}");
    }
}

#[test]
fn more_than_one_batch_is_all_there_and_a_second_import_changes_nothing() {
    let (_server, guest) = recorded_broker();
    let queues = 0..1100;
    let name = |n: &i32| format!("q{n:04}");
    let queue = |n: i32| {
        json!({"vhost": "/", "name": name(&n), "durable": true, "auto_delete": false,
               "arguments": {"x-max-length": n}})
    };
    let binding = |n: i32| {
        json!({"vhost": "/", "source": "x", "destination": name(&n), "destination_type": "queue",
               "routing_key": "k", "arguments": {}})
    };
    let document = json!({
        "exchanges": [{"vhost": "/", "name": "x", "type": "direct", "durable": true,
                       "auto_delete": false, "internal": false, "arguments": {}}],
        "queues": queues.clone().map(queue).collect::<Vec<_>>(),
        "bindings": queues.map(binding).collect::<Vec<_>>(),
    });
    for _ in 0..2 {
        let reply = import(&guest, &document);
        assert_eq!(reply.status, 204, "{reply:?}");
        let mut found = get(&guest, "/api/definitions")["queues"].clone();
        let found = found.as_array_mut().expect("a list");
        found.sort_by_key(|it| it["name"].to_string());
        assert_eq!(found.len(), 1100);
        assert_eq!(found[1099]["arguments"]["x-max-length"], 1099);
        let bound = get(&guest, "/api/exchanges/%2F/x/bindings/source");
        assert_eq!(bound.as_array().map(Vec::len), Some(1100));
    }
}

#[test]
fn a_refused_object_is_named_and_what_stands_before_it_is_there() {
    let (_server, guest) = recorded_broker();
    let queue = |name: &str, arguments: Value| {
        json!({"vhost": "/", "name": name, "durable": true, "auto_delete": false,
               "arguments": arguments})
    };
    let document = json!({
        "queues": [queue("good", json!({})), queue("bad", json!({"x-max-length": -1}))],
    });
    let reply = import(&guest, &document);
    assert_eq!(reply.status, 400, "{reply:?}");
    let reason = "precondition_failed: invalid arg 'x-max-length' for queue 'bad' in vhost '/'";
    assert!(reply.body.contains(reason), "{reply:?}");
    assert_eq!(names(&get(&guest, "/api/queues?columns=name")), ["good"]);
}

const SHOP: &str = r#"{
    "users": [{"name": "owner", "password": "pw", "tags": "administrator"}],
    "vhosts": [{"name": "shop"}],
    "permissions": [{"user": "owner", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"}]
}"#;
const QUEUES: &str =
    r#"{"queues": [{"name": "orders", "vhost": "shop", "durable": true, "arguments": {}}]}"#;

#[test]
fn a_first_start_with_definitions_makes_what_they_say_and_no_default_user() {
    let mut server = Server::prepare("load_definitions = {dir}/definitions.json");
    fs::write(server.dir().join("definitions.json"), SHOP).expect("writable");
    for _ in 0..2 {
        server.restart();
        let owner = HttpClient::new(&server.http_address()).with_login(Some("owner:pw"));
        assert_eq!(names(&get(&owner, "/api/users")), ["owner"]);
        assert_eq!(names(&get(&owner, "/api/vhosts")), ["shop"]);
    }
}

#[test]
fn a_directory_is_imported_in_the_order_of_its_names_at_each_start() {
    let mut server = Server::prepare(
        "definitions.import_backend = local_filesystem\ndefinitions.local.path = {dir}/defs",
    );
    let defs = server.dir().join("defs");
    fs::create_dir(&defs).expect("writable");
    fs::write(defs.join("20-queues.json"), QUEUES).expect("writable");
    fs::write(defs.join("10-shop.json"), SHOP).expect("writable");
    server.restart();
    let owner = HttpClient::new(&server.http_address()).with_login(Some("owner:pw"));
    assert_eq!(names(&get(&owner, "/api/queues/shop?columns=name")), ["orders"]);
    fs::write(defs.join("30-more.json"), QUEUES.replace("orders", "more")).expect("writable");
    server.restart();
    assert_eq!(names(&get(&owner, "/api/queues/shop?columns=name")), ["more", "orders"]);
}

#[test]
fn an_import_that_fails_ends_the_start() {
    let server = Server::prepare("load_definitions = {dir}/definitions.json");
    let file = server.dir().join("definitions.json");
    let start = || {
        let mut start = it::command();
        start.args(["rabbitmq-server", "-detached"]);
        start.env("LEVERET_DATA_DIR", server.dir().join("data"));
        start.env("RABBITMQ_CONFIG_FILE", server.dir().join("rabbitmq.conf"));
        let ended = start.output().expect("the binary was built");
        assert_eq!(ended.status.code(), Some(1));
        String::from_utf8_lossy(&ended.stderr).into_owned()
    };
    assert!(start().contains(&format!("cannot read definitions from {}", file.display())));
    fs::write(&file, "{").expect("writable");
    let said = start();
    assert!(said.contains("cannot import definitions from"), "{said}");
    assert!(said.contains("failed_to_parse_json"), "{said}");
    fs::write(&file, QUEUES).expect("writable");
    let said = start();
    let reason = "Please create virtual host \"shop\" prior to importing definitions.";
    assert!(said.contains(reason), "{said}");
}
