mod crashes;
mod deaths;
mod policies;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use field_table::FieldTable;
use parking_lot::Mutex;
use stdx::Timestamp;
use topology::{AddVhost, Command, DeclareQueue, Outcome, QueueId};

use super::Broker;
use crate::testing::MemoryJournal;
use crate::{
    Authenticator, Batch, BrokerConfig, Completion, ConsumeRefusal, Consumer, ConsumerId,
    ConsumerKey, Control, Event, Getter, Intake, Mailbox, QueueRef,
};

/// A control plane that takes its time: proposals wait until they are applied.
#[derive(Default)]
struct SlowControl {
    proposed: Mutex<Vec<(Command, Completion)>>,
    broker: OnceLock<Arc<Broker>>,
    index: Mutex<u64>,
    journal: Arc<MemoryJournal>,
}

impl Control for SlowControl {
    fn propose(&self, command: Command, done: Completion) {
        self.proposed.lock().push((command, done));
    }
}

impl SlowControl {
    fn broker(&self) -> &Arc<Broker> {
        self.broker.get().expect("set by `start`")
    }

    fn apply(&self, now: Timestamp, command: &Command) -> Outcome {
        let mut index = self.index.lock();
        *index += 1;
        let (sender, receiver) = std::sync::mpsc::channel();
        let done = Completion::new(move |result| drop(sender.send(result)));
        self.broker().apply(now, *index, command, done);
        receiver.try_recv().expect("answered at once").expect("nothing is against it")
    }

    fn apply_proposed(&self, now: Timestamp) {
        for (command, done) in std::mem::take(&mut *self.proposed.lock()) {
            done.tell(Ok(self.apply(now, &command)));
        }
    }

    /// The ids of queues whose deletion was proposed.
    fn deletions(&self) -> Vec<QueueId> {
        let proposed = self.proposed.lock();
        let ids = proposed.iter().filter_map(|(command, _)| match command {
            Command::DeleteQueues(ids) => Some(ids.clone()),
            _ => None,
        });
        ids.flatten().collect()
    }

    fn declare(&self, now: Timestamp, auto_delete: bool, arguments: FieldTable) -> QueueRef {
        self.declare_as("q", now, auto_delete, arguments)
    }

    fn declare_as(
        &self,
        name: &str,
        now: Timestamp,
        auto_delete: bool,
        arguments: FieldTable,
    ) -> QueueRef {
        let outcome = self.apply(
            now,
            &Command::DeclareQueue(DeclareQueue {
                vhost: "/".to_owned(),
                name: name.to_owned(),
                is_server_named: false,
                durable: true,
                auto_delete,
                owner: None,
                arguments,
            }),
        );
        let Outcome::QueueDeclared { queue, .. } = outcome else { panic!("{outcome:?}") };
        self.broker().queue(queue.id).expect("just declared")
    }
}

struct Nobody;

impl Authenticator for Nobody {
    fn is_password_of(&self, _: &topology::State, _: &str, _: &[u8]) -> bool {
        false
    }
}

impl Mailbox for Nobody {
    fn deliver(&self, _: ConsumerKey, _: &QueueRef, batch: &Batch<'_>) -> Intake {
        Intake { taken: batch.len(), is_full: false }
    }

    fn deliver_reply(&self, _: ConsumerKey, _: &message::MessageRef<'_>) -> bool {
        false
    }

    fn post(&self, _: Event) {}

    fn wake(&self) {}
}

fn start() -> Arc<SlowControl> {
    let control = Arc::new(SlowControl::default());
    let journal = control.journal.clone();
    let config = BrokerConfig::default();
    let state = topology::State::default();
    let broker = Broker::new(config, state, journal, control.clone(), Arc::new(Nobody), 7);
    control.broker.set(Arc::new(broker)).ok().expect("set once");
    let vhost = AddVhost { name: "/".to_owned(), ..AddVhost::default() };
    control.apply(Timestamp(0), &Command::AddVhost(vhost));
    control
}

pub(super) fn getter() -> Getter {
    let key = ConsumerKey { channel: 1, slot: 0 };
    Getter { id: ConsumerId(1), mailbox: Arc::new(Nobody), key, timeout_ms: 1_800_000 }
}

fn consumer(id: u64) -> Consumer {
    Consumer {
        id: ConsumerId(id),
        mailbox: Arc::new(Nobody),
        key: ConsumerKey { channel: 1, slot: 0 },
        channel: 1,
        tag: Arc::from("c"),
        is_no_ack: true,
        prefetch: 0,
        priority: 0,
        is_exclusive: false,
        timeout_ms: 1_800_000,
        arguments: FieldTable::new(),
    }
}

fn incoming(body: &[u8]) -> message::Incoming<'_> {
    message::Incoming {
        message: message::MessageRef {
            exchange: b"",
            routing_key: b"q",
            properties: &[0, 0],
            body,
            image: None,
        },
        is_persistent: true,
        priority: None,
        ttl_ms: None,
        history: message::History::default(),
    }
}

