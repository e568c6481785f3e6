//! The broker as the node shares it: queues behind locks, the topology, and the work of a turn.

mod browse;
mod paging;
mod pressure;
mod recovery;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use smallvec::SmallVec;
use stdx::Timestamp;
use topology::{Command, Event as Change, QueueId, QueueRecord, Refusal, State};

use crate::attempts::AuthBook;
use crate::cell::Locked;
use crate::crashes::Crashes;
use crate::deaths::DeadLetterCounters;
use crate::events::{Events, INTERNAL_USER, Occurrence};
use crate::firehose::Firehose;
use crate::queue::TimedOut;
use crate::registry::Registry;
use crate::reply::ReplyConsumers;
use crate::timers::Timers;
use crate::traffic::{Counting, QueueChurn};
use crate::{
    AuthenticatorRef, BrokerConfig, Completion, ConsumeRefusal, Consumer, ConsumerId, ConsumerKey,
    ConsumerView, Control, Counts, Cycles, Done, Event, Getter, Got, Journal, Lsn, MailboxRef,
    Pages, Queue, QueueCell, QueueRef, Settle, Ticket, Turn,
};
use message::Incoming;
use paging::Paging;
pub use paging::{DamagedPage, PageJob};
use pressure::Bodies;
pub use pressure::{BodyRoom, NoRoom};
pub use recovery::Recovered;
use settings::Settings;

/// Turns kept for reuse; more are dropped.
const TURNS_KEPT_MAX: usize = 64;

/// Queues whose time has come that get a turn in one call. A turn may be thousands of dead letters.
const DUE_PER_POLL_MAX: usize = 64;

/// What became of a batch of publishes to one queue.
#[derive(Debug, Default)]
pub struct Published {
    /// Confirm once this is durable; 0 means at once.
    pub lsn: Lsn,
    /// Indices into the batch that the queue refused (overflow `reject-publish`).
    pub rejected: SmallVec<[u32; 0]>,
}

/// What taking a message left in the journal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Send the message once this is durable: from then on it cannot come back unflagged, nor as if it
    /// had been tried less often than it says.
    pub marked: Lsn,
    /// A message taken without acknowledgement is gone for good once this is durable.
    pub settled: Lsn,
}

/// Resource alarms, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms(u8);

impl Alarms {
    /// Memory use is above the watermark.
    pub const MEMORY: u8 = 1;
    /// Free disk space is below the limit.
    pub const DISK: u8 = 2;

    /// True when publishers must wait.
    pub fn any(self) -> bool {
        self.0 != 0
    }

    /// The reason RabbitMQ puts into `connection.blocked`.
    pub fn reason(self) -> &'static str {
        match self.0 {
            Self::MEMORY => "low on memory",
            Self::DISK => "low on disk",
            _ => "low on disk & memory",
        }
    }

    /// True when the alarm with this bit is on.
    pub fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// The broker: one per node, shared by all connections.
pub struct Broker {
    config: BrokerConfig,
    journal: Arc<dyn Journal>,
    control: Arc<dyn Control>,
    authenticator: AuthenticatorRef,
    topology: RwLock<State>,
    generation: AtomicU64,
    queues: RwLock<AHashMap<QueueId, QueueRef>>,
    settings: Settings,
    /// Who is connected.
    pub registry: Registry,
    /// Deadlines of queues; the node waits for them.
    pub timers: Timers,
    /// Where dead letters went round; the node tells the operator.
    pub cycles: Cycles,
    /// Queues that a bug has stopped; the node tells the operator, see [`Broker::handle_crashes`].
    pub crashes: Arc<Crashes>,
    /// What whoever listens at the exchange of events is told; the node publishes it.
    pub events: Events,
    /// Consumers of direct replies.
    pub(crate) reply_consumers: ReplyConsumers,
    /// What is copied to `amq.rabbitmq.trace`.
    pub(crate) firehose: Firehose,
    pub(crate) counting: Counting,
    pub(crate) queue_churn: QueueChurn,
    pub(crate) dead_letter_counters: DeadLetterCounters,
    pub(crate) auth_book: AuthBook,
    /// Room for bodies whose end has not arrived.
    bodies: Arc<Bodies>,
    alarms: AtomicU8,
    next_id: AtomicU64,
    chance: AtomicU64,
    turns: Mutex<Vec<Turn>>,
    /// Where backlogs lie, if they may leave memory.
    pages: Option<Arc<dyn Pages>>,
    paging: Paging,
}

