//! Policies as transcripts, and what comes of them against a naive merge.

mod effective;

use expect_test::{Expect, expect};

use crate::testing::run;

fn check(script: &str, expected: Expect) {
    expected.assert_eq(&run(script));
}

#[test]
fn the_highest_priority_applies_alone() {
    check(
        r#"declare-queue q.1 durable
           set-policy low ^q all 0 '{"max-length":5,"expires":1000}'
           set-policy high q queues 2 '{"max-length":9}'
           set-policy b 1$ classic_queues 2.5 '{"message-ttl":1}'
           set-policy a '' queues 2.5 '{"message-ttl":2}'
           policies-of q.1
           clear-policy a
           policies-of q.1
           clear-policy b
           policies-of q.1
           set-policy high x queues 2 '{"max-length":9}'
           policies-of q.1
           settings q.1
           clear-policy low
           settings q.1
           clear-policy low"#,
        expect![[r#"
            declare-queue q.1 durable
              queue q.1 created: true | QueueCreated q.1
            set-policy low ^q all 0 '{"max-length":5,"expires":1000}'
              done | PoliciesChanged v
            set-policy high q queues 2 '{"max-length":9}'
              done | PoliciesChanged v
            set-policy b 1$ classic_queues 2.5 '{"message-ttl":1}'
              done | PoliciesChanged v
            set-policy a '' queues 2.5 '{"message-ttl":2}'
              done | PoliciesChanged v
            policies-of q.1
              a and none: {"message-ttl":2}
            clear-policy a
              done | PoliciesChanged v
            policies-of q.1
              b and none: {"message-ttl":1}
            clear-policy b
              done | PoliciesChanged v
            policies-of q.1
              high and none: {"max-length":9}
            set-policy high x queues 2 '{"max-length":9}'
              done | PoliciesChanged v
            policies-of q.1
              low and none: {"expires":1000,"max-length":5}
            settings q.1
              expires 1000, length 5
            clear-policy low
              done | PoliciesChanged v
            settings q.1
              nothing
            clear-policy low
              NotFound: Parameter does not exist
        "#]],
    );
}

#[test]
fn operator_policies_are_merged_key_by_key() {
    check(
        r#"declare-queue q durable x-queue-type=quorum x-max-length=4 x-delivery-limit=-1
           set-policy p '' queues 0 '{"max-length":7,"delivery-limit":3,"overflow":"drop-head"}'
           set-operator-policy o '' queues 0 '{"max-length":5,"delivery-limit":9,"overflow":"reject-publish","expires":5}'
           policies-of q
           settings q
           clear-policy p
           policies-of q
           clear-operator-policy o
           settings q
           clear-operator-policy o"#,
        expect![[r#"
            declare-queue q durable x-queue-type=quorum x-max-length=4 x-delivery-limit=-1
              queue q created: true | QueueCreated q
            set-policy p '' queues 0 '{"max-length":7,"delivery-limit":3,"overflow":"drop-head"}'
              done | PoliciesChanged v
            set-operator-policy o '' queues 0 '{"max-length":5,"delivery-limit":9,"overflow":"reject-publish","expires":5}'
              done | PoliciesChanged v
            policies-of q
              p and o: {"delivery-limit":3,"expires":5,"max-length":5,"overflow":"reject-publish"}
            settings q
              expires 5, length 4, RejectPublish, delivery limit Some(3)
            clear-policy p
              done | PoliciesChanged v
            policies-of q
              none and o: {"delivery-limit":9,"expires":5,"max-length":5,"overflow":"reject-publish"}
            clear-operator-policy o
              done | PoliciesChanged v
            settings q
              length 4, delivery limit None
            clear-operator-policy o
              NotFound: Parameter does not exist
        "#]],
    );
}

#[test]
fn arguments_and_policies_go_together_by_key_and_type() {
    check(
        r#"declare-queue c durable x-overflow=reject-publish x-dead-letter-exchange=mine x-message-ttl=5
           declare-queue q durable x-queue-type=quorum x-overflow=reject-publish x-dead-letter-exchange=mine
           set-policy p '' queues 0 '{"overflow":"drop-head","dead-letter-exchange":"theirs","dead-letter-routing-key":"k","message-ttl":9}'
           settings c
           settings q"#,
        expect![[r#"
            declare-queue c durable x-overflow=reject-publish x-dead-letter-exchange=mine x-message-ttl=5
              queue c created: true | QueueCreated c
            declare-queue q durable x-queue-type=quorum x-overflow=reject-publish x-dead-letter-exchange=mine
              queue q created: true | QueueCreated q
            set-policy p '' queues 0 '{"overflow":"drop-head","dead-letter-exchange":"theirs","dead-letter-routing-key":"k","message-ttl":9}'
              done | PoliciesChanged v
            settings c
              ttl 5, RejectPublish, dlx mine, dlx-key k
            settings q
              ttl 9, dlx mine, dlx-key k, delivery limit Some(20)
        "#]],
    );
}

#[test]
fn a_policy_with_a_key_that_a_type_does_not_know_does_not_apply_to_it() {
    check(
        r#"declare-queue c durable
           declare-queue q durable x-queue-type=quorum
           set-policy p '' all 0 '{"delivery-limit":3,"max-length":3}'
           set-policy m '' all 1 '{"queue-mode":"lazy"}'
           policies-of c
           policies-of q
           set-policy e '' exchanges 9 '{"max-length":3}'
           policies-of q"#,
        expect![[r#"
            declare-queue c durable
              queue c created: true | QueueCreated c
            declare-queue q durable x-queue-type=quorum
              queue q created: true | QueueCreated q
            set-policy p '' all 0 '{"delivery-limit":3,"max-length":3}'
              done | PoliciesChanged v
            set-policy m '' all 1 '{"queue-mode":"lazy"}'
              done | PoliciesChanged v
            policies-of c
              m and none: {"queue-mode":"lazy"}
            policies-of q
              p and none: {"delivery-limit":3,"max-length":3}
            set-policy e '' exchanges 9 '{"max-length":3}'
              done | PoliciesChanged v
            policies-of q
              p and none: {"delivery-limit":3,"max-length":3}
        "#]],
    );
}

#[test]
fn mistakes_are_told_in_rabbitmq_s_words() {
    check(
        r#"set-policy p '' queues 0 '{}'
           set-policy p '' queues 0 '5'
           set-policy p '' queues 0 '[1]'
           set-policy p '' queues 0 '{"nope":5}'
           set-policy p '' nope '"x"' '{"nope":5,"max-length":"x"}'
           set-policy p [ queues 0 '{"max-length":5}'
           set-policy p '' queues 0 '{"max-length":-1}'
           set-policy p '' queues 0 '{"max-length":1.5}'
           set-policy p '' queues 0 '{"max-length":1e20}'
           set-policy p '' queues 0 '{"max-length":""}'
           set-policy p '' queues 0 '{"max-length":[97,98]}'
           set-policy p '' queues 0 '{"max-length":18446744073709551615}'
           set-policy p '' queues 0 '{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa":1,"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb":2}'
           set-policy p '' queues 0 '{"expires":0}'
           set-policy p '' queues 0 '{"overflow":"nope"}'
           set-policy p '' queues 0 '{"dead-letter-exchange":{"a":[1,null]}}'
           set-policy p '' queues 0 '{"max-age":"7 days"}'
           set-policy p '' queues 0 '{"queue-master-locator":"min-masters"}'
           set-policy p '' queues 0 '{"stream-filter-size-bytes":15}'
           set-policy p '' queues 0 '{"delayed-retry-type":"all"}'
           set-policy p '' queues 0 '{"delayed-retry-min":5,"delayed-retry-max":4}'
           set-policy p '' queues 0 '{"federation-upstream":"a","federation-upstream-set":"b"}'
           set-policy p '' queues 0 '{"routing-key":"a"}'
           set-policy p '' queues 0 '{"ha-mode":"all"}'
           set-operator-policy p '' queues 0 '{"dead-letter-exchange":"x"}'
           set-parameter policy p '{"pattern":5,"definition":{"max-length":5},"x":1}'
           set-parameter nope p 5
           set-parameter vhost-limits limits '{"max-queues":"x","a":1}'
           clear-policy p
           clear-policy p"#,
        expect![[r#"
            set-policy p '' queues 0 '{}'
              PreconditionFailed: Validation failed

            no policy provided

            set-policy p '' queues 0 '5'
              PreconditionFailed: Validation failed

            parse error while reading policy p: 5. Validator: policy_validator.

            set-policy p '' queues 0 '[1]'
              PreconditionFailed: Validation failed

            definition must be a dictionary: [1]

            set-policy p '' queues 0 '{"nope":5}'
              PreconditionFailed: Validation failed

            [{<<"nope">>,5}] are not recognised policy settings

            set-policy p '' nope '"x"' '{"nope":5,"max-length":"x"}'
              PreconditionFailed: Validation failed

            <<"x">> is not a valid maximum length
            apply-to 'nope' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'
            priority should be a number, actually was <<"x">>

            set-policy p [ queues 0 '{"max-length":5}'
              PreconditionFailed: Validation failed

            pattern should be regular expression but is invalid: {"missing terminating ] for character class",
                                                                  1}

            set-policy p '' queues 0 '{"max-length":-1}'
              PreconditionFailed: Validation failed

            -1 is not a valid maximum length

            set-policy p '' queues 0 '{"max-length":1.5}'
              PreconditionFailed: Validation failed

            1.5 is not a valid maximum length

            set-policy p '' queues 0 '{"max-length":1e20}'
              PreconditionFailed: Validation failed

            1.0e+20 is not a valid maximum length

            set-policy p '' queues 0 '{"max-length":""}'
              PreconditionFailed: Validation failed

            <<>> is not a valid maximum length

            set-policy p '' queues 0 '{"max-length":[97,98]}'
              PreconditionFailed: Validation failed

            "ab" is not a valid maximum length

            set-policy p '' queues 0 '{"max-length":18446744073709551615}'
              done | PoliciesChanged v
            set-policy p '' queues 0 '{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa":1,"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb":2}'
              PreconditionFailed: Validation failed

            [{<<"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa">>,1},
             {<<"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb">>,2}] are not recognised policy settings

            set-policy p '' queues 0 '{"expires":0}'
              PreconditionFailed: Validation failed

            0 is not a valid queue expiry

            set-policy p '' queues 0 '{"overflow":"nope"}'
              PreconditionFailed: Validation failed

            <<"nope">> is not a valid overflow value

            set-policy p '' queues 0 '{"dead-letter-exchange":{"a":[1,null]}}'
              PreconditionFailed: Validation failed

            #{<<"a">> => [1,null]} is not a valid dead letter exchange name

            set-policy p '' queues 0 '{"max-age":"7 days"}'
              PreconditionFailed: Validation failed

            <<"7 days">> is not a valid max age

            set-policy p '' queues 0 '{"queue-master-locator":"min-masters"}'
              PreconditionFailed: Validation failed

            use of deprecated queue-master-locator argument is not permitted

            set-policy p '' queues 0 '{"stream-filter-size-bytes":15}'
              PreconditionFailed: Validation failed

            15 is not a valid filter size. Valid range is 16-255

            set-policy p '' queues 0 '{"delayed-retry-type":"all"}'
              PreconditionFailed: Validation failed

            delayed-retry-min is required when delayed-retry-type is all

            set-policy p '' queues 0 '{"delayed-retry-min":5,"delayed-retry-max":4}'
              PreconditionFailed: Validation failed

            delayed-retry-max (4) must not be smaller than delayed-retry-min (5)

            set-policy p '' queues 0 '{"federation-upstream":"a","federation-upstream-set":"b"}'
              PreconditionFailed: Validation failed

            cannot specify federation-upstream, federation-upstream-set or federation-upstream-pattern together

            set-policy p '' queues 0 '{"routing-key":"a"}'
              PreconditionFailed: Validation failed

            shards-per-node must be specified

            set-policy p '' queues 0 '{"ha-mode":"all"}'
              PreconditionFailed: Validation failed

            [{<<"ha-mode">>,<<"all">>}] are not recognised policy settings

            set-operator-policy p '' queues 0 '{"dead-letter-exchange":"x"}'
              PreconditionFailed: Validation failed

            [{<<"dead-letter-exchange">>,<<"x">>}] are not recognised policy settings

            set-parameter policy p '{"pattern":5,"definition":{"max-length":5},"x":1}'
              PreconditionFailed: Validation failed

            Unrecognised terms [{<<"x">>,1}] in p
            pattern should be a binary but was 5
            Key "priority" not found in p

            set-parameter nope p 5
              PreconditionFailed: Validation failed

            component nope not found

            set-parameter vhost-limits limits '{"max-queues":"x","a":1}'
              PreconditionFailed: Validation failed

            Unrecognised terms [{<<"a">>,1}] in limits
            max-queues should be a number, actually was <<"x">>

            clear-policy p
              done | PoliciesChanged v
            clear-policy p
              NotFound: Parameter does not exist
        "#]],
    );
}

#[test]
fn a_policy_names_the_alternate_exchange_unless_an_argument_does() {
    check(
        r#"declare-queue q
           declare-queue r
           bind amq.fanout q ''
           bind amq.topic r '#'
           declare-exchange x direct
           declare-exchange y direct alternate-exchange=amq.topic
           route x k
           set-policy ae ^[xy]$ exchanges 0 '{"alternate-exchange":"amq.fanout"}'
           route x k
           route y k
           clear-policy ae
           route x k"#,
        expect![[r#"
            declare-queue q
              queue q created: true | QueueCreated q
            declare-queue r
              queue r created: true | QueueCreated r
            bind amq.fanout q ''
              bound: true | BindingCreated amq.fanout -> q
            bind amq.topic r '#'
              bound: true | BindingCreated amq.topic -> r
            declare-exchange x direct
              exchange created: true | ExchangeCreated x
            declare-exchange y direct alternate-exchange=amq.topic
              exchange created: true | ExchangeCreated y
            route x k
              nowhere
            set-policy ae ^[xy]$ exchanges 0 '{"alternate-exchange":"amq.fanout"}'
              done | PoliciesChanged v
            route x k
              q
            route y k
              r
            clear-policy ae
              done | PoliciesChanged v
            route x k
              nowhere
        "#]],
    );
}

#[test]
fn parameters_are_listed_and_cleared() {
    check(
        r#"set-operator-policy o ^a queues 1 '{"max-length":5}'
           set-parameter vhost-limits limits '{"max-queues":5,"max-connections":-1}'
           parameters
           clear-parameter vhost-limits limits
           clear-parameter vhost-limits limits
           clear-parameter operator_policy o
           parameters
           cluster-name rabbit@here
           set-global gp '{"a":[1,true]}'
           globals
           clear-global gp
           clear-global gp
           globals"#,
        expect![[r#"
            set-operator-policy o ^a queues 1 '{"max-length":5}'
              done | PoliciesChanged v
            set-parameter vhost-limits limits '{"max-queues":5,"max-connections":-1}'
              done | VhostLimitsChanged v
            parameters
              operator_policy o {"apply-to":"queues","definition":{"max-length":5},"pattern":"^a","priority":1}
              vhost-limits limits {"max-queues":5}
            clear-parameter vhost-limits limits
              done | VhostLimitsChanged v
            clear-parameter vhost-limits limits
              NotFound: Parameter does not exist
            clear-parameter operator_policy o
              done | PoliciesChanged v
            parameters
              none
            cluster-name rabbit@here
              done
            set-global gp '{"a":[1,true]}'
              done
            globals
              cluster_name "rabbit@here"
              gp {"a":[1,true]}
            clear-global gp
              done
            clear-global gp
              NotFound: Parameter does not exist
            globals
              cluster_name "rabbit@here"
        "#]],
    );
}
