//! What operators do to a running broker, as clients see it.

use it::{Login, RawClient, Server};

fn client(server: &Server) -> RawClient {
    let mut client =
        RawClient::connect_open(&server.address(), &Login::default()).expect("it accepts");
    client.call(1, "channel.open").expect("a channel");
    client
}

fn is_open(server: &Server) -> bool {
    std::net::TcpStream::connect(server.address()).is_ok()
}

/// Runs a tool that must succeed; returns what it printed.
fn ctl(server: &Server, tool: &str, words: &[&str]) -> String {
    let output = server.ctl(tool, words);
    assert!(output.status.success(), "{tool} {words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn maintenance_closes_the_ports_until_it_ends_and_keeps_all_messages() {
    let server = Server::start("");
    let mut before = client(&server);
    before.call(1, "queue.declare queue=q").expect("declared");
    before.call(1, "confirm.select").expect("confirms");
    before.call(1, "basic.publish routing-key=q \"kept\"").expect("a confirm");

    ctl(&server, "rabbitmq-upgrade", &["drain"]);
    assert!(!is_open(&server));
    let status = ctl(&server, "rabbitmqctl", &["status"]);
    assert!(status.contains("Is under maintenance?: true"), "{status}");
    // Once more is fine, and the listings go on.
    ctl(&server, "rabbitmq-upgrade", &["drain"]);
    assert_eq!(ctl(&server, "rabbitmqctl", &["list_queues", "-s"]), "q\t1\n");

    ctl(&server, "rabbitmq-upgrade", &["revive"]);
    let got = client(&server).call(1, "basic.get queue=q no-ack").expect("an answer");
    assert!(got.contains("\"kept\""), "{got}");
    let status = ctl(&server, "rabbitmqctl", &["status"]);
    assert!(status.contains("Is under maintenance?: false"), "{status}");
    ctl(&server, "rabbitmq-upgrade", &["revive"]);
    client(&server);
}

#[test]
fn a_stopped_application_lets_nobody_in_and_comes_back_without_what_is_transient() {
    let server = Server::start("");
    let mut before = client(&server);
    before.call(1, "queue.declare queue=durable durable").expect("declared");
    before.call(1, "queue.declare queue=transient").expect("declared");

    ctl(&server, "rabbitmqctl", &["stop_app"]);
    assert!(!is_open(&server));
    let refused = server.ctl("rabbitmqctl", &["list_queues"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(refused.stdout.is_empty());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("requires the 'rabbit' app to be running"), "{text}");
    ctl(&server, "rabbitmqctl", &["ping"]);

    ctl(&server, "rabbitmqctl", &["start_app"]);
    client(&server);
    assert_eq!(ctl(&server, "rabbitmqctl", &["list_queues", "-s", "name"]), "durable\n");

    // An application that runs is not started again.
    client(&server).call(1, "queue.declare queue=transient").expect("declared");
    ctl(&server, "rabbitmqctl", &["start_app"]);
    let names = ctl(&server, "rabbitmqctl", &["list_queues", "-s", "name"]);
    assert_eq!(names, "durable\ntransient\n");
}

#[test]
fn a_broker_under_maintenance_or_with_a_stopped_application_can_be_stopped() {
    for (tool, command) in [("rabbitmq-upgrade", "drain"), ("rabbitmqctl", "stop_app")] {
        let mut server = Server::start("");
        ctl(&server, tool, &[command]);
        ctl(&server, "rabbitmqctl", &["stop"]);
        server.restart();
        client(&server);
    }
}
