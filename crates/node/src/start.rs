//! Starting and stopping a node.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use broker::{Broker, BrokerConfig};
use storage::{EngineOptions, FREE_KEPT_MAX, PageStore, RealDisk, Waiter, Wal};
use topology::{Command, Rules};
use tracing::warn;

use crate::alarms::{ResourceLimits, Resources};
use crate::control::Work;
use crate::core::{self, Core, CoreOptions};
use crate::data_dir::{self, DataDir, DataDirError};
use crate::pager::Pager;
use crate::raft::RaftGroups;

/// Time between two attempts to free files of the log while it is written to: at full speed a file
/// fills in less, and one freed is one that need not be made.
const PURGE_INTERVAL: Duration = Duration::from_millis(100);

/// The same while nothing is written.
const PURGE_INTERVAL_IDLE: Duration = Duration::from_secs(2);

/// Time between two attempts to write pages while the disk is full.
const ROOM_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// What a node needs to start.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Confirm after the disk has it (default), or once the system has it, as RabbitMQ's classic
    /// queues do.
    pub is_synced: bool,
    /// Limits and defaults of the broker.
    pub broker: BrokerConfig,
    /// Limits the control plane checks.
    pub rules: Rules,
    /// Proposed once, on a blank data directory: default vhost, user and permissions.
    pub first_boot: Vec<Command>,
    /// Where the memory and disk alarms start.
    pub limits: ResourceLimits,
    /// See [`CoreOptions::accepts_damage`].
    pub accepts_damage: bool,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The log in it.
    #[error(transparent)]
    Storage(storage::Error),
    /// Damage has cost a part of what was declared. Nothing was changed.
    #[error(
        "the log of vhosts, users, permissions, policies, exchanges, queues and bindings is damaged: \
         what its entries {entries:?} declared, changed or deleted is not known. Nothing was \
         changed. Put a copy of the data directory in its place; or start once with \
         --accept-damage, which goes on without these entries, and deletes the messages of queues \
         that only they declared"
    )]
    Lost {
        /// Their indexes.
        entries: Vec<u64>,
    },
    /// The log is damaged, and there are messages of queues that it does not declare. Nothing was
    /// changed.
    #[error(
        "the log is damaged, and holds messages of {} queues that nobody declares any more: they \
         may have been deleted, or damage has cost what declared them. Nothing was changed. Put a \
         copy of the data directory in its place; or start once with --accept-damage, which deletes \
         these messages",
        .queues.len()
    )]
    Orphans {
        /// Their numbers.
        queues: Vec<u64>,
    },
    /// The disk has no room for the little that a start writes. Nothing was lost.
    #[error("{0}. A start writes a few KiB: make room, then start again. Nothing is lost")]
    Full(String),
    /// Anything else while recovering.
    #[error("cannot recover: {0}")]
    Recovery(String),
}

impl From<storage::Error> for NodeError {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Full(_) => Self::Full(error.to_string()),
            error => Self::Storage(error),
        }
    }
}

/// A running node.
pub struct Node {
    /// What front-ends and operators work with.
    pub broker: Arc<Broker>,
    /// Memory and disk limits.
    pub resources: Arc<Resources>,
    /// Raft groups, for whoever watches them.
    pub raft: RaftGroups,
    data_dir: DataDir,
    wal: Arc<Wal>,
    pager: Arc<Pager>,
    control: Sender<Work>,
    stop: Arc<StopFlag>,
    writer: JoinHandle<()>,
    control_thread: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
}

/// Called when the disk refuses a write.
type OnFailure = Arc<dyn Fn() + Send + Sync>;

/// Waits for the failure of the log.
struct FailureWatch(OnFailure);

impl Waiter for FailureWatch {
    fn handle_durable(&self, _durable: storage::Lsn) {}

    fn handle_failure(&self, error: &storage::Error) {
        tracing::error!(%error, "the log failed; nothing is confirmed any more");
        (self.0)();
    }
}

/// Lets periodic threads end in the middle of their wait.
#[derive(Default)]
struct StopFlag {
    is_stopped: Mutex<bool>,
    changed: Condvar,
}

