//! A queue's journal and its pages with anything in them: the queue comes back with what can be read,
//! hands it out, takes more, and leaves a journal that can be read again.
#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use broker::testing::{MemoryJournal, MemoryPages, broker_with_pages};
use broker::{
    Authenticator, Broker, BrokerConfig, Completion, ConsumerId, ConsumerKey, Control, Event,
    Getter, Intake, Lsn, Mailbox, PageDamage, PageRef, Pages, QueueRef, Settle,
};
use field_table::FieldTable;
use leveret_fuzz::damage;
use libfuzzer_sys::fuzz_target;
use message::{Incoming, MessageRef};
use stdx::Timestamp;
use topology::{AddVhost, Command, DeclareQueue, State};

const NOW: Timestamp = Timestamp(1_000_000);
/// Bytes of each message.
const BODY_LEN: usize = 40;
/// Getters count for quorum queues.
const TIMEOUT_MS: u64 = 1_800_000;

/// A queue as it is stored.
struct Stored {
    arguments: FieldTable,
    /// With their indexes.
    entries: Vec<(u64, Vec<u8>)>,
    /// By block.
    pages: BTreeMap<u32, Vec<u8>>,
}

/// A classic queue with priorities, and a quorum queue. Both have pages, and messages that came back.
static STORED: LazyLock<Vec<Stored>> = LazyLock::new(|| {
    let classic = FieldTable::new().with("x-max-priority", 2);
    let quorum = FieldTable::new().with("x-queue-type", "quorum").with("x-delivery-limit", 5);
    [classic, quorum].into_iter().map(store).collect()
});

fn store(arguments: FieldTable) -> Stored {
    let journal = Arc::new(MemoryJournal::default());
    let pages = Arc::new(MemoryPages::default());
    let config = BrokerConfig { resident_max: 0, ..BrokerConfig::default() };
    let broker = broker_with_pages(config, journal.clone(), pages.clone());
    let queue = declare(&broker, "/", 100, &arguments);
    for _ in 0..2 {
        publish(&broker, &queue, 20);
        let mut jobs = Vec::new();
        broker.collect_pages_of(NOW, queue.record.id, &mut jobs);
        broker.paged_out(NOW, jobs);
        settle_some(&broker, &queue);
    }
    publish(&broker, &queue, 5);
    let pages = pages.blocks().into_iter().map(|block| (block, pages.bytes_of(block))).collect();
    Stored { arguments, entries: journal.entries(queue.record.id), pages }
}

fn declare(broker: &Broker, vhost: &str, index: u64, arguments: &FieldTable) -> QueueRef {
    let declare = DeclareQueue {
        vhost: vhost.to_owned(),
        name: "q".to_owned(),
        is_server_named: false,
        durable: true,
        auto_delete: false,
        owner: None,
        arguments: arguments.clone(),
    };
    broker.apply(NOW, index, &Command::DeclareQueue(declare), Completion::new(|_| {}));
    let topology = broker.topology();
    let id = topology.vhost(vhost).and_then(|it| it.queue("q")).expect("it was just declared").id;
    broker.queue(id).expect("it was just declared")
}

fn publish(broker: &Broker, queue: &QueueRef, count: usize) {
    let body = [7; BODY_LEN];
    let message = MessageRef {
        exchange: b"",
        routing_key: b"q",
        properties: &[0x10, 0, 2],
        body: &body,
        image: None,
    };
    let (ttl_ms, history) = (Some(1_000_000), Default::default());
    let incoming = Incoming { message, is_persistent: true, priority: Some(1), ttl_ms, history };
    let mut turn = broker.begin(NOW);
    broker.publish(&mut turn, queue, &vec![incoming; count]);
    broker.finish(turn);
}

/// Takes six messages, gives back two, settles two.
fn settle_some(broker: &Broker, queue: &QueueRef) {
    let id = ConsumerId(broker.next_id());
    let key = ConsumerKey { channel: 1, slot: 0 };
    let getter = Getter { id, mailbox: Arc::new(Nobody), key, timeout_ms: TIMEOUT_MS };
    let mut turn = broker.begin(NOW);
    let mut tickets = Vec::new();
    for _ in 0..6 {
        let (ticket, _) = broker.get(&mut turn, queue, Some(&getter), |got| {
            got.map(|got| got.delivery.ticket)
        });
        tickets.extend(ticket);
    }
    for (tickets, how) in tickets.chunks(2).zip([Settle::Requeue, Settle::Ack]) {
        broker.settle(&mut turn, queue, Some(id), tickets, how);
    }
    broker.finish(turn);
}

/// Whoever consumes here.
struct Nobody;

