//! What a broker costs before it carries anything: memory, files, time to start and to declare.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::broker::{Broker, Leveret};
use super::figure::{Bar, Better, Figure, median, quantity};
use super::process::settle;

const STARTING: &str = "start to listening";
const IDLE: &str = "idle server";
const CONNECTION: &str = "idle connection with a channel";
const QUEUE: &str = "empty durable queue";
const DECLARING: &str = "1,000 durable queues declared one by one";

/// Names of the scenarios of this file.
pub(super) const NAMES: [&str; 5] = [STARTING, IDLE, CONNECTION, QUEUE, DECLARING];

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * 1024.0;

/// Queues of which the memory is measured, and of which the time.
const QUEUES: usize = 10_000;
const QUEUES_TIMED: usize = 1000;

/// Starts of which the median counts.
const STARTS: usize = 9;

/// Runs those that are wanted, each on a Leveret of its own.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    if bench.options.wants(STARTING) {
        starting(bench)?;
    }
    if bench.options.wants(IDLE) {
        let of = |broker: &Broker, time| settle(time).and_then(|()| broker.resident());
        let figure = both(bench, IDLE, |bench, broker, _| of(broker, bench.settling()))?;
        bench.add(figure.scaled("MiB", MIB, &[Bar::Own(12.0)]));
    }
    if bench.options.wants(CONNECTION) {
        let (first, last) = if bench.options.quick { (200, 1000) } else { (1000, 5000) };
        let figure = both(bench, CONNECTION, |bench, broker, _| {
            connections(broker, first, last, bench.settling())
        })?;
        let note = format!("those after the first {first} of {last}");
        bench.add(figure.noted(&note).scaled("KiB", KIB, &[Bar::Own(5.0)]));
    }
    if bench.options.wants(QUEUE) {
        let mut files_made = 0;
        let figure = both(bench, QUEUE, |bench, broker, data_dir| {
            let before = data_dir.map(count_files).transpose()?;
            let bytes = queues(broker, bench.settling(), || {
                if let (Some(data_dir), Some(before)) = (data_dir, before) {
                    files_made = count_files(data_dir)?.saturating_sub(before);
                }
                Ok(())
            })?;
            Ok(bytes)
        })?;
        let note = format!("each of {}; Leveret made {files_made} files", quantity(QUEUES as f64));
        bench.add(figure.noted(&note).scaled("KiB", KIB, &[Bar::Own(1.0)]));
    }
    if bench.options.wants(DECLARING) {
        let rounds = bench.options.rounds;
        let figure = both(bench, DECLARING, |_, broker, _| {
            let mut seconds = Vec::new();
            for _ in 0..rounds {
                seconds.push(declare(broker, QUEUES_TIMED, true)?);
            }
            Ok(median(seconds))
        })?;
        bench.add(figure.scaled("s", 1.0, &[Bar::Own(0.4)]));
    }
    Ok(())
}

/// A figure before its unit.
struct Raw {
    name: &'static str,
    leveret: Option<f64>,
    reference: Option<f64>,
    note: String,
}

impl Raw {
    fn noted(self, note: &str) -> Self {
        Self { note: note.to_owned(), ..self }
    }

    fn scaled(self, unit: &'static str, factor: f64, bars: &[Bar]) -> Figure {
        Figure {
            name: self.name.to_owned(),
            unit,
            better: Better::Less,
            leveret: self.leveret.map(|it| it / factor),
            reference: self.reference.map(|it| it / factor),
            bars: bars.to_vec(),
            note: self.note,
        }
    }
}

/// Measures a fresh Leveret, then the reference. The folder is Leveret's data directory.
fn both(
    bench: &Bench<'_>,
    name: &'static str,
    mut measure: impl FnMut(&Bench<'_>, &Broker, Option<&Path>) -> Result<Option<f64>>,
) -> Result<Raw> {
    bench.tell(name, "Leveret");
    let leveret = Leveret::start(bench.binary, bench.work)?;
    let own = measure(bench, &leveret.broker, Some(&leveret.data_dir))?;
    drop(leveret);
    let mut raw = Raw { name, leveret: own, reference: None, note: String::new() };
    if let Some(reference) = &bench.reference {
        bench.tell(name, reference.name);
        raw.reference = measure(bench, reference, None)?;
    }
    Ok(raw)
}

fn starting(bench: &mut Bench<'_>) -> Result<()> {
    bench.tell(STARTING, "Leveret");
    let mut millis = Vec::new();
    for _ in 0..STARTS {
        let leveret = Leveret::start(bench.binary, bench.work)?;
        millis.push(leveret.listening_after.as_secs_f64() * 1e3);
    }
    let raw = Raw {
        name: STARTING,
        leveret: median(millis),
        reference: None,
        note: format!("median of {STARTS}, each on a fresh data directory"),
    };
    bench.add(raw.scaled("ms", 1.0, &[Bar::Own(15.0)]));
    Ok(())
}

/// Bytes a connection between the first ones and the last.
fn connections(
    broker: &Broker,
    first: usize,
    last: usize,
    settling: Duration,
) -> Result<Option<f64>> {
    let few = broker.hold_connections(first)?;
    settle(settling)?;
    let before = broker.resident()?;
    let many = broker.hold_connections(last - first)?;
    settle(settling)?;
    let after = broker.resident()?;
    drop((few, many));
    settle(settling)?;
    Ok(before.zip(after).map(|(before, after)| (after - before) / (last - first) as f64))
}

/// Bytes a queue. `when_there` runs while all exist.
fn queues(
    broker: &Broker,
    settling: Duration,
    when_there: impl FnOnce() -> Result<()>,
) -> Result<Option<f64>> {
    settle(settling)?;
    let before = broker.resident()?;
    declare(broker, QUEUES, false)?;
    settle(settling)?;
    let after = broker.resident()?;
    when_there()?;
    let [pattern, to] = queue_range(QUEUES);
    let words = ["-x", "0", "-y", "0", "-z", "0", "--predeclared", "--delete", &pattern, &to];
    broker.load(&words.map(str::to_owned), 0)?;
    Ok(before.zip(after).map(|(before, after)| (after - before) / QUEUES as f64))
}

/// Declares durable queues one after the other; gives the seconds it took.
fn declare(broker: &Broker, count: usize, is_deleted: bool) -> Result<f64> {
    let [pattern, to] = queue_range(count);
    let words = "-x 0 -y 0 -z 0 --flag persistent --auto-delete false";
    let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    words.extend([pattern, to]);
    if is_deleted {
        words.push("--delete".to_owned());
    }
    Ok(broker.load(&words, 0)?.declaring_seconds)
}

fn queue_range(count: usize) -> [String; 2] {
    ["--queue-pattern=durable-%d".to_owned(), format!("--queue-pattern-to={count}")]
}

fn count_files(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() { count_files(&entry.path())? } else { 1 };
    }
    Ok(count)
}
