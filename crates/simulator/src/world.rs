//! The loop: who acts next, what the disk does, when it ends.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::Arc;

use amqp091_codec::{BasicAck, BasicConsume, BasicGet, BasicQos};
use broker::BrokerConfig;
use node::{Core, CoreOptions};
use stdx::Timestamp;
use storage::{EngineOptions, SimDisk};
use topology::{AddUser, AddVhost, Command, QueueKind, Rules, SetPermissions};

use crate::actor::{self, Actor, Scene};
use crate::chance::Chance;
use crate::founder::{self, PLOTS};
use crate::history::{History, Outcome};
use crate::ledger::{Id, Ledger};
use crate::link::{Link, Said};
use crate::queues::QueueName::{self, Polled, Quiet, Single};

/// Steps of the node and its clients between two restarts at most.
const STEPS_MAX: u64 = 600;
/// Rounds without anything happening after which the world is at rest.
const QUIET_ROUNDS: u32 = 3;
/// Rounds in which it must come to rest: more is a loop without end.
const ROUNDS_MAX: u32 = 100_000;
/// Longest step of time, in milliseconds.
const TICK_MS: u64 = 40;
/// Longer than anything in here waits: expiry, pauses, retries.
const LONG_MS: u64 = 5000;
/// Nothing is secret here.
const SALT: [u8; 4] = [1, 2, 3, 4];
/// In one of so many histories confirms wait for the operating system only.
const UNSYNCED_ONE_IN: u64 = 4;
/// One of so many histories ends with a disk that rots.
const ROTS_ONE_IN: u64 = 4;
/// Bits that rot then at most.
const ROTTEN_BITS_MAX: u64 = 5;
/// Where the data directory lies on a disk that nothing else is on.
const DATA_DIR: &str = "/data";

pub(crate) struct World {
    seed: u64,
    chance: Chance,
    disk: SimDisk,
    /// The disk has a limit.
    is_tight: bool,
    /// A call of this round is bound to fail, or has.
    is_call_failing: bool,
    /// A read of this round is.
    is_read_failing: bool,
    /// Confirms wait for the device. Others promise nothing for the case that the power is cut: it is at
    /// the very end then, if at all.
    is_synced: bool,
    /// Sizes of the node's log: mostly so small that files come and go.
    log: EngineOptions,
    now: Timestamp,
    ledger: Ledger,
    history: History,
    publishers: u32,
    restarts: u32,
}

/// How a round ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Stop,
    Kill,
    PowerCut,
}

/// Vhost `/` and user `guest`.
fn first_boot() -> Vec<Command> {
    let (vhost, guest, all) = ("/".to_owned(), "guest".to_owned(), ".*".to_owned());
    let algorithm = auth::Algorithm::default();
    vec![
        Command::AddVhost(AddVhost { name: vhost.clone(), ..AddVhost::default() }),
        Command::AddUser(AddUser {
            name: guest.clone(),
            password_hash: auth::hash_password(algorithm, SALT, b"guest"),
            hashing_algorithm: algorithm.name().to_owned(),
            tags: Vec::new(),
        }),
        Command::SetPermissions(SetPermissions {
            user: guest,
            vhost,
            configure: all.clone(),
            write: all.clone(),
            read: all,
        }),
    ]
}

/// Takes apart what is left of a node whose disk is gone: its queues and its clients hold on to each
/// other, and so do its log and whoever waits for that.
fn let_go(core: &Core, actors: Vec<Actor>, now: Timestamp) {
    actors.into_iter().for_each(|actor| actor.link.disconnect(now));
    core.step_log();
}

