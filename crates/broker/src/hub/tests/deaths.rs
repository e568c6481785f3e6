//! What dies is counted for the node.

use crate::DeathReason;

use super::*;

/// The counts that are not zero, a line each.
fn counted(broker: &Broker) -> Vec<String> {
    let rows = broker.dead_letter_counts().into_iter().filter(|it| it.count != 0);
    rows.map(|it| format!("{} {} {} {}", it.queue_type, it.strategy, it.reason, it.count)).collect()
}

fn expiring() -> FieldTable {
    FieldTable::new().with("x-message-ttl", 10)
}

fn fill_and_wait(control: &SlowControl, queue: &QueueRef) {
    let broker = control.broker();
    fill(broker, queue, Timestamp(0), 3);
    while broker.poll_timers(Timestamp(100)).is_some_and(|at| at <= Timestamp(100)) {}
}

#[test]
fn what_has_nowhere_to_go_counts_as_not_dead_lettered() {
    let control = start();
    let nowhere = control.declare_as("nowhere", Timestamp(0), false, expiring());
    fill_and_wait(&control, &nowhere);
    assert_eq!(counted(control.broker()), ["classic disabled expired 3"]);
    let no_exchange = expiring().with("x-dead-letter-exchange", "no such exchange");
    let lost = control.declare_as("lost", Timestamp(0), false, no_exchange);
    fill_and_wait(&control, &lost);
    assert_eq!(counted(control.broker()), ["classic disabled expired 6"]);
}

#[test]
fn dead_letters_count_by_what_they_died_of() {
    let control = start();
    let broker = control.broker();
    let (dying, _) = dying(&control);
    fill_and_wait(&control, &dying);
    let short = FieldTable::new().with("x-max-length", 1).with("x-dead-letter-exchange", "");
    let short = control.declare_as("short", Timestamp(0), false, short);
    fill(broker, &short, Timestamp(0), 3);
    let mut turn = broker.begin(Timestamp(0));
    let take = |got: Option<crate::Got<'_>>| got.map(|it| it.delivery.ticket);
    let (ticket, _) = broker.get(&mut turn, &short, Some(&getter()), take);
    let tickets = [ticket.expect("one is left")];
    broker.settle(&mut turn, &short, Some(ConsumerId(1)), &tickets, crate::Settle::Reject);
    broker.finish(turn);
    assert_eq!(
        counted(broker),
        [
            "classic at_most_once expired 3",
            "classic at_most_once maxlen 2",
            "classic at_most_once rejected 1"
        ]
    );
}

#[test]
fn what_a_queue_keeps_until_it_is_safe_counts_again_when_it_is() {
    let control = start();
    let dead = control.declare_as("dead", Timestamp(0), false, FieldTable::new());
    let quorum = expiring()
        .with("x-queue-type", "quorum")
        .with("x-overflow", "reject-publish")
        .with("x-dead-letter-strategy", "at-least-once")
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "dead");
    let quorum = control.declare_as("quorum", Timestamp(0), false, quorum);
    fill_and_wait(&control, &quorum);
    assert_eq!(control.broker().counts(&dead).ready, 3);
    assert_eq!(
        counted(control.broker()),
        ["quorum at_least_once expired 3", "quorum at_least_once confirmed 3"]
    );
}

#[test]
fn all_that_rabbitmq_lists_is_listed() {
    let rows = start().broker().dead_letter_counts();
    let of = |reason: &str| rows.iter().filter(|it| it.reason == reason).count();
    let reasons = [
        DeathReason::Expired,
        DeathReason::Maxlen,
        DeathReason::Rejected,
        DeathReason::DeliveryLimit,
    ];
    assert_eq!(reasons.map(|it| of(it.as_str())), [5, 4, 5, 3]);
    assert_eq!(of("confirmed"), 1);
}