#[test]
fn an_expired_queue_is_deleted_once_however_long_it_takes() {
    let control = start();
    let expires = FieldTable::new().with("x-expires", 100);
    let queue = control.declare(Timestamp(1000), false, expires);
    let broker = control.broker();
    assert_eq!(broker.poll_timers(Timestamp(1000)), Some(Timestamp(1100)));
    assert_eq!(broker.poll_timers(Timestamp(1100)), None);
    assert_eq!(broker.poll_timers(Timestamp(1200)), None);
    assert_eq!(control.deletions(), [queue.record.id]);
    control.apply_proposed(Timestamp(1300));
    assert!(queue.is_deleted());
}

#[test]
fn no_consumer_gets_into_a_queue_that_is_about_to_go() {
    let control = start();
    let queue = control.declare(Timestamp(0), true, FieldTable::new());
    let broker = control.broker();
    let mut turn = broker.begin(Timestamp(0));
    broker.consume(&mut turn, &queue, consumer(1)).expect("it is there");
    broker.cancel(&mut turn, &queue, ConsumerId(1));
    let refused = broker.consume(&mut turn, &queue, consumer(2));
    assert_eq!(refused, Err(ConsumeRefusal::Gone));
    broker.finish(turn);
    assert_eq!(control.deletions(), [queue.record.id]);
}

#[test]
fn a_queue_has_one_deadline_and_a_deleted_one_has_none() {
    let control = start();
    let arguments = FieldTable::new().with("x-expires", 1_000_000).with("x-message-ttl", 10);
    let queue = control.declare(Timestamp(0), false, arguments);
    let broker = control.broker();
    for ms in 1..100 {
        let now = Timestamp(ms * 100);
        let mut turn = broker.begin(now);
        broker.get(&mut turn, &queue, None, |_| {});
        broker.publish(&mut turn, &queue, &[incoming(b"x")]);
        broker.finish(turn);
        broker.poll_timers(now.plus_ms(50));
    }
    assert_eq!(broker.timers.len(), 1);
    control.apply(Timestamp(9999), &Command::DeleteQueues(vec![queue.record.id]));
    assert_eq!(broker.timers.len(), 0);
}

#[test]
fn a_deleted_queue_holds_nothing_for_those_who_still_refer_to_it() {
    let control = start();
    let queue = control.declare(Timestamp(0), false, FieldTable::new());
    let broker = control.broker();
    let mut turn = broker.begin(Timestamp(0));
    broker.publish(&mut turn, &queue, &[incoming(b"x"), incoming(b"y")]);
    let (ticket, _) =
        broker.get(&mut turn, &queue, Some(&getter()), |got| got.map(|it| it.delivery.ticket));
    broker.finish(turn);
    control.apply(Timestamp(0), &Command::DeleteQueues(vec![queue.record.id]));
    let counts = broker.counts(&queue);
    assert_eq!((counts.ready, counts.unacked, counts.persistent), (0, 0, 0));
    let mut turn = broker.begin(Timestamp(0));
    let tickets = [ticket.expect("one was there")];
    let lsn = broker.settle(&mut turn, &queue, None, &tickets, crate::Settle::Ack);
    assert_eq!(lsn, crate::Lsn(0));
    broker.get(&mut turn, &queue, None, |got| assert!(got.is_none()));
    broker.finish(turn);
}

#[test]
fn large_dead_letters_go_into_entries_of_a_bounded_size() {
    let control = start();
    let dlx = FieldTable::new()
        .with("x-message-ttl", 10)
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "dead");
    let dead = control.declare_as("dead", Timestamp(0), false, FieldTable::new());
    let queue = control.declare(Timestamp(0), false, dlx);
    let broker = control.broker();
    let body = vec![b'x'; 300_000];
    for _ in 0..20 {
        let mut turn = broker.begin(Timestamp(0));
        broker.publish(&mut turn, &queue, &[persistent(&body)]);
        broker.finish(turn);
    }
    broker.poll_timers(Timestamp(1000));
    assert_eq!(broker.counts(&dead).persistent, 20);
    let entries = control.journal.entries(dead.record.id);
    let largest = entries.iter().map(|(_, entry)| entry.len()).max();
    assert!(largest < Some(1_500_000), "{largest:?}");
    assert_eq!(broker.counts(&queue).persistent, 0);
}

