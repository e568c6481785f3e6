//! Policies on their way to the queues.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use topology::{ClearParameter, SetParameter};

use super::*;

fn set(name: &str, pattern: &str, definition: serde_json::Value) -> Command {
    Command::SetParameter(SetParameter {
        vhost: "/".to_owned(),
        component: "policy".to_owned(),
        name: name.to_owned(),
        value: json!({ "pattern": pattern, "definition": definition, "priority": 0 }),
    })
}

fn clear(name: &str) -> Command {
    let [vhost, component, name] = ["/", "policy", name].map(str::to_owned);
    Command::ClearParameter(ClearParameter { vhost, component, name })
}

impl SlowControl {
    /// Applies a change of policies; the flag says whether whoever asked for it was told.
    fn change(&self, command: &Command) -> Arc<AtomicBool> {
        let mut index = self.index.lock();
        *index += 1;
        let is_done = Arc::new(AtomicBool::new(false));
        let told = is_done.clone();
        let done = Completion::new(move |result| {
            result.expect("nothing is against it");
            told.store(true, Ordering::Relaxed);
        });
        self.broker().apply(Timestamp(0), *index, command, done);
        is_done
    }

    fn declare_many(&self, count: usize) -> Vec<QueueRef> {
        let declare = |n| self.declare_as(&format!("q{n}"), Timestamp(0), false, FieldTable::new());
        (0..count).map(declare).collect()
    }
}

fn is_told(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

#[test]
fn a_policy_reaches_many_queues_some_at_a_time() {
    let control = start();
    let broker = control.broker();
    let queues = control.declare_many(200);
    queues.iter().for_each(|queue| fill(broker, queue, Timestamp(0), 3));
    let told = control.change(&set("p", "^q", json!({ "max-length": 1 })));
    let short = || queues.iter().filter(|queue| broker.counts(queue).ready == 1).count();
    assert_eq!((short(), is_told(&told)), (0, false));
    let mut reached = vec![0];
    while broker.poll_timers(Timestamp(1)).is_some() {
        assert!(!is_told(&told));
        reached.push(short());
    }
    assert!(reached.windows(2).all(|two| two[0] < two[1] && two[1] - two[0] <= 64), "{reached:?}");
    assert_eq!((short(), is_told(&told)), (200, true));
    let settings = queues[0].settings();
    assert!(queues.iter().all(|queue| Arc::ptr_eq(&settings, &queue.settings())), "one copy");
}

#[test]
fn queues_declared_later_have_it_from_the_start() {
    let control = start();
    let broker = control.broker();
    assert!(is_told(&control.change(&set("p", "^q", json!({ "expires": 100 })))), "no queue");
    let [queue, other] =
        ["q", "x"].map(|name| control.declare_as(name, Timestamp(0), false, FieldTable::new()));
    assert_eq!(queue.settings().expires_ms, Some(100));
    assert_eq!(other.settings().expires_ms, None);
    assert_eq!(broker.poll_timers(Timestamp(0)), Some(Timestamp(100)), "it is armed");
}

#[test]
fn a_start_does_not_expire_queues_by_a_policy_that_was_cleared() {
    let control = start();
    let broker = control.broker();
    control.change(&set("p", "^q", json!({ "expires": 100 })));
    let queue = control.declare_as("q", Timestamp(0), false, FieldTable::new());
    control.change(&clear("p"));
    broker.settle_policies(Timestamp(0));
    assert_eq!(queue.settings().expires_ms, None);
    // What came before this took longer than the queue would have lived.
    while broker.poll_timers(Timestamp(1000)).is_some() {}
    assert_eq!(control.deletions(), []);
}

#[test]
fn a_change_before_the_last_one_is_through_takes_its_place() {
    let control = start();
    let broker = control.broker();
    let queues = control.declare_many(100);
    let first = control.change(&set("p", "", json!({ "max-length": 5 })));
    broker.poll_timers(Timestamp(1));
    let second = control.change(&clear("p"));
    while broker.poll_timers(Timestamp(1)).is_some() {}
    assert!(is_told(&first) && is_told(&second));
    assert!(queues.iter().all(|queue| queue.settings().max_length.is_none()));
}

#[test]
fn a_queue_deleted_meanwhile_is_left_alone() {
    let control = start();
    let broker = control.broker();
    let queue = control.declare(Timestamp(0), false, FieldTable::new());
    let told = control.change(&set("p", "", json!({ "expires": 5 })));
    control.apply(Timestamp(0), &Command::DeleteQueues(vec![queue.record.id]));
    assert_eq!(broker.poll_timers(Timestamp(1)), None);
    assert!(is_told(&told));
}

#[test]
fn dead_letters_go_where_the_policy_of_the_moment_says() {
    let control = start();
    let broker = control.broker();
    let [work, dead] = ["work", "dead"]
        .map(|name| control.declare_as(name, Timestamp(0), false, FieldTable::new()));
    fill(broker, &work, Timestamp(0), 2);
    let reject = || {
        let mut turn = broker.begin(Timestamp(0));
        let take = |got: Option<crate::Got<'_>>| got.map(|it| it.delivery.ticket);
        let ticket = broker.get(&mut turn, &work, Some(&getter()), take).0.expect("a message");
        broker.settle(&mut turn, &work, Some(ConsumerId(1)), &[ticket], crate::Settle::Reject);
        broker.finish(turn);
    };
    reject();
    let to_dead = json!({ "dead-letter-exchange": "", "dead-letter-routing-key": "dead" });
    control.change(&set("p", "^work$", to_dead));
    broker.poll_timers(Timestamp(0));
    reject();
    assert_eq!((broker.counts(&work).ready, broker.counts(&dead).ready), (0, 1));
}

#[test]
fn a_restored_broker_acts_on_the_policies_it_finds() {
    let control = start();
    let broker = control.broker();
    control.declare(Timestamp(0), false, FieldTable::new());
    control.change(&set("p", "", json!({ "max-length": 5 })));
    let state = topology::State::restore(&broker.topology().snapshot()).expect("just written");
    broker.restore(Timestamp(0), state);
    assert_eq!(broker.queues()[0].settings().max_length, Some(5));
}
