//! The node without its threads: what a start recovers, and one step of each thing that goes on
//! while it runs. [`crate::Node`] gives every step a thread of its own; a simulation takes them in
//! whatever order its seed says.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use broker::{Broker, BrokerConfig};
use consensus::{Group, NodeId};
use stdx::Timestamp;
use storage::{
    Damaged, Disk, Durability, EngineLog, EngineOptions, FREE_KEPT_MAX, GroupId, PageStore, Step,
    Wal, WalOptions,
};
use topology::{Command, Rules, State};
use tracing::{info, warn};

use crate::control::{self, ControlPlane, Proposals, Work};
use crate::damage::{Cost, Untold};
use crate::data_dir::DataDir;
use crate::full_disk::{FullDisk, OnFull, Writer};
use crate::journal::WalJournal;
use crate::pager::Pager;
use crate::pages::{StoredPages, to_store};
use crate::passwords::InternalUsers;
use crate::progress::{self, ENTRIES_PER_STEP, Progress};
use crate::start::NodeError;

#[cfg(test)]
mod tests;

/// The control plane's group in the log: beyond all groups of queues.
pub(crate) const CONTROL_GROUP: GroupId = GroupId(u64::MAX - 1);

/// This node's number among the voters.
pub(crate) const NODE_ID: NodeId = NodeId(1);

/// Bytes of the log that a clean stop leaves as they are: a start reads them in no time.
const UNPACKED_MAX: u64 = 8 << 20;

/// Bytes of the log that are moved to its end at a clean stop, after the queues have made room.
const MOVED_MAX: u64 = 32 << 20;

/// What recovery needs to know.
pub struct CoreOptions {
    /// Where files are.
    pub disk: Arc<dyn Disk>,
    /// Where everything durable lives on it.
    pub data_dir: PathBuf,
    /// Sizes of the log.
    pub log: EngineOptions,
    /// Confirm after the disk has it, or once the system has it.
    pub is_synced: bool,
    /// Limits and defaults of the broker.
    pub broker: BrokerConfig,
    /// Limits the control plane checks.
    pub rules: Rules,
    /// Proposed once, on a blank data directory: default vhost, user and permissions.
    pub first_boot: Vec<Command>,
    /// Feeds generated names and random choices.
    pub seed: u64,
    /// Start although vhosts, users, exchanges, bindings or queues are lost to damage, and give up
    /// what is left of queues that nobody knows any more.
    pub accepts_damage: bool,
    /// Called with true when the disk is full, and with false when it is not any more. On the
    /// threads that write: be quick.
    pub on_full: Option<OnFull>,
}

/// A recovered node that does nothing by itself.
pub struct Core {
    /// What front-ends and operators work with.
    pub broker: Arc<Broker>,
    pub(crate) data_dir: DataDir,
    pub(crate) journal: Arc<WalJournal>,
    pub(crate) wal: Arc<Wal>,
    pub(crate) pages: Arc<PageStore>,
    pub(crate) pager: Arc<Pager>,
    pub(crate) plane: ControlPlane<Arc<EngineLog>>,
    pub(crate) work: Receiver<Work>,
    pub(crate) proposals: Sender<Work>,
}

