//! What happens is told by the exchange `amq.rabbitmq.event`.

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};

use crate::kit::{Broker, Ch, Message, step, wait_until};

/// A queue that hears everything, and the messages that came to it since the last look.
struct Listener(Ch);

impl Listener {
    fn start(broker: &Broker) -> Self {
        let ch = broker.channel();
        ch.queue("heard");
        ch.bind("heard", "amq.rabbitmq.event", "#");
        let listener = Self(ch);
        let first = listener.until("binding.created");
        let first = first.last();
        assert_eq!(
            first.map(|it| it.header("source_name")).as_deref(),
            Some(r#""amq.rabbitmq.event""#)
        );
        listener
    }

    /// The messages up to the first with this routing key.
    fn until(&self, key: &str) -> Vec<Message> {
        let mut heard = Vec::new();
        wait_until(key, || {
            heard.extend(self.0.get("heard"));
            heard.last().filter(|it| it.delivery.routing_key.as_str() == key).map(drop)
        });
        heard
    }

    /// The same as a transcript: routing key, what it is about, who did it.
    fn transcript(&self, key: &str) -> Vec<String> {
        let line = |it: &Message| {
            let about = ["name", "destination_name", "user"].map(|name| it.header(name));
            let about = about.iter().find(|it| !it.is_empty()).cloned().unwrap_or_default();
            let actor = it.header("user_who_performed_action");
            format!("{} {about} by {actor}", it.delivery.routing_key).replace('"', "")
        };
        self.until(key).iter().map(line).collect()
    }
}

#[test]
fn declarations_and_consumers_are_told_of_in_order() {
    let broker = Broker::start();
    let listener = Listener::start(&broker);
    let ch = broker.channel();
    let _ = listener.until("channel.created");
    ch.queue("q");
    ch.exchange("x", "fanout");
    ch.bind("q", "x", "k");
    let _consumer = ch.consume("q");
    step(ch.lapin.queue_delete("q", QueueDeleteOptions::default())).expect("deleted");
    step(ch.lapin.exchange_delete("x", ExchangeDeleteOptions::default())).expect("deleted");
    let heard = listener.transcript("exchange.deleted");
    let kinds: Vec<&str> =
        heard.iter().map(String::as_str).filter(|it| !it.starts_with("consumer")).collect();
    assert_eq!(
        kinds,
        [
            "queue.created q by guest",
            "exchange.created x by guest",
            "binding.created q by guest",
            "binding.deleted q by rmq-internal",
            "queue.deleted q by guest",
            "exchange.deleted x by guest",
        ]
    );
    assert_eq!(
        heard.iter().filter(|it| it.starts_with("consumer.created")).count(),
        1,
        "{heard:?}"
    );
    assert_eq!(
        heard.iter().filter(|it| it.starts_with("consumer.deleted")).count(),
        1,
        "{heard:?}"
    );
}

#[test]
fn what_operators_change_is_told_and_who_did_it() {
    let broker = Broker::start();
    let listener = Listener::start(&broker);
    for line in [
        "add_user ann secret",
        "set_user_tags ann monitoring",
        "change_password ann other",
        "set_permissions ann a b c",
        "clear_permissions ann",
        "set_topic_permissions ann amq.topic x y",
        "clear_topic_permissions ann",
        "set_global_parameter answer 42",
        "set_policy short ^q {\"max-length\":5}",
        "set_operator_policy short ^q {\"max-length\":6}",
        "clear_policy short",
        "clear_operator_policy short",
        "set_vhost_limits {\"max-queues\":100}",
        "clear_vhost_limits",
        "set_user_limits ann {\"max-channels\":7}",
        "clear_user_limits ann all",
        "delete_user ann",
        "add_vhost shop",
        "delete_vhost shop",
    ] {
        broker.ctl(line);
    }
    let heard = listener.transcript("vhost.down");
    let heard: Vec<&str> =
        heard.iter().map(String::as_str).filter(|it| !it.starts_with("exchange.")).collect();
    assert_eq!(
        heard.join("\n"),
        "user.created ann by rmq-cli\n\
         user.tags.set ann by rmq-cli\n\
         user.password.changed ann by rmq-cli\n\
         permission.created ann by rmq-cli\n\
         permission.deleted ann by rmq-cli\n\
         topic.permission.created ann by rmq-cli\n\
         topic.permission.deleted ann by rmq-cli\n\
         parameter.set answer by rmq-cli\n\
         policy.set short by rmq-cli\n\
         parameter.set short by rmq-cli\n\
         policy.set short by rmq-cli\n\
         policy.cleared short by rmq-cli\n\
         parameter.cleared short by rmq-cli\n\
         operator.policy.cleared short by rmq-cli\n\
         parameter.set limits by rmq-cli\n\
         vhost.limits.set limits by rmq-cli\n\
         parameter.cleared limits by rmq-cli\n\
         vhost.limits.cleared limits by rmq-cli\n\
         user.limits.set limits by rmq-cli\n\
         user.limits.cleared limits by rmq-cli\n\
         user.deleted ann by rmq-cli\n\
         vhost.created shop by rmq-cli\n\
         vhost.deleted shop by rmq-cli\n\
         vhost.down shop by rmq-internal"
    );
}

#[test]
fn connections_logins_and_alarms_are_told() {
    let broker = Broker::start();
    let listener = Listener::start(&broker);
    assert!(broker.login("guest", "wrong", "/").is_err());
    let failed = listener.until("user.authentication.failure");
    let failed = failed.last().expect("there is one");
    assert_eq!(failed.header("name"), r#""guest""#);
    assert_eq!(failed.header("auth_mechanism"), r#""PLAIN""#);
    assert_eq!(failed.header("protocol"), r#""{0,9,1}""#);

    let client = broker.client();
    let opened = listener.until("connection.created");
    let opened = opened.last().expect("there is one");
    assert_eq!(opened.header("vhost"), r#""/""#);
    assert_eq!(opened.header("ssl"), "false");
    assert_eq!(opened.delivery.properties.delivery_mode(), &Some(2));
    let name = opened.header("name");
    client.close();
    let closed = listener.until("connection.closed");
    let closed = closed.last().expect("there is one");
    assert_eq!(closed.header("name"), name);
    assert_eq!(closed.header("pid"), opened.header("pid"));

    broker.ctl("set_vm_memory_high_watermark absolute 1000");
    let set = listener.until("alarm.set");
    assert_eq!(set.last().map(|it| it.header("source")).as_deref(), Some(r#""memory""#));
    broker.ctl("set_vm_memory_high_watermark 0.9");
    let _ = listener.until("alarm.cleared");
}
