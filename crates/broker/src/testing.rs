//! Doubles for tests of front-ends: a control plane that commits at once and a journal in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use stdx::Timestamp;
use topology::{AddUser, AddVhost, Command, QueueId, QueueRecord, SetPermissions, State};

use crate::{
    Authenticator, Broker, BrokerConfig, Completion, Control, Journal, Lsn, MailboxRef, PageDamage,
    PageRef, Pages,
};

/// Applies every proposal on the spot.
#[derive(Default)]
pub struct ImmediateControl {
    broker: OnceLock<Weak<Broker>>,
    index: Mutex<u64>,
}

impl Control for ImmediateControl {
    fn propose(&self, command: Command, done: Completion) {
        let index = {
            let mut index = self.index.lock();
            *index += 1;
            *index
        };
        let broker = self.broker.get().and_then(Weak::upgrade).expect("set by `broker_with`");
        broker.apply(Timestamp(0), index, &command, done);
    }
}

/// Entries of one queue's log by index.
type Entries = BTreeMap<u64, Vec<u8>>;

/// A journal whose durable position moves only when told, or with every append.
#[derive(Default)]
pub struct MemoryJournal {
    inner: Mutex<MemoryJournalInner>,
}

#[derive(Default)]
struct MemoryJournalInner {
    logs: BTreeMap<QueueId, Entries>,
    /// Lengths of the pages that came with entries.
    attached: Vec<usize>,
    appended: u64,
    durable: u64,
    is_manual: bool,
    /// Counts down with each look at what is durable; at 0 everything is.
    looks_until_sync: Option<u32>,
    waiting: Vec<(Lsn, MailboxRef)>,
}

impl MemoryJournal {
    /// From now on appends become durable only by [`MemoryJournal::sync`].
    pub fn hold(&self) {
        self.inner.lock().is_manual = true;
    }

    /// Lets all appends become durable just before somebody looks once more after `looks` looks:
    /// the disk may be done at any moment of a turn.
    pub fn sync_after_looks(&self, looks: u32) {
        self.inner.lock().looks_until_sync = Some(looks);
    }

    /// Makes all appends durable and wakes who waits for them.
    pub fn sync(&self) {
        let woken = {
            let mut inner = self.inner.lock();
            inner.durable = inner.appended;
            std::mem::take(&mut inner.waiting)
        };
        for (_, mailbox) in woken {
            mailbox.wake();
        }
    }

    /// Lengths of the pages that came with entries, in order.
    pub fn attached(&self) -> Vec<usize> {
        self.inner.lock().attached.clone()
    }

    /// The entries of one queue, oldest first.
    pub fn entries(&self, queue: QueueId) -> Vec<(u64, Vec<u8>)> {
        let inner = self.inner.lock();
        let entries = inner.logs.get(&queue);
        entries.into_iter().flatten().map(|(index, entry)| (*index, entry.clone())).collect()
    }
}

impl Journal for MemoryJournal {
    fn append(
        &self,
        queue: &QueueRecord,
        index: u64,
        entry: &[u8],
        attachments: &[(PageRef, Bytes)],
    ) -> Lsn {
        let mut inner = self.inner.lock();
        inner.attached.extend(attachments.iter().map(|(_, bytes)| bytes.len()));
        inner.logs.entry(queue.id).or_default().insert(index, entry.to_vec());
        inner.appended += 1;
        if !inner.is_manual {
            inner.durable = inner.appended;
        }
        Lsn(inner.appended)
    }

    fn compact(&self, queue: &QueueRecord, keep_from: u64) {
        let mut inner = self.inner.lock();
        if let Some(entries) = inner.logs.get_mut(&queue.id) {
            *entries = entries.split_off(&keep_from);
        }
    }

    fn clear(&self, queue: &QueueRecord) {
        self.inner.lock().logs.remove(&queue.id);
    }

    fn remove(&self, queue: &QueueRecord) {
        self.inner.lock().logs.remove(&queue.id);
    }

    fn durable(&self) -> Lsn {
        let is_due = match &mut self.inner.lock().looks_until_sync {
            None => false,
            Some(0) => true,
            Some(looks) => {
                *looks -= 1;
                false
            }
        };
        if is_due {
            self.sync();
        }
        Lsn(self.inner.lock().durable)
    }

    fn notify(&self, lsn: Lsn, mailbox: MailboxRef) {
        let is_durable = {
            let mut inner = self.inner.lock();
            let is_durable = inner.durable >= lsn.0;
            if !is_durable {
                inner.waiting.push((lsn, mailbox.clone()));
            }
            is_durable
        };
        if is_durable {
            mailbox.wake();
        }
    }

    fn backlog_bytes(&self) -> u64 {
        0
    }

    fn has_failed(&self) -> bool {
        false
    }
}

/// Pages in memory. What is released is gone at once.
#[derive(Default)]
pub struct MemoryPages {
    inner: Mutex<MemoryPagesInner>,
}

#[derive(Default)]
struct MemoryPagesInner {
    /// By block: a page takes one, whatever its length. How often it is referred to, and its bytes.
    pages: BTreeMap<u32, (u32, Vec<u8>)>,
    next_block: u32,
    reads: u64,
    /// The device does not read.
    is_unreadable: bool,
    /// Checksums tell nothing.
    is_gullible: bool,
}

impl MemoryPages {
    /// The pages that are not released.
    pub fn blocks(&self) -> Vec<u32> {
        self.inner.lock().pages.keys().copied().collect()
    }

