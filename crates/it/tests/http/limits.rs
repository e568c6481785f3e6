//! Bad and oversized requests, methods, headers.

use it::{HttpClient, Server};
use serde_json::Value;

use super::recorded_broker;

#[test]
fn methods_that_a_path_does_not_have_are_refused() {
    let (_server, guest) = recorded_broker();
    for (method, path, allow) in [
        ("POST", "/api/overview", "HEAD, GET, OPTIONS"),
        ("DELETE", "/api/overview", "HEAD, GET, OPTIONS"),
        ("PATCH", "/api/queues/%2F/q", "HEAD, GET, PUT, DELETE, OPTIONS"),
        ("PUT", "/api/queues", "HEAD, GET, OPTIONS"),
    ] {
        let reply = guest.ask(method, path, &[], b"{}");
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {path}");
        let options = guest.with_login(None).ask("OPTIONS", path, &[], b"");
        assert_eq!((options.status, options.header("allow")), (200, Some(allow)), "{path}");
    }
}

#[test]
fn a_login_is_asked_for_and_a_wrong_one_refused() {
    let (_server, guest) = recorded_broker();
    let reply = guest.with_login(None).get("/api/overview");
    let realm = Some("Basic realm=\"RabbitMQ Management\"");
    assert_eq!((reply.status, reply.header("www-authenticate"), &*reply.body), (401, realm, ""));
    let reply = guest.with_login(Some("guest:wrong")).get("/api/overview");
    let refused = r#"{"error":"not_authorized","reason":"Not_Authorized"}"#;
    assert_eq!((reply.status, reply.body.as_str()), (401, refused));
    assert_eq!(reply.header("www-authenticate"), None);
    let malformed =
        guest.with_login(None).ask("GET", "/api/overview", &[("authorization", "Basic !!!")], b"");
    assert_eq!((malformed.status, &*malformed.body), (400, ""));
}

#[test]
fn paths_that_are_none_are_not_found() {
    let (_server, guest) = recorded_broker();
    for path in ["/api/nope", "/api/queues/%ZZ", "//api//overview", "/API/overview", "/nope"] {
        let reply = guest.get(path);
        let text = r#"{"error":"Object Not Found","reason":"Not Found"}"#;
        assert_eq!((reply.status, reply.body.as_str()), (404, text), "{path}");
    }
    assert_eq!(guest.get("/api/overview/").status, 200);
    for path in ["/api", "/api/", "/stats", "/doc/stats.html", "/api/index.html"] {
        let moved = guest.get(path);
        assert_eq!((moved.status, moved.header("location")), (301, Some("/")), "{path}");
    }
    assert_eq!(guest.get("/").status, 200);
}

#[test]
fn head_is_get_without_a_body() {
    let (_server, guest) = recorded_broker();
    let (head, get) = (guest.ask("HEAD", "/api/whoami", &[], b""), guest.get("/api/whoami"));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(guest.ask("GET", "/api/whoami", &[("accept", "text/html")], b"").status, 406);
}

#[test]
fn a_body_has_a_size() {
    let (_server, guest) = recorded_broker();
    let body = format!(r#"{{"description":"{}"}}"#, "x".repeat(21 * 1024 * 1024));
    let reply = guest.ask("PUT", "/api/vhosts/big", &[], body.as_bytes());
    let refused: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(reply.status, 400);
    assert_eq!(refused["reason"], "Exceeded HTTP request body size limit");
    assert_eq!(guest.get("/api/vhosts/big").status, 404);
}

#[test]
fn a_body_is_not_waited_for_unless_it_is_wanted() {
    let (_server, guest) = recorded_broker();
    let announce = |login: &str, method: &str, path: &str| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: Basic {login}\r\ncontent-length: 20000000\r\n\r\n"
        );
        guest.send(head.as_bytes()).status
    };
    let (guest_login, alice_login) = ("Z3Vlc3Q6Z3Vlc3Q=", "YWxpY2U6cHc=");
    assert_eq!(announce("", "GET", "/api/version"), 200);
    assert_eq!(announce(guest_login, "GET", "/api/whoami"), 200);
    assert_eq!(announce(guest_login, "DELETE", "/api/vhosts/scratch"), 204);
    assert_eq!(announce("", "POST", "/api/login"), 400, "a form is smaller");
    assert_eq!(announce(alice_login, "PUT", "/api/users/eve"), 401, "she is no administrator");
    let form = format!("username=guest&password=guest&more={}", "x".repeat(16 * 1024));
    let reply = guest.with_login(None).ask("POST", "/api/login", &[], form.as_bytes());
    let refused: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(refused["reason"], "Exceeded HTTP request body size limit");
    let reply = guest.with_login(None).ask("POST", "/api/login", &[], &form.as_bytes()[..4 * 1024]);
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn pages_of_others_change_nothing() {
    let (_server, guest) = recorded_broker();
    let make = |headers: &[(&str, &str)]| guest.ask("PUT", "/api/vhosts/new", headers, b"{}");
    for headers in [
        [("origin", "http://evil.example"), ("content-type", "text/plain")],
        [("origin", "null"), ("content-type", "text/plain")],
        [("sec-fetch-site", "cross-site"), ("content-type", "text/plain")],
    ] {
        let reply = make(&headers);
        let text = r#"{"error":"forbidden","reason":"Cross-origin request refused"}"#;
        assert_eq!((reply.status, reply.body.as_str()), (403, text), "{headers:?}");
        assert_eq!(guest.ask("GET", "/api/whoami", &headers, b"").status, 200, "{headers:?}");
    }
    assert_eq!(guest.get("/api/vhosts/new").status, 404);
    let own = [("origin", "http://localhost"), ("sec-fetch-site", "same-origin")];
    assert_eq!(make(&own).status, 201);
    assert_eq!(make(&own[..1]).status, 204);
}

#[test]
fn bytes_that_are_no_http_end_one_connection() {
    let (_server, guest) = recorded_broker();
    assert_eq!(guest.send(b"AMQP\x00\x00\x09\x01\r\n\r\n").status, 400);
    let endless = [b"GET /api/overview HTTP/1.1\r\n".as_slice(), &vec![b'a'; 1 << 20]].concat();
    assert_eq!(guest.send(&endless).status, 431);
    assert_eq!(guest.get("/api/whoami").status, 200);
}

#[test]
fn pages_of_origins_that_are_named_may_use_the_api() {
    let server = Server::start(
        "management.tcp.port = {http-port}\nmanagement.tcp.ip = 127.0.0.1\n\
         management.path_prefix = mq\nmanagement.cors.allow_origins.1 = https://shop.example\n\
         management.hsts.policy = max-age=60\n",
    );
    let guest = HttpClient::new(&server.http_address());
    let from = |origin| guest.ask("GET", "/mq/api/whoami", &[("origin", origin)], b"");
    let shop = from("https://shop.example");
    let allowed = shop.header("access-control-allow-origin");
    assert_eq!((shop.status, allowed), (200, Some("https://shop.example")));
    assert_eq!(shop.header("strict-transport-security"), Some("max-age=60"));
    let other = from("https://other.example");
    assert_eq!((other.status, other.header("access-control-allow-origin")), (200, None));
    let make = |origin| guest.ask("PUT", "/mq/api/vhosts/new", &[("origin", origin)], b"{}").status;
    assert_eq!(make("https://shop.example"), 201);
    assert_eq!(make("https://other.example"), 403);
    assert_eq!(guest.get("/api/whoami").status, 404, "it is below the prefix");
}
