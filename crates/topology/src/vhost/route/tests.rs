use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::testing::{Transcript, run};

fn check(script: &str, expected: Expect) {
    expected.assert_eq(&run(script));
}

#[test]
fn the_default_exchange_knows_every_queue() {
    check(
        "declare-queue a
         declare-queue b
         route '' a
         route '' a+b+a
         route '' c
         cacheable ''
         route nope a",
        expect![[r#"
            declare-queue a
              queue a created: true | QueueCreated a
            declare-queue b
              queue b created: true | QueueCreated b
            route '' a
              a
            route '' a+b+a
              a b
            route '' c
              nowhere
            cacheable ''
              true
            route nope a
              NotFound: no exchange 'nope' in vhost 'v'
        "#]],
    );
}

#[test]
fn direct_and_fanout() {
    check(
        "declare-queue a
         declare-queue b
         bind amq.direct a k
         bind amq.direct b k
         bind amq.direct b l
         route amq.direct k
         route amq.direct l
         route amq.direct l+k
         route amq.direct m
         unbind amq.direct a k
         route amq.direct k
         bind amq.fanout a one
         bind amq.fanout a two
         route amq.fanout any
         cacheable amq.fanout",
        expect![[r#"
            declare-queue a
              queue a created: true | QueueCreated a
            declare-queue b
              queue b created: true | QueueCreated b
            bind amq.direct a k
              bound: true | BindingCreated amq.direct -> a
            bind amq.direct b k
              bound: true | BindingCreated amq.direct -> b
            bind amq.direct b l
              bound: true | BindingCreated amq.direct -> b
            route amq.direct k
              a b
            route amq.direct l
              b
            route amq.direct l+k
              a b
            route amq.direct m
              nowhere
            unbind amq.direct a k
              unbound: true | BindingDeleted amq.direct -> a
            route amq.direct k
              b
            bind amq.fanout a one
              bound: true | BindingCreated amq.fanout -> a
            bind amq.fanout a two
              bound: true | BindingCreated amq.fanout -> a
            route amq.fanout any
              a
            cacheable amq.fanout
              true
        "#]],
    );
}

#[test]
fn topics() {
    check(
        "declare-queue all
         declare-queue star
         declare-queue tail
         declare-queue middle
         declare-queue exact
         declare-queue empty
         bind amq.topic all #
         bind amq.topic star a.*.c
         bind amq.topic tail a.#
         bind amq.topic middle #.b.#
         bind amq.topic exact a.b.c
         bind amq.topic empty ''
         route amq.topic a.b.c
         route amq.topic a
         route amq.topic ''
         route amq.topic b
         route amq.topic a..c
         route amq.topic .
         route amq.topic a.*.c
         route amq.topic x.#.y
         unbind amq.topic all #
         unbind amq.topic exact a.b.c
         route amq.topic a.b.c
         route amq.topic x
         cacheable amq.topic",
        expect![[r#"
            declare-queue all
              queue all created: true | QueueCreated all
            declare-queue star
              queue star created: true | QueueCreated star
            declare-queue tail
              queue tail created: true | QueueCreated tail
            declare-queue middle
              queue middle created: true | QueueCreated middle
            declare-queue exact
              queue exact created: true | QueueCreated exact
            declare-queue empty
              queue empty created: true | QueueCreated empty
            bind amq.topic all #
              bound: true | BindingCreated amq.topic -> all
            bind amq.topic star a.*.c
              bound: true | BindingCreated amq.topic -> star
            bind amq.topic tail a.#
              bound: true | BindingCreated amq.topic -> tail
            bind amq.topic middle #.b.#
              bound: true | BindingCreated amq.topic -> middle
            bind amq.topic exact a.b.c
              bound: true | BindingCreated amq.topic -> exact
            bind amq.topic empty ''
              bound: true | BindingCreated amq.topic -> empty
            route amq.topic a.b.c
              all star tail middle exact
            route amq.topic a
              all tail
            route amq.topic ''
              all empty
            route amq.topic b
              all middle
            route amq.topic a..c
              all star tail
            route amq.topic .
              all
            route amq.topic a.*.c
              all star tail
            route amq.topic x.#.y
              all
            unbind amq.topic all #
              unbound: true | BindingDeleted amq.topic -> all
            unbind amq.topic exact a.b.c
              unbound: true | BindingDeleted amq.topic -> exact
            route amq.topic a.b.c
              star tail middle
            route amq.topic x
              nowhere
            cacheable amq.topic
              true
        "#]],
    );
}

#[test]
fn headers() {
    check(
        "declare-queue all
         declare-queue any
         declare-queue with-x
         declare-queue any-with-x
         declare-queue present
         declare-queue everything
         bind amq.headers all '' a=1 b=two
         bind amq.headers any '' x-match=any a=1 b=two
         bind amq.headers with-x '' x-match=all-with-x a=1 x-y=1
         bind amq.headers any-with-x '' x-match=any-with-x x-y=1
         bind amq.headers present '' p=void
         bind amq.headers everything ''
         route amq.headers k a=1 b=two
         route amq.headers k a=long:1
         route amq.headers k a=1 x-y=1
         route amq.headers k a=one b=2
         route amq.headers k p=anything
         route amq.headers k
         cacheable amq.headers",
        expect![[r#"
            declare-queue all
              queue all created: true | QueueCreated all
            declare-queue any
              queue any created: true | QueueCreated any
            declare-queue with-x
              queue with-x created: true | QueueCreated with-x
            declare-queue any-with-x
              queue any-with-x created: true | QueueCreated any-with-x
            declare-queue present
              queue present created: true | QueueCreated present
            declare-queue everything
              queue everything created: true | QueueCreated everything
            bind amq.headers all '' a=1 b=two
              bound: true | BindingCreated amq.headers -> all
            bind amq.headers any '' x-match=any a=1 b=two
              bound: true | BindingCreated amq.headers -> any
            bind amq.headers with-x '' x-match=all-with-x a=1 x-y=1
              bound: true | BindingCreated amq.headers -> with-x
            bind amq.headers any-with-x '' x-match=any-with-x x-y=1
              bound: true | BindingCreated amq.headers -> any-with-x
            bind amq.headers present '' p=void
              bound: true | BindingCreated amq.headers -> present
            bind amq.headers everything ''
              bound: true | BindingCreated amq.headers -> everything
            route amq.headers k a=1 b=two
              all any everything
            route amq.headers k a=long:1
              any everything
            route amq.headers k a=1 x-y=1
              any with-x any-with-x everything
            route amq.headers k a=one b=2
              everything
            route amq.headers k p=anything
              present everything
            route amq.headers k
              everything
            cacheable amq.headers
              false
        "#]],
    );
}

#[test]
fn bindings_between_exchanges_may_go_in_circles() {
    check(
        "declare-queue a
         declare-queue b
         declare-exchange x fanout
         declare-exchange y fanout
         bind x exchange:y ''
         bind y exchange:x ''
         bind x a ''
         bind y a ''
         bind y b ''
         route x k
         route y k
         cacheable x
         bind y exchange:amq.headers ''
         cacheable x
         delete-exchange y
         route x k
         cacheable x",
        expect![[r#"
            declare-queue a
              queue a created: true | QueueCreated a
            declare-queue b
              queue b created: true | QueueCreated b
            declare-exchange x fanout
              exchange created: true | ExchangeCreated x
            declare-exchange y fanout
              exchange created: true | ExchangeCreated y
            bind x exchange:y ''
              bound: true | BindingCreated x -> y
            bind y exchange:x ''
              bound: true | BindingCreated y -> x
            bind x a ''
              bound: true | BindingCreated x -> a
            bind y a ''
              bound: true | BindingCreated y -> a
            bind y b ''
              bound: true | BindingCreated y -> b
            route x k
              a b
            route y k
              a b
            cacheable x
              true
            bind y exchange:amq.headers ''
              bound: true | BindingCreated y -> amq.headers
            cacheable x
              false
            delete-exchange y
              done | BindingDeleted x -> y | BindingDeleted y -> x | BindingDeleted y -> a | BindingDeleted y -> b | BindingDeleted y -> amq.headers | ExchangeDeleted y
            route x k
              a
            cacheable x
              true
        "#]],
    );
}

#[test]
fn alternate_exchanges_take_what_is_left() {
    check(
        "declare-queue a
         declare-queue rest
         declare-exchange x direct alternate-exchange=y
         declare-exchange y direct alternate-exchange=x
         declare-exchange z fanout
         route x k
         bind y rest k
         route x k
         bind x exchange:z k
         route x k
         bind z a ''
         route x k
         declare-exchange lost direct alternate-exchange=nope
         route lost k
         cacheable lost",
        expect![[r#"
            declare-queue a
              queue a created: true | QueueCreated a
            declare-queue rest
              queue rest created: true | QueueCreated rest
            declare-exchange x direct alternate-exchange=y
              exchange created: true | ExchangeCreated x
            declare-exchange y direct alternate-exchange=x
              exchange created: true | ExchangeCreated y
            declare-exchange z fanout
              exchange created: true | ExchangeCreated z
            route x k
              nowhere
            bind y rest k
              bound: true | BindingCreated y -> rest
            route x k
              rest
            bind x exchange:z k
              bound: true | BindingCreated x -> z
            route x k
              nowhere
            bind z a ''
              bound: true | BindingCreated z -> a
            route x k
              a
            declare-exchange lost direct alternate-exchange=nope
              exchange created: true | ExchangeCreated lost
            route lost k
              nowhere
            cacheable lost
              true
        "#]],
    );
}

#[test]
fn one_of_several() {
    check(
        "declare-queue a
         declare-queue b
         declare-queue c
         declare-exchange random x-local-random
         declare-exchange modulus x-modulus-hash
         bind random a key
         bind random exchange:modulus ''
         route random k
         bind random a ''
         bind random b ''
         route random k
         cacheable random
         route modulus k
         bind modulus c ''
         bind modulus b ''
         bind modulus a ''
         route modulus k1
         route modulus k2
         route modulus k3
         route modulus k4
         cacheable modulus",
        expect![[r#"
            declare-queue a
              queue a created: true | QueueCreated a
            declare-queue b
              queue b created: true | QueueCreated b
            declare-queue c
              queue c created: true | QueueCreated c
            declare-exchange random x-local-random
              exchange created: true | ExchangeCreated random
            declare-exchange modulus x-modulus-hash
              exchange created: true | ExchangeCreated modulus
            bind random a key
              PreconditionFailed: Non empty binding 'key' key not permitted
            bind random exchange:modulus ''
              PreconditionFailed: Destination not found
            route random k
              nowhere
            bind random a ''
              bound: true | BindingCreated random -> a
            bind random b ''
              bound: true | BindingCreated random -> b
            route random k
              b
            cacheable random
              false
            route modulus k
              nowhere
            bind modulus c ''
              bound: true | BindingCreated modulus -> c
            bind modulus b ''
              bound: true | BindingCreated modulus -> b
            bind modulus a ''
              bound: true | BindingCreated modulus -> a
            route modulus k1
              a
            route modulus k2
              a
            route modulus k3
              a
            route modulus k4
              b
            cacheable modulus
              true
        "#]],
    );
}

/// Whether words match a pattern, the slow and obvious way.
fn topic_matches(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], []) => true,
        (["#", rest @ ..], _) => (0..=words.len()).any(|skip| topic_matches(rest, &words[skip..])),
        (["*", rest @ ..], [_, words @ ..]) => topic_matches(rest, words),
        ([word, rest @ ..], [first, words @ ..]) => word == first && topic_matches(rest, words),
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

fn words(key: &str) -> Vec<&str> {
    if key.is_empty() { Vec::new() } else { key.split('.').collect() }
}

#[derive(Clone, Debug)]
struct Bound {
    source: usize,
    /// Queues first, then exchanges.
    destination: usize,
    key: String,
}

const QUEUES: usize = 4;
const EXCHANGES: [(&str, &str); 4] =
    [("t", "topic"), ("d", "direct"), ("f", "fanout"), ("u", "topic")];

/// The queues that a naive walk over all bindings finds.
fn naive_route(bindings: &[Bound], source: usize, key: &str) -> Vec<usize> {
    let mut reached = vec![source];
    let mut idx = 0;
    let mut queues = std::collections::BTreeSet::new();
    while let Some(&exchange) = reached.get(idx) {
        idx += 1;
        for bound in bindings.iter().filter(|bound| bound.source == exchange) {
            let matches = match EXCHANGES[exchange].1 {
                "topic" => topic_matches(&words(&bound.key), &words(key)),
                "direct" => bound.key == key,
                _ => true,
            };
            match bound.destination.checked_sub(QUEUES) {
                _ if !matches => {}
                None => {
                    queues.insert(bound.destination);
                }
                Some(next) if reached.contains(&next) => {}
                Some(next) => reached.push(next),
            }
        }
    }
    queues.into_iter().collect()
}

fn key() -> impl Strategy<Value = String> {
    let word = prop_oneof![Just("a"), Just("b"), Just("*"), Just("#"), Just("")];
    prop::collection::vec(word, 0..6)
        .prop_map(|words| words.join("."))
        .prop_filter("at most two wildcards of many words", |key| {
            words(key).iter().filter(|word| **word == "#").count() <= 2
        })
}

fn bound() -> impl Strategy<Value = Bound> {
    (0..EXCHANGES.len(), 0..QUEUES + EXCHANGES.len(), key())
        .prop_map(|(source, destination, key)| Bound { source, destination, key })
}

fn line(verb: &str, bound: &Bound) -> String {
    let destination = match bound.destination.checked_sub(QUEUES) {
        None => format!("q{}", bound.destination),
        Some(exchange) => format!("exchange:{}", EXCHANGES[exchange].0),
    };
    format!("{verb} {} {destination} '{}'", EXCHANGES[bound.source].0, bound.key)
}

proptest! {
    #[test]
    fn routes_are_those_of_a_naive_walk(
        bindings in prop::collection::vec((bound(), any::<bool>()), 0..30),
        keys in prop::collection::vec(key(), 1..10),
    ) {
        let mut transcript = Transcript::new();
        for queue in 0..QUEUES {
            transcript.run(&format!("declare-queue q{queue} durable"));
        }
        for (name, kind) in EXCHANGES {
            transcript.run(&format!("declare-exchange {name} {kind}"));
        }
        for (bound, _) in &bindings {
            transcript.run(&line("bind", bound));
        }
        let gone = |bound: &Bound| bindings.iter().any(|(other, is_kept)| {
            !is_kept && line("", other) == line("", bound)
        });
        for (bound, is_kept) in &bindings {
            if !is_kept {
                transcript.run(&line("unbind", bound));
            }
        }
        let left: Vec<_> =
            bindings.iter().map(|(bound, _)| bound).filter(|b| !gone(b)).cloned().collect();
        for key in &keys {
            for (idx, (name, _)) in EXCHANGES.iter().enumerate() {
                let expected = naive_route(&left, idx, key);
                let expected: Vec<_> = expected.iter().map(|queue| format!("q{queue}")).collect();
                let expected =
                    if expected.is_empty() { "nowhere".to_owned() } else { expected.join(" ") };
                prop_assert_eq!(transcript.answer(&format!("route {name} '{key}'")), expected);
            }
        }
    }

    #[test]
    fn headers_match_like_a_naive_walk(
        mode in prop_oneof![Just("all"), Just("any"), Just("all-with-x"), Just("any-with-x")],
        arguments in prop::collection::btree_map("(a|b|x-c)", "(1|2|void)", 0..4),
        headers in prop::collection::btree_map("(a|b|x-c)", "[12]", 0..4),
    ) {
        let mut transcript = Transcript::new();
        transcript.run("declare-queue q");
        let table = |of: &std::collections::BTreeMap<String, String>| {
            of.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        transcript.run(&format!("bind amq.match q '' x-match={mode} {}", table(&arguments)));
        let counts = |name: &str| mode.ends_with("with-x") || !name.starts_with("x-");
        let mut matching = arguments.iter().filter(|(name, _)| counts(name)).map(|(name, value)| {
            headers.get(name).is_some_and(|header| value == "void" || header == value)
        });
        let expected =
            if mode.starts_with("all") { matching.all(|it| it) } else { matching.any(|it| it) };
        let expected = if expected { "q" } else { "nowhere" };
        let answer = transcript.answer(&format!("route amq.match k {}", table(&headers)));
        prop_assert_eq!(answer, expected);
    }
}
