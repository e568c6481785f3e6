//! What quorum queues do, as RabbitMQ 4.3 was seen to do it.

use expect_test::expect;
use topology::QueueSettings;

use super::harness::{Harness, LogStep, Outgoing, Seen, record};
use super::transcripts::check;
use crate::queue::{Attempts, Settle};

#[test]
fn what_comes_back_is_in_front_of_everything() {
    check(
        "declare quorum
         publish low/p0 high/p9 higher/p200 usual
         get
         get
         get
         get
         requeue low
         requeue usual
         publish highest/p31
         requeue high
         get
         get
         get
         get",
        expect![[r#"
            got higher, 3 left
            got high, 2 left
            got usual, 1 left
            got low, 0 left
            got low*1/0, 3 left
            got usual*1/0, 2 left
            got high*1/0, 1 left
            got highest, 0 left"#]],
    );
}

#[test]
fn attempts_are_counted() {
    check(
        "declare quorum limit=2 dlx
         publish a b/f3
         get
         requeue a
         get
         requeue-failed a
         get
         requeue-failed a
         get
         requeue-failed a
         get
         requeue b
         get
         reject b
         counts",
        expect![[r#"
            got a, 1 left
            got a*1/0, 1 left
            got a*2/1, 1 left
            got a*3/2, 1 left
            dead a* delivery_limit
            got b*0/3, 0 left
            got b*1/3, 0 left
            dead b* rejected
            ready 0, unacked 0, consumers 0"#]],
    );
}

#[test]
fn without_a_limit_a_message_may_fail_for_ever() {
    check(
        "declare quorum limit=-1
         publish a
         get
         requeue-failed a
         get
         requeue-failed a
         get",
        expect![[r#"
            got a, 0 left
            got a*1/1, 0 left
            got a*2/2, 0 left"#]],
    );
}

#[test]
fn counts_and_order_survive_a_restart() {
    check(
        "declare quorum
         publish a b c d/p9
         get
         get
         requeue-failed d
         requeue a
         restart clean
         get
         get
         requeue-failed d
         restart
         get
         get
         get
         get",
        expect![[r#"
            got d, 3 left
            got a, 2 left
            got d*1/1, 3 left
            got a*1/0, 2 left
            got d*2/2, 3 left
            got a*2/1, 2 left
            got b*1/1, 1 left
            got c*1/1, 0 left"#]],
    );
}

#[test]
fn a_crash_counts_as_a_failure_of_what_was_out() {
    check(
        "declare quorum
         publish a b
         get
         restart
         get
         requeue-failed a
         get
         restart
         get
         get",
        expect![[r#"
            got a, 1 left
            got a*1/1, 1 left
            got a*2/2, 1 left
            got a*3/3, 1 left
            got b*1/1, 0 left"#]],
    );
}

#[test]
fn a_crash_can_be_one_failure_too_many() {
    check(
        "declare quorum limit=1
         publish a b
         get
         requeue-failed a
         get
         restart
         counts
         get
         get
         restart
         counts",
        expect![[r#"
            got a, 1 left
            got a*1/1, 1 left
            ready 1, unacked 0, consumers 0
            got b*1/1, 0 left
            got nothing
            ready 1, unacked 0, consumers 0"#]],
    );
}

#[test]
fn what_a_crash_brought_past_the_limit_is_a_dead_letter() {
    check(
        "declare quorum limit=1 dlx
         publish a
         get
         requeue-failed a
         get
         restart
         counts
         tick 0
         forget
         restart
         counts
         tick 0",
        expect![[r#"
            got a, 0 left
            got a*1/1, 0 left
            ready 0, unacked 0, consumers 0, delayed 0, dead 1
            dead a* delivery_limit
            ready 0, unacked 0, consumers 0"#]],
    );
    check(
        "declare quorum limit=1 dlx at-least-once overflow=reject-publish
         publish a
         get
         requeue-failed a
         get
         restart
         counts
         tick 0
         restart
         tick 0
         safe a
         counts",
        expect![[r#"
            got a, 0 left
            got a*1/1, 0 left
            ready 0, unacked 0, consumers 0, delayed 0, dead 1
            dead a* delivery_limit
            dead a* delivery_limit
            ready 0, unacked 0, consumers 0"#]],
    );
}

#[test]
fn retries_are_delayed() {
    check(
        "declare quorum retry=all:1000:2500
         publish a b
         get
         requeue a
         get
         requeue-failed b
         counts
         get
         tick 999
         tick 1
         counts
         get
         requeue-failed a
         get
         requeue-failed b
         tick 1000
         get
         tick 1000
         get
         requeue-failed b
         restart
         counts
         tick 2499
         get
         tick 1
         get",
        expect![[r#"
            got a, 1 left
            got b, 0 left
            ready 0, unacked 0, consumers 0, delayed 2, dead 0
            got nothing
            ready 2, unacked 0, consumers 0
            got a*1/0, 1 left
            got b*1/1, 0 left
            got a*2/1, 0 left
            got b*2/2, 0 left
            ready 1, unacked 0, consumers 0, delayed 1, dead 0
            got a*3/2, 0 left
            got b*3/3, 0 left"#]],
    );
    check(
        "declare quorum retry=failed:1000:1000
         publish a
         get
         requeue a
         get
         requeue-failed a
         get",
        expect![[r#"
            got a, 0 left
            got a*1/0, 0 left
            got nothing"#]],
    );
    check(
        "declare quorum retry=returned:1000:1000
         publish a
         get
         requeue-failed a
         get
         requeue a
         get",
        expect![[r#"
            got a, 0 left
            got a*1/1, 0 left
            got nothing"#]],
    );
}

#[test]
fn who_takes_too_long_gets_nothing_more_until_it_settles() {
    check(
        "declare quorum
         publish a b
         consume c1 prefetch=2 timeout=1000
         tick 500
         publish c
         consume c2 prefetch=1 timeout=5000
         tick 500
         counts
         ack c
         ack c1:a
         ack c1:b
         ack c2:a
         publish d",
        expect![[r#"
            c1 <- a
            c1 <- b
            c2 <- c
            c1 took too long
            ready 2, unacked 1, consumers 2
            c2 <- a*1/0
            c1 <- b*1/0
            c1 <- d"#]],
    );
}

#[test]
fn what_comes_back_too_late_expires() {
    check(
        "declare quorum
         publish a/t100 b/t400 c
         get c1 timeout=1000
         get c1 timeout=1000
         tick 200
         requeue c1:a
         requeue c1:b
         counts
         tick 200
         get",
        expect![[r#"
            got a, 2 left
            got b, 1 left
            ready 2, unacked 0, consumers 0
            got c, 0 left"#]],
    );
}

#[test]
fn what_is_got_and_not_settled_in_time_comes_back() {
    check(
        "declare quorum
         publish a b
         get c1 timeout=1000
         tick 600
         get c1 timeout=1000
         get c2 timeout=1000
         tick 400
         counts
         get c2 timeout=1000
         ack c1:a
         requeue c1:b
         tick 600
         tick 400
         get no-ack
         get no-ack",
        expect![[r#"
            got a, 1 left
            got b, 0 left
            got nothing
            c1 took too long
            ready 1, unacked 1, consumers 0
            got a*1/0, 0 left
            c2 took too long
            got b*1/0, 1 left
            got a*2/0, 0 left"#]],
    );
}

#[test]
fn the_single_active_consumer_hands_over_when_it_took_too_long() {
    check(
        "declare quorum single-active
         publish a b
         consume c1 prefetch=1 timeout=1000
         consume c2 prefetch=1
         consumers
         tick 1000
         consumers
         ack c1:a
         consumers
         ack c2:a",
        expect![[r#"
            c1 <- a
            c1 single_active, c2 waiting
            c2 <- a*1/0
            c1 took too long
            c1 waiting, c2 single_active
            c1 waiting, c2 single_active
            c2 <- b"#]],
    );
}

#[test]
fn a_higher_priority_takes_over_once_all_is_settled() {
    check(
        "declare quorum single-active
         publish a b c d
         consume c1 prefetch=2
         consume c2 prefetch=3 priority=5
         consumers
         ack a
         ack b
         consumers
         consume c3 prefetch=1 priority=2
         consume c4 prefetch=10 priority=2
         cancel c2
         consumers
         ack c d",
        expect![[r#"
            c1 <- a
            c1 <- b
            c1 single_active, c2 waiting
            c2 <- c
            c2 <- d
            c1 waiting, c2 single_active
            c1 waiting, c3 waiting, c4 single_active"#]],
    );
}

#[test]
fn exclusive_means_nothing() {
    check(
        "declare quorum
         consume c1 exclusive
         consume c2 exclusive
         consumers",
        expect!["c1 up, c2 up"],
    );
}

#[test]
fn a_full_queue_refuses_until_there_is_room() {
    check(
        "declare quorum max-length=5 overflow=reject-publish
         publish 1 2 3 4 5 6 7
         get no-ack
         publish 8
         get no-ack
         get no-ack
         publish 8 9 10",
        expect![[r#"
            rejected #6
            got 1, 5 left
            rejected #0
            got 2, 4 left
            got 3, 3 left"#]],
    );
}

#[test]
fn limits_count_what_waits_but_not_what_is_out() {
    check(
        "declare quorum max-length=2 retry=all:1000:1000
         publish a b
         get
         publish c
         requeue a
         counts
         publish d",
        expect![[r#"
            got a, 1 left
            ready 1, unacked 0, consumers 0, delayed 1, dead 0"#]],
    );
    check(
        "declare quorum max-bytes=10
         publish aaa bbb ccc
         counts",
        expect!["ready 2, unacked 0, consumers 0"],
    );
}

#[test]
fn heads_of_all_priorities_expire() {
    check(
        "declare quorum dlx
         publish high/p9/t1000 low/p1/t100 next/p1 now/p1/t0
         tick 1
         tick 99
         counts
         tick 900
         counts",
        expect![[r#"
            dead low expired
            ready 3, unacked 0, consumers 0
            dead high expired
            ready 2, unacked 0, consumers 0"#]],
    );
}

#[test]
fn dead_letters_stay_until_they_are_safe() {
    check(
        "declare quorum dlx at-least-once overflow=reject-publish max-length=2
         publish a b
         get
         reject a
         get
         nack b
         counts
         safe b
         unsafe a
         publish c d e
         restart
         counts
         tick 0
         unsafe a
         tick 179999
         tick 1
         safe a
         counts",
        expect![[r#"
            got a, 1 left
            dead a* rejected
            got b, 0 left
            dead b rejected
            ready 0, unacked 0, consumers 0, delayed 0, dead 2
            rejected #2
            ready 2, unacked 0, consumers 0, delayed 0, dead 1
            dead a* rejected
            dead a* rejected
            ready 2, unacked 0, consumers 0"#]],
    );
}

#[test]
fn purging_drops_what_waits_too() {
    check(
        "declare quorum dlx at-least-once overflow=reject-publish retry=failed:1000:1000
         publish a b c d
         get
         get
         get
         requeue-failed a
         reject b
         counts
         purge
         counts
         requeue c
         restart
         get",
        expect![[r#"
            got a, 3 left
            got b, 2 left
            got c, 1 left
            dead b* rejected
            ready 1, unacked 1, consumers 0, delayed 1, dead 1
            purged 3
            ready 0, unacked 1, consumers 0
            got c*1/0, 0 left"#]],
    );
}

#[test]
fn unsettled_messages_keep_an_unused_queue() {
    check(
        "declare quorum expires=1000
         publish a
         get
         tick 1000
         ack a
         touch
         tick 999
         touch
         tick 1",
        expect![[r#"
            got a, 0 left
            queue expired"#]],
    );
}

#[test]
fn attempts_outlive_the_entries_that_told_of_them() {
    let settings = QueueSettings { quorum: Some(Box::default()), ..QueueSettings::default() };
    let mut harness = Harness::new(record(settings, true, false));
    let message = |body: &[u8]| Outgoing {
        body: body.to_vec(),
        priority: None,
        ttl_ms: None,
        is_persistent: true,
        failures: 0,
    };
    harness.publish(&[message(b"old")]);
    for _ in 0..3 {
        harness.get(false);
        harness.settle(vec![0], Settle::RequeueFailed);
    }
    let told_in = harness.log.len() as u64;
    harness.get(false);
    for _ in 0..200 {
        harness.publish(&[message(&[b'x'; 100])]);
        harness.get(true);
    }
    let is_past = |step: &LogStep| matches!(step, LogStep::Compact(to) if told_in < *to);
    assert!(harness.log.iter().any(is_past), "the journal let go of them");
    harness.recover(harness.log.len(), false);
    harness.seen.clear();
    harness.get(true);
    let Some(Seen::Got { attempts, .. }) = harness.seen.first() else { panic!("it is there") };
    assert_eq!(*attempts, Some(Attempts { acquired: 4, failures: 4 }));
}

#[test]
fn what_came_back_does_not_expire_for_what_is_behind_it() {
    check(
        "declare quorum dlx
         publish kept short/t100
         get
         requeue kept
         tick 100
         counts
         get
         get",
        expect![[r#"
            got kept, 1 left
            dead short expired
            ready 1, unacked 0, consumers 0
            got kept*1/0, 0 left
            got nothing"#]],
    );
    check(
        "declare quorum dlx
         publish short/t100 kept
         get
         requeue short
         tick 100
         get",
        expect![[r#"
            got short, 1 left
            dead short expired
            got kept, 0 left"#]],
    );
}

#[test]
fn a_clean_stop_after_a_crash_forgets_nothing() {
    check(
        "declare quorum
         publish a b
         get
         restart
         publish c
         restart clean
         get
         get
         get",
        expect![[r#"
            got a, 1 left
            got a*1/1, 2 left
            got b*1/1, 1 left
            got c, 0 left"#]],
    );
}
