//! What a replicated log keeps with anything in it: it opens or says why not, hands out what can be
//! read, and takes more.
#![no_main]

use std::sync::{Arc, LazyLock};

use consensus::{Group, NodeId, Record};
use leveret_fuzz::damage;
use libfuzzer_sys::fuzz_target;
use storage::{Batch, Flush, GroupId, Log, MemoryLog};

const GROUP: GroupId = GroupId(9);
const NODE: NodeId = NodeId(1);
const KEYS: [&[u8]; 4] = [b"hard", b"conf", b"snapshot", b"former"];

/// A group of the log below: its number, where its entries begin, the entries, then the keys.
#[derive(Clone)]
struct Stored {
    group: GroupId,
    first: u64,
    entries: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
}

/// Two snapshots, and entries behind the second.
static STORED: LazyLock<Vec<Stored>> = LazyLock::new(|| {
    let log = Arc::new(MemoryLog::new());
    let mut group = Group::open(log.clone(), GROUP, NODE).expect("an empty log");
    for number in 1..=12 {
        group.propose(Vec::new(), vec![number; 20]).expect("it leads");
        group.poll(&mut |_| {}).expect("a log in memory");
        if number % 4 == 0 && number < 12 {
            group.save_snapshot(group.applied(), &[number; 50]).expect("a log in memory");
        }
    }
    let stored = |group| {
        let mut entries = Vec::new();
        let visit = &mut |_, bytes: &[u8]| entries.push(bytes.to_vec());
        log.fetch(group, 0..u64::MAX, usize::MAX, visit).expect("a log in memory");
        let values = KEYS.iter().map(|key| log.get(group, key).unwrap_or_default()).collect();
        Stored { group, first: log.span(group).map_or(1, |(first, _)| first), entries, values }
    };
    log.groups().into_iter().map(stored).collect()
});

fuzz_target!(|script: &[u8]| {
    drop(Record::parse(script));
    let log = Arc::new(MemoryLog::new());
    let mut parts = script.chunks(script.len() / 3 + 1);
    for stored in STORED.iter() {
        let Stored { group, first, mut entries, mut values } = stored.clone();
        damage(&mut entries, parts.next().unwrap_or_default());
        if values.iter().any(|value| !value.is_empty()) {
            damage(&mut values, parts.next().unwrap_or_default());
        }
        let mut batch = Batch::default();
        for (index, entry) in (first..).zip(entries) {
            batch.append(group, index, entry);
        }
        for (key, value) in KEYS.iter().zip(values).filter(|(_, value)| !value.is_empty()) {
            batch.put(group, key, value);
        }
        log.write(&mut batch, Flush::Sync).expect("a log in memory");
    }
    let Ok(mut group) = Group::open(log, GROUP, NODE) else { return };
    drop(group.snapshot());
    if group.poll(&mut |_| {}).is_err() {
        return;
    }
    drop(group.lost());
    if group.propose(Vec::new(), b"more".to_vec()).is_ok() {
        drop(group.poll(&mut |_| {}));
    }
});
