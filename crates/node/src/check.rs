//! Looks at a data directory that no server runs on: verifies what can be verified, changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use broker::{
    Broker, BrokerConfig, Completion, DamagedPage, Journal, Lsn, MailboxRef, PageDamage, PageRef,
};
use bytes::Bytes;
use consensus::{Committed, Group};
use storage::{Damage, Durability, EngineLog, EngineOptions, PageStore, RealDisk, ShadowDisk, Wal};
use topology::{Command, QueueRecord, Rules, State};

use crate::control::Proposals;
use crate::core::{CONTROL_GROUP, NODE_ID};
use crate::damage::{self, Cost, called};
use crate::data_dir::{DataDir, DataDirError, FORMAT_VERSION};
use crate::journal::WalJournal;
use crate::pages::{StoredPages, to_store};
use crate::passwords::InternalUsers;
use crate::progress::ENTRIES_PER_STEP;

/// Why a data directory could not be checked. Says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is no data directory, in use, or of another version.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// It cannot be read, or there is no room for the check's own files.
    #[error("cannot check: {0}")]
    Io(#[from] std::io::Error),
}

/// What a check is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading every file of the log.
    Log {
        /// Bytes read.
        done: u64,
        /// Bytes there are.
        total: u64,
    },
    /// Reading vhosts, users, exchanges and queues.
    ControlPlane,
    /// Reading the queues' journals; entries so far.
    Queues(u64),
    /// Reading the queues' pages.
    Pages {
        /// Bytes read.
        done: u64,
        /// Bytes there are.
        total: u64,
    },
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The directory's format.
    pub format_version: u32,
    /// Whether the last server stopped cleanly.
    pub is_clean: bool,
    /// Files of the log.
    pub log_files: u64,
    /// Bytes in them.
    pub log_bytes: u64,
    /// Virtual hosts.
    pub vhosts: u64,
    /// Users.
    pub users: u64,
    /// Queues, empty ones included.
    pub queues: u64,
    /// Messages in them.
    pub messages: u64,
    /// Bytes of the messages' bodies.
    pub message_bytes: u64,
    /// Pages that messages lie on.
    pub pages: u64,
    /// Bytes in them.
    pub page_bytes: u64,
    /// Journals of queues that do not exist any more: the next start drops them. With damage they may
    /// be what is left of queues whose declaration is lost: then no start does without being told.
    pub orphans: u64,
    /// Ends of files that the next start cuts off: after a crash, writes that were never synced.
    pub unsynced: Vec<String>,
    /// Damaged places, each with what it cost, as far as that is known.
    pub damage: Vec<String>,
    /// What is lost and has no place of its own.
    pub lost: Vec<String>,
}

impl Report {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.lost.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stop = if self.is_clean { "clean" } else { "not clean (killed, crashed or new)" };
        writeln!(f, "format version:  {}", self.format_version)?;
        writeln!(f, "last stop:       {stop}")?;
        writeln!(f, "log:             {} files, {} bytes", self.log_files, self.log_bytes)?;
        writeln!(f, "vhosts, users:   {}, {}", self.vhosts, self.users)?;
        writeln!(f, "queues:          {}", self.queues)?;
        writeln!(f, "messages:        {}, {} bytes", self.messages, self.message_bytes)?;
        writeln!(f, "pages:           {}, {} bytes", self.pages, self.page_bytes)?;
        writeln!(f, "orphans:         {}", self.orphans)?;
        for tail in &self.unsynced {
            writeln!(f, "unsynced end:    {tail}")?;
        }
        for damage in &self.damage {
            writeln!(f, "DAMAGE:          {damage}")?;
        }
        for lost in &self.lost {
            writeln!(f, "LOST:            {lost}")?;
        }
        match self.damage.len() {
            _ if self.is_sound() => write!(f, "sound"),
            0 | 1 => write!(f, "damaged in 1 place"),
            count => write!(f, "damaged in {count} places"),
        }
    }
}