impl Core {
    /// Opens the data directory and recovers what it holds.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub fn open(options: CoreOptions, now: Timestamp) -> Result<Self, NodeError> {
        let data_dir = DataDir::open(options.disk.clone(), &options.data_dir)?;
        let is_clean = data_dir.take_clean_mark()?;
        let log_dir = data_dir.log_dir();
        let mut progress = Progress::new();
        let log = EngineLog::open_and_tell(
            options.disk.clone(),
            &log_dir,
            options.log,
            &mut |done, total| progress.show(progress::Step::Log { done, total }),
        )?;
        let log = Arc::new(log);
        let damage = Untold::new(log.damage());
        let durability = if options.is_synced { Durability::Fsync } else { Durability::Os };
        let pages = PageStore::open(options.disk, &data_dir.pages_dir(), durability)?;
        let pages = Arc::new(pages);
        let full_disk = Arc::new(FullDisk::new(options.on_full));
        let on_full = {
            let full_disk = full_disk.clone();
            move |is_full| full_disk.note(Writer::Log, is_full)
        };
        let wal_options = WalOptions {
            durability,
            pages: Some(pages.clone()),
            reserve: Some(log.reserve().clone()),
            on_full: Some(Box::new(on_full)),
        };
        let wal = Arc::new(Wal::open(log.clone(), wal_options)?);
        // What is on its way when the disk fills up has to fit into what is set aside.
        let backlog_max = log.reserve().bytes() / 5 * 4;
        let mut config = options.broker;
        config.journal_backlog_max = config.journal_backlog_max.min(backlog_max);
        let (proposals, work) = channel();
        let journal = Arc::new(WalJournal::new(NODE_ID, wal.clone()));
        let broker = Broker::new(
            config,
            State::new(options.rules),
            journal.clone(),
            Arc::new(Proposals(proposals.clone())),
            Arc::new(InternalUsers),
            options.seed,
        );
        let stored = StoredPages { store: pages.clone(), wal: wal.clone() };
        let broker = Arc::new(broker.with_pages(Arc::new(stored)));
        let failed = |error: anyhow::Error| match control::is_full(&error) {
            true => NodeError::Full(error.to_string()),
            false => NodeError::Recovery(error.to_string()),
        };
        let group = Group::open(log.clone(), CONTROL_GROUP, NODE_ID)
            .map_err(|error| failed(error.into()))?;
        let mut plane = ControlPlane::recover(group, broker.clone(), now).map_err(failed)?;
        match plane.lost() {
            lost if lost.is_empty() => {}
            entries if options.accepts_damage => {
                warn!(?entries, "goes on without what damage has cost of the control plane's log");
                plane.forget_lost().map_err(failed)?;
            }
            entries => return Err(NodeError::Lost { entries }),
        }
        broker.settle_policies(now);
        let is_blank = broker.topology().is_blank();
        if is_blank {
            plane.propose_now(options.first_boot, now).map_err(failed)?;
        }
        plane.propose_now(vec![Command::DeleteTransient], now).map_err(failed)?;
        let known = Known {
            is_clean,
            // What was to be written never is a loss; what one entry held is known to be.
            is_damaged: log.damage().iter().any(|damage| {
                use Damaged::{Entry, Tail, UnreadEntry};
                !matches!(damage.what, Tail { .. } | Entry | UnreadEntry)
            }),
            accepts_damage: options.accepts_damage,
        };
        recover_queues(&broker, &journal, &pages, known, damage, now, &mut progress)?;
        let pager = Arc::new(Pager::new(broker.clone(), pages.clone(), full_disk));
        Ok(Self { broker, data_dir, journal, wal, pages, pager, plane, work, proposals })
    }

    /// Carries out what was proposed to the control plane; false when there was nothing, or no room
    /// for it.
    ///
    /// # Errors
    /// When its log failed.
    pub fn step_control(&mut self, now: Timestamp) -> anyhow::Result<bool> {
        let first = self.work.try_recv().ok();
        if first.is_none() && !self.plane.waits_for_room() {
            return Ok(false);
        }
        self.plane.step(first, &self.work, now).map(|_| !self.plane.waits_for_room())
    }

    /// One round of the log's writer; false when there was nothing to write, or no room for it.
    pub fn step_log(&self) -> bool {
        self.wal.step() == Step::Wrote
    }

    /// Carries messages to pages, if too many are in memory; false when none had to go, or there was
    /// no room for them.
    ///
    /// # Errors
    /// Why pages cannot be written any more.
    pub fn step_pages(&self, now: Timestamp) -> Result<bool, storage::Error> {
        match self.pager.step(now) {
            Err(storage::Error::Full(_)) => Ok(false),
            stepped => stepped,
        }
    }

    /// Gives room of the log and of pages back to the file system, as far as that is worth it.
    ///
    /// # Errors
    /// See [`Wal::purge`], [`PageStore::write`] and [`PageStore::trim`].
    pub fn purge(&self, now: Timestamp) -> Result<(), storage::Error> {
        self.pager.free_log(now, &self.wal.purge()?)?;
        self.pages.trim(FREE_KEPT_MAX)
    }

    /// True once the log has failed, or the pages: what is not durable yet does not become so.
    pub fn has_failed(&self) -> bool {
        self.wal.failure().is_some() || self.pages.failure().is_some()
    }

    /// Ends it as a clean stop does. All connections must be gone.
    ///
    /// # Errors
    /// What kept it from being clean: the next start recovers as after a crash.
    pub fn close(self, now: Timestamp) -> Result<(), NodeError> {
        make_room(&self.wal, &self.pager, now);
        self.broker.seal(now);
        self.wal.close();
        self.wal.run()?;
        pack(&self.wal);
        Ok(self.data_dir.put_clean_mark().map_err(|error| self.data_dir.failed(error))?)
    }
}

