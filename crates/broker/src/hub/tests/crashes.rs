//! What a bug in one queue leaves of others.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;
use topology::SetParameter;

use super::*;

/// A mailbox with a bug.
struct Buggy;

impl Mailbox for Buggy {
    fn deliver(&self, _: ConsumerKey, _: &QueueRef, _: &Batch<'_>) -> Intake {
        panic!("a bug, for the test")
    }

    fn deliver_reply(&self, _: ConsumerKey, _: &message::MessageRef<'_>) -> bool {
        false
    }

    fn post(&self, _: Event) {}

    fn wake(&self) {}
}

impl SlowControl {
    /// A queue whose consumer has a bug: it crashes with the first message.
    fn declare_buggy(&self, name: &str) -> QueueRef {
        let queue = self.declare_as(name, Timestamp(0), false, FieldTable::new());
        let mut turn = self.broker().begin(Timestamp(0));
        let buggy = Consumer { mailbox: Arc::new(Buggy), ..consumer(9) };
        self.broker().consume(&mut turn, &queue, buggy).expect("nobody is exclusive");
        self.broker().finish(turn);
        queue
    }

    fn declare_with(&self, name: &str, arguments: FieldTable) -> QueueRef {
        self.declare_as(name, Timestamp(0), false, arguments)
    }
}

fn to_dead_letters(queue: &str) -> FieldTable {
    FieldTable::new().with("x-dead-letter-exchange", "").with("x-dead-letter-routing-key", queue)
}

/// Runs into a bug.
fn run_into<R>(work: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(work)).is_err(), "it does panic");
}

fn publish(broker: &Broker, queue: &QueueRef) -> Vec<u32> {
    let mut turn = broker.begin(Timestamp(0));
    let published = broker.publish(&mut turn, queue, &[incoming(b"kept")]);
    broker.finish(turn);
    published.rejected.to_vec()
}

/// What the next start finds in a queue.
fn after_a_start(control: &SlowControl, queue: &QueueRef) -> u64 {
    let mut recovery = crate::Queue::recover(queue.record.clone(), queue.settings(), Timestamp(0));
    for (index, entry) in &control.journal.entries(queue.record.id) {
        recovery.entry(*index, entry).expect("as it was written");
    }
    recovery.finish(false, &mut crate::Effects::default()).counts().ready
}

#[test]
fn a_queue_that_a_bug_stops_is_closed_and_others_go_on() {
    let control = start();
    let broker = control.broker();
    let [queue, other] =
        ["q", "other"].map(|name| control.declare_as(name, Timestamp(0), false, FieldTable::new()));
    publish(broker, &queue);
    let witness = Arc::new(Witness::default());
    let mut turn = broker.begin(Timestamp(0));
    let subscriber = Consumer { mailbox: witness.clone(), ..consumer(2) };
    broker.consume(&mut turn, &queue, subscriber).expect("nobody is exclusive");
    let kept = control.journal.entries(queue.record.id);

    run_into(|| {
        broker.get(&mut turn, &queue, None, |_| panic!("a bug, for the test"));
    });
    assert!(queue.is_crashed() && !other.is_crashed());
    let published = (publish(broker, &queue), publish(broker, &other));
    assert_eq!(published, (vec![0], vec![]), "refused, and taken");
    let crashed = broker.handle_crashes();
    assert!(Arc::ptr_eq(&crashed[0], &queue) && crashed.len() == 1);
    assert!(matches!(witness.0.lock()[..], [Event::ConsumerCancelled(_)]));
    let mut turn = broker.begin(Timestamp(0));
    let refused = broker.consume(&mut turn, &queue, consumer(3));
    assert_eq!(refused.err(), Some(ConsumeRefusal::Gone));
    assert_eq!(broker.counts(&other).ready, 1);
    broker.seal(Timestamp(0));

    // The next start brings it back.
    assert_eq!(control.journal.entries(queue.record.id), kept);
    assert_eq!(after_a_start(&control, &queue), 1);
}

#[test]
fn a_crash_is_told_though_nobody_uses_the_queue_any_more() {
    let control = start();
    let broker = control.broker();
    let queue = control.declare_with("q", FieldTable::new());
    let witness = Arc::new(Witness::default());
    let mut turn = broker.begin(Timestamp(0));
    let subscriber = Consumer { mailbox: witness.clone(), ..consumer(2) };
    broker.consume(&mut turn, &queue, subscriber).expect("nobody is exclusive");
    broker.finish(turn);
    run_into(|| {
        let mut turn = broker.begin(Timestamp(0));
        broker.get(&mut turn, &queue, None, |_| panic!("a bug, for the test"));
    });
    assert!(broker.crashes.signal.take());
    assert_eq!(broker.handle_crashes().len(), 1);
    assert!(matches!(witness.0.lock()[..], [Event::ConsumerCancelled(_)]));
    publish(broker, &queue);
    assert_eq!(broker.handle_crashes().len(), 0, "once");
}

/// A mailbox that looks at a queue when it is woken.
struct Curious(Arc<Broker>, QueueRef);

impl Mailbox for Curious {
    fn deliver(&self, _: ConsumerKey, _: &QueueRef, _: &Batch<'_>) -> Intake {
        Intake { taken: 0, is_full: true }
    }

    fn deliver_reply(&self, _: ConsumerKey, _: &message::MessageRef<'_>) -> bool {
        false
    }

    fn post(&self, _: Event) {}

