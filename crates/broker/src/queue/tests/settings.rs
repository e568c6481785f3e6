//! Queues whose policies change while they hold messages.

use expect_test::expect;

use super::transcripts::check;

#[test]
fn a_shorter_limit_drops_heads_at_once() {
    check(
        "declare dlx
         publish a b c d
         set max-length=2 dlx
         counts
         set max-bytes=1 dlx
         set overflow=reject-publish max-length=1
         publish e
         set
         publish f
         counts",
        expect![[r#"
            dead a maxlen
            dead b maxlen
            ready 2, unacked 0, consumers 0
            dead c maxlen
            rejected #0
            ready 2, unacked 0, consumers 0"#]],
    );
}

#[test]
fn a_new_ttl_is_for_new_messages() {
    check(
        "declare
         publish old
         set ttl=50
         publish new
         set
         publish later
         tick 60
         get no-ack
         get no-ack
         get no-ack",
        expect![[r#"
            got old, 1 left
            got later, 0 left
            got nothing"#]],
    );
}

#[test]
fn the_expiry_of_a_classic_queue_runs_from_the_change_on() {
    check(
        "declare
         tick 100
         set expires=50
         tick 40
         tick 20",
        expect!["queue expired"],
    );
}

#[test]
fn the_expiry_of_a_quorum_queue_runs_from_its_last_use_on() {
    check(
        "declare quorum
         tick 100
         set quorum expires=50
         tick 1",
        expect!["queue expired"],
    );
}

#[test]
fn a_quorum_queue_counts_failures_against_the_limit_of_the_moment() {
    check(
        "declare quorum dlx
         publish a
         consume c1
         requeue-failed a
         requeue-failed a
         set quorum limit=2 dlx
         requeue-failed a",
        expect![[r#"
            c1 <- a
            c1 <- a*1/1
            c1 <- a*2/2
            dead a* delivery_limit"#]],
    );
}

#[test]
fn dead_letters_that_were_to_be_safe_go_with_the_strategy() {
    check(
        "declare quorum dlx overflow=reject-publish at-least-once
         publish a b
         consume c1
         reject a
         counts
         set quorum dlx overflow=reject-publish
         counts
         reject b
         counts
         restart
         counts",
        expect![[r#"
            c1 <- a
            c1 <- b
            dead a* rejected
            ready 0, unacked 1, consumers 1, delayed 0, dead 1
            ready 0, unacked 1, consumers 1
            dead b* rejected
            ready 0, unacked 0, consumers 1
            ready 0, unacked 0, consumers 0"#]],
    );
}
