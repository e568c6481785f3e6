//! Connections through a load balancer that speaks the PROXY protocol.

use it::{Login, RawClient, Received};

use crate::kit::Broker;

/// What a balancer says for a client far away, in version 1.
const FROM_AFAR: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 5672\r\n";

/// A connection that begins with these bytes, and logs in as guest; the broker's last words.
fn log_in_through(address: &str, header: &[u8]) -> Result<RawClient, String> {
    let mut client = RawClient::connect(address).expect("it accepts");
    client.send_bytes(header);
    let login = Login::default();
    client.start()?;
    let tune = client.log_in(&login)?;
    client.open(&login, &tune)?;
    Ok(client)
}

#[test]
fn the_client_shown_is_the_one_behind_the_proxy() {
    let broker = Broker::with("proxy_protocol = true\nloopback_users = none");
    let _client = log_in_through(&broker.server.address(), FROM_AFAR).expect("guest may log in");
    let shown =
        broker.ctl("list_connections name peer_host peer_port host port --no-table-headers");
    let expected = "192.0.2.7:4711 -> 198.51.100.1:5672\t192.0.2.7\t4711\t198.51.100.1\t5672\n";
    assert_eq!(shown, expected);
    let line = "accepting AMQP connection 192.0.2.7:4711 -> 198.51.100.1:5672";
    let _ = broker.server.log_with(line);
}

#[test]
fn version_2_and_health_checks_are_understood() {
    let broker = Broker::with("proxy_protocol = true");
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    log_in_through(&broker.server.address(), local).expect("the proxy itself, from localhost");
    let here = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x02\x7f\0\0\x01\x12\x67\x16\x28";
    log_in_through(&broker.server.address(), here).expect("a client on localhost");
}

#[test]
fn a_user_of_this_machine_only_is_refused_from_behind_the_proxy() {
    let broker = Broker::with("proxy_protocol = true");
    let refused = log_in_through(&broker.server.address(), FROM_AFAR).err().expect("not from afar");
    assert!(refused.contains("403"), "{refused}");
    let _ = broker.server.log_with("user 'guest' can only connect via localhost");
}

#[test]
fn whoever_does_not_begin_with_a_header_is_turned_away() {
    let broker = Broker::with("proxy_protocol = true");
    let mut client = RawClient::connect(&broker.server.address()).expect("it accepts");
    client.send_bytes(b"AMQP\0\0\x09\x01AMQP\0\0\x09\x01");
    assert_eq!(client.receive(), Received::Closed);
    let _ = broker.server.log_with("error when receiving proxy header");
}
