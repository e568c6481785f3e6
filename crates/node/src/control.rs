//! The control plane's thread: proposals in, a replicated log, the topology out.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use broker::{Broker, Completion, Control};
use consensus::{Committed, Group};
use stdx::Timestamp;
use storage::Log;
use topology::{Command, Refusal, RefusalKind, State};
use tracing::{error, info, warn};

/// Proposals that share one disk synchronisation at most.
const PROPOSALS_PER_TURN_MAX: usize = 1024;

/// Log bytes after which the topology is stored whole and the log forgotten.
const SNAPSHOT_LOG_BYTES_MIN: u64 = 8 * 1024 * 1024;

/// Time between two attempts to write while the disk is full.
const ROOM_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// What the control thread is asked.
pub(crate) enum Work {
    Propose(Command, Completion),
    Stop,
}

/// The sending end; what [`Broker`] sees.
pub(crate) struct Proposals(pub(crate) Sender<Work>);

impl Control for Proposals {
    fn propose(&self, command: Command, done: Completion) {
        if let Err(unsent) = self.0.send(Work::Propose(command, done))
            && let Work::Propose(_, done) = unsent.0
        {
            done.tell(Err(stopping()));
        }
    }
}

fn stopping() -> Refusal {
    let text = "the node is stopping".to_owned();
    Refusal { kind: RefusalKind::InternalError, text }
}

/// The replicated log of the control plane together with what it drives.
pub(crate) struct ControlPlane<L: Log> {
    group: Group<L>,
    broker: Arc<Broker>,
    waiting: HashMap<u64, Completion>,
    /// What came while earlier proposals wait for room on the disk. As many as clients that wait.
    postponed: VecDeque<(Command, Completion)>,
    next_context: u64,
    bytes_since_snapshot: u64,
    snapshot_bytes: u64,
}

impl<L: Log> ControlPlane<L> {
    /// Restores the topology from the snapshot and the log.
    pub(crate) fn recover(
        group: Group<L>,
        broker: Arc<Broker>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let mut plane = Self {
            group,
            broker,
            waiting: HashMap::new(),
            postponed: VecDeque::new(),
            next_context: 0,
            bytes_since_snapshot: 0,
            snapshot_bytes: 0,
        };
        if let Some((_, bytes)) = plane.group.snapshot()? {
            plane.snapshot_bytes = bytes.len() as u64;
            restore(&plane.broker, &bytes, now)?;
        }
        plane.turn(now)?;
        for what in plane.broker.topology().not_understood() {
            warn!("this version does not understand all of {what}: that has no effect");
        }
        plane.broker.forget_queue_churn();
        Ok(plane)
    }

    /// The current term of its raft group.
    pub(crate) fn term(&self) -> u64 {
        self.group.term()
    }

    /// Entries of the log that are lost to damage: what they declared, changed or deleted is not
    /// known.
    pub(crate) fn lost(&self) -> Vec<u64> {
        self.group.lost()
    }

    /// Goes on without them for good.
    pub(crate) fn forget_lost(&mut self) -> anyhow::Result<()> {
        self.save_snapshot()
    }

    /// Proposes commands and waits for them: start-up has nobody else to serve. They reach the log
    /// in one write, so that a crash leaves all of them or none.
    pub(crate) fn propose_now(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let (sender, receiver) = std::sync::mpsc::channel();
        for command in commands {
            let sender = sender.clone();
            self.propose(command, Completion::new(move |result| drop(sender.send(result))));
        }
        drop(sender);
        self.turn(now)?;
        receiver
            .iter()
            .try_for_each(|result| result.map(drop))
            .map_err(|it| anyhow::anyhow!(it.text))
    }

    /// The body of the control thread, until it is told to stop or the log fails.
    pub(crate) fn run(mut self, work: &Receiver<Work>) -> anyhow::Result<()> {
        loop {
            let first = match self.waits_for_room() {
                true => work.recv_timeout(ROOM_RETRY_INTERVAL),
                false => work.recv().map_err(RecvTimeoutError::from),
            };
            let first = match first {
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                first => first.ok(),
            };
            if self.step(first, work, net::now())?.is_break() {
                return Ok(());
            }
        }
    }

    /// Whether proposals could not be written for want of room: they wait, and so does what comes
    /// after them, until a [`ControlPlane::step`] finds some.
    pub(crate) fn waits_for_room(&self) -> bool {
        self.group.waits_for_room()
    }