impl Broker {
    /// A broker over an empty topology. `seed` feeds generated names and random choices; the
    /// shell takes it from the system, a simulation from its own seed.
    pub fn new(
        config: BrokerConfig,
        state: State,
        journal: Arc<dyn Journal>,
        control: Arc<dyn Control>,
        authenticator: AuthenticatorRef,
        seed: u64,
    ) -> Self {
        let bodies = Arc::new(Bodies::new(config.unfinished_bodies_max));
        Self {
            config,
            journal,
            control,
            authenticator,
            topology: RwLock::new(state),
            generation: AtomicU64::new(1),
            queues: RwLock::default(),
            settings: Settings::default(),
            registry: Registry::default(),
            timers: Timers::default(),
            cycles: Cycles::default(),
            crashes: Arc::default(),
            events: Events::default(),
            reply_consumers: ReplyConsumers::new(seed),
            firehose: Firehose::default(),
            counting: Counting::default(),
            queue_churn: QueueChurn::default(),
            dead_letter_counters: DeadLetterCounters::default(),
            auth_book: AuthBook::default(),
            bodies,
            alarms: AtomicU8::new(0),
            next_id: AtomicU64::new(1),
            chance: AtomicU64::new(seed),
            turns: Mutex::default(),
            pages: None,
            paging: Paging::default(),
        }
    }

    /// Limits and defaults.
    pub fn config(&self) -> &BrokerConfig {
        &self.config
    }

