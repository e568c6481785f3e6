//! Commands in, what the queue did out.

use expect_test::{Expect, expect};
use topology::{DelayedRetry, Overflow, QueueSettings, QuorumSettings, RetryKind};

use super::harness::{Harness, Outgoing, Seen, consumer, getter, record};
use crate::queue::{Attempts, Settle};

/// Runs a script, one command per line, and compares what happened.
///
/// A delivery reads `c1 <- a`, a `*` behind a body means redelivered, and `*2/1` that it was tried
/// twice and failed once. A queue whose messages leave memory after each command does the same as
/// one whose messages stay.
pub(super) fn check(script: &str, expected: Expect) {
    let seen = play(script, |_| ());
    let paged = play(script, Harness::page_all_out);
    assert_eq!(paged, seen, "with and without pages");
    expected.assert_eq(&seen);
}

fn play(script: &str, after_each: impl Fn(&mut Harness)) -> String {
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut harness = declare(lines.next().expect("a script declares its queue"));
    let mut out = Vec::new();
    for line in lines {
        let mut words = line.split(' ');
        let command = words.next().expect("lines are not empty");
        let rest: Vec<&str> = words.collect();
        if let Some(answer) = run(&mut harness, command, &rest) {
            out.push(answer);
        }
        out.extend(harness.seen.drain(..).map(show));
        harness.forget();
        after_each(&mut harness);
    }
    out.join("\n")
}

fn declare(line: &str) -> Harness {
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    let has = |property: &str| words.contains(&property);
    Harness::new(record(settings(&words), !has("transient"), has("auto-delete")))
}

fn settings(words: &[&str]) -> QueueSettings {
    let mut settings = QueueSettings::default();
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = value.parse().ok();
        match key {
            "ttl" => settings.message_ttl_ms = number,
            "expires" => settings.expires_ms = number,
            "max-length" => settings.max_length = number,
            "max-bytes" => settings.max_length_bytes = number,
            "overflow" => {
                settings.overflow = Overflow::from_name(value.as_bytes()).expect("a mode");
            }
            "dlx" => settings.dead_letter_exchange = Some("dlx".into()),
            "priorities" => settings.max_priority = value.parse().ok(),
            "single-active" => settings.single_active_consumer = true,
            "quorum" => {
                settings.quorum = Some(Box::new(QuorumSettings {
                    delivery_limit: Some(20),
                    ..Default::default()
                }));
            }
            "limit" | "retry" | "at-least-once" => {
                set_quorum(settings.quorum.as_mut().expect("quorum comes first"), key, value);
            }
            "transient" | "auto-delete" => {}
            _ => panic!("unknown property {word}"),
        }
    }
    settings
}

fn set_quorum(settings: &mut QuorumSettings, key: &str, value: &str) {
    match key {
        "limit" => settings.delivery_limit = value.parse().ok(),
        "at-least-once" => settings.dead_letters_at_least_once = true,
        _ => {
            let words: Vec<&str> = value.split(':').collect();
            let kind = match words[0] {
                "all" => RetryKind::All,
                "failed" => RetryKind::Failed,
                _ => RetryKind::Returned,
            };
            let ms = |word: &str| word.parse().expect("milliseconds");
            let (min_ms, max_ms) = (ms(words[1]), ms(words[2]));
            settings.delayed_retry = Some(DelayedRetry { kind, min_ms, max_ms });
        }
    }
}

