use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::State;
use crate::testing::{Transcript, run};
use crate::{Command, DeclareExchange, DeclareQueue, Refusal, Rules, StoredError};

fn check(script: &str, expected: Expect) {
    expected.assert_eq(&run(script));
}

#[test]
fn queues_are_declared_once() {
    check(
        "declare-queue q durable x-max-length=5
         declare-queue q durable x-max-length=long:5
         declare-queue q x-max-length=5
         declare-queue q durable auto-delete x-max-length=5
         declare-queue q durable
         declare-queue q durable x-max-length=6
         declare-queue q durable x-max-length=5 x-message-ttl=5
         declare-queue q durable x-max-length=5 x-unknown=1
         declare-queue q durable x-max-length=5 x-queue-type=quorum
         declare-queue q durable owner:1 x-max-length=5
         declare-queue amq.foo durable
         declare-queue amq.gen-x server-named owner:1
         declare-queue amq.gen-x durable owner:1
         declare-queue d durable x-dead-letter-exchange=5
         declare-queue d durable x-dead-letter-routing-key=rk
         delete-queue q
         delete-queue q",
        expect![[r#"
            declare-queue q durable x-max-length=5
              queue q created: true | QueueCreated q
            declare-queue q durable x-max-length=long:5
              queue q created: false
            declare-queue q x-max-length=5
              PreconditionFailed: inequivalent arg 'durable' for queue 'q' in vhost 'v': received 'false' but current is 'true'
            declare-queue q durable auto-delete x-max-length=5
              PreconditionFailed: inequivalent arg 'auto_delete' for queue 'q' in vhost 'v': received 'true' but current is 'false'
            declare-queue q durable
              PreconditionFailed: inequivalent arg 'x-max-length' for queue 'q' in vhost 'v': received none but current is the value '5' of type 'signedint'
            declare-queue q durable x-max-length=6
              PreconditionFailed: inequivalent arg 'x-max-length' for queue 'q' in vhost 'v': received '6' but current is '5'
            declare-queue q durable x-max-length=5 x-message-ttl=5
              PreconditionFailed: inequivalent arg 'x-message-ttl' for queue 'q' in vhost 'v': received the value '5' of type 'signedint' but current is none
            declare-queue q durable x-max-length=5 x-unknown=1
              queue q created: false
            declare-queue q durable x-max-length=5 x-queue-type=quorum
              PreconditionFailed: inequivalent arg 'x-queue-type' for queue 'q' in vhost 'v': received 'quorum' but current is 'classic'
            declare-queue q durable owner:1 x-max-length=5
              ResourceLocked: cannot obtain exclusive access to locked queue 'q' in vhost 'v'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.
            declare-queue amq.foo durable
              AccessRefused: queue name 'amq.foo' contains reserved prefix 'amq.*'
            declare-queue amq.gen-x server-named owner:1
              queue amq.gen-x created: true | QueueCreated amq.gen-x
            declare-queue amq.gen-x durable owner:1
              AccessRefused: queue name 'amq.gen-x' contains reserved prefix 'amq.*'
            declare-queue d durable x-dead-letter-exchange=5
              PreconditionFailed: invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'd' in vhost 'v'
            declare-queue d durable x-dead-letter-routing-key=rk
              PreconditionFailed: invalid arg 'x-dead-letter-routing-key' for queue 'd' in vhost 'v': routing_key_but_no_dlx_defined
            delete-queue q
              1 deleted | QueueDeleted q
            delete-queue q
              0 deleted
        "#]],
    );
}

#[test]
fn exclusive_queues_are_locked() {
    check(
        "declare-queue e durable owner:1
         declare-queue e owner:1
         declare-queue e owner:2
         declare-queue e
         lookup e 1
         lookup e 2
         lookup nope 1
         bind amq.fanout e '' by=2
         bind amq.fanout e ''
         unbind amq.fanout e '' by=2
         unbind amq.fanout e '' by=1
         unbind amq.direct e '' by=2
         restart
         lookup e 1",
        expect![[r#"
            declare-queue e durable owner:1
              queue e created: true | QueueCreated e
            declare-queue e owner:1
              queue e created: false
            declare-queue e owner:2
              ResourceLocked: cannot obtain exclusive access to locked queue 'e' in vhost 'v'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.
            declare-queue e
              ResourceLocked: cannot obtain exclusive access to locked queue 'e' in vhost 'v'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.
            lookup e 1
              found
            lookup e 2
              ResourceLocked: cannot obtain exclusive access to locked queue 'e' in vhost 'v'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.
            lookup nope 1
              NotFound: no queue 'nope' in vhost 'v'
            bind amq.fanout e '' by=2
              ResourceLocked: cannot obtain exclusive access to locked queue 'e' in vhost 'v'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.
            bind amq.fanout e ''
              bound: true
            unbind amq.fanout e '' by=2
              ResourceLocked: cannot obtain exclusive access to locked queue 'e' in vhost 'v'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.
            unbind amq.fanout e '' by=1
              may; exists: true
            unbind amq.direct e '' by=2
              may; exists: false
            restart
              1 deleted | QueueDeleted e
            lookup e 1
              NotFound: no queue 'e' in vhost 'v'
        "#]],
    );
}

#[test]
fn types_that_are_to_come_are_refused_last() {
    check(
        "declare-queue z durable x-queue-type=quorum
         declare-queue z durable x-queue-type=stream
         declare-queue z x-queue-type=quorum
         declare-queue z durable auto-delete x-queue-type=stream
         declare-queue z owner:1 x-queue-type=stream
         authorize declare-queue '' durable x-queue-type=quorum
         authorize declare-queue '' durable
         authorize declare-queue amq.z
         authorize declare-queue q x-dead-letter-exchange=dlx
         declare-queue ''
         delete-vhost v
         add-vhost v quorum
         declare-queue z durable
         declare-queue z",
        expect![[r#"
            declare-queue z durable x-queue-type=quorum
              PreconditionFailed: invalid arg 'x-queue-type' for queue 'z' in vhost 'v': "unsupported queue type 'quorum'"
            declare-queue z durable x-queue-type=stream
              PreconditionFailed: invalid arg 'x-queue-type' for queue 'z' in vhost 'v': "unsupported queue type 'stream'"
            declare-queue z x-queue-type=quorum
              PreconditionFailed: invalid property 'non-durable' for queue 'z' in vhost 'v'
            declare-queue z durable auto-delete x-queue-type=stream
              PreconditionFailed: invalid property 'auto-delete' for queue 'z' in vhost 'v'
            declare-queue z owner:1 x-queue-type=stream
              PreconditionFailed: invalid property 'exclusive-owner' for queue 'z' in vhost 'v'
            authorize declare-queue '' durable x-queue-type=quorum
              PreconditionFailed: Cannot declare a server-named queue for type rabbit_quorum_queue
            authorize declare-queue '' durable
              asked for:
            authorize declare-queue amq.z
              AccessRefused: queue name 'amq.z' contains reserved prefix 'amq.*'
            authorize declare-queue q x-dead-letter-exchange=dlx
              asked for: configure Queue q; read Queue q; write Exchange dlx;
            declare-queue ''
              NotFound: no queue '' in vhost 'v'
            delete-vhost v
              done | VhostDeleted v
            add-vhost v quorum
              vhost created: true | VhostCreated v
            declare-queue z durable
              PreconditionFailed: invalid arg 'x-queue-type' for queue 'z' in vhost 'v': "unsupported queue type 'quorum'"
            declare-queue z
              queue z created: true | QueueCreated z
        "#]],
    );
}

#[test]
fn exchanges_are_declared_once() {
    check(
        "declare-exchange x direct durable
         declare-exchange x direct durable
         declare-exchange x topic durable
         declare-exchange x direct
         declare-exchange x direct durable auto-delete
         declare-exchange x direct durable internal
         declare-exchange x direct durable alternate-exchange=x
         declare-exchange ae fanout alternate-exchange=x
         declare-exchange ae fanout alternate-exchange=y
         declare-exchange ae fanout
         declare-exchange n nope
         declare-exchange n x-delayed-message
         declare-exchange '' direct
         declare-exchange amq.foo direct
         declare-exchange amq.direct direct durable
         declare-exchange amq.direct fanout durable
         declare-exchange n fanout alternate-exchange=5
         delete-exchange ''
         delete-exchange amq.direct
         delete-exchange nope
         declare-queue q durable
         bind x q k
         delete-exchange x if-unused
         delete-exchange x",
        expect![[r#"
            declare-exchange x direct durable
              exchange created: true | ExchangeCreated x
            declare-exchange x direct durable
              exchange created: false
            declare-exchange x topic durable
              PreconditionFailed: inequivalent arg 'type' for exchange 'x' in vhost 'v': received 'topic' but current is 'direct'
            declare-exchange x direct
              PreconditionFailed: inequivalent arg 'durable' for exchange 'x' in vhost 'v': received 'false' but current is 'true'
            declare-exchange x direct durable auto-delete
              PreconditionFailed: inequivalent arg 'auto_delete' for exchange 'x' in vhost 'v': received 'true' but current is 'false'
            declare-exchange x direct durable internal
              PreconditionFailed: inequivalent arg 'internal' for exchange 'x' in vhost 'v': received 'true' but current is 'false'
            declare-exchange x direct durable alternate-exchange=x
              PreconditionFailed: inequivalent arg 'alternate-exchange' for exchange 'x' in vhost 'v': received the value 'x' of type 'longstr' but current is none
            declare-exchange ae fanout alternate-exchange=x
              exchange created: true | ExchangeCreated ae
            declare-exchange ae fanout alternate-exchange=y
              PreconditionFailed: inequivalent arg 'alternate-exchange' for exchange 'ae' in vhost 'v': received 'y' but current is 'x'
            declare-exchange ae fanout
              PreconditionFailed: inequivalent arg 'alternate-exchange' for exchange 'ae' in vhost 'v': received none but current is the value 'x' of type 'longstr'
            declare-exchange n nope
              PreconditionFailed: invalid exchange type 'nope'
            declare-exchange n x-delayed-message
              PreconditionFailed: unknown exchange type 'x-delayed-message'
            declare-exchange '' direct
              AccessRefused: operation not permitted on the default exchange
            declare-exchange amq.foo direct
              AccessRefused: exchange name 'amq.foo' contains reserved prefix 'amq.*'
            declare-exchange amq.direct direct durable
              exchange created: false
            declare-exchange amq.direct fanout durable
              PreconditionFailed: inequivalent arg 'type' for exchange 'amq.direct' in vhost 'v': received 'fanout' but current is 'direct'
            declare-exchange n fanout alternate-exchange=5
              PreconditionFailed: invalid type 'signedint' for arg 'alternate-exchange' in exchange 'n' in vhost 'v'
            delete-exchange ''
              AccessRefused: operation not permitted on the default exchange
            delete-exchange amq.direct
              AccessRefused: deletion of system exchange 'amq.direct' in vhost 'v' not allowed
            delete-exchange nope
              done
            declare-queue q durable
              queue q created: true | QueueCreated q
            bind x q k
              bound: true
            delete-exchange x if-unused
              PreconditionFailed: exchange 'x' in vhost 'v' in use
            delete-exchange x
              done | ExchangeDeleted x
        "#]],
    );
}

#[test]
fn bindings_are_a_set() {
    check(
        "declare-queue q durable
         declare-exchange h headers
         bind amq.direct q k
         bind amq.direct q k
         bind amq.direct q k a=1 b=2
         bind amq.direct q k b=2 a=1
         bind h q '' x-match=most
         bind h q '' x-match=5
         bind h q '' x-match=any a=1
         bind amq.topic q #.a.#.b.#
         bind amq.topic exchange:h #
         bind nope2 nope k
         bind amq.direct nope k
         bind '' q k
         bind amq.direct exchange: k
         bind amq.direct amq.rabbitmq.reply-to.x k
         unbind amq.direct q other
         unbind amq.direct q k
         unbind nope q k
         bindings",
        expect![[r#"
            declare-queue q durable
              queue q created: true | QueueCreated q
            declare-exchange h headers
              exchange created: true | ExchangeCreated h
            bind amq.direct q k
              bound: true
            bind amq.direct q k
              bound: false
            bind amq.direct q k a=1 b=2
              bound: true
            bind amq.direct q k b=2 a=1
              bound: false
            bind h q '' x-match=most
              PreconditionFailed: Invalid x-match field value <<"most">>; expected all, any, all-with-x, or any-with-x
            bind h q '' x-match=5
              PreconditionFailed: Invalid x-match field type signedint (value 5); expected longstr
            bind h q '' x-match=any a=1
              bound: true
            bind amq.topic q #.a.#.b.#
              PreconditionFailed: Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed
            bind amq.topic exchange:h #
              bound: true
            bind nope2 nope k
              NotFound: no exchange 'nope2' in vhost 'v'
            bind amq.direct nope k
              NotFound: no queue 'nope' in vhost 'v'
            bind '' q k
              AccessRefused: operation not permitted on the default exchange
            bind amq.direct exchange: k
              AccessRefused: operation not permitted on the default exchange
            bind amq.direct amq.rabbitmq.reply-to.x k
              AccessRefused: cannot bind or unbind to a volatile (direct reply-to) queue
            unbind amq.direct q other
              unbound: false
            unbind amq.direct q k
              unbound: true
            unbind nope q k
              unbound: false
            bindings
              '' -> queue q by 'q' (0 arguments)
              'amq.direct' -> queue q by 'k' (2 arguments)
              'amq.topic' -> exchange h by '#' (0 arguments)
              'h' -> queue q by '' (2 arguments)
        "#]],
    );
}

#[test]
fn auto_delete_exchanges_go_with_their_last_binding() {
    check(
        "declare-exchange a fanout auto-delete
         declare-exchange b fanout auto-delete
         declare-queue q
         bind a exchange:b ''
         bind b q ''
         delete-queue q
         declare-queue q
         declare-exchange c fanout auto-delete
         bind amq.fanout exchange:c ''
         bind c q ''
         unbind amq.fanout exchange:c ''
         unbind c q ''
         declare-exchange d direct auto-delete
         bind d q one
         bind d q two
         unbind d q one
         route d two
         restart
         declare-queue q",
        expect![[r#"
            declare-exchange a fanout auto-delete
              exchange created: true | ExchangeCreated a
            declare-exchange b fanout auto-delete
              exchange created: true | ExchangeCreated b
            declare-queue q
              queue q created: true | QueueCreated q
            bind a exchange:b ''
              bound: true
            bind b q ''
              bound: true
            delete-queue q
              1 deleted | QueueDeleted q | ExchangeDeleted b | ExchangeDeleted a
            declare-queue q
              queue q created: true | QueueCreated q
            declare-exchange c fanout auto-delete
              exchange created: true | ExchangeCreated c
            bind amq.fanout exchange:c ''
              bound: true
            bind c q ''
              bound: true
            unbind amq.fanout exchange:c ''
              unbound: true
            unbind c q ''
              unbound: true | ExchangeDeleted c
            declare-exchange d direct auto-delete
              exchange created: true | ExchangeCreated d
            bind d q one
              bound: true
            bind d q two
              bound: true
            unbind d q one
              unbound: true
            route d two
              q
            restart
              1 deleted | QueueDeleted q | ExchangeDeleted d
            declare-queue q
              queue q created: true | QueueCreated q
        "#]],
    );
}

#[test]
fn users_have_permissions() {
    check(
        "add-user u
         add-user u
         tag-user u administrator
         tag-user nobody administrator
         vhost-access u v
         vhost-access u nope
         permit u v ^conf '' .*
         permit u v [ '' ''
         permit u nope '' '' ''
         permit nobody v '' '' ''
         vhost-access u v
         access u queue config configure
         access u queue reconf configure
         access u queue c write
         access u exchange c read
         passive u c
         permit u v ^conf ^conf ^conf
         passive u c
         permit u v '' ^amq\\.default$ '(?<!secret)$'
         access u exchange '' write
         access u exchange '' configure
         access u queue top-secret read
         declare-exchange t topic
         topic-access u t write any.key
         permit-topic u t ^{username}\\.{vhost}\\. ^{client_id}$
         permit-topic u nope a b
         topic-access u t write u.v.key
         topic-access u t write other.key
         topic-access u t read dev.1
         topic-access u t read devx1
         lift-topic u
         topic-access u t read devx1
         forbid u v
         access u queue config read
         delete-user u
         delete-user u
         cluster-name rabbit@here",
        expect![[r#"
            add-user u
              done | UserCreated u
            add-user u
              AlreadyExists: User "u" already exists
            tag-user u administrator
              done | UserChanged u
            tag-user nobody administrator
              NotFound: User "nobody" does not exist
            vhost-access u v
              NotAllowed: access to vhost 'v' refused for user 'u'
            vhost-access u nope
              NotAllowed: vhost nope not found
            permit u v ^conf '' .*
              done | PermissionsChanged u v
            permit u v [ '' ''
              PreconditionFailed: regular expression '[' is invalid: Parsing error at position 1: Invalid character class
            permit u nope '' '' ''
              NotFound: Virtual host "nope" does not exist
            permit nobody v '' '' ''
              NotFound: User "nobody" does not exist
            vhost-access u v
              allowed
            access u queue config configure
              allowed
            access u queue reconf configure
              AccessRefused: configure access to queue 'reconf' in vhost 'v' refused for user 'u'
            access u queue c write
              AccessRefused: write access to queue 'c' in vhost 'v' refused for user 'u'
            access u exchange c read
              allowed
            passive u c
              allowed
            permit u v ^conf ^conf ^conf
              done | PermissionsChanged u v
            passive u c
              AccessRefused: configure access to queue 'c' in vhost 'v' refused for user 'u'
            permit u v '' ^amq\.default$ '(?<!secret)$'
              done | PermissionsChanged u v
            access u exchange '' write
              allowed
            access u exchange '' configure
              AccessRefused: configure access to exchange 'amq.default' in vhost 'v' refused for user 'u'
            access u queue top-secret read
              AccessRefused: read access to queue 'top-secret' in vhost 'v' refused for user 'u'
            declare-exchange t topic
              exchange created: true | ExchangeCreated t
            topic-access u t write any.key
              allowed
            permit-topic u t ^{username}\.{vhost}\. ^{client_id}$
              done | PermissionsChanged u v
            permit-topic u nope a b
              NotFound: Exchange nope does not exist
            topic-access u t write u.v.key
              allowed
            topic-access u t write other.key
              AccessRefused: write access to topic 'other.key' in exchange 't' in vhost 'v' refused for user 'u'
            topic-access u t read dev.1
              allowed
            topic-access u t read devx1
              AccessRefused: read access to topic 'devx1' in exchange 't' in vhost 'v' refused for user 'u'
            lift-topic u
              done | PermissionsChanged u v
            topic-access u t read devx1
              allowed
            forbid u v
              done | PermissionsChanged u v
            access u queue config read
              AccessRefused: read access to queue 'config' in vhost 'v' refused for user 'u'
            delete-user u
              done | UserDeleted u
            delete-user u
              NotFound: User "u" does not exist
            cluster-name rabbit@here
              done | ClusterNameChanged rabbit@here
        "#]],
    );
}

#[test]
fn limits_are_reached() {
    check(
        "add-user u
         limit-vhost v 1 1
         connect u 0 0
         connect u 1 0
         declare-queue one
         declare-queue two
         declare-queue one
         limit-vhost v - 0
         declare-queue two
         limit-vhost v - -1
         declare-queue two
         limit-user u 1 2
         connect u 0 1
         open-channel u 1
         open-channel u 2
         delete-vhost v
         delete-vhost v",
        expect![[r#"
            add-user u
              done | UserCreated u
            limit-vhost v 1 1
              done | VhostLimitsChanged v
            connect u 0 0
              allowed
            connect u 1 0
              NotAllowed: access to vhost 'v' refused for user 'u': connection limit (1) is reached
            declare-queue one
              queue one created: true | QueueCreated one
            declare-queue two
              PreconditionFailed: cannot declare queue 'two': queue limit in vhost 'v' (1) is reached
            declare-queue one
              queue one created: false
            limit-vhost v - 0
              done | VhostLimitsChanged v
            declare-queue two
              PreconditionFailed: cannot declare queue 'two': queue limit in vhost 'v' (0) is reached
            limit-vhost v - -1
              done | VhostLimitsChanged v
            declare-queue two
              queue two created: true | QueueCreated two
            limit-user u 1 2
              done | UserLimitsChanged u
            connect u 0 1
              NotAllowed: connection refused for user 'u': user connection limit (1) is reached
            open-channel u 1
              allowed
            open-channel u 2
              NotAllowed: number of channels opened for user 'u' has reached the maximum allowed user limit of 2
            delete-vhost v
              done | QueueDeleted one | QueueDeleted two | VhostDeleted v
            delete-vhost v
              NotFound: Virtual host "v" does not exist
        "#]],
    );
}

fn rules_refuse(rules: Rules, declare: impl Fn(&State) -> Option<Refusal>, expected: Expect) {
    let mut transcript = Transcript::new();
    transcript.run("declare-queue old durable\nadd-user u");
    transcript.state.rules = rules;
    let refusal = declare(&transcript.state).expect("the rules refuse it");
    expected.assert_eq(&format!("{:?}: {}", refusal.kind, refusal.text));
}

fn queue(name: &str, durable: bool) -> DeclareQueue {
    DeclareQueue { vhost: "v".into(), name: name.into(), durable, ..DeclareQueue::default() }
}

#[test]
fn a_node_may_forbid_more_than_the_cluster() {
    rules_refuse(
        Rules { deny_transient_nonexclusive: true, ..Rules::default() },
        |state| state.check_declare_queue(&queue("q", false)).err(),
        expect![[r#"
            InternalError: Feature `transient_nonexcl_queues` is deprecated.
            Its use is not permitted per the configuration (overriding the default, which is permitted):
                "deprecated_features.permit.transient_nonexcl_queues = false"
            Its use will not be permitted by default in a future minor RabbitMQ version and the feature will be removed from a future major RabbitMQ version; actual versions to be determined.
            To continue using this feature when it is not permitted by default, set the following parameter in your configuration:
                "deprecated_features.permit.transient_nonexcl_queues = true""#]],
    );
    rules_refuse(
        Rules { cluster_queue_limit: Some(1), ..Rules::default() },
        |state| {
            assert!(state.check_declare_queue(&queue("old", true)).is_ok(), "it exists");
            state.check_declare_queue(&queue("q", true)).err()
        },
        expect![
            "PreconditionFailed: cannot declare queue 'q': queue limit in cluster (1) is reached"
        ],
    );
    rules_refuse(
        Rules { cluster_exchange_limit: Some(7), ..Rules::default() },
        |state| {
            let declare = DeclareExchange {
                vhost: "v".into(),
                name: "x".into(),
                kind: "direct".into(),
                ..DeclareExchange::default()
            };
            state.check_declare_exchange(&declare).err()
        },
        expect![
            "PreconditionFailed: cannot declare exchange 'x' in vhost 'v': exchange limit of 7 is reached"
        ],
    );
    rules_refuse(
        Rules { vhost_max: Some(1), ..Rules::default() },
        |state| {
            let add = crate::AddVhost { name: "w".into(), ..crate::AddVhost::default() };
            state.check_add_vhost(&add).err()
        },
        expect!["PreconditionFailed: cannot create vhost 'w': vhost limit of 1 is reached"],
    );
    let mut locator = queue("q", true);
    locator.arguments.set("x-queue-master-locator", "min-masters");
    rules_refuse(
        Rules::default(),
        |state| state.check_declare_queue(&locator).err(),
        expect![[r#"
            InternalError: Feature `queue_master_locator` is deprecated.
            By default, this feature is not permitted anymore.
            The feature will be removed from a future major RabbitMQ version, regardless of the configuration; actual version to be determined.
            To continue using this feature when it is not permitted by default, set the following parameter in your configuration:
                "deprecated_features.permit.queue_master_locator = true""#]],
    );
}

#[test]
fn equal_arguments_are_kept_once() {
    let mut transcript = Transcript::new();
    transcript.run("declare-queue a durable\ndeclare-queue b durable");
    let vhost = transcript.state.vhost("v").expect("is there");
    let arguments = ["a", "b"].map(|name| &vhost.queue(name).expect("was declared").arguments);
    assert!(std::sync::Arc::ptr_eq(arguments[0], arguments[1]));
    let size = size_of::<crate::QueueRecord>();
    assert!(size <= 200, "a queue's record takes {size} bytes");
}

/// Enough of everything to be worth a snapshot.
const FULL: &str = "
    add-vhost w stream
    limit-vhost w 5 -1
    add-user u
    tag-user u administrator monitoring
    limit-user u 3 4
    permit u v .* ^a '(?=b)'
    declare-exchange t topic durable
    declare-exchange ae fanout auto-delete alternate-exchange=t
    permit-topic u t ^{client_id} .*
    declare-queue q durable x-message-ttl=5 x-dead-letter-exchange=t
    declare-queue e owner:7
    declare-queue amq.gen-1 server-named auto-delete owner:8
    bind t q a.*.#
    bind t exchange:ae #
    bind ae e '' x=1
    cluster-name rabbit@here";

#[test]
fn a_snapshot_is_the_state() {
    let mut transcript = Transcript::new();
    transcript.run(FULL);
    let bytes = transcript.state.snapshot();
    let restored = State::restore(&bytes).expect("was just written");
    assert_eq!(restored.snapshot(), bytes);
    let script = "route t a.b.c\nlookup q 1\nlookup e 7\naccess u queue ab write";
    let mut continued = Transcript::new();
    continued.state = restored;
    continued.run(script);
    expect![[r#"
        route t a.b.c
          q e
        lookup q 1
          found
        lookup e 7
          found
        access u queue ab write
          allowed
    "#]]
    .assert_eq(continued.output());
}

#[test]
fn a_vhost_made_again_has_generations_of_its_own() {
    let mut transcript = Transcript::new();
    let generation =
        |transcript: &Transcript| transcript.state.vhost("v").expect("is there").generation();
    let mut last = generation(&transcript);
    for line in ["declare-queue q", "delete-vhost v\nadd-vhost v", "declare-queue q"] {
        transcript.run(line);
        let next = generation(&transcript);
        assert!(last < next, "{line}");
        last = next;
    }
    let restored = State::restore(&transcript.state.snapshot()).expect("was just written");
    assert_eq!(restored.applied_index(), transcript.state.applied_index());
    assert!(last < restored.vhost("v").expect("is there").generation());
}

#[test]
fn damaged_bytes_are_errors() {
    let mut transcript = Transcript::new();
    transcript.run(FULL);
    let bytes = transcript.state.snapshot();
    for len in 0..bytes.len() {
        assert!(State::restore(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    for idx in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[idx] ^= 1 << bit;
            // Any answer will do, as long as it is one.
            let _ = State::restore(&damaged);
        }
    }
    assert_eq!(State::restore(&[]).err(), Some(StoredError::Empty));
    assert_eq!(State::restore(&[9]).err(), Some(StoredError::UnknownVersion(9)));
    let mut longer = bytes;
    longer.push(0);
    let error = State::restore(&longer).expect_err("one byte too many");
    expect!["stored bytes are damaged: bytes follow the end"].assert_eq(&error.to_string());
}

fn line() -> impl Strategy<Value = String> {
    let queue = "[q-s]";
    let exchange = r"(x|y|z|amq\.topic)";
    prop_oneof![
        (queue, "(|durable|auto-delete|owner:1)", "(|x-max-length=[1-3])")
            .prop_map(|(name, how, arguments)| format!("declare-queue {name} {how} {arguments}")),
        ("[xyz]", "(direct|fanout|topic|headers)", "(|durable)", "(|auto-delete)").prop_map(
            |(name, kind, durable, auto)| format!(
                "declare-exchange {name} {kind} {durable} {auto}"
            )
        ),
        (exchange, queue, "[ab.*#]{0,4}").prop_map(|(x, q, key)| format!("bind {x} {q} '{key}'")),
        (exchange, "[xyz]", "[ab]").prop_map(|(x, y, key)| format!("bind {x} exchange:{y} {key}")),
        (exchange, queue, "[ab.*#]{0,4}").prop_map(|(x, q, key)| format!("unbind {x} {q} '{key}'")),
        queue.prop_map(|name| format!("delete-queue {name}")),
        "[xyz]".prop_map(|name| format!("delete-exchange {name}")),
        Just("restart".to_owned()),
    ]
}

proptest! {
    /// Whatever happened, a restored state goes on like the one it was taken from.
    #[test]
    fn a_restored_state_goes_on_alike(
        past in prop::collection::vec(line(), 0..40),
        future in prop::collection::vec(line(), 0..20),
    ) {
        let mut one = Transcript::new();
        one.run(&past.join("\n"));
        let mut other = Transcript::new();
        other.state = State::restore(&one.state.snapshot()).expect("was just written");
        other.continue_after(&one);
        one.run(&future.join("\n"));
        other.run(&future.join("\n"));
        prop_assert_eq!(one.output().lines().rev().take(2 * future.len()).collect::<Vec<_>>(),
            other.output().lines().rev().take(2 * future.len()).collect::<Vec<_>>());
        prop_assert_eq!(one.state.snapshot(), other.state.snapshot());
    }

    /// A queue that is gone leaves nothing behind.
    #[test]
    fn what_is_deleted_leaves_nothing(past in prop::collection::vec(line(), 0..60)) {
        let mut transcript = Transcript::new();
        transcript.run(&past.join("\n"));
        transcript.run("delete-queue q\ndelete-queue r\ndelete-queue s");
        transcript.run("delete-exchange x\ndelete-exchange y\ndelete-exchange z");
        let mut fresh = Transcript::new();
        fresh.continue_before(&transcript);
        fresh.run("restart");
        prop_assert_eq!(transcript.state.snapshot(), fresh.state.snapshot());
    }

    #[test]
    fn damaged_commands_are_errors(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut versioned = vec![1];
        versioned.extend(&bytes);
        let _ = Command::decode(&versioned);
        let _ = State::restore(&versioned);
    }
}