/// Before a clean stop: has the queues leave the log, as far as it is long. Nothing depends on it but
/// the time that the next start takes.
pub(crate) fn make_room(wal: &Wal, pager: &Pager, now: Timestamp) {
    let made = wal.pack(UNPACKED_MAX, UNPACKED_MAX).and_then(|groups| pager.pack_log(now, &groups));
    if let Err(error) = made {
        warn!(%error, "cannot shorten the log; the next start takes longer");
    }
}

/// After everything is written: frees what [`make_room`] has made unnecessary.
pub(crate) fn pack(wal: &Wal) {
    if let Err(error) = wal.pack(UNPACKED_MAX, MOVED_MAX) {
        warn!(%error, "cannot shorten the log; the next start takes longer");
    }
}

/// What is known of the data before the queues are filled.
#[derive(Clone, Copy)]
struct Known {
    is_clean: bool,
    /// A part of the log is lost.
    is_damaged: bool,
    /// See [`CoreOptions::accepts_damage`].
    accepts_damage: bool,
}

/// Fills the durable queues from their logs and drops the logs, and the pages, of queues that are
/// gone. Where damage may have cost what declared them, nothing is dropped without being asked for.
fn recover_queues(
    broker: &Broker,
    journal: &WalJournal,
    pages: &PageStore,
    known: Known,
    damage: Untold,
    now: Timestamp,
    progress: &mut Progress,
) -> Result<(), NodeError> {
    let mut lost = Vec::new();
    let mut entries = 0;
    let is_clean = known.is_clean;
    let recovered = broker.recover_queues(now, is_clean, |visit| {
        lost = journal.replay(&mut |queue, index, entry| {
            entries += 1;
            if entries % ENTRIES_PER_STEP == 0 {
                progress.show(progress::Step::Queues(entries));
            }
            visit(queue, index, entry);
        })?;
        Ok::<_, storage::Error>(())
    })?;
    let costs: Vec<Cost> = lost.into_iter().map(|lost| Cost::of(broker, lost)).collect();
    damage.tell(&costs);
    if known.is_damaged && !recovered.orphans.is_empty() {
        let queues: Vec<u64> = recovered.orphans.iter().map(|queue| queue.0).collect();
        if !known.accepts_damage {
            return Err(NodeError::Orphans { queues });
        }
        warn!(?queues, "deletes the messages of queues that nobody knows any more");
    }
    recovered.pages.into_iter().for_each(|page| pages.mark_used(to_store(page)));
    pages.finish_recovery();
    journal.remove_orphans(|queue| broker.queue(queue).is_some());
    for (queue, index, damage) in recovered.damaged {
        warn!(?queue, index, %damage, "skipped a damaged journal entry");
    }
    if recovered.queues > 0 {
        let (queues, messages) = (broker.topology().queue_count(), recovered.messages);
        info!(queues, messages, is_clean, "recovered");
    }
    Ok(())
}