    /// The control plane's state. Hold the guard for a lookup, not longer.
    pub fn topology(&self) -> RwLockReadGuard<'_, State> {
        self.topology.read()
    }

    /// Grows with every change of the topology: what was looked up under an older one is stale.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The cluster's name: the one it was given, or else the configured one.
    pub fn cluster_name(&self) -> String {
        let topology = self.topology();
        topology.cluster_name().unwrap_or(&self.config.identity.cluster_name).to_owned()
    }

    /// A node-wide id, never given twice while the node runs.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// 64 bits of chance, determined by the seed.
    pub fn chance(&self) -> u64 {
        // SplitMix64: a counter through a mixing function.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.chance.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `prefix` and 22 characters of chance: server-named queues and consumer tags.
    pub fn unique_name(&self, prefix: &str) -> String {
        let chance = u128::from(self.chance()) << 64 | u128::from(self.chance());
        format!("{prefix}{}", crate::reply::base64url(&chance.to_be_bytes()))
    }

    /// How listings print the process of a connection, channel or queue.
    pub fn pid(&self, id: u64) -> String {
        format!("<{}.{}.{id}.0>", self.config.identity.node, self.reply_consumers.epoch())
    }

    /// True when `password` is the user's.
    pub fn is_password_of(&self, user: &str, password: &[u8]) -> bool {
        self.authenticator.is_password_of(&self.topology(), user, password)
    }

    // Control plane.

    /// Proposes a command; `mailbox` gets [`Event::Committed`] with `token` when it is durable
    /// and applied, or refused.
    pub fn propose(&self, token: u64, command: Command, mailbox: MailboxRef) {
        let done = move |result| {
            mailbox.post(Event::Committed { token, result });
            mailbox.wake();
        };
        self.control.propose(command, Completion::new(done));
    }

    /// Proposes a command; `done` is called with what became of it, on the control plane's thread.
    pub fn propose_with(&self, command: Command, done: Done) {
        self.control.propose(command, Completion::new(done));
    }

    /// As [`Self::propose_with`], for a user who asks for it.
    pub fn propose_as(&self, actor: Arc<str>, command: Command, done: Done) {
        self.control.propose(command, Completion::of(actor, done));
    }

    /// Applies a committed command: the topology first, then what it means for queues; then `done`
    /// is told, and then connections hear what they lost by it, so that whoever deletes a queue gets
    /// the answer before its own consumers' cancellations, as from RabbitMQ. Whoever changes policies
    /// is told when all queues act on them, by [`Broker::poll_timers`]. Called by the control plane
    /// alone, in the log's order.
    pub fn apply(&self, now: Timestamp, index: u64, command: &Command, done: Completion) {
        let mut changes = Vec::new();
        let result = {
            let mut topology = self.topology.write();
            let result = topology.apply(index, command, &mut changes);
            // A queue exists before anybody can route to it.
            for change in &changes {
                if let Change::QueueCreated(record) = change {
                    self.queues.write().insert(record.id, self.new_cell(now, &topology, record));
                }
            }
            self.generation.fetch_add(1, Ordering::Release);
            self.events.look(&topology, &self.config.event_vhost);
            result
        };
        let mut losers = Vec::new();
        for change in &changes {
            match change {
                Change::QueueCreated(record) => {
                    self.queue_churn.created.fetch_add(1, Ordering::Relaxed);
                    if let Some(cell) = self.queue(record.id) {
                        self.start_queue(now, &cell);
                    }
                }
                Change::QueueDeleted(record) => {
                    self.queue_churn.deleted.fetch_add(1, Ordering::Relaxed);
                    self.drop_queue(now, record, &mut losers);
                }
                _ => {}
            }
        }
        if result.is_ok() {
            self.events.note(|| Occurrence::Changed {
                actor: done.actor().cloned().unwrap_or_else(|| INTERNAL_USER.into()),
                command: command.clone(),
                changes: changes.clone(),
            });
        }
        let policies_of = changes.iter().find_map(|change| match change {
            Change::PoliciesChanged(vhost) => Some(vhost),
            _ => None,
        });
        match policies_of {
            Some(vhost) => self.begin_rollout(vhost, done, result),
            None => done.tell(result),
        }
        for (mailbox, key) in losers {
            mailbox.post(Event::ConsumerCancelled(key));
            mailbox.wake();
        }
        for change in changes {
            self.close_connections_of(change);
        }
    }

    /// Restores the topology from a snapshot. Queues come back empty.
    pub fn restore(&self, now: Timestamp, state: State) {
        {
            let mut topology = self.topology.write();
            let mut queues = self.queues.write();
            queues.clear();
            for record in state.vhosts().flat_map(|vhost| vhost.queues()) {
                queues.insert(record.id, self.new_cell(now, &state, record));
            }
            *topology = state;
            self.events.look(&topology, &self.config.event_vhost);
            self.generation.fetch_add(1, Ordering::Release);
        }
        for cell in self.queues() {
            self.start_queue(now, &cell);
        }
    }

    fn new_cell(&self, now: Timestamp, state: &State, record: &Arc<QueueRecord>) -> QueueRef {
        let queue = Queue::new(record.clone(), self.settings_of(state, record), now);
        Arc::new(QueueCell::new(record.clone(), queue))
    }

    /// Arms the first timer of a new queue: its expiry runs from the declaration on.
    fn start_queue(&self, now: Timestamp, cell: &QueueRef) {
        let queue = cell.lock();
        if queue.settings().expires_ms.is_some() {
            let mut turn = self.begin(now);
            self.conclude(&mut turn, cell, queue);
            self.finish(turn);
        }
    }

    /// Ends the connections of a vhost or a user that is gone.
    fn close_connections_of(&self, change: Change) {
        match change {
            Change::VhostDeleted(name) => {
                let reason = format!("vhost '{name}' is deleted");
                self.registry.request_close(&reason, |it| *it.facts.vhost == *name);
            }
            Change::UserDeleted(name) => {
                let reason = format!("user '{name}' is deleted");
                self.registry.request_close(&reason, |it| *it.facts.user == *name);
            }
            _ => {}
        }
    }

    /// The queues that have crashed since the last call; they let go of their consumers. What the turns
    /// owed to other queues is carried out.
    pub fn handle_crashes(&self) -> Vec<QueueRef> {
        let mut crashed = self.queues();
        crashed.retain(|cell| cell.is_crashed() && self.crashes.tell(cell.record.id));
        for cell in &crashed {
            let queue = cell.lock();
            self.forget_resident(cell);
            drop(queue);
            self.timers.disarm(cell.armed_ms(), cell.record.id);
        }
        while let Some(mut turn) = self.crashes.take_left() {
            self.equip(&mut turn);
            self.finish(turn);
        }
        crashed
    }

    /// Takes a deleted queue away and names the consumers it had.
    fn drop_queue(
        &self,
        now: Timestamp,
        record: &QueueRecord,
        losers: &mut Vec<(MailboxRef, ConsumerKey)>,
    ) {
        let Some(cell) = self.queues.write().remove(&record.id) else { return };
        let deleted = {
            let mut queue = cell.lock();
            cell.mark_deleted();
            losers.extend(queue.consumers().map(|it| (it.mailbox.clone(), it.key)));
            queue.consumers().for_each(|it| self.note_consumer(&cell, it, false));
            if record.durable {
                self.journal.remove(record);
            }
            self.drop_pages(&cell, &queue);
            let empty = Queue::new(cell.record.clone(), queue.settings().clone(), now);
            std::mem::replace(&mut *queue, empty)
        };
        // Whoever holds something unacked refers to the cell for as long as it likes: the messages
        // go now, and after the lock.
        drop(deleted);
        self.timers.disarm(cell.armed_ms(), record.id);
    }

    // Queues.

    /// The queue with this id, unless it is gone.
    pub fn queue(&self, id: QueueId) -> Option<QueueRef> {
        self.queues.read().get(&id).cloned()
    }

    /// All queues, in the order of their ids.
    pub fn queues(&self) -> Vec<QueueRef> {
        let mut queues: Vec<QueueRef> = self.queues.read().values().cloned().collect();
        queues.sort_unstable_by_key(|cell| cell.record.id);
        queues
    }

    /// Appends a batch to a queue and hands over what its consumers can take.
    pub fn publish(&self, turn: &mut Turn, cell: &QueueRef, batch: &[Incoming<'_>]) -> Published {
        let mut queue = cell.lock();
        if cell.is_crashed() {
            self.crashes.note(cell.record.id);
            return Published { lsn: Lsn(0), rejected: (0..batch.len() as u32).collect() };
        }
        if cell.is_deleted() {
            // RabbitMQ confirms what it published into a queue that is being deleted.
            return Published::default();
        }
        queue.publish(turn.now, batch, &mut turn.fx);
        self.deliver(turn, cell, &mut queue);
        let rejected = SmallVec::from_slice(&turn.fx.rejected);
        if cell.is_congested() {
            turn.congested = Some(cell.clone());
        }
        Published { lsn: self.conclude(turn, cell, queue), rejected }
    }

    /// Subscribes a consumer. Deliveries start at once, so announce it to the client before.
    pub fn consume(
        &self,
        turn: &mut Turn,
        cell: &QueueRef,
        consumer: Consumer,
    ) -> Result<Lsn, ConsumeRefusal> {
        let mut queue = cell.lock();
        if cell.is_deleted() || cell.is_doomed() {
            return Err(ConsumeRefusal::Gone);
        }
        let id = consumer.id;
        queue.add_consumer(turn.now, consumer, &mut turn.fx)?;
        if self.events.is_open()
            && let Some(added) = queue.consumers().find(|it| it.id == id)
        {
            self.note_consumer(cell, added, true);
        }
        self.deliver(turn, cell, &mut queue);
        self.conclude(turn, cell, queue);
        Ok(cell.mark_lsn())
    }

    /// Ends a subscription. What it holds unacked stays with it until settled.
    pub fn cancel(&self, turn: &mut Turn, cell: &QueueRef, consumer: ConsumerId) {
        let mut queue = cell.lock();
        if self.events.is_open()
            && let Some(removed) = queue.consumers().find(|it| it.id == consumer)
        {
            self.note_consumer(cell, removed, false);
        }
        queue.remove_consumer(turn.now, consumer, &mut turn.fx);
        self.deliver(turn, cell, &mut queue);
        self.conclude(turn, cell, queue);
    }

    /// Takes one message, for `getter` or settled at once. `f` runs with the queue locked: append to a
    /// mailbox and return.
    pub fn get<R>(
        &self,
        turn: &mut Turn,
        cell: &QueueRef,
        getter: Option<&Getter>,
        f: impl FnOnce(Option<Got<'_>>) -> R,
    ) -> (R, Reading) {
        let mut queue = cell.lock();
        // What expired before the first message that lives is dead-lettered a part at a time.
        while queue.has_more_expired(turn.now, &mut turn.fx) {
            self.conclude(turn, cell, queue);
            self.publish_dead_letters(turn);
            queue = cell.lock();
        }
        let got = queue.get(turn.now, getter, &mut turn.fx);
        let is_retry = got.as_ref().is_some_and(|got| got.delivery.attempts.is_some());
        let result = f(got);
        let settled = self.conclude(turn, cell, queue);
        let counted = if is_retry { settled } else { Lsn(0) };
        (result, Reading { marked: cell.mark_lsn().max(counted), settled })
    }

    /// Settles deliveries of one consumer (or of `basic.get`) and hands over what that allows. What
    /// dies thereby is published as soon as it takes much memory, and the queue unlocked meanwhile.
    /// The settlement is durable once the returned position is.
    pub fn settle(
        &self,
        turn: &mut Turn,
        cell: &QueueRef,
        consumer: Option<ConsumerId>,
        tickets: &[Ticket],
        how: Settle,
    ) -> Lsn {
        let (mut lsn, mut rest) = (Lsn(0), tickets);
        loop {
            let mut queue = cell.lock();
            if cell.is_deleted() {
                return lsn;
            }
            let settled = queue.settle(turn.now, consumer, rest, how, &mut turn.fx);
            self.deliver(turn, cell, &mut queue);
            lsn = lsn.max(self.conclude(turn, cell, queue));
            rest = &rest[settled..];
            if rest.is_empty() {
                return lsn;
            }
            self.publish_dead_letters(turn);
            turn.fx.end_turn();
        }
    }

    /// A parked consumer has room again.
    pub fn resume(&self, turn: &mut Turn, cell: &QueueRef, consumer: ConsumerId) {
        let mut queue = cell.lock();
        queue.resume(consumer);
        self.deliver(turn, cell, &mut queue);
        self.conclude(turn, cell, queue);
    }

    /// Drops all ready messages; returns how many.
    pub fn purge(&self, turn: &mut Turn, cell: &QueueRef) -> (u64, Lsn) {
        let mut queue = cell.lock();
        let purged = queue.purge(turn.now, &mut turn.fx);
        (purged, self.conclude(turn, cell, queue))
    }

    /// Counts of a queue.
    pub fn counts(&self, cell: &QueueRef) -> Counts {
        cell.lock().counts()
    }

    /// Calls `f` with each consumer of a queue. `f` runs with the queue locked.
    pub fn for_each_consumer(&self, cell: &QueueRef, f: impl FnMut(ConsumerView<'_>)) {
        cell.lock().consumer_views().for_each(f);
    }

    /// The queue was declared again: `x-expires` starts anew.
    pub fn touch_queue(&self, turn: &mut Turn, cell: &QueueRef) {
        let mut queue = cell.lock();
        queue.touch(turn.now);
        self.conclude(turn, cell, queue);
    }

    /// Hands out what the queue has, in batches, until its consumers are full or it is empty.
    fn deliver(&self, turn: &mut Turn, cell: &QueueRef, queue: &mut Queue) {
        let is_traced = self.is_traced(&cell.record.vhost);
        while let Some(batch) = queue.next_batch(turn.now, &mut turn.fx) {
            let len = batch.len();
            let intake = batch.mailbox().deliver(batch.key(), cell, &batch);
            let mailbox = batch.mailbox();
            if batch.is_retry() {
                turn.holding.push(mailbox.clone());
            }
            if turn.touched.last().is_none_or(|last| !Arc::ptr_eq(last, mailbox)) {
                turn.touched.push(mailbox.clone());
            }
            if is_traced {
                self.trace_batch(&mut turn.traces, cell, &batch, intake.taken);
            }
            // A mailbox that takes less than all without saying so would be offered the rest for
            // ever.
            let is_full = intake.is_full || intake.taken < len;
            queue.commit_batch(turn.now, intake.taken, is_full, &mut turn.fx);
        }
        let (ready, ready_bytes) = queue.backlog();
        cell.note_pressure(ready, ready_bytes, queue.has_consumers());
    }

    /// Ends the work on a locked queue: journals it, arms its timer, unlocks it, and moves what
    /// must wait for the unlock into the turn.
    pub(crate) fn conclude(&self, turn: &mut Turn, cell: &QueueRef, mut queue: Locked<'_>) -> Lsn {
        queue.take_journal(&mut turn.fx);
        self.carry_out(turn, cell, queue)
    }

    /// As [`Self::conclude`], when the turn's entry is made already.
    fn carry_out(&self, turn: &mut Turn, cell: &QueueRef, queue: Locked<'_>) -> Lsn {
        let fx = &mut turn.fx;
        for TimedOut { consumer, mailbox, key } in fx.timed_out.drain(..) {
            mailbox.post(Event::DeliveryTimedOut { key, consumer });
            turn.touched.push(mailbox);
        }
        if cell.is_crashed() {
            self.crashes.note(cell.record.id);
        }
        self.dead_letter_counters.count(cell.record.kind, &mut fx.deaths);
        let mut lsn = Lsn(0);
        let id = cell.record.id;
        if !cell.is_deleted() {
            if !fx.journal.is_empty() {
                fx.blobs.leave_new(&mut fx.attachments);
                let (index, attachments) = (fx.journal_index, &fx.attachments);
                lsn = self.journal.append(&cell.record, index, &fx.journal, attachments);
                cell.set_last_lsn(lsn);
            }
            if fx.has_mark {
                cell.set_mark_lsn(lsn);
            }
            if let Some(keep_from) = fx.compact_to {
                self.journal.compact(&cell.record, keep_from);
            }
            if fx.clear_journal {
                self.journal.clear(&cell.record);
            }
            // Decided while nobody can subscribe: who comes later finds no queue.
            if (fx.is_unused || fx.is_expired) && cell.doom() {
                turn.doomed.push(id);
            }
            let armed_ms = cell.armed_ms();
            if let Some(at) = queue.poll_timeout()
                && !cell.is_doomed()
                && (armed_ms == 0 || at.0 < armed_ms)
            {
                cell.set_armed_ms(at.0);
                turn.deadlines.push((at, armed_ms, id));
            }
        }
        turn.holding.release(lsn);
        if !cell.is_deleted() {
            self.note_resident(cell, &queue);
        }
        let last_lsn = cell.last_lsn();
        drop(queue);
        fx.take_released().for_each(|page| self.release_page(page, last_lsn));
        self.note_damage(cell, &mut fx.damaged);
        turn.dead_letters.extend(fx.dead_letters.drain(..).map(|letter| (cell.clone(), letter)));
        fx.clear();
        lsn
    }

    // Turns.

    /// Begins a turn at `now`.
    pub fn begin(&self, now: Timestamp) -> Turn {
        let mut turn = self.turns.lock().pop().unwrap_or_default();
        turn.now = now;
        turn.congested = None;
        self.equip(&mut turn);
        turn
    }

    /// Gives a new turn what all of them share.
    fn equip(&self, turn: &mut Turn) {
        if turn.crashes.is_none() {
            turn.fx.pages.clone_from(&self.pages);
            turn.crashes = Some(self.crashes.clone());
        }
    }

    /// Ends a turn: publishes dead letters and the firehose's copies, arms timers, deletes what nobody uses, wakes mailboxes.
    /// No queue may be locked.
    pub fn finish(&self, mut turn: Turn) {
        while !(turn.dead_letters.is_empty() && turn.traces.is_empty()) {
            self.publish_dead_letters(&mut turn);
            self.publish_traces(&mut turn);
        }
        turn.fx.end_turn();
        for (at, replaced_ms, queue) in turn.deadlines.drain(..) {
            self.timers.arm(at, replaced_ms, queue);
        }
        if !turn.doomed.is_empty() {
            let ids = std::mem::take(&mut turn.doomed);
            self.propose_with(Command::DeleteQueues(ids), Box::new(|_| {}));
        }
        for mailbox in turn.touched.drain(..) {
            mailbox.wake();
        }
        let mut turns = self.turns.lock();
        if turns.len() < TURNS_KEPT_MAX {
            turns.push(turn);
        }
    }

    /// Does what queues wanted done by `now`, a turn for each of them and not more than
    /// [`DUE_PER_POLL_MAX`], and takes changed policies to some queues; returns when there is more to
    /// do, which may be now. A queue with much to do wants another turn at once, and gets it after the
    /// others.
    pub fn poll_timers(&self, now: Timestamp) -> Option<Timestamp> {
        for (at, id) in self.timers.take_due(now, DUE_PER_POLL_MAX) {
            let Some(cell) = self.queue(id) else { continue };
            let mut turn = self.begin(now);
            let mut queue = cell.lock();
            if cell.armed_ms() == at.0 && !cell.is_deleted() {
                cell.set_armed_ms(0);
                queue.handle_timeout(now, &mut turn.fx);
                self.deliver(&mut turn, &cell, &mut queue);
                self.conclude(&mut turn, &cell, queue);
            } else {
                drop(queue);
            }
            self.finish(turn);
        }
        match self.poll_rollouts(now) {
            true => Some(now),
            false => self.timers.next(),
        }
    }

    // Durability and alarms.

    /// The journal.
    pub fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// Everything journaled up to here survives a crash.
    pub fn durable(&self) -> Lsn {
        self.journal.durable()
    }

    /// Wakes `mailbox` once when `lsn` is durable.
    pub fn notify_durable(&self, lsn: Lsn, mailbox: MailboxRef) {
        self.journal.notify(lsn, mailbox);
    }

    /// Journal bytes that are not durable yet.
    pub fn journal_backlog(&self) -> u64 {
        self.journal.backlog_bytes()
    }

    /// The alarms that are on.
    pub fn alarms(&self) -> Alarms {
        Alarms(self.alarms.load(Ordering::Relaxed))
    }

    /// Turns an alarm on or off and tells all connections when that changed something.
    pub fn set_alarm(&self, bit: u8, is_on: bool) {
        let before = if is_on {
            self.alarms.fetch_or(bit, Ordering::Relaxed)
        } else {
            self.alarms.fetch_and(!bit, Ordering::Relaxed)
        };
        if (before & bit != 0) != is_on {
            self.events.note(|| Occurrence::AlarmChanged { bit, is_on });
            for entry in self.registry.connections() {
                entry.mailbox.post(Event::AlarmsChanged);
                entry.mailbox.wake();
            }
        }
    }

    /// Checks that a queue may be deleted under the given conditions; returns its ready count. Who
    /// sets a condition has to delete it then: it takes no consumers any more.
    pub fn check_delete(
        &self,
        cell: &QueueRef,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<u64, Refusal> {
        let queue = cell.lock();
        let counts = queue.counts();
        let refuse = |why: &str| {
            let text =
                format!("queue '{}' in vhost '{}' {why}", cell.record.name, cell.record.vhost);
            Err(Refusal { kind: topology::RefusalKind::PreconditionFailed, text })
        };
        if if_unused && counts.consumers > 0 {
            return refuse("in use");
        }
        if if_empty && counts.ready > 0 {
            return refuse("not empty");
        }
        if if_unused || if_empty {
            cell.doom();
        }
        Ok(counts.ready)
    }
}