#[test]
fn a_cycle_of_dead_letters_is_told_of_once() {
    let control = start();
    let to = |next: &str| {
        FieldTable::new()
            .with("x-message-ttl", 10)
            .with("x-dead-letter-exchange", "")
            .with("x-dead-letter-routing-key", next)
    };
    let first = control.declare_as("a", Timestamp(0), false, to("b"));
    control.declare_as("b", Timestamp(0), false, to("a"));
    let broker = control.broker();
    let publish_and_wait = |ms| {
        let mut turn = broker.begin(Timestamp(ms));
        broker.publish(&mut turn, &first, &[incoming(b"x"), incoming(b"y")]);
        broker.finish(turn);
        while let Some(next) = broker.poll_timers(Timestamp(ms)).filter(|at| at.0 < ms + 50) {
            broker.poll_timers(next);
        }
    };
    publish_and_wait(1000);
    assert!(broker.cycles.signal.take());
    assert_eq!(broker.cycles.take(), [[b"a", b"b", b"a"].map(|name| name.to_vec()).to_vec()]);
    publish_and_wait(2000);
    assert!(!broker.cycles.signal.take());
    assert!(broker.cycles.take().is_empty());
}

/// A message with `delivery_mode` 2, in its properties, too.
fn persistent(body: &[u8]) -> message::Incoming<'_> {
    let mut incoming = incoming(body);
    incoming.message.properties = &[0x10, 0, 2];
    incoming
}

/// A queue whose messages live for 10 ms and then go to another, and that one.
fn dying(control: &SlowControl) -> (QueueRef, QueueRef) {
    let dead = control.declare_as("dead", Timestamp(0), false, FieldTable::new());
    let arguments = FieldTable::new()
        .with("x-message-ttl", 10)
        .with("x-dead-letter-exchange", "")
        .with("x-dead-letter-routing-key", "dead");
    (control.declare_as("dying", Timestamp(0), false, arguments), dead)
}

fn fill(broker: &Broker, queue: &QueueRef, now: Timestamp, count: usize) {
    let mut turn = broker.begin(now);
    broker.publish(&mut turn, queue, &vec![incoming(b"x"); count]);
    broker.finish(turn);
}

#[test]
fn a_get_finds_what_lives_behind_any_number_of_expired_messages() {
    let control = start();
    let broker = control.broker();
    let (dying, dead) = dying(&control);
    fill(broker, &dying, Timestamp(0), 10_000);
    fill(broker, &dying, Timestamp(15), 1);
    let mut turn = broker.begin(Timestamp(20));
    let (remaining, _) = broker.get(&mut turn, &dying, None, |got| got.map(|got| got.remaining));
    broker.finish(turn);
    assert_eq!(remaining, Some(0));
    assert_eq!(broker.counts(&dead).ready, 10_000);
}

#[test]
fn any_number_of_rejected_messages_is_dead_lettered() {
    let control = start();
    let broker = control.broker();
    let (dying, dead) = dying(&control);
    fill(broker, &dying, Timestamp(0), 10_000);
    let mut turn = broker.begin(Timestamp(5));
    let mut take = || {
        let take = |got: Option<crate::Got<'_>>| got.map(|it| it.delivery.ticket);
        broker.get(&mut turn, &dying, Some(&getter()), take).0
    };
    let tickets: Vec<_> = std::iter::from_fn(&mut take).collect();
    broker.settle(&mut turn, &dying, Some(ConsumerId(1)), &tickets, crate::Settle::Reject);
    broker.finish(turn);
    let (left, died) = (broker.counts(&dying), broker.counts(&dead));
    assert_eq!((left.ready, left.unacked, died.ready), (0, 0, 10_000));
}

#[test]
fn a_queue_with_much_to_expire_does_not_keep_others_waiting() {
    let control = start();
    let ttl = || FieldTable::new().with("x-message-ttl", 10);
    let declare = |name| control.declare_as(name, Timestamp(0), false, ttl());
    let [many, one] = ["many", "one"].map(declare);
    let broker = control.broker();
    let mut turn = broker.begin(Timestamp(0));
    broker.publish(&mut turn, &many, &vec![incoming(b"x"); 20_000]);
    broker.publish(&mut turn, &one, &[incoming(b"x")]);
    broker.finish(turn);
    let next = broker.poll_timers(Timestamp(100));
    assert_eq!(broker.counts(&one).ready, 0);
    let left = broker.counts(&many).ready;
    assert!(0 < left && left < 20_000, "{left}");
    assert!(next.is_some_and(|at| at <= Timestamp(100)), "{next:?}");
    while broker.poll_timers(Timestamp(100)).is_some() {}
    assert_eq!(broker.counts(&many).ready, 0);
}

/// A mailbox that remembers what it was told, and counts how often it was woken.
#[derive(Default)]
pub(super) struct Witness(Mutex<Vec<Event>>, AtomicUsize);

impl Witness {
    pub(super) fn wakes(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

impl Mailbox for Witness {
    fn deliver(&self, _: ConsumerKey, _: &QueueRef, _: &Batch<'_>) -> Intake {
        Intake { taken: 0, is_full: true }
    }

    fn deliver_reply(&self, _: ConsumerKey, _: &message::MessageRef<'_>) -> bool {
        false
    }

    fn post(&self, event: Event) {
        self.0.lock().push(event);
    }

    fn wake(&self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}