impl StopFlag {
    fn raise(&self) {
        *self.is_stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn is_raised(&self) -> bool {
        *self.is_stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits; true when it is time to end.
    fn wait(&self, at_most: Duration) -> bool {
        let guard = self.is_stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(guard, at_most, |is_stopped| !*is_stopped);
        *waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
}

impl Node {
    /// Opens the data directory, recovers what it holds and starts the node's threads.
    ///
    /// `on_failure` is called, once or twice, on one of these threads when the disk has refused a
    /// write. Nothing becomes durable from then on, even if there is room again: the node has to be
    /// stopped, and recovers what was confirmed when it is started anew.
    pub fn start(
        options: NodeOptions,
        on_failure: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, NodeError> {
        let on_failure: OnFailure = Arc::new(on_failure);
        let data_dir_path = options.data_dir.clone();
        data_dir::restrict(&data_dir_path)?;
        let resources = Arc::new(Resources::new(data_dir_path, options.limits));
        let on_full = {
            let resources = resources.clone();
            move |is_full| resources.note_disk_full(is_full)
        };
        let core = Core::open(
            CoreOptions {
                disk: Arc::new(RealDisk),
                data_dir: options.data_dir,
                log: EngineOptions::default(),
                is_synced: options.is_synced,
                broker: options.broker,
                rules: options.rules,
                first_boot: options.first_boot,
                seed: rand::random(),
                accepts_damage: options.accepts_damage,
                on_full: Some(Box::new(on_full)),
            },
            net::now(),
        )?;
        let Core { broker, data_dir, journal, wal, pages, pager, plane, work, proposals: control } =
            core;
        let raft = RaftGroups { broker: broker.clone(), journal, control_term: plane.term() };
        let writer = spawn("wal", {
            let wal = wal.clone();
            // Those who wait for a position have been told of a failure when this returns.
            move || drop(wal.run())
        });
        // A position that is never reached: called when the log fails.
        let watch = FailureWatch(on_failure.clone());
        wal.notify_when(storage::Lsn(u64::MAX), Arc::new(watch));
        let control_thread = spawn("control", {
            let on_failure = on_failure.clone();
            move || {
                if plane.run(&work).is_err() {
                    on_failure();
                }
            }
        });

        let stop = Arc::new(StopFlag::default());
        let others = vec![
            spawn("pager", {
                let (pager, stop) = (pager.clone(), stop.clone());
                move || {
                    let wait_for_room = || stop.wait(ROOM_RETRY_INTERVAL);
                    if pager.run(|| stop.is_raised(), wait_for_room).is_err() {
                        on_failure();
                    }
                }
            }),
            spawn("alarms", {
                let (resources, broker) = (resources.clone(), broker.clone());
                move || resources.run(&broker)
            }),
            spawn("purge", {
                let (wal, pager, stop) = (wal.clone(), pager.clone(), stop.clone());
                move || purge(&wal, &pages, &pager, &stop)
            }),
        ];
        Ok(Self {
            broker,
            resources,
            raft,
            data_dir,
            wal,
            pager,
            control,
            stop,
            writer,
            control_thread,
            others,
        })
    }

    /// Stops the node: everything journaled is durable and queues know what was delivered. All
    /// connections must be gone.
    pub fn stop(self) {
        self.stop.raise();
        self.resources.stop();
        self.broker.paging_signal().raise();
        drop(self.control.send(Work::Stop));
        drop(self.control_thread.join());
        for thread in self.others {
            drop(thread.join());
        }
        core::make_room(&self.wal, &self.pager, net::now());
        self.broker.seal(net::now());
        self.wal.close();
        drop(self.writer.join());
        core::pack(&self.wal);
        if self.wal.failure().is_none()
            && let Err(error) = self.data_dir.put_clean_mark()
        {
            warn!(%error, "cannot note the clean stop; the next start recovers as after a crash");
        }
    }
}

/// Starts a thread that the node cannot do without. A bug that ends it ends the process: a start
/// anew recovers, while confirms or declarations that wait for ever do not.
fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(body)).is_err() {
            tracing::error!(thread = name, "ended by a bug; the process ends, too");
            std::process::abort();
        }
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(guarded)
        .expect("the system has a thread left when the node starts")
}

fn purge(wal: &Wal, pages: &PageStore, pager: &Pager, stop: &StopFlag) {
    let mut seen = wal.last();
    let mut told = String::new();
    let mut interval = PURGE_INTERVAL_IDLE;
    while !stop.wait(interval) {
        let last = wal.last();
        let is_idle = last == seen && !wal.is_full();
        interval = if is_idle { PURGE_INTERVAL_IDLE } else { PURGE_INTERVAL };
        seen = last;
        let freed = wal.purge().and_then(|groups| pager.free_log(net::now(), &groups));
        match freed {
            // Of a full disk everybody has heard.
            Ok(()) | Err(storage::Error::Full(_)) => {}
            // What cannot be read now is tried again and again: the same is told once.
            Err(error) if error.to_string() == told => {}
            Err(error) => {
                warn!(%error, "cannot free files of the log");
                told = error.to_string();
            }
        }
        if let Err(error) = pages.trim(FREE_KEPT_MAX) {
            warn!(%error, "cannot give the room of free pages back");
        }
    }
}