/// Checks the data directory at `path`. Keeps servers out meanwhile.
///
/// Reads each block of the log, does what a start does over a shadow of the disk, then reads each
/// page: needs memory as the server would, and for one file of the log.
///
/// # Errors
/// When nothing can be said about the directory.
pub fn check(path: &Path, progress: &mut dyn FnMut(Step)) -> Result<Report, CheckError> {
    let data_dir = DataDir::open_existing(Arc::new(RealDisk), path)?;
    let is_clean = data_dir.has_clean_mark()?;
    let mut report = Report { format_version: FORMAT_VERSION, is_clean, ..Report::default() };
    let log_dir = data_dir.log_dir();
    let places = look_at_files(&log_dir, &mut report, progress)?;
    let mut costs = Vec::new();
    let shadow = Arc::new(ShadowDisk::new(Arc::new(RealDisk)));
    let opened = EngineLog::open(shadow, &log_dir, EngineOptions::default()).and_then(|log| {
        Ok((log, PageStore::open_to_read(Arc::new(RealDisk), &data_dir.pages_dir())?))
    });
    match opened {
        Ok((log, pages)) => {
            recover(Arc::new(log), Arc::new(pages), &mut report, &mut costs, progress);
        }
        Err(error) => report.lost.push(format!("no server can start on it: {error}")),
    }
    for (place, text) in damage::describe(&places, &costs) {
        match place {
            Some(place) => report.damage.push(line(place, &text)),
            None => report.lost.push(text),
        }
    }
    Ok(report)
}

/// Returns the damaged places.
fn look_at_files(
    log_dir: &Path,
    report: &mut Report,
    progress: &mut dyn FnMut(Step),
) -> std::io::Result<Vec<Damage>> {
    let found = storage::inspect(&RealDisk, log_dir, &mut |done, total| {
        progress(Step::Log { done, total });
    })?;
    (report.log_files, report.log_bytes) = (found.files, found.bytes);
    let mut places = found.faults;
    // A server that stopped cleanly has left no unfinished write.
    if report.is_clean {
        places.extend(found.tails);
    } else {
        let unsynced = found.tails.iter().map(|tail| line(tail, &tail.what.to_string()));
        report.unsynced.extend(unsynced);
    }
    Ok(places)
}

fn line(Damage { file, offset, len, .. }: &Damage, text: &str) -> String {
    format!("{} at {offset}, {len} bytes: {text}", file.display())
}

/// Recovers as a start does, and notes what is there and what is missing.
fn recover(
    log: Arc<EngineLog>,
    pages: Arc<PageStore>,
    report: &mut Report,
    costs: &mut Vec<Cost>,
    progress: &mut dyn FnMut(Step),
) {
    let wal = match Wal::open(log.clone(), Durability::Os) {
        Ok(wal) => Arc::new(wal),
        Err(error) => return report.lost.push(format!("no server can start on it: {error}")),
    };
    let (control, _) = std::sync::mpsc::channel();
    let broker = Broker::new(
        BrokerConfig::default(),
        State::new(Rules::default()),
        Arc::new(NoJournal),
        Arc::new(Proposals(control)),
        Arc::new(InternalUsers),
        0,
    );
    let broker =
        broker.with_pages(Arc::new(StoredPages { store: pages.clone(), wal: wal.clone() }));
    progress(Step::ControlPlane);
    if let Err(error) = recover_control_plane(log, &broker, report) {
        report.lost.push(format!("control plane: {error}"));
        return;
    }
    report.vhosts = broker.topology().vhosts().count() as u64;
    report.users = broker.topology().users().count() as u64;
    report.queues = broker.topology().queue_count();
    if let Err(error) = recover_queues(wal, &broker, report, costs, progress) {
        report.lost.push(error.to_string());
    }
    verify_pages(&pages, &broker, report, progress);
    for cell in broker.queues() {
        report.message_bytes += broker.counts(&cell).ready_bytes;
    }
}

