//! Random operations on a queue and on a naive model of it, crashes included.
//!
//! What must hold: deliveries come in order of priority and age, nobody gets more than the
//! prefetch, nothing that a crash may not take is lost, nothing settled comes back, flags are
//! right, counters equal contents.

use std::collections::BTreeMap;

use proptest::prelude::*;
use topology::QueueSettings;

use super::harness::{Harness, LogStep, Outgoing, Seen, consumer, record};
use crate::queue::Settle;

#[derive(Clone, Debug)]
enum Op {
    Publish(Vec<Publish>),
    Consume { prefetch: u32, is_no_ack: bool, priority: i64, room: Option<usize> },
    Cancel(prop::sample::Index),
    Resume(prop::sample::Index, usize),
    Settle(prop::sample::Index, usize, Settle),
    Get { is_no_ack: bool },
    Tick(u64),
    Purge,
    Forget,
    PageOut { bytes: usize, is_urgent: bool },
    PagedOut,
    PageOutFailed,
    MoveJournalOn,
    RestartClean,
    Crash { lost: usize },
}

#[derive(Clone, Debug)]
struct Publish {
    padding: usize,
    priority: u8,
    ttl_ms: Option<u64>,
    is_persistent: bool,
}

fn publish() -> impl Strategy<Value = Publish> {
    let padding = prop_oneof![9 => 0..60usize, 2 => 60..1500usize, 1 => 4090..5000usize];
    let ttl_ms = prop_oneof![9 => Just(None), 1 => (0..100u64).prop_map(Some)];
    (padding, 0..6u8, ttl_ms, prop::bool::weighted(0.8)).prop_map(
        |(padding, priority, ttl_ms, is_persistent)| Publish {
            padding,
            priority,
            ttl_ms,
            is_persistent,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let how = prop_oneof![
        6 => Just(Settle::Ack),
        2 => Just(Settle::Requeue),
        1 => Just(Settle::RequeueFailed),
        1 => Just(Settle::Reject),
    ];
    let consume = (0..5u32, prop::bool::weighted(0.2), 0..2i64, prop::option::of(0..9usize));
    prop_oneof![
        8 => prop::collection::vec(publish(), 1..12).prop_map(Op::Publish),
        2 => consume.prop_map(|(prefetch, is_no_ack, priority, room)| Op::Consume {
            prefetch, is_no_ack, priority, room
        }),
        2 => any::<prop::sample::Index>().prop_map(Op::Cancel),
        1 => (any::<prop::sample::Index>(), 1..9usize).prop_map(|(who, room)| Op::Resume(who, room)),
        9 => (any::<prop::sample::Index>(), 1..9usize, how)
            .prop_map(|(from, count, how)| Op::Settle(from, count, how)),
        3 => any::<bool>().prop_map(|is_no_ack| Op::Get { is_no_ack }),
        1 => (0..60u64).prop_map(Op::Tick),
        1 => Just(Op::Purge),
        2 => Just(Op::Forget),
        4 => (0..6000usize, any::<bool>())
            .prop_map(|(bytes, is_urgent)| Op::PageOut { bytes, is_urgent }),
        4 => Just(Op::PagedOut),
        1 => Just(Op::PageOutFailed),
        1 => Just(Op::MoveJournalOn),
        1 => Just(Op::RestartClean),
        1 => (0..6usize).prop_map(|lost| Op::Crash { lost }),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Unacked,
    /// Dead-lettered; the copy is not published yet.
    Limbo,
}

#[derive(Clone, Debug)]
struct Message {
    body: Vec<u8>,
    level: u8,
    expires_at: Option<u64>,
    is_persistent: bool,
    state: State,
    /// It came back from a consumer.
    is_redelivered: bool,
    /// Someone had it, or might have had it before a crash.
    was_taken: bool,
    /// It was there when a get took it or another one: a crash may flag it.
    was_polled: bool,
}

/// Messages by (255 - priority, age): in the order of delivery.
type Messages = BTreeMap<(u8, u64), Message>;

struct Model {
    messages: Messages,
    published: u64,
    is_durable: bool,
    max_priority: u8,
    has_dlx: bool,
    /// What had to survive after each step of the log, and whether there were consumers.
    after_step: Vec<(Messages, bool)>,
}

impl Model {
    fn key_of(&self, body: &[u8]) -> (u8, u64) {
        let found = self.messages.iter().find(|(_, message)| message.body == body);
        *found.unwrap_or_else(|| panic!("{:?} is not in the queue", show(body))).0
    }

    fn head(&self) -> Option<&Message> {
        self.messages.values().find(|message| message.state == State::Ready)
    }

    fn bury(&mut self, key: (u8, u64)) {
        let message = self.messages.get_mut(&key).expect("a message to bury");
        if self.has_dlx && message.is_persistent {
            // Should the copy get lost in a crash, the original may pass for delivered.
            (message.state, message.was_taken) = (State::Limbo, true);
        } else {
            self.messages.remove(&key);
        }
    }

    fn drop_expired(&mut self, now: u64) {
        while let Some(head) = self.head()
            && head.expires_at.is_some_and(|at| at <= now)
        {
            let key = self.key_of(&head.body);
            self.bury(key);
        }
    }

    /// Takes the head, which must be `body`.
    fn take(&mut self, body: &[u8], is_redelivered: bool, is_no_ack: bool) {
        let head = self.head().expect("something was delivered");
        assert_eq!(show(&head.body), show(body), "the oldest of the highest priority");
        assert_eq!(head.is_redelivered, is_redelivered, "flag of {}", show(body));
        let key = self.key_of(body);
        if is_no_ack {
            self.messages.remove(&key);
        } else {
            let message = self.messages.get_mut(&key).expect("the head");
            (message.state, message.was_taken) = (State::Unacked, true);
        }
    }

    fn persistent(&self) -> Messages {
        let is_kept = |message: &Message| message.is_persistent && self.is_durable;
        let kept = self.messages.iter().filter(|(_, message)| is_kept(message));
        kept.map(|(key, message)| (*key, message.clone())).collect()
    }
}

fn show(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(8)]).into_owned()
}

struct Run {
    harness: Harness,
    model: Model,
    consumers: BTreeMap<u64, (u32, bool)>,
    next_consumer: u64,
}

impl Run {
    fn new(max_priority: u8, is_durable: bool, has_dlx: bool) -> Self {
        let settings = QueueSettings {
            max_priority: (max_priority != 0).then_some(max_priority),
            dead_letter_exchange: has_dlx.then(|| "dlx".into()),
            ..QueueSettings::default()
        };
        let model = Model {
            messages: BTreeMap::new(),
            published: 0,
            is_durable,
            max_priority,
            has_dlx,
            after_step: Vec::new(),
        };
        let harness = Harness::new(record(settings, is_durable, false));
        Self { harness, model, consumers: BTreeMap::new(), next_consumer: 1 }
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Publish(batch) => self.publish(batch),
            Op::Consume { prefetch, is_no_ack, priority, room } => {
                let id = self.next_consumer;
                self.next_consumer += 1;
                self.consumers.insert(id, (*prefetch, *is_no_ack));
                self.harness.room.insert(id, room.unwrap_or(usize::MAX));
                let mut who = consumer(id);
                (who.prefetch, who.is_no_ack, who.priority) = (*prefetch, *is_no_ack, *priority);
                self.harness.consume(who).expect("nobody is exclusive");
            }
            Op::Cancel(who) => {
                if let Some(id) = self.pick(who) {
                    self.consumers.remove(&id);
                    self.harness.cancel(id);
                }
            }
            Op::Resume(who, room) => {
                if let Some(id) = self.pick(who) {
                    self.harness.resume(id, *room);
                }
            }
            Op::Settle(from, count, how) => self.settle(from, *count, *how),
            Op::Get { is_no_ack } => {
                self.model.drop_expired(self.harness.now.0);
                self.harness.get(*is_no_ack);
                self.check_get(*is_no_ack);
            }
            Op::Tick(ms) => {
                self.harness.tick(*ms);
            }
            Op::Purge => {
                self.model.messages.retain(|_, message| message.state != State::Ready);
                self.harness.purge();
            }
            Op::Forget => {
                self.model.messages.retain(|_, message| message.state != State::Limbo);
                self.harness.forget();
            }
            Op::PageOut { bytes, is_urgent } => self.harness.page_out(*bytes, *is_urgent),
            Op::PagedOut => self.harness.paged_out(),
            Op::PageOutFailed => self.harness.page_out_failed(),
            Op::MoveJournalOn => drop(self.harness.queue.move_journal_on(true)),
            Op::RestartClean => {
                self.harness.restart_clean();
                let kept = self.model.persistent();
                self.restart(kept, false, true);
            }
            Op::Crash { lost } => {
                let kept = self.harness.log.len().saturating_sub(*lost).max(self.harness.read);
                let blank = (BTreeMap::new(), false);
                let before = kept.checked_sub(1).map(|at| self.model.after_step[at].clone());
                let (messages, had_consumers) = before.unwrap_or(blank);
                self.harness.recover(kept, false);
                self.model.after_step.truncate(kept);
                self.restart(messages, had_consumers, false);
            }
        }
        self.catch_up();
        self.check();
    }

    fn pick(&self, who: &prop::sample::Index) -> Option<u64> {
        let ids: Vec<u64> = self.consumers.keys().copied().collect();
        (!ids.is_empty()).then(|| ids[who.index(ids.len())])
    }

    fn publish(&mut self, batch: &[Publish]) {
        let now = self.harness.now.0;
        let mut outgoing = Vec::new();
        for it in batch {
            self.model.published += 1;
            let body = format!("m{:06}{}", self.model.published, "x".repeat(it.padding));
            let level = it.priority.min(self.model.max_priority);
            let message = Message {
                body: body.clone().into_bytes(),
                level,
                expires_at: it.ttl_ms.map(|ttl_ms| now + ttl_ms),
                is_persistent: it.is_persistent && self.model.is_durable,
                state: State::Ready,
                is_redelivered: false,
                was_taken: false,
                was_polled: false,
            };
            self.model.messages.insert((255 - level, self.model.published), message);
            outgoing.push(Outgoing {
                body: body.into_bytes(),
                priority: Some(it.priority),
                ttl_ms: it.ttl_ms,
                is_persistent: it.is_persistent,
                failures: 0,
            });
        }
        self.harness.publish(&outgoing);
    }

    /// Settles up to `count` deliveries of one consumer.
    fn settle(&mut self, from: &prop::sample::Index, count: usize, how: Settle) {
        let unacked = &self.harness.unacked;
        if unacked.is_empty() {
            return;
        }
        let id = unacked[from.index(unacked.len())].0;
        let of_id = unacked.iter().enumerate().filter(|(_, (to, ..))| *to == id);
        let at: Vec<usize> = of_id.map(|(at, _)| at).take(count).collect();
        let bodies: Vec<Vec<u8>> = at.iter().map(|&at| unacked[at].1.clone()).collect();
        for body in bodies {
            let key = self.model.key_of(&body);
            match how {
                Settle::Ack => drop(self.model.messages.remove(&key)),
                Settle::Requeue | Settle::RequeueFailed => {
                    let message = self.model.messages.get_mut(&key).expect("unacked");
                    (message.state, message.is_redelivered) = (State::Ready, true);
                }
                Settle::Reject | Settle::RejectFailed => self.model.bury(key),
            }
        }
        if matches!(how, Settle::Requeue | Settle::RequeueFailed) {
            self.model.drop_expired(self.harness.now.0);
        }
        self.harness.settle(at, how);
    }

    fn check_get(&mut self, is_no_ack: bool) {
        let at = self
            .harness
            .seen
            .iter()
            .position(|seen| matches!(seen, Seen::Got { .. } | Seen::GotNothing));
        match self.harness.seen.remove(at.expect("get answers")) {
            Seen::Got { body, is_redelivered, .. } => {
                self.model.messages.values_mut().for_each(|message| message.was_polled = true);
                self.model.take(&body, is_redelivered, is_no_ack);
            }
            _ => assert!(self.model.head().is_none(), "get must find what is ready"),
        }
    }

    /// The queue was rebuilt: the model becomes what had to survive.
    fn restart(&mut self, mut kept: Messages, was_open: bool, is_clean: bool) {
        self.consumers.clear();
        for message in kept.values_mut() {
            message.state = State::Ready;
        }
        // Messages that expired are gone at once.
        self.model.messages = kept;
        self.model.drop_expired(self.harness.now.0);
        // Flags: read from the queue; whatever was delivered must have one, and when there were
        // no consumers and no gets nothing else may.
        let flags: BTreeMap<Vec<u8>, bool> = self.harness.ready().into_iter().collect();
        for message in self.model.messages.values_mut() {
            let Some(&flag) = flags.get(&message.body) else { continue };
            assert!(flag || !message.was_taken, "{} was delivered", show(&message.body));
            if is_clean || !(was_open || message.was_polled) {
                assert_eq!(flag, message.was_taken, "flag of {}", show(&message.body));
            }
            (message.is_redelivered, message.was_taken) = (flag, flag);
            message.was_polled = flag;
        }
    }

    /// Plays what the queue did into the model.
    fn catch_up(&mut self) {
        for seen in std::mem::take(&mut self.harness.seen) {
            match seen {
                Seen::Delivered { body, is_redelivered, is_no_ack, .. } => {
                    // Expiry comes first, but not for what expires this very instant.
                    self.model.drop_expired(self.harness.now.0 - 1);
                    self.model.take(&body, is_redelivered, is_no_ack);
                }
                Seen::Dead { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        }
        let now = self.harness.now.0;
        let is_expired = |message: &Message| message.expires_at.is_some_and(|at| at <= now);
        if self.model.head().is_some_and(is_expired) {
            self.model.drop_expired(now);
        }
        let state = (self.model.persistent(), !self.consumers.is_empty());
        self.model.after_step.resize(self.harness.log.len(), state);
    }

    fn check(&self) {
        let counts = self.harness.queue.counts();
        let of = |state: State| self.model.messages.values().filter(move |it| it.state == state);
        let bytes = |state: State| of(state).map(|it| it.body.len() as u64).sum::<u64>();
        assert_eq!(counts.ready, of(State::Ready).count() as u64, "ready");
        assert_eq!(counts.unacked, of(State::Unacked).count() as u64, "unacked");
        assert_eq!(counts.ready_bytes, bytes(State::Ready));
        assert_eq!(counts.unacked_bytes, bytes(State::Unacked));
        let persistent = |it: &&Message| it.is_persistent && it.state != State::Limbo;
        let persistent = self.model.messages.values().filter(persistent).count() as u64;
        assert_eq!(counts.persistent, persistent, "persistent");
        let order: Vec<String> = self.harness.ready().iter().map(|(body, _)| show(body)).collect();
        let expected: Vec<String> = of(State::Ready).map(|it| show(&it.body)).collect();
        assert_eq!(order, expected, "ready messages in order");
        self.check_levels();
        self.check_credit();
        self.harness.check_pages();
    }

    fn check_levels(&self) {
        for message in self.model.messages.values() {
            assert!(message.level <= self.model.max_priority);
        }
    }

    /// Nobody has more than the prefetch, and nobody with credit and room waits.
    fn check_credit(&self) {
        let is_ready_left = 0 < self.harness.queue.counts().ready;
        for (id, (prefetch, is_no_ack)) in &self.consumers {
            let held = self.harness.unacked.iter().filter(|(to, ..)| to == id).count() as u32;
            assert!(*is_no_ack || *prefetch == 0 || held <= *prefetch, "prefetch of {id}");
            let has_credit = *is_no_ack || *prefetch == 0 || held < *prefetch;
            let has_room = self.harness.room.get(id).is_none_or(|&room| 0 < room);
            assert!(!(is_ready_left && has_credit && has_room), "consumer {id} was left out");
        }
    }

    /// The log does not hold on to what is not needed: compaction works.
    fn check_log_is_short(&self) {
        let entries = super::harness::entries(&self.harness.log);
        let bytes: usize = entries.values().map(Vec::len).sum();
        let live: usize = self.model.persistent().values().map(|it| it.body.len() + 40).sum();
        assert!(bytes <= 40_000 + 8 * live, "{bytes} bytes of log for {live} live ones");
    }
}

fn run(max_priority: u8, is_durable: bool, has_dlx: bool, ops: &[Op]) {
    let mut run = Run::new(max_priority, is_durable, has_dlx);
    for op in ops {
        run.step(op);
    }
    // Compaction goes on for a few turns.
    for _ in 0..100 {
        run.step(&Op::Tick(0));
    }
    run.check_log_is_short();
    if !is_durable {
        let is_release = |step: &LogStep| matches!(step, LogStep::Release(_) | LogStep::Released);
        assert!(run.harness.log.iter().all(is_release));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_does_what_the_model_does(
        max_priority in prop_oneof![2 => Just(0u8), 1 => Just(3u8)],
        is_durable in prop::bool::weighted(0.8),
        has_dlx: bool,
        ops in prop::collection::vec(op(), 1..120),
    ) {
        run(max_priority, is_durable, has_dlx, &ops);
    }

    #[test]
    fn damaged_entries_are_errors_and_not_panics(
        ops in prop::collection::vec(op(), 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: prop::sample::Index,
    ) {
        let mut before = Run::new(3, true, false);
        for op in &ops {
            before.step(op);
        }
        let mut log = before.harness.log;
        if log.is_empty() {
            return Ok(());
        }
        for (entry, byte, value) in damage {
            let at = entry.index(log.len());
            if let LogStep::Append(_, bytes) = &mut log[at] {
                let byte = byte.index(bytes.len());
                bytes[byte] = value;
            }
        }
        let at = cut.index(log.len());
        if let LogStep::Append(_, bytes) = &mut log[at] {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let (record, settings) = record(QueueSettings::default(), true, false);
        let mut recovery = crate::queue::Queue::recover(record, settings, before.harness.now);
        for (index, entry) in super::harness::entries(&log) {
            // Damage may go unnoticed here: the log below has checksums.
            let _ = recovery.entry(index, &entry);
        }
        let mut fx = crate::queue::Effects::with_pages(before.harness.pages);
        let mut queue = recovery.finish(false, &mut fx);
        while queue.get(before.harness.now, None, &mut fx).is_some() {
            queue.take_journal(&mut fx);
            fx.clear();
        }
    }
}
