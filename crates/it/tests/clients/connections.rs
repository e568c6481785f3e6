//! Connections: who gets in, what they may do, and that one cannot harm another.

use lapin::options::QueueDeclareOptions;

use crate::kit::{Broker, Client, Heard, properties, step, wait_until};

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let broker = Broker::start();
    let refused = "403 ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
        For details see the broker logfile.";
    for (user, pass) in [("guest", "wrong"), ("nobody", "guest")] {
        assert_eq!(broker.login(user, pass, "/").err().as_deref(), Some(refused), "{user}");
    }
}

#[test]
fn a_user_enters_only_vhosts_it_has_permissions_in() {
    let broker = Broker::start();
    broker.ctl("add_user ann secret");
    broker.ctl("add_vhost shop");
    let refused = broker.login("ann", "secret", "shop").err();
    let expected = "530 NOT_ALLOWED - access to vhost 'shop' refused for user 'ann'";
    assert_eq!(refused.as_deref(), Some(expected));
    let missing = broker.login("ann", "secret", "nowhere").err();
    assert_eq!(missing.as_deref(), Some("530 NOT_ALLOWED - vhost nowhere not found"));
    broker.ctl("set_permissions -p shop ann .* .* .*");
    broker.login("ann", "secret", "shop").expect("she may enter now").into_channel().queue("q");
}

#[test]
fn vhosts_keep_their_queues_apart() {
    let broker = Broker::start();
    broker.ctl("add_vhost other");
    broker.ctl("set_permissions -p other guest .* .* .*");
    let here = broker.channel();
    let there = broker.login("guest", "guest", "other").expect("permitted").into_channel();
    here.queue("q");
    there.queue("q");
    here.publish("", "q", "here");
    assert_eq!((here.ready("q"), there.ready("q")), (1, 0));
    broker.ctl("delete_vhost other");
    wait_until("its connections are closed", || there.counts("q").err());
    assert_eq!(here.drain("q"), ["here"]);
}

/// Ann, with these permissions in `/`.
fn ann(broker: &Broker, configure: &str, write: &str, read: &str) -> Client {
    broker.ctl("add_user ann secret");
    broker.ctl_words(&["set_permissions", "ann", configure, write, read]);
    broker.login("ann", "secret", "/").expect("she has permissions")
}

#[test]
fn permissions_are_patterns_for_configure_write_and_read() {
    let broker = Broker::start();
    let guest = broker.channel();
    guest.queue("ann.q");
    guest.queue("secret");
    guest.exchange("secret-topic", "topic");
    let ann = ann(&broker, "^ann\\.", "^(ann\\..*|amq\\.default)$", "^ann\\.");
    ann.channel().queue("ann.more");
    ann.channel().publish("", "ann.q", "allowed");
    assert_eq!(ann.channel().drain("ann.q"), ["allowed"]);
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let no_configure = ann.channel().declare("bobs", durable, "").err();
    let expected = "403 ACCESS_REFUSED - configure access to queue 'bobs' in vhost '/' refused \
        for user 'ann'";
    assert_eq!(no_configure.as_deref(), Some(expected));
    let no_write = ann.channel().offer("secret-topic", "x", properties(), b"").err();
    let expected = "403 ACCESS_REFUSED - write access to exchange 'secret-topic' in vhost '/' \
        refused for user 'ann'";
    assert_eq!(no_write.as_deref(), Some(expected));
    let no_read = ann.channel().consume_with("secret", Default::default(), "").err();
    let expected = "403 ACCESS_REFUSED - read access to queue 'secret' in vhost '/' refused for \
        user 'ann'";
    assert_eq!(no_read.as_deref(), Some(expected));
}

#[test]
fn topic_permissions_look_at_the_routing_key() {
    let broker = Broker::start();
    broker.channel().exchange("news", "topic");
    let ann = ann(&broker, ".*", ".*", ".*");
    broker.ctl_words(&["set_topic_permissions", "ann", "news", "^sports\\.", "^sports\\."]);
    assert_eq!(ann.channel().offer("news", "sports.cricket", properties(), b""), Ok(Heard::Ack));
    let refused = ann.channel().offer("news", "politics.eu", properties(), b"").err();
    let expected = "403 ACCESS_REFUSED - write access to topic 'politics.eu' in exchange 'news' \
        in vhost '/' refused for user 'ann'";
    assert_eq!(refused.as_deref(), Some(expected));
}

#[test]
fn limits_of_user_and_vhost_are_kept() {
    let broker = Broker::start();
    let limits = |json| broker.ctl_words(&["set_vhost_limits", json]);
    limits("{\"max-queues\": 1}");
    let client = broker.client();
    client.channel().queue("first");
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let refused = client.channel().declare("second", durable, "").err();
    let expected = "406 PRECONDITION_FAILED - cannot declare queue 'second': queue limit in vhost \
        '/' (1) is reached";
    assert_eq!(refused.as_deref(), Some(expected));
    limits("{\"max-connections\": 1}");
    let refused = broker.login("guest", "guest", "/").err();
    let expected = "530 NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection \
        limit (1) is reached";
    assert_eq!(refused.as_deref(), Some(expected));
    broker.ctl("clear_vhost_limits");
    broker.ctl_words(&["set_user_limits", "guest", "{\"max-connections\": 1}"]);
    let refused = broker.login("guest", "guest", "/").err();
    let expected = "530 NOT_ALLOWED - connection refused for user 'guest': user connection limit \
        (1) is reached";
    assert_eq!(refused.as_deref(), Some(expected));
}