fn run(harness: &mut Harness, command: &str, rest: &[&str]) -> Option<String> {
    let id = |name: &str| name.trim_start_matches('c').parse().expect("consumers are c<number>");
    match command {
        "publish" => {
            let batch: Vec<Outgoing> = rest.iter().map(|word| outgoing(word)).collect();
            harness.publish(&batch);
        }
        "consume" => {
            let mut who = consumer(id(rest[0]));
            for word in &rest[1..] {
                let (key, value) = word.split_once('=').unwrap_or((word, ""));
                match key {
                    "prefetch" => who.prefetch = value.parse().expect("a number"),
                    "timeout" => who.timeout_ms = value.parse().expect("milliseconds"),
                    "priority" => who.priority = value.parse().expect("a number"),
                    "no-ack" => who.is_no_ack = true,
                    "exclusive" => who.is_exclusive = true,
                    "room" => {
                        harness.room.insert(who.id.0, value.parse().expect("a number"));
                    }
                    _ => panic!("unknown property {word}"),
                }
            }
            return harness.consume(who).err().map(|refusal| format!("{refusal:?}"));
        }
        "set" => harness.set_settings(settings(rest)),
        "cancel" => harness.cancel(id(rest[0])),
        "resume" => harness.resume(id(rest[0]), rest[1].parse().expect("a number")),
        "get" => match rest {
            [] => harness.get(false),
            ["no-ack"] => harness.get(true),
            [name, limit] => {
                let limit = limit.strip_prefix("timeout=").expect("a timeout");
                let timeout_ms = limit.parse().expect("milliseconds");
                harness.get_by(Some(getter(id(name), timeout_ms)));
            }
            _ => panic!("unknown words {rest:?}"),
        },
        "purge" => return Some(format!("purged {}", harness.purge())),
        "forget" => harness.forget(),
        "tick" => harness.tick(rest[0].parse().expect("milliseconds")),
        "touch" => harness.queue.touch(harness.now),
        "restart" if rest == ["clean"] => harness.restart_clean(),
        "restart" => harness.recover(harness.log.len(), false),
        "counts" => {
            let counts = harness.queue.counts();
            let (ready, unacked, consumers) = (counts.ready, counts.unacked, counts.consumers);
            let mut text = format!("ready {ready}, unacked {unacked}, consumers {consumers}");
            if counts.delayed + counts.dead != 0 {
                text += &format!(", delayed {}, dead {}", counts.delayed, counts.dead);
            }
            return Some(text);
        }
        "safe" | "unsafe" => {
            rest.iter().for_each(|body| harness.answer(body.as_bytes(), command == "safe"));
        }
        "consumers" => {
            let views = harness.queue.consumer_views();
            let line = |view: crate::queue::ConsumerView<'_>| {
                format!("{} {}", view.consumer.tag, view.status.as_str())
            };
            return Some(views.map(line).collect::<Vec<_>>().join(", "));
        }
        _ => settle(harness, command, rest),
    }
    None
}

fn settle(harness: &mut Harness, command: &str, rest: &[&str]) {
    let how = match command {
        "ack" => Settle::Ack,
        "requeue" => Settle::Requeue,
        "requeue-failed" => Settle::RequeueFailed,
        "nack" => Settle::Reject,
        "reject" => Settle::RejectFailed,
        _ => panic!("unknown command {command}"),
    };
    let unacked = harness.unacked.iter().enumerate();
    // `a`, or `c1:a` when several have it.
    let is_named = |to: u64, body: &[u8]| {
        let body = String::from_utf8_lossy(body);
        rest.iter().any(|word| **word == body || *word == format!("c{to}:{body}"))
    };
    let at = unacked.filter(|(_, (to, body, _))| is_named(*to, body)).map(|(at, _)| at).collect();
    harness.settle(at, how);
}

/// `body`, with `/p3` for a priority, `/t50` for a TTL, `/f2` for failures elsewhere, `/x` for not
/// persistent.
fn outgoing(word: &str) -> Outgoing {
    let mut parts = word.split('/');
    let body = parts.next().expect("a body").as_bytes().to_vec();
    let mut message =
        Outgoing { body, priority: None, ttl_ms: None, is_persistent: true, failures: 0 };
    for part in parts {
        match part.split_at(1) {
            ("p", priority) => message.priority = priority.parse().ok(),
            ("f", failures) => message.failures = failures.parse().expect("a number"),
            ("t", ttl) => message.ttl_ms = ttl.parse().ok(),
            _ => message.is_persistent = false,
        }
    }
    message
}

fn show(seen: Seen) -> String {
    let show_body = |body: Vec<u8>, is_redelivered: bool| {
        let star = if is_redelivered { "*" } else { "" };
        format!("{}{star}", String::from_utf8_lossy(&body))
    };
    let show_tried = |attempts: Option<Attempts>| {
        attempts.map_or(String::new(), |it| format!("{}/{}", it.acquired, it.failures))
    };
    match seen {
        Seen::Delivered { to, body, is_redelivered, attempts, .. } => {
            format!("c{to} <- {}{}", show_body(body, is_redelivered), show_tried(attempts))
        }
        Seen::Got { body, is_redelivered, attempts, remaining } => {
            let body = show_body(body, is_redelivered);
            format!("got {body}{}, {remaining} left", show_tried(attempts))
        }
        Seen::GotNothing => "got nothing".to_owned(),
        Seen::Rejected(index) => format!("rejected #{index}"),
        Seen::Dead { body, reason, failures } => {
            format!("dead {} {reason}", show_body(body, failures != 0))
        }
        Seen::TimedOut(consumer) => format!("c{consumer} took too long"),
        Seen::Unused => "unused".to_owned(),
        Seen::Expired => "queue expired".to_owned(),
        Seen::Damaged { lost } => format!("{lost} lost on a damaged page"),
    }
}

