//! What a group of one costs here: opening, one proposal, many in one poll, recovery.
//!
//! `cargo run --release -p consensus --example propose [DIR]`; DIR is emptied and removed.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use consensus::{Group, NodeId};
use storage::{EngineLog, EngineOptions, GroupId, RealDisk};

/// Bytes of a proposal: about a queue's declaration.
const PROPOSAL_BYTES: usize = 200;

fn open(dir: &std::path::Path) -> Group<Arc<EngineLog>> {
    let start = Instant::now();
    let log =
        EngineLog::open(Arc::new(RealDisk), dir, EngineOptions::default()).expect("the log opens");
    let log_open = start.elapsed();
    let start = Instant::now();
    let mut group = Group::open(Arc::new(log), GroupId(0), NodeId(1)).expect("the group opens");
    let group_open = start.elapsed();
    let start = Instant::now();
    let mut entries = 0;
    group.poll(&mut |_| entries += 1).expect("the device holds");
    println!(
        "log {log_open:.2?}, group {group_open:.2?}, first poll {:.2?} with {entries} entries",
        start.elapsed()
    );
    group
}

fn propose(group: &mut Group<Arc<EngineLog>>, count: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        group.propose(Vec::new(), vec![7; PROPOSAL_BYTES]).expect("it leads");
    }
    let mut applied = 0;
    group.poll(&mut |_| applied += 1).expect("the device holds");
    assert_eq!(applied, count);
    start.elapsed()
}

fn main() {
    let dir = std::env::args().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("propose-bench-{}", std::process::id())),
        PathBuf::from,
    );
    let mut group = open(&dir);
    let mut singles: Vec<_> = (0..5000).map(|_| propose(&mut group, 1)).collect();
    singles.sort_unstable();
    println!(
        "one proposal and poll: p50 {:.0?}, p99 {:.0?}, max {:.0?}",
        singles[2500], singles[4950], singles[4999]
    );
    for count in [10, 100, 1000] {
        let spent = propose(&mut group, count);
        println!("{count} proposals in one poll: {spent:.2?}, {:.2?} each", spent / count as u32);
    }
    drop(group);
    let mut group = open(&dir);
    let start = Instant::now();
    let index = group.applied();
    group.save_snapshot(index, &vec![7; 30 << 20]).expect("the device holds");
    println!("snapshot of 30 MiB: {:.2?}", start.elapsed());
    drop(group);
    let group = open(&dir);
    let start = Instant::now();
    let snapshot = group.snapshot().expect("it is whole").expect("it was saved");
    println!("read back {} MiB: {:.2?}", snapshot.1.len() >> 20, start.elapsed());
    drop(group);
    fs::remove_dir_all(&dir).expect("it is ours");
}