    /// Carries out what waits, `first`, and what came after it, with one synchronisation of the disk.
    ///
    /// # Errors
    /// When the log failed: everybody who waits was refused, and no change is accepted any more.
    pub(crate) fn step(
        &mut self,
        first: Option<Work>,
        work: &Receiver<Work>,
        now: Timestamp,
    ) -> anyhow::Result<ControlFlow<()>> {
        let more = std::iter::from_fn(|| work.try_recv().ok());
        let mut flow = ControlFlow::Continue(());
        for work in first.into_iter().chain(more).take(PROPOSALS_PER_TURN_MAX) {
            match work {
                Work::Propose(command, done) => self.propose(command, done),
                Work::Stop => flow = ControlFlow::Break(()),
            }
        }
        let has_waited = self.waits_for_room();
        match self.turn(now) {
            Err(error) if is_full(&error) => {
                if !has_waited {
                    warn!(%error, "a change of queues, users or the like waits for room");
                }
                if flow.is_break() {
                    self.refuse_all();
                }
                Ok(flow)
            }
            Err(error) => {
                error!(%error, "the control plane's log failed; no change is accepted any more");
                self.refuse_all();
                Err(error)
            }
            Ok(()) => {
                if has_waited {
                    info!("there is room again for changes of queues, users and the like");
                }
                Ok(flow)
            }
        }
    }

    /// The node ends before it can answer.
    fn refuse_all(&mut self) {
        let postponed = self.postponed.drain(..).map(|(_, done)| done);
        let waiting = self.waiting.drain().map(|(_, done)| done);
        waiting.chain(postponed).for_each(|done| done.tell(Err(stopping())));
    }

    fn propose(&mut self, command: Command, done: Completion) {
        if self.waits_for_room() {
            self.postponed.push_back((command, done));
            return;
        }
        self.next_context += 1;
        let context = self.next_context.to_le_bytes().to_vec();
        match self.group.propose(context, command.encode()) {
            Ok(()) => {
                self.waiting.insert(self.next_context, done);
            }
            Err(error) => {
                let text = error.to_string();
                done.tell(Err(Refusal { kind: RefusalKind::InternalError, text }));
            }
        }
    }

    /// Makes what was proposed durable, applies what is committed, answers.
    fn turn(&mut self, now: Timestamp) -> anyhow::Result<()> {
        while self.group.has_ready() {
            self.poll(now)?;
            for (command, done) in std::mem::take(&mut self.postponed) {
                self.propose(command, done);
            }
        }
        if self.bytes_since_snapshot > SNAPSHOT_LOG_BYTES_MIN.max(2 * self.snapshot_bytes) {
            self.save_snapshot()?;
        }
        Ok(())
    }

    fn save_snapshot(&mut self) -> anyhow::Result<()> {
        let bytes = self.broker.topology().snapshot();
        self.snapshot_bytes = bytes.len() as u64;
        self.bytes_since_snapshot = 0;
        match self.group.save_snapshot(self.group.applied(), &bytes) {
            // The log does without it. The next one is due when as much was written once more.
            Err(error) if error.is_full() => warn!(%error, "no room for a snapshot"),
            saved => saved?,
        }
        Ok(())
    }

    fn poll(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let Self { group, broker, waiting, bytes_since_snapshot, .. } = self;
        let mut failed = None;
        group.poll(&mut |committed| match committed {
            Committed::Entry { index, context, data } => {
                *bytes_since_snapshot += data.len() as u64;
                // Entries of an earlier run have contexts that nobody waits for.
                let context = context.try_into().map(u64::from_le_bytes);
                let waiting = context.ok().and_then(|context| waiting.remove(&context));
                let done = waiting.unwrap_or_else(|| Completion::new(|_| {}));
                apply(broker, now, index, data, done);
            }
            Committed::Snapshot { data, .. } => failed = restore(broker, data, now).err(),
        })?;
        failed.map_or(Ok(()), Err)
    }
}

/// Whether the disk has no room for it: nothing is lost.
pub(crate) fn is_full(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(consensus::Error::is_full)
}

fn apply(broker: &Broker, now: Timestamp, index: u64, data: &[u8], done: Completion) {
    match Command::decode(data) {
        Ok(command) => broker.apply(now, index, &command, done),
        Err(error) => {
            // The log's checksums rule damage out, so a newer version wrote it.
            error!(index, %error, "cannot read a command of the control plane's log");
            done.tell(Err(Refusal { kind: RefusalKind::InternalError, text: error.to_string() }));
        }
    }
}

fn restore(broker: &Broker, bytes: &[u8], now: Timestamp) -> anyhow::Result<()> {
    let mut state = State::restore(bytes)?;
    // What this node's operator configured is not replicated.
    state.rules = broker.topology().rules.clone();
    broker.restore(now, state);
    Ok(())
}