fn recover_control_plane(
    log: Arc<EngineLog>,
    broker: &Broker,
    report: &mut Report,
) -> anyhow::Result<()> {
    let now = net::now();
    let mut group = Group::open(log, CONTROL_GROUP, NODE_ID)?;
    if let Some((_, bytes)) = group.snapshot()? {
        broker.restore(now, State::restore(&bytes)?);
    }
    group.poll(&mut |committed| match committed {
        Committed::Entry { index, data, .. } => match Command::decode(data) {
            Ok(command) => broker.apply(now, index, &command, Completion::new(|_| {})),
            Err(error) => {
                report.lost.push(format!("control plane: entry {index}: {error}"));
            }
        },
        Committed::Snapshot { index, data } => match State::restore(data) {
            Ok(state) => broker.restore(now, state),
            Err(error) => {
                report.lost.push(format!("control plane: snapshot {index}: {error}"));
            }
        },
    })?;
    for index in group.lost() {
        let what = "cannot be read; a server starts with --accept-damage only";
        report.lost.push(format!("control plane: entry {index}: {what}"));
    }
    Ok(())
}

fn recover_queues(
    wal: Arc<Wal>,
    broker: &Broker,
    report: &mut Report,
    costs: &mut Vec<Cost>,
    progress: &mut dyn FnMut(Step),
) -> Result<(), storage::Error> {
    let journal = WalJournal::new(NODE_ID, wal);
    let mut entries = 0;
    // What was read before an error still counts.
    let mut replayed = Ok(Vec::new());
    let recovered: Result<_, Infallible> =
        broker.recover_queues(net::now(), report.is_clean, |visit| {
            replayed = journal.replay(&mut |queue, index, entry| {
                entries += 1;
                if entries % ENTRIES_PER_STEP == 0 {
                    progress(Step::Queues(entries));
                }
                visit(queue, index, entry);
            });
            Ok(())
        });
    let Ok(recovered) = recovered;
    report.messages = recovered.messages;
    report.orphans = recovered.orphans.len() as u64;
    for (cell, index, damage) in recovered.damaged {
        report.lost.push(format!("entry {index} of {}: {damage}", called(&cell.record)));
    }
    costs.extend(replayed?.into_iter().map(|lost| Cost::of(broker, lost)));
    Ok(())
}

/// Reads each page that a queue has messages on.
fn verify_pages(
    store: &PageStore,
    broker: &Broker,
    report: &mut Report,
    progress: &mut dyn FnMut(Step),
) {
    let mut pages = BTreeMap::new();
    for cell in broker.queues() {
        pages.extend(broker.pages_of(&cell).into_iter().map(|page| (to_store(page), cell.clone())));
    }
    let total = pages.keys().map(|page| u64::from(page.len)).sum();
    (report.pages, report.page_bytes) = (pages.len() as u64, total);
    let mut done = 0;
    let mut places = BTreeSet::new();
    for (page, cell) in pages {
        progress(Step::Pages { done, total });
        if let Err(storage::PageDamage { file, offset, len, reason, .. }) = store.verify(page) {
            let what = format!("a page of {}: {reason}", called(&cell.record));
            let file = file.display().to_string();
            report.damage.push(format!("{file} at {offset}, {len} bytes: {what}"));
            places.insert((file, offset));
        }
        done += u64::from(page.len);
    }
    // Of some pages the recovery had to know what is left: it may be that nothing is.
    for DamagedPage { queue, damage: PageDamage { file, offset, reason, .. }, .. } in
        broker.take_damaged_pages()
    {
        if !places.contains(&(file.clone(), offset)) {
            let what = format!("a page of {}: {reason}", called(&queue.record));
            report.damage.push(format!("{file} at {offset}: {what}"));
        }
    }
}

/// A journal for queues that nobody uses.
struct NoJournal;

impl Journal for NoJournal {
    fn append(&self, _: &QueueRecord, _: u64, _: &[u8], _: &[(PageRef, Bytes)]) -> Lsn {
        Lsn(0)
    }

    fn compact(&self, _: &QueueRecord, _: u64) {}

    fn clear(&self, _: &QueueRecord) {}

    fn remove(&self, _: &QueueRecord) {}

    fn durable(&self) -> Lsn {
        Lsn(u64::MAX)
    }

    fn notify(&self, _: Lsn, mailbox: MailboxRef) {
        mailbox.wake();
    }

    fn backlog_bytes(&self) -> u64 {
        0
    }

    fn has_failed(&self) -> bool {
        false
    }
}
