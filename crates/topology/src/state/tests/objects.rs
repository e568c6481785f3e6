//! Queues, exchanges and bindings come and go.

use expect_test::expect;

use super::check;

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
              bound: true | BindingCreated amq.fanout -> e
            unbind amq.fanout e '' by=2
              ResourceLocked: cannot obtain exclusive access to locked queue 'e' in vhost 'v'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.
            unbind amq.fanout e '' by=1
              may; exists: true
            unbind amq.direct e '' by=2
              may; exists: false
            restart
              1 deleted | BindingDeleted amq.fanout -> e | QueueDeleted e
            lookup e 1
              NotFound: no queue 'e' in vhost 'v'
        "#]],
    );
}

#[test]
fn quorum_queues_are_durable_and_streams_are_refused_last() {
    check(
        "declare-queue z durable x-queue-type=stream
         declare-queue z x-queue-type=quorum
         declare-queue z durable auto-delete x-queue-type=quorum
         declare-queue z owner:1 x-queue-type=stream
         authorize declare-queue '' durable x-queue-type=quorum
         declare-queue z durable x-queue-type=quorum
         declare-queue z durable
         declare-queue z durable x-queue-type=quorum x-max-length=5
         authorize declare-queue '' durable
         authorize declare-queue amq.z
         authorize declare-queue q x-dead-letter-exchange=dlx
         declare-queue ''
         delete-vhost v
         add-vhost v quorum
         declare-queue z durable
         declare-queue y",
        expect![[r#"
            declare-queue z durable x-queue-type=stream
              PreconditionFailed: invalid arg 'x-queue-type' for queue 'z' in vhost 'v': "unsupported queue type 'stream'"
            declare-queue z x-queue-type=quorum
              PreconditionFailed: invalid property 'non-durable' for queue 'z' in vhost 'v'
            declare-queue z durable auto-delete x-queue-type=quorum
              PreconditionFailed: invalid property 'auto-delete' for queue 'z' in vhost 'v'
            declare-queue z owner:1 x-queue-type=stream
              PreconditionFailed: invalid property 'exclusive-owner' for queue 'z' in vhost 'v'
            authorize declare-queue '' durable x-queue-type=quorum
              PreconditionFailed: Cannot declare a server-named queue for type rabbit_quorum_queue
            declare-queue z durable x-queue-type=quorum
              queue z created: true | QueueCreated z
            declare-queue z durable
              PreconditionFailed: inequivalent arg 'x-queue-type' for queue 'z' in vhost 'v': received 'classic' but current is 'quorum'
            declare-queue z durable x-queue-type=quorum x-max-length=5
              PreconditionFailed: inequivalent arg 'x-max-length' for queue 'z' in vhost 'v': received the value '5' of type 'signedint' but current is none
            authorize declare-queue '' durable
              asked for:
            authorize declare-queue amq.z
              AccessRefused: queue name 'amq.z' contains reserved prefix 'amq.*'
            authorize declare-queue q x-dead-letter-exchange=dlx
              asked for: configure Queue q; read Queue q; write Exchange dlx;
            declare-queue ''
              NotFound: no queue '' in vhost 'v'
            delete-vhost v
              done | QueueDeleted z | ExchangeDeleted  | ExchangeDeleted amq.direct | ExchangeDeleted amq.fanout | ExchangeDeleted amq.headers | ExchangeDeleted amq.match | ExchangeDeleted amq.rabbitmq.trace | ExchangeDeleted amq.topic | VhostDeleted v
            add-vhost v quorum
              vhost created: true | VhostCreated v
            declare-queue z durable
              queue z created: true | QueueCreated z
            declare-queue y
              queue y created: true | QueueCreated y
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
              bound: true | BindingCreated x -> q
            delete-exchange x if-unused
              PreconditionFailed: exchange 'x' in vhost 'v' in use
            delete-exchange x
              done | BindingDeleted x -> q | ExchangeDeleted x
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
              bound: true | BindingCreated amq.direct -> q
            bind amq.direct q k
              bound: false
            bind amq.direct q k a=1 b=2
              bound: true | BindingCreated amq.direct -> q
            bind amq.direct q k b=2 a=1
              bound: false
            bind h q '' x-match=most
              PreconditionFailed: Invalid x-match field value <<"most">>; expected all, any, all-with-x, or any-with-x
            bind h q '' x-match=5
              PreconditionFailed: Invalid x-match field type signedint (value 5); expected longstr
            bind h q '' x-match=any a=1
              bound: true | BindingCreated h -> q
            bind amq.topic q #.a.#.b.#
              PreconditionFailed: Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed
            bind amq.topic exchange:h #
              bound: true | BindingCreated amq.topic -> h
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
              unbound: true | BindingDeleted amq.direct -> q
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
              bound: true | BindingCreated a -> b
            bind b q ''
              bound: true | BindingCreated b -> q
            delete-queue q
              1 deleted | BindingDeleted b -> q | BindingDeleted a -> b | ExchangeDeleted b | ExchangeDeleted a | QueueDeleted q
            declare-queue q
              queue q created: true | QueueCreated q
            declare-exchange c fanout auto-delete
              exchange created: true | ExchangeCreated c
            bind amq.fanout exchange:c ''
              bound: true | BindingCreated amq.fanout -> c
            bind c q ''
              bound: true | BindingCreated c -> q
            unbind amq.fanout exchange:c ''
              unbound: true | BindingDeleted amq.fanout -> c
            unbind c q ''
              unbound: true | BindingDeleted c -> q | ExchangeDeleted c
            declare-exchange d direct auto-delete
              exchange created: true | ExchangeCreated d
            bind d q one
              bound: true | BindingCreated d -> q
            bind d q two
              bound: true | BindingCreated d -> q
            unbind d q one
              unbound: true | BindingDeleted d -> q
            route d two
              q
            restart
              1 deleted | BindingDeleted d -> q | ExchangeDeleted d | QueueDeleted q
            declare-queue q
              queue q created: true | QueueCreated q
        "#]],
    );
}
