//! What the write-ahead log costs here: throughput, latency, processor time, memory.
//!
//! `cargo run --release -p storage --example wal [DIR]`; DIR is emptied and removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use storage::{
    Durability, EngineLog, EngineOptions, Error, GroupId, Log, Lsn, RealDisk, Waiter, Wal,
};

/// Bytes a producer lets the log fall behind.
const PENDING_BYTES_MAX: u64 = 8 << 20;

#[derive(Default)]
struct Signal {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    fn wait(&self) {
        let mut told = self.told.lock().expect("no holder panics");
        while !*told {
            told = self.changed.wait(told).expect("no holder panics");
        }
        *told = false;
    }

    fn tell(&self) {
        *self.told.lock().expect("no holder panics") = true;
        self.changed.notify_one();
    }
}

impl Waiter for Signal {
    fn handle_durable(&self, _: Lsn) {
        self.tell();
    }

    fn handle_failure(&self, error: &Error) {
        eprintln!("{error}");
        self.tell();
    }
}

/// User and system time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    // The name's parenthesis was field 2; user time is field 14, system time 15, in ticks of 10 ms.
    (fields.get(11).unwrap_or(&0.0) + fields.get(12).unwrap_or(&0.0)) / 100.0
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

struct Setup {
    dir: PathBuf,
    log: Arc<EngineLog>,
    wal: Arc<Wal>,
    writer: thread::JoinHandle<Result<(), Error>>,
}

fn open(dir: &Path) -> Setup {
    let before = resident_kib();
    let start = Instant::now();
    let log =
        EngineLog::open(Arc::new(RealDisk), dir, EngineOptions::default()).expect("the log opens");
    let log = Arc::new(log);
    let shared: Arc<dyn Log> = Arc::<EngineLog>::clone(&log);
    let wal = Arc::new(Wal::open(shared, Durability::Fsync).expect("the log takes writes"));
    println!("open: {:.2?}, {} KiB more resident", start.elapsed(), resident_kib() - before);
    let writer = thread::spawn({
        let wal = Arc::clone(&wal);
        move || wal.run()
    });
    Setup { dir: dir.to_owned(), log, wal, writer }
}

/// Waits until no more than `pending_bytes` are on their way.
fn drain_to(wal: &Wal, signal: &Arc<Signal>, lsn: Lsn, pending_bytes: u64) {
    if wal.pending_bytes() > pending_bytes {
        wal.notify_when(lsn, Arc::<Signal>::clone(signal) as Arc<dyn Waiter>);
        signal.wait();
    }
}

fn produce(wal: &Wal, group: GroupId, record: usize, per_call: usize, until: Instant) -> u64 {
    let record = vec![7; record];
    let signal = Arc::new(Signal::default());
    let mut index = 0;
    while Instant::now() < until {
        let mut lsn = Lsn(0);
        for _ in 0..per_call {
            index += 1;
            lsn = wal.append(group, index, &record);
        }
        wal.compact(group, index.saturating_sub(1000));
        drain_to(wal, &signal, lsn, PENDING_BYTES_MAX);
    }
    index
}

fn throughput(setup: &Setup, producers: u64, record: usize, per_call: usize) {
    let syncs = setup.log.syncs();
    let cpu = cpu_seconds();
    let start = Instant::now();
    let until = start + Duration::from_secs(3);
    let records: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..producers)
            .map(|at| {
                let group = GroupId(1000 + at + record as u64 * 10);
                scope.spawn(move || produce(&setup.wal, group, record, per_call, until))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).sum()
    });
    let seconds = start.elapsed().as_secs_f64();
    let bytes = records as f64 * record as f64;
    println!(
        "{producers} x {record:>6} B: {:>7.0} records/ms {:>6.0} MB/s, {:>5.0} syncs/s, {:>3.0} % of a core, {:.0} ns/record",
        records as f64 / seconds / 1e3,
        bytes / seconds / 1e6,
        (setup.log.syncs() - syncs) as f64 / seconds,
        (cpu_seconds() - cpu) / seconds * 100.0,
        (cpu_seconds() - cpu) * 1e9 / records as f64,
    );
    for at in 0..producers {
        setup.wal.remove(GroupId(1000 + at + record as u64 * 10));
    }
    let held = setup.wal.purge().expect("files can be freed");
    println!("    disk {} MiB, held back by {held:?}", setup.log.disk_bytes() >> 20);
}