#[test]
fn consumers_take_turns() {
    check(
        "declare
         consume c1
         consume c2
         publish a b c
         publish d
         cancel c1
         publish e f",
        expect![[r#"
            c1 <- a
            c2 <- b
            c1 <- c
            c2 <- d
            c2 <- e
            c2 <- f"#]],
    );
}

#[test]
fn prefetch_limits_what_is_unacked() {
    check(
        "declare
         publish a b c d
         consume c1 prefetch=2
         counts
         ack c1 a
         requeue c1 b
         consume c2 no-ack
         counts",
        expect![[r#"
            c1 <- a
            c1 <- b
            ready 2, unacked 2, consumers 1
            c1 <- c
            c1 <- b*
            c2 <- d
            ready 0, unacked 2, consumers 2"#]],
    );
}

#[test]
fn higher_consumer_priorities_go_first_until_they_are_blocked() {
    check(
        "declare
         consume c1 priority=-1
         consume c2 priority=5 prefetch=1
         consume c3 priority=5 prefetch=1
         publish a b c d
         ack c3 b
         publish e f",
        expect![[r#"
            c2 <- a
            c3 <- b
            c1 <- c
            c1 <- d
            c3 <- e
            c1 <- f"#]],
    );
}

#[test]
fn requeued_messages_keep_their_place() {
    check(
        "declare
         publish a b c d
         get
         get
         get
         requeue - c
         requeue - a
         get no-ack
         get no-ack
         get no-ack
         requeue - b
         get no-ack
         get",
        expect![[r#"
            got a, 3 left
            got b, 2 left
            got c, 1 left
            got a*, 2 left
            got c*, 1 left
            got d, 0 left
            got b*, 0 left
            got nothing"#]],
    );
}

#[test]
fn a_full_mailbox_parks_its_consumer() {
    check(
        "declare
         consume c1 room=2
         publish a b c
         counts
         resume c1 1
         publish d
         resume c1 5",
        expect![[r#"
            c1 <- a
            c1 <- b
            ready 1, unacked 2, consumers 1
            c1 <- c
            c1 <- d"#]],
    );
}

#[test]
fn messages_expire_at_the_head_only() {
    check(
        "declare ttl=100 dlx
         publish a/t50 b c/t10
         tick 10
         counts
         tick 40
         counts
         tick 50",
        expect![[r#"
            ready 3, unacked 0, consumers 0
            dead a expired
            ready 2, unacked 0, consumers 0
            dead b expired
            dead c expired"#]],
    );
}

#[test]
fn a_ttl_of_zero_means_now_or_never() {
    check(
        "declare dlx
         publish a/t0
         consume c1 prefetch=1
         publish b/t0 c/t0 d
         ack c1 b
         counts",
        expect![[r#"
            dead a expired
            c1 <- b
            dead c expired
            c1 <- d
            ready 0, unacked 1, consumers 1"#]],
    );
}

#[test]
fn a_requeued_message_keeps_its_expiry() {
    check(
        "declare dlx
         publish a/t100
         get
         tick 150
         counts
         requeue - a
         counts",
        expect![[r#"
            got a, 0 left
            ready 0, unacked 1, consumers 0
            dead a expired
            ready 0, unacked 0, consumers 0"#]],
    );
}

#[test]
fn drop_head_makes_room_after_the_publish() {
    check(
        "declare max-length=2 dlx
         publish a b c
         consume c1 prefetch=1
         publish d e
         counts
         requeue c1 b
         publish f",
        expect![[r#"
            dead a maxlen
            c1 <- b
            dead c maxlen
            ready 2, unacked 1, consumers 1
            c1 <- d
            dead b maxlen"#]],
    );
}

#[test]
fn a_queue_of_length_zero_only_passes_on() {
    check(
        "declare max-length=0 dlx
         publish a
         consume c1 prefetch=1
         publish b c",
        expect![[r#"
            dead a maxlen
            c1 <- b
            dead c maxlen"#]],
    );
    check(
        "declare max-length=0 overflow=reject-publish
         consume c1
         publish a",
        expect!["rejected #0"],
    );
}

#[test]
fn reject_publish_refuses_when_full() {
    check(
        "declare max-length=2 overflow=reject-publish dlx
         publish a b c
         consume c1 prefetch=1
         publish d e
         counts",
        expect![[r#"
            rejected #2
            c1 <- a
            rejected #1
            ready 2, unacked 1, consumers 1"#]],
    );
    check(
        "declare max-bytes=5 overflow=reject-publish-dlx dlx
         publish aaa bbb c
         counts",
        expect![[r#"
            rejected #1
            dead bbb maxlen
            ready 2, unacked 0, consumers 0"#]],
    );
}

#[test]
fn priorities_are_strict_and_clamped() {
    check(
        "declare priorities=5 max-length=4
         publish a b/p3 c/p9 d/p5
         get
         requeue - c
         publish e/p5 f
         get no-ack
         get no-ack
         get no-ack
         get no-ack
         get",
        expect![[r#"
            got c, 3 left
            got e, 3 left
            got b, 2 left
            got a, 1 left
            got f, 0 left
            got nothing"#]],
    );
}

#[test]
fn the_single_active_consumer_stays_while_it_lives() {
    check(
        "declare single-active
         consume c1 prefetch=1
         consume c2
         consume c3 priority=10
         publish a b c
         consumers
         ack c1 a
         consume c4 exclusive
         cancel c1
         consumers
         cancel c2",
        expect![[r#"
            c1 <- a
            c1 single_active, c2 waiting, c3 waiting
            c1 <- b
            ExclusiveUse
            c3 <- c
            c2 waiting, c3 single_active"#]],
    );
}

#[test]
fn an_exclusive_consumer_is_alone() {
    check(
        "declare auto-delete
         consume c1 exclusive
         consume c2
         cancel c1
         consume c2
         consume c3 exclusive
         cancel c2",
        expect![[r#"
            ExclusiveUse
            unused
            ExclusiveUse
            unused"#]],
    );
}

#[test]
fn rejected_messages_are_dead_lettered_or_gone() {
    check(
        "declare dlx
         publish a b c
         consume c1
         nack c1 a
         reject c1 b
         requeue-failed c1 c
         nack c1 c
         counts",
        expect![[r#"
            c1 <- a
            c1 <- b
            c1 <- c
            dead a rejected
            dead b* rejected
            c1 <- c*
            dead c* rejected
            ready 0, unacked 0, consumers 1"#]],
    );
    check(
        "declare
         publish a
         get
         reject - a
         counts",
        expect![[r#"
            got a, 0 left
            ready 0, unacked 0, consumers 0"#]],
    );
}

#[test]
fn an_unused_queue_expires() {
    check(
        "declare expires=100
         tick 60
         get
         tick 60
         touch
         tick 99
         consume c1
         tick 1000
         cancel c1
         tick 99
         tick 1",
        expect![[r#"
            got nothing
            queue expired"#]],
    );
}

#[test]
fn persistent_messages_survive() {
    check(
        "declare
         publish a b/x c
         restart crash
         get
         publish d
         restart crash
         get
         get
         get
         ack - a c
         restart clean
         get
         purge
         restart crash
         get",
        expect![[r#"
            got a, 1 left
            got a*, 2 left
            got c*, 1 left
            got d, 0 left
            got d*, 0 left
            purged 0
            got d*, 0 left"#]],
    );
}

#[test]
fn only_messages_that_may_have_been_delivered_come_back_as_redelivered() {
    check(
        "declare
         publish a b c
         consume c1 prefetch=1
         cancel c1
         restart crash
         counts
         consume c2
         publish d
         restart crash
         publish e
         get
         get
         get
         get
         get",
        expect![[r#"
            c1 <- a
            ready 3, unacked 0, consumers 0
            c2 <- a*
            c2 <- b
            c2 <- c
            c2 <- d
            got a*, 4 left
            got b*, 3 left
            got c*, 2 left
            got d*, 1 left
            got e, 0 left"#]],
    );
}

#[test]
fn a_transient_queue_writes_nothing() {
    check(
        "declare transient
         publish a b
         restart crash
         counts",
        expect!["ready 0, unacked 0, consumers 0"],
    );
}