    fn wake(&self) {
        self.0.counts(&self.1);
    }
}

#[test]
fn consumers_of_a_crashed_queue_are_woken_with_no_lock_held() {
    let control = start();
    let broker = control.broker();
    let queue = control.declare_with("q", FieldTable::new());
    let mut turn = broker.begin(Timestamp(0));
    let curious = Arc::new(Curious(broker.clone(), queue.clone()));
    broker
        .consume(&mut turn, &queue, Consumer { mailbox: curious, ..consumer(2) })
        .expect("nobody is exclusive");
    run_into(|| broker.get(&mut turn, &queue, None, |_| panic!("a bug, for the test")));
    drop(turn);
    assert_eq!(broker.handle_crashes().len(), 1);
}

#[test]
fn what_a_turn_owes_to_other_queues_outlives_a_crash() {
    let control = start();
    let broker = control.broker();
    let buggy = control.declare_buggy("buggy");
    let timed = control.declare_with("timed", FieldTable::new().with("x-message-ttl", 10));
    let grave = control.declare_with("grave", FieldTable::new());
    let dying = control.declare_with("dying", to_dead_letters("grave").with("x-max-length", 1));
    let unused = control.declare_as("unused", Timestamp(0), true, FieldTable::new());
    let consumed = control.declare_with("consumed", FieldTable::new());
    let witness = Arc::new(Witness::default());
    let mut turn = broker.begin(Timestamp(0));
    broker.consume(&mut turn, &unused, consumer(1)).expect("nobody is exclusive");
    let subscriber = Consumer { mailbox: witness.clone(), ..consumer(2) };
    broker.consume(&mut turn, &consumed, subscriber).expect("nobody is exclusive");
    broker.finish(turn);
    let wakes = witness.wakes();

    run_into(|| {
        let mut turn = broker.begin(Timestamp(0));
        broker.publish(&mut turn, &timed, &[incoming(b"x")]);
        broker.publish(&mut turn, &dying, &[incoming(b"x"), incoming(b"y")]);
        broker.cancel(&mut turn, &unused, ConsumerId(1));
        broker.publish(&mut turn, &consumed, &[incoming(b"x")]);
        broker.publish(&mut turn, &buggy, &[incoming(b"x")]);
    });
    assert!(Arc::ptr_eq(&broker.handle_crashes()[0], &buggy));
    assert_eq!(control.deletions(), [unused.record.id]);
    assert_eq!((broker.counts(&grave).ready, broker.counts(&dying).ready), (1, 1));
    assert!(wakes < witness.wakes());
    broker.poll_timers(Timestamp(100));
    assert_eq!(broker.counts(&timed).ready, 0, "it has expired");
}

#[test]
fn a_crash_at_a_timer_leaves_the_timers_of_others() {
    let control = start();
    let broker = control.broker();
    control.declare_buggy("buggy");
    let ttl = |arguments: FieldTable| arguments.with("x-message-ttl", 10);
    let first = control.declare_with("first", ttl(to_dead_letters("buggy")));
    let second = control.declare_with("second", ttl(FieldTable::new()));
    for queue in [&first, &second] {
        publish(broker, queue);
    }
    run_into(|| broker.poll_timers(Timestamp(100)));
    broker.poll_timers(Timestamp(100));
    assert_eq!((broker.counts(&first).ready, broker.counts(&second).ready), (0, 0));
}

#[test]
fn a_crash_under_a_new_policy_leaves_it_to_other_queues() {
    let control = start();
    let broker = control.broker();
    control.declare_buggy("buggy");
    let queues: Vec<QueueRef> =
        (0..3).map(|n| control.declare_with(&format!("q{n}"), to_dead_letters("buggy"))).collect();
    queues.iter().for_each(|queue| fill(broker, queue, Timestamp(0), 3));
    let (sender, told) = std::sync::mpsc::channel();
    let policy = Command::SetParameter(SetParameter {
        vhost: "/".to_owned(),
        component: "policy".to_owned(),
        name: "p".to_owned(),
        value: json!({ "pattern": "^q", "definition": { "max-length": 1 }, "priority": 0 }),
    });
    let done = Completion::new(move |_| sender.send(()).expect("the test listens"));
    broker.apply(Timestamp(0), 1000, &policy, done);
    run_into(|| broker.poll_timers(Timestamp(1)));
    assert!(told.try_recv().is_err());
    while broker.poll_timers(Timestamp(1)).is_some() {}
    let ready: Vec<u64> = queues.iter().map(|queue| broker.counts(queue).ready).collect();
    assert_eq!((ready, told.try_recv()), (vec![1, 1, 1], Ok(())));
}

#[test]
fn dead_letters_for_a_crashed_queue_stay_where_they_died() {
    let control = start();
    let broker = control.broker();
    let buggy = control.declare_buggy("buggy");
    let dying = control.declare_with("dying", to_dead_letters("buggy"));
    run_into(|| publish(broker, &buggy));
    publish(broker, &dying);
    let mut turn = broker.begin(Timestamp(0));
    let (ticket, _) = broker
        .get(&mut turn, &dying, Some(&getter()), |got| got.expect("it is there").delivery.ticket);
    broker.settle(&mut turn, &dying, Some(ConsumerId(1)), &[ticket], crate::Settle::Reject);
    broker.finish(turn);
    let counts = broker.counts(&dying);
    assert_eq!((counts.ready, counts.unacked), (0, 0));
    assert_eq!(after_a_start(&control, &dying), 1);
}