fn append_cost(setup: &Setup, record: usize) {
    let signal = Arc::new(Signal::default());
    let record = vec![7; record];
    let rounds = 200;
    let mut spent = Duration::ZERO;
    let mut index = 0;
    let mut lsn = Lsn(0);
    for _ in 0..rounds {
        let start = Instant::now();
        for _ in 0..1000 {
            index += 1;
            lsn = setup.wal.append(GroupId(5), index, &record);
        }
        spent += start.elapsed();
        drain_to(&setup.wal, &signal, lsn, 0);
    }
    println!(
        "append of {} B: {} ns",
        record.len(),
        spent.as_nanos() / (u128::from(rounds as u32) * 1000)
    );
    drain_to(&setup.wal, &signal, lsn, 0);
    setup.wal.remove(GroupId(5));
}

fn latency(setup: &Setup) {
    let signal = Arc::new(Signal::default());
    let record = vec![7; 1024];
    let mut spent: Vec<u128> = (1..=5000)
        .map(|index| {
            let start = Instant::now();
            let lsn = setup.wal.append(GroupId(6), index, &record);
            setup.wal.notify_when(lsn, Arc::<Signal>::clone(&signal) as Arc<dyn Waiter>);
            signal.wait();
            start.elapsed().as_micros()
        })
        .collect();
    spent.sort_unstable();
    println!(
        "one 1 KiB record and wait: p50 {} us, p99 {} us, max {} us",
        spent[2500], spent[4950], spent[4999]
    );
    setup.wal.remove(GroupId(6));
}

/// A restart with records of many groups in the log: what a kill leaves.
fn replay(dir: &Path, groups: u64, record: usize, bytes: usize) {
    let setup = open(dir);
    let signal = Arc::new(Signal::default());
    let record = vec![7; record];
    let rounds = (bytes / record.len()) as u64 / groups;
    let mut lsn = Lsn(0);
    for round in 0..rounds {
        for group in 1..=groups {
            lsn = setup.wal.append(GroupId(group), round + 1, &record);
        }
        drain_to(&setup.wal, &signal, lsn, PENDING_BYTES_MAX);
    }
    drain_to(&setup.wal, &signal, lsn, 0);
    setup.wal.close();
    setup.writer.join().expect("it does not panic").expect("the device holds");
    drop((setup.wal, setup.log));

    let setup = open(dir);
    let before = resident_kib();
    let start = Instant::now();
    let mut records = 0_u64;
    setup.wal.replay_all(&mut |_, _, _| records += 1).expect("it is whole");
    println!(
        "replay of {records} records of {groups} groups, {} MB: {:.0?}, {} KiB more resident",
        bytes / 1_000_000,
        start.elapsed(),
        resident_kib().saturating_sub(before)
    );
    assert_eq!(records, rounds * groups);
    setup.wal.close();
    setup.writer.join().expect("it does not panic").expect("the device holds");
    drop((setup.wal, setup.log));
    fs::remove_dir_all(dir).expect("it is ours");
}

fn main() {
    let dir = std::env::args().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("wal-bench-{}", std::process::id())),
        PathBuf::from,
    );
    for groups in [1, 100, 2000] {
        replay(&dir, groups, 100, 300_000_000);
    }
    let setup = open(&dir);
    latency(&setup);
    append_cost(&setup, 30);
    append_cost(&setup, 1024);
    // Twice: the first pass writes new files, the second mostly reused ones.
    for pass in 1..=2 {
        println!("pass {pass}");
        throughput(&setup, 1, 64 << 10, 1);
        throughput(&setup, 1, 256 << 10, 1);
        throughput(&setup, 2, 64 << 10, 1);
        throughput(&setup, 1, 1024, 64);
        throughput(&setup, 2, 1024, 64);
        throughput(&setup, 2, 30, 256);
    }
    latency(&setup);
    println!("resident: {} KiB", resident_kib());
    let Setup { dir, log, wal, writer } = setup;
    wal.close();
    writer.join().expect("it does not panic").expect("the device holds");
    drop((wal, log));
    let again = open(&dir);
    again.wal.close();
    again.writer.join().expect("it does not panic").expect("the device holds");
    drop((again.wal, again.log));
    fs::remove_dir_all(&dir).expect("it is ours");
}
