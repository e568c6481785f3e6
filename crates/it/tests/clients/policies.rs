//! Policies that an operator sets while clients work.

use crate::kit::{Broker, Ch, Heard, properties, wait_until};

impl Broker {
    /// Sets a policy for the names that `pattern` finds.
    #[track_caller]
    fn policy(&self, name: &str, pattern: &str, definition: &str) {
        self.ctl_words(&["set_policy", name, pattern, definition]);
    }

    #[track_caller]
    fn operator_policy(&self, name: &str, pattern: &str, definition: &str) {
        self.ctl_words(&["set_operator_policy", name, pattern, definition]);
    }

    /// A command that is refused: how the tool exits and what it says.
    fn refused(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.server.ctl("rabbitmqctl", &[&["-q"], args].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn publish_all(ch: &Ch, queue: &str, bodies: &[&str]) {
    bodies.iter().for_each(|body| ch.publish("", queue, body));
}

#[test]
fn a_shorter_length_drops_the_oldest_messages_at_once() {
    let broker = Broker::start();
    let ch = broker.channel();
    for queue in ["q", "other"] {
        ch.queue(queue);
        publish_all(&ch, queue, &["1", "2", "3", "4"]);
    }
    broker.policy("short", "^q$", r#"{"max-length":2}"#);
    assert_eq!((ch.ready("q"), ch.ready("other")), (2, 4));
    ch.publish("", "q", "5");
    assert_eq!(ch.drain("q"), ["4", "5"]);
    broker.ctl("clear_policy short");
    publish_all(&ch, "q", &["6", "7", "8"]);
    assert_eq!(ch.drain("q"), ["6", "7", "8"]);
}

#[test]
fn messages_expire_and_are_dead_lettered_by_policy() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("dead");
    ch.queue("work");
    ch.publish("", "work", "old");
    broker.policy(
        "ttl",
        "^work$",
        r#"{"message-ttl":5,"dead-letter-exchange":"","dead-letter-routing-key":"dead"}"#,
    );
    assert_eq!(ch.get("work").map(|it| it.text()).as_deref(), Some("old"), "it has no expiry");
    ch.publish("", "work", "new");
    assert_eq!(ch.wait_for("dead").text(), "new");
}

#[test]
fn an_argument_wins_over_a_policy_where_dead_letters_go() {
    let broker = Broker::start();
    let ch = broker.channel();
    for queue in ["mine", "theirs"] {
        ch.queue(queue);
    }
    let to_mine = r#"x-dead-letter-exchange="", x-dead-letter-routing-key="mine""#;
    ch.queue_with("said", to_mine);
    ch.queue("silent");
    broker.policy("dlx", "^s", r#"{"dead-letter-exchange":"","dead-letter-routing-key":"theirs"}"#);
    for queue in ["said", "silent"] {
        ch.publish("", queue, queue);
        ch.get_unsettled(queue).reject(false);
    }
    assert_eq!(ch.wait_for("mine").text(), "said");
    assert_eq!(ch.wait_for("theirs").text(), "silent");
}

#[test]
fn the_smallest_of_argument_policy_and_operator_policy_counts() {
    let broker = Broker::start();
    let ch = broker.channel();
    for kind in ["classic", "quorum"] {
        let arguments = format!("x-max-length=4, x-queue-type=\"{kind}\"");
        ch.queue_with(kind, &arguments);
        publish_all(&ch, kind, &["1", "2", "3", "4", "5"]);
    }
    let ready = || ["classic", "quorum"].map(|queue| ch.ready(queue));
    assert_eq!(ready(), [4, 4]);
    broker.policy("p", "", r#"{"max-length":3,"expires":3600000}"#);
    assert_eq!(ready(), [3, 3]);
    broker.operator_policy("o", "", r#"{"max-length":2}"#);
    assert_eq!(ready(), [2, 2]);
    let columns = ["name", "policy", "operator_policy", "effective_policy_definition"];
    let listed = broker.ctl_words(&[&["list_queues", "-s"], &columns[..]].concat());
    let both = "p\to\t#{expires => 3600000, max-length => 2}";
    assert_eq!(listed, format!("classic\t{both}\nquorum\t{both}\n"));
    broker.ctl("clear_operator_policy o");
    for queue in ["classic", "quorum"] {
        publish_all(&ch, queue, &["6", "7"]);
    }
    assert_eq!(ready(), [3, 3]);
}

#[test]
fn a_policy_deletes_unused_queues_and_routes_what_an_exchange_cannot() {
    let broker = Broker::start();
    let ch = broker.channel();
    ch.queue("rest");
    ch.bind("rest", "amq.fanout", "");
    ch.exchange("x", "direct");
    broker.policy("ae", "^x$", r#"{"alternate-exchange":"amq.fanout"}"#);
    ch.publish("x", "nowhere", "found");
    assert_eq!(ch.wait_for("rest").text(), "found");
    broker.ctl("clear_policy ae");
    ch.publish("x", "nowhere", "lost");
    assert_eq!(ch.ready("rest"), 0);
    broker.policy("gone", "^rest$", r#"{"expires":1}"#);
    wait_until("the queue expires", || broker.ctl("list_queues -s name").is_empty().then_some(()));
}

#[test]
fn policies_and_parameters_survive_a_crash() {
    let mut broker = Broker::start();
    broker.channel().queue("q.old");
    broker.ctl_words(&[
        "set_policy",
        "--priority",
        "2",
        "--apply-to",
        "queues",
        "p",
        "^q",
        r#"{"overflow":"reject-publish","max-length":1}"#,
    ]);
    broker.operator_policy("o", "^q", r#"{"max-length":2}"#);
    broker.ctl_words(&["set_global_parameter", "gp", r#"{"b":[1,null],"a":true}"#]);
    broker.ctl("set_cluster_name rabbit@somewhere");
    let list = |broker: &Broker| {
        ["list_policies", "list_operator_policies", "list_parameters", "list_global_parameters"]
            .map(|command| broker.ctl(&format!("{command} -s")))
    };
    let before = list(&broker);
    let id = before[3].lines().find(|line| line.starts_with("internal_cluster_id")).expect("an id");
    let globals = format!(
        "cluster_name\t\"rabbit@somewhere\"\ncluster_tags\t[]\ngp\t{{\"a\":true,\"b\":[1,null]}}\n{id}\n"
    );
    assert_eq!(
        before,
        [
            "/\tp\t^q\tqueues\t{\"max-length\":1,\"overflow\":\"reject-publish\"}\t2\n",
            "/\to\t^q\tall\t{\"max-length\":2}\t0\n",
            "operator_policy\to\t{\"pattern\":\"^q\",\"definition\":{\"max-length\":2},\"priority\":0,\"apply-to\":\"all\"}\n",
            &globals,
        ]
    );
    broker.server.kill();
    broker.server.restart();
    assert_eq!(list(&broker), before);
    let mut client = it::RawClient::connect(&broker.server.address()).expect("it accepts");
    let start = client.start().expect("a start");
    assert!(start.contains("cluster_name=\"rabbit@somewhere\""), "{start}");
    let ch = broker.channel();
    ch.queue("q.new");
    for queue in ["q.old", "q.new"] {
        ch.publish("", queue, "1");
        assert_eq!(ch.offer("", queue, properties(), b"2"), Ok(Heard::Nack), "{queue}");
    }
}

#[test]
fn what_is_wrong_with_a_policy_is_said_in_rabbitmq_s_words() {
    let broker = Broker::start();
    let validation = |text: &str| (Some(69), format!("Error:\nValidation failed\n\n{text}\n\n"));
    let missing = (Some(69), "Error:\nParameter does not exist\n".to_owned());
    let no_vhost = (Some(65), "Virtual host 'nope' does not exist\n".to_owned());
    let cases: [(&[&str], _); 9] = [
        (
            &["set_policy", "p", "", r#"{"max-length":"x"}"#],
            validation("<<\"x\">> is not a valid maximum length"),
        ),
        (
            &["set_policy", "p", "", r#"{"ha-mode":"all"}"#],
            validation("[{<<\"ha-mode\">>,<<\"all\">>}] are not recognised policy settings"),
        ),
        (
            &["set_policy", "p", "", "notjson"],
            (
                Some(69),
                "Error:\nCould not parse JSON document: \
                 {error,{failed_to_decode_json,<<\"notjson\">>}}\n"
                    .to_owned(),
            ),
        ),
        (&["set_policy", "-p", "nope", "p", "", r#"{"max-length":1}"#], no_vhost.clone()),
        (&["list_policies", "-p", "nope"], no_vhost.clone()),
        (&["list_parameters", "-p", "nope"], no_vhost),
        (&["set_parameter", "nope", "p", "1"], validation("component nope not found")),
        (&["clear_policy", "p"], missing.clone()),
        (&["clear_global_parameter", "p"], missing),
    ];
    for (args, expected) in cases {
        assert_eq!(broker.refused(args), expected, "{args:?}");
    }
}
