//! What is stored comes back, or is an error.

use expect_test::expect;
use proptest::prelude::*;

use crate::stored::snapshot::{StoredBinding, StoredQueue, StoredUser};
use crate::stored::to_bytes;
use crate::testing::{Transcript, command, split};
use crate::{AddVhost, Command, DeclareExchange, QueueRecord, State, StoredError, VhostLimits};

#[test]
fn equal_arguments_are_kept_once() {
    let mut transcript = Transcript::new();
    transcript.run("declare-queue a durable\ndeclare-queue b durable");
    let vhost = transcript.state.vhost("v").expect("is there");
    let arguments = ["a", "b"].map(|name| &vhost.queue(name).expect("was declared").arguments);
    assert!(std::sync::Arc::ptr_eq(arguments[0], arguments[1]));
    let size = size_of::<QueueRecord>();
    assert!(size <= 200, "a queue's record takes {size} bytes");
}

/// Enough of everything to be worth a snapshot.
const FULL: &str = r#"
    add-vhost w stream
    limit-vhost w 5 -1
    protect-vhost w on
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
    set-policy p ^q queues 1 '{"max-length":5,"overflow":"reject-publish"}'
    set-operator-policy o '' all 2.5 '{"max-length":4}'
    set-global gp '{"a":[1,null]}'
    cluster-name rabbit@here"#;

#[test]
fn a_snapshot_is_the_state() {
    let mut transcript = Transcript::new();
    transcript.run(FULL);
    let bytes = transcript.state.snapshot();
    let restored = State::restore(&bytes).expect("was just written");
    assert_eq!(restored.snapshot(), bytes);
    let script =
        "route t a.b.c\nlookup q 1\nlookup e 7\naccess u queue ab write\npolicies-of q\nglobals";
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
        policies-of q
          p and o: {"max-length":4,"overflow":"reject-publish"}
        globals
          cluster_name "rabbit@here"
          gp {"a":[1,null]}
    "#]]
    .assert_eq(continued.output());
}

/// As versions before policies wrote it.
#[derive(minicbor::Encode)]
struct OldState {
    #[n(0)]
    cluster_name: Option<String>,
    #[n(1)]
    vhosts: Vec<OldVhost>,
    #[n(2)]
    users: Vec<StoredUser>,
    #[n(3)]
    applied_index: u64,
}

#[derive(minicbor::Encode)]
struct OldVhost {
    #[n(0)]
    vhost: AddVhost,
    #[n(1)]
    limits: VhostLimits,
    #[n(2)]
    exchanges: Vec<DeclareExchange>,
    #[n(3)]
    queues: Vec<StoredQueue>,
    #[n(4)]
    bindings: Vec<StoredBinding>,
}

#[test]
fn a_snapshot_from_before_policies_is_read() {
    let vhost = OldVhost {
        vhost: AddVhost { name: "v".to_owned(), ..AddVhost::default() },
        limits: VhostLimits::default(),
        exchanges: Vec::new(),
        queues: Vec::new(),
        bindings: Vec::new(),
    };
    let old = OldState {
        cluster_name: Some("rabbit@here".to_owned()),
        vhosts: vec![vhost],
        users: Vec::new(),
        applied_index: 7,
    };
    let state = State::restore(&to_bytes(&old)).expect("an older version wrote it");
    assert!(state.vhost("v").is_some());
    assert_eq!((state.cluster_name(), state.applied_index()), (Some("rabbit@here"), 7));
}

/// A later version that asks more of new ones must not drop those of an earlier one.
#[test]
fn what_was_declared_once_is_not_asked_anew() {
    let mut transcript = Transcript::new();
    transcript.run("declare-exchange h headers durable");
    let refused = "declare-queue q durable x-max-length=-1\nbind h q '' x-match=5";
    for line in refused.lines() {
        let answer = transcript.answer(line);
        assert!(answer.starts_with("PreconditionFailed"), "{line}: {answer}");
        transcript.apply(&command(&line.split(' ').collect::<Vec<_>>())).expect("as it stands");
    }
    let bytes = transcript.state.snapshot();
    let restored = State::restore(&bytes).expect("was just written");
    assert_eq!(restored.snapshot(), bytes);
    assert!(restored.vhost("v").is_some_and(|vhost| vhost.queue("q").is_some()));
}

/// Neither in the log nor in a snapshot: a start must not fail over a policy, nor lose one.
#[test]
fn a_policy_that_is_not_understood_any_more_has_no_effect_and_stays() {
    let mut transcript = Transcript::new();
    transcript.run("declare-queue q durable\ndeclare-queue p durable");
    for line in [
        r#"set-policy pattern ( all 1 '{"max-length":1}'"#,
        r#"set-policy keys ^q all 0 '{"max-length":2,"of-tomorrow":true,"expires":"soon"}'"#,
        r#"set-policy kind ^q all_of_tomorrow 2 '{"max-length":3}'"#,
        r#"set-operator-policy theirs ^q all 0 '{"dead-letter-exchange":"x","max-length-bytes":9}'"#,
    ] {
        let answer = transcript.answer(line);
        assert!(answer.starts_with("PreconditionFailed"), "{line}: {answer}");
        transcript.apply(&command_of(line)).expect("as it stands");
    }
    let bytes = transcript.state.snapshot();
    transcript.state = State::restore(&bytes).expect("was just written");
    assert_eq!(transcript.state.snapshot(), bytes);
    transcript.run("policies-of q\npolicies-of p");
    expect![[r#"
        declare-queue q durable
          queue q created: true | QueueCreated q
        declare-queue p durable
          queue p created: true | QueueCreated p
        policies-of q
          keys and theirs: {"max-length":2,"max-length-bytes":9}
        policies-of p
          none and none: null
    "#]]
    .assert_eq(transcript.output());
    let found = transcript.state.not_understood();
    assert_eq!(
        found,
        [
            "policy 'keys' in vhost 'v'",
            "policy 'kind' in vhost 'v'",
            "policy 'pattern' in vhost 'v'",
            "operator_policy 'theirs' in vhost 'v'",
        ]
    );
}

#[test]
fn a_permission_that_does_not_compile_any_more_permits_nothing_and_stays() {
    let mut transcript = Transcript::new();
    transcript.run("add-user u\ndeclare-exchange t topic");
    for line in ["permit u v ( .* .*", "permit-topic u t ({username} .*"] {
        transcript.apply(&command_of(line)).expect("as it stands");
    }
    let bytes = transcript.state.snapshot();
    transcript.state = State::restore(&bytes).expect("was just written");
    assert_eq!(transcript.state.snapshot(), bytes);
    for (line, may) in [
        ("access u queue ( configure", false),
        ("access u queue q write", true),
        ("topic-access u t write u", false),
        ("topic-access u t read u", true),
    ] {
        let answer = transcript.answer(line);
        assert_eq!(answer == "allowed", may, "{line}: {answer}");
    }
    assert_eq!(
        transcript.state.not_understood(),
        [
            "permissions of user 'u' in vhost 'v'",
            "topic permissions of user 'u' for 't' in vhost 'v'",
        ]
    );
}

fn command_of(line: &str) -> Command {
    let words = split(line);
    command(&words.iter().map(String::as_str).collect::<Vec<_>>())
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
        ("[pq]", "(|\\^q)", "[0-2]", "[1-3]").prop_map(
            |(name, pattern, priority, length)| format!(
                "set-policy {name} '{pattern}' all {priority} '{{\"max-length\":{length}}}'"
            )
        ),
        "[pq]".prop_map(|name| format!("clear-policy {name}")),
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
        transcript.run("clear-policy p\nclear-policy q");
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