#[test]
fn publishers_are_told_when_memory_runs_low_and_when_it_is_over() {
    let broker = Broker::start();
    let consumers = broker.channel();
    consumers.queue("q");
    let mut inbox = consumers.consume_auto("q");
    let mut publisher = broker.client();
    let ch = publisher.plain_channel();
    ch.publish_unconfirmed("", "q", "before");
    assert_eq!(inbox.next().text(), "before");
    broker.ctl("set_vm_memory_high_watermark absolute 1MB");
    wait_until("the alarm", || {
        // Only a connection that publishes is told.
        let blocked = broker.ctl("list_connections state --no-table-headers");
        if blocked.contains("blocked") {
            return Some(());
        }
        ch.publish_unconfirmed("", "q", "during");
        None
    });
    assert_eq!(publisher.event(), "blocked: low on memory");
    assert_eq!(consumers.ready("q"), 0, "who only consumes goes on");
    broker.ctl("set_vm_memory_high_watermark 0.6");
    assert_eq!(publisher.event(), "unblocked");
    ch.publish_unconfirmed("", "q", "after");
    wait_until("what waited is delivered", || (inbox.next().text() == "after").then_some(()));
}

#[test]
fn a_secret_can_be_renewed_while_connected() {
    let broker = Broker::start();
    let client = ann(&broker, ".*", ".*", ".*");
    broker.ctl("change_password ann renewed");
    step(client.connection.update_secret("renewed", "rotation")).expect("the secret is right");
    client.channel().queue("q");
}

#[test]
fn an_operator_closes_a_connection_with_words() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.channel();
    broker.ctl_words(&["close_all_connections", "time for tea"]);
    let expected = "320 CONNECTION_FORCED - time for tea";
    wait_until("the client hears it", || (client.event() == expected).then_some(()));
}

#[test]
fn an_operator_closes_the_connection_of_this_pid() {
    let broker = Broker::start();
    let mut client = broker.client();
    let pid = broker.ctl("list_connections pid --no-table-headers");
    let other = broker.client();
    broker.ctl_words(&["close_connection", pid.trim(), "time for tea"]);
    let expected = "320 CONNECTION_FORCED - time for tea";
    wait_until("the client hears it", || (client.event() == expected).then_some(()));
    other.channel().queue("q");
}

#[test]
fn listings_show_what_clients_say_of_themselves() {
    let broker = Broker::start();
    let _client = broker.client();
    let listed = broker.ctl("list_connections client_properties --no-table-headers");
    assert!(listed.contains("\"product\""), "{listed}");
}

#[test]
fn two_hundred_clients_are_served_at_once() {
    let broker = Broker::start();
    broker.channel().queue("all");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let clients: Vec<Client> = (0..50).map(|_| broker.client()).collect();
                let channels: Vec<_> = clients.iter().map(Client::channel).collect();
                let inboxes: Vec<_> = channels
                    .iter()
                    .map(|ch| {
                        let exclusive =
                            QueueDeclareOptions { exclusive: true, ..Default::default() };
                        let own = ch.declare("", exclusive, "").expect("declared");
                        let name = own.name().as_str().to_owned();
                        (ch.consume_auto(&name), name)
                    })
                    .collect();
                for (ch, (mut inbox, own)) in channels.iter().zip(inboxes) {
                    ch.publish("", &own, &own);
                    ch.publish("", "all", "x");
                    assert_eq!(inbox.next().text(), own);
                }
            });
        }
    });
    assert_eq!(broker.channel().ready("all"), 200);
    wait_until("all are gone", || {
        (broker.ctl("list_connections pid --no-table-headers").lines().count() == 0).then_some(())
    });
}

#[test]
fn clients_that_stop_in_the_middle_harm_nobody_else() {
    let broker = Broker::with("handshake_timeout = 1000");
    let ch = broker.channel();
    ch.queue("q");
    // The first octets of a header, the first octets of a method, half of a body.
    let mut silent: Vec<_> = (0..20)
        .map(|_| {
            let mut raw = it::RawClient::connect(&broker.server.address()).expect("it accepts");
            raw.send_bytes(b"AMQP\0");
            raw
        })
        .collect();
    let mut halves: Vec<_> = (0..20)
        .map(|_| {
            let mut raw = broker.raw();
            raw.call(1, "channel.open").expect("open-ok");
            raw.send_frame(1, 1, b"\0\x3c\0\x28\0\0\0\x01q\0");
            raw.send_frame(2, 1, b"\0\x3c\0\0\0\0\0\0\0\0\0\x10\0\0");
            raw.send_bytes(b"\x03\0\x01\0\0\0\x10half");
            raw
        })
        .collect();
    for number in 0..100 {
        ch.publish("", "q", &number.to_string());
    }
    assert_eq!(ch.drain("q").len(), 100);
    for raw in &mut silent {
        assert_eq!(raw.receive(), it::Received::Closed, "the handshake has a time limit");
    }
    halves.clear();
    assert_eq!(ch.ready("q"), 0, "half a message is none");
}

#[test]
fn many_channels_share_a_connection_and_closing_one_leaves_the_others() {
    let broker = Broker::start();
    let client = broker.client();
    let channels: Vec<_> = (0..50).map(|_| client.channel()).collect();
    channels[0].queue("q");
    let refused = channels[1].counts("missing").err();
    assert_eq!(refused.as_deref(), Some("404 NOT_FOUND - no queue 'missing' in vhost '/'"));
    for ch in channels.iter().skip(2) {
        ch.publish("", "q", "still open");
    }
    assert_eq!(channels[0].ready("q"), 48);
}
