//! What operators put in `rabbitmq.conf`, and what they are told when it is wrong.

use std::{fs, process::Stdio};

use crate::kit::{Broker, wait_until};

/// What a broker that does not start says, from a file of these lines.
fn complaint(conf: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("rabbitmq.conf");
    fs::write(&file, conf).expect("the directory is writable");
    let output = it::command()
        .args(["server", "--config"])
        .arg(&file)
        .arg("--data-dir")
        .arg(dir.path().join("data"))
        .stdin(Stdio::null())
        .output()
        .expect("the binary was built");
    assert!(!output.status.success(), "it started");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    stderr.replace(&*dir.path().to_string_lossy(), "DIR")
}

#[test]
fn a_misspelt_key_is_named_with_its_line_and_the_nearest_keys() {
    let said = complaint("# ours\nlisteners.tcp.1 = 5672\nheartbet = 5\n");
    assert!(said.contains("DIR/rabbitmq.conf:3: "), "{said}");
    assert!(said.contains("You've tried to set heartbet, but there is no setting"), "{said}");
    assert!(said.contains("\n    heartbeat\n"), "{said}");
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    let said = complaint("heartbeat = soon\n\nlog.console.level = loud\n");
    assert!(said.contains("DIR/rabbitmq.conf:1: "), "{said}");
    assert!(said.contains("\"soon\" cannot be converted to a(n) integer"), "{said}");
    assert!(said.contains("DIR/rabbitmq.conf:3: "), "all errors at once: {said}");
}

#[test]
fn a_line_that_is_no_setting_is_named() {
    let said = complaint("heartbeat = 5\nthis is no setting\n");
    assert!(said.contains("DIR/rabbitmq.conf:2: "), "{said}");
}

#[test]
fn a_missing_certificate_is_named_before_anything_listens() {
    let said = complaint(
        "listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:0\n\
         ssl_options.certfile = /no/such.pem\nssl_options.keyfile = /no/such.key\n",
    );
    assert!(said.contains("/no/such.pem"), "{said}");
}

#[test]
fn two_brokers_do_not_share_a_data_directory() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("q");
    let output = it::command()
        .args(["server", "--config"])
        .arg(broker.server.dir().join("rabbitmq.conf"))
        .arg("--data-dir")
        .arg(broker.server.dir().join("data"))
        .output()
        .expect("the binary was built");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    let data = broker.server.dir().join("data");
    assert!(said.contains(&*data.to_string_lossy()), "{said}");
    ch.publish("", "q", "the first one goes on");
    assert_eq!(ch.drain("q"), ["the first one goes on"]);
}

#[test]
fn the_first_user_and_vhost_are_the_configured_ones() {
    let broker = Broker::with(
        "default_user = ann\ndefault_pass = secret\ndefault_vhost = shop\n\
         default_permissions.configure = ^ann\ndefault_user_tags.monitoring = true\n",
    );
    broker.login("ann", "secret", "shop").expect("the configured user").into_channel();
    assert!(broker.login("guest", "guest", "/").is_err());
    assert_eq!(broker.ctl("list_users --no-table-headers"), "ann\t[monitoring]\n");
    let permissions = broker.ctl("list_permissions -p shop --no-table-headers");
    assert_eq!(permissions, "ann\t^ann\t.*\t.*\n");
}

#[test]
fn clients_are_offered_the_configured_limits() {
    let broker = Broker::with("heartbeat = 7\nframe_max = 65536\nchannel_max = 3\n");
    let client = broker.client();
    let configuration = client.connection.configuration();
    let tuned = (configuration.heartbeat(), configuration.frame_max(), configuration.channel_max());
    assert_eq!(tuned, (7, 65_536, 3));
}

#[test]
fn a_node_may_limit_its_connections() {
    let broker = Broker::with("max_connections = 2");
    let first = broker.client();
    let _second = broker.client();
    let refused = broker.login("guest", "guest", "/").err().expect("two are enough");
    assert!(refused.contains("node connection limit (2) is reached"), "{refused}");
    first.close();
    wait_until("there is room again", || broker.login("guest", "guest", "/").ok());
}

#[test]
fn a_known_key_without_effect_yet_is_a_warning() {
    let broker = Broker::with("collect_statistics = fine\n");
    broker.channel();
    let _ = broker.server.log_with("collect_statistics");
}

#[test]
fn log_lines_are_published_to_an_exchange_that_is_internal() {
    let broker = Broker::with("log.exchange = true\nlog.exchange.level = warning");
    let ch = broker.channel();
    ch.queue("lines");
    ch.bind("lines", "amq.rabbitmq.log", "error");
    broker.channel().counts("nosuch").expect_err("it is not there");
    let line = ch.wait_for("lines");
    let text = "operation queue.declare caused a channel exception not_found: no queue 'nosuch'";
    assert!(line.text().contains(text), "{}", line.text());
    assert!(line.text().ends_with('\n'));
    assert_eq!(line.delivery.exchange.as_str(), "amq.rabbitmq.log");
    assert_eq!(line.delivery.routing_key.as_str(), "error");
    let properties = &line.delivery.properties;
    assert_eq!(properties.content_type().as_ref().map(|it| it.as_str()), Some("text/plain"));
    assert!(properties.timestamp().is_some());
    assert!(line.header("node").starts_with("\"rabbit@"), "{}", line.header("node"));
    let row = "amq.rabbitmq.log\ttopic\ttrue\tfalse\ttrue\n";
    let exchanges = broker.ctl("list_exchanges name type durable auto_delete internal");
    assert!(exchanges.contains(row), "{exchanges}");
}
