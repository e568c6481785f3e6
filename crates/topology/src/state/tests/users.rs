//! Who may do what, and how much of it.

use expect_test::{Expect, expect};

use super::check;
use crate::testing::Transcript;
use crate::{AddVhost, DeclareExchange, DeclareQueue, Refusal, Rules, State};

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
              done
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
              done | QueueDeleted one | QueueDeleted two | ExchangeDeleted  | ExchangeDeleted amq.direct | ExchangeDeleted amq.fanout | ExchangeDeleted amq.headers | ExchangeDeleted amq.match | ExchangeDeleted amq.rabbitmq.trace | ExchangeDeleted amq.topic | VhostDeleted v
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
            let add = AddVhost { name: "w".into(), ..AddVhost::default() };
            state.check_add_vhost(&add).err()
        },
        expect!["PreconditionFailed: cannot create vhost 'w': vhost limit of 1 is reached"],
    );
    let mut relaxed = Transcript::new();
    relaxed.run("declare-queue q durable x-queue-type=quorum x-max-length=5 x-delivery-limit=3");
    let mut again = queue("q", false);
    again.arguments.set("x-max-length", 5i64);
    let refusal = relaxed.state.check_declare_queue(&again).expect_err("it is another type");
    assert!(refusal.text.starts_with("inequivalent arg 'durable'"), "{}", refusal.text);
    relaxed.state.rules.relax_quorum_redeclaration = true;
    assert!(relaxed.state.check_declare_queue(&again).is_ok(), "few things are compared");
    again.arguments.set("x-max-length", 6i64);
    assert!(relaxed.state.check_declare_queue(&again).is_err(), "its length is one of them");
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
fn a_protected_vhost_stays() {
    check(
        "describe-vhost v orders quorum
         describe-vhost v orders nope
         describe-vhost nope orders quorum
         protect-vhost v on
         delete-vhost v
         protect-vhost nope on
         protect-vhost v off
         delete-vhost v",
        expect![[r#"
            describe-vhost v orders quorum
              done
            describe-vhost v orders nope
              PreconditionFailed: Unsupported default queue type
            describe-vhost nope orders quorum
              NotFound: Virtual host "nope" does not exist
            protect-vhost v on
              done
            delete-vhost v
              PreconditionFailed: Refusing to delete virtual host 'v' because it is protected from deletion
            protect-vhost nope on
              NotFound: Virtual host "nope" does not exist
            protect-vhost v off
              done
            delete-vhost v
              done | ExchangeDeleted  | ExchangeDeleted amq.direct | ExchangeDeleted amq.fanout | ExchangeDeleted amq.headers | ExchangeDeleted amq.match | ExchangeDeleted amq.rabbitmq.trace | ExchangeDeleted amq.topic | VhostDeleted v
        "#]],
    );
}