/// Mostly some KiB a file, at times as a server has it.
fn log_options(chance: &mut Chance) -> EngineOptions {
    if chance.one_in(4) {
        return EngineOptions::default();
    }
    let file_bytes = 4096 << chance.below(6);
    EngineOptions { file_bytes, purge_bytes: file_bytes * (1 + chance.below(4)) }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let disk = SimDisk::new(chance.bits());
        let log = log_options(&mut chance);
        let is_synced = !chance.one_in(UNSYNCED_ONE_IN);
        Self {
            seed,
            chance,
            disk,
            is_tight: false,
            is_call_failing: false,
            is_read_failing: false,
            is_synced,
            log,
            now: Timestamp(1_000_000),
            ledger: Ledger::default(),
            history: History::default(),
            publishers: 0,
            restarts: 0,
        }
    }

    pub(crate) fn run(mut self) -> Outcome {
        let rounds = 2 + self.chance.below(4);
        for round in 0..=rounds {
            let Some(mut core) = self.start() else { break };
            if round == 0 {
                self.declare(&mut core);
            }
            self.inspect(&mut core);
            if round == rounds {
                if self.ledger.violations.is_empty() && self.chance.one_in(ROTS_ONE_IN) {
                    self.rot(core);
                }
                break;
            }
            let actors = self.load(&mut core);
            self.end(core, actors);
            if !self.ledger.violations.is_empty() {
                break;
            }
        }
        Outcome {
            seed: self.seed,
            history: self.history,
            violations: self.ledger.violations,
            confirmed: self.ledger.confirmed,
            restarts: self.restarts,
            quorum: self.ledger.quorum,
        }
    }

    fn note(&mut self, what: &str) {
        self.history.note(self.now, "world", what);
    }

    fn scene(&mut self) -> Scene<'_> {
        Scene { now: self.now, ledger: &mut self.ledger, history: &mut self.history }
    }

    fn options(&mut self) -> CoreOptions {
        CoreOptions {
            disk: Arc::new(self.disk.clone()),
            data_dir: DATA_DIR.into(),
            log: self.log,
            is_synced: self.is_synced,
            broker: BrokerConfig { resident_max: self.resident_max(), ..BrokerConfig::default() },
            rules: Rules::default(),
            first_boot: first_boot(),
            seed: self.chance.bits(),
            accepts_damage: false,
            on_full: None,
        }
    }

    fn start(&mut self) -> Option<Core> {
        match Core::open(self.options(), self.now) {
            Ok(core) => {
                self.note("the node starts");
                Some(core)
            }
            Err(error) => {
                self.ledger.violations.push(format!("the node does not start: {error}"));
                None
            }
        }
    }

    /// Bytes of messages in memory from which some go to pages: mostly soon reached.
    fn resident_max(&mut self) -> u64 {
        match self.chance.below(4) {
            0 => BrokerConfig::default().resident_max,
            1 => 0,
            _ => self.chance.below(100_000),
        }
    }

    fn declare(&mut self, core: &mut Core) {
        let mut link = Link::connect(&core.broker, self.now, 9999);
        actor::declare(&mut link);
        self.settle(core, &mut [&mut link]);
        while let Some(said) = link.hear() {
            if let Said::Closed(text) = said {
                self.ledger.violations.push(format!("a declaration was refused: {text}"));
            }
        }
        link.disconnect(self.now);
    }

    /// Clients at work, until the round is over.
    fn load(&mut self, core: &mut Core) -> Vec<Actor> {
        let mut actors = self.cast(core);
        for _ in 0..self.chance.below(STEPS_MAX) {
            self.step(core, &mut actors);
            if core.has_failed() {
                self.note("the disk has failed");
                if !self.is_call_failing {
                    self.ledger
                        .violations
                        .push("nothing is written, and no call failed".to_owned());
                }
                break;
            }
        }
        self.make_room();
        actors
    }

    fn cast(&mut self, core: &Core) -> Vec<Actor> {
        let mut actors = Vec::new();
        for _ in 0..=self.chance.below(3) {
            let chance = self.chance.fork();
            actors.push(Actor::publisher(&core.broker, self.now, chance, self.publishers));
            self.publishers += 1;
        }
        let chance = self.chance.fork();
        actors.push(Actor::committer(&core.broker, self.now, chance, self.publishers));
        self.publishers += 1;
        let chance = self.chance.fork();
        actors.push(Actor::founder(&core.broker, self.now, chance));
        for queue in QueueName::ALL.into_iter().filter(|&queue| queue != Quiet) {
            let consumers = if queue == Single { 2 } else { 1 };
            for _ in 0..consumers {
                if !self.chance.one_in(3) {
                    let consumer = self.consumer(core, queue);
                    actors.push(consumer);
                }
            }
        }
        actors
    }

    fn consumer(&mut self, core: &Core, queue: QueueName) -> Actor {
        // Nobody gets from a quorum queue with a single active consumer.
        let is_subscribed = queue == Single || (queue != Polled && !self.chance.one_in(4));
        let chance = self.chance.fork();
        let mut scene = self.scene();
        Actor::consumer(&core.broker, chance, queue, is_subscribed, &mut scene)
    }

    /// A consumer's socket breaks, and another takes its place.
    fn replace_consumer(&mut self, core: &Core, actors: &mut [Actor]) {
        let at = self.chance.below(actors.len() as u64) as usize;
        let Some(queue) = actors[at].queue() else { return };
        let heir = self.consumer(core, queue);
        let mut scene = self.scene();
        std::mem::replace(&mut actors[at], heir).break_off(&mut scene);
    }

    fn step(&mut self, core: &mut Core, actors: &mut [Actor]) {
        match self.chance.below(16) {
            0..=8 => {
                let actor = &mut actors[self.chance.below(actors.len() as u64) as usize];
                let (acts, now) = (self.chance.one_in(2), self.now);
                let bytes_max = 1 + self.chance.below(100_000) as usize;
                let mut scene = self.scene();
                actor.listen(&mut scene);
                if acts {
                    actor.act(&mut scene);
                }
                actor.link.turn(now, bytes_max);
                actor.listen(&mut scene);
            }
            9..=11 => drop(core.step_log()),
            12 => drop(self.step_control(core)),
            13 => drop(self.step_pages(core)),
            14 => {
                self.now = self.now.plus_ms(1 + self.chance.below(TICK_MS));
                core.broker.poll_timers(self.now);
            }
            _ if self.chance.one_in(4) => self.replace_consumer(core, actors),
            _ => self.upset_disk(core),
        }
    }

    fn step_control(&mut self, core: &mut Core) -> bool {
        let stepped = core.step_control(self.now);
        self.explain("a declaration", stepped).unwrap_or(false)
    }

    fn step_pages(&mut self, core: &Core) -> bool {
        let stepped = core.step_pages(self.now);
        self.explain("the pager", stepped).unwrap_or(false)
    }

    fn purge(&mut self, core: &Core) {
        match core.purge(self.now) {
            Err(storage::Error::Full(_)) if self.is_tight => {}
            purged => drop(self.explain("a purge", purged)),
        }
    }

    /// An error must come from a call that was to fail.
    fn explain<T, E: Display>(&mut self, who: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(it) => return Some(it),
            Err(error) if self.is_call_failing => self.note(&format!("{who} failed: {error}")),
            Err(error) => {
                self.ledger
                    .violations
                    .push(format!("{who} failed, and no call of the disk: {error}"));
            }
        }
        None
    }

    /// Rarely, something happens to the disk.
    fn upset_disk(&mut self, core: &mut Core) {
        match self.chance.below(20) {
            0 if !self.is_tight => {
                let room = self.chance.below(200_000);
                self.disk.set_capacity(self.disk.used_bytes() + room);
                self.is_tight = true;
                self.note(&format!("{room} bytes are left on the disk"));
            }
            1..=6 => self.make_room(),
            7 | 10..=13 => self.purge(core),
            14 => {
                self.disk.fail_read(1 + self.chance.below(3));
                (self.is_call_failing, self.is_read_failing) = (true, true);
                self.note("one of the next reads will fail");
            }
            8 if self.chance.one_in(4) => {
                self.disk.fail_sync(1);
                self.is_call_failing = true;
                self.note("the next sync will fail");
            }
            9 if self.chance.one_in(4) => {
                self.disk.fail_write(1);
                self.is_call_failing = true;
                self.note("the next write will fail");
            }
            _ => {}
        }
    }

    fn make_room(&mut self) {
        if std::mem::take(&mut self.is_tight) {
            self.disk.set_capacity(u64::MAX);
            self.note("there is room on the disk again");
        }
    }

    fn end(&mut self, core: Core, actors: Vec<Actor>) {
        let end = match self.chance.below(4) {
            0 if !core.has_failed() => End::Stop,
            1 if !core.has_failed() => End::Kill,
            _ => self.worst_end(),
        };
        self.note(&format!("the round ends with {end:?}"));
        self.restarts += 1;
        self.cover(&core, end);
        self.ledger.lose_places(self.is_read_failing);
        match end {
            End::Stop => {
                for actor in actors {
                    actor.break_off(&mut self.scene());
                }
                match core.close(self.now) {
                    Ok(()) => {
                        self.disk.kill();
                        self.ledger.stop();
                    }
                    Err(_) if self.is_call_failing => self.crash(self.worst_end()),
                    Err(error) => {
                        self.ledger.violations.push(format!("no clean stop: {error}"));
                    }
                }
            }
            // The clients' sockets break after the node is gone, so that it never hears of it.
            End::Kill | End::PowerCut => {
                self.crash(end);
                let_go(&core, actors, self.now);
            }
        }
        // Armed faults go with the node.
        (self.is_call_failing, self.is_read_failing) = (false, false);
        self.now = self.now.plus_ms(self.chance.below(LONG_MS));
    }

    /// The worst that what was confirmed must outlive.
    fn worst_end(&self) -> End {
        if self.is_synced { End::PowerCut } else { End::Kill }
    }

    fn crash(&mut self, end: End) {
        match end {
            End::PowerCut => self.disk.power_cut(self.chance.bits()),
            End::Stop | End::Kill => self.disk.kill(),
        }
        self.ledger.crash();
    }

    /// Counts what is in the quorum queues at the end of a node.
    fn cover(&mut self, core: &Core, end: End) {
        let queues = core.broker.queues();
        let quorum = queues.iter().filter(|queue| queue.record.kind == QueueKind::Quorum);
        let mut has_messages = false;
        for queue in quorum {
            has_messages |= core.broker.counts(queue).ready != 0;
            self.ledger.quorum.pages += core.broker.pages_of(queue).len() as u64;
        }
        self.ledger.quorum.power_cuts += u64::from(has_messages && matches!(end, End::PowerCut));
    }

    /// Goes on until nothing moves any more.
    fn settle(&mut self, core: &mut Core, links: &mut [&mut Link]) {
        let mut quiet = 0;
        for _ in 0..ROUNDS_MAX {
            let mut has_moved = core.step_log() | self.step_control(core);
            has_moved |= self.step_pages(core);
            core.broker.poll_timers(self.now);
            for link in &mut *links {
                has_moved |= link.turn(self.now, usize::MAX);
            }
            quiet = if has_moved { 0 } else { quiet + 1 };
            if quiet == QUIET_ROUNDS {
                return;
            }
            // Those who pause wait for time, not for us.
            let due = links.iter().filter_map(|link| link.poll_timeout()).min();
            if let Some(at) = due.filter(|at| !has_moved && at.since_ms(self.now) < LONG_MS) {
                self.now = self.now.max(at);
                quiet = 0;
            }
        }
        self.ledger.violations.push("the node does not come to rest".to_owned());
    }

    /// Looks at everything a node has, and settles some of it.
    fn inspect(&mut self, core: &mut Core) {
        self.now = self.now.plus_ms(LONG_MS);
        core.broker.poll_timers(self.now);
        let mut seen = HashSet::new();
        for queue in QueueName::ALL {
            let mut link = Link::connect(&core.broker, self.now, 9998);
            self.ledger.begin_reading(queue);
            let found = match queue {
                Single => self.consume_all(core, &mut link, queue),
                _ => self.get_all(core, &mut link, queue),
            };
            let ids: Vec<Id> = found.iter().map(|(_, id)| *id).collect();
            self.ledger.inspect(queue, &ids);
            self.settle_some(core, &mut link, queue, &found);
            link.disconnect(self.now);
            self.ledger.end_reading(queue);
            self.ledger.lose_reader(queue, ids.iter().copied());
            seen.extend(ids);
            let what = format!("finds {} in {}", found.len(), queue.as_str());
            self.note(&what);
        }
        (0..PLOTS).for_each(|plot| self.inspect_plot(core, plot));
        let missing = self.ledger.missing_dead(&seen);
        self.ledger.report_missing_dead(&missing);
        self.ledger.prune(self.publishers.saturating_sub(1));
    }

    /// Looks whether a queue that comes and goes is there, and takes what is in it.
    fn inspect_plot(&mut self, core: &mut Core, plot: usize) {
        let mut link = Link::connect(&core.broker, self.now, 9996);
        founder::declare(&mut link, plot, true);
        let queue = founder::name(plot);
        link.send(BasicConsume { queue: &queue, no_ack: true, ..BasicConsume::default() });
        self.settle(core, &mut [&mut link]);
        let mut is_there = true;
        let mut bodies = Vec::new();
        while let Some(said) = link.hear() {
            match said {
                Said::Closed(_) => is_there = false,
                Said::Delivery { body, .. } => bodies.push(body),
                _ => {}
            }
        }
        link.disconnect(self.now);
        let Ledger { plots, violations, .. } = &mut self.ledger;
        violations.extend(plots[plot].look(is_there).map(|wrong| format!("queue {queue} {wrong}")));
        for body in bodies.iter().filter(|body| !plots[plot].may_hold(plot, body)) {
            let text = String::from_utf8_lossy(body);
            violations.push(format!("queue {queue} holds {text:?}, expected: {:?}", plots[plot]));
        }
    }

    /// Cuts the power, lets bits rot, and looks at what is left: something may be missing, and may
    /// come back, but nothing that was never published.
    fn rot(&mut self, core: Core) {
        self.disk.power_cut(self.chance.bits());
        let_go(&core, Vec::new(), self.now);
        for _ in 0..=self.chance.below(ROTTEN_BITS_MAX) {
            let mut files: Vec<_> = self.disk.files().into_iter().map(|(path, _)| path).collect();
            let path = files.swap_remove(self.chance.below(files.len() as u64) as usize);
            let bytes = self.disk.read(&path);
            let Some(last) = bytes.iter().rposition(|&octet| octet != 0) else { continue };
            let offset = self.chance.below(last as u64 + 1);
            self.disk.rot(&path, offset, 1 << self.chance.below(8));
            self.note(&format!("a bit rots at {offset} of {}", path.display()));
        }
        let mut core = match Core::open(self.options(), self.now) {
            Ok(core) => core,
            Err(error) => return self.note(&format!("the node does not start: {error}")),
        };
        for queue in QueueName::ALL {
            self.recognise_all(&mut core, queue);
        }
    }

    fn recognise_all(&mut self, core: &mut Core, queue: QueueName) {
        let mut link = Link::connect(&core.broker, self.now, 9997);
        link.send(BasicConsume { queue: queue.as_str(), ..BasicConsume::default() });
        self.settle(core, &mut [&mut link]);
        let mut count = 0;
        while let Some(said) = link.hear() {
            match said {
                Said::Delivery { body, .. } => {
                    self.ledger.recognise(queue, &body);
                    count += 1;
                }
                Said::Closed(text) => self.note(&format!("queue {}: {text}", queue.as_str())),
                _ => {}
            }
        }
        self.note(&format!("{count} are left in {}", queue.as_str()));
        link.disconnect(self.now);
    }

    fn get_all(&mut self, core: &mut Core, link: &mut Link, queue: QueueName) -> Vec<(u64, Id)> {
        let mut found = Vec::new();
        loop {
            link.send(BasicGet { ticket: 0, queue: queue.as_str(), no_ack: false });
            self.settle(core, &mut [link]);
            loop {
                match link.hear() {
                    Some(Said::Got { tag, tried, body }) => {
                        let id = self.ledger.deliver(queue, &body, tried);
                        found.extend(id.map(|id| (tag, id)));
                        break;
                    }
                    Some(Said::Empty) => return found,
                    Some(Said::Closed(text)) => {
                        self.ledger.violations.push(format!("an inspection was closed: {text}"));
                        return found;
                    }
                    Some(_) => {}
                    None => {
                        self.ledger.violations.push("a get was not answered".to_owned());
                        return found;
                    }
                }
            }
        }
    }

    fn consume_all(
        &mut self,
        core: &mut Core,
        link: &mut Link,
        queue: QueueName,
    ) -> Vec<(u64, Id)> {
        link.send(BasicConsume { queue: queue.as_str(), ..BasicConsume::default() });
        self.settle(core, &mut [link]);
        let mut found = Vec::new();
        while let Some(said) = link.hear() {
            match said {
                Said::Delivery { tag, tried, body } => {
                    let id = self.ledger.deliver(queue, &body, tried);
                    found.extend(id.map(|id| (tag, id)));
                }
                Said::Closed(text) => {
                    self.ledger.violations.push(format!("an inspection was closed: {text}"));
                }
                _ => {}
            }
        }
        found
    }

    fn settle_some(
        &mut self,
        core: &mut Core,
        link: &mut Link,
        queue: QueueName,
        found: &[(u64, Id)],
    ) {
        let count = match self.chance.below(4) {
            0 => 0,
            1 => self.chance.below(found.len() as u64 + 1) as usize,
            _ if queue.is_grave() => 0,
            _ => found.len(),
        };
        let Some(&(delivery_tag, _)) = found[..count].last() else { return };
        for (_, id) in &found[..count] {
            self.ledger.acknowledge(queue, *id);
        }
        link.send(BasicAck { delivery_tag, multiple: true });
        link.send(BasicQos::default());
        self.settle(core, &mut [link]);
        for (_, id) in &found[..count] {
            self.ledger.settle(queue, *id);
        }
    }
}