    /// The same, each as often as it is referred to.
    pub fn references(&self) -> Vec<u32> {
        let inner = self.inner.lock();
        let repeated =
            |(&block, &(count, _)): (&u32, &(u32, _))| std::iter::repeat_n(block, count as usize);
        inner.pages.iter().flat_map(repeated).collect()
    }

    /// Bytes in them.
    pub fn bytes(&self) -> usize {
        self.inner.lock().pages.values().map(|(_, bytes)| bytes.len()).sum()
    }

    /// How often a page was read.
    pub fn reads(&self) -> u64 {
        self.inner.lock().reads
    }

    /// As a store after a crash: what nobody names is free.
    pub fn keep_only(&self, named: &[PageRef]) {
        self.inner.lock().pages.retain(|block, (references, _)| {
            *references = named.iter().filter(|page| page.block == *block).count() as u32;
            *references != 0
        });
    }

    /// From now on the device does not read, or does again.
    pub fn set_unreadable(&self, is_unreadable: bool) {
        self.inner.lock().is_unreadable = is_unreadable;
    }

    /// Replaces a page's bytes, as when its room was given to another.
    pub fn overwrite(&self, block: u32, bytes: &[u8]) {
        if let Some((_, found)) = self.inner.lock().pages.get_mut(&block) {
            *found = bytes.to_vec();
        }
    }

    /// The bytes of a page.
    pub fn bytes_of(&self, block: u32) -> Vec<u8> {
        self.inner.lock().pages.get(&block).map_or_else(Vec::new, |(_, bytes)| bytes.clone())
    }

    /// From now on a damaged page passes for sound.
    pub fn set_gullible(&self) {
        self.inner.lock().is_gullible = true;
    }

    /// Turns over a bit of a page.
    pub fn damage(&self, block: u32, byte: usize) {
        if let Some((_, bytes)) = self.inner.lock().pages.get_mut(&block) {
            bytes[byte] ^= 1;
        }
    }
}

impl Pages for MemoryPages {
    fn reserve(&self, bytes: &[u8]) -> PageRef {
        let mut inner = self.inner.lock();
        inner.next_block += 1;
        let block = inner.next_block;
        inner.pages.insert(block, (1, bytes.to_vec()));
        PageRef { block, len: bytes.len() as u32, check: crc32fast::hash(bytes) }
    }

    fn read(&self, page: PageRef, out: &mut Vec<u8>) -> Result<(), PageDamage> {
        let mut inner = self.inner.lock();
        inner.reads += 1;
        let (file, offset) = ("memory".to_owned(), u64::from(page.block));
        if inner.is_unreadable {
            let reason = "input/output error".to_owned();
            return Err(PageDamage { file, offset, reason, is_lost: false });
        }
        let reason = match inner.pages.get(&page.block) {
            None => "there is no such page",
            Some((_, bytes)) => {
                out.extend_from_slice(bytes);
                if inner.is_gullible || crc32fast::hash(bytes) == page.check {
                    return Ok(());
                }
                "the checksum differs"
            }
        };
        Err(PageDamage { file, offset, reason: reason.to_owned(), is_lost: true })
    }

    fn will_need(&self, _page: PageRef) {}

    fn retain(&self, page: PageRef) {
        self.inner.lock().pages.get_mut(&page.block).expect("a page in use").0 += 1;
    }

    fn release(&self, page: PageRef, _after: Lsn) {
        let mut inner = self.inner.lock();
        let (references, _) = inner.pages.get_mut(&page.block).expect("a page in use");
        *references -= 1;
        if *references == 0 {
            inner.pages.remove(&page.block);
        }
    }
}

struct PlainPasswords;

impl Authenticator for PlainPasswords {
    fn is_password_of(&self, state: &State, user: &str, password: &[u8]) -> bool {
        !password.is_empty() && state.user(user).is_some() && password == user.as_bytes()
    }
}

/// A broker in memory with vhost `/` and the administrator `guest` (password `guest`); passwords
/// equal the user's name.
pub fn broker_with(config: BrokerConfig, journal: Arc<MemoryJournal>) -> Arc<Broker> {
    broker_with_pages(config, journal, Arc::new(MemoryPages::default()))
}

/// As [`broker_with`], on the given pages.
pub fn broker_with_pages(
    config: BrokerConfig,
    journal: Arc<MemoryJournal>,
    pages: Arc<MemoryPages>,
) -> Arc<Broker> {
    let control = Arc::new(ImmediateControl::default());
    let state = State::default();
    let passwords = Arc::new(PlainPasswords);
    let broker = Broker::new(config, state, journal, control.clone(), passwords, 7);
    let broker = Arc::new(broker.with_pages(pages));
    control.broker.set(Arc::downgrade(&broker)).expect("set once");
    let all = ".*".to_owned();
    let (vhost, guest) = ("/".to_owned(), "guest".to_owned());
    for command in [
        Command::AddVhost(AddVhost { name: vhost.clone(), ..AddVhost::default() }),
        Command::AddUser(AddUser {
            name: guest.clone(),
            password_hash: String::new(),
            hashing_algorithm: "rabbit_password_hashing_sha256".to_owned(),
            tags: vec!["administrator".to_owned()],
        }),
        Command::SetPermissions(SetPermissions {
            user: guest,
            vhost,
            configure: all.clone(),
            write: all.clone(),
            read: all,
        }),
    ] {
        broker.propose_with(command, Box::new(|result| drop(result.expect("blank state"))));
    }
    broker
}