impl Mailbox for Nobody {
    fn deliver(&self, _: ConsumerKey, _: &QueueRef, batch: &broker::Batch<'_>) -> Intake {
        Intake { taken: batch.len(), is_full: false }
    }

    fn deliver_reply(&self, _: ConsumerKey, _: &MessageRef<'_>) -> bool {
        false
    }

    fn post(&self, _: Event) {}

    fn wake(&self) {}
}

impl Authenticator for Nobody {
    fn is_password_of(&self, _: &State, _: &str, _: &[u8]) -> bool {
        false
    }
}

impl Control for Nobody {
    fn propose(&self, _: Command, _: Completion) {}
}

/// Pages of which some are damaged, and of which the journal may name any.
struct Damaged {
    pages: BTreeMap<u32, Vec<u8>>,
    /// What is not what was written passes for it.
    is_gullible: bool,
}

impl Pages for Damaged {
    fn reserve(&self, bytes: &[u8]) -> PageRef {
        PageRef { block: u32::MAX, len: bytes.len() as u32, check: crc32fast::hash(bytes) }
    }

    fn read(&self, page: PageRef, out: &mut Vec<u8>) -> Result<(), PageDamage> {
        let found = self.pages.get(&page.block).map_or(&[][..], Vec::as_slice);
        out.extend_from_slice(found);
        if self.is_gullible || crc32fast::hash(found) == page.check {
            return Ok(());
        }
        let (file, reason) = ("pages".to_owned(), "the checksum differs".to_owned());
        Err(PageDamage { file, offset: 0, reason, is_lost: true })
    }

    fn will_need(&self, _: PageRef) {}

    fn retain(&self, _: PageRef) {}

    fn release(&self, _: PageRef, _: Lsn) {}
}

/// A broker with one vhost and the queue, and its journal.
fn start(stored: &Stored, pages: Damaged) -> (Broker, QueueRef, Arc<MemoryJournal>) {
    let journal = Arc::new(MemoryJournal::default());
    let (control, passwords) = (Arc::new(Nobody), Arc::new(Nobody));
    let config = BrokerConfig { resident_max: 0, ..BrokerConfig::default() };
    let broker = Broker::new(config, State::default(), journal.clone(), control, passwords, 7)
        .with_pages(Arc::new(pages));
    let vhost = AddVhost { name: "/".to_owned(), ..AddVhost::default() };
    broker.apply(NOW, 1, &Command::AddVhost(vhost), Completion::new(|_| {}));
    let queue = declare(&broker, "/", 100, &stored.arguments);
    (broker, queue, journal)
}

fn recover(broker: &Broker, queue: &QueueRef, entries: &[(u64, Vec<u8>)], is_clean: bool) -> u64 {
    let recovered = broker.recover_queues(NOW, is_clean, |visit| {
        entries.iter().for_each(|(index, entry)| visit(queue.record.id, *index, entry));
        Ok::<_, ()>(())
    });
    recovered.expect("nothing fails here").messages
}

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (flags, entries_script, pages_script) = input;
    let is = |bit: u8| flags & (1 << bit) != 0;
    let stored = &STORED[usize::from(is(0))];
    let (indexes, mut entries): (Vec<u64>, Vec<_>) = stored.entries.iter().cloned().unzip();
    damage(&mut entries, entries_script);
    let (blocks, mut pages): (Vec<u32>, Vec<_>) = stored.pages.clone().into_iter().unzip();
    damage(&mut pages, pages_script);
    let pages = Damaged { pages: blocks.into_iter().zip(pages).collect(), is_gullible: is(1) };
    let entries: Vec<_> = indexes.into_iter().zip(entries).collect();
    let (broker, queue, journal) = start(stored, pages);
    recover(&broker, &queue, &entries, is(2));
    broker.pages_of(&queue);
    settle_some(&broker, &queue);
    if is(3) {
        publish(&broker, &queue, 3);
        settle_some(&broker, &queue);
    }
    if is(4) {
        let mut turn = broker.begin(NOW);
        broker.purge(&mut turn, &queue);
        broker.finish(turn);
        // Counts are what the journal says: damaged, it may name a message twice, or more than a page
        // that passes for sound has.
        let counts = broker.counts(&queue);
        assert!(is(1) || !entries_script.is_empty() || counts.ready == 0, "{counts:?}");
    }
    broker.take_damaged_pages();
    // What it wrote since can be read again.
    let written = journal.entries(queue.record.id);
    let pages = Damaged { pages: BTreeMap::new(), is_gullible: false };
    let (broker, queue, _) = start(stored, pages);
    recover(&broker, &queue, &written, false);
});
