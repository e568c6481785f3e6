//! The write-ahead log's chunks with anything in them: a replay hands out what can be read, tells of
//! the rest, and the log takes more.
#![no_main]

use std::sync::{Arc, LazyLock};

use leveret_fuzz::damage;
use libfuzzer_sys::fuzz_target;
use storage::{Batch, Durability, Flush, GroupId, Log, MemoryLog, Wal};

const A: GroupId = GroupId(5);
const B: GroupId = GroupId(6);

/// The same groups in the log below.
const IN_LOG: [GroupId; 2] = [GroupId(11), GroupId(13)];

/// What two groups look like in the log: where they begin, and their chunks.
static CHUNKS: LazyLock<Vec<(GroupId, u64, Vec<Vec<u8>>)>> = LazyLock::new(|| {
    let log = Arc::new(MemoryLog::new());
    let wal = Wal::open(log.clone(), Durability::Fsync).expect("an empty log");
    for index in 1..=12 {
        wal.append(A, 2 * index - 1, b"a record");
        wal.append(A, 2 * index, b"another");
        wal.append(B, index, &[index as u8; 30]);
        if index % 5 == 0 {
            wal.compact(B, index - 2);
        }
        wal.step();
    }
    let chunks = |&group: &GroupId| {
        let (first, _) = log.span(group).expect("it was written to");
        let mut chunks = Vec::new();
        let visit = &mut |_, bytes: &[u8]| chunks.push(bytes.to_vec());
        log.fetch(group, 0..u64::MAX, usize::MAX, visit).expect("a log in memory");
        (group, first, chunks)
    };
    IN_LOG.iter().map(chunks).collect()
});

fuzz_target!(|script: &[u8]| {
    let log = Arc::new(MemoryLog::new());
    let (script_a, script_b) = script.split_at(script.len() / 2);
    for ((group, first, chunks), script) in CHUNKS.iter().zip([script_a, script_b]) {
        let mut chunks = chunks.clone();
        damage(&mut chunks, script);
        let mut batch = Batch::default();
        for (index, chunk) in (*first..).zip(chunks) {
            batch.append(*group, index, chunk);
        }
        log.write(&mut batch, Flush::Sync).expect("a log in memory");
    }
    let wal = Wal::open(log, Durability::Fsync).expect("a log in memory");
    let mut next = None;
    let lost = wal.replay_all(&mut |group, index, _| {
        if group == A {
            assert!(next.is_none_or(|next| next <= index));
            next = index.checked_add(1);
        }
    });
    for lost in lost.expect("damage does not end a replay") {
        assert!(lost.end.is_none_or(|end| lost.first < end));
    }
    if let Some(next) = next {
        wal.append(A, next, b"more");
        wal.step();
        assert!(wal.failure().is_none());
    }
});
